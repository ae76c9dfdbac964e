"""The form of every control loop: `init` and `step`. Push a measurement, get the next setting.

A loop that is a model has `state, reading = step(loop, state, disturbance, dt_s)`. What decides inside it is a
`Regulator`, and the same one drives an instrument: `state, reading = drive(regulator, state, instrument, ...)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, isinf, isnan, nan
from typing import NamedTuple, Protocol

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.kernels import kernel

ACQUIRING, LOCKED, LOST = 0, 1, 2
STATUSES = ("acquiring", "locked", "lost")


@dataclass(frozen=True)
class Regulator:
    """A proportional-integral controller with saturation and anti-windup, and a watch over the lock.

    Units are those of the loop: an error in its measurement's unit, a setting in its actuator's.

    Attributes:
        gain: settings per unit of error; its sign is that of the plant.
        integral_gain: the same per second, 1/s.
        lowest, highest: what the actuator can do.
        window: a larger error is not a locked loop's.
        patience_s: errors outside the window, or none measured, for so long are a lost lock, s.
        settle_s: errors inside the window for so long are a lock, s.
        home: setting to which a loop that sees nothing returns once it is lost.
        search_rate: settings per second of the sweep, over the whole range, of a loop that sees nothing once it is
            lost; 0 returns to `home` and waits.
    """

    gain: float
    integral_gain: float
    lowest: float
    highest: float
    window: float = inf
    patience_s: float = 10.0
    settle_s: float = 10.0
    home: float = 0.0
    search_rate: float = 0.0

    def __post_init__(self) -> None:
        check_range("gain", self.gain)
        check_range("integral_gain", self.integral_gain)
        check_range("lowest", self.lowest)
        check_range("highest", self.highest)
        if self.highest <= self.lowest:
            raise InputError(f"`highest` must be above `lowest`, but is {self.highest:g} <= {self.lowest:g}.")
        if self.gain * self.integral_gain < 0.0:
            raise InputError(
                f"`gain` and `integral_gain` must have one sign, but are {self.gain:g} and {self.integral_gain:g}."
            )
        if self.window != inf:
            check_positive("window", self.window)
        check_range("patience_s", self.patience_s, 0.0)
        check_range("settle_s", self.settle_s, 0.0)
        check_range("home", self.home, self.lowest, self.highest)
        check_range("search_rate", self.search_rate, 0.0)

    def as_numbers(self) -> "RegulatorNumbers":
        """The regulator as the kernels take it."""
        return RegulatorNumbers(*(float(getattr(self, name)) for name in RegulatorNumbers._fields))


class RegulatorNumbers(NamedTuple):
    """A checked `Regulator`, for compiled loops."""

    gain: float
    integral_gain: float
    lowest: float
    highest: float
    window: float
    patience_s: float
    settle_s: float
    home: float
    search_rate: float


class RegulatorState(NamedTuple):
    """What a regulator remembers."""

    integral: float
    setting: float
    status: int  # ACQUIRING, LOCKED or LOST
    outside_s: float  # time since the last error inside the window
    inside_s: float  # time since the last error outside it
    direction: float  # of the sweep, 1 or -1
    losses: int  # locks lost so far


def init(regulator: Regulator) -> RegulatorState:
    """A regulator that has measured nothing yet: its actuator is at home."""
    return RegulatorState(float(regulator.home), float(regulator.home), ACQUIRING, 0.0, 0.0, 1.0, 0)


def step(regulator: Regulator, state: RegulatorState, error: float, dt_s: float) -> tuple[RegulatorState, float]:
    """Push an error (wanted less measured; NaN if nothing was measured), get the next setting.

    >>> regulator = Regulator(gain=0.5, integral_gain=0.1, lowest=-1.0, highest=1.0)
    >>> state, setting = step(regulator, init(regulator), 1.0, 1.0)
    >>> setting
    0.6
    """
    check_positive("dt_s", dt_s)
    if isinf(error):
        raise InputError(f"`error` must be a finite number, or NaN if nothing was measured, but is {error}.")
    state = regulate(regulator.as_numbers(), state, float(error), float(dt_s))
    return state, state.setting


@kernel
def pi_law(
    gain: float, integral_gain: float, lowest: float, highest: float, integral: float, error: float, dt_s: float
) -> tuple[float, float]:
    """New integral and setting. The integral stands still where it would only drive a saturated actuator further."""
    trial = integral + integral_gain * error * dt_s
    wanted = trial + gain * error
    setting = min(max(wanted, lowest), highest)
    if (wanted - setting) * integral_gain * error > 0.0:
        return integral, setting
    return trial, setting


@kernel
def regulate(regulator: RegulatorNumbers, state: RegulatorState, error: float, dt_s: float) -> RegulatorState:
    """One period of a regulator: first the watch, then the setting."""
    seen = not isnan(error)
    inside = seen and abs(error) <= regulator.window
    outside_s = 0.0 if inside else state.outside_s + dt_s
    inside_s = state.inside_s + dt_s if inside else 0.0
    status, losses = state.status, state.losses
    if outside_s > 0.0 and outside_s >= regulator.patience_s:
        losses += status == LOCKED
        status = LOST
    elif inside and inside_s >= regulator.settle_s:
        status = LOCKED
    elif inside and status == LOST:
        status = ACQUIRING
    integral, setting, direction = state.integral, state.setting, state.direction
    if seen:
        integral, setting = pi_law(
            regulator.gain, regulator.integral_gain, regulator.lowest, regulator.highest, integral, error, dt_s
        )
    elif status == LOST and regulator.search_rate > 0.0:
        setting += direction * regulator.search_rate * dt_s
        if setting >= regulator.highest or setting <= regulator.lowest:
            direction = -direction
        setting = min(max(setting, regulator.lowest), regulator.highest)
        integral = setting
    elif status == LOST:
        integral = setting = regulator.home
    return RegulatorState(integral, setting, status, outside_s, inside_s, direction, losses)


@dataclass(frozen=True)
class Gate:
    """A counter that averages over its gate.

    Attributes:
        gate_s: gate time, s.
    """

    gate_s: float

    def __post_init__(self) -> None:
        check_positive("gate_s", self.gate_s)


class GateState(NamedTuple):
    """An open gate."""

    total: float  # integral of what was counted; NaN once anything was missing
    open_s: float


GATE_OPENS = GateState(0.0, 0.0)


def gate_init(gate: Gate) -> GateState:
    """A gate that has just opened."""
    return GATE_OPENS


def gate_step(gate: Gate, state: GateState, value: float, dt_s: float) -> tuple[GateState, float | None]:
    """Count `value` for `dt_s`: None while the gate is open, its mean when it closes (NaN if anything was missing).

    >>> state, mean = gate_step(Gate(2.0), gate_init(Gate(2.0)), 3.0, 1.0)
    >>> mean is None, gate_step(Gate(2.0), state, 5.0, 1.0)[1]
    (True, 4.0)
    """
    check_range("dt_s", dt_s, 1e-12, gate.gate_s)
    state = count(state, float(value), float(dt_s))
    if closes(state, float(gate.gate_s), float(dt_s)):
        return GATE_OPENS, state.total / state.open_s
    return state, None


@kernel
def count(state: GateState, value: float, dt_s: float) -> GateState:
    return GateState(state.total + value * dt_s, state.open_s + dt_s)


@kernel
def closes(state: GateState, gate_s: float, dt_s: float) -> bool:
    """Whether a gate that was just counted into ends here, to the nearest step."""
    return state.open_s >= gate_s - 0.5 * dt_s


class Instrument(Protocol):
    """What a regulator drives: a model or a device on the bench."""

    def measure(self) -> float:
        """One measurement; NaN if there is none."""

    def actuate(self, setting: float) -> None:
        """Set the actuator."""


class Reading(NamedTuple):
    """What one period of a driven loop saw and did."""

    measured: float  # NaN if there was nothing
    error: float
    setting: float
    status: str
    losses: int


def drive(
    regulator: Regulator,
    state: RegulatorState,
    instrument: Instrument,
    error_of: Callable[[float], float],
    dt_s: float,
) -> tuple[RegulatorState, Reading]:
    """One period: measure, decide, set. `error_of` gives a measurement's error, wanted less measured."""
    measured = instrument.measure()
    error = error_of(measured) if isfinite(measured) else nan
    state, setting = step(regulator, state, error, dt_s)
    instrument.actuate(setting)
    return state, Reading(measured, error, setting, STATUSES[state.status], state.losses)
