"""The pads of a pair of users in one SQLite file that only its owner reads; each user has one with the same content."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Self

from combmesh.distill.account import EpsilonAccount
from combmesh.distill.authentication import (
    MOST_OFFERS,
    PAIR_BYTES,
    POINT_BYTES,
    Offer,
    check_pads,
    check_unused,
    split_pair,
)
from combmesh.ground.errors import InputError, RunError

FORMAT = "combmesh pads 1"
INITIAL = "initial"
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE sources (source TEXT PRIMARY KEY, pads BLOB NOT NULL, used INTEGER NOT NULL)",
    "CREATE TABLE account (blocks INTEGER, secrecy REAL, correctness REAL, authentication REAL)",
)


def new_secret(blocks: int) -> bytes:
    """A secret for two users from the operating system: the point of the hash, and a pair of pads for each block."""
    return secrets.token_bytes(POINT_BYTES + PAIR_BYTES * blocks)


def create_pads(path: Path, secret: bytes) -> None:
    """Make a file of pads from a secret that both users hold; refuses to write over another."""
    point, pads = secret[:POINT_BYTES], secret[POINT_BYTES:]
    check_pads(pads)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise InputError(f"`{path}` exists; pads are never written over.") from None
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error
    with _as_sentence(path), sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            connection.execute(table)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("point", point)])
        connection.execute("INSERT INTO sources VALUES (?, ?, 0)", (INITIAL, pads))
        connection.execute("INSERT INTO account VALUES (?, ?, ?, ?)", astuple(EpsilonAccount()))
        connection.execute("COMMIT")
    connection.close()


class PadFile:
    """A file of pads; what is used is overwritten and on the disk before it is given out."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"`{self.path}` does not exist; `combmesh secret new` makes it.")
        with _as_sentence(self.path):
            self._connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                for pragma in ("synchronous = FULL", "secure_delete = ON"):
                    self._connection.execute(f"PRAGMA {pragma}")
                meta = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
                if meta.get("format") != FORMAT:
                    raise InputError(f"`{self.path}` is a database, but holds no pads.")
            except BaseException:
                self._connection.close()
                raise
        self.point: bytes = meta["point"]

    def __repr__(self) -> str:
        return f"PadFile({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._connection.close()

    def offers(self) -> list[Offer]:
        """Sources with unused pairs, those of earlier blocks first."""
        query = "SELECT source, used FROM sources WHERE used * ? < length(pads) ORDER BY source LIMIT ?"
        with _as_sentence(self.path):
            return [(source, used) for source, used in self._connection.execute(query, (PAIR_BYTES, MOST_OFFERS))]

    def pairs(self, source: str) -> int:
        """Pairs of pads that a source has had."""
        return len(self._row(source)[0]) // PAIR_BYTES

    def take(self, source: str, index: int) -> tuple[bytes, bytes]:
        """Alice's pad and Bob's of an unused pair; it and all before it are overwritten first."""
        with _as_sentence(self.path), self._transaction():
            pads, used = self._row(source)
            check_unused(source, index, used, len(pads) // PAIR_BYTES)
            pair = split_pair(pads, index)
            gone = (index + 1) * PAIR_BYTES
            change = (bytes(gone) + pads[gone:], index + 1, source)
            self._connection.execute("UPDATE sources SET pads = ?, used = ? WHERE source = ?", change)
        return pair

    def add(self, source: str, pads: bytes) -> None:
        """Keep new pads; again with the same source does nothing."""
        check_pads(pads)
        with _as_sentence(self.path), self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?, 0)", (source, pads))

    def account(self) -> EpsilonAccount:
        """What the pair has spent of security in its life."""
        with _as_sentence(self.path):
            return EpsilonAccount(*self._connection.execute("SELECT * FROM account").fetchone())

    def charge(self, spent: EpsilonAccount) -> None:
        """Add a block, with a key or without."""
        with _as_sentence(self.path), self._transaction():
            total = EpsilonAccount(*self._connection.execute("SELECT * FROM account").fetchone()) + spent
            self._connection.execute(
                "UPDATE account SET blocks = ?, secrecy = ?, correctness = ?, authentication = ?", astuple(total)
            )

    def unused_pairs(self) -> int:
        """Blocks that can still be authenticated."""
        with _as_sentence(self.path):
            rows = self._connection.execute("SELECT length(pads), used FROM sources").fetchall()
        return sum(size // PAIR_BYTES - used for size, used in rows)

    def _row(self, source: str) -> tuple[bytes, int]:
        with _as_sentence(self.path):
            query = "SELECT pads, used FROM sources WHERE source = ?"
            row = self._connection.execute(query, (source,)).fetchone()
        return row or (b"", 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def _as_sentence(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into one sentence."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
            raise RunError(f"The pads in `{path}` could not be read or written: {error}.") from error
        raise InputError(f"`{path}` holds no pads, or is damaged.") from error
