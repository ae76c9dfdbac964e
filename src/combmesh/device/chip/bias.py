r"""The bias of a carving interferometer: it drifts, and a dither on its heater holds it dark between pulses.

A slow monitor sees the mean power while the pulses run. With :math:`\varphi(t)` the phase of the drive, its means
:math:`c=\langle\cos\varphi\rangle`, :math:`s=\langle\sin\varphi\rangle` over a period and the bias an error e away from
dark, the light at the frequency of a dither of m radians is

.. math:: H(e) = (1-\epsilon)\,J_1(m)\,(c\sin e + s\cos e).

Its zero is *not* the right bias but :math:`\tan e = -s/c`, for the edges of the pulses have a slope of their own. So
the lock subtracts :math:`H(0)`, which it knows from its waveform; `subtracts=False` shows what happens without. The
dither itself costs extinction, :math:`m^2/8` of the peak.
"""

from dataclasses import dataclass
from math import atan2, cos, pi, sin
from typing import NamedTuple

import numpy as np

from combmesh.device.chip.mzi import Floats, Mzi, phases_rad
from combmesh.ground import control
from combmesh.ground.control import STATUSES, Regulator, RegulatorState
from combmesh.ground.errors import InputError, check_positive, check_range

RAD_MW = pi / 25.0
"""What a milliwatt of heat turns the phase by (assumed: 25 mW for pi)."""

BIAS_REGULATOR = Regulator(0.2 / RAD_MW, 0.5 / RAD_MW, -25.0, 25.0, 0.2, 10.0, 5.0)
"""Radians of error in, milliwatts of heat out, about the working point (assumed)."""


@dataclass(frozen=True)
class BiasLock:
    """An interferometer under its drive, a monitor and the regulator of its heater.

    Attributes:
        cosine, sine: means of the drive's phase over a period, c and s.
        floor: dark over bright power of the interferometer.
        regulator: radians of error in, milliwatts out.
        dither_rad: amplitude of the dither, m.
        rad_mw: phase a milliwatt of heat.
        subtracts: whether the lock takes off what the pulses' edges give.
    """

    cosine: float
    sine: float
    floor: float = 1e-3
    regulator: Regulator = BIAS_REGULATOR
    dither_rad: float = 0.02
    rad_mw: float = RAD_MW
    subtracts: bool = True

    def __post_init__(self) -> None:
        check_range("cosine", self.cosine, -1.0, 1.0)
        if self.cosine <= 0.0:
            raise InputError(
                f"`cosine` must be above 0, for the light must be off most of the time, but is {self.cosine:g}."
            )
        check_range("sine", self.sine, -1.0, 1.0)
        check_range("floor", self.floor, 0.0, 1.0)
        check_positive("dither_rad", self.dither_rad)
        check_range("dither_rad", self.dither_rad, high=1.0)
        check_positive("rad_mw", self.rad_mw)

    @property
    def resting_error_rad(self) -> float:
        """Where a settled lock holds the bias, from dark, rad."""
        return 0.0 if self.subtracts else -atan2(self.sine, self.cosine)


class BiasDisturbance(NamedTuple):
    """What a period brings."""

    drift_rad: float  # of the interferometer from its working point
    noise_rad: float = 0.0  # of the monitor, as an error of the phase


class BiasReading(NamedTuple):
    """What one period shows."""

    error_rad: float  # true bias less the dark one
    measured_rad: float  # what the lock believes
    dark: float  # transmittance between pulses, the dither's part included
    heater_mw: float  # next setting, about the working point
    status: str


def lock_for(mzi: Mzi, volts: Floats, subtracts: bool = True) -> BiasLock:
    """The lock of an interferometer whose electrodes see these voltages over a period, `(sample,)`."""
    phase = phases_rad(mzi, volts)[0]
    return BiasLock(float(np.cos(phase).mean()), float(np.sin(phase).mean()), mzi.floor, subtracts=subtracts)


def init(lock: BiasLock) -> RegulatorState:
    """A lock about to begin, its heater at the working point."""
    return control.init(lock.regulator)


def step(
    lock: BiasLock, state: RegulatorState, disturbance: BiasDisturbance, dt_s: float
) -> tuple[RegulatorState, BiasReading]:
    """One period: the bias has moved, the monitor is read, the heater is set."""
    for name, value in disturbance._asdict().items():
        check_range(name, value)
    error = disturbance.drift_rad + lock.rad_mw * state.setting
    measured = -correction_rad(lock, harmonic(lock, error)) + disturbance.noise_rad
    state, setting = control.step(lock.regulator, state, -measured, dt_s)
    return state, BiasReading(error, measured, dark_level(lock, error), setting, STATUSES[state.status])


def harmonic(lock: BiasLock, error_rad: float) -> float:
    """Light at the dither's frequency over the bright level, H(e)."""
    tilt = lock.cosine * sin(error_rad) + lock.sine * cos(error_rad)
    return (1.0 - lock.floor) * _bessel(1, lock.dither_rad) * tilt


def correction_rad(lock: BiasLock, measured: float) -> float:
    """Wanted less measured bias from the light at the dither's frequency, for a regulator that drives an instrument."""
    known = harmonic(lock, 0.0) if lock.subtracts else 0.0
    return (known - measured) / ((1.0 - lock.floor) * _bessel(1, lock.dither_rad) * lock.cosine)


def dark_level(lock: BiasLock, error_rad: float) -> float:
    """Transmittance between pulses, mean over the dither."""
    return lock.floor + 0.5 * (1.0 - lock.floor) * (1.0 - _bessel(0, lock.dither_rad) * cos(error_rad))


def _bessel(order: int, x: float) -> float:
    """J_n by its integral over a period; the trapezoidal rule is exact to rounding here."""
    tau = 2.0 * pi * np.arange(32) / 32
    return float(np.cos(order * tau - x * np.sin(tau)).mean())
