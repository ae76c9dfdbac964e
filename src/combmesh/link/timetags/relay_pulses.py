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
        """Bell states of the clicks inside a gate about the middle of each pulse."""
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
        search_pulses: farthest the first pulse may be from the first click, either way.

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
    clock = recover_clock(TimeTags(detector, time_ps, tags.origin, tags.resolution_ps), period_ps)
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


def user_offset(pulse: NDArray[np.int64], light: NDArray[np.float64], search_pulses: int, user: str) -> int:
    """How many pulses later another user's first one is: the offset at which the clicks follow his light."""
    return _first_pulse(pulse, light, search_pulses, f"The relay's record, beside {user}'s,")


def _first_pulse(count: NDArray[np.int64], light: NDArray[np.float64], search: int, what: str) -> int:
    """Number that the clock gives to the first pulse of `light`, in windows that grow until one place stands out."""
    window = FIRST_WINDOW
    while True:
        window = min(window, light.size)
        slots = 1 << int(np.ceil(np.log2(window + 2 * search + 2)))
        if slots > MOST_SLOTS:
            raise InputError(f"`search` must be at most {(MOST_SLOTS - window) // 2} pulses, but is {search}.")
        pattern = np.full(slots, np.nan)
        pattern[:window] = light[:window]
        near = (count >= -search) & (count < window + search)
        found = find_pattern_offset(count[near], pattern) if near.any() else None
        if found is not None and found.significant:
            return found.pulses - slots if found.pulses > slots // 2 else found.pulses
        if window >= min(light.size, LAST_WINDOW):
            raise InputError(
                f"{what} does not follow the user's light anywhere within {search} pulses of the first click; "
                "look at the channels, or search farther."
            )
        window *= 4
