"""One writer at a time, many callers: what waits while a commit is under way shares the next one.

A piece of work is a function of a `Transaction`. Each runs behind a savepoint, so that one that fails leaves no trace
and harms no other; its caller has its answer only after the commit that holds it is on the disk.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from combmesh.ground.errors import CombmeshError, RunError

MOST_TOGETHER = 256
"""Pieces of work in one commit."""

T = TypeVar("T")
Row = tuple[Any, ...]


class Cursor(Protocol):
    """What both database modules return."""

    rowcount: int

    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """What both database modules connect with."""

    def execute(self, sql: Any, parameters: Any = ..., /) -> Any: ...


class Transaction:
    """SQL on a connection, with `?` for values; `lock` ends a SELECT of rows that are about to change."""

    def __init__(self, connection: Connection, mark: str = "?", lock: str = "", wait_lock: str = "") -> None:
        self._connection = connection
        self._mark = mark
        self.lock = lock
        self.wait_lock = wait_lock
        self.notes: list[tuple[str, dict[str, object]]] = []

    def _execute(self, sql: str, values: Sequence[object]) -> Cursor:
        cursor: Cursor = self._connection.execute(sql if self._mark == "?" else sql.replace("?", self._mark), values)
        return cursor

    def all(self, sql: str, *values: object) -> list[Row]:
        """All rows of a query."""
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Row | None:
        """The first row of a query."""
        row: Row | None = self._execute(sql, values).fetchone()
        return row

    def run(self, sql: str, *values: object) -> int:
        """Change rows, and say how many."""
        return self._execute(sql, values).rowcount

    def note(self, event: str, **detail: object) -> None:
        """Remember an event for the audit, which is written with the commit."""
        self.notes.append((event, detail))


class Work(Generic[T]):
    """A piece of work and the promise of its result."""

    def __init__(self, function: Callable[[Transaction], T]) -> None:
        self.function = function
        self.future: Future[T] = Future()
        self.outcome: tuple[T | None, BaseException | None] = (None, None)

    def attempt(self, transaction: Transaction) -> None:
        """Run behind a savepoint; errors of the database itself are not caught."""
        n_notes = len(transaction.notes)
        transaction.run("SAVEPOINT work")
        try:
            self.outcome = (self.function(transaction), None)
        except (CombmeshError, ValueError, TypeError) as error:
            transaction.run("ROLLBACK TO SAVEPOINT work")
            del transaction.notes[n_notes:]
            self.outcome = (None, error)
        transaction.run("RELEASE SAVEPOINT work")

    def answer(self, failure: BaseException | None = None) -> None:
        result, error = self.outcome
        if failure is not None or error is not None:
            self.future.set_exception(failure or error)
        else:
            self.future.set_result(result)  # type: ignore[arg-type]


class Writer:
    """Commits pieces of work: at once in the caller's thread or, once started, together in a thread of its own.

    Args:
        commit: runs a list of works in one transaction; raises if none of them is on the disk.
    """

    def __init__(self, commit: Callable[[Sequence[Work[Any]]], None]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Work[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, function: Callable[[Transaction], T]) -> "Future[T]":
        """Hand in work; the result comes when it is on the disk."""
        work = Work(function)
        with self._lock:
            if self._closed:
                raise RunError("The key store is closed.")
            if self._thread is not None:
                self._queue.put(work)
                return work.future
            self._together([work])
        return work.future

    def start(self) -> None:
        """From here on callers share commits."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._loop, name="key store writer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Finish what was handed in; refuse what comes later."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _loop(self) -> None:
        while (work := self._queue.get()) is not None:
            batch = [work]
            last = False
            while len(batch) < MOST_TOGETHER and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._together(batch)
            if last:
                return

    def _together(self, batch: list[Work[Any]]) -> None:
        try:
            self._commit(batch)
        except BaseException as error:
            for work in batch:
                work.answer(error)
            if not isinstance(error, Exception):
                raise
            return
        for work in batch:
            work.answer()
