"""Files that hold secret bits: at no moment may another user of the machine read them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from combmesh.ground.errors import InputError


@contextmanager
def secret_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write under, for its owner alone; it becomes `path` when all went well."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)  # mode 0600
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        try:
            os.replace(part, path)
        except OSError as error:
            raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
