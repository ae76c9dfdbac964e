"""What a pair of users has spent of security: failure probabilities add up over its blocks, with a key or without."""

from dataclasses import dataclass, fields

from combmesh.ground.errors import check_range


@dataclass(frozen=True)
class EpsilonAccount:
    """Failure probabilities of one block, or summed over the life of a pair.

    Attributes:
        blocks: how many.
        secrecy: that a key is not secret, decoy bounds and amplification together.
        correctness: that both keys differ unnoticed.
        authentication: that a changed talk was taken for a genuine one.

    >>> one = EpsilonAccount(1, 1e-10, 1e-15, 1e-26)
    >>> (one + one).blocks, (one + one).secrecy
    (2, 2e-10)
    """

    blocks: int = 0
    secrecy: float = 0.0
    correctness: float = 0.0
    authentication: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_range(entry.name, getattr(self, entry.name), 0.0)

    def __add__(self, other: "EpsilonAccount") -> "EpsilonAccount":
        sums = (getattr(self, entry.name) + getattr(other, entry.name) for entry in fields(self))
        return EpsilonAccount(*sums)

    @property
    def total(self) -> float:
        """All together: the distance from a world in which every key is perfect."""
        return self.secrecy + self.correctness + self.authentication
