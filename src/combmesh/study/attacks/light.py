r"""Light in Eve's hands: she may count photons and measure polarizations, and no photon twice.

A pulse of random phase is a number state of Poissonian number: counting its photons does it no harm. Its photons share
one polarization; each is measured in Z or X, meets one photon of the other user in a Bell measurement, or is kept. One
photon of each user is found in :math:`|\psi^\pm\rangle` with the probability
:math:`|\langle\psi^\pm|e_Ae_B\rangle|^2=\tfrac12(e_{AH}e_{BV}\pm e_{AV}e_{BH})^2`.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.link.pulses.bell import PSI_MINUS, PSI_PLUS

SILENT = -1
"""State of a round that is not announced, and bit that Eve does not know."""

_DIAGONAL = 0.5**0.5


class Arrived:
    """The pulses of both users in some rounds, as Eve gets them through a perfect fibre.

    Attributes:
        number: `(user, round)` photons sent.
        left: `(user, round)` photons not yet measured.
    """

    def __init__(self, in_z: NDArray[np.bool_], bit: NDArray[np.uint8], number: NDArray[np.int64]) -> None:
        self._in_z, self._bit = in_z, bit
        self.number = number
        self.left = number.copy()
        self._announced = False

    @property
    def rounds(self) -> int:
        return int(self.number.shape[1])

    def measure(
        self, user: int, in_z: NDArray[np.bool_] | bool, photons: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """`(round,)` how many of so many photons of a user are found in H (Z) or D (X)."""
        chance = np.where(self._in_z[user] == in_z, 1.0 - self._bit[user], 0.5)
        found: NDArray[np.int64] = rng.binomial(photons, chance)
        self._take(user, photons)
        return found

    def bell(self, among: NDArray[np.bool_] | bool, rng: np.random.Generator) -> NDArray[np.int8]:
        """`(round,)` Bell state of one photon of each user, `SILENT` where neither psi is found or none is tried."""
        tried: NDArray[np.bool_] = np.all(self.left > 0, axis=0) & among
        for user in (0, 1):
            self._take(user, np.asarray(tried, np.int64))
        (h_a, v_a), (h_b, v_b) = (self._polarization(user) for user in (0, 1))
        draw = np.where(tried, rng.random(self.rounds), np.inf)
        plus, minus = 0.5 * (h_a * v_b + v_a * h_b) ** 2, 0.5 * (h_a * v_b - v_a * h_b) ** 2
        found = np.where(draw < plus, PSI_PLUS, np.where(draw < plus + minus, PSI_MINUS, SILENT))
        return found.astype(np.int8)

    def announce(self) -> None:
        """The announcements are out: from now on the users disclose their bases."""
        self._announced = True

    def bases(self) -> NDArray[np.bool_]:
        """`(user, round)` whether the pulse was in Z; public only after the announcement."""
        if not self._announced:
            raise RuntimeError("the bases are disclosed after the announcement")
        return self._in_z

    def _take(self, user: int, photons: NDArray[np.int64]) -> None:
        if (photons > self.left[user]).any():
            raise RuntimeError("a photon is measured only once")
        self.left[user] -= photons

    def _polarization(self, user: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(H, V) amplitudes."""
        in_z, bit = self._in_z[user], self._bit[user].astype(float)
        return np.where(in_z, 1.0 - bit, _DIAGONAL), np.where(in_z, bit, _DIAGONAL * (1.0 - 2.0 * bit))
