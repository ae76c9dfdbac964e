"""What a run has finished, one line for each block; a stopped run goes on from here."""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from combmesh.ground.errors import RunError
from combmesh.network.block import BlockReport

Address = tuple[str, str, int, int]
"""(alice, bob, line, block)"""


class Journal:
    """An append-only file of block reports, held by one process at a time; a torn last line is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise RunError(f"Could not open the journal `{path}`: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise RunError(f"Another process is running in `{path.parent}`.") from error
        self.reports = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, reports: Iterable[BlockReport]) -> None:
        """Make the reports durable, in one write."""
        reports = list(reports)
        content = "".join(json.dumps(asdict(report)) + "\n" for report in reports).encode()
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            written = os.write(self._file, content)
            if written != len(content):
                raise OSError(28, "the disk is full")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, end)
            raise RunError(f"Could not write to the journal `{self.path}`: {error.strerror}.") from error
        self.reports.update((address(report), report) for report in reports)

    def _read(self) -> dict[Address, BlockReport]:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        reports = {}
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                report = _report(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise RunError(f"Line {number} of the journal `{self.path}` is damaged.") from error
            reports[address(report)] = report
        return reports


def address(report: BlockReport) -> Address:
    """Which block a report is of."""
    return report.alice, report.bob, report.line, report.block


def _report(entry: Any) -> BlockReport:
    counts = {name: tuple(entry[name]) for name in ("sent", "detected", "errors")}
    return BlockReport(**{**entry, **counts})
