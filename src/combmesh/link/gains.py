r"""Closed-form gains of phase-randomised weak coherent pulses at a Bell-state measurement.

Ma & Razavi, PRA 86 062319 (2012), written so that nothing cancels at 1e-6; imperfect interference scales every Bessel
argument by :math:`\gamma = \sqrt{V/0.5}`. They agree with a direct integration over the relative phase of four
threshold detectors (tests).

Notation: :math:`a, b` are the mean photon numbers that arrive and are detected, :math:`x=\sqrt{ab}`,
:math:`y=(1-p_d)e^{-(a+b)/4}`, :math:`u=1-y`, :math:`J(z)=I_0(z)-1`.
"""

from math import cos, exp, expm1, log1p, pi, sqrt

from combmesh.ground.kernels import kernel

_PHASE_NODES = tuple(cos(pi * (k + 0.5) / 8) for k in range(8))
"""Cosines of a relative phase for means over it; the half circle is enough."""


@kernel
def bessel_i0_minus_1(z: float) -> float:
    """I0(z) - 1 by its power series: every term is positive, so the sum is good to the last digits."""
    quarter = 0.25 * z * z
    term = quarter
    total = quarter
    k = 2.0
    while term > 1e-17 * total:
        term *= quarter / (k * k)
        total += term
        k += 1.0
    return total


@kernel
def gain_x(a: float, b: float, p_d: float, gamma: float) -> tuple[float, float]:
    """(Q_c, Q_e): probabilities of a right and a wrong coincidence in the X basis, both Bell states summed."""
    x = gamma * sqrt(a * b)
    u = -expm1(log1p(-p_d) - 0.25 * (a + b))
    y = 1.0 - u
    j_half = bessel_i0_minus_1(0.5 * x)
    q_c = 2.0 * y * y * (u * u + bessel_i0_minus_1(x) - 2.0 * y * j_half)  # Ma & Razavi 2012, Q_c of the X basis
    q_e = 2.0 * y * y * (u * u - 2.0 * y * j_half)  # Ma & Razavi 2012, Q_e of the X basis
    return q_c, max(q_e, 0.0)


@kernel
def gain_z(a: float, b: float, p_d: float, gamma: float) -> tuple[float, float]:
    """(Q_c, Q_e): probabilities of a right and a wrong coincidence in the Z basis, both Bell states summed."""
    x = gamma * sqrt(a * b)
    dark = log1p(-p_d)
    common = 2.0 * (1.0 - p_d) ** 2 * exp(-0.5 * (a + b))
    q_c = common * expm1(dark - 0.5 * a) * expm1(dark - 0.5 * b)  # Ma & Razavi 2012, Q_c of the Z basis
    q_e = common * p_d * (bessel_i0_minus_1(x) - expm1(dark - 0.5 * (a + b)))  # Ma & Razavi 2012, Q_e of the Z basis
    return q_c, q_e


@kernel
def gain_cross(a: float, b: float, p_d: float, gamma: float) -> tuple[float, float]:
    r"""(Q_c, Q_e) of `a` in the Z basis and `b` in X: as many right as wrong ones, for they have no basis in common.

    With Alice in H the outputs of V hold b/4 each and those of H hold :math:`a/2+b/4` and interfere (own derivation):
    :math:`Q = 4(1-p_d)e^{-b/4}\,[1-(1-p_d)e^{-b/4}]\,(1-p_d)e^{-(a/2+b/4)}
    [I_0(\gamma\sqrt{ab/2})-(1-p_d)e^{-(a/2+b/4)}]`.
    """
    dark = log1p(-p_d)
    one_h, one_v = dark - 0.5 * a - 0.25 * b, dark - 0.25 * b
    lone_click = bessel_i0_minus_1(gamma * sqrt(0.5 * a * b)) - expm1(one_h)
    half = -2.0 * exp(one_v + one_h) * expm1(one_v) * lone_click
    return half, half


@kernel
def yield_11(eta_a: float, eta_b: float, p_d: float) -> float:
    """Yield of a pair of single photons, either basis, both Bell states (Ma & Razavi 2012)."""
    product = eta_a * eta_b
    one_dark = (2.0 * eta_a + 2.0 * eta_b - 3.0 * product) * p_d
    two_dark = 4.0 * (1.0 - eta_a) * (1.0 - eta_b) * p_d * p_d
    return (1.0 - p_d) ** 2 * (0.5 * product + one_dark + two_dark)


@kernel
def click_probability(a: float, b: float, z_a: bool, z_b: bool, p_d: float, gamma: float) -> float:
    """Mean probability that one of the four detectors clicks in a gate, before dead time; `z_a`, `z_b` are the bases.

    In Z each user's light falls on one polarization, so a detector sees both, one or none of the two beams; in X it is
    spread over all four.
    """
    dark = log1p(-p_d)
    if z_a != z_b:
        in_z, in_x = (a, b) if z_a else (b, a)
        both = exp(dark - 0.5 * in_z - 0.25 * in_x) * (1.0 + bessel_i0_minus_1(gamma * sqrt(0.5 * a * b)))
        return 1.0 - 0.5 * (both + exp(dark - 0.25 * in_x))
    if not z_a:
        y = exp(dark - 0.25 * (a + b))
        return 1.0 - y - y * bessel_i0_minus_1(0.5 * gamma * sqrt(a * b))
    both = exp(dark - 0.5 * (a + b)) * (1.0 + bessel_i0_minus_1(gamma * sqrt(a * b)))
    alone = exp(dark - 0.5 * a) + exp(dark - 0.5 * b)
    return 1.0 - 0.25 * (both + alone + 1.0 - p_d)


@kernel
def gain(a: float, b: float, z_a: bool, z_b: bool, p_d: float, gamma: float) -> tuple[float, float]:
    """(Q_c, Q_e) in any bases."""
    if z_a and z_b:
        return gain_z(a, b, p_d, gamma)
    if z_a:
        return gain_cross(a, b, p_d, gamma)
    if z_b:
        return gain_cross(b, a, p_d, gamma)
    return gain_x(a, b, p_d, gamma)


@kernel
def hidden_clicks(
    a: float, b: float, z_a: bool, z_b: bool, p_d: float, gamma: float, live: float
) -> tuple[float, float]:
    r"""What dead detectors add to (Q_c, Q_e): three or four clicks of which a Bell state is registered.

    With each detector live in the share :math:`\ell` of the gates, independently, the gain is
    :math:`\ell^2[Q+2(1-\ell)P_3+4(1-\ell)^2P_4]`, for three clicks hold two Bell states, one of each kind, and four
    clicks four (own derivation). The probabilities of exactly three and four clicks are means over the relative phase,
    by the trapezoidal rule, which is exact to rounding here. Returns the two added terms without the factor
    :math:`\ell^2`.
    """
    dead, q_c, q_e = 1.0 - live, 0.0, 0.0
    if z_a and z_b:  # unequal bits, a right answer, keep the beams apart
        q_c = 0.5 * _hidden(0.5 * a, 0.5 * a, 0.5 * b, 0.5 * b, p_d, dead)
    for node in _PHASE_NODES:
        cross = gamma * node * sqrt(a * b)
        if z_a and z_b:
            mean = 0.5 * (a + b)
            q_e += 0.5 * _hidden(mean + cross, mean - cross, 0.0, 0.0, p_d, dead)
        elif z_a or z_b:
            in_z, in_x = (a, b) if z_a else (b, a)
            mean, cross = 0.5 * in_z + 0.25 * in_x, sqrt(0.5) * cross
            q_e += 0.5 * _hidden(mean + cross, mean - cross, 0.25 * in_x, 0.25 * in_x, p_d, dead)
        else:
            plus, minus = 0.25 * (a + b) + 0.5 * cross, 0.25 * (a + b) - 0.5 * cross
            q_e += 0.5 * _hidden(plus, plus, minus, minus, p_d, dead)
    q_e /= len(_PHASE_NODES)
    return (q_c, q_e) if z_a and z_b else (q_e, q_e)


@kernel
def _hidden(i_1: float, i_2: float, i_3: float, i_4: float, p_d: float, dead: float) -> float:
    """2 dead P_3 + 4 dead^2 P_4 of four detectors with these mean photon numbers."""
    dark = log1p(-p_d)
    k_1, k_2, k_3, k_4 = -expm1(dark - i_1), -expm1(dark - i_2), -expm1(dark - i_3), -expm1(dark - i_4)
    left, right = k_1 * k_2, k_3 * k_4
    p_4 = left * right
    p_3 = right * (k_1 + k_2 - 2.0 * left) + left * (k_3 + k_4 - 2.0 * right)
    return 2.0 * dead * p_3 + 4.0 * dead * dead * p_4


@kernel
def live_share(click: float, dead_gates: float, ceiling: float) -> float:
    """Share of gates in which a detector is live: 1/(1 + R tau) for a dead time tau, and at most ceiling/R."""
    live = 1.0 / (1.0 + click * dead_gates)
    return min(live, ceiling / click) if click > ceiling else live


@kernel
def live_pair(click: float, both: float, dead_gates: float, ceiling: float) -> tuple[float, float]:
    r"""Shares of gates in which a detector, and in which both detectors of a Bell state, are live and registered.

    Two detectors that see the same pulses are not dead independently: where a pulse's light goes to H, those of V stay
    live. With p the click probability of each and p' that of both, the state of two dead times has the solution (own
    derivation, first order in the covariance) :math:`\ell_2 = 1/[(1+Dp)(1+Dp-D(p'-p^2))]`.

    Args:
        click: p, click probability of one detector in a gate.
        both: p', that both click.
        dead_gates: D, gates that a click blinds.
        ceiling: most registered clicks a gate; what is above is dropped at random.
    """
    live = 1.0 / (1.0 + dead_gates * click)
    pair = live / (1.0 + dead_gates * (click - both + click * click))
    kept = min(ceiling / (click * live), 1.0) if click > ceiling else 1.0
    return live * kept, pair * kept * kept
