r"""Coincidences of two detectors behind one beam splitter, and the visibility of their dip.

With `a`, `b` the detected mean photons of the two users, :math:`s = (a+b)/2`, :math:`w = \sqrt{abM}` and
:math:`q = 1-p_d`, a relative phase :math:`\varphi` leaves :math:`s \pm w\cos\varphi` photons in the two outputs. The
mean over it is

.. math:: P_c = 1 - 2 q e^{-s} I_0(w) + q^2 e^{-2s}, \qquad V = 1 - P_c(w)/P_c(0)

(own derivation; agrees with Ma & Razavi, PRA 86 062319). Every function broadcasts, `(...)`.
"""

import numpy as np

from combmesh.ground.errors import check_range
from combmesh.link.interference.arrays import Floats, Number, check_all, check_all_positive

_SMALL = 1.0
_SERIES_TERMS = 12
"""At w = 1 the next term is below 1e-23."""

BRIGHTEST = 500.0
"""Photons beyond which I0 leaves double precision."""


def i0_minus_1(w: Number) -> Floats:
    """I0(w) - 1, to the last digits also where w is small."""
    w = np.abs(np.asarray(w, np.float64))
    quarter = 0.25 * np.minimum(w, _SMALL) ** 2
    term, total = np.ones_like(quarter), np.zeros_like(quarter)
    for k in range(1, _SERIES_TERMS):
        term = term * quarter / (k * k)
        total = total + term
    return np.where(w <= _SMALL, total, np.i0(w) - 1.0)


def coincidence(a: Number, b: Number, overlap: Number = 1.0, dark_count_probability: float = 0.0) -> Floats:
    """P_c of a pulse: both detectors click. `overlap` 0 is the level beside the dip.

    Args:
        a, b: mean photons of each user that are detected, both detectors together.
        overlap: M, 0 to 1.
        dark_count_probability: p_d of each detector.
    """
    u, cross = _one_and_cross(a, b, overlap, dark_count_probability)
    return u * u - 2.0 * (1.0 - u) * cross  # P_c = (1 - q e^-s)^2 - 2 q e^-s (I0(w) - 1), nothing cancels


def single(a: Number, b: Number, overlap: Number = 1.0, dark_count_probability: float = 0.0) -> Floats:
    """Probability that one given detector clicks: :math:`1 - q e^{-s} I_0(w)`."""
    u, cross = _one_and_cross(a, b, overlap, dark_count_probability)
    return u - (1.0 - u) * cross


def visibility(a: Number, b: Number, overlap: Number = 1.0, dark_count_probability: float = 0.0) -> Floats:
    """V = 1 - P_c(w)/P_c(0) at threshold detectors.

    >>> bool(abs(visibility(1e-6, 1e-6) - 0.5) < 1e-6)
    True
    """
    u, cross = _one_and_cross(a, b, overlap, dark_count_probability)
    return 2.0 * (1.0 - u) * cross / (u * u)


def weak_visibility(a: Number, b: Number, overlap: Number = 1.0) -> Floats:
    r"""The weak limit :math:`V = 2rM/(1+r)^2`, :math:`r = a/b`.

    >>> float(weak_visibility(2.0, 1.0))
    0.4444444444444444
    """
    check_all_positive("a", a)
    check_all_positive("b", b)
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(2.0 * a * b * overlap / (a + b) ** 2)


def single_photon_coincidence(
    eta_a: Number, eta_b: Number, overlap: Number = 1.0, dark_count_probability: float = 0.0
) -> Floats:
    r"""P_c of one photon of each user, detected with the probabilities `eta_a` and `eta_b` (own derivation).

    :math:`P_c = 1 - 2q[1 - (\eta_a+\eta_b)/2 + \eta_a\eta_b(1+M)/4] + q^2(1-\eta_a)(1-\eta_b)`; without dark counts
    :math:`\eta_a\eta_b(1-M)/2`.
    """
    for name, value in (("eta_a", eta_a), ("eta_b", eta_b), ("overlap", overlap)):
        check_all(name, value, 0.0, 1.0)
    check_range("dark_count_probability", dark_count_probability, 0.0, 1.0)
    p_d = dark_count_probability
    both = np.asarray(eta_a, np.float64) * eta_b
    parted = 0.5 * both * (1.0 - np.asarray(overlap))
    one = np.asarray(eta_a, np.float64) + eta_b - 2.0 * both  # exactly one photon is detected
    none = (1.0 - np.asarray(eta_a)) * (1.0 - np.asarray(eta_b))
    return np.asarray(parted + p_d * (one + both - parted) + p_d * p_d * none)


def single_photon_visibility(
    eta_a: Number, eta_b: Number, overlap: Number = 1.0, dark_count_probability: float = 0.0
) -> Floats:
    """V of single photons; M itself without dark counts.

    >>> float(single_photon_visibility(0.1, 0.2))
    1.0
    """
    seen = single_photon_coincidence(eta_a, eta_b, overlap, dark_count_probability)
    return np.asarray(1.0 - seen / single_photon_coincidence(eta_a, eta_b, 0.0, dark_count_probability))


def photons_for(count_rate_hz: float, clock_hz: float) -> float:
    """Detected photons of each of two equal users at which each detector counts `count_rate_hz` beside the dip.

    >>> round(photons_for(1e6, 2.5e9), 8)
    0.00040008
    """
    check_all_positive("clock_hz", clock_hz)
    check_all_positive("count_rate_hz", count_rate_hz)
    check_range("count_rate_hz", count_rate_hz, 0.0, 0.99 * clock_hz)
    return float(-np.log1p(-count_rate_hz / clock_hz))


def _one_and_cross(a: Number, b: Number, overlap: Number, p_d: float) -> tuple[Floats, Floats]:
    """(1 - q e^-s, I0(w) - 1)."""
    check_all_positive("a", a)
    check_all_positive("b", b)
    check_all("a", a, 0.0, BRIGHTEST)
    check_all("b", b, 0.0, BRIGHTEST)
    check_all("overlap", overlap, 0.0, 1.0 + 1e-12)
    check_range("dark_count_probability", p_d, 0.0, 1.0)
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    u = p_d - (1.0 - p_d) * np.expm1(-0.5 * (a + b))
    return np.asarray(u), i0_minus_1(np.sqrt(a * b * overlap))
