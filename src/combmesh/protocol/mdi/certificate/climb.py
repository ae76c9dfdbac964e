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
from combmesh.protocol.mdi.certificate.solver import LEAST_COUNT, best_coefficients, log_statistic
from combmesh.protocol.mdi.optimise import block_pulses, free_settings, learn_curvature
from combmesh.protocol.mdi.tally import pair_gains, pair_probabilities

FIXED, SYMMETRIC, ASYMMETRIC = 0, 1, 2
_BESIDE = 1e-5
_ITERATIONS = 120
_FIRST_STEP, _LONGEST = 0.3, 0.7  # of a free number
_DONE = 1e-7  # share of the rate that the last steps have gained
_TRIALS = 20  # of a line search
_SUFFICIENT, _CURVATURE = 1e-4, 0.9  # the weak Wolfe conditions


@kernel
def settings_at(
    point: NDArray[np.float64], kind: int, fixed: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Settings of both users; `point` is (ln t, logit 2 e0) and then six free numbers of each user, or of both."""
    if kind == FIXED:
        return fixed[0].copy(), fixed[1].copy()
    a = free_settings(point[2:8], fixed[0, 6])
    return a, a.copy() if kind == SYMMETRIC else free_settings(point[8:14], fixed[1, 6])


@kernel
def _expected(
    a: NDArray[np.float64], c: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float, float]:
    """(`(class,)` expected counts, leak in bits, pulses of a block, sifted bits)."""
    gains, wrong = pair_gains(a, c, task[6:])
    pulses = block_pulses(a, c, gains[ZZ], task[1], task[2])
    sent = pulses * pair_probabilities(a, c)
    counts = np.maximum(
        class_counts(sent * gains, sent * wrong), LEAST_COUNT
    )  # as the solver, or slopes would be wrong
    leak = task[0] * sent[ZZ] * gains[ZZ] * binary_entropy(wrong[ZZ] / gains[ZZ])
    return counts, leak, pulses, sent[ZZ] * gains[ZZ]


@kernel
def weights(point: NDArray[np.float64]) -> tuple[float, float, float]:
    """(t, g, w): the exponent, and what a pair without and with a phase error is worth, bits."""
    e0 = 0.5 / (1.0 + exp(-point[1]))
    return exp(point[0]), 1.0 + log2(1.0 - e0), 1.0 + log2(e0)


@kernel
def _usable(a: NDArray[np.float64], c: NDArray[np.float64], t: float, largest_t: float, delta: float) -> bool:
    """Whether there can be a certificate: t in the proof's range, the sources' boxes apart and below 1."""
    usable = t <= largest_t
    for user in (a, c):
        usable &= user[6] < 0.5 * user[0] and user[0] > 1e-7
        usable &= delta == 0.0 or (user[0] * (1.0 + delta) < user[1] * (1.0 - delta) and user[1] * (1.0 + delta) < 1.0)
    return usable


@kernel
def certified_rate(
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    per_sifted_bit: bool,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """(expected signed secret bits, `(class,)` t c_i, `(row,)` multipliers).

    Args:
        point: (ln t, logit 2 e0, free numbers of the settings).
        kind: FIXED, SYMMETRIC or ASYMMETRIC.
        fixed: `(user, 7)` settings for FIXED; only their vacuum otherwise.
        task: (f_ec, most pulses, most sifted bits, ln(1/eps), constant bits and delta, then the link).
        per_sifted_bit: count them for each sifted bit; otherwise for each pulse.
    """
    a, c = settings_at(point, kind, fixed)
    t, g, w = weights(point)
    if not _usable(a, c, t, exp(task[15]), task[5]):
        return -inf, np.zeros(0), np.zeros(0)
    counts, leak, pulses, sifted = _expected(a, c, task[:15])
    rows, right_sides = photon_rows(a, c, t, g, w, task[5])
    v, multipliers, possible = best_coefficients(counts, rows, right_sides)
    if not possible:
        return -inf, v, multipliers
    bits = (log_statistic(counts, v) - task[3]) / t - leak - task[4]
    return bits / (sifted if per_sifted_bit else pulses), v, multipliers


@kernel
def _lagrangian(
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    per_sifted_bit: bool,
    v: NDArray[np.float64],
    multipliers: NDArray[np.float64],
) -> float:
    """The rate with coefficients and multipliers kept: beside the point it has the rate's slope."""
    a, c = settings_at(point, kind, fixed)
    t, g, w = weights(point)
    counts, leak, pulses, sifted = _expected(a, c, task[:15])
    rows, right_sides = photon_rows(a, c, t, g, w, task[5])
    value = log_statistic(counts, v) + multipliers @ (right_sides - rows @ v)
    bits = (value - task[3]) / t - leak - task[4]
    rate: float = bits / (sifted if per_sifted_bit else pulses)
    return rate


@kernel
def slope_of_rate(
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    per_sifted_bit: bool,
    v: NDArray[np.float64],
    multipliers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Slope of `certified_rate` in each free number, from coefficients and multipliers at the point."""
    slope = np.empty(len(point))
    for i in range(len(point)):
        beside = point.copy()
        beside[i] += _BESIDE
        above = _lagrangian(beside, kind, fixed, task, per_sifted_bit, v, multipliers)
        beside[i] -= 2.0 * _BESIDE
        slope[i] = (above - _lagrangian(beside, kind, fixed, task, per_sifted_bit, v, multipliers)) / (2.0 * _BESIDE)
    return slope


@kernel
def _line_search(
    point: NDArray[np.float64],
    rate: float,
    slope: NDArray[np.float64],
    direction: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    per_sifted_bit: bool,
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """(point, rate, slope there): steps are halved or doubled until the weak Wolfe conditions hold."""
    gained = direction @ slope
    low, high, step = 0.0, inf, 1.0
    best, best_rate, best_slope = point, rate, slope
    for _ in range(_TRIALS):
        tried = point + step * direction
        found, v, multipliers = certified_rate(tried, kind, fixed, task, per_sifted_bit)
        if found >= rate + _SUFFICIENT * step * gained:
            new_slope = slope_of_rate(tried, kind, fixed, task, per_sifted_bit, v, multipliers)
            best, best_rate, best_slope, low = tried, found, new_slope, step
            if direction @ new_slope <= _CURVATURE * gained:
                break
        else:
            high = step
        step = 0.5 * (low + high) if high < inf else 2.0 * step
    return best, best_rate, best_slope


@kernel
def climb(
    start: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    per_sifted_bit: bool,
) -> tuple[NDArray[np.float64], float]:
    """Maximise `certified_rate` from a start: (point, rate)."""
    point = start.copy()
    rate, v, multipliers = certified_rate(point, kind, fixed, task, per_sifted_bit)
    if rate == -inf:
        return point, rate
    slope = slope_of_rate(point, kind, fixed, task, per_sifted_bit, v, multipliers)
    inverse = np.eye(len(point))
    idle = 0
    for k in range(_ITERATIONS):
        direction = inverse @ slope
        longest = np.abs(direction).max()
        if not 0.0 < longest < inf:
            break
        direction *= _FIRST_STEP / longest if k == 0 else min(1.0, _LONGEST / longest)
        if direction @ slope <= 0.0:
            break
        there, higher, slope_there = _line_search(point, rate, slope, direction, kind, fixed, task, per_sifted_bit)
        if higher <= rate:
            break
        learn_curvature(inverse, there - point, slope - slope_there, k == 0)
        idle = idle + 1 if higher - rate <= _DONE * abs(rate) else 0
        point, rate, slope = there, higher, slope_there
        if idle == 3:
            break
    return point, rate
