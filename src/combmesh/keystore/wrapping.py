"""Changing the key-encryption key: the keys of rows are wrapped anew, what they seal stays as it is."""

from combmesh.keystore.desk import Desk
from combmesh.keystore.sealing import Wrapped


def former_wraps(desk: Desk) -> int:
    return sum(_count(desk, table) for table in ("keys", "copies"))


def _count(desk: Desk, table: str) -> int:
    row = desk.tx.one(f"SELECT COUNT(*) FROM {table} WHERE wrapped IS NOT NULL AND kek <> ?", desk.vault.current)
    return int(row[0]) if row else 0


def rewrap_some(desk: Desk, batch: int) -> int:
    done = _blocks(desk, batch)
    done += _copies(desk, batch - done)
    if done:
        desk.tx.note("rewrapped", rows=done, kek=desk.vault.current)
    return done


def _blocks(desk: Desk, batch: int) -> int:
    rows = desk.tx.all(
        "SELECT key_id, peer, kek, wrapped FROM keys WHERE wrapped IS NOT NULL AND kek <> ? LIMIT ?",
        desk.vault.current,
        batch,
    )
    for key_id, peer, kek, wrapped in rows:
        new = desk.vault.rewrap(Wrapped(kek, wrapped), desk.user, peer, key_id)
        desk.tx.run("UPDATE keys SET kek = ?, wrapped = ? WHERE key_id = ?", new.kek, new.sealed, key_id)
    return len(rows)


def _copies(desk: Desk, batch: int) -> int:
    rows = desk.tx.all(
        "SELECT key_id, slave_sae, direction, peer, kek, wrapped FROM copies"
        " WHERE wrapped IS NOT NULL AND kek <> ? LIMIT ?",
        desk.vault.current,
        batch,
    )
    for key_id, slave, direction, peer, kek, wrapped in rows:
        new = desk.vault.rewrap(Wrapped(kek, wrapped), desk.user, peer, key_id, slave, direction)
        desk.tx.run(
            "UPDATE copies SET kek = ?, wrapped = ? WHERE key_id = ? AND slave_sae = ? AND direction = ?",
            *(new.kek, new.sealed, key_id, slave, direction),
        )
    return len(rows)


def check_keks(desk: Desk) -> None:
    """Refuse a store whose keys were wrapped by a key that is not at hand."""
    for table in ("keys", "copies"):
        for (name,) in desk.tx.all(f"SELECT DISTINCT kek FROM {table} WHERE wrapped IS NOT NULL"):
            desk.vault.check(name)
