"""A user's key store in a PostgreSQL database, one schema for each user; needs the extra `postgres`.

Several processes may hand out keys of one store: they share a session, and rows that are about to change are locked
(`FOR UPDATE SKIP LOCKED`, so that they take from different blocks where there are several). The first that comes when
no other is connected begins a new session. There is no anchor file; a database that was put back from a backup while a
terminal ran is found by its count of commits, otherwise by the peers' memory, or `declare_restored` says so.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import import_module
from typing import Any, TypeVar

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore import audit, meeting, wrapping
from combmesh.keystore.desk import Desk
from combmesh.keystore.kek import keyring_from_environment
from combmesh.keystore.schema import MIGRATIONS, SCHEMA_VERSION, TABLES, check_meta, first_meta
from combmesh.keystore.sealing import Keyring, Vault
from combmesh.keystore.store import KeyStore, utc_now
from combmesh.keystore.writer import Transaction, Work, Writer

T = TypeVar("T")

LOCK, WAIT_LOCK = " FOR UPDATE OF s SKIP LOCKED", " FOR UPDATE"
_AGAIN = ("40001", "40P01")
MOST_TRIES = 5
"""Of a commit that the server refused because of another process's locks, with an error of `_AGAIN`."""


class PostgresStore(KeyStore):
    """The keys of `user` in the database at `address`, in a schema that is created when missing.

    Args:
        address: as libpq takes it, such as postgresql://user@host/database.
        user: whose keys.
        keyring: key-encryption keys; from the environment if not given.
        clock: gives the time.
    """

    def __init__(
        self,
        address: str,
        user: str,
        keyring: Keyring | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(user, clock)
        self._address = address
        self.schema = f"combmesh_{hashlib.sha256(user.encode()).hexdigest()[:16]}"
        self._number = int.from_bytes(hashlib.sha256(self.schema.encode()).digest()[:8], "big", signed=True)
        self._nonce = ""
        self._commits = 0
        self._restored = False
        self._lock = threading.RLock()
        self._read_lock = threading.Lock()
        ring = keyring or keyring_from_environment()
        if ring is None:
            raise InputError("A key store in PostgreSQL needs `COMBMESH_KEK_FILE` or `COMBMESH_KEK_COMMAND`.")
        self._vault = Vault(ring)
        with _as_sentence("open"):
            self._connection = self._connect()
            self._readers = self._connect()
            try:
                self.store_id = self._set_up()
            except BaseException:
                self._connection.close()
                self._readers.close()
                raise
        self._writer = Writer(self._commit)

    def __repr__(self) -> str:
        return f"PostgresStore(user={self.user!r})"

    def _connect(self) -> Any:
        try:
            psycopg: Any = import_module("psycopg")
        except ImportError:
            raise InputError("A key store in PostgreSQL needs the extra `postgres`: psycopg is missing.") from None
        connection = psycopg.connect(self._address, autocommit=True)
        connection.execute(f"SET search_path TO {self.schema}")
        connection.execute("SET synchronous_commit TO on")
        return connection

    def _set_up(self) -> str:
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (self._number ^ 1,))
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
            found = self._connection.execute("SELECT to_regclass(%s)", (f"{self.schema}.meta",)).fetchone()
            if found is None or found[0] is None:
                self._create_tables()
        meta = {str(name): str(value) for name, value in self._connection.execute("SELECT name, value FROM meta")}
        check_meta(meta, f"PostgreSQL schema {self.schema}", self.user)
        if int(meta["schema_version"]) != SCHEMA_VERSION:
            raise InputError(f"The key store of {self.user!r} has schema version {meta['schema_version']}.")
        wrapping.check_keks(self._desk(self._transaction()))
        return meta["store_id"]

    def _create_tables(self) -> None:
        for table in (MIGRATIONS[1][0], *TABLES):
            self._connection.execute(table.format(blob="BYTEA"))
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO meta VALUES (%s, %s)", list(first_meta(self.user, self._vault.current).items())
            )

    def start(self) -> None:
        """Begin a session, or join the one of the processes that are connected already."""
        with self._lock, _as_sentence("write to"):
            if not self._nonce:
                self._join_or_begin()
        self._writer.start()

    def _join_or_begin(self) -> None:
        alone = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._number,)).fetchone()
        self._connection.execute("SELECT pg_advisory_lock_shared(%s)", (self._number,))
        if alone is None or not alone[0]:
            desk = self._desk(self._transaction())
            self._nonce, self._commits = desk.meta("nonce"), int(desk.meta("commits"))
            return
        try:
            nonce = secrets.token_hex(16)
            self._transact(lambda transaction: meeting.begin(self._desk(transaction), nonce, self._restored))
            self._nonce, self._restored = nonce, False
        finally:
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._number,))

    def close(self) -> None:
        self._writer.close()
        with self._lock:
            self._connection.close()
            self._readers.close()
            self._nonce = ""

    def submit(self, function: Callable[[Desk], T]) -> "Future[T]":
        return self._writer.submit(lambda transaction: function(self._desk(transaction)))

    def read(self, function: Callable[[Desk], T]) -> T:
        with self._read_lock, _as_sentence("read"):
            if self._readers.closed:
                self._readers = self._connect()
            with self._readers.transaction():
                self._readers.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return function(self._desk(Transaction(self._readers, "%s")))

    def _desk(self, transaction: Transaction) -> Desk:
        return Desk(transaction, self.user, self._vault, self.clock().isoformat(), self._nonce)

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, "%s", LOCK, WAIT_LOCK)

    def _commit(self, batch: Sequence[Work[Any]]) -> None:
        def attempt_all(transaction: Transaction) -> None:
            for work in batch:
                work.attempt(transaction)

        with self._lock, _as_sentence("write to"):
            if self._connection.closed:
                self._reconnect()
            for tries in range(MOST_TRIES):
                try:
                    self._transact(attempt_all)
                    return
                except Exception as error:
                    if getattr(error, "sqlstate", None) not in _AGAIN or tries == MOST_TRIES - 1:
                        raise

    def _transact(self, change: Callable[[Transaction], None]) -> None:
        transaction = self._transaction()
        self._connection.execute("BEGIN")
        try:
            change(transaction)
            commits = self._commits
            if transaction.notes:
                desk = self._desk(transaction)
                audit.write_notes(desk)  # holds the row of the audit's end: commits are counted one after the other
                commits = int(desk.meta("commits")) + 1
                desk.set_meta("commits", str(commits))
            self._connection.execute("COMMIT")
            self._commits = commits
        except BaseException:
            with suppress(Exception):
                self._connection.execute("ROLLBACK")
            raise

    def _reconnect(self) -> None:
        """After the server went away: the session goes on only if the database is the one that it was."""
        self._connection = self._connect()
        if not self._nonce:
            return
        self._connection.execute("SELECT pg_advisory_lock_shared(%s)", (self._number,))
        desk = self._desk(self._transaction())
        if desk.meta("nonce") != self._nonce or int(desk.meta("commits")) < self._commits:
            self._restored = int(desk.meta("commits")) < self._commits
            self._connection.execute("SELECT pg_advisory_unlock_shared(%s)", (self._number,))
            self._nonce = ""


@contextmanager
def _as_sentence(verb: str) -> Iterator[None]:
    """Turn errors of the server into one sentence, which never shows key material or the address."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise RunError(f"Could not {verb} the key store in PostgreSQL: {type(error).__name__}.") from None
