"""The sum of failure probabilities, written out."""

from dataclasses import dataclass
from typing import ClassVar

from combmesh.ground.errors import check_positive, check_range
from combmesh.protocol.epsilon import check_failure, equal_share, shares

TERMS = {
    "eps' (smoothing of the chain rule)": 2,
    "eps-hat (smoothing of the chain rule)": 2,
    "eps_PA (privacy amplification)": 1,
    "eps_e: O^U of the phase errors, four times": 4,
    "E^L of right xx, oy, yo together": 3,
    "E^U of yy, oo together": 2,
    "E^L, E^U of wrong xx": 2,
    "E^L, E^U of xo": 2,
    "E^L, E^U of ox": 2,
    "E^L, E^U of oo": 2,
    "O^L of the single-photon pairs": 1,
    "E^L, O^L of the vacuum part": 2,
}
"""How often each one-sided bound of the double scan enters 2(eps' + 2 eps_e + eps-hat) + eps_PA + tails."""


_YEAR_S = 365.25 * 86400.0


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
            check_failure(name, getattr(self, name))

    @property
    def bound(self) -> float:
        """Failure probability of one one-sided bound."""
        return equal_share(self.secrecy, TERMS)

    def terms(self) -> dict[str, float]:
        """Each term of the secrecy sum; their sum is `secrecy`."""
        return shares(self.secrecy, TERMS)


def epsilon_block(budget: EpsilonBudget, method: str = "double-scan") -> dict[str, float]:
    """Each failure probability of a block that is attempted, secrecy term by term and correctness.

    The certificate spends its secrecy on one statistic: sqrt(2 eps) by the elementary proof, eps by the Renyi proof.

    >>> f"{sum(epsilon_block(EpsilonBudget(1e-10, 1e-15)).values()):.6g}"
    '1.00001e-10'
    """
    if method.startswith("certificate"):
        secrecy = {"the certificate's one statistic": budget.secrecy}
    else:
        secrecy = budget.terms()
    return {**secrecy, "correctness: both keys differ unnoticed": budget.correctness}


def epsilon_network_year(
    budget: EpsilonBudget, block_s: float, pairs: int, method: str = "double-scan"
) -> dict[str, float]:
    """Failure probabilities of a network that keys all its pairs, block after block, for a year, term by term.

    Errors add over blocks and pairs, whatever the length of each key (Portmann & Renner, Rev. Mod. Phys. 94 025008
    (2022)); a block without a key counts as well, since its length, 0, was chosen from the same counts.

    Args:
        budget: failure probabilities of a block.
        block_s: light time of a block, s.
        pairs: pairs of users.
        method: method of the key length.

    >>> round(sum(epsilon_network_year(EpsilonBudget(1e-10), 1000.0, 19_900).values()), 3)
    0.063
    """
    check_positive("block_s", block_s)
    check_range("pairs", pairs, 0)
    blocks = pairs * _YEAR_S / block_s
    return {name: blocks * value for name, value in epsilon_block(budget, method).items()}
