"""The tables of a key store and the way from each version to the next."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from combmesh.ground.errors import InputError

SCHEMA_VERSION = 3

TABLES = (
    """CREATE TABLE keys (
        key_id TEXT PRIMARY KEY,
        peer TEXT NOT NULL,
        line INTEGER NOT NULL,
        block INTEGER NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('simulated', 'measured')),
        n_bits INTEGER NOT NULL CHECK (n_bits > 0),
        created_utc TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'available', 'spent')),
        kek TEXT,
        wrapped {blob},
        same {blob},
        ends {blob},
        whole {blob},
        UNIQUE (peer, line, block)
    )""",
    """CREATE TABLE shares (
        key_id TEXT NOT NULL,
        direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
        peer TEXT NOT NULL,
        origin TEXT NOT NULL,
        created_utc TEXT NOT NULL,
        n_bytes INTEGER NOT NULL,
        opened TEXT NOT NULL,
        PRIMARY KEY (key_id, direction)
    )""",
    "CREATE INDEX shares_by_peer ON shares (peer, direction, opened)",
    """CREATE TABLE spans (
        key_id TEXT NOT NULL,
        direction TEXT NOT NULL,
        start INTEGER NOT NULL,
        stop INTEGER NOT NULL CHECK (stop > start),
        state TEXT NOT NULL CHECK (state IN ('available', 'reserved', 'delivered', 'expired', 'void')),
        PRIMARY KEY (key_id, direction, start)
    )""",
    """CREATE TABLE cells (
        key_id TEXT NOT NULL,
        direction TEXT NOT NULL,
        cell INTEGER NOT NULL,
        sealed {blob} NOT NULL,
        PRIMARY KEY (key_id, direction, cell)
    )""",
    """CREATE TABLE peers (
        peer TEXT PRIMARY KEY,
        seen_epoch INTEGER NOT NULL DEFAULT 0,
        seen_nonce TEXT NOT NULL DEFAULT '',
        heard TEXT NOT NULL DEFAULT '',
        met TEXT NOT NULL DEFAULT '',
        self_restored INTEGER NOT NULL DEFAULT 0,
        peer_restored INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE copies (
        key_id TEXT NOT NULL,
        slave_sae TEXT NOT NULL,
        master_sae TEXT NOT NULL,
        peer TEXT NOT NULL,
        direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
        origin TEXT NOT NULL,
        n_bits INTEGER NOT NULL,
        created_utc TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'delivered', 'expired', 'void')),
        pad_block TEXT NOT NULL,
        pad_start INTEGER NOT NULL,
        kek TEXT,
        wrapped {blob},
        sealed {blob},
        PRIMARY KEY (key_id, slave_sae, direction)
    )""",
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash TEXT NOT NULL)",
)
"""Version 3. `copies` holds keys of several slaves: `in`, for one here; `out`, wrapped for another terminal."""

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE keys (
            key_id TEXT PRIMARY KEY,
            peer TEXT NOT NULL,
            line INTEGER NOT NULL,
            block INTEGER NOT NULL,
            n_bits INTEGER NOT NULL CHECK (n_bits > 0),
            material BLOB NOT NULL CHECK (length(material) = (n_bits + 7) / 8),
            created_utc TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'available')),
            UNIQUE (peer, line, block)
        )""",
    ),
    2: (
        """ALTER TABLE keys ADD COLUMN origin TEXT NOT NULL DEFAULT 'simulated'
            CHECK (origin IN ('simulated', 'measured'))""",
    ),
    3: ("ALTER TABLE keys RENAME TO plain_keys", *(table.format(blob="BLOB") for table in TABLES)),
}
"""What makes each version from the one before; version 1 held keys of simulated light only, 2 all in clear."""


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """The rows of `meta`, empty for a file without tables; refuses a database that is no key store."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return {}
    if not {"meta", "keys"} <= tables:
        raise InputError(f"`{path}` is a database, but not a key store.")
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if not {"schema_version", "user", "store_id"} <= meta.keys() or not meta["schema_version"].isdecimal():
        raise InputError(f"`{path}` is a database, but not a key store.")
    return meta


def check_meta(meta: dict[str, str], name: Path | str, user: str) -> None:
    """Refuse a store with a newer schema or of another user; an empty `meta` passes."""
    if not meta:
        return
    version = int(meta["schema_version"])
    if version > SCHEMA_VERSION:
        raise InputError(
            f"The key store `{name}` has schema version {version}, but this combmesh reads up to {SCHEMA_VERSION}."
        )
    if meta["user"] != user:
        raise InputError(f"The key store `{name}` belongs to user {meta['user']!r}, not to {user!r}.")


def first_meta(user: str, kek: str) -> dict[str, str]:
    """What a new store knows of itself."""
    return {
        "user": user,
        "store_id": secrets.token_hex(16),
        "schema_version": str(SCHEMA_VERSION),
        "kek": kek,
        "epoch": "0",
        "nonce": "",
        "commits": "0",
        "copy": "",
        "audit_head": "0:" + 64 * "0",
    }


def bring_up_to_date(connection: sqlite3.Connection, path: Path, user: str, kek: str) -> int:
    """Create or migrate the tables and say which version was there, 0 for none.

    The caller holds a write transaction, so that no other writer comes between, and moves the rows of `plain_keys`.
    """
    meta = read_meta(connection, path)
    check_meta(meta, path, user)
    version = int(meta.get("schema_version", "0"))
    if 0 < version < SCHEMA_VERSION:
        back_up(path, path.with_name(f"{path.name}.v{version}.bak"))
    for step in range(version + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[step]:
            connection.execute(statement)
    if version < SCHEMA_VERSION:
        rows = first_meta(user, kek) | {name: meta[name] for name in ("user", "store_id") if name in meta}
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(rows.items()))
    return version


def back_up(path: Path, backup: Path, stamp: bool = False) -> Path:
    """Copy the committed store to `backup`, readable by its owner only; a stamped copy says that it is one."""
    unfinished = backup.with_name(backup.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
        if stamp:
            target.execute("UPDATE meta SET value = 'yes' WHERE name = 'copy'")
            target.commit()
            target.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(unfinished, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    os.replace(unfinished, backup)
    sync_folder(backup.parent)
    return backup


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
