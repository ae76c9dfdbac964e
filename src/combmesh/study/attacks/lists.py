"""Lists of announcements: how Eve may publish them, and what the users accept."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALTERED = 0.01
"""Share of the announcements that are missing in Bob's list, and of those with the other state."""


class AnnouncedList(NamedTuple):
    """Announcements as one user receives them."""

    pulse: NDArray[np.int64]  # (announcement,)
    state: NDArray[np.int8]  # (announcement,)


def same_list(true: AnnouncedList, rng: np.random.Generator) -> tuple[AnnouncedList, AnnouncedList]:
    """Both users get one list."""
    return true, true


def replayed(true: AnnouncedList, rng: np.random.Generator) -> tuple[AnnouncedList, AnnouncedList]:
    """Every announcement twice: half of the second ones at once, the others at the end, with a random state."""
    again = rng.integers(0, 2, true.state.size, np.int8)
    pulse, state = np.repeat(true.pulse, 2), np.column_stack([true.state, again]).ravel()
    late = np.zeros(pulse.size, np.bool_)
    late[1::2] = rng.random(true.pulse.size) < 0.5
    order = np.argsort(late, kind="stable")
    both = AnnouncedList(pulse[order], state[order])
    return both, both


def two_lists(true: AnnouncedList, rng: np.random.Generator) -> tuple[AnnouncedList, AnnouncedList]:
    """Bob's list lacks some announcements, and some have the other state."""
    draw = rng.random(true.pulse.size)
    state = np.where(draw > 1.0 - ALTERED, 1 - true.state, true.state).astype(np.int8)
    kept = draw >= ALTERED
    return true, AnnouncedList(true.pulse[kept], state[kept])


def accepted(received: AnnouncedList, pulses: range) -> AnnouncedList:
    """What a user takes: the first announcement of each pulse that was sent, in the order of pulses."""
    inside = (received.pulse >= pulses.start) & (received.pulse < pulses.stop)
    pulse, first = np.unique(received.pulse[inside], return_index=True)
    return AnnouncedList(pulse, received.state[inside][first])
