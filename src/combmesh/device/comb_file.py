"""A comb as a file describes it: ring, pump, auxiliary laser, scan recipe, amplifier, demultiplexer."""

from dataclasses import dataclass, field
from math import pi
from typing import ClassVar

from combmesh.device.demux import Demultiplexer
from combmesh.device.microcomb.access import Recipe
from combmesh.device.microcomb.grid import RESOLVED, points_to_a_width
from combmesh.device.microcomb.lle import Cavity
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.device.microcomb.soliton import zeta_max
from combmesh.device.microcomb.spectrum import LineAmplifier
from combmesh.ground.errors import InputError, check_positive, check_range

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Grid:
    """Points round the ring and length of a step.

    Attributes:
        modes: of the access to the soliton.
        round_trips: length of a step, in round trips of the ring.
        spectrum_modes: of the final spectrum, which is compared with that on `modes`.
        attempts_most: attempts at one soliton before the command gives up.
    """

    modes: int = 2048
    round_trips: float = 1.5
    spectrum_modes: int = 4096
    attempts_most: int = 20

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("round_trips", self.round_trips)
        check_range("attempts_most", self.attempts_most, 1)
        for name in ("modes", "spectrum_modes"):
            modes = getattr(self, name)
            if modes < 16 or modes % 2:
                raise InputError(f"`{name}` must be even and at least 16, but is {modes}.")
        if self.spectrum_modes < self.modes:
            raise InputError(f"`spectrum_modes` must be at least {self.modes}, but is {self.spectrum_modes}.")


@dataclass(frozen=True)
class CombFile:
    """From pump to demultiplexed lines.

    Attributes:
        schema_version: version of this format, 1.
        ring: the microring.
        pump: pump and auxiliary laser.
        recipe: how the ring's temperature scans to one soliton.
        amplifier: between ring and demultiplexer.
        demultiplexer: the arrayed-waveguide grating.
        grid: points and steps of the simulation.
    """

    schema_version: int
    ring: Ring
    pump: Pump
    recipe: Recipe = field(default_factory=Recipe)
    amplifier: LineAmplifier = field(default_factory=LineAmplifier)
    demultiplexer: Demultiplexer = field(default_factory=Demultiplexer)
    grid: Grid = field(default_factory=Grid)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise InputError(f"`schema_version` must be {SCHEMA_VERSION}, but is {self.schema_version}.")
        limit = min(pi / (self.ring.d2 * (self.grid.modes / 2) ** 2), 0.1) / self.ring.round_trip_tau
        if self.grid.round_trips > limit:
            raise InputError(
                f"`grid.round_trips` must be at most {limit:.3g} with {self.grid.modes} modes, but is "
                f"{self.grid.round_trips:g}: a longer step makes the outer modes grow."
            )
        ring = self.cavity()  # refuses a pump below threshold
        if self.recipe.final <= 0.0:
            raise InputError(f"`recipe.final` must be above 0, the red side, but is {self.recipe.final:g}.")
        if zeta_max(ring.pump) <= self.recipe.warm - sum(ring.heat_shift):
            raise InputError(
                f"`pump.power_w` of {self.pump.power_w:g} bears solitons up to zeta {zeta_max(ring.pump):.3g} only, "
                f"but the ratchet begins at `recipe.warm` = {self.recipe.warm:g}."
            )

    def cavity(self) -> Cavity:
        """Ring and pump in the equation's units, on the grid of the access."""
        return cavity(self.ring, self.pump, self.grid.modes, self.grid.round_trips)

    @property
    def resolved(self) -> bool:
        """Whether the grid of the access has two points to the width of a soliton that vanishes or stays."""
        return points_to_a_width(self.cavity(), 20.0) >= RESOLVED * 0.98
