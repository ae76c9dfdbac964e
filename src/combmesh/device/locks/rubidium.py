"""The seed lock: the pump laser held to half the frequency of the 87Rb D2 transition (paper 2.1).

What is simulated is the slow loop that carries the laser's drift; whatever is faster than a step is followed. The line
itself wanders with the cell (light shift, temperature, magnetic field): that is the lock's noise, and the beat of two
seeds shows it. The paper prints standard deviations and no spectrum. Those of independent records of three hours
scatter little if the noise is white, more if it remembers: `spread` tells which models the printed 29.6, 30.7 and
31.1 kHz allow.
"""

from dataclasses import dataclass, replace
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks.noise import Noise
from combmesh.ground import control
from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
from combmesh.ground.control import STATUSES, Regulator, RegulatorNumbers, RegulatorState, regulate
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.kernels import kernel

Trace = NDArray[np.float64]

PRINTED_BEATS_KHZ = {0: 30.7, 15: 31.1, -15: 29.6}
"""Standard deviations of the beats of two terminals' lines over 3 h (paper, Fig. 2f)."""

SEED_REGULATOR = Regulator(0.2, 4.0, -50e6, 50e6, 0.5e6, 1.0, 1.0, search_rate=2e6)
"""Hertz of error in, hertz of the laser's tuning out; a step of 0.1 s takes 0.6 of an error away (assumed)."""


@dataclass(frozen=True)
class SeedLock:
    """A laser, its saturated-absorption line and the regulator of its tuning.

    Attributes:
        regulator: hertz of error in, hertz of tuning out.
        half_width_hz: half the width of the line at the laser's frequency, Hz (half of the natural 6.07 MHz, taken for
            both widths: the laser is doubled; assumed).
        capture_hz: from the centre, where the error signal drowns, Hz (assumed).
    """

    regulator: Regulator = SEED_REGULATOR
    half_width_hz: float = 1.52e6
    capture_hz: float = 5e6

    def __post_init__(self) -> None:
        check_positive("half_width_hz", self.half_width_hz)
        check_positive("capture_hz", self.capture_hz)

    @property
    def frequency_thz(self) -> float:
        """What the lock holds the seed to, THz."""
        return RUBIDIUM_PUMP_THZ


def opened(lock: SeedLock) -> SeedLock:
    """The same hardware with the loop off: the laser drifts."""
    return replace(lock, regulator=replace(lock.regulator, gain=0.0, integral_gain=0.0, search_rate=0.0))


class SeedDisturbance(NamedTuple):
    """What moves laser and line during one step, Hz."""

    laser_hz: float = 0.0  # the free-running laser from half the line
    line_hz: float = 0.0  # half the line of this cell from its nominal frequency


class SeedReading(NamedTuple):
    """What one step of a seed lock shows."""

    offset_hz: float  # laser from its nominal frequency
    error_hz: float  # what the error signal says; NaN outside its reach
    setting_hz: float
    status: str
    losses: int


class _Numbers(NamedTuple):
    half_width: float
    capture: float


def init(lock: SeedLock) -> RegulatorState:
    """A laser at its nominal frequency, the loop about to begin."""
    return control.init(lock.regulator)


def step(
    lock: SeedLock, state: RegulatorState, disturbance: SeedDisturbance, dt_s: float
) -> tuple[RegulatorState, SeedReading]:
    """One step: the laser moves, the error signal is read, the tuning is set."""
    check_positive("dt_s", dt_s)
    for name, value in disturbance._asdict().items():
        check_range(name, value)
    laser, line = float(disturbance.laser_hz), float(disturbance.line_hz)
    state, offset, error = _advance(_numbers(lock), lock.regulator.as_numbers(), state, laser, line, float(dt_s))
    return state, SeedReading(offset, error, state.setting, STATUSES[state.status], state.losses)


class SeedTrace(NamedTuple):
    """A record of a seed, one value a counter gate, `(gate,)`."""

    gate_s: float
    offset_hz: Trace  # mean over the gate
    status: NDArray[np.int8]
    losses: int


def run(lock: SeedLock, laser_hz: Trace, line_hz: Trace, dt_s: float = 0.1, gate_s: float = 1.0) -> SeedTrace:
    """A whole trace: `step` over the disturbances `(step,)`, compiled."""
    check_range("dt_s", dt_s, 1e-9, gate_s)
    per = round(gate_s / dt_s)
    if abs(per * dt_s - gate_s) > 1e-9 * gate_s:
        raise InputError(f"`dt_s` must divide the gate of {gate_s:g} s, but is {dt_s:g}.")
    if laser_hz.shape != line_hz.shape:
        raise InputError(f"`laser_hz` and `line_hz` must have one shape, but have {laser_hz.shape}, {line_hz.shape}.")
    if not (np.isfinite(laser_hz).all() and np.isfinite(line_hz).all()):
        raise InputError("`laser_hz` and `line_hz` must be finite numbers, but have others.")
    out = np.empty((2, laser_hz.size // per))
    numbers = _numbers(lock), lock.regulator.as_numbers()
    last = _run(*numbers, init(lock), laser_hz, line_hz, float(dt_s), per, out)
    return SeedTrace(gate_s, out[0], out[1].astype(np.int8), last.losses)


class Spread(NamedTuple):
    """Whether a noise model allows the spread of three printed standard deviations."""

    relative_std: float  # of one standard deviation over the record, if sampled independently
    p_value: float  # share of triples that scatter at least as much as the printed ones

    @property
    def allowed(self) -> bool:
        return self.p_value >= 0.01


def spread(
    noise: Noise,
    rng: np.random.Generator,
    records: int = 300,
    hours: float = 3.0,
    gate_s: float = 1.0,
    expected_khz: tuple[float, ...] = (30.7, 31.04, 31.04),
) -> Spread:
    """Scatter of the standard deviations of independent records, against the printed ones.

    The three lines cannot have been sampled at the same instants: then var(+15) + var(-15) - 2 var(0) would be at least
    0, and the printed numbers give -41.6 kHz^2. Each printed value is divided by the one `expected_khz` for its line.
    """
    check_range("records", records, 30)
    check_positive("hours", hours)
    samples = round(hours * 3600 / gate_s)
    stds = np.array([noise.draw(rng, samples, gate_s).std() for _ in range(records)])
    stds /= stds.mean()
    printed = np.array(list(PRINTED_BEATS_KHZ.values())) / np.array(expected_khz)
    triples = stds[rng.integers(0, records, (20_000, 3))]
    share = float((np.ptp(triples, axis=1) >= np.ptp(printed)).mean())
    return Spread(float(stds.std()), share)


def _numbers(lock: SeedLock) -> _Numbers:
    return _Numbers(float(lock.half_width_hz), float(lock.capture_hz))


@kernel
def _advance(
    lock: _Numbers, regulator: RegulatorNumbers, state: RegulatorState, laser_hz: float, line_hz: float, dt_s: float
) -> tuple[RegulatorState, float, float]:
    offset = laser_hz + state.setting
    x = offset - line_hz
    error = -x / (1.0 + (x / lock.half_width) ** 2) if abs(x) <= lock.capture else nan  # a dispersive line
    return regulate(regulator, state, error, dt_s), offset, error


@kernel
def _run(
    lock: _Numbers,
    regulator: RegulatorNumbers,
    state: RegulatorState,
    laser_hz: Trace,
    line_hz: Trace,
    dt_s: float,
    per: int,
    out: Trace,
) -> RegulatorState:
    for gate in range(out.shape[1]):
        total = 0.0
        for i in range(gate * per, (gate + 1) * per):
            state, offset, _ = _advance(lock, regulator, state, laser_hz[i], line_hz[i], dt_s)
            total += offset
        out[0, gate], out[1, gate] = total / per, state.status
    return state
