"""The optimiser against random restarts, and the rates of the paper."""

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.optimise import climb, decode, fixed_plan, optimise, signed_rate
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.tally import expected_tally, link_array

PAPER = Link(7.5e-3, 7.5e-3, Relay(1.0, 4e-8, 0.017, 0.048, 0.5), 2.5e9)
UNLIMITED = 1e12
METRO = Relay(0.75, 4e-8, 0.017, 0.048, 0.485, 30.0)


def arms_km(a, b):
    return Link(0.75 * 10 ** (-0.02 * a), 0.75 * 10 ** (-0.02 * b), METRO, 2.5e9)


def rate_bps(link, analysis, f_ec, block):
    return optimise(link, analysis, f_ec, block).rate_per_pulse * link.clock_hz


@pytest.mark.parametrize(
    ("f_ec", "after_1000_s", "after_10000_s"), [(1.16, 70, 312), (1.10, 82, 345), (1.05, 92, 374), (1.0, 104, 406)]
)
def test_paper_rates_follow_the_reconciliation_efficiency(f_ec, after_1000_s, after_10000_s):
    """The paper prints 58 to 64 and 313 bit/s; the table over f is the notes', by an independent program at eps/26."""
    analysis = Analysis(bound=1e-10 / 26)
    assert rate_bps(PAPER, analysis, f_ec, BlockRule(1000, UNLIMITED)) == pytest.approx(after_1000_s, rel=0.015)
    assert rate_bps(PAPER, analysis, f_ec, BlockRule(10_000, UNLIMITED)) == pytest.approx(after_10000_s, rel=0.015)


def test_paper_rates_of_the_looser_methods():
    """Notes, eps/26 and the simple tail: single scan 35.5 and 245, no scan 0.98 and 115 bit/s. Only the double scan
    comes near the paper's 58 to 64 and 313."""
    for method, short, long in (("single-scan", 35.5, 245), ("no-scan", 0.98, 115)):
        analysis = Analysis(method, "simple", 1e-10 / 26)
        assert rate_bps(PAPER, analysis, 1.16, BlockRule(1000, UNLIMITED)) == pytest.approx(short, rel=0.03)
        assert rate_bps(PAPER, analysis, 1.16, BlockRule(10_000, UNLIMITED)) == pytest.approx(long, rel=0.03)


@pytest.mark.parametrize(("a", "b", "sifted"), [(40, 90, 2e6), (40, 90, UNLIMITED), (5, 100, 2e6), (50, 50, 2e6)])
def test_limit_no_random_restart_finds_one_percent_more(a, b, sifted):
    """Four climbs from widely scattered points, each polished."""
    link, block, rng = arms_km(a, b), BlockRule(1000, sifted), np.random.default_rng(23)
    plan = optimise(link, Analysis(), 1.05, block)
    task = (a == b, link_array(link), Analysis().as_array(), 1.05, 1000 * link.clock_hz, sifted)
    best = -1.0
    for _ in range(4):
        usual = np.array([-1.0, -2.0, -1.5, 2.0, 1.0, 3.0] * (1 if a == b else 2))
        point = usual + rng.normal(0, 1.0, len(usual))
        for step in (0.4, 0.3, -0.3, 0.2):
            point, rate = climb(point, step, 3000, *task)
        best = max(best, rate)
    assert plan.rate_per_pulse > 0
    assert best <= plan.rate_per_pulse * 1.01


@pytest.mark.parametrize(
    ("link", "method", "least_bps"),
    [
        (arms_km(20, 130), "single-scan", 13.0),
        (arms_km(20, 140), "double-scan", 2.2),
        (arms_km(60, 110), "single-scan", 126.6),
        (arms_km(95, 95), "no-scan", 7.5),
        (arms_km(60, 110), "no-scan", 14.0),
        (PAPER, "no-scan", 1.0),
    ],
)
def test_limit_key_near_the_end_of_the_reach_is_found(link, method, least_bps):
    """Climbs from the usual starts end here where no signal is sent: -280 bits a block. The optimum of longer blocks,
    followed down step by step, gives 13.57, 2.37, 7.82, 14.3 and 1.41 bit/s; a differential evolution gives 127.7 at
    60 and 110 km."""
    f_ec, sifted = (1.16, UNLIMITED) if link is PAPER else (1.05, 2e6)
    assert rate_bps(link, Analysis(method), f_ec, BlockRule(1000, sifted)) > least_bps


def test_limit_no_key_beyond_the_reach():
    plan = optimise(arms_km(150, 150), Analysis(), 1.05, BlockRule())
    assert plan.rate_per_pulse <= 0
    tally = expected_tally(arms_km(150, 150), plan.alice, plan.bob, plan.pulses)
    key = key_length(tally, plan.alice, plan.bob, Analysis(), f_ec=1.05)
    assert key.length_bits == 0
    assert key.outcome.startswith("no key: ")


def test_exact_a_plan_is_the_same_every_time():
    link, block = arms_km(30, 70), BlockRule()
    once = optimise(link, Analysis(), 1.05, block)
    optimise.cache_clear()
    assert optimise(link, Analysis(), 1.05, block) == once


def test_exact_a_plan_promises_what_its_settings_give():
    """Rate, pulses and settings belong together; a block ends at the time or at the sifted bits."""
    for block in (BlockRule(1000, 2e6), BlockRule(1000, UNLIMITED)):
        link = arms_km(40, 90)
        plan = optimise(link, Analysis(), 1.05, block)
        tally = expected_tally(link, plan.alice, plan.bob, plan.pulses)
        key = key_length(tally, plan.alice, plan.bob, Analysis(), f_ec=1.05)
        assert key.signed_bits / plan.pulses == pytest.approx(plan.rate_per_pulse, rel=1e-9)
        sifted = tally.detected[9]
        assert sifted == pytest.approx(block.sifted_bits, rel=1e-6) or plan.pulses == 2_500_000_000_000
        assert sifted <= block.sifted_bits * (1 + 1e-6)
        both_alice = fixed_plan(link, plan.alice, Analysis(), 1.05, block)
        assert both_alice.rate_per_pulse < plan.rate_per_pulse


def test_exact_equal_arms_have_equal_settings():
    plan = optimise(PAPER, Analysis(), 1.16, BlockRule(1000, UNLIMITED))
    assert plan.alice == plan.bob
    assert plan.alice.x < plan.alice.y < plan.alice.z


def test_limit_every_point_is_a_setting():
    """Any real numbers decode to intensities 0 < x < y and probabilities that leave some for the vacuum."""
    rng = np.random.default_rng(29)
    for _ in range(200):
        point = rng.normal(0, 5, 12)
        for x, y, z, *p, _ in decode(point, False):
            assert 0 < x < y < 2
            assert 0 < z < 2
            assert min(p) > 0
            assert sum(p) < 1
        rate = signed_rate(point, False, link_array(PAPER), Analysis().as_array(), 1.16, 2.5e12, UNLIMITED)
        assert np.isfinite(rate)
