"""What count tables and link files have in common: the users' sources and the failure probabilities."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.protocol.mdi.epsilon import TERMS, EpsilonBudget
from combmesh.protocol.mdi.settings import SOURCES, Settings

SCHEMA_VERSION = 1
_STRICT: dict[str, str] = {"extra": "forbid"}
_SUM_TOLERANCE = 1e-6


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
        for name in SOURCES:
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 0.0, 1.0)
        total = self.x + self.y + self.z + (self.o or 0.0)
        if total > 1.0 + _SUM_TOLERANCE or (self.o is not None and total < 1.0 - _SUM_TOLERANCE):
            raise InputError(f"`probability` must add up to 1, but o + x + y + z = {total:g}.")


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
            if value is not None and not 0.0 < value < 1.0:
                raise InputError(f"`{name}` must be above 0 and below 1, but is {value:g}.")
        if self.bound is not None and self.bound * sum(TERMS.values()) >= 1.0:
            raise InputError(f"`bound` must be below 1/{sum(TERMS.values())}, but is {self.bound:g}.")

    def budget(self) -> EpsilonBudget:
        """The total, its shares and correctness."""
        if self.bound is not None:
            return EpsilonBudget(self.bound * sum(TERMS.values()), self.correctness)
        return EpsilonBudget(1e-10 if self.total is None else self.total, self.correctness)


def check_common(schema_version: int, pulses: float, clock_hz: float | None, f_ec: float | None) -> None:
    """Refuse what neither file may say."""
    if schema_version != SCHEMA_VERSION:
        raise InputError(f"`schema_version` must be {SCHEMA_VERSION}, but is {schema_version}.")
    check_positive("pulses", pulses)
    if clock_hz is not None:
        check_positive("clock_hz", clock_hz)
    if f_ec is not None:
        check_range("f_ec", f_ec, 1.0, 100.0)
