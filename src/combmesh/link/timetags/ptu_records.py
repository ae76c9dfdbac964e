"""The records of PicoQuant's instruments, 32 bits each, taken apart.

Facts of the layouts from PicoQuant's public demos (github PicoQuant/PicoQuant-Time-Tagged-File-Format-Demos), checked
against PyPI ptufile in the tests.

    PicoHarp T2    channel 4 bits (15: special), time 28; a special one with the low 4 bits 0 is an overflow, else these
                   are the markers
    PicoHarp T3    channel 4 bits (15: special), dtime 12, sync count 16; a special one with dtime 0 is an overflow
    the others T2  special 1 bit, channel 6 bits, time 25
    the others T3  special 1 bit, channel 6 bits, dtime 15, sync count 10
                   special ones: channel 63 overflow, 1 to 15 markers, 0 (T2) a click of the sync input; an overflow
                   record says how many overflows it stands for, not in HydraHarp's first version

A channel is the number in the record: inputs count from 0, but from 1 in PicoHarp T3; the sync input is 64.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SYNC_CHANNEL = 64
_LOW = [np.uint32((1 << bits) - 1) for bits in range(32)]  # masks


@dataclass(frozen=True)
class Layout:
    """How one type of record is laid out.

    Attributes:
        instrument: whose records.
        mode: 2, time since the start; 3, number of the sync pulse and time since that pulse.
        wrap: steps of the counter that one overflow stands for.
        counted: an overflow record says how many overflows it stands for.
        picoharp: the layout of PicoHarp 300.
    """

    instrument: str
    mode: int
    wrap: int
    counted: bool = True
    picoharp: bool = False


LAYOUTS = {
    0x00010203: Layout("PicoHarp 300", 2, 210698240, picoharp=True),
    0x00010303: Layout("PicoHarp 300", 3, 1 << 16, picoharp=True),
    0x00010204: Layout("HydraHarp 400 version 1", 2, 33552000, counted=False),
    0x00010304: Layout("HydraHarp 400 version 1", 3, 1 << 10, counted=False),
    0x01010204: Layout("HydraHarp 400", 2, 1 << 25),
    0x01010304: Layout("HydraHarp 400", 3, 1 << 10),
    0x00010205: Layout("TimeHarp 260 N", 2, 1 << 25),
    0x00010305: Layout("TimeHarp 260 N", 3, 1 << 10),
    0x00010206: Layout("TimeHarp 260 P", 2, 1 << 25),
    0x00010306: Layout("TimeHarp 260 P", 3, 1 << 10),
    0x00010207: Layout("MultiHarp, PicoHarp 330", 2, 1 << 25),
    0x00010307: Layout("MultiHarp, PicoHarp 330", 3, 1 << 10),
}


@dataclass(frozen=True)
class Parts:
    """A piece of records taken apart; places are indices into the piece.

    Attributes:
        channel: `(record,)` channel, meaningful where `click`.
        count: `(record,)` time, or number of the sync pulse, since the last overflow, steps.
        dtime: `(record,)` time since the sync pulse, steps; None in T2.
        click: `(record,)` whether the record is one.
        overflow: `(overflow,)` places of the overflow records.
        overflows: `(overflow,)` how many each stands for.
        markers: `(marker,)` the 4 bits of each marker record.
        unknown: how many records are none of these.
    """

    channel: NDArray[np.uint8]
    count: NDArray[np.uint32]
    dtime: NDArray[np.uint32] | None
    click: NDArray[np.bool_]
    overflow: NDArray[np.intp]
    overflows: NDArray[np.int64]
    markers: NDArray[np.uint32]
    unknown: int


def take_apart(records: NDArray[np.uint32], layout: Layout) -> Parts:
    """The parts of a piece of records `(record,)`."""
    return _picoharp(records, layout) if layout.picoharp else _general(records, layout)


def _general(records: NDArray[np.uint32], layout: Layout) -> Parts:
    channel = (records >> np.uint32(25)).astype(np.uint8)
    click = channel < 64
    count, dtime = records & _LOW[25], None
    if layout.mode == 3:
        count, dtime = records & _LOW[10], records >> np.uint32(10) & _LOW[15]
    special = np.flatnonzero(~click)
    kind = channel[special] & 63
    overflow = special[kind == 63]
    marker = special[(kind >= 1) & (kind <= 15)]
    sync = special[kind == 0] if layout.mode == 2 else special[:0]
    click[sync] = True
    channel[sync] = SYNC_CHANNEL
    overflows = np.ones(len(overflow), np.int64)
    if layout.counted:
        overflows = np.maximum(count[overflow], 1).astype(np.int64)  # 0: a single one, written the old way
    unknown = len(special) - len(overflow) - len(marker) - len(sync)
    markers = (channel[marker] & 15).astype(np.uint32)
    return Parts(channel, count, dtime, click, overflow, overflows, markers, unknown)


def _picoharp(records: NDArray[np.uint32], layout: Layout) -> Parts:
    channel = (records >> np.uint32(28)).astype(np.uint8)
    special = np.flatnonzero(channel == 15)
    if layout.mode == 2:
        count, dtime = records & _LOW[28], None
        click, bits = channel <= 4, records[special] & _LOW[4]
        plain = bits == 0
    else:
        count, dtime = records & _LOW[16], records >> np.uint32(16) & _LOW[12]
        click, bits = (channel >= 1) & (channel <= 4), dtime[special] & _LOW[4]
        plain = dtime[special] == 0
    overflow = special[plain]
    unknown = len(records) - int(np.count_nonzero(click)) - len(special)
    return Parts(channel, count, dtime, click, overflow, np.ones(len(overflow), np.int64), bits[~plain], unknown)
