"""A file outside the database that knows how far it had come; a database that is behind it is an older copy.

It holds the nonce of the session and the number of commits, written after each commit and before its answers leave,
without waiting for the disk: a killed process leaves it exact, a power failure leaves it behind, which is allowed.
Its lock keeps a second process from handing out keys of the same store.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from combmesh.ground.errors import RunError


class Anchor:
    """The open and locked file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise RunError(f"The anchor `{path}` cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise RunError(f"Another process hands out keys of the store with the anchor `{path}`.") from None

    def contradicts(self, nonce: str, commits: int) -> bool:
        """Whether a database with this last session and this many commits is older than the anchor, or another."""
        text = os.pread(self._descriptor, 200, 0).decode(errors="replace").split()
        if len(text) != 2 or not text[1].isdecimal():
            return bool(nonce) or bool(text)  # a database that has had sessions must have an anchor
        return text[0] != nonce or int(text[1]) > commits

    def write(self, nonce: str, commits: int, durable: bool = False) -> None:
        """Move the anchor."""
        os.pwrite(self._descriptor, f"{nonce} {commits:020d}\n".encode(), 0)
        if durable:
            os.fsync(self._descriptor)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._descriptor)
