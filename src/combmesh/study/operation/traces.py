"""Residuals of both arms over hours: the models of drift with their controls, on one grid of probes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link import drift
from combmesh.link.compensation import arrival, polarization
from combmesh.link.compensation.arrival import Clicks
from combmesh.link.compensation.disclosed import errors_of
from combmesh.link.compensation.search import Descent, DescentState
from combmesh.link.compensation.squeezers import Squeezers
from combmesh.link.devices.build import Pair
from combmesh.link.devices.residuals import Residuals, held
from combmesh.link.fibre import FibreArm, equivalent_loss
from combmesh.study.operation.controls import Controls

Floats = NDArray[np.float64]
Step = Callable[[], None]

SETTLE_PROBES = 400
"""Probes before the record, in which the search finds the polarization."""

_MOST_ERROR = 0.5  # light that is more than half wrong carries no key either way


@dataclass(frozen=True, eq=False)
class Traces:
    """What drifts and controls leave of both arms, one value a probe, `(probe, user)`.

    Attributes:
        time_s: `(probe,)` end of each probe, s.
        error_z, error_x: share of the arm's light in the wrong polarization while it makes key, at most 0.5.
        delay_ps: arrival, ps from where it should be.
    """

    time_s: Floats
    error_z: Floats
    error_x: Floats
    delay_ps: Floats

    def residuals(self, pair: Pair, line: int) -> tuple[Residuals, Residuals]:
        """As `line_terms` takes them, `(probe, 1)`; the frequency stays at the rms of its locks."""
        sides = held(pair.devices.control, pair.comb, np.array([line]))
        columns = (self.error_z, self.error_x, self.delay_ps)
        one, other = (
            replace(side, error_z=e_z, error_x=e_x, delay_ps=delay)
            for side, (e_z, e_x, delay) in zip(
                sides, ([column[:, user, None] for column in columns] for user in (0, 1)), strict=True
            )
        )
        return one, other


def attenuated(pair: Pair) -> Pair:
    """The same pair with an attenuator of the same loss in place of each fibre."""
    return replace(pair, arms=(equivalent_loss(pair.arms[0]), equivalent_loss(pair.arms[1])))


def met_by_control(arm: FibreArm) -> FibreArm:
    """The arm as its polarization control meets it: an attenuator's patch cords have any polarization, and keep it."""
    if arm.length_km > 0.0:
        return arm
    return replace(arm, length_km=1.0, beta2_ps2_km=0.0, delay_ps_km_k=0.0, polarization_rad_sqrt_km_s=0.0)


def steps_of(controls: Controls, pair: Pair, seconds: float) -> int:
    """How often `traces_of` calls its `on_step`."""
    probes = probes_of(controls, seconds)
    return (1 if pair.arms[0] == pair.arms[1] else 2) * (probes + SETTLE_PROBES) if controls.on else 2 * probes


def probes_of(controls: Controls, seconds: float) -> int:
    """Probes of a record."""
    probes = round(seconds / controls.probe_s)
    if probes < 1:
        raise InputError(f"`seconds` must be at least one probe of {controls.probe_s:g} s, but is {seconds:g}.")
    return probes


def traces_of(
    pair: Pair,
    controls: Controls,
    seconds: float,
    seen_fwhm_ps: float,
    rng: np.random.Generator,
    on_step: Step | None = None,
) -> Traces:
    """Both arms for a while; one polarization for all lines of a fibre.

    Args:
        pair: the users and their fibres.
        controls: what holds them; off, they drift from where they were aligned.
        seconds: length of the record, s.
        seen_fwhm_ps: spread of clicks about their pulse's centre, ps.
        rng: of drift, probes and counts.
        on_step: called at each probe, settling included.
    """
    probes = probes_of(controls, seconds)
    time_s = controls.probe_s * np.arange(1, probes + 1, dtype=np.float64)
    if not controls.on:
        sides = [_left_alone(arm, controls.probe_s, probes, rng, on_step) for arm in pair.arms]
        e_z, e_x, delay = (np.stack(column, axis=-1) for column in zip(*sides, strict=True))
    else:
        e_z, e_x = _held_polarization(pair, controls, seconds, rng, on_step)
        period_ps = 1e12 / pair.clock_hz
        clicks = Clicks(seen_fwhm_ps, period_ps, controls.arrival_counts)
        delays = [_held_arrival(arm, clicks, controls, seconds, rng, time_s) for arm in pair.arms]
        delay = np.stack(delays, axis=-1)
    return Traces(time_s, np.minimum(e_z, _MOST_ERROR), np.minimum(e_x, _MOST_ERROR), delay)


def _held_polarization(
    pair: Pair, controls: Controls, seconds: float, rng: np.random.Generator, on_step: Step | None
) -> tuple[Floats, Floats]:
    """Errors while the search probes, `(probe, user)`: arms alike at once."""
    search = Watched(controls.search, on_step)

    def hold(arm: FibreArm, shape: tuple[int, ...]) -> polarization.PolarizationTrace:
        return polarization.follow(
            search, met_by_control(arm), controls.disclosure, seconds, rng, controls.probe_s, shape, SETTLE_PROBES
        )

    if pair.arms[0] == pair.arms[1]:
        both = hold(pair.arms[0], (2,))
        return both.error_z, both.error_x
    sides = [hold(arm, (1,)) for arm in pair.arms]
    e_z, e_x = (np.concatenate([getattr(side, name) for side in sides], axis=-1) for name in ("error_z", "error_x"))
    return e_z, e_x


def _held_arrival(
    arm: FibreArm, clicks: Clicks, controls: Controls, seconds: float, rng: np.random.Generator, time_s: Floats
) -> Floats:
    """Arrival at each probe: that of the period in which it ends."""
    period_s = min(controls.arrival_period_s, seconds)
    trace = arrival.follow(arm, clicks, seconds, rng, period_s, controls.arrival_gain)
    place = np.searchsorted(trace.time_s, time_s - 1e-9)
    return trace.arrival_ps[np.minimum(place, trace.arrival_ps.size - 1)]


def _left_alone(
    arm: FibreArm, probe_s: float, probes: int, rng: np.random.Generator, on_step: Step | None
) -> tuple[Floats, Floats, Floats]:
    """(e_Z, e_X, delay) of an arm that was perfectly aligned when the record began, `(probe,)`."""
    fibre = drift.init(arm, rng)
    back = fibre.jones.conj().T
    began_ps = arm.delay_ps_k * float(fibre.fibre_k)
    ways, delays = [], []
    for _ in range(probes):
        fibre, now = drift.step(arm, fibre, probe_s, rng)
        ways.append(back @ now.jones)
        delays.append(float(now.delay_ps) - began_ps if arm.length_km > 0.0 else 0.0)
        if on_step:
            on_step()
    e_z, e_x = errors_of(np.array(ways))
    return e_z, e_x, np.array(delays)


class Watched:
    """A search that reports each of its steps."""

    def __init__(self, search: Descent, on_step: Step | None) -> None:
        self._search, self._on_step = search, on_step

    @property
    def squeezers(self) -> Squeezers:
        return self._search.squeezers

    def init(self, start_rad: Floats, rng: np.random.Generator) -> DescentState:
        return self._search.init(start_rad, rng)

    def step(self, state: DescentState, cost: Floats, rng: np.random.Generator) -> tuple[DescentState, Floats]:
        if self._on_step:
            self._on_step()
        return self._search.step(state, cost, rng)
