"""The relay's time tagger: its clock runs a little fast or slow, and each input has a delay of its own."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from combmesh.ground.errors import InputError, check_range
from combmesh.link.pulses.detectors import Clicks


@dataclass(frozen=True)
class Tagger:
    """What turns the time of a click into a tag.

    Attributes:
        delays_ps: of the inputs 1H, 1V, 2H, 2V, ps.
        start_ps: reading of the clock when the first pulse begins, ps.
        offset_ppm: how much faster the clock runs than the users', 1e-6.
        drift_ppb_s: how fast that grows, 1e-9 a second.
    """

    delays_ps: tuple[int, ...] = (0, 0, 0, 0)
    start_ps: int = 1_000_000
    offset_ppm: float = 0.0
    drift_ppb_s: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if len(self.delays_ps) != 4:
            raise InputError(f"`delays_ps` must be four, of 1H, 1V, 2H and 2V, but are {len(self.delays_ps)}.")
        for delay in self.delays_ps:
            check_range("delays_ps", delay, -1e9, 1e9)
        check_range("start_ps", self.start_ps, 0, 1e15)
        if self.start_ps + min(self.delays_ps) < 0:
            raise InputError(f"`start_ps` must make up for the delay {min(self.delays_ps)} ps, but is {self.start_ps}.")
        check_range("offset_ppm", self.offset_ppm, -1000.0, 1000.0)
        check_range("drift_ppb_s", self.drift_ppb_s, -1e3, 1e3)


class TagStream:
    """Tags of clicks that come in parts; later delays of one part wait for the earlier ones of the next."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self._waiting = Clicks(np.empty(0, np.int64), np.empty(0, np.uint8))

    def tag(self, clicks: Clicks, last: bool) -> Clicks:
        """The tags that no later part can come before, in the order of time; all of them with the `last`."""
        tagger = self._tagger
        seconds = clicks.time_ps * 1e-12
        fast = clicks.time_ps * (1e-6 * tagger.offset_ppm + 0.5e-9 * tagger.drift_ppb_s * seconds)
        delays = np.array(tagger.delays_ps, np.int64)
        read_ps = tagger.start_ps + clicks.time_ps + np.rint(fast).astype(np.int64)
        time_ps = np.concatenate([self._waiting.time_ps, read_ps + delays[clicks.detector]])
        detector = np.concatenate([self._waiting.detector, clicks.detector])
        order = np.argsort(time_ps, kind="stable")
        time_ps, detector = time_ps[order], detector[order]
        ready = time_ps.size
        if not last:
            sure_ps = read_ps[-1] + delays.min() if read_ps.size else -1
            ready = int(np.searchsorted(time_ps, sure_ps))
        self._waiting = Clicks(time_ps[ready:], detector[ready:])
        return Clicks(time_ps[:ready], detector[:ready])
