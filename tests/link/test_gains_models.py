"""Gains against another package, a published experiment and their own limits."""

import numpy as np
import pytest
from qkd import _core

from combmesh.ground.errors import InputError
from combmesh.link.fibre import fibre_loss_db, transmission
from combmesh.link.gains import bessel_i0_minus_1, gain_x, gain_z, live_share, yield_11
from combmesh.link.relay import Link, Relay


def with_error(gain, e_d):
    q_c, q_e = gain
    return q_c + q_e, (e_d * q_c + (1 - e_d) * q_e) / (q_c + q_e)


def test_exact_gains_of_the_qkd_package_at_random_points():
    """PyPI qkd 0.2.0 writes the formulas as printed: where terms near 1 cancel it has fewer digits than we have."""
    rng = np.random.default_rng(11)
    for _ in range(40):
        mu_a, mu_b = rng.uniform(0.02, 1.0, 2)
        eta_a, eta_b = 10 ** rng.uniform(-2.0, -0.1, 2)
        p_d, e_d = 10 ** rng.uniform(-8.0, -4.0), rng.uniform(0.0, 0.1)
        arrived = (mu_a * eta_a, mu_b * eta_b, p_d, 1.0)
        theirs = (mu_a, mu_b, eta_a, eta_b, p_d, e_d)
        assert with_error(gain_z(*arrived), e_d) == pytest.approx(_core.mdi_rect(*theirs), rel=1e-9)
        assert with_error(gain_x(*arrived), e_d) == pytest.approx(_core.mdi_diag(*theirs), rel=1e-9)
        assert yield_11(eta_a, eta_b, p_d) == pytest.approx(_core.mdi_yield(eta_a, eta_b, p_d, e_d)[0], rel=1e-12)


@pytest.mark.parametrize("z", [1e-9, 1e-3, 0.5, 3.0, 20.0])
def test_exact_bessel_function(z):
    """The mean of cosh(z cos(phase)) - 1 = 2 sinh^2(z cos(phase) / 2) over the phase."""
    phase = 2 * np.pi * (np.arange(512) + 0.5) / 512
    assert bessel_i0_minus_1(z) == pytest.approx(np.mean(2 * np.sinh(z * np.cos(phase) / 2) ** 2), rel=1e-13)


def test_exact_dark_counts_alone():
    """Without light: two detectors of four click, six pairs, of which four are announced: 4 p^2 (1-p)^2, half wrong."""
    p_d = 1e-3
    for gain in (gain_x, gain_z):
        q_c, q_e = gain(0.0, 0.0, p_d, 1.0)
        assert q_c == pytest.approx(q_e, rel=1e-12)
        assert q_c + q_e == pytest.approx(4 * p_d**2 * (1 - p_d) ** 2, rel=1e-12)
    assert yield_11(0.0, 0.0, p_d) == pytest.approx(4 * p_d**2 * (1 - p_d) ** 2, rel=1e-12)


@pytest.mark.parametrize("light", [1e-8, 1e-6, 1e-4])
def test_limit_weak_light_does_not_cancel(light):
    """X, a = b, no dark counts: q_c = 2 (1/4 + 1/4 - 1/8) a^2 and q_e = 2 (1/4 - 1/8) a^2, whose share is a quarter."""
    q_c, q_e = gain_x(light, light, 0.0, 1.0)
    assert q_c / light**2 == pytest.approx(0.75, rel=10 * light + 1e-12)
    assert q_e / light**2 == pytest.approx(0.25, rel=10 * light + 1e-9)


def test_limit_one_user_alone_has_a_coin_for_a_bit():
    """One beam reaches two detectors by chance: in X right and wrong are alike, in Z it takes a dark count."""
    q_c, q_e = gain_x(0.1, 0.0, 1e-6, 1.0)
    assert q_c == pytest.approx(q_e, rel=1e-9)
    q_c, q_e = gain_z(0.1, 0.0, 1e-6, 1.0)
    assert q_c == pytest.approx(q_e, rel=1e-9)
    assert q_c + q_e < 1e-6


# Rubenok et al., PRL 111 130501 (2013), setup 1a: psi-minus only, eta_d = .145; dark counts from their Q_00 = 7.1e-10
RUBENOK = [
    ("z", 0.396, 0.396, 1.028e-4),
    ("x", 0.396, 0.396, 1.95e-4),
    ("z", 0.05, 0.05, 1.89e-6),
    ("x", 0.05, 0.05, 3.4e-6),
    ("x", 0.396, 0.0, 5.68e-5),
    ("x", 0.0, 0.396, 5.77e-5),
    ("x", 0.05, 0.0, 8.76e-7),
    ("x", 0.0, 0.05, 8.59e-7),
    ("x", 0.0, 0.0, 7.1e-10),
]


@pytest.mark.parametrize(("basis", "mu_a", "mu_b", "measured"), RUBENOK)
def test_paper_rubenok_2013_gains(basis, mu_a, mu_b, measured):
    """Nothing is fitted: the closed forms come within 15 % (another reader's replay: .876 to 1.051)."""
    eta_a, eta_b = 0.145 * transmission(4.6), 0.145 * transmission(4.5)
    gain = gain_z if basis == "z" else gain_x
    both = sum(gain(mu_a * eta_a, mu_b * eta_b, 1.884e-5, (0.47 / 0.5) ** 0.5))
    assert both / 2 == pytest.approx(measured, rel=0.15)


def test_limit_live_share_falls_with_the_click_rate():
    clicks = np.linspace(0.0, 1.0, 101)
    for dead, ceiling in ((0.0, 1.0), (75.0, 1.0), (75.0, 0.004), (0.0, 0.1)):
        shares = np.array([live_share(float(click), dead, ceiling) for click in clicks])
        assert shares[0] == 1.0
        assert np.all((shares > 0) & (shares <= 1))
        assert np.all(np.diff(shares) <= 0)
        assert np.all(clicks * shares <= ceiling * (1 + 1e-12))
        if dead:
            assert np.all(clicks * shares <= 1 / dead)


def test_exact_link_as_the_kernels_take_it():
    """30 ns at 2.5 GHz are 75 periods, 74 blind gates; 1e7 counts a second 0.004 a gate, V = .48 is gamma^2 = .96."""
    relay = Relay(0.75, 1e-7, 0.01, 0.02, 0.48, 30.0, 1e7, 1)
    assert Link(0.1, 0.2, relay, 2.5e9).as_array() == pytest.approx(
        (0.1, 0.2, 1e-7, 0.01, 0.02, 0.96**0.5, 0.5, 74.0, 0.004), rel=1e-12
    )
    assert Link(0.1, 0.2, Relay(), 2.5e9).as_array()[-1] == 1.0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"visibility": 0.6}, "`visibility`.*0.6"),
        ({"misalignment_x": -0.1}, "`misalignment_x`.*-0.1"),
        ({"bell_states": 3}, "`bell_states`.*3"),
        ({"max_count_rate_hz": 0.0}, "`max_count_rate_hz`.*0"),
        ({"dark_count_probability": float("nan")}, "`dark_count_probability`.*nan"),
    ],
)
def test_exact_errors_name_the_value(bad, words):
    with pytest.raises(InputError, match=words):
        Relay(**bad)


def test_exact_fibre_loss():
    """100 km at 0.2 dB/km are 20 dB: one photon in a hundred."""
    assert transmission(fibre_loss_db(100.0, 0.2)) == pytest.approx(0.01, rel=1e-12)
    with pytest.raises(InputError, match="`length_km`"):
        fibre_loss_db(-1.0, 0.2)
