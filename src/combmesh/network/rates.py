"""The rate of every pair, each optimised with its own two arms.

The best settings vary slowly with the logarithms of both efficiencies. So a coarse grid of optima is searched from
everywhere, and a pair climbs from the optima about it. Where pairs are many, it is a finer grid that climbs, and a pair
takes the mean of the settings about it: what is lost is of second order. Of a pair, Alice is the user with less loss;
without credit for vacuum it makes no difference. For millions of pairs see `rate_surface`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.parallel import map_batches
from combmesh.network.rate_rule import NO_KEY, RateRule, best_alone, best_nearby, planned_rate, rate_at, settings_of
from combmesh.network.topology import Network, arm_efficiency, members
from combmesh.protocol.mdi.optimise import Point

Floats = NDArray[np.float64]

COARSE = 0.25
"""Spacing of the coarse grid in ln(efficiency): 5.4 km of fibre at 0.2 dB/km."""

FINE = 0.0625
"""Spacing of the fine grid, between whose nodes settings are interpolated: 1.4 km of fibre."""

_PAYS = 3  # pairs for each node of the fine grid from which on it is used
_EVEN = 0.7
BATCH, _NODE_BATCH = 64, 4
_DARKEST = 1e-12

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

Node = tuple[int, int]


def arms_of_users(network: Network) -> Floats:
    """Efficiency of every user's arm, detectors included, shape (user,)."""
    return np.array([arm_efficiency(network, user) for user in members(network.users)])


@dataclass(frozen=True, eq=False)
class LinkRates:
    """Rates of pairs, arrays of shape (pair,).

    Attributes:
        skr_bps: key bits for each second of light, whole bits a block.
        rate_per_pulse: expected signed secret bits for each pulse; -inf where no settings come near to a key.
        pulses: pulses of a block.
        settings_a, settings_b: (x, y, z, p_x, p_y, p_z, o) of both users, NaN without key, shape (pair, 7).
    """

    skr_bps: Floats
    rate_per_pulse: Floats
    pulses: Floats
    settings_a: Floats
    settings_b: Floats

    @property
    def without_key(self) -> NDArray[np.int64]:
        """Places of the pairs whose block gives no key."""
        return np.flatnonzero(self.skr_bps <= 0.0)


@dataclass(frozen=True, eq=False)
class Optima:
    """A grid of optima over ln(efficiency) of both arms, the first one at least as great.

    Attributes:
        low: ln(efficiency) of node 0.
        spacing: from node to node.
        points: free numbers at each node that is known.
        rates: signed bits for each pulse there, as the climbs count.
        planned: the same of the plans there, where they are known.
    """

    low: float
    spacing: float
    points: dict[Node, Point]
    rates: dict[Node, float]
    planned: dict[Node, float] = field(default_factory=dict)

    def plan_gain(self, a: float, b: float) -> float:
        """Rate of the plan of a pair over that of the climb, read from the plans about it."""
        corners = corners_of(a, b, self.low, self.spacing)
        return sum(weight * self.planned[node] / self.rates[node] for node, weight in corners)

    def even(self, a: float, b: float) -> bool:
        """Whether the rates of the optima about a pair are alike: near the end of the reach they are not."""
        rates = [self.rates.get(node, NO_KEY) for node, _ in corners_of(a, b, self.low, self.spacing)]
        return min(rates) > _EVEN * max(rates) > 0.0

    def start(self, a: float, b: float) -> Point | None:
        """The mean of the optima with key about a pair; None if there is none: more loss never gives more key."""
        corners = corners_of(a, b, self.low, self.spacing)
        some = [(node, weight + 1e-9) for node, weight in corners if self.rates.get(node, NO_KEY) > 0.0]
        if not some:
            return None
        points = [self.points[node] for node, _ in some]
        return np.asarray(np.average(points, axis=0, weights=[weight for _, weight in some]))


def corners_of(a: float, b: float, low: float, spacing: float) -> list[tuple[Node, float]]:
    """The four nodes about a pair and their weights, which are 1 together."""
    u, w = (log(a) - low) / spacing, (log(b) - low) / spacing
    i, j = int(u), int(w)
    return [
        ((i + right, j + up), abs(1 - right - (u - i)) * abs(1 - up - (w - j))) for right in (0, 1) for up in (0, 1)
    ]


def node_arms(node: Node, low: float, spacing: float) -> tuple[float, float]:
    return min(exp(low + spacing * node[0]), 1.0), min(exp(low + spacing * node[1]), 1.0)


def _at_node(rule: RateRule, low: float, spacing: float, node: Node) -> tuple[Node, Point, float]:
    link = rule.link(*node_arms(node, low, spacing))
    point = best_alone(rule, link)
    return node, point, rate_at(rule, link, point)


def optima_at(rule: RateRule, nodes: Sequence[Node], low: float, spacing: float, workers: int) -> Optima:
    work = partial(_at_node, rule, low, spacing)
    found = [one for some in map_batches(work, nodes, workers, _NODE_BATCH) for one in some]
    return Optima(low, spacing, {node: point for node, point, _ in found}, {node: rate for node, _, rate in found})


def _refined(rule: RateRule, optima: Optima, nodes: Sequence[Node], low: float, workers: int) -> Optima:
    """Optima on the fine grid, climbed from those on the coarse one."""
    arms = {node: node_arms(node, low, FINE) for node in nodes}
    tasks = [(node, arms[node], start) for node in nodes if (start := optima.start(*arms[node])) is not None]
    found = [one for some in map_batches(partial(_climbed_plan, rule), tasks, workers, BATCH) for one in some]
    return Optima(
        low,
        FINE,
        {node: point for (node, point, _), _ in found},
        {node: rate for (node, _, rate), _ in found},
        {node: planned for (node, _, _), planned in found},
    )


def _climbed_plan(
    rule: RateRule, task: tuple[Node, tuple[float, float], Point]
) -> tuple[tuple[Node, Point, float], float]:
    """What `climbed` finds, and the rate of its plan."""
    found = climbed(rule, task)
    return found, planned_rate(rule, rule.link(*task[1]), found[1]) if found[2] > 0.0 else found[2]


def climbed(rule: RateRule, task: tuple[Node, tuple[float, float], Point]) -> tuple[Node, Point, float]:
    """(node, best point, signed bits for each pulse) from (node, its arms, a start)."""
    node, arms, start = task
    link = rule.link(*arms)
    point = best_nearby(rule, link, start)
    return node, point, rate_at(rule, link, point)


@dataclass(frozen=True, eq=False)
class _Task:
    """A pair, and where its settings come from.

    Attributes:
        place: number of the pair.
        arms: its efficiencies, the greater one first.
        start: free numbers to climb from; None where there is no key.
        alone: search from everywhere, not from the start.
        plan_gain: where the start is good enough as it is, rate of its plan over what the climbs count; else 0.
    """

    place: int
    arms: tuple[float, float]
    start: Point | None = None
    alone: bool = False
    plan_gain: float = 0.0


@dataclass(frozen=True, eq=False)
class _Plan:
    """What came of a task; settings are NaN without key."""

    place: int
    rate: float
    pulses: float
    settings_a: Floats
    settings_b: Floats


def _planned(rule: RateRule, task: _Task) -> _Plan:
    link = rule.link(*task.arms)
    if task.start is None and not task.alone:
        nothing = np.full(7, np.nan)
        return _Plan(task.place, NO_KEY, rule.block.time_s * rule.clock_hz, nothing, nothing)
    point = best_alone(rule, link) if task.start is None else task.start
    if task.start is not None and not task.plan_gain:
        point = best_nearby(rule, link, point)
    rate = task.plan_gain * rate_at(rule, link, point) if task.plan_gain else planned_rate(rule, link, point)
    settings_a, settings_b, pulses = settings_of(rule, link, point)
    return _Plan(task.place, rate, pulses, settings_a, settings_b)


def optimised_rates(
    rule: RateRule, arms_a: Floats, arms_b: Floats, workers: int = 1, on_progress: Progress | None = None
) -> LinkRates:
    """Every pair optimised; equal ones are computed once.

    Pairs that are fewer than the nodes of the grid about them are searched from everywhere.

    Args:
        rule: what the pairs have in common.
        arms_a, arms_b: efficiencies of the arms, shape (pair,).
        workers: processes that share the work; they do not change the result.
        on_progress: called after each batch with the pairs done and all different ones.
    """
    check_arms(arms_a, arms_b)
    turned = arms_b > arms_a
    arms = np.stack([np.maximum(arms_a, arms_b), np.minimum(arms_a, arms_b)], axis=1)
    distinct, place = np.unique(arms, axis=0, return_inverse=True)
    tasks = _tasks(rule, distinct, workers)
    plans: list[_Plan] = []
    for some in map_batches(partial(_planned, rule), tasks, workers, BATCH):
        plans += some
        if on_progress:
            on_progress(len(plans), len(tasks))
    plans.sort(key=lambda plan: plan.place)
    place = place.reshape(-1)
    rate, pulses = np.array([(plan.rate, plan.pulses) for plan in plans])[place].T
    one, other = (np.array([[plan.settings_a, plan.settings_b] for plan in plans])[place, k] for k in (0, 1))
    swap = turned[:, None]
    bits = np.floor(np.maximum(rate, 0.0) * pulses * (1.0 + 1e-12))
    return LinkRates(
        bits / pulses * rule.clock_hz, rate, pulses, np.where(swap, other, one), np.where(swap, one, other)
    )


def check_arms(arms_a: Floats, arms_b: Floats) -> None:
    both = np.concatenate([arms_a, arms_b])
    if arms_a.shape != arms_b.shape or arms_a.ndim != 1:
        raise InputError(f"`arms_a`, `arms_b` must have one shape (pair,), but have {arms_a.shape}, {arms_b.shape}.")
    if not np.all((both >= 0.0) & (both <= 1.0)):
        raise InputError(f"`arms` must be from 0 to 1, but one is {both[~((both >= 0.0) & (both <= 1.0))][0]:g}.")


def _tasks(rule: RateRule, arms: Floats, workers: int) -> list[_Task]:
    """Every pair, and where its settings come from: the fine grid, the coarse one or no grid, whichever costs least."""
    pairs = [(float(a), float(b)) for a, b in arms]
    lit = [pair for pair in pairs if pair[1] > _DARKEST]
    low = log(min((b for _, b in lit), default=1.0)) - 1e-9
    fine = {node for pair in lit for node, _ in corners_of(*pair, low, FINE)}
    coarse = {node for pair in lit for node, _ in corners_of(*pair, low, COARSE)}
    if _PAYS * len(fine) <= len(lit):
        below = low - COARSE
        coarse = {node for one in fine for node, _ in corners_of(*node_arms(one, low, FINE), below, COARSE)}
        optima = _refined(rule, optima_at(rule, sorted(coarse), below, COARSE, workers), sorted(fine), low, workers)
        return [
            _Task(k, pair, optima.start(*pair), plan_gain=optima.plan_gain(*pair) if optima.even(*pair) else 0.0)
            if pair[1] > _DARKEST
            else _Task(k, pair)
            for k, pair in enumerate(pairs)
        ]
    if len(coarse) >= len(lit):
        return [_Task(k, pair, alone=pair[1] > _DARKEST) for k, pair in enumerate(pairs)]
    optima = optima_at(rule, sorted(coarse), low, COARSE, workers)
    return [_Task(k, pair, optima.start(*pair) if pair[1] > _DARKEST else None) for k, pair in enumerate(pairs)]
