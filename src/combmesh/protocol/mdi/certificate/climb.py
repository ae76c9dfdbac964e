r"""The settings, t and e0 with the most key: BFGS with gradients from the Lagrangian.

The best coefficients and their multipliers at one point give the slope in every setting without solving again: only the
expected counts, the rows and their right sides are computed beside the point.
"""

from math import exp, inf, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.protocol.mdi.bounds import ZZ, binary_entropy
from combmesh.protocol.mdi.certificate.rows import class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import LEAST_COUNT, best_coefficients, log_statistic
from combmesh.protocol.mdi.optimise import block_pulses, free_settings, learn_curvature
from combmesh.protocol.mdi.tally import pair_gains, pair_probabilities

FIXED, SYMMETRIC, ASYMMETRIC = 0, 1, 2
"""How many users' settings are free: none, those of both together, or of each."""

FROM_AFAR, FROM_NEARBY = (0.3, 1e-7), (0.03, 1e-5)
"""Paces of a climb: the first step of a free number, and the share of the rate that the last steps gain, each."""

_BESIDE = 1e-5
_ITERATIONS = 120
_LONGEST = 0.7  # step of a free number
_TRIALS = 20  # of a line search
_SUFFICIENT, _CURVATURE = 1e-4, 0.9  # the weak Wolfe conditions

Point = NDArray[np.float64]
"""ln t, logit 2 e0, and then six free numbers of each user's settings, or of both; none if they are fixed."""


class Problem(NamedTuple):
    """What is maximised over points, as the kernels take it.

    Attributes:
        kind: FIXED, SYMMETRIC or ASYMMETRIC.
        fixed: `(user, 7)` settings for FIXED; only their vacuum otherwise.
        link: `Link.as_array()`.
        f_ec: reconciliation efficiency that is planned.
        pulses_max, sifted_bits: most pulses and most sifted bits of a block.
        log_inverse_eps: ln(1/eps) of the statistic.
        constant_bits: log2(2/eps_cor).
        largest_t: largest exponent that the proof allows, 1/bit.
        delta: intensities are known to this share of themselves.
        per_sifted_bit: count the key for each sifted bit; otherwise for each pulse.
    """

    kind: int
    fixed: NDArray[np.float64]
    link: NDArray[np.float64]
    f_ec: float
    pulses_max: float
    sifted_bits: float
    log_inverse_eps: float
    constant_bits: float
    largest_t: float
    delta: float
    per_sifted_bit: bool = False


class _Programme(NamedTuple):
    """The coefficients' problem at a point, and what turns its maximum into a rate.

    Attributes:
        t: exponent, 1/bit.
        counts: `(class,)` expected counts.
        rows, right_sides: as of `photon_rows`.
        leak_bits: expected leak.
        units: pulses of a block, or its sifted bits.
    """

    t: float
    counts: NDArray[np.float64]
    rows: NDArray[np.float64]
    right_sides: NDArray[np.float64]
    leak_bits: float
    units: float


@kernel
def settings_at(point: Point, problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Settings (x, y, z, p_x, p_y, p_z, o) of both users."""
    fixed = problem.fixed
    if problem.kind == FIXED:
        return fixed[0].copy(), fixed[1].copy()
    a = free_settings(point[2:8], fixed[0, 6])
    return a, a.copy() if problem.kind == SYMMETRIC else free_settings(point[8:14], fixed[1, 6])


@kernel
def exponent_at(point: Point) -> tuple[float, float]:
    """(t, e0): the exponent, 1/bit, and the reference phase error."""
    return exp(point[0]), 0.5 / (1.0 + exp(-point[1]))


@kernel
def _usable(point: Point, problem: Problem) -> bool:
    """Whether there can be a certificate: t in the proof's range, the sources' boxes apart and below 1."""
    delta = problem.delta
    usable = exponent_at(point)[0] <= problem.largest_t
    for user in settings_at(point, problem):
        usable &= user[6] < 0.5 * user[0] and user[0] > 1e-7
        usable &= delta == 0.0 or (user[0] * (1.0 + delta) < user[1] * (1.0 - delta) and user[1] * (1.0 + delta) < 1.0)
    return usable


@kernel
def _programme_at(point: Point, problem: Problem) -> _Programme:
    a, c = settings_at(point, problem)
    t, e0 = exponent_at(point)
    gains, wrong = pair_gains(a, c, problem.link)
    pulses = block_pulses(a, c, gains[ZZ], problem.pulses_max, problem.sifted_bits)
    sent = pulses * pair_probabilities(a, c)
    counts = np.maximum(class_counts(sent * gains, sent * wrong), LEAST_COUNT)  # as the solver, for true slopes
    sifted = sent[ZZ] * gains[ZZ]
    leak_bits = problem.f_ec * sifted * binary_entropy(wrong[ZZ] / gains[ZZ])
    rows, right_sides = photon_rows(a, c, t, 1.0 + log2(1.0 - e0), 1.0 + log2(e0), problem.delta)
    return _Programme(t, counts, rows, right_sides, leak_bits, sifted if problem.per_sifted_bit else pulses)


@kernel
def _rate(log_w: float, programme: _Programme, problem: Problem) -> float:
    """Signed secret bits for each unit, from the logarithm of the statistic."""
    bits = (log_w - problem.log_inverse_eps) / programme.t - programme.leak_bits - problem.constant_bits
    rate: float = bits / programme.units
    return rate


@kernel
def certified_rate(point: Point, problem: Problem) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """(expected signed secret bits, `(class,)` t c_i, `(row,)` multipliers); -inf if the rows cannot be obeyed."""
    if not _usable(point, problem):
        return -inf, np.zeros(0), np.zeros(0)
    programme = _programme_at(point, problem)
    v, multipliers, possible = best_coefficients(programme.counts, programme.rows, programme.right_sides)
    rate = _rate(log_statistic(programme.counts, v), programme, problem) if possible else -inf
    return rate, v, multipliers


@kernel
def _lagrangian(point: Point, problem: Problem, v: NDArray[np.float64], multipliers: NDArray[np.float64]) -> float:
    """The rate with coefficients and multipliers kept: beside the point it has the rate's slope."""
    programme = _programme_at(point, problem)
    value = log_statistic(programme.counts, v) + float(multipliers @ (programme.right_sides - programme.rows @ v))
    return _rate(value, programme, problem)


@kernel
def slope_of_rate(point: Point, problem: Problem, v: NDArray[np.float64], multipliers: NDArray[np.float64]) -> Point:
    """Slope of `certified_rate` in each free number, from coefficients and multipliers at the point."""
    slope = np.empty(len(point))
    for i in range(len(point)):
        beside = point.copy()
        beside[i] += _BESIDE
        above = _lagrangian(beside, problem, v, multipliers)
        beside[i] -= 2.0 * _BESIDE
        slope[i] = (above - _lagrangian(beside, problem, v, multipliers)) / (2.0 * _BESIDE)
    return slope


@kernel
def _line_search(
    point: Point, rate: float, slope: Point, direction: Point, problem: Problem
) -> tuple[Point, float, Point]:
    """(point, rate, slope there): steps are halved or doubled until the weak Wolfe conditions hold."""
    gained = direction @ slope
    low, high, step = 0.0, inf, 1.0
    best, best_rate, best_slope = point, rate, slope
    for _ in range(_TRIALS):
        tried = point + step * direction
        found, v, multipliers = certified_rate(tried, problem)
        if found >= rate + _SUFFICIENT * step * gained:
            new_slope = slope_of_rate(tried, problem, v, multipliers)
            best, best_rate, best_slope, low = tried, found, new_slope, step
            if direction @ new_slope <= _CURVATURE * gained:
                break
        else:
            high = step
        step = 0.5 * (low + high) if high < inf else 2.0 * step
    return best, best_rate, best_slope


@kernel
def climb(start: Point, problem: Problem, pace: tuple[float, float]) -> tuple[Point, float]:
    """Maximise `certified_rate` from a start, FROM_AFAR or FROM_NEARBY: (point, rate)."""
    first_step, settled = pace
    point = start.copy()
    rate, v, multipliers = certified_rate(point, problem)
    if rate == -inf:
        return point, rate
    slope = slope_of_rate(point, problem, v, multipliers)
    inverse = np.eye(len(point))
    idle = 0
    for k in range(_ITERATIONS):
        direction = inverse @ slope
        longest = np.abs(direction).max()
        if not 0.0 < longest < inf:
            break
        direction *= first_step / longest if k == 0 else min(1.0, _LONGEST / longest)
        if direction @ slope <= 0.0:
            break
        there, higher, slope_there = _line_search(point, rate, slope, direction, problem)
        if higher <= rate:
            break
        learn_curvature(inverse, there - point, slope - slope_there, k == 0)
        idle = idle + 1 if higher - rate <= settled * abs(rate) else 0
        point, rate, slope = there, higher, slope_there
        if idle == 3:
            break
    return point, rate
