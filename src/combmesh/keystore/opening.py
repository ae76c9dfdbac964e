"""A key store by its address: a file for SQLite, or postgresql://..."""

from pathlib import Path

from combmesh.keystore.postgres import PostgresStore
from combmesh.keystore.sealing import Keyring
from combmesh.keystore.sqlite import SqliteStore
from combmesh.keystore.store import KeyStore


def open_store(address: str | Path, user: str, keyring: Keyring | None = None) -> KeyStore:
    """The store of a user at an address."""
    if str(address).startswith(("postgresql://", "postgres://")):
        return PostgresStore(str(address), user, keyring)
    return SqliteStore(Path(address), user, keyring=keyring)
