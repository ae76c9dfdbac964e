r"""The best coefficients for expected counts: a concave problem of 13 unknowns, by a primal-dual interior-point method.

With :math:`v_i = t c_i > -1` maximise :math:`\sum_i n_i\ln(1+v_i)` under the rows :math:`A v \le t r`. Any coefficients
that obey the rows are valid; the best ones are only the best.
"""

from math import log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

_ITERATIONS = 80
_GAP = 1e-4  # nats, beside the 20 to 50 of ln(1/eps)
_CENTRE = 0.15
_NEAR = 0.95
LEAST_COUNT = 0.3
"""A class that is expected to stay empty is hedged as if so many counts were expected; it costs next to nothing."""


@kernel
def log_statistic(counts: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """sum of n_i ln(1 + t c_i), nats; classes that are not known are left out."""
    total = 0.0
    for i in range(len(v)):
        if counts[i] >= 0.0:
            total += counts[i] * log1p(v[i])
    return total


@kernel
def _start(rows: NDArray[np.float64], right_sides: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Coefficients strictly inside all rows, and whether there are any of this kind: every class a little below 0,
    the wrong ones as far below as the single photons with a phase error ask for."""
    n = rows.shape[1]
    needed = 0.0
    for k in range(len(rows)):
        if right_sides[k] < 0.0:
            wrong = rows[k, 1:8:2].sum()
            needed = max(needed, -right_sides[k] / wrong if wrong > 0.0 else 1.0)
    v = np.full(n, -0.01)
    v[1:8:2] = -0.5 * (1.0 + needed)
    if needed < 0.5:
        v[1:8:2] = -min(1.2 * needed + 0.01, 0.9)
    return v, needed < 0.999


@kernel
def _step_length(value: NDArray[np.float64], change: NDArray[np.float64]) -> float:
    """How far `value` can go along `change` before one of its numbers is 0."""
    length = np.inf
    for i in range(len(value)):
        if change[i] < 0.0:
            length = min(length, -value[i] / change[i])
    return length


@kernel
def _solve(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """(solution, whether there is one): Cholesky's method, which overwrites the positive definite matrix."""
    n = len(right)
    x = right.copy()
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i > j:
                matrix[i, j] = total / matrix[j, j]
            elif 0.0 < total < np.inf:
                matrix[i, i] = sqrt(total)
            else:
                return x, False
    for i in range(n):
        for k in range(i):
            x[i] -= matrix[i, k] * x[k]
        x[i] /= matrix[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= matrix[k, i] * x[k]
        x[i] /= matrix[i, i]
    return x, True


@kernel
def _hessian(
    rows: NDArray[np.float64], weights: NDArray[np.float64], diagonal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows^T weights rows and a diagonal."""
    m, n = rows.shape
    hessian = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(m):
                total += rows[k, i] * weights[k] * rows[k, j]
            hessian[i, j] = total
            hessian[j, i] = total
        hessian[i, i] += diagonal[i]
    return hessian


@kernel
def _without_unknown(
    rows: NDArray[np.float64], right_sides: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows with 0 for classes that are not known; a pair whose errors are not known is one class, in its right one."""
    rows, right_sides = rows.copy(), right_sides.copy()
    for i in range(1, 8, 2):
        if counts[i] == -1.0:
            rows[:, i - 1] += rows[:, i]
    rows *= counts >= 0.0
    for k in range(len(rows)):
        if rows[k].sum() == 0.0 and right_sides[k] >= 0.0:
            right_sides[k] = 1.0  # holds for any coefficients
    return rows, right_sides


@kernel
def best_coefficients(
    counts: NDArray[np.float64], rows: NDArray[np.float64], right_sides: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """(`(class,)` t c_i, `(row,)` multipliers, whether the rows can be obeyed); 0 for classes that are not known."""
    m = len(right_sides)
    used = counts >= 0.0
    n_i = np.where(used, np.maximum(counts, LEAST_COUNT), 0.0)
    if not used.all():
        rows, right_sides = _without_unknown(rows, right_sides, counts)
    v, possible = _start(rows, right_sides)
    v *= used
    multipliers = np.zeros(m)
    if not possible:
        return v, multipliers, False
    slack = right_sides - rows @ v
    multipliers = 0.1 * n_i.sum() / m / slack
    for _ in range(_ITERATIONS):
        gap = slack @ multipliers
        if gap < _GAP:
            break
        mu = _CENTRE * gap / m
        z = 1.0 + v
        hessian = _hessian(rows, multipliers / slack, np.where(used, n_i / (z * z), 1.0))
        change, solved = _solve(hessian, n_i / z - rows.T @ (mu / slack))
        if not solved:
            break
        slack_change = -(rows @ change)
        multiplier_change = mu / slack - multipliers - multipliers * slack_change / slack
        reach = min(_step_length(z, change), _step_length(slack, slack_change))
        reach = min(reach, _step_length(multipliers, multiplier_change))
        length = min(1.0, _NEAR * reach)
        moved = v + length * change
        slack = right_sides - rows @ moved
        if not slack.min() > 0.0:  # so near to a row that rounding has the last word
            break
        v = moved
        multipliers += length * multiplier_change
    v[1:8:2] = np.where(counts[1:8:2] == -1.0, v[0:8:2], v[1:8:2])
    return v, multipliers, True
