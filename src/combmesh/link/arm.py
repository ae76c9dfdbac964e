"""What lies between a user's box and the click."""

from dataclasses import dataclass, replace
from typing import ClassVar

from combmesh.ground.errors import InputError, check_range
from combmesh.link.fibre import fibre_loss_db, transmission


@dataclass(frozen=True)
class Arm:
    """What lies between a user's box and the click.

    Attributes:
        efficiency: probability that a photon sent is detected, 0 to 1; takes the place of everything else.
        fibre_km: length of the fibre, km.
        attenuation_db_km: its loss, dB/km.
        loss_db: every other loss, dB.
    """

    efficiency: float | None = None
    fibre_km: float | None = None
    attenuation_db_km: float = 0.2
    loss_db: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name, high in (("efficiency", 1.0), ("fibre_km", 1e5), ("attenuation_db_km", 1e3), ("loss_db", 1e3)):
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 0.0, high)
        if self.efficiency is None and self.fibre_km is None and self.loss_db is None:
            raise InputError("An arm needs `efficiency`, `fibre_km` or `loss_db`, but has none.")
        if self.efficiency is not None and (self.fibre_km is not None or self.loss_db is not None):
            raise InputError("`efficiency` is everything in total; it cannot stand beside `fibre_km` or `loss_db`.")

    def at_length(self, fibre_km: float) -> "Arm":
        """The same arm with another length of fibre; refused where the fibre is not told apart from the rest."""
        if self.efficiency is not None:
            raise InputError("An arm with `efficiency` has no length to change; give `fibre_km` and losses instead.")
        return replace(self, fibre_km=fibre_km)

    def transmission(self) -> float:
        """Share of the light that arrives at the relay; the detectors are in it where `efficiency` is given."""
        return self.total_efficiency(1.0)

    def total_efficiency(self, detector_efficiency: float) -> float:
        """Probability that a photon sent is detected."""
        if self.efficiency is not None:
            return self.efficiency
        loss_db = (self.loss_db or 0.0) + fibre_loss_db(self.fibre_km or 0.0, self.attenuation_db_km)
        return detector_efficiency * transmission(loss_db)


@dataclass(frozen=True)
class Arms:
    """The two arms of a link.

    Attributes:
        alice, bob: what lies between the user's box and the click.
    """

    alice: Arm
    bob: Arm

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    @property
    def distance_km(self) -> float | None:
        """Fibre from user to user, None if an arm has none."""
        lengths = (self.alice.fibre_km, self.bob.fibre_km)
        return None if None in lengths else sum(length for length in lengths if length is not None)

    def at_distance(self, distance_km: float) -> "Arms":
        """The arms with another distance from user to user, divided between them as before."""
        check_range("distance_km", distance_km, 0.0, 2e5)
        lengths = (self.alice.fibre_km or 0.0, self.bob.fibre_km or 0.0)
        share = lengths[0] / sum(lengths) if sum(lengths) > 0 else 0.5
        return Arms(self.alice.at_length(distance_km * share), self.bob.at_length(distance_km * (1.0 - share)))

    @property
    def transmission(self) -> float:
        """Share of the light that would pass from user to user."""
        return self.alice.transmission() * self.bob.transmission()
