"""Closed-form gains against published numbers and against a receiver that knows nothing of them."""

import numpy as np
import pytest

from combmesh.link.gains import click_probability, gain_cross, gain_x, gain_z, live_share, yield_11
from combmesh.protocol.mdi.bounds import binary_entropy

# PyPI qkd 0.2.0: (mu_a, mu_b, eta_a, eta_b, p_d, e_d), (Q, E) in Z, (Q, E) in X, Y11
PUBLISHED = [
    (
        (0.4, 0.4, 0.045853026072441495, 0.045853026072441495, 3.01e-6, 0.015),
        (0.0001638506266569423, 0.01563896745952923),
        (0.00032899602172698807, 0.256545327733854),
        0.0010517767861272032,
    ),
    (
        (0.1, 0.1, 0.0145, 0.0145, 3.01e-6, 0.015),
        (1.0664158514625652e-06, 0.022941812128773977),
        (2.11613331397682e-06, 0.2594128437842773),
        0.00010529708274824775,
    ),
    (
        (0.5, 0.1, 0.09148881494962802, 0.009148881494962803, 3.01e-6, 0.015),
        (2.047748390538766e-05, 0.021427787388194317),
        (0.0005260650074259562, 0.48115288322472166),
        0.0004191059532777692,
    ),
    (
        (0.036, 0.036, 0.0022980951290686143, 0.0022980951290686143, 3.01e-6, 0.015),
        (4.453989988708518e-09, 0.12739868027379705),
        (7.87592028665903e-09, 0.28927653790782076),
        2.6682619978840636e-06,
    ),
]


def with_error(gain, e_d):
    q_c, q_e = gain
    return q_c + q_e, (e_d * q_c + (1 - e_d) * q_e) / (q_c + q_e)


@pytest.mark.parametrize(("inputs", "z", "x", "y11"), PUBLISHED)
def test_exact_gains_of_an_independent_program(inputs, z, x, y11):
    mu_a, mu_b, eta_a, eta_b, p_d, e_d = inputs
    a, b = mu_a * eta_a, mu_b * eta_b
    assert with_error(gain_z(a, b, p_d, 1.0), e_d) == pytest.approx(z, rel=1e-9)
    assert with_error(gain_x(a, b, p_d, 1.0), e_d) == pytest.approx(x, rel=1e-9)
    assert yield_11(eta_a, eta_b, p_d) == pytest.approx(y11, rel=1e-9)


def receiver(a, b, p_d, overlap, pol_a, pol_b):
    """Mean clicks and announcements of four threshold detectors, by averaging over the relative phase.

    Each polarization meets at a balanced beam splitter: outputs (|A|^2 + |B|^2)/2 +- overlap Re(A B* e^{i phase}).
    Returns (P(psi-minus), P(psi-plus), mean click probability).
    """
    phase = 2 * np.pi * (np.arange(4096) + 0.5) / 4096
    intensities = {}
    for mode in (0, 1):
        field_a, field_b = np.sqrt(a) * pol_a[mode], np.sqrt(b) * pol_b[mode]
        mean, swing = (field_a**2 + field_b**2) / 2, overlap * field_a * field_b * np.cos(phase)
        intensities[1, mode], intensities[2, mode] = mean + swing, mean - swing
    click = {key: 1 - (1 - p_d) * np.exp(-value) for key, value in intensities.items()}

    def only(*keys):
        chance = np.ones_like(phase)
        for key, value in click.items():
            chance = chance * (value if key in keys else 1 - value)
        return chance.mean()

    minus = only((1, 0), (2, 1)) + only((1, 1), (2, 0))
    plus = only((1, 0), (1, 1)) + only((2, 0), (2, 1))
    return minus, plus, np.mean([value.mean() for value in click.values()])


H, V = (1.0, 0.0), (0.0, 1.0)
PLUS, MINUS = (2**-0.5, 2**-0.5), (2**-0.5, -(2**-0.5))


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.02), (0.3, 0.05), (2.0, 1.0)])
@pytest.mark.parametrize("gamma", [1.0, 0.97**0.5, 0.0])
def test_exact_gains_are_those_of_four_threshold_detectors(a, b, gamma):
    """In X a right psi-minus has unequal bits and a right psi-plus equal ones; in Z both have unequal bits."""
    p_d = 1e-4
    same, other = receiver(a, b, p_d, gamma, PLUS, PLUS), receiver(a, b, p_d, gamma, PLUS, MINUS)
    q_c, q_e = gain_x(a, b, p_d, gamma)
    assert q_c == pytest.approx((same[1] + other[0]) / 2, rel=1e-9)
    assert q_e == pytest.approx((same[0] + other[1]) / 2, rel=1e-9)
    assert click_probability(a, b, False, False, p_d, gamma) == pytest.approx(same[2], rel=1e-9)
    same, other = receiver(a, b, p_d, gamma, H, H), receiver(a, b, p_d, gamma, H, V)
    q_c, q_e = gain_z(a, b, p_d, gamma)
    assert q_c == pytest.approx((other[0] + other[1]) / 2, rel=1e-9)
    assert q_e == pytest.approx((same[0] + same[1]) / 2, rel=1e-9)
    assert click_probability(a, b, True, True, p_d, gamma) == pytest.approx((same[2] + other[2]) / 2, rel=1e-9)
    mixed = receiver(a, b, p_d, gamma, H, PLUS)
    assert sum(gain_cross(a, b, p_d, gamma)) == pytest.approx(mixed[0] + mixed[1], rel=1e-9)
    assert click_probability(a, b, True, False, p_d, gamma) == pytest.approx(mixed[2], rel=1e-9)
    assert click_probability(b, a, False, True, p_d, gamma) == pytest.approx(mixed[2], rel=1e-9)


@pytest.mark.parametrize("visibility", [0.5, 0.485, 0.3, 0.0])
def test_limit_qber_in_x_of_weak_light(visibility):
    """E_X -> 1/2 - V/2 without misalignment (Ma & Razavi 2012 at V = 1/2: a quarter)."""
    gamma = (visibility / 0.5) ** 0.5
    assert with_error(gain_x(1e-5, 1e-5, 0.0, gamma), 0.0)[1] == pytest.approx(0.5 - visibility / 2, abs=1e-5)
    assert with_error(gain_x(1e-5, 1e-5, 0.0, 1.0), 0.04)[1] == pytest.approx(0.25 + 0.02, abs=1e-5)


def test_limit_live_share_of_a_detector():
    assert live_share(0.0, 75.0, 1.0) == 1.0
    assert live_share(0.02, 75.0, 1.0) == pytest.approx(1 / 2.5)
    assert live_share(0.02, 0.0, 0.001) == pytest.approx(0.05)
    # notes: 6 / 18 / 56 / 176 million clicks a second and 30 ns leave .72 / .42 / .14 / .03 of the coincidences
    for rate_hz, share in ((6e6, 0.72), (18e6, 0.42), (56e6, 0.14), (176e6, 0.03)):
        assert live_share(rate_hz / 2.5e9, 30e-9 * 2.5e9, 1.0) ** 2 == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize(
    ("length_km", "mu", "rate", "y11_z", "y11_x", "e11", "q_z", "e_z"),
    [
        (
            0,
            0.6,
            5.50480800248019e-4,
            0.010439772440663,
            0.010373013977791,
            0.017691986826910,
            3.3229148800730e-3,
            0.015137277,
        ),
        (
            50,
            0.55,
            5.044648887408833e-5,
            1.043814410035e-3,
            1.037246431003e-3,
            0.018074920050104,
            3.064927897201e-4,
            0.015465665,
        ),
        (
            100,
            0.55,
            4.679772268409997e-6,
            1.04452439264e-4,
            1.0377221811514e-4,
            0.018709117479222,
            3.1516932965e-5,
            0.016463490,
        ),
        (
            150,
            0.5,
            3.909173100581946e-7,
            1.0492159631e-5,
            1.0432377812e-5,
            0.020454368313764,
            2.6466316623e-6,
            0.020050503,
        ),
        (
            200,
            0.45,
            1.9578947686556202e-8,
            1.0621196265e-6,
            1.0569551654e-6,
            0.025900055040836,
            2.2055315470e-7,
            0.032341094,
        ),
    ],
)
def test_exact_three_intensities_with_endless_data(length_km, mu, rate, y11_z, y11_x, e11, q_z, e_z):
    """PyPI qkd 0.2.0 at the parameters of Lo, Curty, Qi (2012): Xu's bound, nu = .005 and vacuum, from our gains."""
    nu, p_d, e_d = 0.005, 3.01e-6, 0.015
    eta = 0.145 * 10 ** (-0.02 * length_km / 2)

    def gains(gain, a, b):
        q_c, q_e = gain(a * eta, b * eta, p_d, 1.0)
        return q_c + q_e, e_d * q_c + (1 - e_d) * q_e

    def without_vacuum(gain, u, kind):
        both, one, other, none = (gains(gain, *pair)[kind] for pair in ((u, u), (u, 0), (0, u), (0, 0)))
        return np.exp(2 * u) * both + none - np.exp(u) * (one + other)

    def y11(gain):
        strong, weak = without_vacuum(gain, mu, 0), without_vacuum(gain, nu, 0)
        return (mu**3 * weak - nu**3 * strong) / ((mu * nu) ** 2 * (mu - nu))

    assert y11(gain_z) == pytest.approx(y11_z, rel=1e-6)
    assert y11(gain_x) == pytest.approx(y11_x, rel=1e-6)
    assert without_vacuum(gain_x, nu, 1) / (nu**2 * y11(gain_x)) == pytest.approx(e11, rel=1e-6)
    total, wrong = gains(gain_z, mu, mu)
    assert total == pytest.approx(q_z, rel=1e-9)
    assert wrong / total == pytest.approx(e_z, rel=1e-7)
    key = mu**2 * np.exp(-2 * mu) * y11_z * (1 - binary_entropy(e11)) - 1.16 * total * binary_entropy(wrong / total)
    assert key == pytest.approx(rate, rel=1e-6)
