r"""Closed-form gains of phase-randomised weak coherent pulses at a Bell-state measurement.

Ma & Razavi, PRA 86 062319 (2012), written so that nothing cancels at 1e-6; imperfect interference scales every Bessel
argument by :math:`\gamma = \sqrt{V/0.5}`. They agree with a direct integration over the relative phase of four
threshold detectors (tests).

Notation: :math:`a, b` are the mean photon numbers that arrive and are detected, :math:`x=\sqrt{ab}`,
:math:`y=(1-p_d)e^{-(a+b)/4}`, :math:`u=1-y`, :math:`J(z)=I_0(z)-1`.
"""

from math import exp, expm1, log1p, sqrt

from combmesh.ground.kernels import kernel


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
def yield_11(eta_a: float, eta_b: float, p_d: float) -> float:
    """Yield of a pair of single photons, either basis, both Bell states (Ma & Razavi 2012)."""
    product = eta_a * eta_b
    one_dark = (2.0 * eta_a + 2.0 * eta_b - 3.0 * product) * p_d
    two_dark = 4.0 * (1.0 - eta_a) * (1.0 - eta_b) * p_d * p_d
    return (1.0 - p_d) ** 2 * (0.5 * product + one_dark + two_dark)


@kernel
def click_probability(a: float, b: float, both_z: bool, p_d: float, gamma: float) -> float:
    """Mean probability that one of the four detectors clicks in a gate, before dead time.

    In Z each user's light falls on one polarization, so a detector sees both, one or none of the two beams; otherwise
    the light is spread over all four (cross-basis pairs are counted as X: same light, nearly the same clicks).
    """
    dark = log1p(-p_d)
    if not both_z:
        y = exp(dark - 0.25 * (a + b))
        return 1.0 - y - y * bessel_i0_minus_1(0.5 * gamma * sqrt(a * b))
    both = exp(dark - 0.5 * (a + b)) * (1.0 + bessel_i0_minus_1(gamma * sqrt(a * b)))
    alone = exp(dark - 0.5 * a) + exp(dark - 0.5 * b)
    return 1.0 - 0.25 * (both + alone + 1.0 - p_d)


@kernel
def live_share(click: float, dead_gates: float, ceiling: float) -> float:
    """Share of gates in which a detector is live: 1/(1 + R tau) for a dead time tau, and at most ceiling/R."""
    live = 1.0 / (1.0 + click * dead_gates)
    return min(live, ceiling / click) if click > ceiling else live
