"""What every reader and every writer of time tags does with its file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.tags import TimeTags

MAX_PS = 2**62  # 53 days; further times are no measurement and would leave int64


def read_bytes(path: Path, count: int = -1, start: int = 0) -> bytes:
    """`count` bytes from `start` on, or as many as there are; raises InputError where the file cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror}.") from error


def read_records(path: Path, dtype: DTypeLike, start: int = 0) -> tuple[NDArray[Any], int]:
    """`(record,)` the whole records from byte `start` on, and how many bytes of a cut one are left at the end."""
    try:
        size = path.stat().st_size
        records = np.fromfile(path, dtype, offset=min(start, size))
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror}.") from error
    return records, max(size - start, 0) - records.nbytes


def clicks(
    channel: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    origin: str,
    about: dict[str, Any],
    *,
    resolution_ps: float = 1.0,
    duration_s: float = 0.0,
    falls_explained: bool = False,
) -> TimeTags:
    """Time tags from clicks `(event,)` in the file's order: sorted where they are not, equals in the file's order.

    `about["unsorted_events"]` then counts the clicks that are earlier than the one before them, but not where
    `falls_explained`: the instrument writes them so. Without `duration_s` it is the time from first to last click.
    """
    falls = int(np.count_nonzero(time_ps[1:] < time_ps[:-1]))
    if falls:
        channel, time_ps = _sorted(channel, time_ps)
        if not falls_explained:
            about["unsorted_events"] = falls
    if not duration_s and len(time_ps):
        duration_s = (int(time_ps[-1]) - int(time_ps[0])) * 1e-12
    return TimeTags(channel, time_ps, origin, float(resolution_ps), float(duration_s), about)


def _sorted(channel: NDArray[np.uint8], time_ps: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Clicks in the order of time. Neighbours change places first: most instruments leave no more than that to do."""
    channel, time_ps = channel.copy(), time_ps.copy()
    for _ in range(8):
        fall = np.flatnonzero(time_ps[1:] < time_ps[:-1])
        if not len(fall):
            return channel, time_ps
        apart = fall[np.diff(fall, prepend=-2) > 1]
        for column in (channel, time_ps):
            column[apart], column[apart + 1] = column[apart + 1], column[apart]
    order = np.argsort(time_ps, kind="stable")
    return channel[order], time_ps[order]


def scaled_ps(count: NDArray[np.int64], step_ps: float) -> NDArray[np.int64]:
    """`count` steps of a clock in ps, exact for a whole `step_ps`, rounded to the nearest ps otherwise.

    >>> scaled_ps(np.array([3, 2**40 + 1]), 81.25).tolist()
    [244, 89335319756881]
    """
    whole = int(step_ps)
    time_ps = count * np.int64(whole)
    if whole != step_ps:
        time_ps += np.rint(count * (step_ps - whole)).astype(np.int64)
    return time_ps


def unrolled(count: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """`(event,)` a counter of `bits` bits without its rollovers: a step back of more than half its range is one.

    A step ahead of more than half is a late click from before the rollover, unless no rollover is there to be
    before: then it is a gap.

    >>> unrolled(np.array([14, 15, 1, 15, 2]), 4).tolist()
    [14, 15, 17, 15, 18]
    """
    if (count[1:] >= count[:-1]).all():
        return count
    step = np.diff(count)
    half = 1 << (bits - 1)
    back, ahead = step < -half, step > half
    if not back.any():
        return count
    rolls = np.cumsum(back.astype(np.int64) - ahead)
    if rolls.min() < 0:
        rolls = np.cumsum(back)
    count = count.copy()
    count[1:] += rolls << bits
    return count


def check_span(path: Path, last_step: int, step_ps: float) -> None:
    """Refuse a record whose times would leave the range."""
    if not abs(last_step) * step_ps < MAX_PS:
        raise InputError(f"`{path}` counts to {last_step} steps of {step_ps:g} ps, which is beyond 2^62 ps.")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside `path` to write under; it becomes `path` when all went well and is removed otherwise."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        _settle(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _settle(part: Path) -> None:
    """Have the file on the disk, with the rights a new file has."""
    mask = os.umask(0)
    os.umask(mask)
    part.chmod(0o666 & ~mask)
    with part.open("rb") as file:
        os.fsync(file.fileno())
