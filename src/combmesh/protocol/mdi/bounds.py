r"""Decoy bounds on the single-photon pair with joint constraints, and the scans over what they share.

With :math:`G_{uv}=e^{u+v}S_{uv}`, :math:`H=G_{xo}+G_{ox}-G_{oo}`, :math:`u'=u-o`, :math:`u''=u^2-o^2` and
:math:`M=e^{x_A+x_B}\langle T_{xx}\rangle`, the wrong counts of xx,

.. math::
   s_{11} \ge \frac{y_A''y_B'(G_{xx}-H) - x_A''x_B'(G_{yy}-G_{yo}-G_{oy}+G_{oo})}{x_A'x_B'y_A'y_B'(y_A-x_A)}, \qquad
   e_{11} \le \frac{M - H/2 + r(G_{xx}-H)/2}{x_A x_B s_{11}}, \quad r=\frac{x_Ax_B}{x_A'x_B'}-1.

For o = 0 this is Zhou, Yu, Wang (2016) and Jiang (2021). For o > 0 it is our own: differences
:math:`G_{u\cdot}-G_{o\cdot}` remove the vacuum exactly, :math:`(y^n-o^n)/(x^n-o^n)` rises with n, and the photon pairs
that H then holds are at most :math:`r(G_{xx}-H)`. Valid for :math:`(y_A+o_A)/(x_A+o_A) \le (y_B+o_B)/(x_B+o_B)`;
otherwise the users change places. The double scan splits :math:`G_{xx}` into right counts, bounded jointly with oy and
yo, and the wrong counts M, which enter both bounds; H and M are shared and the key is minimised over them.
"""

from math import exp, inf, log2

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.protocol.statistics import (
    expectation_lower,
    expectation_upper,
    observation_lower,
    observation_slope,
    observation_upper,
)

PAIRS = ("oo", "ox", "xo", "xx", "oy", "yo", "yy", "xy", "yx", "zz", "oz", "zo")
OO, OX, XO, XX, OY, YO, YY, XY, YX, ZZ, OZ, ZO = range(len(PAIRS))

NEEDED_PAIRS = (OO, OX, XO, XX, OY, YO, YY, ZZ)
"""Without counts of these pairs there is no bound; xy and yx are not used, oz only for the vacuum part."""

NO_SCAN = 0
SINGLE_SCAN = 1
DOUBLE_SCAN = 2
METHODS = {"no-scan": NO_SCAN, "single-scan": SINGLE_SCAN, "double-scan": DOUBLE_SCAN}

Numbers = tuple[float, ...] | NDArray[np.float64]
_Frame = tuple[float, float, float, float, float, float, float]
"""What the points of a scan have in common: s11 = (first + second (M - H)) / third, x_A x_B, pulses of pairs zz with a
single photon each, r, and the upper bound on the right counts of xx in G that goes with r."""

_ROUNDS = 60
_RESOLUTION = 1e-12  # of the key at its minimum


@kernel
def binary_entropy(p: float) -> float:
    """h(p) in bits; 0 outside (0, 1)."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -p * log2(p) - (1.0 - p) * log2(1.0 - p)


@kernel
def joint_lower(weights: Numbers, counts: Numbers, b: float, tail: int) -> float:
    """Lower bound on sum(weights * expected counts): weights ascending, each difference bounds a joint count."""
    return _joint_bound(weights, counts, b, tail, False)


@kernel
def joint_upper(weights: Numbers, counts: Numbers, b: float, tail: int) -> float:
    """Upper bound on sum(weights * expected counts), as `joint_lower`."""
    return _joint_bound(weights, counts, b, tail, True)


@kernel
def _joint_bound(weights: Numbers, counts: Numbers, b: float, tail: int, upper: bool) -> float:
    """Either bound; two or three weights are compared faster than sorted."""
    total = 0.0
    for i in range(len(weights)):
        below = 0.0
        joint = 0.0
        for j in range(len(weights)):
            if weights[j] > weights[i] or (weights[j] == weights[i] and j >= i):
                joint += counts[j]
            else:
                below = max(below, weights[j])
        expected = expectation_upper(joint, b, tail) if upper else expectation_lower(joint, b, tail)
        total += (weights[i] - below) * expected
    return total


@kernel
def key_at(h: float, m: float, frame: _Frame, b: float, tail: int) -> tuple[float, float, float, float, float, float]:
    """(signed private bits, their slopes in H and in M, s11 lower, phase error upper, S11) at a value of H and M."""
    base, slope, denominator, xx, pulses_11, leak, right = frame
    s11 = (base + slope * (m - h)) / denominator
    rise = pulses_11 * slope / denominator  # of the expected pairs, with M and against H
    if s11 <= 0.0:
        return pulses_11 * s11, -rise, rise, s11, 0.5, 0.0
    expected = pulses_11 * min(s11, 1.0)
    pairs = observation_lower(expected, b, tail)
    if pairs <= 0.0:
        return 0.0, 0.0, 0.0, s11, 0.5, 0.0
    wrong = max(m - 0.5 * h + 0.5 * leak * (right + m - h), 0.0) * pairs / (xx * s11)
    errors = observation_upper(wrong, b, tail)
    if errors <= 0.0:
        return pairs, inf, -inf, s11, 0.0, pairs
    pairs_rise = observation_slope(expected, pairs, b, tail) * rise if s11 < 1.0 else 0.0
    unit = pairs / (xx * s11)
    from_s11 = wrong * (pairs_rise / pairs - slope / (denominator * s11))
    steep = observation_slope(wrong, errors, b, tail)
    errors_h = -steep * (from_s11 + 0.5 * (1.0 + leak) * unit)
    errors_m = steep * (from_s11 + (1.0 + 0.5 * leak) * unit)
    phase_error = errors / pairs
    if phase_error >= 1.5:
        return -pairs, pairs_rise, -pairs_rise, s11, 0.5, pairs
    if phase_error >= 0.5:
        return 0.5 * pairs - errors, -0.5 * pairs_rise - errors_h, 0.5 * pairs_rise - errors_m, s11, 0.5, pairs
    good = 1.0 + log2(1.0 - phase_error)  # pairs [1 - h] = good pairs - bad errors, and so are its differentials
    bad = log2((1.0 - phase_error) / phase_error)
    bits = good * pairs - bad * errors
    return bits, -good * pairs_rise - bad * errors_h, good * pairs_rise - bad * errors_m, s11, phase_error, pairs


@kernel
def _edge_minimum(
    low: float, high: float, fixed: float, along_h: bool, frame: _Frame, b: float, tail: int
) -> tuple[float, float]:
    """(minimum, its place) of the key along one edge of the rectangle, on which the other variable is fixed.

    The key falls, then rises: its least is at an end, or where the slope changes its sign. That is found by secants of
    the slope, an end which stays weighing half (Illinois). Where the key is convex, no more than the slope times the
    width is missing from the minimum.
    """
    at_low, left_slope = _on_edge(low, fixed, along_h, frame, b, tail)
    at_high, right_slope = _on_edge(high, fixed, along_h, frame, b, tail)
    best, place = (at_low, low) if at_low <= at_high else (at_high, high)
    left, right, side = low, high, 0
    for _ in range(_ROUNDS):
        if not left_slope < 0.0 < right_slope:
            break
        share = left_slope / (left_slope - right_slope)
        here = left + (share if 0.0 < share < 1.0 else 0.5) * (right - left)  # a slope may be infinite
        bits, slope = _on_edge(here, fixed, along_h, frame, b, tail)
        if bits < best:
            best, place = bits, here
        if abs(slope) * (right - left) <= _RESOLUTION * abs(bits):
            break
        if slope < 0.0:
            left, left_slope = here, slope
            right_slope *= 0.5 if side < 0 else 1.0
            side = -1
        else:
            right, right_slope = here, slope
            left_slope *= 0.5 if side > 0 else 1.0
            side = 1
    return best, place


@kernel
def _on_edge(place: float, fixed: float, along_h: bool, frame: _Frame, b: float, tail: int) -> tuple[float, float]:
    """(key, its slope) at one place of an edge."""
    if along_h:
        bits, slope = key_at(place, fixed, frame, b, tail)[:2]
    else:
        bits, _, slope = key_at(fixed, place, frame, b, tail)[:3]
    return bits, slope


@kernel
def private_bits(
    a: NDArray[np.float64],
    c: NDArray[np.float64],
    sent: NDArray[np.float64],
    detected: NDArray[np.float64],
    errors_xx: float,
    b: float,
    tail: int,
    method: int,
) -> tuple[float, float, float, float]:
    """(signed private bits of single-photon pairs, s11 lower, phase error upper, S11 lower) of a block.

    S11 and the phase error belong together, at the point of the scan where the key is least; s11 is the lowest of all
    points, a bound on its own.

    Args:
        a, c: settings (x, y, z, p_x, p_y, p_z, o) of the two users.
        sent, detected: pulses sent and coincidences of each pair of sources, in the order of `PAIRS`.
        errors_xx: wrong coincidences of xx.
        b: ln(1/eps) of each one-sided bound.
        tail: EXACT or SIMPLE.
        method: NO_SCAN, SINGLE_SCAN or DOUBLE_SCAN.
    """
    ox, xo, oy, yo = OX, XO, OY, YO
    if (a[1] + a[6]) * (c[0] + c[6]) > (c[1] + c[6]) * (a[0] + a[6]):  # the users change places
        a, c, ox, xo, oy, yo = c, a, xo, ox, yo, oy
    xa, ya, oa, xb, yb, ob = a[0], a[1], a[6], c[0], c[1], c[6]
    up = (ya * ya - oa * oa) * (yb - ob)
    down = (xa * xa - oa * oa) * (xb - ob)
    singles_xx = (xa - oa) * (xb - ob)
    e_xx = exp(xa + xb) / sent[XX]
    e_xo, e_ox, e_oo = exp(xa + ob) / sent[xo], exp(oa + xb) / sent[ox], exp(oa + ob) / sent[OO]
    right_xx = detected[XX] - errors_xx if method == DOUBLE_SCAN else detected[XX]
    in_plus = (up * e_xx, down * exp(oa + yb) / sent[oy], down * exp(ya + ob) / sent[yo])
    in_minus = (down * exp(ya + yb) / sent[YY], down * e_oo)
    plus = joint_lower(in_plus, (right_xx, detected[oy], detected[yo]), b, tail)
    minus = joint_upper(in_minus, (detected[YY], detected[OO]), b, tail)
    in_h, singles = (e_xo, e_ox), (detected[xo], detected[ox])
    h_low = joint_lower(in_h, singles, b, tail) - e_oo * expectation_upper(detected[OO], b, tail)
    h_high = joint_upper(in_h, singles, b, tail) - e_oo * expectation_lower(detected[OO], b, tail)
    m_low = e_xx * expectation_lower(errors_xx, b, tail)
    m_high = e_xx * expectation_upper(errors_xx, b, tail)
    pulses_11 = sent[ZZ] * a[2] * c[2] * exp(-a[2] - c[2])
    leak = xa * xb / singles_xx - 1.0  # single photons in the vacuum, for each in xx
    right_upper = e_xx * expectation_upper(right_xx, b, tail) if leak > 0.0 else 0.0
    denominator = singles_xx * (ya - oa) * (yb - ob) * (ya - xa)
    frame = (plus - minus, up, denominator, xa * xb, pulses_11, leak, right_upper)
    if method == DOUBLE_SCAN:
        return _double(frame, h_low, h_high, m_low, m_high, b, tail)
    return _single(frame, h_low, h_high, m_high, b, tail, method)


@kernel
def _double(
    frame: _Frame, h_low: float, h_high: float, m_low: float, m_high: float, b: float, tail: int
) -> tuple[float, float, float, float]:
    """The minimum over (H, M) with e11 >= 0, M >= H/2 for o = 0: a pair with a vacuum is wrong half the time.

    It lies on the edge M = M_U or H = H_U, since H up or M down lowers s11 and e11 alike.
    """
    leak, right = frame[5], frame[6]
    h_high = min(h_high, (2.0 * m_high + leak * (right + m_high)) / (1.0 + leak))
    m_low = max(m_low, ((1.0 + leak) * h_high - leak * right) / (2.0 + leak))
    on_m, h_place = _edge_minimum(h_low, h_high, m_high, True, frame, b, tail)
    on_h, m_place = _edge_minimum(m_low, m_high, h_high, False, frame, b, tail)
    h, m = (h_place, m_high) if on_m <= on_h else (h_high, m_place)
    bits, _, _, _, phase_error, pairs = key_at(h, m, frame, b, tail)
    return bits, (frame[0] + frame[1] * (m_low - h_high)) / frame[2], phase_error, pairs


@kernel
def _single(
    frame: _Frame, h_low: float, h_high: float, m_high: float, b: float, tail: int, method: int
) -> tuple[float, float, float, float]:
    """The minimum over H alone (single scan), or H at its worst in each place (no scan); M only in the error.

    In `key_at` M enters s11 with the weight of H, and counts as xx beside the right ones: its part there is taken out.
    """
    base, slope, denominator, xx, pulses_11, leak, right = frame
    base -= slope * m_high
    if method == NO_SCAN:
        base -= slope * (h_high - h_low)
    frame = (base, slope, denominator, xx, pulses_11, leak, right - m_high)
    h = _edge_minimum(h_low, h_high, m_high, True, frame, b, tail)[1] if method == SINGLE_SCAN else h_low
    bits, _, _, s11, phase_error, pairs = key_at(h, m_high, frame, b, tail)
    if method == SINGLE_SCAN:
        s11 = (base + slope * (m_high - h_high)) / denominator
    return bits, s11, phase_error, pairs
