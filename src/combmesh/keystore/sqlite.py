"""A user's key store in one SQLite file.

Both ends of a key take it in two phases: `put_pending` at both, then the coordinator's journal line, then
`make_available` at both. After a stop, pending keys without a journal line are discarded, the others promoted.
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore import audit, meeting, wrapping
from combmesh.keystore.anchor import Anchor
from combmesh.keystore.blocks import move_plain_keys
from combmesh.keystore.desk import Desk
from combmesh.keystore.kek import keyring_for
from combmesh.keystore.schema import SCHEMA_VERSION, back_up, bring_up_to_date, check_meta, read_meta, sync_folder
from combmesh.keystore.sealing import Keyring, Vault
from combmesh.keystore.store import KeyStore, utc_now
from combmesh.keystore.writer import Transaction, Work, Writer

T = TypeVar("T")

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


class SqliteStore(KeyStore):
    """The keys of `user` in the file `path`, which is created when missing.

    Args:
        path: the file.
        user: whose keys.
        busy_timeout_s: longest wait for another process that writes.
        keyring: key-encryption keys; from the environment or the file beside the store if not given.
        anchor: file that knows how far the store had come; beside the store if not given, better on another disk.
        clock: gives the time.
    """

    def __init__(
        self,
        path: Path | str,
        user: str,
        busy_timeout_s: float = 5.0,
        keyring: Keyring | None = None,
        anchor: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(user, clock)
        self.path = Path(path)
        self._busy_timeout_s = busy_timeout_s
        self._anchor_path = anchor or self.path.with_name(f"{self.path.name}.anchor")
        self._anchor: Anchor | None = None
        self._nonce = ""
        self._commits = 0
        self._readers: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._read_lock = threading.Lock()
        with _as_sentence(self.path, "open"):
            _create_private(self.path)
            self._connection = self._connect()
            try:
                self.store_id = self._set_up(keyring)
            except BaseException:
                self._connection.close()
                raise
        self._writer = Writer(self._commit)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False)

    def _set_up(self, keyring: Keyring | None) -> str:
        meta = read_meta(self._connection, self.path)
        check_meta(meta, self.path, self.user)  # before anything is changed
        sealed = int(meta.get("schema_version", "0")) >= SCHEMA_VERSION
        self._vault = Vault(keyring or keyring_for(self.path, may_create=not sealed))
        os.chmod(self.path, 0o600)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._transact(self._migrate)
        if not sealed and meta:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # no key in clear is left in the files
        wrapping.check_keks(self._desk(Transaction(self._connection)))
        return read_meta(self._connection, self.path)["store_id"]

    def _migrate(self, transaction: Transaction) -> None:
        version = bring_up_to_date(self._connection, self.path, self.user, self._vault.current)
        if version < SCHEMA_VERSION:
            move_plain_keys(self._desk(transaction))

    def __repr__(self) -> str:
        return f"SqliteStore(path={str(self.path)!r}, user={self.user!r})"

    def start(self) -> None:
        """Begin a session; refused if another process hands out keys of this store."""
        with self._lock:
            if self._nonce:
                return
            anchor = Anchor(self._anchor_path)
            try:
                with _as_sentence(self.path, "write to"):
                    self._transact(lambda transaction: self._begin(transaction, anchor))
            except BaseException:
                self._nonce = ""
                anchor.close()
                raise
            anchor.write(self._nonce, self._commits, durable=True)
            sync_folder(self._anchor_path.parent)
            self._anchor = anchor
        self._writer.start()

    def _begin(self, transaction: Transaction, anchor: Anchor) -> None:
        desk = self._desk(transaction)
        self._commits = int(desk.meta("commits"))
        restored = anchor.contradicts(desk.meta("nonce"), self._commits)
        nonce = secrets.token_hex(16)
        meeting.begin(desk, nonce, restored)
        self._nonce = nonce

    def close(self) -> None:
        """Finish what was handed in and close the file; a second call does nothing."""
        self._writer.close()
        with self._lock, _as_sentence(self.path, "close"):
            for connection in (self._readers, self._connection):
                if connection is not None:
                    connection.close()
            if self._anchor is not None:
                self._anchor.close()
            self._anchor = self._readers = None
            self._nonce = ""

    def back_up(self, path: Path) -> Path:
        """Write a copy, with the keys sealed as they are, that knows it is one: put back, it revives nothing."""
        with _as_sentence(self.path, "copy"):
            return back_up(self.path, path, stamp=True)

    def submit(self, function: Callable[[Desk], T]) -> "Future[T]":
        return self._writer.submit(lambda transaction: function(self._desk(transaction)))

    def read(self, function: Callable[[Desk], T]) -> T:
        with _as_sentence(self.path, "read"):
            if not self._nonce:
                with self._lock:
                    return function(self._desk(Transaction(self._connection)))
            with self._read_lock:
                if self._readers is None:
                    self._readers = self._connect()
                self._readers.execute("BEGIN")
                try:
                    return function(self._desk(Transaction(self._readers)))
                finally:
                    self._readers.execute("ROLLBACK")

    def _desk(self, transaction: Transaction) -> Desk:
        return Desk(transaction, self.user, self._vault, self.clock().isoformat(), self._nonce)

    def _commit(self, batch: Sequence[Work[Any]]) -> None:
        def attempt_all(transaction: Transaction) -> None:
            for work in batch:
                work.attempt(transaction)

        with self._lock, _as_sentence(self.path, "write to"):
            self._transact(attempt_all)
            if self._anchor is not None:
                self._anchor.write(self._nonce, self._commits)

    def _transact(self, change: Callable[[Transaction], None]) -> None:
        transaction = Transaction(self._connection)
        commits = self._commits
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            change(transaction)
            if transaction.notes:
                desk = self._desk(transaction)
                audit.write_notes(desk)
                if self._nonce:
                    self._commits += 1
                    desk.set_meta("commits", str(self._commits))
            self._connection.execute("COMMIT")
        except BaseException:
            self._commits = commits
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
