"""Four threshold detectors: which photons and dark counts are registered, one stream of clicks through all blocks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.link.pulses.periods import pulse_at
from combmesh.link.relay import Link

_LONG_AGO = -(1 << 62)


class Receiver(NamedTuple):
    """The relay's detectors as the kernels take them."""

    dead_ps: int
    most_clicks: float  # of one detector a second
    period_ps: float
    gate_ps: float


def receiver_of(link: Link) -> Receiver:
    """The detectors of a link."""
    ceiling = link.relay.max_count_rate_hz
    dead_ps = round(link.relay.dead_time_ns * 1e3)
    return Receiver(dead_ps, np.inf if ceiling is None else ceiling, link.period_ps, link.gate_ps)


class Clicks(NamedTuple):
    """Clicks in the order of time."""

    time_ps: NDArray[np.int64]  # (click,)
    detector: NDArray[np.uint8]  # (click,)


class Detectors:
    """The state of four detectors between two blocks of pulses.

    A detector that clicks is dead for a while, whatever falls on it (non-paralysable). A ceiling of its count rate
    drops clicks at random, as many as the four have too many in a block.

    Attributes:
        settled: whether the state can no longer depend on what was before `start_ps`: every detector has since had a
            pause as long as its dead time.
    """

    def __init__(self, receiver: Receiver, start_ps: int, unseen_ps: int = 0) -> None:
        """At `start_ps`; clicks that stray over from before may be missing for another `unseen_ps`."""
        self.receiver = receiver
        self._start_ps = start_ps
        self._clicked = np.full(4, _LONG_AGO, np.int64)
        self._arrived = np.full(4, start_ps + unseen_ps, np.int64)
        self._paused = np.zeros(4, np.bool_)
        self._waiting = Clicks(np.empty(0, np.int64), np.empty(0, np.uint8))

    @property
    def settled(self) -> bool:
        return bool(self._paused.all())

    def register(self, arrived: Clicks, end_ps: int, rng: np.random.Generator) -> Clicks:
        """What is registered before `end_ps`; later arrivals wait for those of the next block."""
        time_ps = np.concatenate([self._waiting.time_ps, arrived.time_ps])
        detector = np.concatenate([self._waiting.detector, arrived.detector])
        nearly_sort(time_ps, detector)
        ready = int(np.searchsorted(time_ps, np.int64(end_ps)))
        self._waiting = Clicks(time_ps[ready:].copy(), detector[ready:].copy())
        time_ps, detector = time_ps[:ready], detector[:ready]
        kept = np.empty(ready, np.bool_)
        free = _register(time_ps, detector, self.receiver.dead_ps, self._clicked, self._arrived, self._paused, kept)
        most = 4.0 * self.receiver.most_clicks * (end_ps - self._start_ps) * 1e-12
        if free > most:
            _drop(rng, most / free, kept)
        self._start_ps = end_ps
        return Clicks(time_ps[kept], detector[kept])


@kernel
def nearly_sort(time_ps: NDArray[np.int64], detector: NDArray[np.uint8]) -> None:
    """Sort by time in place what is nearly sorted, keeping the order among equals (insertion)."""
    for i in range(1, time_ps.size):
        t, d = time_ps[i], detector[i]
        k = i
        while k > 0 and time_ps[k - 1] > t:
            time_ps[k], detector[k] = time_ps[k - 1], detector[k - 1]
            k -= 1
        time_ps[k], detector[k] = t, d


@kernel
def _register(
    time_ps: NDArray[np.int64],
    detector: NDArray[np.uint8],
    dead_ps: int,
    clicked: NDArray[np.int64],
    arrived: NDArray[np.int64],
    paused: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> int:
    """Mark the clicks that dead time leaves; their number."""
    free = 0
    for i in range(time_ps.size):
        t, d = time_ps[i], detector[i]
        paused[d] |= t - arrived[d] >= dead_ps
        arrived[d] = max(t, arrived[d])
        kept[i] = t - clicked[d] >= dead_ps
        if kept[i]:
            clicked[d] = t
            free += 1
    return free


@kernel
def _drop(rng: np.random.Generator, share: float, kept: NDArray[np.bool_]) -> None:
    """Keep this share of the marked clicks, drawn one by one."""
    for i in range(kept.size):
        kept[i] &= rng.random() < share


@kernel
def gates_of(time_ps: NDArray[np.int64], period_ps: float, gate_ps: float) -> NDArray[np.int64]:
    """`(click,)` pulse in whose gate a click falls, -1 if in none; the gate lies about the middle of the period."""
    pulses = np.empty(time_ps.size, np.int64)
    for i in range(time_ps.size):
        pulse, past = pulse_at(time_ps[i], period_ps)
        offset = past - 0.5 * period_ps
        pulses[i] = pulse if -0.5 * gate_ps <= offset < 0.5 * gate_ps else -1
    return pulses
