"""Rates of large networks: 2000 users from a surface, 200 different ones together, beside each pair alone."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.link.relay import Relay
from combmesh.network.colours import pairs_of
from combmesh.network.rate_rule import Crosstalk, RateRule, best_alone, planned_rate
from combmesh.network.rate_surface import rate_surface
from combmesh.network.rates import optimised_rates
from combmesh.protocol.mdi.block_plan import Judgement
from combmesh.protocol.mdi.rules import BlockRule

pytestmark = pytest.mark.verify

METRO = RateRule(Relay(1.0, 4e-8, 0.017, 0.034, 0.485, dead_time_ns=30.0), block=BlockRule(1000.0, 2e6))


def alone_bps(rule, arms_a, arms_b):
    rates = []
    for a, b in zip(arms_a, arms_b, strict=True):
        link = rule.link(max(a, b), min(a, b))
        rates.append(max(planned_rate(rule, link, best_alone(rule, link)), 0.0) * rule.clock_hz)
    return np.array(rates)


@pytest.mark.parametrize("method", ["double-scan", "certificate"])
def test_exact_500_random_pairs_of_2000_users(method):
    """Ten time slots of 1000 s, 5 to 120 km: every pair at most 0.5 % off, or 0.001 bit/s; who has no key is known."""
    rule = replace(METRO.of_block(100.0), judgement=Judgement(method))
    rng = np.random.default_rng(5)
    arms = 0.75 * 10.0 ** (-0.02 * rng.uniform(5.0, 120.0, 2000))
    first, second = pairs_of(2000)
    some = rng.choice(len(first), 500, replace=False)
    a, b = arms[first[some]], arms[second[some]]
    surface = rate_surface(rule, arms.min(), arms.max(), workers=2)
    read = surface.skr_bps(a, b, exact_edge=True)
    alone = alone_bps(rule, a, b)
    np.testing.assert_array_equal(read > 0, alone > 0)
    np.testing.assert_allclose(read, alone, rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("method", ["double-scan", "certificate"])
@pytest.mark.parametrize("leak", [0.0, 2.5e-3])
def test_exact_200_different_users_together(method, leak):
    """All 19,900 pairs; 60 of them beside each alone: 0.5 % at most, or 0.01 bit/s."""
    rule = replace(METRO, judgement=Judgement(method), crosstalk=Crosstalk(leak))
    arms = 0.75 * 10.0 ** (-0.02 * np.random.default_rng(3).uniform(5.0, 110.0, 200))
    first, second = pairs_of(200)
    together = optimised_rates(rule, arms[first], arms[second], workers=2)
    some = np.random.default_rng(4).choice(len(first), 60, replace=False)
    alone = alone_bps(rule, arms[first[some]], arms[second[some]])
    np.testing.assert_allclose(together.skr_bps[some], alone, rtol=5e-3, atol=0.01)
