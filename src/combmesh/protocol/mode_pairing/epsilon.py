"""The sum of failure probabilities of mode pairing, written out."""

from dataclasses import dataclass
from typing import ClassVar

from combmesh.ground.errors import InputError

TERMS = {
    "eps' (smoothing of the chain rule)": 2,
    "eps-hat (smoothing of the chain rule)": 2,
    "eps_PA (privacy amplification)": 1,
    "eps_e: O^U of the phase errors, four times": 4,
    "E^L of Z pairs nu nu, o mu, mu o, oo together": 4,
    "E^U of Z pairs o nu, nu o, mu mu together": 3,
    "E^U of wrong X pairs nu nu, and of oo, together": 2,
    "E^L of X pairs o nu, nu o together": 2,
    "O^L of the single-photon pairs": 1,
    "E^L, O^L of the vacuum part": 2,
}
"""How often each one-sided bound enters 2(eps' + 2 eps_e + eps-hat) + eps_PA + tails: 23; Xie 2022 divides by 24."""


@dataclass(frozen=True)
class EpsilonBudget:
    """Failure probabilities of a block; every term of the sum gets the same share.

    Attributes:
        secrecy: total secrecy failure probability, above 0 and below 1.
        correctness: probability that both keys differ unnoticed, above 0 and below 1.

    >>> round(EpsilonBudget(secrecy=1e-10).bound / 1e-10 * sum(TERMS.values()), 12)
    1.0
    """

    secrecy: float = 1e-10
    correctness: float = 1e-15

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("secrecy", "correctness"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise InputError(f"`{name}` must be above 0 and below 1, but is {value:g}.")

    @property
    def bound(self) -> float:
        """Failure probability of one one-sided bound."""
        return self.secrecy / sum(TERMS.values())

    def terms(self) -> dict[str, float]:
        """Each term of the secrecy sum; their sum is `secrecy`."""
        return {name: count * self.bound for name, count in TERMS.items()}
