"""Plans of many links at once: right, in order, and the same however they are computed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.optimise import optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.sweep import optimise_many
from combmesh.protocol.mdi.tally import expected_tally

METRO = Relay(0.75, 4e-8, 0.017, 0.048, 0.485, 30.0)
RULE = Analysis(), 1.05, BlockRule()


def arms_km(a, b, relay=METRO):
    return Link(float(0.75 * 10 ** (-0.02 * a)), float(0.75 * 10 ** (-0.02 * b)), relay, 2.5e9)


def random_links(n, low_km, high_km, seed, relay=METRO):
    return [arms_km(a, b, relay) for a, b in np.random.default_rng(seed).uniform(low_km, high_km, (n, 2))]


def assert_as_good(plans, links, vacuum=(0.0, 0.0)):
    for plan, link in zip(plans, links, strict=True):
        alone = optimise(link, *RULE, vacuum)
        assert max(plan.rate_per_pulse, 0.0) == pytest.approx(max(alone.rate_per_pulse, 0.0), rel=5e-3, abs=1e-12)


def test_exact_many_links_have_the_plans_of_single_ones():
    """400 links of which the grid needs some 100 nodes, up to and beyond the end of the reach."""
    links = random_links(400, 20, 130, 3)
    done = []
    plans = optimise_many(links, *RULE, on_progress=lambda *counts: done.append(counts))
    assert_as_good(plans[::8], links[::8])
    assert done[-1] == (400, 400)
    assert 300 < sum(plan.rate_per_pulse > 0 for plan in plans) < 400
    for plan, link in zip(plans[:20], links[:20], strict=True):
        key = key_length(
            expected_tally(link, plan.alice, plan.bob, plan.pulses), plan.alice, plan.bob, RULE[0], f_ec=1.05
        )
        assert key.signed_bits / plan.pulses == pytest.approx(plan.rate_per_pulse, rel=1e-9)


def test_exact_different_relays_clocks_equal_arms_and_dark_arms():
    """Each relay has its own grid; few links of a kind, equal arms and arms without light are optimised alone."""
    other = replace(METRO, dead_time_ns=0.0, dark_count_probability=1e-7)
    links = [
        *random_links(60, 40, 60, 5),
        *random_links(60, 40, 60, 6, other),
        *random_links(3, 20, 100, 7, replace(METRO, visibility=0.47)),
        replace(arms_km(30, 50), clock_hz=1e9),
        arms_km(50, 50),
        Link(0.1, 0.0, METRO, 2.5e9),
    ]
    links += links[:2]
    order = np.random.default_rng(1).permutation(len(links))
    plans = optimise_many([links[k] for k in order], *RULE)
    assert_as_good(plans, [links[k] for k in order])
    again = optimise_many(links, *RULE)
    assert [again[k] for k in order] == plans
    assert again[-2:] == again[:2]
    assert again[124].alice == again[124].bob


def test_exact_light_in_the_vacuum():
    links = random_links(150, 30, 70, 9)
    plans = optimise_many(links, *RULE, vacuum=(3e-4, 1e-3))
    assert {(plan.alice.o, plan.bob.o) for plan in plans} == {(3e-4, 1e-3)}
    assert_as_good(plans[::10], links[::10], (3e-4, 1e-3))


def test_exact_the_number_of_workers_changes_nothing():
    links = random_links(300, 30, 60, 11)
    assert optimise_many(links, *RULE, workers=2) == optimise_many(links, *RULE)


def test_exact_a_sweep_over_distance():
    """Rates fall with the distance, at a fixed ratio of the arms and with equal ones."""
    for excess_km in (0, 20):
        links = [arms_km(d / 2 + excess_km / 2, d / 2 - excess_km / 2) for d in np.linspace(20, 260, 61)]
        rates = [max(plan.rate_per_pulse, 0.0) for plan in optimise_many(links, *RULE)]
        assert all(far <= near * (1 + 1e-3) for near, far in pairwise(rates))
        assert rates[0] > 0
        assert rates[-1] == 0.0


def test_exact_no_links():
    assert optimise_many([], *RULE) == []
