"""What count tables and link files have in common: the users' sources and the failure probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from combmesh.ground.errors import InputError, check_range
from combmesh.protocol.epsilon import check_failure
from combmesh.protocol.mdi.epsilon import TERMS, EpsilonBudget
from combmesh.protocol.mdi.settings import Settings

SCHEMA_VERSION = 1
_STRICT: dict[str, str] = {"extra": "forbid"}
_SUM_TOLERANCE = 1e-6
_DIMMEST, _BRIGHTEST = 1e-9, 100.0  # photons
_CLOCKS_HZ = (1e-9, 1e15)


@dataclass(frozen=True)
class Intensity:
    """Mean photon number of each source of a user.

    Attributes:
        x, y: weaker and stronger decoy, X basis.
        z: signal, Z basis.
        o: vacuum; light in it must carry a random bit in X.
    """

    x: float
    y: float
    z: float
    o: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_intensities({"x": self.x, "y": self.y}, {"z": self.z, "o": self.o})


@dataclass(frozen=True)
class Probability:
    """How often a user chooses each source; the four add up to 1.

    Attributes:
        x, y: weaker and stronger decoy.
        z: signal.
        o: vacuum; the rest when it is not given.
    """

    x: float
    y: float
    z: float
    o: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_probability({"o": self.o, "x": self.x, "y": self.y, "z": self.z})


@dataclass(frozen=True)
class Sources:
    """One user's sources.

    Attributes:
        intensity: mean photon numbers.
        probability: how often each is chosen.
    """

    intensity: Intensity
    probability: Probability

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> Settings:
        """The sources as the analysis takes them."""
        mu, p = self.intensity, self.probability
        scale = max(p.x + p.y + p.z, 1.0)  # a sum that is 1 up to rounding
        return Settings(mu.x, mu.y, mu.z, p.x / scale, p.y / scale, p.z / scale, mu.o)

    def chances(self) -> dict[str, float]:
        """Probability of each source."""
        user = self.settings()
        return {"o": user.p_o, "x": user.p_x, "y": user.p_y, "z": user.p_z}


@dataclass(frozen=True)
class Epsilon:
    """Failure probabilities of a block: of each one-sided bound, or of all together.

    Attributes:
        bound: failure probability of one one-sided bound.
        total: total secrecy failure probability, split into equal shares; 1e-10 when neither is given.
        correctness: probability that both keys differ unnoticed.
        tail: "exact" Chernoff or its "simple" closed form.
    """

    bound: float | None = None
    total: float | None = None
    correctness: float = 1e-15
    tail: Literal["exact", "simple"] = "exact"

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        if self.bound is not None and self.total is not None:
            raise InputError("`epsilon` must have `bound` or `total`, but has both.")
        for name in ("bound", "total", "correctness"):
            value = getattr(self, name)
            if value is not None:
                check_failure(name, value)

    def secrecy(self, terms: int) -> float:
        """Total secrecy failure probability of a protocol whose sum has so many terms.

        >>> Epsilon(total=1e-9).secrecy(25), Epsilon(bound=1e-10).secrecy(10)
        (1e-09, 1e-09)
        """
        if self.bound is None:
            return 1e-10 if self.total is None else self.total
        if self.bound * terms >= 1.0:
            raise InputError(f"`bound` must be below 1/{terms}, but is {self.bound:g}.")
        return self.bound * terms

    def budget(self) -> EpsilonBudget:
        """The total, its shares and correctness of four-intensity MDI; refuses a `bound` that is too large for it."""
        return EpsilonBudget(self.secrecy(sum(TERMS.values())), self.correctness)


def check_intensities(decoys: Mapping[str, float], others: Mapping[str, float]) -> None:
    """Refuse mean photon numbers that no source has; those of decoys are divided by, so they must not be lost."""
    for name, value in decoys.items():
        check_range(name, value, _DIMMEST, _BRIGHTEST)
    for name, value in others.items():
        check_range(name, value, 0.0, _BRIGHTEST)


def check_probability(chances: Mapping[str, float | None]) -> None:
    """Refuse probabilities of sources that do not add up to 1; the vacuum, None if not given, takes the rest."""
    for name, value in chances.items():
        if value is not None:
            check_range(name, value, 0.0, 1.0)
    total = sum(value for value in chances.values() if value is not None)
    if total > 1.0 + _SUM_TOLERANCE or (None not in chances.values() and total < 1.0 - _SUM_TOLERANCE):
        raise InputError(f"`probability` must add up to 1, but {' + '.join(chances)} = {total:g}.")


def check_common(
    schema_version: int, clock_hz: float | None, f_ec: float | None, leak_bits: float | None = None
) -> None:
    """Refuse what no file may say."""
    if schema_version != SCHEMA_VERSION:
        raise InputError(f"`schema_version` must be {SCHEMA_VERSION}, but is {schema_version}.")
    if clock_hz is not None:
        check_range("clock_hz", clock_hz, *_CLOCKS_HZ)
    if f_ec is not None:
        check_range("f_ec", f_ec, 1.0, 100.0)
    if leak_bits is not None:
        check_range("leak_bits", leak_bits, 0.0)
    if leak_bits is not None and f_ec is not None:
        raise InputError("`f_ec` and `leak_bits` both say what was disclosed; give one of them.")
