"""Time tags as text: two columns, with or without a header that names them."""

import re
import warnings
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import MAX_PS, clicks, read_bytes, replaced, scaled_ps
from combmesh.link.timetags.qutag import split_markers
from combmesh.link.timetags.tags import TimeTags

_UNITS_PS = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}
_TIME_NAMES = {f"time_{unit}": scale for unit, scale in _UNITS_PS.items()}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_EXACT_PS = 2**51  # a decimal number of this many ps is still right to the ps as a float


@dataclass(frozen=True)
class _Columns:
    """Where the numbers stand: columns, their separator (None: white space), lines before them, ps of a unit."""

    channel: int
    time: int
    separator: str | None
    skip: int
    unit_ps: int
    origin: str


def read_text_tags(path: Path, step_ps: float | None = None, qutag: bool = False) -> TimeTags:
    """Clicks of a text file of two columns or more, separated by commas, semicolons, tabs or spaces.

    A header names the columns `channel` and `time_ps`, or `time_ns`, `time_us`, `time_ms`, `time_s`, in any order;
    others are left out. Without a header the two columns are told apart by their numbers; time before channel,
    separated by commas, is quTAG's export: steps of the clock of `step_ps`, 1 ps where it is not given, and channels
    from 1. Lines that begin with `#` are comments. Whole numbers are exact up to 2^62 ps, decimal ones are rounded to
    the nearest ps.

    `about` has: `columns`, all names of the header; `markers` of quTAG; `assumed`, where the step was; `unended_line`,
    where the last line has no end: `"left out"` if it lacks a column or is earlier than the line before it, `"kept"`
    otherwise; `unsorted_events`.

    Raises InputError for a header without channel or time, a line that is not numbers, a channel outside 0 to 255 and
    times beyond 2^62 ps.
    """
    about: dict[str, Any] = {}
    lines = _decoded(path).splitlines()
    columns = _columns(path, lines, about, qutag)
    if columns is None:
        return clicks(np.zeros(0, np.uint8), np.zeros(0, np.int64), "csv", about)
    if step_ps and columns.skip and columns.origin == "csv":
        raise InputError(f"`{path}` names the unit of its times in its header; a step of {step_ps} ps cannot be given.")
    unended = len(lines) > columns.skip and read_bytes(path, 1, path.stat().st_size - 1) not in (b"\r", b"\n")
    if unended and not _whole(lines[-1], columns):
        lines.pop()
        about["unended_line"] = "left out"
    channel, time_ps = _numbers(path, lines, columns, step_ps)
    if unended and "unended_line" not in about:
        left_out = len(time_ps) > 1 and time_ps[-1] < time_ps[-2]
        about["unended_line"] = "left out" if left_out else "kept"
        channel, time_ps = (channel[:-1], time_ps[:-1]) if left_out else (channel, time_ps)
    if columns.origin == "qutag-ascii":
        channel, time_ps = split_markers(channel, time_ps, about)
    if not columns.skip and not step_ps:
        about["assumed"] = "one step of the clock is 1 ps"
    if len(channel) and not (channel.min() >= 0 and channel.max() <= 255):
        bad = channel[(channel < 0) | (channel > 255)][0]
        raise InputError(f"`{path}` names the channel {bad}; channels are 0 to 255.")
    return clicks(channel.astype(np.uint8), time_ps, columns.origin, about, resolution_ps=step_ps or columns.unit_ps)


def write_csv(path: Path, tags: TimeTags) -> None:
    """Write `channel,time_ps` with a header, a million lines at a time."""
    with replaced(path) as part, part.open("w", encoding="ascii", newline="\n") as file:
        file.write("channel,time_ps\n")
        for start in range(0, len(tags.channel), 1_000_000):
            piece = slice(start, start + 1_000_000)
            pairs = zip(tags.channel[piece].tolist(), tags.time_ps[piece].tolist(), strict=True)
            file.write("".join(f"{channel},{time_ps}\n" for channel, time_ps in pairs))


def _decoded(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not a text file: {error}.") from error


def _split(line: str, separator: str | None) -> list[str]:
    return [field.strip().strip('"') for field in line.split(separator)] if line.strip() else []


def _columns(path: Path, lines: list[str], about: dict[str, Any], qutag: bool) -> _Columns | None:
    """Where the numbers stand; None if there is no line."""
    skip = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skip is None:
        return None
    separator = next((mark for mark in ",;\t" if mark in lines[skip]), None)
    names = _split(lines[skip], separator)
    if all(_NUMBER.match(name) for name in names):
        return _without_header(path, lines[skip:], separator, qutag)
    about["columns"] = names
    lower = [name.lower() for name in names]
    times = [i for i, name in enumerate(lower) if name in _TIME_NAMES]
    if "channel" not in lower or not times:
        wanted = "`channel` and one of `time_ps`, `time_ns`, `time_us`, `time_ms`, `time_s`"
        raise InputError(f"`{path}` must name {wanted} in its first line, but has {', '.join(names)[:80]!r}.")
    return _Columns(lower.index("channel"), times[0], separator, skip + 1, _TIME_NAMES[lower[times[0]]], "csv")


def _without_header(path: Path, lines: list[str], separator: str | None, qutag: bool) -> _Columns:
    sample = [fields for line in lines[:1000] if len(fields := _split(line, separator)) == 2]
    try:
        first, second = np.array([[int(field) for field in fields] for fields in sample], object).T
    except (ValueError, TypeError) as error:
        raise InputError(f"`{path}` has no header; its lines must then be two whole numbers.") from error
    if qutag:
        return _Columns(1, 0, separator, 0, 1, "qutag-ascii")
    time_first, time_second = _time_and_channel(first, second), _time_and_channel(second, first)
    if time_first == time_second:
        raise InputError(
            f"`{path}` does not show which column is the channel; write `channel,time_ps` in a first line."
        )
    if time_first:
        return _Columns(1, 0, separator, 0, 1, "qutag-ascii" if separator == "," else "csv")
    return _Columns(0, 1, separator, 0, 1, "csv")


def _time_and_channel(time: NDArray[Any], channel: NDArray[Any]) -> bool:
    falls = np.count_nonzero(time[1:] < time[:-1])
    return bool(falls <= 0.02 * len(time) and channel.min() >= 0 and channel.max() <= 255)


def _numbers(
    path: Path, lines: list[str], columns: _Columns, step_ps: float | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`(event,)` channels and times in ps, in the file's order."""
    try:
        both = _loaded(lines, columns, np.int64, None)
    except (ValueError, OverflowError, DeprecationWarning):
        return _decimal_numbers(path, lines, columns)
    channel, time = both[:, 0], both[:, 1]
    scale = step_ps or columns.unit_ps
    if len(time) and max(int(time.max()), -int(time.min())) * scale > MAX_PS:
        raise InputError(f"`{path}` has times beyond 2^62 ps.")
    return channel, scaled_ps(time, scale)


def _decimal_numbers(path: Path, lines: list[str], columns: _Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _check_lines(path, lines, columns)
    if not columns.skip:
        raise InputError(f"`{path}` has no header; its lines must then be whole numbers below 2^63.")
    try:
        both = _loaded(lines, columns, np.float64, None)
    except ValueError as error:
        raise InputError(f"`{path}` cannot be read: {error}.") from error
    channel, time_ps = both[:, 0], both[:, 1] * columns.unit_ps
    if not (channel == np.rint(channel)).all():
        raise InputError(f"`{path}` names the channel {channel[channel != np.rint(channel)][0]:g}; channels are whole.")
    largest = float(np.abs(time_ps).max())
    if not largest <= MAX_PS:
        raise InputError(f"`{path}` has times beyond 2^62 ps.")
    if largest < _EXACT_PS:
        return channel.astype(np.int64), np.rint(time_ps).astype(np.int64)

    def exact(field: str) -> Any:
        return int((Decimal(field.strip('" ')) * columns.unit_ps).to_integral_value(ROUND_HALF_EVEN))

    exactly = _loaded(lines, columns, np.int64, {columns.time: exact, columns.channel: lambda field: int(float(field))})
    return exactly[:, 0], exactly[:, 1]


def _loaded(lines: list[str], columns: _Columns, dtype: type, converters: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        return np.loadtxt(
            lines,
            dtype,
            delimiter=columns.separator,
            skiprows=columns.skip,
            usecols=(columns.channel, columns.time),
            converters=converters,
            quotechar='"',
            ndmin=2,
        )


def _check_lines(path: Path, lines: list[str], columns: _Columns) -> None:
    """Refuse the first line that is not numbers where they must be."""
    for i, line in enumerate(lines[columns.skip :], columns.skip + 1):
        fields = _split(line.split("#")[0], columns.separator)
        if fields and not _whole(line, columns):
            raise InputError(f"Line {i} of `{path}` must have a channel and a time, but is {line[:60]!r}.")


def _whole(line: str, columns: _Columns) -> bool:
    """Whether a line has a number for the channel and one for the time."""
    fields = _split(line.split("#")[0], columns.separator)
    wanted = (columns.channel, columns.time)
    return max(wanted) < len(fields) and all(_NUMBER.match(fields[column]) for column in wanted)
