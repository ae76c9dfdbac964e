"""The repetition-rate lock: the comb's spacing held to a radio-frequency reference by the ring's temperature.

The seed is modulated at the reference's frequency; the beat of its first side bands with the comb's first lines falls
on a photodiode of 1 GHz, which passes the difference alone (paper 2.1). **Sign**: the difference is a magnitude,
:math:`|f_{RF} - f_{rep}|`, and near zero it does not tell too fast from too slow. The paper does not say how its lock
gets a sign. Here (assumed) the reference stands `offset_hz` above the wanted spacing, so that a locked beat sits at
`offset_hz` and a faster comb lowers it. The sign is right while the error stays below the offset; beyond, the beat is
folded: up to twice the offset it still pushes the right way, from there it drives the comb away.

**What the temperature compensates**: 215 Hz at 0.44 MHz/K are 0.5 mK of the ring. The 150 mK that the paper monitors
therefore compensate something that moves the spacing but is not the ring's temperature (detuning, power, strain); it
enters as `Disturbance.rep_rate_hz`. What the ring itself feels enters as `ambient_k`, and leaves it at 0.5 mK.
"""

from dataclasses import dataclass, replace
from math import exp, inf, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground import control
from combmesh.ground.control import (
    GATE_OPENS,
    LOCKED,
    STATUSES,
    GateState,
    Regulator,
    RegulatorNumbers,
    RegulatorState,
    closes,
    count,
    regulate,
)
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.kernels import kernel

Trace = NDArray[np.float64]


@dataclass(frozen=True)
class Ring:
    """What temperature does to a microring, about its working point.

    Without arguments a plain line for a loop alone (all assumed); `survival.lock_ring` derives one from a comb.

    Attributes:
        time_constant_s: tau of :math:`C\\,dT/dt = P - (T - T_a)/R`, s (1 to 10 in packages like this).
        resistance_k_w: R, K/W.
        rep_rate_hz_k: change of the spacing with the cold ring's temperature, Hz/K (doped silica, 9e-6 /K at 49 GHz).
        resonance_hz_k: change of the pumped resonance, Hz/K.
        linewidth_hz: loaded linewidth kappa/2pi, Hz.
        zeta: detuning of laser and cold ring at the working point, 2 (w0 - wp)/kappa; without heat and Kerr shift.
        pull_hz_zeta: change of the spacing by the soliton's answer to that detuning, Hz per unit of zeta.
        coldest_k, warmest_k: where the soliton survives, K.
        bend_hz: the spacing beside the line `slope_hz_k`, at even temperatures from coldest_k to warmest_k, Hz.
    """

    time_constant_s: float = 5.0
    resistance_k_w: float = 10.0
    rep_rate_hz_k: float = -0.44e6
    resonance_hz_k: float = -1.73e9
    linewidth_hz: float = 113e6
    zeta: float = 21.0
    pull_hz_zeta: float = 0.0
    coldest_k: float = -1.0
    warmest_k: float = 1.0
    bend_hz: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("time_constant_s", "resistance_k_w", "linewidth_hz"):
            check_positive(name, getattr(self, name))
        for name in ("rep_rate_hz_k", "resonance_hz_k", "zeta", "pull_hz_zeta"):
            check_range(name, getattr(self, name))
        check_range("coldest_k", self.coldest_k, high=0.0)
        check_range("warmest_k", self.warmest_k, low=0.0)
        if self.coldest_k == self.warmest_k:
            raise InputError("`coldest_k` must be below `warmest_k`, but both are 0.")
        if len(self.bend_hz) < 2:
            raise InputError(f"`bend_hz` must have at least 2 values, but has {len(self.bend_hz)}.")
        if self.slope_hz_k == 0.0:
            raise InputError("`rep_rate_hz_k` and `pull_hz_zeta` must leave the spacing a slope, but it is 0 Hz/K.")

    @property
    def zeta_k(self) -> float:
        """Change of the detuning with temperature, 1/K: the pump is held by rubidium, so the resonance alone moves."""
        return 2.0 * self.resonance_hz_k / self.linewidth_hz

    def zeta_at(self, temperature_k: float) -> float:
        """Detuning of laser and cold ring, for the soliton's own tier: 150 mK are 4.6 units.

        >>> round(Ring().zeta_at(0.150), 2)
        16.41
        """
        return self.zeta + self.zeta_k * temperature_k

    @property
    def slope_hz_k(self) -> float:
        """Change of the spacing with temperature at the working point, the soliton's answer included, Hz/K."""
        return self.rep_rate_hz_k + self.pull_hz_zeta * self.zeta_k

    def spacing_hz(self, temperature_k: float) -> float:
        """Spacing from its value at the working point, Hz; NaN where the soliton does not survive."""
        if not self.coldest_k <= temperature_k <= self.warmest_k:
            return nan
        nodes = np.linspace(self.coldest_k, self.warmest_k, len(self.bend_hz))
        return self.slope_hz_k * temperature_k + float(np.interp(temperature_k, nodes, self.bend_hz))


@dataclass(frozen=True)
class RepetitionLock:
    """A ring, its photodiode and counter, and the regulator of its heater or cooler.

    Attributes:
        ring: the plant.
        regulator: hertz of error in, watts out.
        offset_hz: how far the reference stands above the wanted spacing, Hz (assumed; it gives the sign).
        bandwidth_hz: of the photodiode, Hz (printed: 1 GHz).
        period_s: gate of the counter, one setting each, s (assumed: 1 s).
        access_s: time from a ring inside its range to the next soliton, s (assumed).
    """

    ring: Ring
    regulator: Regulator
    offset_hz: float = 10e6
    bandwidth_hz: float = 1e9
    period_s: float = 1.0
    access_s: float = 5.0

    def __post_init__(self) -> None:
        check_positive("bandwidth_hz", self.bandwidth_hz)
        check_range("offset_hz", self.offset_hz, 0.0, self.bandwidth_hz)
        check_positive("offset_hz", self.offset_hz)
        check_positive("period_s", self.period_s)
        check_range("access_s", self.access_s, 0.0)


def temperature_lock(
    ring: Ring | None = None,
    crossover_rad_s: float = 0.2,
    highest_power_w: float = 0.1,
    window_hz: float = 5e3,
    period_s: float = 1.0,
) -> RepetitionLock:
    """The lock whose open loop is :math:`\\omega_c/s`: the controller's zero cancels the ring's pole (all assumed).

    :math:`k_p = \\omega_c \\tau/(K R)`, :math:`k_i = \\omega_c/(K R)`.
    """
    ring = ring or Ring()
    check_range("crossover_rad_s", crossover_rad_s, 0.0)
    check_positive("highest_power_w", highest_power_w)
    if crossover_rad_s * period_s > 1.0:
        raise InputError(
            f"`crossover_rad_s` must be at most one over the period of {period_s:g} s, for the loop would ring or run "
            f"away, but is {crossover_rad_s:g}."
        )
    k_i = crossover_rad_s / (ring.slope_hz_k * ring.resistance_k_w)
    regulator = Regulator(k_i * ring.time_constant_s, k_i, -highest_power_w, highest_power_w, window_hz)
    return RepetitionLock(ring, regulator, period_s=period_s)


def opened(lock: RepetitionLock) -> RepetitionLock:
    """The same hardware with the loop off: it measures, and the actuator stays where it is."""
    return replace(lock, regulator=replace(lock.regulator, gain=0.0, integral_gain=0.0))


class Disturbance(NamedTuple):
    """What the surroundings do during one step."""

    rep_rate_hz: float = 0.0  # to the spacing, beside the ring's temperature
    ambient_k: float = 0.0  # to the temperature around the ring


class RepetitionState(NamedTuple):
    """A lock at work."""

    temperature_k: float  # of the ring, from its working point
    regulator: RegulatorState
    gate: GateState  # of the counter of the beat, Hz s
    dark_s: float  # time until there is a soliton; 0 with one


class RepetitionReading(NamedTuple):
    """What one step of a lock shows."""

    error_hz: float  # true spacing less the wanted one; NaN without a soliton
    beat_hz: float  # what the photodiode passes; NaN if nothing
    temperature_k: float
    power_w: float
    zeta: float  # of laser and cold ring, for the soliton's tier
    status: str
    losses: int


class _Numbers(NamedTuple):
    tau_s: float
    resistance: float
    slope: float
    coldest: float
    warmest: float
    offset: float
    bandwidth: float
    period_s: float
    access_s: float
    bend: Trace


def init(lock: RepetitionLock) -> RepetitionState:
    """A ring at its working point with a soliton, the loop about to begin."""
    return RepetitionState(0.0, control.init(lock.regulator), GATE_OPENS, 0.0)


def step(
    lock: RepetitionLock, state: RepetitionState, disturbance: Disturbance, dt_s: float
) -> tuple[RepetitionState, RepetitionReading]:
    """One step of the ring, its counter and, when a gate closes, its regulator."""
    check_range("dt_s", dt_s, 1e-9, lock.period_s)
    for name, value in disturbance._asdict().items():
        check_range(name, value)
    disturbance = Disturbance(float(disturbance.rep_rate_hz), float(disturbance.ambient_k))
    decay = exp(-dt_s / lock.ring.time_constant_s)
    state, error, beat = _advance(_numbers(lock), lock.regulator.as_numbers(), state, disturbance, float(dt_s), decay)
    ring, regulator = lock.ring, state.regulator
    zeta = ring.zeta_at(state.temperature_k)
    status = STATUSES[regulator.status]
    reading = RepetitionReading(error, beat, state.temperature_k, regulator.setting, zeta, status, regulator.losses)
    return state, reading


def beat_error_hz(lock: RepetitionLock, beat_hz: float) -> float:
    """Wanted less measured spacing from a counted beat, Hz, for a regulator that drives an instrument.

    >>> beat_error_hz(temperature_lock(), 10e6 + 215.0)
    215.0
    """
    return beat_hz - lock.offset_hz


class LockTrace(NamedTuple):
    """Three hours of a lock, one value a counter period, `(period,)`."""

    period_s: float
    error_hz: Trace  # mean of the true spacing less the wanted one; NaN where the soliton was missing
    temperature_k: Trace
    power_w: Trace
    status: NDArray[np.int8]
    losses: int


def run(lock: RepetitionLock, rep_rate_hz: Trace, dt_s: float = 0.1, ambient_k: Trace | None = None) -> LockTrace:
    """A whole trace: `step` over the disturbances `(step,)`, compiled."""
    per = round(lock.period_s / dt_s)
    check_range("dt_s", dt_s, 1e-9, lock.period_s)
    if abs(per * dt_s - lock.period_s) > 1e-9 * lock.period_s:
        raise InputError(f"`dt_s` must divide the period of {lock.period_s:g} s, but is {dt_s:g}.")
    if not np.isfinite(rep_rate_hz).all():
        raise InputError("`rep_rate_hz` must be finite numbers, but has others.")
    ambient = np.zeros_like(rep_rate_hz) if ambient_k is None else ambient_k
    if ambient.shape != rep_rate_hz.shape:
        raise InputError(f"`ambient_k` must have shape (step,) = {rep_rate_hz.shape}, but has {ambient.shape}.")
    if not np.isfinite(ambient).all():
        raise InputError("`ambient_k` must be finite numbers, but has others.")
    out = np.empty((4, rep_rate_hz.size // per))
    decay = exp(-dt_s / lock.ring.time_constant_s)
    numbers = _numbers(lock), lock.regulator.as_numbers()
    last = _run(*numbers, init(lock), rep_rate_hz, ambient, float(dt_s), decay, per, out)
    return LockTrace(lock.period_s, out[0], out[1], out[2], out[3].astype(np.int8), last.regulator.losses)


class LockEvent(NamedTuple):
    """A stretch of a trace in which a lock that had been there was not."""

    lost_s: float
    relocked_s: float  # inf if it was not reacquired


def lock_events(status: NDArray[np.int8], period_s: float) -> list[LockEvent]:
    """When the lock was lost and reacquired."""
    held = status == LOCKED
    changes = np.flatnonzero(np.diff(held.astype(np.int8))) + 1
    events = []
    for change in changes:
        if not held[change]:
            events.append(LockEvent(float(change * period_s), inf))
        elif events:
            events[-1] = LockEvent(events[-1].lost_s, float(change * period_s))
    return events


def gated(values: Trace, period_s: float, gate_s: float) -> Trace:
    """`(..., gate)` means of `(..., period)` over a longer gate; a last gate that is not full is dropped."""
    per = round(gate_s / period_s)
    if per < 1 or abs(per * period_s - gate_s) > 1e-9 * gate_s:
        raise InputError(f"`gate_s` must be a multiple of the period of {period_s:g} s, but is {gate_s:g}.")
    whole = values[..., : values.shape[-1] // per * per]
    means: Trace = whole.reshape(*values.shape[:-1], -1, per).mean(axis=-1)
    return means


def _numbers(lock: RepetitionLock) -> _Numbers:
    ring = lock.ring
    return _Numbers(
        tau_s=float(ring.time_constant_s),
        resistance=float(ring.resistance_k_w),
        slope=float(ring.slope_hz_k),
        coldest=float(ring.coldest_k),
        warmest=float(ring.warmest_k),
        offset=float(lock.offset_hz),
        bandwidth=float(lock.bandwidth_hz),
        period_s=float(lock.period_s),
        access_s=float(lock.access_s),
        bend=np.array(ring.bend_hz, dtype=np.float64),
    )


@kernel
def _spacing(lock: _Numbers, T: float) -> float:
    """`Ring.spacing_hz`, where the soliton survives."""
    place = (T - lock.coldest) / (lock.warmest - lock.coldest) * (lock.bend.size - 1)
    k = min(int(place), lock.bend.size - 2)
    spacing: float = lock.slope * T + lock.bend[k] + (place - k) * (lock.bend[k + 1] - lock.bend[k])
    return spacing


@kernel
def _advance(
    lock: _Numbers,
    regulator: RegulatorNumbers,
    state: RepetitionState,
    disturbance: Disturbance,
    dt_s: float,
    decay: float,
) -> tuple[RepetitionState, float, float]:
    rest = lock.resistance * state.regulator.setting + disturbance.ambient_k
    T = rest + (state.temperature_k - rest) * decay  # C dT/dt = P - (T - Ta)/R, solved for constant P and Ta
    alive = lock.coldest <= T <= lock.warmest
    dark_s = max(state.dark_s - dt_s, 0.0) if alive else lock.access_s
    error = _spacing(lock, T) + disturbance.rep_rate_hz if alive and dark_s == 0.0 else nan
    beat = abs(lock.offset - error)  # of the reference and the spacing: a magnitude
    if beat > lock.bandwidth:
        beat = nan
    gate, inner = count(state.gate, beat, dt_s), state.regulator
    if closes(gate, lock.period_s, dt_s):
        inner = regulate(regulator, inner, gate.total / gate.open_s - lock.offset, gate.open_s)
        gate = GateState(0.0, 0.0)
    return RepetitionState(T, inner, gate, dark_s), error, beat


@kernel
def _run(
    lock: _Numbers,
    regulator: RegulatorNumbers,
    state: RepetitionState,
    rep_rate_hz: Trace,
    ambient_k: Trace,
    dt_s: float,
    decay: float,
    per: int,
    out: Trace,
) -> RepetitionState:
    for gate in range(out.shape[1]):
        errors = temperatures = powers = 0.0
        for i in range(gate * per, (gate + 1) * per):
            powers += state.regulator.setting
            state, error, _ = _advance(lock, regulator, state, Disturbance(rep_rate_hz[i], ambient_k[i]), dt_s, decay)
            errors += error
            temperatures += state.temperature_k
        out[0, gate], out[1, gate], out[2, gate] = errors / per, temperatures / per, powers / per
        out[3, gate] = state.regulator.status
    return state
