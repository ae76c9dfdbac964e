"""Schedules: how large the first blocks of each pass are, and how many intervals of a frame are halved at a time.

"fast", the default, has the most bits a second; "efficient" the fewest questions; "few-rounds" the fewest messages.
"""

from dataclasses import dataclass
from math import log, log1p, log2
from typing import Literal, get_args

from combmesh.ground.errors import InputError

LARGEST_BLOCK = 2**15
ScheduleName = Literal["efficient", "fast", "few-rounds"]
SCHEDULE_NAMES: tuple[ScheduleName, ...] = get_args(ScheduleName)


@dataclass(frozen=True)
class Schedule:
    """How a block is cut in frames, and how the odd intervals of a frame are halved once pass 0 is over.

    `most_frame_bits`: frames are no larger. `bits_a_lane`: one interval for so many bits is halved at a time, or a
    fraction 1/share of the odd ones, if that is more. `weighted`: intervals up to this length are halved at half of
    their weight, not of their length. `first`: about $(1-2Q)^{k_1}$ for the blocks of pass 0.
    `second`: errors in a block of pass 1 as expected before pass 0.
    """

    most_frame_bits: int
    bits_a_lane: int
    share: int
    weighted: int
    first: float
    second: float


_SCHEDULES: dict[ScheduleName, Schedule] = {
    "efficient": Schedule(2**20, 2**15, 16, 512, 0.14, 5.0),
    "fast": Schedule(2**17, 4096, 8, 16, 0.14, 4.35),
    "few-rounds": Schedule(2**20, 700, 2, 512, 0.18, 3.5),
}


def schedule_named(name: ScheduleName) -> Schedule:
    """The schedule of this name."""
    if name not in _SCHEDULES:
        raise InputError(f"`schedule` must be one of {', '.join(SCHEDULE_NAMES)}, but is {name!r}.")
    return _SCHEDULES[name]


def block_sizes(frame_bits: int, planned_qber: float, schedule: Schedule) -> tuple[int, int, int]:
    """Sizes of the first blocks in layers 0, 1 and 2, at most `frame_bits`; the first one is a power of two.

    >>> fast = schedule_named("fast")
    >>> block_sizes(100_032, 0.017, fast), block_sizes(100_032, 0.03, fast), block_sizes(100_032, 0.05, fast)
    ((64, 256, 8192), (32, 145, 8192), (16, 87, 8192))
    """
    k1 = k2 = LARGEST_BLOCK
    if planned_qber > 0:
        k1 = min(k1, max(2, 2 ** round(log2(log(schedule.first) / log1p(-2 * planned_qber)))))
        k2 = min(k2, max(2 * k1, round(schedule.second / planned_qber)))
    k3 = max(k2, min(LARGEST_BLOCK // 2, 2 ** int(log2(max(frame_bits / 8, 1)))))
    return min(k1, frame_bits), min(k2, frame_bits), min(k3, frame_bits)
