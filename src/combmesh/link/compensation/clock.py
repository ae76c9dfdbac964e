r"""Clock synchronisation: a loop that holds the period and the offset of a user's pulses in the relay's clock.

The period is acquired once, from a record, by `combmesh.link.timetags.clock.recover_clock`. Then each batch of clicks
gives one phase error, the centroid of what its clicks are off their predicted pulses, and the loop corrects offset and
period: a phase-locked loop of second order whose gains are those of a Kalman filter, with the period's random walk as
its input (`wander`). A batch whose phase error exceeds `SIGMAS` standard deviations of the prediction, or a prediction
that could be off by half a pulse, is a lost clock, never a slip that nobody sees.
"""

from dataclasses import dataclass
from math import floor, isnan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.control import LOCKED, LOST, STATUSES
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.compensation.arrival import centroid_ps, centroid_std_ps
from combmesh.link.timetags.clock import FINEST_WANDER, WANDER, RecoveredClock

Times = NDArray[np.int64]

SIGMAS = 7.0
"""A batch of a held clock exceeds them with probability 3e-12."""

FEWEST_CLICKS = 20


@dataclass(frozen=True)
class ClockLoop:
    """How a clock is followed.

    Attributes:
        nominal_period_ps: period of the pulses as they should come, ps.
        sigma_ps: standard deviation of a click about its pulse, ps.
        wander: random walk of the pulse rate, relative, per square root of a second.
        light_share: share of the clicks that is light.
    """

    nominal_period_ps: float = 400.0
    sigma_ps: float = 48.4
    wander: float = WANDER
    light_share: float = 1.0

    def __post_init__(self) -> None:
        check_positive("nominal_period_ps", self.nominal_period_ps)
        check_positive("sigma_ps", self.sigma_ps)
        if self.sigma_ps > 0.25 * self.nominal_period_ps:
            raise InputError(
                f"`sigma_ps` must be at most a quarter of the period of {self.nominal_period_ps:g} ps, for pulses "
                f"would run into each other, but is {self.sigma_ps:g}."
            )
        check_range("wander", self.wander, FINEST_WANDER, 1e-3)
        check_range("light_share", self.light_share, 1e-3, 1.0)


class ClockState(NamedTuple):
    """Pulse `pulse` comes at `at_ps + rest_ps`, the next ones `period_ps` apart; with the errors of both."""

    at_ps: int
    rest_ps: float
    pulse: int
    period_ps: float
    p00: float  # variance of the offset, ps^2
    p01: float  # covariance of offset and relative period, ps
    p11: float  # variance of the relative period
    status: int  # LOCKED or LOST
    losses: int


class ClockReading(NamedTuple):
    """What one batch told."""

    error_ps: float  # of the prediction; NaN if the batch told nothing
    period_ps: float
    std_ps: float  # of the offset after the batch
    status: str


def init(loop: ClockLoop, clock: RecoveredClock) -> ClockState:
    """From the end of a record whose clock was recovered."""
    return begin(
        loop,
        int(clock.knot_ps[-1]),
        -float(clock.knot_fraction[-1] / clock.knot_rate[-1]),
        int(clock.knot_pulse[-1]),
        float(1.0 / clock.knot_rate[-1]),
        max(clock.phase_error_ps, 0.1),
        max(clock.wander, FINEST_WANDER),
    )


def begin(
    loop: ClockLoop,
    at_ps: int,
    rest_ps: float,
    pulse: int,
    period_ps: float,
    offset_error_ps: float,
    period_error: float,
) -> ClockState:
    """A clock known to these errors; `period_error` is relative."""
    check_positive("period_ps", period_ps)
    check_positive("offset_error_ps", offset_error_ps)
    check_positive("period_error", period_error)
    if abs(period_ps / loop.nominal_period_ps - 1.0) > 0.01:
        nominal = loop.nominal_period_ps
        raise InputError(f"`period_ps` must be within 1 % of the nominal {nominal:g} ps, but is {period_ps:g}.")
    return ClockState(at_ps, rest_ps, pulse, period_ps, offset_error_ps**2, 0.0, period_error**2, LOCKED, 0)


def step(loop: ClockLoop, state: ClockState, time_ps: Times) -> tuple[ClockState, ClockReading]:
    """Push a batch of clicks `(click,)`, later than the last one; get the corrected clock.

    A batch with fewer than 20 clicks tells nothing. A batch must be short beside the time in which the wander blurs a
    pulse: 20 ms at 1e-8 and 400 ps. A lost clock stays so until it is begun anew.
    """
    time_ps = np.asarray(time_ps, np.int64)
    if state.status == LOST or time_ps.size < FEWEST_CLICKS:
        return state, ClockReading(np.nan, state.period_ps, sqrt(state.p00), STATUSES[state.status])
    middle = int(time_ps[0] + np.mean(time_ps - time_ps[0]))
    if middle < state.at_ps:
        raise InputError(f"`time_ps` must be later than the last batch, at {state.at_ps}, but is at {middle}.")
    state = _to(loop, state, middle)
    residual_ps = (time_ps - state.at_ps) - state.rest_ps
    error_ps = centroid_ps(residual_ps, state.period_ps)
    R = centroid_std_ps(loop.sigma_ps, state.period_ps, time_ps.size, loop.light_share) ** 2
    s = state.p00 + R
    if isnan(error_ps) or SIGMAS * sqrt(s) > 0.5 * state.period_ps or abs(error_ps) > SIGMAS * sqrt(s):
        state = state._replace(status=LOST, losses=state.losses + 1)
        return state, ClockReading(error_ps, state.period_ps, sqrt(state.p00), STATUSES[LOST])
    offset, rate = state.p00 / s, state.p01 / s  # Kalman gains
    state = state._replace(
        rest_ps=state.rest_ps + offset * error_ps,
        period_ps=state.period_ps * (1.0 + rate * error_ps),
        p00=state.p00 * R / s,
        p01=state.p01 * R / s,
        p11=state.p11 - state.p01 * rate,
    )
    return state, ClockReading(error_ps, state.period_ps, sqrt(state.p00), STATUSES[state.status])


def pulse_of(state: ClockState, time_ps: Times) -> tuple[Times, NDArray[np.float64]]:
    """(pulse, residual_ps), `(click,)` each, near the last batch."""
    past = (np.asarray(time_ps, np.int64) - state.at_ps) - state.rest_ps
    number = np.floor(past / state.period_ps + 0.5)
    return state.pulse + number.astype(np.int64), past - number * state.period_ps


def _to(loop: ClockLoop, state: ClockState, middle_ps: int) -> ClockState:
    """The prediction for the pulse nearest to `middle_ps`."""
    past = float(middle_ps - state.at_ps) - state.rest_ps
    pulses = floor(past / state.period_ps + 0.5)
    whole = floor(state.period_ps)
    broken = pulses * (state.period_ps - whole) + state.rest_ps
    dt = pulses * state.period_ps  # ps
    q = loop.wander**2 * 1e-12  # of the relative rate, per ps
    return state._replace(
        at_ps=state.at_ps + pulses * whole + floor(broken),
        rest_ps=broken - floor(broken),
        pulse=state.pulse + pulses,
        p00=state.p00 + 2.0 * dt * state.p01 + dt * dt * state.p11 + q * dt**3 / 3.0,
        p01=state.p01 + dt * state.p11 + 0.5 * q * dt * dt,
        p11=state.p11 + q * dt,
    )
