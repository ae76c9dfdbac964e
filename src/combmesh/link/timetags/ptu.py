"""PicoQuant's PTU files: every record type in T2 and T3 mode; T2 written."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import check_span, clicks, read_records, replaced, scaled_ps
from combmesh.link.timetags.ptu_header import read_header, write_header
from combmesh.link.timetags.ptu_records import LAYOUTS, SYNC_CHANNEL, Layout, take_apart
from combmesh.link.timetags.tags import TimeTags

_PIECE = 1 << 18  # records at a time, so that a piece stays in the cache
_WRITTEN_TYPE = 0x00010207
_WRAP_BITS = 25


def read_ptu(path: Path) -> TimeTags:
    r"""Clicks of a PTU file.

    T2: $t = n\,\Delta$ with $\Delta$ the header's `MeasDesc_GlobalResolution`. T3: $t = n_\mathrm{sync}\,T + d\,\delta$
    with the sync period $T$ = `MeasDesc_GlobalResolution` and $\delta$ = `MeasDesc_Resolution`; rounded to whole ps.

    `about` has the header's tags by their own names, and: `records`, those present; `missing_records` or
    `undeclared_records`, where the header says another number (all that are present are read); `truncated_bytes` of a
    cut last record; `markers`, records of each marker input, apart from the clicks; `unknown_records`, which are
    neither click, marker nor overflow and are left out. In T3 clicks stand in the order of their sync pulses and are
    sorted by time; any other disorder is sorted and counted in `unsorted_events`.

    Raises InputError for a file that is no PTU file, a cut header, a header without a needed tag or with a value that
    cannot be, a record type that is not known, and times beyond 2^62 ps.
    """
    about, start = read_header(path)
    layout = _layout(path, about)
    step_ps = _step_ps(path, about, "MeasDesc_GlobalResolution")
    dtime_ps = _step_ps(path, about, "MeasDesc_Resolution") if layout.mode == 3 else 0.0
    records, cut = read_records(path, "<u4", start)
    _note_numbers(about, len(records), cut)
    decoder = _Decoder(path, layout, step_ps, dtime_ps)
    channel, time_ps, explained = decoder.decode(records)
    about["markers"] = {str(line + 1): int(number) for line, number in enumerate(decoder.markers) if number}
    if decoder.unknown:
        about["unknown_records"] = decoder.unknown
    return clicks(
        channel,
        time_ps,
        "ptu",
        about,
        resolution_ps=dtime_ps or step_ps,
        duration_s=_duration_s(about, decoder),
        falls_explained=explained,
    )


class _Decoder:
    """Takes the records piece by piece and keeps what goes on from one piece to the next."""

    def __init__(self, path: Path, layout: Layout, step_ps: float, dtime_ps: float) -> None:
        self.path, self.layout, self.step_ps, self.dtime_ps = path, layout, step_ps, dtime_ps
        self.wraps = 0
        self.last_step = 0
        self.unknown = 0
        self.markers = np.zeros(4, np.int64)

    def decode(self, records: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
        """`(event,)` channels and times, and whether they are a T3 file's in the order of the sync pulses."""
        channel = np.empty(len(records), np.uint8)
        time_ps = np.empty(len(records), np.int64)
        filled, explained, last = 0, self.layout.mode == 3, -1
        for start in range(0, len(records), _PIECE):
            piece_channel, step, piece_ps = self._piece(records[start : start + _PIECE])
            end = filled + len(step)
            channel[filled:end], time_ps[filled:end] = piece_channel, piece_ps
            if explained and len(step):
                explained = int(step[0]) >= last and bool((step[1:] >= step[:-1]).all())
                last = int(step[-1])
            filled = end
        return channel[:filled], time_ps[:filled], explained

    def _piece(self, records: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        parts = take_apart(records, self.layout)
        before = self.wraps
        self.wraps += int(parts.overflows.sum())
        check_span(self.path, (self.wraps + 1) * self.layout.wrap, self.step_ps)
        step = parts.count.astype(np.int64)
        if len(parts.overflow):
            wraps = np.zeros(len(records), np.int64)
            wraps[parts.overflow] = parts.overflows * self.layout.wrap
            step += np.cumsum(wraps)
        step += before * self.layout.wrap
        self.last_step = max(self.last_step, self.wraps * self.layout.wrap)
        self.unknown += parts.unknown
        for line in range(4):
            self.markers[line] += np.count_nonzero(parts.markers >> line & 1)
        kept: Any = slice(None) if parts.click.all() else parts.click
        dtime = None if parts.dtime is None else parts.dtime[kept]
        step = step[kept]
        if len(step):
            self.last_step = max(self.last_step, int(step[-1]))
        return parts.channel[kept], step, self._time_ps(step, dtime)

    def _time_ps(self, step: NDArray[np.int64], dtime: NDArray[np.uint32] | None) -> NDArray[np.int64]:
        if dtime is None:
            return scaled_ps(step, self.step_ps)
        whole = int(self.step_ps)
        rest = step * (self.step_ps - whole) + dtime * self.dtime_ps
        return step * whole + np.rint(rest).astype(np.int64)


def write_ptu(path: Path, tags: TimeTags) -> None:
    """Write clicks as T2 records of the MultiHarp type in steps of 1 ps; raises InputError where they do not fit."""
    if len(tags.time_ps) and int(tags.time_ps[0]) < 0:
        raise InputError(f"`{path}` cannot hold the time {int(tags.time_ps[0])} ps: a PTU file begins at 0.")
    sync = tags.channel == SYNC_CHANNEL
    if len(bad := tags.channel[(tags.channel > 62) & ~sync]):
        raise InputError(f"`{path}` cannot hold the channel {bad[0]}: a PTU file has inputs 0 to 62 and the sync, 64.")
    records = _t2_records(tags, sync)
    header = write_header(
        {
            "CreatorSW_Name": "combmesh",
            "Measurement_Mode": 2,
            "Measurement_SubMode": 0,
            "TTResultFormat_TTTRRecType": _WRITTEN_TYPE,
            "TTResultFormat_BitsPerRecord": 32,
            "MeasDesc_GlobalResolution": 1e-12,
            "MeasDesc_Resolution": 1e-12,
            "TTResult_StopAfter": math.ceil(tags.duration_s * 1e3),
            "TTResult_NumberOfRecords": len(records),
        }
    )
    with replaced(path) as part, part.open("wb") as file:
        file.write(header)
        records.tofile(file)


def _t2_records(tags: TimeTags, sync: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """The clicks `(event,)` with as many overflow records before each as its time needs."""
    most = (1 << _WRAP_BITS) - 1
    wraps = np.diff(tags.time_ps >> _WRAP_BITS, prepend=0)
    needed = -(-wraps // most)
    place = np.arange(len(wraps)) + np.cumsum(needed)
    records = np.full(len(wraps) + int(needed.sum()), 0xFE000000 | most, "<u4")
    last = needed > 0
    records[place[last] - 1] = 0xFE000000 | (wraps - (needed - 1) * most)[last].astype(np.uint32)
    inputs = np.where(sync, 64, tags.channel).astype(np.uint32)
    records[place] = inputs << _WRAP_BITS | (tags.time_ps & most).astype(np.uint32)
    return records


def _layout(path: Path, about: dict[str, Any]) -> Layout:
    kind = about.get("TTResultFormat_TTTRRecType")
    if kind is None:
        raise InputError(f"The header of `{path}` does not say `TTResultFormat_TTTRRecType`, the type of its records.")
    if kind not in LAYOUTS:
        raise InputError(f"`{path}` has records of the type 0x{int(kind) & 0xFFFFFFFF:08X}, which is not known.")
    if (bits := about.get("TTResultFormat_BitsPerRecord", 32)) != 32:
        raise InputError(f"`{path}` has records of {bits} bits; those of 32 bits are known.")
    return LAYOUTS[kind]


def _step_ps(path: Path, about: dict[str, Any], name: str) -> float:
    """A resolution of the header in ps; a whole number but for rounding becomes that number."""
    value = about.get(name)
    if value is None:
        raise InputError(f"The header of `{path}` does not say `{name}`.")
    if not isinstance(value, float) or not 0 < value < 1:
        raise InputError(f"In the header of `{path}` `{name}` must be between 0 and 1 s, but is {value}.")
    step_ps = value * 1e12
    near = round(step_ps)
    return float(near) if abs(step_ps - near) <= 1e-14 * step_ps else step_ps


def _note_numbers(about: dict[str, Any], present: int, cut: int) -> None:
    declared = about.get("TTResult_NumberOfRecords")
    about["records"] = present
    if isinstance(declared, int) and declared > present:
        about["missing_records"] = declared - present
    if isinstance(declared, int) and 0 <= declared < present:
        about["undeclared_records"] = present - declared
    if cut:
        about["truncated_bytes"] = cut


def _duration_s(about: dict[str, Any], decoder: _Decoder) -> float:
    """What the header says the measurement took; for a cut file the time of its last record, s."""
    stop_ms = about.get("TTResult_StopAfter")
    if isinstance(stop_ms, int | float) and stop_ms > 0 and "missing_records" not in about:
        return float(stop_ms) * 1e-3
    return decoder.last_step * decoder.step_ps * 1e-12
