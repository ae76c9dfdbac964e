"""Bell-state selection: exactly two detectors click in a gate, one of each polarization."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.link.pulses.detectors import Clicks, Receiver, gates_of

PSI_MINUS, PSI_PLUS, EQUAL = 0, 1, 2
BELL_STATES = ("psi-minus", "psi-plus")

_STATE = np.full(16, -1, np.int8)  # by the set of detectors that clicked, bit d for detector d of 1H, 1V, 2H, 2V
_STATE[[0b1001, 0b0110]] = PSI_MINUS  # 1H with 2V, 1V with 2H
_STATE[[0b0011, 0b1100]] = PSI_PLUS  # 1H with 1V, 2H with 2V
_STATE[[0b0101, 0b1010]] = EQUAL  # 1H with 2H, 1V with 2V: no Bell state, but tells whether detectors are exchanged


class Announcements(NamedTuple):
    """What the relay says in public."""

    pulse: NDArray[np.int64]  # (announcement,)
    state: NDArray[np.int8]  # (announcement,) PSI_MINUS or PSI_PLUS
    time_ps: NDArray[np.int64]  # (announcement,) of the first of the two clicks


def announce(clicks: Clicks, receiver: Receiver, bell_states: int) -> Announcements:
    """The Bell states seen in sorted clicks; with `bell_states` 1 only psi-minus is announced."""
    pulse = gates_of(clicks.time_ps, receiver.period_ps, receiver.gate_ps)
    inside = pulse >= 0
    return select(pulse[inside], clicks.detector[inside], clicks.time_ps[inside], bell_states)


def select(
    pulse: NDArray[np.int64], detector: NDArray[np.uint8], time_ps: NDArray[np.int64], bell_states: int
) -> Announcements:
    """The Bell states in clicks `(click,)` whose pulses are known and never fall; with 3, pairs of `EQUAL` too."""
    room = pulse.size // 2
    out = Announcements(np.empty(room, np.int64), np.empty(room, np.int8), np.empty(room, np.int64))
    found = _select(pulse, detector, time_ps, bell_states, out)
    return Announcements(out.pulse[:found], out.state[:found], out.time_ps[:found])


@kernel
def _select(
    pulse: NDArray[np.int64],
    detector: NDArray[np.uint8],
    time_ps: NDArray[np.int64],
    states: int,
    out: Announcements,
) -> int:
    found, begin = 0, 0
    while begin < pulse.size:
        seen, end = 0, begin
        while end < pulse.size and pulse[end] == pulse[begin]:
            seen |= 1 << detector[end]
            end += 1
        state = _STATE[seen]
        if 0 <= state < states:
            out.pulse[found], out.state[found], out.time_ps[found] = pulse[begin], state, time_ps[begin]
            found += 1
        begin = end
    return found
