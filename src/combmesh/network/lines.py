"""An append-only file of JSON lines, held by one process at a time; a torn last line is cut off."""

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from combmesh.ground.errors import RunError


class LineFile:
    """The file, open and locked.

    Attributes:
        path: where it is.
        entries: what stood in it when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise RunError(f"Could not open `{path}`: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise RunError(f"Another process is running in `{path.parent}`.") from error
        self.entries = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, entries: Iterable[Any]) -> None:
        """Make the entries durable, in one write."""
        content = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            written = os.write(self._file, content)
            if written != len(content):
                raise OSError(28, "the disk is full")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, end)
            raise RunError(f"Could not write to `{self.path}`: {error.strerror}.") from error

    def _read(self) -> list[Any]:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        entries = []
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise self.damaged(number) from error
        return entries

    def damaged(self, number: int) -> RunError:
        """What to raise about a line that cannot be used."""
        return RunError(f"Line {number} of `{self.path}` is damaged.")
