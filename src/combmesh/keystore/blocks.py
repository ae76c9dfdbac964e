"""How distilled keys come into a store: pending, then available and cut into shares."""

from combmesh.ground.errors import InputError
from combmesh.keystore.desk import Desk
from combmesh.keystore.layout import Layout, layout
from combmesh.keystore.model import KeyState, StoredKey
from combmesh.keystore.reservation import CLOSED, Direction
from combmesh.keystore.sealing import Sealer, Wrapped

Address = tuple[str, int, int]
"""(peer, line, block)"""
DIRECTIONS: tuple[Direction, Direction] = ("out", "in")


def put_pending(desk: Desk, key: StoredKey) -> None:
    if key.user != desk.user:
        raise InputError(f"`key.user` must be {desk.user!r} in the store of that user, but is {key.user!r}.")
    if _holds_already(desk, key):
        return
    _make_room(desk, key)
    insert_pending(desk, key)


def insert_pending(desk: Desk, key: StoredKey) -> None:
    wrapped, sealer = desk.vault.new(desk.user, key.peer, key.key_id)
    desk.tx.run(
        "INSERT INTO keys (key_id, peer, line, block, origin, n_bits, created_utc, state, kek, wrapped, same, whole)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
        *(key.key_id, key.peer, key.line, key.block, key.origin, key.n_bits, key.created_utc),
        *(wrapped.kek, wrapped.sealed, sealer.check(key.material)),
        sealer.seal(key.material, desk.user, key.key_id, "whole"),
    )


def _holds_already(desk: Desk, key: StoredKey) -> bool:
    row = desk.tx.one(
        "SELECT peer, line, block, origin, n_bits, kek, wrapped, same FROM keys WHERE key_id = ?", key.key_id
    )
    if row is None:
        return False
    *label, kek, wrapped, same = row
    matches = label == [key.peer, key.line, key.block, key.origin, key.n_bits]
    if matches and wrapped is not None:
        sealer = desk.vault.sealer(Wrapped(kek, wrapped), desk.user, key.peer, key.key_id)
        matches = same == sealer.check(key.material)
    if not matches:
        raise InputError(f"`key_id` {key.key_id} names another key in the store of {desk.user!r}.")
    return True


def _make_room(desk: Desk, key: StoredKey) -> None:
    row = desk.tx.one(
        "SELECT key_id, state FROM keys WHERE peer = ? AND line = ? AND block = ?", key.peer, key.line, key.block
    )
    if row is None:
        return
    if row[1] != "pending":
        raise InputError(
            f"The store of {desk.user!r} holds the available key {row[0]} for peer {key.peer!r}, "
            f"line {key.line}, block {key.block}, and refuses key {key.key_id} in its place."
        )
    _remove(desk, row[0])


def _remove(desk: Desk, key_id: str) -> None:
    row = desk.tx.one("SELECT peer, n_bits FROM keys WHERE key_id = ?", key_id)
    for table in ("keys", "shares", "spans", "cells"):
        desk.tx.run(f"DELETE FROM {table} WHERE key_id = ?", key_id)
    if row is not None:
        desk.tx.note("discarded", block=key_id, peer=row[0], bits=row[1])


def make_available(desk: Desk, key_id: str) -> None:
    row = desk.tx.one("SELECT peer, origin, n_bits, created_utc, state, whole FROM keys WHERE key_id = ?", key_id)
    if row is None:
        raise InputError(f"`key_id` must name a key of the store of {desk.user!r}, but is {key_id!r}.")
    peer, origin, n_bits, created_utc, state, whole = row
    if state != "pending":
        return
    desk.tx.run("UPDATE keys SET state = 'available' WHERE key_id = ?", key_id)
    desk.tx.run("INSERT INTO peers (peer) VALUES (?) ON CONFLICT (peer) DO NOTHING", peer)
    desk.tx.note("made", block=key_id, peer=peer, origin=origin, bits=n_bits)
    cut = layout(n_bits)
    if whole is None or not cut.secret:
        return
    sealer = desk.sealer(key_id)
    material = sealer.open(whole, desk.user, key_id, "whole")
    ends = material[: cut.secret] + material[cut.secret + cut.first + cut.second :]
    for direction in DIRECTIONS:
        start, size = cut.start(direction, desk.user, peer), cut.size(direction, desk.user, peer)
        share = (key_id, direction, peer, origin, created_utc, size, CLOSED)
        desk.tx.run("INSERT INTO shares VALUES (?, ?, ?, ?, ?, ?, ?)", *share)
        desk.tx.run("INSERT INTO spans VALUES (?, ?, 0, ?, 'available')", key_id, direction, size)
        desk.write_cells(key_id, direction, sealer, material[start : start + size])
    sealed = sealer.seal(ends, desk.user, key_id, "ends")
    desk.tx.run("UPDATE keys SET ends = ?, whole = NULL WHERE key_id = ?", sealed, key_id)


def discard_pending(desk: Desk, peer: str, line: int, block: int) -> bool:
    row = desk.tx.one(
        "SELECT key_id FROM keys WHERE peer = ? AND line = ? AND block = ? AND state = 'pending'", peer, line, block
    )
    if row is not None:
        _remove(desk, row[0])
    return row is not None


def available_keys(desk: Desk) -> list[StoredKey]:
    rows = desk.tx.all(
        "SELECT key_id, peer, line, block, origin, n_bits, created_utc, kek, wrapped, whole, ends FROM keys"
        " WHERE state = 'available' AND (SELECT COUNT(*) FROM spans WHERE spans.key_id = keys.key_id"
        " AND (spans.state <> 'available')) = 0 ORDER BY peer, line, block"
    )
    keys = []
    for key_id, peer, line, block, origin, n_bits, created_utc, kek, wrapped, whole, ends in rows:
        sealer = desk.vault.sealer(Wrapped(kek, wrapped), desk.user, peer, key_id)
        if whole is not None:
            material = sealer.open(whole, desk.user, key_id, "whole")
        else:
            material = _joined(desk, key_id, peer, layout(n_bits), sealer, ends)
        keys.append(StoredKey(key_id, desk.user, peer, line, block, origin, n_bits, material, created_utc))
    return keys


def _joined(desk: Desk, key_id: str, peer: str, cut: Layout, sealer: Sealer, ends: bytes) -> bytes:
    plain = sealer.open(ends, desk.user, key_id, "ends")
    order: tuple[Direction, Direction] = ("out", "in") if desk.user < peer else ("in", "out")
    shares = [
        desk.read_bytes(key_id, direction, sealer, 0, size)
        for direction, size in zip(order, (cut.first, cut.second), strict=True)
    ]
    return plain[: cut.secret] + b"".join(shares) + plain[cut.secret :]


def key_index(desk: Desk) -> dict[Address, tuple[str, KeyState]]:
    rows = desk.tx.all("SELECT peer, line, block, key_id, state FROM keys ORDER BY peer, line, block")
    return {
        (peer, line, block): (key_id, "pending" if state == "pending" else "available")
        for peer, line, block, key_id, state in rows
    }


def move_plain_keys(desk: Desk) -> None:
    """Seal the keys of a store of version 2 or below."""
    rows = desk.tx.all("SELECT key_id, peer, line, block, origin, n_bits, material, created_utc, state FROM plain_keys")
    for *label, state in rows:
        key = StoredKey(label[0], desk.user, *label[1:])
        insert_pending(desk, key)
        if state == "available":
            make_available(desk, key.key_id)
    desk.tx.run("DROP TABLE plain_keys")
    if rows:
        desk.tx.note("migrated", blocks=len(rows))
