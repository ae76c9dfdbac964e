"""From the relay's tags to announcements: clock, delays, and the place of each click in what the users sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.pulses.bell import Announcements, select
from combmesh.link.pulses.light import DETECTORS
from combmesh.link.timetags.clock import RecoveredClock, recover_clock
from combmesh.link.timetags.delays import find_pattern_offset
from combmesh.link.timetags.tags import TimeTags

FIRST_WINDOW = 1 << 18
LAST_WINDOW = 1 << 23
MOST_SLOTS = 1 << 24
SLICE_CLICKS = 100
DARK = 4.0
"""A slice of clicks that takes so many times longer than the usual one holds no light."""


@dataclass(frozen=True)
class RelayClicks:
    """Clicks of the four detectors, each with the number of Alice's pulse that it belongs to.

    Attributes:
        pulse: `(click,)` never falling.
        detector: `(click,)` 0 to 3 for 1H, 1V, 2H, 2V.
        time_ps: `(click,)` the tags, ps.
        residual_ps: `(click,)` distance from the middle of the pulse, ps.
        clock: the clock they were placed by.
        offset: `(detector,)` pulses between the clock's count and Alice's, delays included.
    """

    pulse: NDArray[np.int64]
    detector: NDArray[np.uint8]
    time_ps: NDArray[np.int64]
    residual_ps: NDArray[np.float64]
    clock: RecoveredClock
    offset: NDArray[np.int64]

    def announcements(self, gate_ps: float, bell_states: int) -> Announcements:
        """Bell states of the clicks inside a gate about the middle of each pulse; with 3, pairs of `EQUAL` too."""
        inside = np.abs(self.residual_ps) <= 0.5 * gate_ps
        return select(self.pulse[inside], self.detector[inside], self.time_ps[inside], bell_states)


def place_clicks(
    tags: TimeTags, channels: tuple[int, ...], period_ps: float, light: NDArray[np.float64], search_pulses: int
) -> RelayClicks:
    """Find the clock of the relay's tags, each detector's delay and the first pulse.

    Args:
        tags: the relay's clicks; other channels are left out.
        channels: those of 1H, 1V, 2H, 2V.
        period_ps: the users' period, ps.
        light: `(pulse,)` Alice's intensities from her first pulse on, as many as wanted.
        search_pulses: farthest the first pulse may be from the first click of light, either way.

    Raises:
        InputError: if a channel has no clicks, no clock is seen, or a channel's clicks do not follow Alice's light.
    """
    detector_of = np.full(256, 255, np.uint8)
    detector_of[list(channels)] = np.arange(4)
    detector = detector_of[tags.channel]
    own = detector < 4
    detector, time_ps = detector[own], tags.time_ps[own]
    for d, name in enumerate(DETECTORS):
        if not np.any(detector == d):
            raise InputError(f"Channel {channels[d]}, which should be {name}, has no clicks; it has {tags.events}.")
    lit = lit_clicks(time_ps)
    clock = recover_clock(TimeTags(detector[lit], time_ps[lit], tags.origin, tags.resolution_ps), period_ps)
    count, residual_ps = clock.pulse_of(time_ps, detector)
    offset = np.array(
        [
            _first_pulse(count[detector == d], light, search_pulses, f"Channel {channels[d]} ({DETECTORS[d]})")
            for d in range(4)
        ]
    )
    pulse = count - offset[detector]
    order = np.argsort(pulse, kind="stable")
    return RelayClicks(pulse[order], detector[order], time_ps[order], residual_ps[order], clock, offset)


def lit_clicks(time_ps: NDArray[np.int64]) -> slice:
    """The clicks without dark ones before the light goes on and after it goes off; all, where nothing tells."""
    slices = time_ps.size // SLICE_CLICKS
    if slices < 10:
        return slice(0, time_ps.size)
    edges = time_ps[: slices * SLICE_CLICKS : SLICE_CLICKS]
    spans = np.diff(np.append(edges, time_ps[slices * SLICE_CLICKS - 1]))
    light = np.flatnonzero(spans <= DARK * np.median(spans))
    first, last = int(light[0]), int(light[-1])
    end = time_ps.size if last == slices - 1 else (last + 1) * SLICE_CLICKS
    return slice(first * SLICE_CLICKS, end)


def user_offset(pulse: NDArray[np.int64], light: NDArray[np.float64], search_pulses: int, user: str) -> int:
    """How many pulses later another user's first one is: the offset at which the clicks follow his light."""
    return _first_pulse(pulse, light, search_pulses, f"The relay's record, beside {user}'s,")


def farthest_search() -> int:
    """Most pulses by which a record may begin before or after the clicks."""
    return (MOST_SLOTS - FIRST_WINDOW) // 2 - 1


def _first_pulse(count: NDArray[np.int64], light: NDArray[np.float64], search: int, what: str) -> int:
    """Number that the clock gives to the first pulse of `light`, in windows that grow until one place stands out."""
    window = min(FIRST_WINDOW, light.size)
    if search > farthest_search():
        raise InputError(f"The search must be at most {farthest_search()} pulses either way, but is {search}.")
    last = min(light.size, LAST_WINDOW, MOST_SLOTS - 2 * search - 2)
    while True:
        slots = 1 << (window + 2 * search + 1).bit_length()
        pattern = np.full(slots, np.nan)
        pattern[:window] = light[:window]
        near = (count >= -search) & (count < window + search)
        found = find_pattern_offset(count[near], pattern) if near.any() else None
        if found is not None and found.significant:
            return found.pulses - slots if found.pulses > slots // 2 else found.pulses
        if window >= last:
            raise InputError(
                f"{what} does not follow the user's light anywhere within {search} pulses of the first click; "
                "look at the channels, or search farther."
            )
        window = min(4 * window, last)
