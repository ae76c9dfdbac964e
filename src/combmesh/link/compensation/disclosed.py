"""Disclosed states: what they tell of the polarization, and what they cost in key.

A user sends known states in some pulses and says afterwards which; the relay's clicks that go to the wrong detector are
errors. Those of Z need nothing else. Those of X need clicks behind a polarizer turned by 45 degrees (assumed: a tap, or
the relay's own polarizers turned for the disclosed pulses), for behind H and V every state of X is a coin.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range

Complexes = NDArray[np.complex128]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_DIAGONAL, _ANTIDIAGONAL = np.array([1.0, 1.0]) / 2**0.5, np.array([1.0, -1.0]) / 2**0.5


class Probe(NamedTuple):
    """Clicks of disclosed states during one setting, `(...)` each."""

    errors_z: Counts
    counts_z: Counts
    errors_x: Counts
    counts_x: Counts

    @property
    def cost(self) -> Floats:
        """Mean of the two error shares; NaN where a basis has no clicks."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(0.5 * (self.errors_z / self.counts_z + self.errors_x / self.counts_x), np.float64)

    @property
    def disclosed_counts(self) -> int:
        """Clicks that can no longer be key."""
        return int(np.sum(self.counts_z) + np.sum(self.counts_x))


@dataclass(frozen=True)
class Disclosure:
    """How much is disclosed.

    Attributes:
        counts: clicks of disclosed states for each setting of the controller, half in Z and half in X.
        error_floor: share of wrong clicks of a perfect polarization (background, the transmitter's own error), 0 to
            0.5.
    """

    counts: int = 10_000
    error_floor: float = 0.0

    def __post_init__(self) -> None:
        check_range("counts", self.counts, 2, 1e12)
        check_range("error_floor", self.error_floor, 0.0, 0.5)

    def share(self, probe_s: float, click_rate_hz: float) -> float:
        """Share of a user's pulses that must be disclosed, at one setting every `probe_s`.

        >>> Disclosure(10_000).share(0.5, 2e6)
        0.01
        """
        check_positive("probe_s", probe_s)
        check_positive("click_rate_hz", click_rate_hz)
        clicks = probe_s * click_rate_hz
        if self.counts > clicks:
            raise InputError(f"`counts` must be at most the {clicks:.4g} clicks of one setting, but is {self.counts}.")
        return self.counts / clicks

    def shortest_probe_s(self, share: float, click_rate_hz: float) -> float:
        """Time that one setting takes if this share of the pulses is disclosed, s."""
        check_range("share", share, 0.0, 1.0)
        check_positive("share", share)
        check_positive("click_rate_hz", click_rate_hz)
        return self.counts / (share * click_rate_hz)


def key_factor(share_a: float, share_b: float) -> float:
    """What is left of the key when two users disclose these shares of their pulses, each at random.

    >>> key_factor(0.0, 0.25)
    0.75
    """
    check_range("share_a", share_a, 0.0, 1.0)
    check_range("share_b", share_b, 0.0, 1.0)
    return (1.0 - share_a) * (1.0 - share_b)


def errors_of(jones: Complexes) -> tuple[Floats, Floats]:
    r"""(e_Z, e_X), `(...)` each, of the whole way's matrix `(..., 2, 2)`.

    Averaged over both states of a basis, the share of wrong clicks is :math:`(1-\mathbf s\cdot\mathbf s_0)/2`;
    both states of a basis have the same, for the matrix is unitary.
    """
    e_z = np.abs(jones[..., 1, 0]) ** 2
    e_x = np.abs((jones @ _DIAGONAL) @ _ANTIDIAGONAL) ** 2
    return np.asarray(np.minimum(e_z, 1.0)), np.asarray(np.minimum(e_x, 1.0))


def count_errors(jones: Complexes, disclosure: Disclosure, rng: np.random.Generator) -> Probe:
    """A probe of arms `(...)`: binomial errors among the disclosed clicks."""
    e_z, e_x = errors_of(jones)
    floor, counts_z = disclosure.error_floor, disclosure.counts // 2
    counts_x = disclosure.counts - counts_z
    wrong = [rng.binomial(n, floor + (1.0 - 2.0 * floor) * e) for n, e in ((counts_z, e_z), (counts_x, e_x))]
    shape = e_z.shape
    return Probe(
        np.asarray(wrong[0], np.int64),
        np.full(shape, counts_z, np.int64),
        np.asarray(wrong[1], np.int64),
        np.full(shape, counts_x, np.int64),
    )
