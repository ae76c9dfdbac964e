"""Clicks with their times, as every reader gives them and every search takes them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError


@dataclass(frozen=True)
class TimeTags:
    """Clicks in the order of time.

    Attributes:
        channel: `(event,)` the detector of each click, as the instrument numbers its inputs.
        time_ps: `(event,)` time of each click on the instrument's clock, never falling, ps.
        origin: the format they were read from, `"simulated"` for the pulses engine.
        resolution_ps: one step of the instrument's clock, ps.
        duration_s: length of the record, s; that of the clicks where the file does not say.
        about: what else the file says of itself, by its own names.
    """

    channel: NDArray[np.uint8]
    time_ps: NDArray[np.int64]
    origin: str
    resolution_ps: float = 1.0
    duration_s: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.channel.ndim != 1 or self.channel.shape != self.time_ps.shape:
            shapes = f"{self.channel.shape} and {self.time_ps.shape}"
            raise InputError(f"`channel` and `time_ps` must both have shape (event,), but have {shapes}.")

    @property
    def events(self) -> dict[int, int]:
        """Clicks of each channel that has any."""
        counts = np.bincount(self.channel, minlength=1)
        return {int(channel): int(counts[channel]) for channel in np.flatnonzero(counts)}
