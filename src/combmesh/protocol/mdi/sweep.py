"""The best settings of many links at once: a grid of optima over both arms, and a short climb for each link.

Links that share relay and clock differ in ln(eta_A) and ln(eta_B) alone, and the free numbers of their optima are
nearly smooth there. The nodes of the grid lie at fixed places: a plan depends neither on the number of processors nor
on the order of the links.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, floor, log

import numpy as np

from combmesh.ground.parallel import map_batches
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import (
    LinkPlan,
    Point,
    Task,
    best_point,
    climb,
    climb_from,
    link_task,
    optimise,
    plan_at,
    polish,
    signed_rate,
    starts_of,
)
from combmesh.protocol.mdi.rules import BlockRule

_SPACING = 0.5  # of the grid, in ln(eta): 11 km of fibre at 0.2 dB/km
_SETTLED = 1e-4  # share of the rate that a second climb may gain
_ROUNDS = 300
_BATCH = 64
_NODE_BATCH = 4

Progress = Callable[[int, int], None]
"""Called with the number of links that are done, and of all different ones."""

_Kind = tuple[Relay, float]
_Node = tuple[_Kind, int, int]
"""Relay and clock, and how many steps both arms are from no loss."""


@dataclass(frozen=True)
class _Rule:
    """What the links of a sweep have in common."""

    analysis: Analysis
    f_ec: float
    block: BlockRule
    vacuum: tuple[float, float]

    def task(self, link: Link) -> Task:
        return link_task(link, self.analysis, self.f_ec, self.block, self.vacuum)


def optimise_many(
    links: Sequence[Link],
    analysis: Analysis,
    f_ec: float,
    block: BlockRule,
    workers: int = 1,
    on_progress: Progress | None = None,
    *,
    vacuum: tuple[float, float] = (0.0, 0.0),
) -> list[LinkPlan]:
    """The plans of links, in their order, each as good as that of `optimise` to about 0.1 % of its rate.

    Links that are fewer than the nodes of the grid about them, and links with equal arms, are optimised alone.

    Args:
        links: the links; equal ones are computed once.
        analysis, f_ec, block, vacuum: as for `optimise`.
        workers: processes that share the work.
        on_progress: called after each batch.
    """
    rule = _Rule(analysis, f_ec, block, vacuum)
    distinct = list(dict.fromkeys(links))
    starts = optima_nearby(distinct, partial(_optimum, rule), workers, vacuum)
    tasks = [(link, starts.get(link)) for link in distinct]
    plans: dict[Link, LinkPlan] = {}
    for results in map_batches(partial(_planned, rule), tasks, workers, _BATCH):
        plans.update(results)
        if on_progress:
            on_progress(len(plans), len(distinct))
    return [plans[link] for link in links]


def optima_nearby(
    links: Sequence[Link], optimum: Callable[[Link], Point], workers: int, vacuum: tuple[float, float] = (0.0, 0.0)
) -> dict[Link, Point]:
    """For links for which a grid pays, the mean of the optima at the nodes about each: where to climb from.

    Args:
        links: the links.
        optimum: the free numbers of a link's optimum, those of both users even where the arms are equal.
        workers: processes that share the work.
        vacuum: mean photon numbers of the users' vacuum.
    """
    on_grid = _links_on_grid(links, vacuum)
    needed = sorted({node for link in on_grid for node, _ in _corners(link)}, key=lambda node: (str(node[0]), node[1:]))
    found: dict[_Node, Point] = {}
    for results in map_batches(partial(_at_node, optimum), needed, workers, _NODE_BATCH):
        found.update(results)
    return {link: _interpolated(link, found) for link in on_grid}


def _place(link: Link) -> tuple[float, float]:
    """Steps of the grid from no loss, along both arms."""
    return -log(link.efficiency_a) / _SPACING, -log(link.efficiency_b) / _SPACING


def _corners(link: Link) -> list[tuple[_Node, float]]:
    """The nodes about a link, and their weights, which are 1 together."""
    a, b = _place(link)
    i, j = floor(a), floor(b)
    kind = (link.relay, link.clock_hz)
    return [
        ((kind, i + right, j + up), abs(1 - right - (a - i)) * abs(1 - up - (b - j)))
        for right in (0, 1)
        for up in (0, 1)
    ]


def _links_on_grid(links: Sequence[Link], vacuum: tuple[float, float]) -> list[Link]:
    """The links for which the grid pays: more of their kind than the nodes they need."""
    kinds: dict[_Kind, list[Link]] = {}
    for link in links:
        equal = link.efficiency_a == link.efficiency_b and vacuum[0] == vacuum[1]
        if not equal and min(link.efficiency_a, link.efficiency_b) > 0.0:
            kinds.setdefault((link.relay, link.clock_hz), []).append(link)
    return [
        link
        for some in kinds.values()
        if len({node for link in some for node, _ in _corners(link)}) < len(some)
        for link in some
    ]


def _at_node(optimum: Callable[[Link], Point], node: _Node) -> tuple[_Node, Point]:
    (relay, clock_hz), i, j = node
    return node, optimum(Link(exp(-_SPACING * i), exp(-_SPACING * j), relay, clock_hz))


def _optimum(rule: _Rule, link: Link) -> Point:
    return best_point(starts_of(link, symmetric=False), rule.task(link))[0]


def _interpolated(link: Link, nodes: dict[_Node, Point]) -> Point:
    corners = _corners(link)
    return np.average([nodes[node] for node, _ in corners], axis=0, weights=[weight for _, weight in corners])


def _planned(rule: _Rule, task: tuple[Link, Point | None]) -> tuple[Link, LinkPlan]:
    link, start = task
    if start is None:
        return link, optimise(link, rule.analysis, rule.f_ec, rule.block, rule.vacuum)
    climb_task = rule.task(link)
    return link, plan_at(*_from_nearby(start, climb_task), climb_task)


def _from_nearby(start: Point, task: Task) -> tuple[Point, float]:
    """(point, rate per pulse) from the optima of links nearby."""
    if signed_rate(start, False, *task) > 0.0:
        point, value = climb(start, 0.05, _ROUNDS, False, task)
    else:
        point, value, _ = climb_from(start, task)
    if value <= 0.0:
        return point, value
    again, higher = climb(point, 0.03, _ROUNDS, False, task)
    return polish(again, higher, False, task) if higher - value > _SETTLED * value else (again, higher)
