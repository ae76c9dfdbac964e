r"""Where errors are likely: Bob halves an odd interval at half of its weight, not of its length.

The weight of a place is the product of the odds that the intervals around it in the other layers give it: in an
interval of s places, $\frac{1-t}{1+t}$ if it is even and the inverse if it is odd, $t = (1-2Q)^{s-1}$ (the tanh rule).
A place that is alone in an even interval is right for certain and has no weight; the parity of a part without weight is
known and not asked for.
"""

from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.marks import ODD_GRADE, PREFIX, grade, is_marked, parity_of, push, split
from combmesh.distill.cascade.words import whole
from combmesh.ground.kernels import kernel

MOST_ODDS = 1e4
LEAST_QBER = 1e-4
"""A plan without errors must not make every place certain."""
SMALLEST_T = 0.02
"""Where t is less, it matters little whether an interval is even or odd."""

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]
Weights = NDArray[np.float32]


def odds_of_grades(planned_qber: float) -> Weights:
    """Relative odds of an error at a place in an interval of each grade, even ones and odd ones, shape (256,)."""
    grades = np.arange(ODD_GRADE)
    sizes = 2.0 ** (grades // 8) * (1 + grades % 8 / 8)
    t = (1 - 2 * max(planned_qber, LEAST_QBER)) ** (sizes - 1)
    even = (1 - t) / (1 + t)
    return np.concatenate([even, 1 / np.maximum(even, 1 / MOST_ODDS)]).astype(np.float32)


def odd_matters(planned_qber: float) -> int:
    """The longest interval where it matters to the weights whether it is odd."""
    return 1 + int(log(SMALLEST_T) / log1p(-2 * planned_qber)) if planned_qber > 1e-6 else 2**30


@kernel
def weigh(
    tables: Places, grades: Bits, odds: Weights, first: int, start: int, all_open: bool, weights: Weights
) -> np.float32:
    """Write the weights of the places from `start` on to `weights`; returns their sum. `first`: of the frame."""
    n = tables.shape[1]
    total = np.float32(0.0)
    at = start - first
    layer = 0 if at < n else (1 if at < 2 * n else 2)
    at -= layer * n
    for k in range(weights.size):
        here = at + k
        if layer == 0:
            weight = odds[grades[first + n + whole(tables[2, here])]]
            if all_open:
                weight *= odds[grades[first + 2 * n + whole(tables[3, here])]]
        else:
            here = whole(tables[layer - 1, here])
            weight = odds[grades[first + here]]
            if layer == 2:
                weight *= odds[grades[first + n + whole(tables[2, here])]]
            elif all_open:
                weight *= odds[grades[first + 2 * n + whole(tables[3, here])]]
        weights[k] = weight
        total += weight
    return total


@kernel
def divide(maps: Words, heap: Places, grades: Bits, start: int, end: int, middle: int, left_odd: bool) -> None:
    """Divide an odd interval whose parts are known without a question."""
    bob = parity_of(maps, start, middle)
    alice = bob ^ whole(is_marked(maps, PREFIX, start)) ^ whole(left_odd)
    split(maps, start, middle, alice, bob)
    grade(heap, grades, start, middle, left_odd)
    grade(heap, grades, middle, end, not left_odd)


@kernel
def half_weight(weights: Weights, total: np.float32) -> int:
    """How many of the places, two or more, lie left of half of the weight, as near as can be."""
    n = weights.size
    below = np.float32(0.0)
    half = total * np.float32(0.5)
    for k in range(n):
        here = below + weights[k]
        if here >= half:
            cut = k + 1 if here - half <= half - below else k
            return min(max(cut, 1), n - 1)
        below = here
    return n // 2


@kernel
def weighted_middle(
    maps: Words,
    heap: Places,
    grades: Bits,
    tables: Places,
    odds: Weights,
    frame: int,
    start: int,
    end: int,
    all_open: bool,
) -> tuple[int, int, int]:
    """The odd interval inside of [start, end) to ask about, and where to halve it; nowhere if one place is left."""
    weights = np.empty(end - start, np.float32)
    total = weigh(tables, grades, odds, 3 * frame * tables.shape[1], start, all_open, weights)
    if total <= 0:
        return start, start + (end - start) // 2, end
    low = 0
    while weights[low] == 0:
        low += 1
    high = end - start
    while weights[high - 1] == 0:
        high -= 1
    begin = start + low
    if low > 0:
        divide(maps, heap, grades, start, end, begin, False)
    if start + high < end:
        divide(maps, heap, grades, begin, end, start + high, True)
    if high - low == 1:
        push(maps, heap, frame, begin, 1)
        return begin, begin, begin + 1
    return begin, begin + half_weight(weights[low:high], total), start + high
