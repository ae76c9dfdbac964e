"""The box and its settings: which volts on which line, and what they must be for the wanted light."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import pi
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from combmesh.device.chip import grating, voa
from combmesh.device.chip.chip import Chip, brightest_share, paper_chip
from combmesh.device.chip.mzi import Mzi, bisect, transmittance, volts_for, volts_for_transmittance
from combmesh.device.chip.waveform import FEWEST_OF_A_PULSE, Floats, Waveform, driven, samples_for, width_ps
from combmesh.device.transmitter.spec import SOURCES
from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
from combmesh.ground.errors import InputError, check_positive, check_range

PLANCK_J_S = 6.626_070_15e-34

PAPER_FWHM_PS = {"Fig. 3d": 95.0, "Fig. 3g": 90.0}
"""The paper's two widths of one pulse; the caption of Fig. 3d adds that its widths include the detector's jitter."""

PAPER_INTENSITIES = {"o": 0.0, "x": 0.096, "y": 0.30, "z": 0.54}
"""Assumed, as in the examples: the paper leaves its intensities to a supplement."""


MOST_DRIVE_V = 6.0


class WidthReading(NamedTuple):
    """One way to read the two printed widths."""

    optical_fwhm_ps: float
    jitter_fwhm_ps: float
    seen_fwhm_ps: float
    meaning: str


def width_readings() -> tuple[WidthReading, ...]:
    """Both readings of the conflict between Fig. 3d (95 ps) and Fig. 3g (90 ps).

    The first is the default: the only one in which both hold, with a jitter that is *fitted* to them.

    >>> [round(reading.jitter_fwhm_ps, 1) for reading in width_readings()]
    [30.4, 30.4]
    """
    seen, optical = PAPER_FWHM_PS["Fig. 3d"], PAPER_FWHM_PS["Fig. 3g"]
    jitter = (seen**2 - optical**2) ** 0.5
    both = "90 ps of light (Fig. 3g) are seen as 95 ps (caption of Fig. 3d); the jitter is fitted"
    text = "95 ps of light (section 2.2); the 90 ps of Fig. 3g are then wrong, the jitter that of the other reading"
    return WidthReading(optical, jitter, seen, both), WidthReading(seen, jitter, float(np.hypot(seen, jitter)), text)


@dataclass(frozen=True)
class Transmitter:
    """One user's chip on one comb line.

    Attributes:
        chip: the chip.
        line_power_uw: power of the line in the fibre before the chip, uW.
        frequency_thz: of the line, THz.
        clock_hz: pulse rate, Hz.
        jitter_fwhm_ps: of the detector that the pulse is seen with, ps.
        attenuation_db: fixed, behind the chip, dB.
        switch_delay_ps: by how much MZI-2 and MZI-4 switch later than midway between two pulses, ps.
        most_drive_v: largest voltage of the drivers, V.
        phase_randomised: whether each pulse has a random phase.
    """

    chip: Chip = field(default_factory=Chip)
    line_power_uw: float = 10.0
    frequency_thz: float = RUBIDIUM_PUMP_THZ
    clock_hz: float = 2.5e9
    jitter_fwhm_ps: float = width_readings()[0].jitter_fwhm_ps
    attenuation_db: float = 0.0
    switch_delay_ps: float = 0.0
    most_drive_v: float = MOST_DRIVE_V
    phase_randomised: bool = True

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("line_power_uw", self.line_power_uw)
        check_positive("frequency_thz", self.frequency_thz)
        check_positive("clock_hz", self.clock_hz)
        check_range("jitter_fwhm_ps", self.jitter_fwhm_ps, 0.0)
        check_range("attenuation_db", self.attenuation_db, 0.0)
        check_positive("most_drive_v", self.most_drive_v)
        check_range("switch_delay_ps", self.switch_delay_ps, -0.5 * self.period_ps, 0.5 * self.period_ps)

    @property
    def period_ps(self) -> float:
        """Time from pulse to pulse, ps."""
        return 1e12 / self.clock_hz


@dataclass(frozen=True)
class Drives:
    """What the electronics give the chip.

    Attributes:
        waveform: shape of the pulse at MZI-1.
        carve_v: its height at the driver, V.
        source_v: `(source,)` level of MZI-2 for o, x, y, z, V.
        state_v: `(state,)` level of MZI-4 for H, V, D, A, V.
        voa_mw: heater power of the attenuator, mW.
        bias_rad: phase at 0 V of MZI-1 to MZI-4, set by their thermal shifters, rad.
    """

    waveform: Waveform
    carve_v: float
    source_v: tuple[float, ...]
    state_v: tuple[float, ...]
    voa_mw: float
    bias_rad: tuple[float, ...] = (-pi, -pi, 0.0, 0.0)

    def __post_init__(self) -> None:
        check_range("carve_v", self.carve_v)
        check_range("voa_mw", self.voa_mw, 0.0)
        for name in ("source_v", "state_v", "bias_rad"):
            if len(getattr(self, name)) != 4:
                raise InputError(f"`{name}` must have 4 values, but has {len(getattr(self, name))}.")
            for value in getattr(self, name):
                check_range(name, value)

    def biased(self, mzi: Literal[1, 2, 3, 4], error_rad: float) -> "Drives":
        """The same with one interferometer's bias off by an error, rad."""
        check_range("mzi", mzi, 1, 4)
        bias = tuple(b + error_rad * (i == mzi) for i, b in enumerate(self.bias_rad, start=1))
        return replace(self, bias_rad=bias)


def carve_volts(mzi: Mzi, waveform: Waveform, period_ps: float, samples: int | None = None) -> float:
    """Height of the driver's pulse that lets the voltage behind the pole just reach the half-wave voltage, V."""
    return mzi.half_wave_v / float(driven(waveform, period_ps, mzi.bandwidth_ghz, samples).max())


def carved_power(mzi: Mzi, waveform: Waveform, carve_v: float, period_ps: float, samples: int | None = None) -> Floats:
    """`(sample,)` transmittance of MZI-1, dark at 0 V, over a period."""
    return transmittance(mzi, carve_v * driven(waveform, period_ps, mzi.bandwidth_ghz, samples), -pi)


@lru_cache(maxsize=256)
def drive_fwhm_for(
    mzi: Mzi,
    optical_fwhm_ps: float,
    period_ps: float,
    kind: Literal["gaussian", "flat"] = "gaussian",
    most_v: float = MOST_DRIVE_V,
) -> float:
    """Width of the driver's pulse that gives an optical width at full height, ps.

    Without pole and with a linear phase the widths of a Gaussian drive and of its light are equal, for half the
    half-wave voltage gives half the power.
    """
    check_positive("optical_fwhm_ps", optical_fwhm_ps)
    if optical_fwhm_ps >= period_ps:
        raise InputError(f"`optical_fwhm_ps` must be below the period of {period_ps:g} ps, but is {optical_fwhm_ps:g}.")
    if kind not in ("gaussian", "flat"):
        raise InputError(f"`kind` must be gaussian or flat, whose width can be chosen, but is {kind!r}.")

    def excess_ps(fwhm_ps: float) -> float:
        waveform = Waveform(fwhm_ps, kind)
        volts = carve_volts(mzi, waveform, period_ps)
        if volts > most_v:  # too short for the pole
            return -optical_fwhm_ps
        try:
            return width_ps(carved_power(mzi, waveform, volts, period_ps), period_ps)[0] - optical_fwhm_ps
        except InputError:  # no fall to half: longer than any
            return period_ps

    shortest_ps = FEWEST_OF_A_PULSE * period_ps / samples_for(period_ps) * (1.0 + 1e-12)
    longest_ps = 0.99 * period_ps
    if excess_ps(shortest_ps) < 0.0 < excess_ps(longest_ps):
        fwhm_ps = bisect(excess_ps, shortest_ps, longest_ps, "optical_fwhm_ps")
        if abs(excess_ps(fwhm_ps)) < 0.01:
            return fwhm_ps
    raise InputError(
        f"`optical_fwhm_ps` must be a width that MZI-1 cuts at full height with a {kind} drive of at most {most_v:g} V "
        f"behind a pole of {mzi.bandwidth_ghz:g} GHz, but is {optical_fwhm_ps:g}."
    )


def calibrate(
    box: Transmitter,
    optical_fwhm_ps: float = PAPER_FWHM_PS["Fig. 3g"],
    intensities: Mapping[str, float] = PAPER_INTENSITIES,
    kind: Literal["gaussian", "flat"] = "gaussian",
) -> Drives:
    """The drives that make the wanted light on this box, its errors not known.

    A vacuum below the floor of MZI-2 is given its darkest level, whatever light that leaves.
    """
    chip, period = box.chip, box.period_ps
    _check_intensities(intensities, chip.levels.floor)
    waveform = Waveform(drive_fwhm_for(chip.carver, optical_fwhm_ps, period, kind, box.most_drive_v), kind)
    carve_v = carve_volts(chip.carver, waveform, period)
    brightest = max(intensities.values())
    shares = [max(intensities[source] / brightest, chip.levels.floor) for source in SOURCES]
    source_v = tuple(volts_for_transmittance(chip.levels, share) for share in shares)
    state_v = tuple(volts_for(chip.polarizer, phase) for phase in (0.0, pi, 0.5 * pi, -0.5 * pi))
    energy_ps = period * float(carved_power(chip.carver, waveform, carve_v, period).mean())
    photons = photons_before_attenuator(box, energy_ps) * mean_coupling(box)
    if photons < brightest:
        raise InputError(
            f"`line_power_uw` of {box.line_power_uw:g} gives at most {photons:.3g} photons a pulse, "
            f"but {brightest:g} are wanted."
        )
    return Drives(waveform, carve_v, source_v, state_v, voa.heat_for(chip.voa, brightest / photons))


def photons_before_attenuator(box: Transmitter, energy_ps: float) -> float:
    """Photons a pulse with everything bright, the 2D coupler and the attenuator's setting apart.

    `energy_ps` is the carver's transmittance integrated over a period.
    """
    power = box.line_power_uw * 1e-6 * 10.0 ** (-0.1 * box.attenuation_db)
    photons_s = power * brightest_share(box.chip, box.frequency_thz) / (PLANCK_J_S * box.frequency_thz * 1e12)
    return float(photons_s * energy_ps * 1e-12)


def mean_coupling(box: Transmitter) -> float:
    """Share that the 2D coupler passes, mean of both guides."""
    matrix = grating.jones_matrix(box.chip.coupler_out, box.frequency_thz)
    return float(0.5 * (np.abs(matrix) ** 2).sum())


def paper_transmitter(user: Literal["alice", "bob"] = "alice") -> Transmitter:
    """The printed chip of this user on the pump's line."""
    return Transmitter(paper_chip(user))


def _check_intensities(intensities: Mapping[str, float], floor: float) -> None:
    if set(intensities) != set(SOURCES):
        given = ", ".join(sorted(intensities))
        raise InputError(f"`intensities` must be of {', '.join(SOURCES)}, but are of {given}.")
    for source, value in intensities.items():
        check_range(f"intensities.{source}", value, 0.0)
    brightest = max(intensities.values())
    check_positive("intensities", brightest)
    for source in ("x", "y", "z"):
        if intensities[source] < floor * brightest:
            raise InputError(
                f"`intensities.{source}` must be at least {floor * brightest:.3g}, what the extinction of MZI-2 leaves "
                f"of the brightest source, but is {intensities[source]:g}."
            )
