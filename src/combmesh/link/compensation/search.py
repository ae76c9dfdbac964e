r"""Three ways to hold a polarization by its error counts, all as `init` and `step`.

Push the cost of the last setting (the mean error of disclosed states; NaN if it could not be measured, then the
setting is repeated), get the next one. Settings are retardances `(..., squeezer)` of one controller or of many; all of
them move in step.
"""

from dataclasses import dataclass, field
from math import pi
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.compensation.squeezers import Squeezers, check_setting

Floats = NDArray[np.float64]


class SearchState(Protocol):
    """What a search remembers."""

    @property
    def centre_rad(self) -> Floats:
        """The best setting so far: the one to stop at."""

    @property
    def setting_rad(self) -> Floats:
        """The setting whose cost comes next."""


S = TypeVar("S", bound=SearchState)


class Search(Protocol[S]):
    """A way to find and hold the setting of least cost."""

    @property
    def squeezers(self) -> Squeezers:
        """What is set."""

    def init(self, start_rad: Floats, rng: np.random.Generator) -> S:
        """A search that begins at `start_rad`, `(..., squeezer)`."""

    def step(self, state: S, cost: Floats, rng: np.random.Generator) -> tuple[S, Floats]:
        """Push the cost of the last setting, `(...)`, get the next setting."""


class DescentState(NamedTuple):
    """Of `Descent`."""

    centre_rad: Floats
    probe_rad: Floats  # the shared step of all squeezers
    cost_plus: Floats | None  # of the first half of an iteration, None until it is measured
    iterations: int

    @property
    def setting_rad(self) -> Floats:
        return self.centre_rad + (self.probe_rad if self.cost_plus is None else -self.probe_rad)


@dataclass(frozen=True)
class Descent:
    r"""Stochastic parallel gradient descent (SPGD): all squeezers step at once, each to a side that a coin chooses.

    .. math:: u \leftarrow u - \gamma\,(J_+ - J_-)\,\delta u/\delta^2, \qquad \delta u_k = \pm\delta

    (Vorontsov and Sivokon, J. Opt. Soc. Am. A 15, 2745 (1998)). An iteration is two probes. The mean change is
    :math:`-2\gamma\nabla J`. Near a minimum the choice of sides alone lets the mean of J grow where the gain is too
    high: at no minimum of four squeezers up to 0.4, at one of seven at 0.5, at every one at 1 (docs/compensation.md).

    Attributes:
        squeezers: what is set.
        gain: gamma.
        probe_rad: delta, rad.
        rest_below: an iteration whose mean cost is below is followed by one without a probe; 0 always probes. To rest
            it must be above about delta squared over 2, which is what probes themselves cost.
    """

    squeezers: Squeezers = field(default_factory=Squeezers)
    gain: float = 0.3
    probe_rad: float = 0.05
    rest_below: float = 0.0

    def __post_init__(self) -> None:
        check_positive("gain", self.gain)
        check_positive("probe_rad", self.probe_rad)
        check_range("probe_rad", self.probe_rad, 0.0, pi)
        check_range("rest_below", self.rest_below, 0.0, 0.5)

    def init(self, start_rad: Floats, rng: np.random.Generator) -> DescentState:
        check_setting("start_rad", start_rad, self.squeezers)
        return DescentState(np.asarray(start_rad, np.float64), self._sides(np.shape(start_rad), rng), None, 0)

    def step(self, state: DescentState, cost: Floats, rng: np.random.Generator) -> tuple[DescentState, Floats]:
        if not measured(cost):
            return state, state.setting_rad
        if state.cost_plus is None:
            state = state._replace(cost_plus=np.asarray(cost))
            return state, state.setting_rad
        u, du, gamma, delta = state.centre_rad, state.probe_rad, self.gain, self.probe_rad
        change = (state.cost_plus - cost)[..., None]
        u = self.squeezers.within(u - gamma * change * du / delta**2)  # Vorontsov & Sivokon 1998
        awake = 0.5 * (state.cost_plus + cost) >= self.rest_below
        du = np.where(awake[..., None], self._sides(u.shape, rng), 0.0)
        state = DescentState(u, du, None, state.iterations + 1)
        return state, state.setting_rad

    def _sides(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        return np.where(rng.integers(0, 2, shape) == 0, self.probe_rad, -self.probe_rad)


class CoordinateState(NamedTuple):
    """Of `CoordinateDescent`."""

    centre_rad: Floats
    squeezer: int  # whose turn it is
    reach_rad: Floats  # of the two side steps
    costs: tuple[Floats, ...]  # measured so far: at the centre, above, below

    @property
    def setting_rad(self) -> Floats:
        setting = self.centre_rad.copy()
        if self.costs:
            setting[..., self.squeezer] += self.reach_rad if len(self.costs) == 1 else -self.reach_rad
        return setting


@dataclass(frozen=True)
class CoordinateDescent:
    r"""One squeezer after the other, each to the minimum of its own sinusoid.

    An error share is linear in the Stokes vector, so in one retardance it is :math:`A + B\cos x + C\sin x` exactly;
    three probes, at 0 and :math:`\pm d`, give its minimum at :math:`x = \mathrm{atan2}(-C, -B)` (Nakanishi, Fujii and
    Todo, Phys. Rev. Res. 2, 043158 (2020), for circuits). The reach d shrinks with the root of the cost.

    Attributes:
        squeezers: what is set.
        shortest_rad, longest_rad: bounds of d, rad.
        reach: d for each root of cost, rad.
    """

    squeezers: Squeezers = field(default_factory=Squeezers)
    shortest_rad: float = 0.2
    longest_rad: float = pi / 2.0
    reach: float = 4.0

    def __post_init__(self) -> None:
        check_positive("shortest_rad", self.shortest_rad)
        check_range("longest_rad", self.longest_rad, self.shortest_rad, pi / 2.0)
        check_positive("reach", self.reach)

    def init(self, start_rad: Floats, rng: np.random.Generator) -> CoordinateState:
        check_setting("start_rad", start_rad, self.squeezers)
        start = np.asarray(start_rad, np.float64)
        return CoordinateState(start, 0, np.zeros(start.shape[:-1]), ())

    def step(self, state: CoordinateState, cost: Floats, rng: np.random.Generator) -> tuple[CoordinateState, Floats]:
        if not measured(cost):
            return state, state.setting_rad
        costs = (*state.costs, np.asarray(cost))
        if len(costs) == 1:
            d = np.clip(self.reach * np.sqrt(costs[0]), self.shortest_rad, self.longest_rad)
            state = state._replace(costs=costs, reach_rad=np.asarray(d))
        elif len(costs) == 2:
            state = state._replace(costs=costs)
        else:
            centre = state.centre_rad.copy()
            centre[..., state.squeezer] += self._minimum(costs, state.reach_rad)
            follower = (state.squeezer + 1) % self.squeezers.count
            state = CoordinateState(self.squeezers.within(centre), follower, state.reach_rad, ())
        return state, state.setting_rad

    @staticmethod
    def _minimum(costs: tuple[Floats, ...], d: Floats) -> Floats:
        """The move to the minimum, no further than the reach."""
        here, above, below = costs
        B = (here - 0.5 * (above + below)) / (1.0 - np.cos(d))
        C = (above - below) / (2.0 * np.sin(d))
        move = np.where((B == 0.0) & (C == 0.0), 0.0, np.arctan2(-C, -B))  # Nakanishi et al. 2020
        return np.asarray(np.clip(move, -2.0 * d, 2.0 * d))


class AnnealingState(NamedTuple):
    """Of `Annealing`."""

    centre_rad: Floats
    cost: Floats | None  # of the centre, None until it is measured
    trial_rad: Floats
    temperature: float
    rechecks_in: int  # probes until the centre is measured again

    @property
    def setting_rad(self) -> Floats:
        return self.trial_rad


@dataclass(frozen=True)
class Annealing:
    r"""Simulated annealing: a random step is kept if it is better, or with the probability :math:`e^{-\Delta J/T}`.

    (Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983)). T falls by `cooling` a probe down to `coldest`. Steps are
    normal, with a width of `reach` times the root of the cost. The centre is measured again now and then, for the
    fibre drifts.

    Attributes:
        squeezers: what is set.
        hottest, coldest: T at the start and at the end, in units of the cost.
        cooling: factor of T, a probe.
        reach: width of a step for each root of cost, rad.
        recheck: probes after which the centre is measured again.
    """

    squeezers: Squeezers = field(default_factory=Squeezers)
    hottest: float = 0.02
    coldest: float = 1e-4
    cooling: float = 0.9
    reach: float = 1.2
    recheck: int = 5

    def __post_init__(self) -> None:
        check_positive("coldest", self.coldest)
        check_range("hottest", self.hottest, self.coldest)
        check_range("cooling", self.cooling, 0.0, 1.0)
        check_positive("reach", self.reach)
        if self.recheck < 2:
            raise InputError(f"`recheck` must be at least 2, but is {self.recheck}.")

    def init(self, start_rad: Floats, rng: np.random.Generator) -> AnnealingState:
        check_setting("start_rad", start_rad, self.squeezers)
        start = np.asarray(start_rad, np.float64)
        return AnnealingState(start, None, start, self.hottest, self.recheck)

    def step(self, state: AnnealingState, cost: Floats, rng: np.random.Generator) -> tuple[AnnealingState, Floats]:
        if not measured(cost):
            return state, state.setting_rad
        cost, centre, T = np.asarray(cost), state.centre_rad, state.temperature
        known = cost
        if state.cost is not None:
            chance = np.exp(-np.maximum(cost - state.cost, 0.0) / T)
            kept = rng.random(cost.shape) < chance
            centre = np.where(kept[..., None], state.trial_rad, centre)
            known = np.where(kept, cost, state.cost)
        colder = max(T * self.cooling, self.coldest)
        if state.cost is not None and state.rechecks_in <= 1:
            state = AnnealingState(centre, None, centre, colder, self.recheck)
        else:
            width = self.reach * np.sqrt(np.maximum(known, self.coldest))[..., None]
            trial = self.squeezers.within(centre + width * rng.standard_normal(centre.shape))
            state = AnnealingState(centre, np.asarray(known), trial, colder, state.rechecks_in - 1)
        return state, state.setting_rad


def measured(cost: Floats) -> bool:
    """Whether every arm has a cost."""
    return bool(np.all(np.isfinite(cost)))
