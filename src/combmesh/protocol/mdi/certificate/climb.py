r"""The settings, t and e0 with the most key: BFGS with gradients from the Lagrangian.

The best coefficients and their multipliers at one point give the slope in every setting without solving again: only the
expected counts, the rows and their right sides are computed beside the point.
"""

from math import exp, inf, log2

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.protocol.mdi.bounds import ZZ, binary_entropy
from combmesh.protocol.mdi.certificate.rows import class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients, log_statistic
from combmesh.protocol.mdi.optimise import block_pulses, decode
from combmesh.protocol.mdi.tally import pair_gains, pair_probabilities

FIXED, SYMMETRIC, ASYMMETRIC = 0, 1, 2
_BESIDE = 1e-5
_ITERATIONS = 120
_LONGEST = 0.7  # of a free number in one step
_DONE = 1e-7  # share of the rate that the last steps have gained


@kernel
def settings_at(
    point: NDArray[np.float64], kind: int, fixed: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Settings of both users; `point` is (ln t, logit 2 e0) and then the free numbers of `decode`."""
    if kind == FIXED:
        return fixed[0].copy(), fixed[1].copy()
    a, c = decode(point[2:], kind == SYMMETRIC)
    a[6], c[6] = fixed[0, 6], fixed[1, 6]
    return a, c


@kernel
def _expected(
    a: NDArray[np.float64], c: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float]:
    """(`(class,)` expected counts, leak in bits, pulses of a block)."""
    gains, wrong = pair_gains(a, c, task[6:])
    pulses = block_pulses(a, c, gains[ZZ], task[1], task[2])
    sent = pulses * pair_probabilities(a, c)
    counts = class_counts(sent * gains, sent * wrong)
    leak = task[0] * sent[ZZ] * gains[ZZ] * binary_entropy(wrong[ZZ] / gains[ZZ])
    return counts, leak, pulses


@kernel
def weights(point: NDArray[np.float64]) -> tuple[float, float, float]:
    """(t, g, w): the exponent, and what a pair without and with a phase error is worth, bits."""
    e0 = 0.5 / (1.0 + exp(-point[1]))
    return exp(point[0]), 1.0 + log2(1.0 - e0), 1.0 + log2(e0)


@kernel
def _usable(a: NDArray[np.float64], c: NDArray[np.float64], t: float, largest_t: float) -> bool:
    return t <= largest_t and a[6] < 0.5 * a[0] and c[6] < 0.5 * c[0] and min(a[0], c[0]) > 1e-7


@kernel
def certified_rate(
    point: NDArray[np.float64], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """(expected signed secret bits for each pulse, `(class,)` t c_i, `(row,)` multipliers).

    Args:
        point: (ln t, logit 2 e0, free numbers of the settings).
        kind: FIXED, SYMMETRIC or ASYMMETRIC.
        fixed: `(user, 7)` settings for FIXED; only their vacuum otherwise.
        task: (f_ec, most pulses, most sifted bits, ln(1/eps), constant bits and delta, then the link).
    """
    a, c = settings_at(point, kind, fixed)
    t, g, w = weights(point)
    if not _usable(a, c, t, exp(task[15])):
        return -inf, np.zeros(0), np.zeros(0)
    counts, leak, pulses = _expected(a, c, task[:15])
    rows, right_sides = photon_rows(a, c, t, g, w, task[5])
    v, multipliers, possible = best_coefficients(counts, rows, right_sides)
    if not possible:
        return -inf, v, multipliers
    rate = ((log_statistic(counts, v) - task[3]) / t - leak - task[4]) / pulses
    return rate, v, multipliers


@kernel
def _lagrangian(
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    v: NDArray[np.float64],
    multipliers: NDArray[np.float64],
) -> float:
    """The rate with coefficients and multipliers kept: beside the point it has the rate's slope."""
    a, c = settings_at(point, kind, fixed)
    t, g, w = weights(point)
    counts, leak, pulses = _expected(a, c, task[:15])
    rows, right_sides = photon_rows(a, c, t, g, w, task[5])
    value = log_statistic(counts, v) + multipliers @ (right_sides - rows @ v)
    rate: float = ((value - task[3]) / t - leak - task[4]) / pulses
    return rate


@kernel
def _slope(
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    v: NDArray[np.float64],
    multipliers: NDArray[np.float64],
) -> NDArray[np.float64]:
    slope = np.empty(len(point))
    for i in range(len(point)):
        beside = point.copy()
        beside[i] += _BESIDE
        above = _lagrangian(beside, kind, fixed, task, v, multipliers)
        beside[i] -= 2.0 * _BESIDE
        slope[i] = (above - _lagrangian(beside, kind, fixed, task, v, multipliers)) / (2.0 * _BESIDE)
    return slope


@kernel
def climb(
    start: NDArray[np.float64], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Maximise `certified_rate` from a start: (point, rate)."""
    point = start.copy()
    n = len(point)
    rate, v, multipliers = certified_rate(point, kind, fixed, task)
    if rate == -inf:
        return point, rate
    slope = _slope(point, kind, fixed, task, v, multipliers)
    inverse = np.eye(n)
    fresh = True
    idle = 0
    for _ in range(_ITERATIONS):
        direction = inverse @ slope
        if direction @ slope <= 0.0 or fresh:
            inverse = np.eye(n) * (0.3 / max(np.abs(slope).max(), 1e-300))
            direction = inverse @ slope
        length = min(1.0, _LONGEST / max(np.abs(direction).max(), 1e-300))
        gained = direction @ slope
        tried = point
        found = -inf
        for _ in range(20):
            tried = point + length * direction
            found, v_new, multipliers_new = certified_rate(tried, kind, fixed, task)
            if found >= rate + 1e-4 * length * gained:
                v, multipliers = v_new, multipliers_new
                break
            length *= 0.4
        if found < rate + 1e-4 * length * gained:
            if fresh:
                break
            fresh = True
            continue
        step = tried - point
        new_slope = _slope(tried, kind, fixed, task, v, multipliers)
        bend = slope - new_slope
        curvature = step @ bend
        if curvature > 1e-12 * np.sqrt((step @ step) * (bend @ bend)):
            if fresh:
                inverse = np.eye(n) * (curvature / (bend @ bend))
            moved = inverse @ bend
            inverse += (1.0 + (bend @ moved) / curvature) / curvature * np.outer(step, step)
            inverse -= (np.outer(moved, step) + np.outer(step, moved)) / curvature
        fresh = False
        idle = idle + 1 if found - rate <= _DONE * abs(rate) else 0
        point, rate, slope = tried, found, new_slope
        if idle >= 2:
            break
    return point, rate
