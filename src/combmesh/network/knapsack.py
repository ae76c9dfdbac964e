"""A knapsack with one choice for each pair: how many slots it gets, with any values that do not fall.

The relaxation takes the concave hull of each pair's values; its optimum is found by taking hull steps by their value
for each slot. All pairs but the last one then stand on their hulls, where the values are true.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

Floats = NDArray[np.float64]

_MILP_S = 20.0


@dataclass(frozen=True, eq=False)
class Filled:
    """A choice.

    Attributes:
        taken: slots of each pair, shape (pair,).
        value: what they are worth together.
        bound: no choice is worth more.
    """

    taken: NDArray[np.int32]
    value: float
    bound: float


@kernel
def hull_steps(values: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(pair, from, to) of every step with a gain on the upper concave hulls, pair after pair, steep ones first."""
    pairs, width = values.shape
    capacity = pairs * (width - 1)
    pair, start, end = (np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.int32))
    corner = np.empty(width, np.int32)
    count = 0
    for p in range(pairs):
        size = 1
        corner[0] = 0
        for k in range(1, width):
            while size > 1:
                a, b = corner[size - 2], corner[size - 1]
                if (values[p, b] - values[p, a]) * (k - b) > (values[p, k] - values[p, b]) * (b - a):
                    break
                size -= 1
            corner[size] = k
            size += 1
        for s in range(size - 1):
            if values[p, corner[s + 1]] > values[p, corner[s]]:
                pair[count], start[count], end[count] = p, corner[s], corner[s + 1]
                count += 1
    return pair[:count], start[:count], end[:count]


def fill(values: Floats, capacity: int) -> Filled:
    """The hull's choice: a bound, and a choice that misses it by less than the last pair's step.

    Args:
        values: worth of 0, 1, ... slots of each pair, not falling, shape (pair, slots+1).
        capacity: slots in all.

    >>> fill(np.array([[0.0, 1.0, 3.0], [0.0, 2.0, 2.0]]), 3).taken
    array([2, 1], dtype=int32)
    """
    taken = np.zeros(len(values), dtype=np.int32)
    if not len(values):
        return Filled(taken, 0.0, 0.0)
    pair, start, end = hull_steps(np.ascontiguousarray(values, dtype=np.float64))
    gain, weight = values[pair, end] - values[pair, start], end - start
    order = np.argsort(-gain / weight, kind="stable")
    used = np.cumsum(weight[order])
    whole = int(np.searchsorted(used, capacity, side="right"))
    np.maximum.at(taken, pair[order[:whole]], end[order[:whole]])
    bound = float(gain[order[:whole]].sum())
    left = capacity - (int(used[whole - 1]) if whole else 0)
    if whole < order.size:
        bound += float(gain[order[whole]]) * left / float(weight[order[whole]])
        taken = _topped_up(values, taken, left)
    return Filled(taken, float(values[np.arange(len(values)), taken].sum()), bound)


def _topped_up(values: Floats, taken: NDArray[np.int32], left: int) -> NDArray[np.int32]:
    """Give the slots that are left to the pairs that gain most by them, one pair after the other."""
    taken, pair, top = taken.copy(), np.arange(len(values)), values.shape[1] - 1
    while left > 0:
        reach = np.minimum(taken + left, top)
        gain = values[pair, reach] - values[pair, taken]
        best = int(np.argmax(gain))
        if gain[best] <= 0.0:
            break
        enough = int(np.searchsorted(values[best], values[best, reach[best]]))
        left -= enough - int(taken[best])
        taken[best] = enough
    return taken


def best_fill(values: Floats, capacity: int) -> Filled:
    """The best choice, by integer programming where the hull's choice misses its bound; within 20 s at most."""
    found = fill(values, capacity)
    if found.value >= found.bound * (1.0 - 1e-12):
        return found
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    pairs, width = values.shape
    scale = float(values.max())
    slots = np.tile(np.arange(1, width), pairs)
    pair = np.repeat(np.arange(pairs), width - 1)
    one_each = csr_array((np.ones(pair.size), (pair, np.arange(pair.size))), shape=(pairs, pair.size))
    answer = milp(
        -values[:, 1:].ravel() / scale,
        integrality=np.ones(pair.size),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(one_each, -np.inf, 1.0), LinearConstraint(slots[None, :], -np.inf, capacity)],
        options={"time_limit": _MILP_S, "mip_rel_gap": 0.0},
    )
    if answer.x is None:
        return found
    taken = np.zeros(pairs, dtype=np.int32)
    chosen = np.flatnonzero(answer.x > 0.5)
    taken[pair[chosen]] = slots[chosen]
    value = float(values[np.arange(pairs), taken].sum())
    bound = max(min(-answer.mip_dual_bound * scale, found.bound), value)
    return Filled(taken, value, bound) if value > found.value else Filled(found.taken, found.value, bound)
