"""One configuration, three engines: closed form, counts and pulses."""

import numpy as np
import pytest
from scipy.stats import chi2, poisson

from combmesh.link.gains import gain
from combmesh.link.pulses.engine import Simulation, simulate
from combmesh.link.pulses.light import Light
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.protocol.mdi.single_pulses import light_of, tally_of
from combmesh.protocol.mdi.tally import draw_tally, expected_tally

FALSE_ALARM = 1e-4
"""Of each comparison, all its cells together (Bonferroni); the seeds are fixed."""

ALICE = Settings(0.05, 0.2, 0.4, 0.3, 0.1, 0.5)
BOB = Settings(0.06, 0.25, 0.35, 0.25, 0.15, 0.45, o=0.002)


def expected_cells(link, pulses_sent):
    """`(cell,)` expected right and wrong announcements of all 16 pairs of sources, cross-basis ones too."""
    eta_a, eta_b, p_d, e_z, e_x, gamma, share, *_ = link.as_array()
    cells = []
    for i, a in enumerate((ALICE.o, ALICE.x, ALICE.y, ALICE.z)):
        for j, b in enumerate((BOB.o, BOB.x, BOB.y, BOB.z)):
            z_a, z_b = i == 3, j == 3
            q_c, q_e = gain(a * eta_a, b * eta_b, z_a, z_b, p_d, gamma)
            e_d = e_z if z_a or z_b else e_x
            cells += [share * ((1 - e_d) * q_c + e_d * q_e) * pulses_sent[i, j]]
            cells += [share * (e_d * q_c + (1 - e_d) * q_e) * pulses_sent[i, j]]
    return np.array(cells)


def seen_cells(tally):
    detected, wrong = tally.detected.sum(axis=2), tally.errors.sum(axis=2)
    return np.stack([detected - wrong, wrong], axis=-1).ravel()


def p_values(seen, expected):
    """Exact Poisson for expectations under 10, chi-square for the rest, one number for each."""
    rare = expected < 10
    tails = [min(1.0, 2 * min(poisson.cdf(k, m), poisson.sf(k - 1, m))) for k, m in zip(seen, expected, strict=True)]
    common = float(chi2.sf(((seen - expected) ** 2 / expected)[~rare].sum(), (~rare).sum()))
    return [*np.array(tails)[rare], common]


ARMS = [(0.05, 0.05), (0.3, 0.3), (0.3, 0.03), (0.05, 0.3), (0.1, 0.2)]


def assert_agree(link, pulses, seed):
    tally = simulate(Simulation(light_of(ALICE, BOB), link, pulses, seed), workers=1)
    p = p_values(seen_cells(tally), expected_cells(link, tally.sent))
    assert min(p) > FALSE_ALARM / len(p), p
    return tally


@pytest.mark.parametrize(("eta_a", "eta_b"), ARMS)
def test_exact_pulses_have_the_gains_and_errors_of_the_closed_form(eta_a, eta_b):
    assert_agree(Link(eta_a, eta_b, Relay(1.0, 1e-4, 0.015, 0.04, 0.48), 2.5e9), 20_000_000, 1)


def test_exact_one_bell_state_and_a_gate():
    relay = Relay(1.0, 1e-4, 0.015, 0.04, 0.48, bell_states=1, jitter_fwhm_ps=95.0, gate_ps=120.0)
    assert_agree(Link(0.2, 0.1, relay, 2.5e9), 20_000_000, 2)


def test_exact_test_sees_a_small_difference():
    """Gains of 3 % less light on one arm do not pass."""
    relay = Relay(1.0, 1e-4, 0.015, 0.04, 0.48)
    tally = simulate(Simulation(light_of(ALICE, BOB), Link(0.3, 0.3, relay, 2.5e9), 20_000_000, 1))
    p = p_values(seen_cells(tally), expected_cells(Link(0.3, 0.291, relay, 2.5e9), tally.sent))
    assert min(p) < FALSE_ALARM / len(p)


def dead_time_deviation(link, pulses, seed):
    """Announcements over those of the closed form, minus 1, with its standard deviation; largest |sigma| of a pair."""
    tally = tally_of(simulate(Simulation(light_of(ALICE, BOB), link, pulses, seed)))
    closed = expected_tally(link, ALICE, BOB, pulses)
    expected = closed.detected / closed.sent * tally.sent
    some = expected > 50
    worst = np.abs((tally.detected - expected)[some] / np.sqrt(expected[some])).max()
    return tally.detected.sum() / expected.sum() - 1, tally.detected.sum() ** -0.5, worst


@pytest.mark.parametrize(
    ("eta", "relay"),
    [
        (0.3, Relay(1.0, 1e-5, 0.015, 0.04, 0.48, dead_time_ns=5.0)),
        (0.1, Relay(1.0, 1e-5, 0.015, 0.04, 0.48, dead_time_ns=30.0)),
        (0.1, Relay(1.0, 1e-5, 0.015, 0.04, 0.48, dead_time_ns=12.0, jitter_fwhm_ps=60.0)),
        (0.1, Relay(1.0, 1e-5, 0.015, 0.04, 0.48, max_count_rate_hz=2e7)),
    ],
)
def test_exact_dead_time_of_pulses_is_that_of_the_closed_form(eta, relay):
    deviation, sigma, worst = dead_time_deviation(Link(eta, eta, relay, 2.5e9), 40_000_000, 3)
    assert abs(deviation) < 4.5 * sigma  # false alarm 1e-5
    assert worst < 5.0


def test_exact_counts_engine_draws_from_the_closed_form_with_dead_time():
    link = Link(0.3, 0.3, Relay(1.0, 1e-5, 0.015, 0.04, 0.48, dead_time_ns=5.0), 2.5e9)
    drawn = draw_tally(link, ALICE, BOB, 10**11, np.random.default_rng(4))
    closed = expected_tally(link, ALICE, BOB, 1e11)
    for name in ("sent", "detected", "errors"):
        expected = getattr(closed, name)
        some = expected > 1e4
        assert np.all(np.abs(getattr(drawn, name) - expected)[some] < 6 * np.sqrt(expected[some]))


def test_exact_tally_of_pulses_keeps_the_order_of_pairs():
    tally = simulate(Simulation(light_of(ALICE, BOB), Link(0.2, 0.1, Relay(), 2.5e9), 1_000_000, 5))
    counts = tally_of(tally)
    x, z, o = SOURCES.index("x"), SOURCES.index("z"), SOURCES.index("o")
    assert counts.sent[2] == tally.sent[x, o]
    assert counts.sent[1] == tally.sent[o, x]
    assert counts.detected[9] == tally.detected[z, z].sum()
    assert counts.pulses == 1_000_000


# Rubenok et al., PRL 111 130501 (2013), setup 1a: psi-minus only; gains of Z and X signals, vacuum with signal
@pytest.mark.parametrize(
    ("in_z", "mu_a", "mu_b", "measured"),
    [(True, 0.396, 0.396, 1.028e-4), (False, 0.396, 0.396, 1.95e-4), (False, 0.396, 0.0, 5.68e-5)],
)
def test_paper_rubenok_2013_gains_from_pulses(in_z, mu_a, mu_b, measured):
    """Within 15 % with nothing fitted; the count has 1.5 % of its own."""
    link = Link(0.145 * 10**-0.46, 0.145 * 10**-0.45, Relay(1.0, 1.884e-5, visibility=0.47, bell_states=1), 1e7)
    light = Light(np.array([[mu_a], [mu_b]]), np.ones((2, 1)), np.array([in_z]))
    tally = simulate(Simulation(light, link, 60_000_000, 6))
    assert tally.detected.sum() / 60_000_000 == pytest.approx(measured, rel=0.15)


@pytest.mark.verify
@pytest.mark.parametrize(("eta_a", "eta_b"), [*ARMS, (0.03, 0.3), (0.2, 0.02), (0.15, 0.15)])
@pytest.mark.parametrize("dark", [1e-7, 1e-3])
def test_exact_1600_million_pulses_have_the_gains_and_errors_of_the_closed_form(eta_a, eta_b, dark):
    """16 links of 1e8 pulses; false alarm 1e-4 for each."""
    assert_agree(Link(eta_a, eta_b, Relay(1.0, dark, 0.015, 0.04, 0.48), 2.5e9), 100_000_000, 7)


@pytest.mark.verify
@pytest.mark.parametrize(
    ("eta", "dead_ns", "jitter_ps"), [(0.3, 5.0, 0.0), (0.3, 30.0, 0.0), (0.1, 30.0, 60.0), (0.05, 100.0, 95.0)]
)
def test_exact_dead_time_to_a_third_of_a_percent(eta, dead_ns, jitter_ps):
    relay = Relay(1.0, 1e-7, 0.015, 0.04, 0.48, dead_time_ns=dead_ns, jitter_fwhm_ps=jitter_ps)
    deviation, sigma, worst = dead_time_deviation(Link(eta, eta, relay, 2.5e9), 500_000_000, 8)
    assert abs(deviation) < 4.5 * sigma + 1e-3  # first order in the covariance of two detectors
    assert worst < 5.5
