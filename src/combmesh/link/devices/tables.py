"""What a network's devices are, as the table `[devices]` of its file describes them; every default is the paper's."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from combmesh.device.chip.chip import Chip
from combmesh.device.chip.grating import GratingCoupler1D, GratingCoupler2D
from combmesh.device.chip.mzi import Mzi
from combmesh.device.chip.voa import Voa
from combmesh.device.demux import Demultiplexer
from combmesh.device.microcomb.ring import Pump, Ring
from combmesh.device.microcomb.spectrum import LineAmplifier
from combmesh.device.transmitter.box import PAPER_FWHM_PS, width_readings
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.fibre import STANDARD_BETA2_PS2_KM
from combmesh.link.relay import Relay

_STRICT: dict[str, str] = {"extra": "forbid"}


@dataclass(frozen=True)
class UserDevices:
    """One user's box: comb, amplifier, demultiplexer, and a transmitter chip for each line.

    Attributes:
        name: whose box this is; without a name it is everybody's who has none of his own.
        ring: the microring.
        pump: pump and auxiliary laser.
        zeta: detuning that the soliton feels, in half linewidths.
        amplifier: between ring and demultiplexer.
        demultiplexer: parts the lines.
        mzi: each of the chip's four interferometers.
        voa: thermal attenuator.
        coupler_in, coupler_out: grating couplers.
        optical_fwhm_ps: width of the light's pulses, ps.
        drive: shape of the driver's pulse: "gaussian" or "flat".
        line_power_uw: power of the strongest line before its chip, uW; the others are as much weaker as at their ports.
        phase_randomised: whether each pulse has a random phase.
    """

    name: str = ""
    ring: Ring = field(default_factory=Ring)
    pump: Pump = field(default_factory=Pump)
    zeta: float = 15.0
    amplifier: LineAmplifier = field(default_factory=LineAmplifier)
    demultiplexer: Demultiplexer = field(default_factory=Demultiplexer)
    mzi: Mzi = field(default_factory=Mzi)
    voa: Voa = field(default_factory=Voa)
    coupler_in: GratingCoupler1D = field(default_factory=GratingCoupler1D)
    coupler_out: GratingCoupler2D = field(default_factory=GratingCoupler2D)
    optical_fwhm_ps: float = PAPER_FWHM_PS["Fig. 3g"]
    drive: Literal["gaussian", "flat"] = "gaussian"
    line_power_uw: float = 10.0
    phase_randomised: bool = True

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("zeta", "optical_fwhm_ps", "line_power_uw"):
            check_positive(name, getattr(self, name))

    @property
    def chip(self) -> Chip:
        """The transmitter chip of one line."""
        return Chip(self.mzi, self.mzi, self.mzi, self.mzi, self.voa, self.coupler_in, self.coupler_out)


@dataclass(frozen=True)
class Control:
    """What locks and compensation leave, of each user.

    Attributes:
        error_z, error_x: mean share of an arm's light in the wrong polarization while it is held, 0 to 0.5.
        error_rms: scatter of that mean from block to block.
        timing_rms_ps: of the arrival, ps.
        seed_rms_khz: of the pump's frequency, kHz.
        rep_rate_rms_hz: of the comb's spacing, Hz.
        reference_error: of the radio-frequency reference, relative; users are taken to err in opposite directions.
    """

    error_z: float = 0.0019
    error_x: float = 0.0015
    error_rms: float = 0.0002
    timing_rms_ps: float = 1.33
    seed_rms_khz: float = 21.7
    rep_rate_rms_hz: float = 215.0
    reference_error: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("error_z", "error_x", "error_rms"):
            check_range(name, getattr(self, name), 0.0, 0.5)
        for name in ("timing_rms_ps", "seed_rms_khz", "rep_rate_rms_hz"):
            check_range(name, getattr(self, name), 0.0)
        check_range("reference_error", self.reference_error, 0.0, 1e-3)


@dataclass(frozen=True)
class RelayDevices:
    """What stands before the relay's receivers.

    Attributes:
        demultiplexer: parts the lines of an arm; the arm's efficiency is that through its middle port.
        jitter_fwhm_ps: of a detector, ps.
        all_lines_lit: whether every other line of the comb carries light too, of which some leaks into the port.
    """

    demultiplexer: Demultiplexer = field(default_factory=Demultiplexer)
    jitter_fwhm_ps: float = width_readings()[0].jitter_fwhm_ps
    all_lines_lit: bool = False

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_range("jitter_fwhm_ps", self.jitter_fwhm_ps, 0.0)


@dataclass(frozen=True)
class Rest:
    """What no device here explains, each fitted to one printed number; 1 and 0 are nothing.

    Attributes:
        overlap: factor of the visibility.
        error_z, error_x: share of wrong outcomes in each basis, 0 to 0.5.
    """

    overlap: float = 1.0
    error_z: float = 0.0
    error_x: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_range("overlap", self.overlap, 0.0, 1.0)
        check_range("error_z", self.error_z, 0.0, 0.5)
        check_range("error_x", self.error_x, 0.0, 0.5)


@dataclass(frozen=True)
class Devices:
    """Everything that makes a network's visibility and misalignment.

    Attributes:
        users: boxes; a user without his own has the one without a name, or the default.
        beta2_ps2_km: dispersion of the fibres, ps^2/km.
        control: what locks and compensation leave.
        relay: what stands before the receivers.
        rest: what is left unexplained.
    """

    users: tuple[UserDevices, ...] = ()
    beta2_ps2_km: float = STANDARD_BETA2_PS2_KM
    control: Control = field(default_factory=Control)
    relay: RelayDevices = field(default_factory=RelayDevices)
    rest: Rest = field(default_factory=Rest)

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_range("beta2_ps2_km", self.beta2_ps2_km)
        names = [box.name for box in self.users]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"`devices.users` must have different names, but {name!r} stands there twice.")

    def box(self, name: str) -> UserDevices:
        """The box of a user."""
        own = {box.name: box for box in self.users}
        return own.get(name) or own.get("") or UserDevices()


def check_relay(relay: Relay) -> None:
    """Refuse a relay with values that come from devices."""
    for name in ("visibility", "misalignment_z", "misalignment_x", "jitter_fwhm_ps"):
        if getattr(relay, name) != getattr(Relay(), name):
            raise InputError(f"`relay.{name}` comes from `devices`; leave it out, but it is {getattr(relay, name):g}.")


def check_boxes(devices: Devices, names: Collection[str]) -> None:
    """Refuse a box of nobody."""
    for box in devices.users:
        if box.name and box.name not in names:
            raise InputError(f"`devices.users.name` must be one of the users, but is {box.name!r}.")
