r"""Decoy bounds on the single-photon pair with joint constraints, and the scans over what they share.

With :math:`G_{uv}=e^{u+v}S_{uv}`, :math:`H=G_{xo}+G_{ox}-G_{oo}`, :math:`u'=u-o`, :math:`u''=u^2-o^2` and
:math:`M=e^{x_A+x_B}\langle T_{xx}\rangle`, the wrong counts of xx,

.. math::
   s_{11} \ge \frac{y_A''y_B'(G_{xx}-H) - x_A''x_B'(G_{yy}-G_{yo}-G_{oy}+G_{oo})}{x_A'x_B'y_A'y_B'(y_A-x_A)}, \qquad
   e_{11} \le \frac{M - H/2 + r(G_{xx}-H)/2}{x_A x_B s_{11}}, \quad r=\frac{x_Ax_B}{x_A'x_B'}-1.

For o = 0 this is Zhou, Yu, Wang (2016) and Jiang (2021). For o > 0 it is our own: differences
:math:`G_{u\cdot}-G_{o\cdot}` remove the vacuum exactly, :math:`(y^n-o^n)/(x^n-o^n)` rises with n, and the photon pairs
that H then holds are at most :math:`r(G_{xx}-H)`. Valid for :math:`(y_A+o_A)/(x_A+o_A) \le (y_B+o_B)/(x_B+o_B)`; otherwise the users change places.
The double scan splits :math:`G_{xx}` into right counts, bounded jointly with oy and yo, and the wrong counts M, which
enter both bounds; H and M are shared and the key is minimised over them.
"""

from math import exp, log2

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.protocol.statistics import (
    expectation_lower,
    expectation_upper,
    observation_lower,
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

_GOLDEN = 0.6180339887498949
_ROUNDS = 60
_CORNER = 1e-3
_RESOLUTION = 1e-6  # of an edge: the key is flat at its minimum, so it is good to about 1e-12


@kernel
def binary_entropy(p: float) -> float:
    """h(p) in bits; 0 outside (0, 1)."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -p * log2(p) - (1.0 - p) * log2(1.0 - p)


@kernel
def joint_lower(weights: NDArray[np.float64], counts: NDArray[np.float64], b: float, tail: int) -> float:
    """Lower bound on sum(weights * expected counts): sorted ascending, each difference bounds a joint count."""
    order = np.argsort(weights)
    total = 0.0
    below = 0.0
    for i in range(len(order)):
        joint = 0.0
        for j in range(i, len(order)):
            joint += counts[order[j]]
        total += (weights[order[i]] - below) * expectation_lower(joint, b, tail)
        below = weights[order[i]]
    return total


@kernel
def joint_upper(weights: NDArray[np.float64], counts: NDArray[np.float64], b: float, tail: int) -> float:
    """Upper bound on sum(weights * expected counts), as `joint_lower`."""
    order = np.argsort(weights)
    total = 0.0
    below = 0.0
    for i in range(len(order)):
        joint = 0.0
        for j in range(i, len(order)):
            joint += counts[order[j]]
        total += (weights[order[i]] - below) * expectation_upper(joint, b, tail)
        below = weights[order[i]]
    return total


@kernel
def key_at(h: float, m: float, frame: NDArray[np.float64], b: float, tail: int) -> tuple[float, float, float, float]:
    """(signed private bits, s11 lower, phase error upper, S11) at one value of the shared H and M."""
    base, slope, denominator, xx, pulses_11, leak, right = frame
    s11 = (base + slope * (m - h)) / denominator
    if s11 <= 0.0:
        return pulses_11 * s11, s11, 0.5, 0.0
    e11 = max(m - 0.5 * h + 0.5 * leak * (right + m - h), 0.0) / (xx * s11)
    pairs = observation_lower(pulses_11 * min(s11, 1.0), b, tail)
    if pairs <= 0.0:
        return 0.0, s11, 0.5, 0.0
    phase_error = observation_upper(pairs * e11, b, tail) / pairs
    if phase_error >= 0.5:
        return -pairs * min(phase_error - 0.5, 1.0), s11, 0.5, pairs
    return pairs * (1.0 - binary_entropy(phase_error)), s11, phase_error, pairs


@kernel
def _key_on_edge(place: float, fixed: float, along_h: bool, frame: NDArray[np.float64], b: float, tail: int) -> float:
    """The key at one place of an edge on which the other variable is fixed."""
    if along_h:
        return key_at(place, fixed, frame, b, tail)[0]
    return key_at(fixed, place, frame, b, tail)[0]


@kernel
def _edge_minimum(
    low: float, high: float, fixed: float, along_h: bool, frame: NDArray[np.float64], b: float, tail: int
) -> tuple[float, float]:
    """(minimum, its place) of the key along one edge of the rectangle.

    Golden section and both ends. The key falls, then rises, and mostly the least is at a corner: where it rises
    from one end on, only the first `_CORNER` of the edge is searched.
    """
    at_low = _key_on_edge(low, fixed, along_h, frame, b, tail)
    at_high = _key_on_edge(high, fixed, along_h, frame, b, tail)
    best, place = (at_low, low) if at_low < at_high else (at_high, high)
    left, right, corner = low, high, _CORNER * (high - low)
    if _key_on_edge(low + corner, fixed, along_h, frame, b, tail) >= at_low:
        right = low + corner
    elif _key_on_edge(high - corner, fixed, along_h, frame, b, tail) >= at_high:
        left = high - corner
    p = right - _GOLDEN * (right - left)
    q = left + _GOLDEN * (right - left)
    f_p = _key_on_edge(p, fixed, along_h, frame, b, tail)
    f_q = _key_on_edge(q, fixed, along_h, frame, b, tail)
    for _ in range(_ROUNDS):  # an edge a few digits long never shrinks to its share
        if right - left <= _RESOLUTION * (high - low):
            break
        if f_p < f_q:
            right, q, f_q = q, p, f_p
            p = right - _GOLDEN * (right - left)
            f_p = _key_on_edge(p, fixed, along_h, frame, b, tail)
        else:
            left, p, f_p = p, q, f_q
            q = left + _GOLDEN * (right - left)
            f_q = _key_on_edge(q, fixed, along_h, frame, b, tail)
    if f_p < best:
        best, place = f_p, p
    if f_q < best:
        best, place = f_q, q
    return best, place


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
    if (a[1] + a[6]) * (c[0] + c[6]) > (c[1] + c[6]) * (a[0] + a[6]):  # the users change places
        swap = np.array([OO, XO, OX, XX, YO, OY, YY, YX, XY, ZZ, ZO, OZ])
        a, c, sent, detected = c, a, sent[swap], detected[swap]
    xa, ya, oa, xb, yb, ob = a[0], a[1], a[6], c[0], c[1], c[6]
    up = (ya * ya - oa * oa) * (yb - ob)
    down = (xa * xa - oa * oa) * (xb - ob)
    singles_xx = (xa - oa) * (xb - ob)
    e_xx = exp(xa + xb) / sent[XX]
    e_xo, e_ox, e_oo = exp(xa + ob) / sent[XO], exp(oa + xb) / sent[OX], exp(oa + ob) / sent[OO]
    right_xx = detected[XX] - errors_xx if method == DOUBLE_SCAN else detected[XX]
    plus = joint_lower(
        np.array([up * e_xx, down * exp(oa + yb) / sent[OY], down * exp(ya + ob) / sent[YO]]),
        np.array([right_xx, detected[OY], detected[YO]]),
        b,
        tail,
    )
    minus = joint_upper(
        np.array([down * exp(ya + yb) / sent[YY], down * e_oo]), np.array([detected[YY], detected[OO]]), b, tail
    )
    weights = np.array([e_xo, e_ox])
    singles = np.array([detected[XO], detected[OX]])
    h_low = joint_lower(weights, singles, b, tail) - e_oo * expectation_upper(detected[OO], b, tail)
    h_high = joint_upper(weights, singles, b, tail) - e_oo * expectation_lower(detected[OO], b, tail)
    m_low = e_xx * expectation_lower(errors_xx, b, tail)
    m_high = e_xx * expectation_upper(errors_xx, b, tail)
    pulses_11 = sent[ZZ] * a[2] * c[2] * exp(-a[2] - c[2])
    leak = xa * xb / singles_xx - 1.0  # single photons in the vacuum, for each in xx
    right_upper = e_xx * expectation_upper(right_xx, b, tail) if leak > 0.0 else 0.0
    denominator = singles_xx * (ya - oa) * (yb - ob) * (ya - xa)
    frame = np.array([plus - minus, up, denominator, xa * xb, pulses_11, leak, right_upper])
    if method == DOUBLE_SCAN:
        return _double(frame, h_low, h_high, m_low, m_high, b, tail)
    return _single(frame, h_low, h_high, m_high, b, tail, method)


@kernel
def _double(
    frame: NDArray[np.float64], h_low: float, h_high: float, m_low: float, m_high: float, b: float, tail: int
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
    bits, _, phase_error, pairs = key_at(h, m, frame, b, tail)
    return bits, (frame[0] + frame[1] * (m_low - h_high)) / frame[2], phase_error, pairs


@kernel
def _single(
    frame: NDArray[np.float64], h_low: float, h_high: float, m_high: float, b: float, tail: int, method: int
) -> tuple[float, float, float, float]:
    """The minimum over H alone (single scan), or H at its worst in each place (no scan); M only in the error.

    In `key_at` M enters s11 with the weight of H, and counts as xx beside the right ones: its part there is taken out.
    """
    fixed = frame.copy()
    fixed[0] -= frame[1] * m_high
    fixed[6] -= m_high
    if method == SINGLE_SCAN:
        _, h_place = _edge_minimum(h_low, h_high, m_high, True, fixed, b, tail)
        bits, _, phase_error, pairs = key_at(h_place, m_high, fixed, b, tail)
        return bits, (fixed[0] + fixed[1] * (m_high - h_high)) / fixed[2], phase_error, pairs
    fixed[0] -= frame[1] * (h_high - h_low)
    return key_at(h_low, m_high, fixed, b, tail)
