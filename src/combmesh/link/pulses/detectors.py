"""Four threshold detectors: which photons and dark counts are registered, one stream of clicks through all blocks."""

from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
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
    drops clicks at random, with the share that the block before shows.

    Attributes:
        settled: whether the state can no longer depend on what was before the first block: every detector has since had
            a pause as long as its dead time.
    """

    def __init__(self, receiver: Receiver, start_ps: float) -> None:
        self.receiver = receiver
        self._start_ps = start_ps
        self._clicked = np.full(4, _LONG_AGO, np.int64)
        self._arrived = np.full(4, int(start_ps), np.int64)
        self._paused = np.zeros(4, np.bool_)
        self._keep = 1.0
        self._waiting = Clicks(np.empty(0, np.int64), np.empty(0, np.uint8))

    @property
    def settled(self) -> bool:
        return bool(self._paused.all())

    def register(self, arrived: Clicks, until_pulse: float, rng: np.random.Generator) -> Clicks:
        """What is registered before `until_pulse` begins; later arrivals wait for those of the next block."""
        receiver = self.receiver
        time_ps = np.concatenate([self._waiting.time_ps, arrived.time_ps])
        detector = np.concatenate([self._waiting.detector, arrived.detector])
        nearly_sort(time_ps, detector)
        end_ps = until_pulse * receiver.period_ps
        ready = int(np.searchsorted(time_ps, end_ps)) if until_pulse < np.inf else time_ps.size
        self._waiting = Clicks(time_ps[ready:].copy(), detector[ready:].copy())
        kept = np.empty(ready, np.bool_)
        free = _register(
            rng,
            time_ps[:ready],
            detector[:ready],
            receiver.dead_ps,
            self._keep,
            self._clicked,
            self._arrived,
            self._paused,
            kept,
        )
        if receiver.most_clicks < np.inf:
            span_s = (end_ps - self._start_ps) * 1e-12
            self._keep = min(4.0 * receiver.most_clicks * span_s / max(free, 1), 1.0)
        self._start_ps = end_ps
        return Clicks(time_ps[:ready][kept], detector[:ready][kept])


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
    rng: np.random.Generator,
    time_ps: NDArray[np.int64],
    detector: NDArray[np.uint8],
    dead_ps: int,
    keep: float,
    clicked: NDArray[np.int64],
    arrived: NDArray[np.int64],
    paused: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> int:
    """Mark the registered clicks; the number of those that dead time alone would leave."""
    free = 0
    for i in range(time_ps.size):
        t, d = time_ps[i], detector[i]
        paused[d] |= t - arrived[d] >= dead_ps
        arrived[d] = t
        kept[i] = t - clicked[d] >= dead_ps
        if kept[i]:
            clicked[d] = t
            free += 1
            kept[i] = keep >= 1.0 or rng.random() < keep
    return free


@kernel
def gates_of(time_ps: NDArray[np.int64], period_ps: float, gate_ps: float) -> NDArray[np.int64]:
    """`(click,)` pulse in whose gate a click falls, -1 if in none; the gate lies about the middle of the period."""
    pulses = np.empty(time_ps.size, np.int64)
    for i in range(time_ps.size):
        pulse = floor((time_ps[i] + 0.5) / period_ps)
        offset = time_ps[i] + 0.5 - (pulse + 0.5) * period_ps
        pulses[i] = pulse if -0.5 * gate_ps <= offset < 0.5 * gate_ps else -1
    return pulses
