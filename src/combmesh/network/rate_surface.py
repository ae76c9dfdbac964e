"""The rate over both arms as a smooth surface, for millions of pairs.

A fine grid of optima is climbed from a coarse one, and a bicubic spline runs through the secret bits for each pulse
over both efficiencies. It is good to some 0.1 % of the rate, but for the last kilometres of the reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import exp, inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.parallel import map_batches
from combmesh.network.rate_rule import NO_KEY, RateRule, best_nearby, planned_rate, rate_at
from combmesh.network.rates import BATCH, COARSE, FINE, Floats, Node, Optima, climbed, node_arms, optima_at
from combmesh.protocol.mdi.optimise import Point

_LEAST_NODES = 5
_PASSES = 8
_BETTER = 1e-5  # share of the rate
_HOPELESS = 0.3  # of the best rate at a cell's corners: a pair with its settings so far below 0 has no key
_DIFFERENT = 1e-3  # between the spline and the mean settings' rate: where more, a pair is climbed
_SMOOTH, _NEAR, _LAST = 0, 1, 2  # cells far from nodes without key, with one among sixteen, with one at a corner


@dataclass(frozen=True, eq=False)
class RateSurface:
    """Rates over both arms; symmetric.

    Attributes:
        rule: what they were computed for.
        log_arms: ln(efficiency) of the nodes, ascending, shape (node,).
        yields: signed secret bits for each pulse, over both efficiencies, shape (node, node).
        points: free numbers of the settings at each node, the greater arm first, NaN above the diagonal, shape
            (node, node, number).
        edge: how near each cell, by its lower corner, is to nodes without key, shape (node, node).
    """

    rule: RateRule
    log_arms: Floats
    yields: Floats
    points: Floats
    edge: NDArray[np.int8]

    @cached_property
    def _spline(self) -> Any:
        from scipy.interpolate import RectBivariateSpline

        return RectBivariateSpline(self.log_arms, self.log_arms, self.yields)

    def rate_per_pulse(self, arms_a: Floats, arms_b: Floats) -> Floats:
        """Expected signed secret bits for each pulse, in the shape of the arms; below 0 only the sign has a meaning.

        Arms below the grid have no rate; arms above it are refused.
        """
        first, second = self._logs(np.maximum(arms_a, arms_b)), self._logs(np.minimum(arms_a, arms_b))
        least = self.log_arms[0]
        values = self._spline.ev(np.maximum(first, least), np.maximum(second, least)) * (arms_a * arms_b)
        return np.asarray(np.where(second >= least, values, NO_KEY), dtype=np.float64)

    def skr_bps(self, arms_a: Floats, arms_b: Floats, *, exact_edge: bool = False, workers: int = 1) -> Floats:
        """Expected key for each second of light, bit/s, in the shape of the arms; 0 without key.

        Where the reach ends the rate has a kink, and a spline errs by some per cent of the little that is left there.
        With `exact_edge` such pairs are climbed one by one, from the settings of the nodes about them.
        """
        rate = self.rate_per_pulse(arms_a, arms_b)
        if exact_edge:
            rate = self._exact_edge(arms_a, arms_b, rate, workers)
        return np.maximum(rate, 0.0) * self.rule.clock_hz

    def _logs(self, arms: Floats) -> Floats:
        if arms.size and not 0.0 <= arms.min() <= arms.max() <= exp(self.log_arms[-1]) * (1.0 + 1e-9):
            limit = exp(self.log_arms[-1])
            raise InputError(f"`arms` must be from 0 to {limit:g} here, but are {arms.min():g} to {arms.max():g}.")
        return np.asarray(np.minimum(np.log(np.maximum(arms, 1e-300)), self.log_arms[-1]), dtype=np.float64)

    def _exact_edge(self, arms_a: Floats, arms_b: Floats, rate: Floats, workers: int) -> Floats:
        shape, rate = rate.shape, rate.ravel()
        first, second = np.maximum(arms_a, arms_b).ravel(), np.minimum(arms_a, arms_b).ravel()
        spacing, top = self.log_arms[1] - self.log_arms[0], len(self.log_arms) - 2
        u, w = ((self._logs(arm) - self.log_arms[0]) / spacing for arm in (first, second))
        i, j = (np.clip(place.astype(np.int64), 0, top) for place in (u, w))
        kind = np.where(rate > NO_KEY, self.edge[i, j], _SMOOTH)
        near = np.flatnonzero(kind != _SMOOTH)
        corners = self.yields[i + 1, j + 1] * first * second
        shown = np.where(kind == _LAST, NO_KEY, rate)
        tasks = []
        for k in near:
            tried = self._tried(i[k], j[k], u[k], w[k])[: None if kind[k] == _LAST else 1]
            tasks.append((int(k), (first[k], second[k]), shown[k], _HOPELESS * corners[k], tried))
        for some in map_batches(partial(_rate_at_edge, self.rule), tasks, workers, BATCH * 8):
            places, values = zip(*some, strict=True)
            rate[list(places)] = values
        return rate.reshape(shape)

    def _tried(self, i: int, j: int, u: float, w: float) -> list[Point]:
        """The weighted mean of the settings about a pair, and those themselves."""
        corners = [(m, n) for m in (i, i + 1) for n in (j, j + 1) if n <= m]
        points = [self.points[m, n] for m, n in corners]
        weights = [abs(1.0 - abs(u - m)) * abs(1.0 - abs(w - n)) + 1e-9 for m, n in corners]
        return [np.asarray(np.average(points, axis=0, weights=weights)), *points]


def _rate_at_edge(
    rule: RateRule, task: tuple[int, tuple[float, float], float, float, list[Point]]
) -> tuple[int, float]:
    place, arms, shown, hopeless, points = task
    link = rule.link(float(arms[0]), float(arms[1]))
    rates = [rate_at(rule, link, point) for point in points]
    best = int(np.argmax(rates))
    if rates[best] < -hopeless:
        return place, rates[best]
    found = planned_rate(rule, link, points[best])
    if abs(found - shown) <= _DIFFERENT * abs(shown) < inf:
        return place, max(found, shown)
    return place, max(found, planned_rate(rule, link, best_nearby(rule, link, points[best])))


def rate_surface(
    rule: RateRule, least_arm: float, greatest_arm: float, workers: int = 1, spacing: float = FINE
) -> RateSurface:
    """The surface over arms from `least_arm` to `greatest_arm`.

    Beyond the reach, where no settings give key, it goes on with the settings of the nearest place that has one.

    Args:
        rule: what the pairs have in common.
        least_arm, greatest_arm: the range of efficiencies, 0 excluded.
        workers: processes that share the work; they do not change the result.
        spacing: of the nodes in ln(efficiency).
    """
    _check_range(least_arm, greatest_arm)
    low, count = _grid(least_arm, greatest_arm, spacing)
    optima = _coarse_optima(rule, low, low + (count - 1) * spacing, workers)
    starts = {node: optima.start(*node_arms(node, low, spacing)) for node in _nodes(count)}
    return climbed_surface(rule, low, spacing, count, starts, workers)


def _nodes(count: int) -> list[Node]:
    return [(i, j) for i in range(count) for j in range(i + 1)]


def _check_range(least_arm: float, greatest_arm: float) -> None:
    if not 0.0 < least_arm <= greatest_arm <= 1.0:
        raise InputError(
            f"`least_arm` must be above 0 and at most `greatest_arm`, up to 1, but they are {least_arm:g} and "
            f"{greatest_arm:g}."
        )


def _grid(least_arm: float, greatest_arm: float, spacing: float) -> tuple[float, int]:
    """(ln(efficiency) of the lowest node, how many): the highest is `greatest_arm`, the lowest below `least_arm`."""
    top = log(greatest_arm)
    count = max(int((top - log(least_arm)) / spacing) + 2, _LEAST_NODES)
    return top - (count - 1) * spacing, count


def _coarse_optima(rule: RateRule, low: float, top: float, workers: int) -> Optima:
    """Optima for every pair with both arms between `low` and `top`; those beside the diagonal lie on both sides."""
    count = int((top - low) / COARSE) + 2
    nodes = [(i, j) for i in range(count) for j in range(min(i + 2, count))]
    return optima_at(rule, nodes, low - 1e-9, COARSE, workers)


def climbed_surface(
    rule: RateRule, low: float, spacing: float, count: int, starts: Mapping[Node, Point | None], workers: int
) -> RateSurface:
    """The surface on `count` nodes from `low` on, each climbed from its start; a node without one has no key."""
    nodes = _nodes(count)
    arms = {node: node_arms(node, low, spacing) for node in nodes}
    started = [(node, arms[node], start) for node in nodes if (start := starts.get(node)) is not None]
    rates = np.full((count, count), NO_KEY)
    points = np.full((count, count), None, dtype=object)
    for some in map_batches(partial(climbed, rule), started, workers, BATCH):
        for node, point, rate in some:
            if rate > 0.0:
                rates[node], points[node] = rate, point
    _improve(rule, rates, points, arms)
    _continue_below(rule, rates, points, arms)
    if rule.certified and np.any(rates > 0.0):
        plans = [(node, arms[node], points[node]) for node in nodes]
        for found in map_batches(partial(_as_planned, rule), plans, workers, BATCH):
            for node, rate in found:
                rates[node] = max(rate, -1.0)
    log_arms: Floats = low + spacing * np.arange(count, dtype=np.float64)
    lower = np.tri(count, dtype=np.bool_)
    yields = np.where(lower, rates, 0.0) / np.exp(log_arms[:, None] + log_arms)
    free = next((point.size for point in points[lower] if point is not None), 0)
    numbers = np.full((count, count, free), np.nan)
    for node in nodes if free else ():
        numbers[node] = points[node]
    edge = _edge_cells(np.where(lower, rates, rates.T) > 0.0)
    return RateSurface(rule, log_arms, np.where(lower, yields, yields.T), numbers, edge)


def _as_planned(rule: RateRule, task: tuple[Node, tuple[float, float], Point]) -> tuple[Node, float]:
    node, arms, point = task
    return node, planned_rate(rule, rule.link(*arms), point)


def _improve(rule: RateRule, rates: Floats, points: NDArray[np.object_], arms: dict[Node, tuple[float, float]]) -> None:
    """Where the settings of a node beside serve a node better than its own, climb again from them, in place."""
    for _ in range(_PASSES):
        better = 0
        for (i, j), pair in arms.items():
            beside = [(i + 1, j), (i, j + 1), (i - 1, j), (i, j - 1), (i + 1, j + 1)]
            tried = [points[node] for node in beside if node in arms and points[node] is not None]
            link = rule.link(*pair)
            values = [rate_at(rule, link, point) for point in tried]
            if not values or max(values) <= max((1.0 + _BETTER) * rates[i, j], 0.0):
                continue
            point = best_nearby(rule, link, tried[int(np.argmax(values))])
            points[i, j], rates[i, j] = point, rate_at(rule, link, point)
            better += 1
        if not better:
            break


def _continue_below(
    rule: RateRule, rates: Floats, points: NDArray[np.object_], arms: dict[Node, tuple[float, float]]
) -> None:
    """Give the nodes without key the settings of a node beside them, in place; without any key the rate is below 0.

    By the envelope theorem the rate then passes through 0 without a kink in its slope across the last node.
    """
    if not np.any(rates > 0.0):
        rates[:] = -1.0
        return
    for i, j in sorted(arms, key=lambda node: (-node[0], -node[1])):
        if points[i, j] is not None:
            continue
        beside = [points[node] for node in ((i + 1, j), (i, j + 1), (i + 1, j + 1)) if node in arms]
        tried = [point for point in beside if point is not None]
        link = rule.link(*arms[i, j])
        values = [rate_at(rule, link, point) for point in tried]
        best = int(np.argmax(values))
        points[i, j], rates[i, j] = tried[best], max(values[best], -1.0)


def _edge_cells(keyed: NDArray[np.bool_]) -> NDArray[np.int8]:
    """How near each cell is to nodes without key; those without any key about them are smooth as well."""
    count = len(keyed)
    padded = np.pad(keyed, 2, mode="edge")
    about = np.array([[padded[1 + m : 1 + m + count, 1 + n : 1 + n + count] for m in range(4)] for n in range(4)])
    corners = about[1:3, 1:3]
    near = about.any(axis=(0, 1)) & ~about.all(axis=(0, 1))
    last = corners.any(axis=(0, 1)) & ~corners.all(axis=(0, 1))
    return np.where(last, _LAST, np.where(near, _NEAR, _SMOOTH)).astype(np.int8)
