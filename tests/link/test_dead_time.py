"""Dead time in the closed form, beside plain enumeration."""

from itertools import product

import numpy as np
import pytest

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.link.gains import click_probability, gain, hidden_clicks, live_pair, live_share
from combmesh.link.relay import Link, Relay

DIAGONAL = 2**-0.5
VECTORS = {True: [(1.0, 0.0), (0.0, 1.0)], False: [(DIAGONAL, DIAGONAL), (DIAGONAL, -DIAGONAL)]}
BELL = {frozenset({0, 3}): "minus", frozenset({1, 2}): "minus", frozenset({0, 1}): "plus", frozenset({2, 3}): "plus"}


def registered(a, b, z_a, z_b, p_d, gamma, live):
    """(right, wrong) Bell states when each of the detectors 1H, 1V, 2H, 2V is live with the chance `live`."""
    phase = 2 * np.pi * (np.arange(400) + 0.5) / 400
    right = wrong = 0.0
    for bit_a, bit_b in product((0, 1), repeat=2):
        fields = [
            (np.sqrt(a) * e, np.sqrt(b) * f) for e, f in zip(VECTORS[z_a][bit_a], VECTORS[z_b][bit_b], strict=True)
        ]
        light = [(f**2 + g**2) / 2 + sign * gamma * f * g * np.cos(phase) for sign in (1, -1) for f, g in fields]
        clicks = [live * (1 - (1 - p_d) * np.exp(-value)) for value in light]
        for pair, state in BELL.items():
            chance = np.prod([clicks[d] if d in pair else 1 - clicks[d] for d in range(4)], axis=0).mean() / 4
            flips = z_a or z_b or state == "minus"
            if (bit_a != bit_b) == flips:
                right += chance
            else:
                wrong += chance
    return right, wrong


@pytest.mark.parametrize(("z_a", "z_b"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("live", [1.0, 0.6, 0.1])
def test_exact_gains_of_detectors_that_are_live_by_chance(z_a, z_b, live):
    for a, b, p_d, gamma in ((0.3, 0.1, 1e-3, 0.98), (2.0, 1.0, 1e-4, 1.0), (1e-3, 2e-3, 1e-6, 0.9)):
        ours = np.array(gain(a, b, z_a, z_b, p_d, gamma)) + hidden_clicks(a, b, z_a, z_b, p_d, gamma, live)
        assert live**2 * ours == pytest.approx(registered(a, b, z_a, z_b, p_d, gamma, live), rel=1e-9)


def stationary_pair(p_one, p_both, dead_gates):
    """P(both live) of two detectors that see the same pulses, from their Markov chain."""
    states = list(product(range(dead_gates + 1), repeat=2))
    step = np.zeros((len(states), len(states)))
    outcomes = {(1, 1): p_both, (1, 0): p_one - p_both, (0, 1): p_one - p_both}
    outcomes[0, 0] = 1 - sum(outcomes.values())
    for i, state in enumerate(states):
        for hit, chance in outcomes.items():
            after = tuple(left - 1 if left else dead_gates * h for left, h in zip(state, hit, strict=True))
            step[i, states.index(after)] += chance
    return np.linalg.matrix_power(step, 1 << 14)[0, states.index((0, 0))]


@pytest.mark.parametrize(("p_one", "p_both"), [(0.02, 0.0004), (0.02, 0.0), (0.02, 0.002), (0.1, 0.0), (0.002, 1e-3)])
@pytest.mark.parametrize("dead_gates", [1, 4, 12])
def test_exact_live_pair_is_that_of_the_markov_chain(p_one, p_both, dead_gates):
    """Exact for independent detectors; otherwise to first order in the covariance."""
    single, pair = live_pair(p_one, p_both, float(dead_gates), 1.0)
    independent = 1 / (1 + dead_gates * p_one) ** 2
    exact = stationary_pair(p_one, p_both, dead_gates)
    assert single == pytest.approx(live_share(p_one, dead_gates, 1.0), rel=1e-12)
    assert pair == pytest.approx(exact, abs=0.1 * abs(exact - independent) + 1e-12)


def test_limit_ceiling_takes_each_of_the_two_clicks():
    assert live_pair(0.04, 0.0016, 0.0, 0.01) == pytest.approx((0.25, 0.0625), rel=1e-12)
    single, pair = live_pair(0.04, 0.0016, 50.0, 0.01)
    assert (single, pair) == pytest.approx((0.25, 0.0625), rel=1e-12)
    assert live_pair(0.0, 0.0, 50.0, 1.0) == (1.0, 1.0)


def test_exact_gates_that_a_click_blinds():
    """tau = 75 periods: the click 75 gates later is seen; with jitter it is seen every other time."""

    def dead_gates(dead_ns, jitter_ps):
        return Link(0.1, 0.1, Relay(dead_time_ns=dead_ns, jitter_fwhm_ps=jitter_ps), 2.5e9).as_array()[7]

    assert dead_gates(30.0, 0.0) == 74.0
    assert dead_gates(5.0, 0.0) == 12.0
    assert dead_gates(0.0, 0.0) == 0.0
    assert dead_gates(30.0, 40.0) == pytest.approx(74.5, rel=1e-3)
    delays = np.random.default_rng(3).normal(0.0, 200.0 / FWHM_PER_SIGMA, (2, 100_000))
    later = 400.0 * np.arange(1, 60)[:, None] + delays[1] - delays[0]
    share = Link(0.1, 0.1, Relay(jitter_fwhm_ps=200.0), 2.5e9).gate_share
    assert dead_gates(10.1, 200.0) * share == pytest.approx((later < 10_100.0).sum() / 100_000, abs=0.01)


def test_exact_share_of_a_pulse_in_its_gate():
    """A gate of one full width at half maximum holds erf(sqrt(ln 2)) = 76.1 % of a Gaussian."""
    link = Link(0.1, 0.2, Relay(jitter_fwhm_ps=95.0, gate_ps=95.0), 2.5e9)
    assert link.gate_share == pytest.approx(0.7609681, rel=1e-6)
    assert link.as_array()[:2] == pytest.approx((0.07609681, 0.15219362), rel=1e-6)
    assert Link(0.1, 0.2, Relay(), 2.5e9).gate_share == 1.0


def test_limit_click_probability_of_mixed_bases_is_symmetric():
    assert click_probability(0.2, 0.1, True, False, 1e-4, 0.98) == click_probability(0.1, 0.2, False, True, 1e-4, 0.98)
