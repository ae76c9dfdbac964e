"""What a placement is good for: an aim and what decides between equals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError

Floats = NDArray[np.float64]

ORDER = {
    "total": ("total_skr_bps", "pairs_with_key", "min_skr_bps"),
    "worst": ("min_skr_bps", "pairs_with_key", "total_skr_bps"),
    "pairs": ("pairs_with_key", "total_skr_bps", "min_skr_bps"),
}
"""For each aim what counts first, and what decides where that is equal."""


@dataclass(frozen=True)
class Score:
    """What a placement gives.

    Attributes:
        total_skr_bps: key of all pairs together, bit/s.
        min_skr_bps: key of the worst pair, bit/s.
        pairs_with_key: pairs that have any.
    """

    total_skr_bps: float
    min_skr_bps: float
    pairs_with_key: int

    def by(self, aim: str) -> tuple[float, ...]:
        """The numbers in the order in which the aim counts them."""
        return tuple(float(getattr(self, name)) for name in ORDER[aim])


def check_aim(aim: str) -> None:
    """Refuse an aim that is not known."""
    if aim not in ORDER:
        raise InputError(f"`aim` must be one of {', '.join(ORDER)}, but is {aim!r}.")


def score(rate_bps: Floats) -> Score:
    """Score of pairs' rates `(pair,)`, bit/s."""
    return Score(float(rate_bps.sum()), float(rate_bps.min()), int(np.count_nonzero(rate_bps)))


def best_row(rate_bps: Floats, aim: str) -> int:
    """Row of `(choice, pair)` rates with the best score; the first of equals."""
    numbers = {
        "total_skr_bps": rate_bps.sum(axis=1),
        "min_skr_bps": rate_bps.min(axis=1),
        "pairs_with_key": np.count_nonzero(rate_bps, axis=1).astype(np.float64),
    }
    order = np.arange(len(rate_bps), 0, -1)
    return int(np.lexsort((order, *(numbers[name] for name in reversed(ORDER[aim]))))[-1])
