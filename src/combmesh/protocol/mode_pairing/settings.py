"""What a user's box sends round by round, and how clicked rounds become pairs."""

from dataclasses import asdict, astuple, dataclass
from math import pi, sin
from typing import ClassVar

from combmesh.ground.errors import InputError, check_range

SOURCES = ("o", "nu", "mu")


@dataclass(frozen=True)
class Settings:
    """One user's sources of a round: vacuum `o`, weak `nu` and signal `mu > nu`.

    Every round carries a random phase; basis and bit follow only after two rounds are paired: one vacuum and one light
    (total `nu` or `mu`) is Z, twice the same light (total `2 nu` or `2 mu`) is X, twice vacuum is either, `nu` with
    `mu` is thrown away.

    Attributes:
        nu, mu: mean photon numbers of a round (vacuum is exactly 0).
        p_nu, p_mu: probabilities of the sources; vacuum takes the rest.
    """

    nu: float
    mu: float
    p_nu: float
    p_mu: float

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("nu", "mu"):
            check_range(name, getattr(self, name), 0.0)
        for name in ("p_nu", "p_mu"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        if self.nu >= self.mu:
            raise InputError(f"`nu` must be below `mu`, but nu = {self.nu:g} and mu = {self.mu:g}.")
        if self.p_nu + self.p_mu > 1.0:
            raise InputError(f"`p_nu` + `p_mu` must be at most 1, but is {self.p_nu + self.p_mu:g}.")

    @property
    def p_o(self) -> float:
        return 1.0 - self.p_nu - self.p_mu

    def as_tuple(self) -> tuple[float, ...]:
        return astuple(self)

    def shown(self) -> dict[str, float]:
        """Every number by its name, the vacuum's probability too."""
        return {**asdict(self), "p_o": self.p_o}


@dataclass(frozen=True)
class PairingRule:
    """Which clicked rounds are paired, and which pairs of X are kept.

    A click is paired with the next one if that comes at least `shortest_slots` and at most `longest_slots` later;
    otherwise the later click starts anew (Zeng 2022, Box 2, with the least length of Zhu 2023, Algorithm 1).

    Attributes:
        longest_slots: maximal pairing length, slots, at least 1.
        shortest_slots: least pairing length, slots, at least 1 and at most `longest_slots`; beyond a detector's dead
            time both clicks are free.
        phase_slices: D; a pair of X is kept if the users' relative phases differ by 0 or pi to within pi/D: a share
            2/D of the pairs (Zeng 2022). Between 4 and 1000.
    """

    longest_slots: int
    shortest_slots: int = 1
    phase_slices: int = 16

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("shortest_slots", self.shortest_slots, 1)
        check_range("longest_slots", self.longest_slots, self.shortest_slots)
        check_range("phase_slices", self.phase_slices, 4, 1000)

    @property
    def matched_share(self) -> float:
        """Share of the X pairs with light on both sides whose phases match."""
        return 2.0 / self.phase_slices

    @property
    def slice_contrast(self) -> float:
        """Mean cosine of a phase difference that is uniform in [-pi/D, pi/D] (Zhang 2025, Eq. B10 with M = 2D)."""
        return sin(pi / self.phase_slices) / (pi / self.phase_slices)
