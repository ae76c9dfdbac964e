"""Time tags of qutools' quTAG and quTAU as their software writes them: binary, with and without a header.

Facts of the layout from the public header `tdcbase.h` of the quTAG library (github fluorine21/quantum_time_sync) and
the quTAU manual 4.0: a header of 40 bytes for the maker's own use (none in the "raw" format), then records of 10 bytes,
little-endian: 8 of time in steps of the clock, 2 of channel. Channels count from 0 here and from 1 in the text export,
which `text.py` reads; from 100 on they are markers, 104 a tick each ms. The step is 1 ps for quTAG and about 81 ps for
quTAU; the file does not say it.

The compressed format is not read: its 37 bits of time roll over each 0.14 s at 1 ps, more than once between two rare
clicks, and where its bits stand is not published.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import MAX_PS, check_span, clicks, read_records, scaled_ps
from combmesh.link.timetags.tags import TimeTags

HEADER_BYTES = 40
MARKERS = 100
_RECORD = [("time", "<i8"), ("channel", "<u2")]
_RECORD_BYTES = 10


def read_qutag(path: Path, header_bytes: int, step_ps: float | None = None) -> TimeTags:
    """Clicks of a binary quTAG file; `step_ps` is the step of its clock, 1 ps where it is not given.

    `about` has: `markers`, records of each marker, apart from the clicks; `truncated_bytes` of a cut last record;
    `unsorted_events`; and `assumed`, if the step was. Raises InputError for a cut header and for channels that no
    instrument of the maker has.
    """
    about: dict[str, Any] = {} if step_ps else {"assumed": "one step of the clock is 1 ps"}
    step_ps = step_ps or 1.0
    if (size := path.stat().st_size) < header_bytes:
        raise InputError(f"The header of `{path}` is cut: it has {size} bytes instead of {header_bytes}.")
    records, cut = read_records(path, _RECORD, header_bytes)
    if cut:
        about["truncated_bytes"] = cut
    channel, count = split_markers(records["channel"].astype(np.int64), records["time"], about)
    if len(bad := channel[~known_channel(channel)]):
        raise InputError(f"`{path}` names the channel {bad[0]}, which no quTAG has: it is no such file or is damaged.")
    if len(count):
        check_span(path, int(max(count.max(), -count.min())), step_ps)
    time_ps = scaled_ps(count, step_ps)
    return clicks(channel.astype(np.uint8), time_ps, "qutag", about, resolution_ps=step_ps)


def split_markers(
    channel: NDArray[np.int64], time: NDArray[np.int64], about: dict[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The clicks alone; markers are counted in `about`."""
    marker = is_marker(channel)
    if not marker.any():
        return channel, np.ascontiguousarray(time)
    number = np.bincount(channel[marker])
    about["markers"] = {str(line): int(number[line]) for line in np.flatnonzero(number)}
    return channel[~marker], time[~marker]


def is_marker(channel: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a channel number is a marker's: 100 to 109 rising, 200 to 209 falling."""
    marker: NDArray[np.bool_] = ((channel >= 100) & (channel < 110)) | ((channel >= 200) & (channel < 210))
    return marker


def known_channel(channel: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a channel number is an input's; 20 is the highest of synchronised devices."""
    known: NDArray[np.bool_] = (channel >= 0) & (channel <= 20)
    return known


def looks_like(data: bytes) -> str | None:
    """`qutag` or `qutag-raw` if the first bytes of a file can only be its records, None otherwise.

    Every channel must be one that is; times must rise and hardly ever fall; at least 2 records are asked for.
    """
    if _plausible(data) and data[:HEADER_BYTES].strip(b"\0"):
        return "qutag-raw"
    return "qutag" if _plausible(data[HEADER_BYTES:]) else None


def _plausible(data: bytes) -> bool:
    records = np.frombuffer(data[: len(data) // _RECORD_BYTES * _RECORD_BYTES], _RECORD)
    if len(records) < 2:
        return False
    channel, time = records["channel"].astype(np.int64), records["time"]
    falls = np.count_nonzero(time[1:] < time[:-1])
    inside = 0 <= int(time.min()) < int(time.max()) < MAX_PS
    return bool(inside and (known_channel(channel) | is_marker(channel)).all() and falls <= 0.02 * len(time))
