"""A user's key store in one SQLite file.

Both ends of a key take it in two phases: `put_pending` at both, then the coordinator's journal line, then
`make_available` at both. After a stop, pending keys without a journal line are discarded, the others promoted.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.model import KeyState, StoredKey
from combmesh.keystore.schema import bring_up_to_date, check_meta, read_meta, sync_folder

Address = tuple[str, int, int]
"""(peer, line, block)"""

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the system reported an I/O error, such as a full disk or a limit on file size",
    sqlite3.SQLITE_BUSY: "another process holds it locked",
    sqlite3.SQLITE_LOCKED: "another connection holds it locked",
    sqlite3.SQLITE_READONLY: "it may not be written",
    sqlite3.SQLITE_PERM: "access to it is denied",
    sqlite3.SQLITE_CANTOPEN: "a file of it cannot be opened",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
}


class SqliteStore:
    """The keys of `user` in the file `path`, which is created when missing; used from one thread."""

    def __init__(self, path: Path | str, user: str, busy_timeout_s: float = 5.0) -> None:
        if not user:
            raise InputError(f"`user` must be a name, but is {user!r}.")
        self.path = Path(path)
        self.user = user
        with _as_sentence(self.path, "open"):
            _create_private(self.path)
            self._connection = sqlite3.connect(self.path, timeout=busy_timeout_s, isolation_level=None)
            try:
                self.store_id = self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _set_up(self) -> str:
        check_meta(read_meta(self._connection, self.path), self.path, self.user)  # before anything is changed
        os.chmod(self.path, 0o600)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        with self._transaction():
            bring_up_to_date(self._connection, self.path, self.user)
        return read_meta(self._connection, self.path)["store_id"]

    def __repr__(self) -> str:
        return f"SqliteStore(path={str(self.path)!r}, user={self.user!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with _as_sentence(self.path, "close"):
            self._connection.close()

    def put_pending(self, key: StoredKey) -> None:
        """Store `key` as pending; again with the same key does nothing, also when it is available by now.

        A pending key of the same (peer, line, block) gives way; an available one does not.
        """
        if key.user != self.user:
            raise InputError(f"`key.user` must be {self.user!r} in the store of that user, but is {key.user!r}.")
        with _as_sentence(self.path, "write to"), self._transaction():
            if not self._holds_already(key):
                self._make_room(key)
                self._insert_pending(key)

    def make_available(self, key_id: str) -> None:
        """Promote a pending key; does nothing for one that is available."""
        with _as_sentence(self.path, "write to"), self._transaction():
            cursor = self._connection.execute("UPDATE keys SET state = 'available' WHERE key_id = ?", (key_id,))
            if cursor.rowcount == 0:
                raise InputError(f"`key_id` must name a key of the store of {self.user!r}, but is {key_id!r}.")

    def discard_pending(self, peer: str, line: int, block: int) -> bool:
        """Remove the pending key of this address, and tell whether there was one; an available key stays."""
        with _as_sentence(self.path, "write to"), self._transaction():
            cursor = self._connection.execute(
                "DELETE FROM keys WHERE peer = ? AND line = ? AND block = ? AND state = 'pending'", (peer, line, block)
            )
            return cursor.rowcount > 0

    def available_keys(self) -> list[StoredKey]:
        """All available keys, ordered by peer, line and block."""
        with _as_sentence(self.path, "read"):
            rows = self._connection.execute(
                "SELECT key_id, peer, line, block, origin, n_bits, material, created_utc"
                " FROM keys WHERE state = 'available' ORDER BY peer, line, block"
            ).fetchall()
        return [StoredKey(key_id, self.user, *rest) for key_id, *rest in rows]

    def key_index(self) -> dict[Address, tuple[str, KeyState]]:
        """The id and state of every key, by (peer, line, block)."""
        with _as_sentence(self.path, "read"):
            rows = self._connection.execute(
                "SELECT peer, line, block, key_id, state FROM keys ORDER BY peer, line, block"
            ).fetchall()
        return {(peer, line, block): (key_id, state) for peer, line, block, key_id, state in rows}

    def _holds_already(self, key: StoredKey) -> bool:
        row = self._connection.execute(
            "SELECT peer, line, block, origin, n_bits, material FROM keys WHERE key_id = ?", (key.key_id,)
        ).fetchone()
        if row is None:
            return False
        if row != (key.peer, key.line, key.block, key.origin, key.n_bits, key.material):
            raise InputError(f"`key_id` {key.key_id} names another key in the store of {self.user!r}.")
        return True

    def _make_room(self, key: StoredKey) -> None:
        address = (key.peer, key.line, key.block)
        row = self._connection.execute(
            "SELECT key_id, state FROM keys WHERE peer = ? AND line = ? AND block = ?", address
        ).fetchone()
        if row is None:
            return
        if row[1] == "available":
            raise InputError(
                f"The store of {self.user!r} holds the available key {row[0]} for peer {key.peer!r}, "
                f"line {key.line}, block {key.block}, and refuses key {key.key_id} in its place."
            )
        self._connection.execute("DELETE FROM keys WHERE key_id = ?", (row[0],))

    def _insert_pending(self, key: StoredKey) -> None:
        self._connection.execute(
            "INSERT INTO keys (key_id, peer, line, block, origin, n_bits, material, created_utc, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
            (key.key_id, key.peer, key.line, key.block, key.origin, key.n_bits, key.material, key.created_utc),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise


def _create_private(path: Path) -> None:
    """Make an empty file that only its owner reads, before SQLite makes one with looser rights."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        sync_folder(path.parent)


@contextmanager
def _as_sentence(path: Path, verb: str) -> Iterator[None]:
    """Turn errors of SQLite and of the system into one sentence, which never shows key material."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary result code
        if code == sqlite3.SQLITE_NOTADB:
            raise InputError(f"`{path}` is not a key store: the file is not a database.") from error
        reason = _REASONS.get(code, str(error).rstrip("."))
        raise RunError(f"Could not {verb} the key store `{path}`: {reason}.") from error
    except OSError as error:
        raise RunError(f"Could not {verb} the key store `{path}`: {error.strerror}.") from error
