"""The whole chip, in the order of the light: 1D coupler, MZI-1, MZI-2, VOA, MZI-3, MZI-4, 2D coupler (Fig. 3a)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from combmesh.device.chip import grating
from combmesh.device.chip.grating import GratingCoupler1D, GratingCoupler2D
from combmesh.device.chip.mzi import Mzi
from combmesh.device.chip.voa import Voa
from combmesh.ground.errors import InputError

HALF_WAVE_V = {"alice": 3.47, "bob": 3.80}
"""Section 2.2 and Fig. 3c of the paper."""


@dataclass(frozen=True)
class Chip:
    """A transmitter chip.

    Attributes:
        carver: MZI-1, cuts pulses.
        levels: MZI-2, sets the sources' intensities.
        feed: MZI-3, held so that all light enters MZI-4 by its upper input (assumed: the paper says only that both
            prepare the bases jointly).
        polarizer: MZI-4, bar output to H and cross output to V.
        voa: thermal attenuator.
        coupler_in, coupler_out: grating couplers.
    """

    carver: Mzi = field(default_factory=Mzi)
    levels: Mzi = field(default_factory=Mzi)
    feed: Mzi = field(default_factory=Mzi)
    polarizer: Mzi = field(default_factory=Mzi)
    voa: Voa = field(default_factory=Voa)
    coupler_in: GratingCoupler1D = field(default_factory=GratingCoupler1D)
    coupler_out: GratingCoupler2D = field(default_factory=GratingCoupler2D)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


def paper_chip(user: Literal["alice", "bob"] = "alice") -> Chip:
    """The printed half-wave voltage of this user in all four interferometers; everything else as marked."""
    if user not in HALF_WAVE_V:
        raise InputError(f"`user` must be alice or bob, for whom the paper prints half-wave voltages, but is {user!r}.")
    mzi = Mzi(half_wave_v=HALF_WAVE_V[user])
    return Chip(mzi, mzi, mzi, mzi)


def brightest_share(chip: Chip, frequency_thz: float) -> float:
    """What the chip passes with all interferometers bright and the attenuator cold, up to the 2D coupler."""
    interferometers = (chip.carver, chip.levels, chip.feed, chip.polarizer)
    loss_db = sum(mzi.loss_db for mzi in interferometers) + chip.voa.loss_db
    return float(grating.transmittance(chip.coupler_in, frequency_thz) * 10.0 ** (-0.1 * loss_db))
