"""The tables of a key store and the way from each version to the next."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from combmesh.ground.errors import InputError

SCHEMA_VERSION = 2

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
}
"""What makes each version from the one before; version 1 could only hold keys of simulated light."""


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


def check_meta(meta: dict[str, str], path: Path, user: str) -> None:
    """Refuse a store with a newer schema or of another user; an empty `meta` passes."""
    if not meta:
        return
    version = int(meta["schema_version"])
    if version > SCHEMA_VERSION:
        raise InputError(
            f"The key store `{path}` has schema version {version}, but this combmesh reads up to {SCHEMA_VERSION}."
        )
    if meta["user"] != user:
        raise InputError(f"The key store `{path}` belongs to user {meta['user']!r}, not to {user!r}.")


def bring_up_to_date(connection: sqlite3.Connection, path: Path, user: str) -> None:
    """Create or migrate the tables; the caller holds a write transaction, so that no other writer comes between."""
    meta = read_meta(connection, path)
    check_meta(meta, path, user)
    version = int(meta.get("schema_version", "0"))
    if 0 < version < SCHEMA_VERSION:
        back_up(path, version)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[step]:
            connection.execute(statement)
    if not meta:
        first_rows = [("user", user), ("store_id", secrets.token_hex(16))]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", first_rows)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))


def back_up(path: Path, version: int) -> Path:
    """Copy the committed store to `<name>.v<version>.bak`, readable by its owner only."""
    backup = path.with_name(f"{path.name}.v{version}.bak")
    unfinished = backup.with_name(backup.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    os.replace(unfinished, backup)
    sync_folder(path.parent)
    return backup


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
