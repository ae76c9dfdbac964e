"""Rates of pairs: optimised together as alone, read from surfaces, against block length, with crosstalk."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.demux import PRESETS, CombLines
from combmesh.ground.errors import InputError
from combmesh.link.relay import Relay
from combmesh.network.colours import pairs_of
from combmesh.network.rate_blocks import block_surfaces, ladder
from combmesh.network.rate_rule import Crosstalk, RateRule, best_alone, line_leaks, planned_rate, rule_of
from combmesh.network.rate_surface import rate_surface
from combmesh.network.rates import arms_of_users, optimised_rates
from combmesh.network.topology import Fibre, Network, User
from combmesh.protocol.mdi.block_plan import Judgement, plan_block
from combmesh.protocol.mdi.rules import AnalysisRule, BlockRule, Reconciliation

PAPER = Relay(1.0, 4e-8, 0.017, 0.048, 0.5)
SCAN = RateRule(PAPER, block=BlockRule(1000.0, 1e9))
CERTIFICATE = replace(SCAN, judgement=Judgement("certificate"))
METRO = RateRule(Relay(1.0, 4e-8, 0.017, 0.034, 0.485, dead_time_ns=30.0), block=BlockRule(1000.0, 2e6))


def arms_of_km(km):
    """75 % detectors behind 0.2 dB/km."""
    return 0.75 * 10.0 ** (-0.02 * np.asarray(km, dtype=float))


def alone_bps(rule, arms_a, arms_b):
    rates = []
    for a, b in zip(arms_a, arms_b, strict=True):
        link = rule.link(max(a, b), min(a, b))
        rates.append(max(planned_rate(rule, link, best_alone(rule, link)), 0.0) * rule.clock_hz)
    return np.array(rates)


@pytest.mark.parametrize(("method", "low", "high"), [("double-scan", 60.0, 80.0), ("certificate", 165.0, 180.0)])
def test_paper_200_users_at_100_km(method, low, high):
    """58, 62 and 64 bit/s are printed for 1000 s; f and the arms are assumed, errors fitted to the printed QBERs."""
    network = Network(
        1,
        "Paper",
        (User("U", arm_efficiency=7.5e-3, count=200),),
        relay=PAPER,
        block=BlockRule(1000.0, 1e9),
        analysis=AnalysisRule(method),
        reconciliation=Reconciliation(planned_f_ec=1.16),
    )
    rule, arms = rule_of(network), arms_of_users(network)
    first, second = pairs_of(200)
    rates = optimised_rates(rule, arms[first], arms[second])
    assert len(rates.skr_bps) == 19_900
    assert low <= rates.skr_bps.mean() <= high
    link = rule.link(arms[0], arms[1])
    planned = plan_block(link, rule.judgement, rule.f_ec, rule.block)
    assert rates.rate_per_pulse[0] == pytest.approx(planned.rate_per_pulse, rel=1e-4)
    assert not rates.without_key.size


def test_exact_arms_of_users_hold_fibre_insertion_and_detectors():
    network = Network(
        1,
        "two",
        (User("a", fibre_km=50.0), User("b", loss_db=3.0)),
        relay=replace(PAPER, detector_efficiency=0.8),
        fibre=Fibre(0.2, 1.0),
    )
    np.testing.assert_allclose(arms_of_users(network), [0.8 * 10**-1.1, 0.8 * 10**-0.4])
    rule = rule_of(network, insertion_loss_db=2.0)
    assert rule.link(0.5, 0.1).efficiency_a == pytest.approx(0.5 * 10**-0.2)


def test_exact_pairs_optimised_together_lose_nothing():
    """Pairs on the coarse grid and on the fine one beside each alone: 0.1 % at most; the order of arms is kept."""
    rng = np.random.default_rng(1)
    few = arms_of_km(rng.uniform(90, 100, (60, 2)))
    many = arms_of_km(rng.uniform(92, 98, (250, 2)))
    for arms in (few, many):
        together = optimised_rates(SCAN, arms[:, 0], arms[:, 1])
        some = slice(0, 12)
        alone = alone_bps(SCAN, arms[some, 0], arms[some, 1])
        np.testing.assert_allclose(together.skr_bps[some], alone, rtol=1e-3)
        swapped = optimised_rates(SCAN, arms[:, 1], arms[:, 0])
        np.testing.assert_array_equal(swapped.skr_bps, together.skr_bps)
        np.testing.assert_array_equal(swapped.settings_a, together.settings_b)
        weaker = arms[:, 0] < arms[:, 1]
        brighter = together.settings_a[:, 0] > together.settings_b[:, 0]
        assert np.mean(weaker == brighter) > 0.95  # the user with more loss sends the brighter decoys


def test_exact_rates_depend_on_no_number_of_processes():
    arms = arms_of_km(np.random.default_rng(2).uniform(60, 75, (40, 2)))
    one = optimised_rates(SCAN, arms[:, 0], arms[:, 1], workers=1)
    two = optimised_rates(SCAN, arms[:, 0], arms[:, 1], workers=2)
    np.testing.assert_array_equal(one.skr_bps, two.skr_bps)


def test_limit_users_beyond_reach_are_counted():
    """An arm without light, one of 250 km, and a good one."""
    rates = optimised_rates(SCAN, np.array([0.5, 0.5, 0.5]), np.array([0.0, arms_of_km(250.0), 0.1]))
    assert rates.without_key.tolist() == [0, 1]
    assert rates.skr_bps[2] > 0
    assert np.isnan(rates.settings_a[0]).all()


@pytest.mark.parametrize("rule", [SCAN, METRO], ids=["paper", "metropolitan"])
def test_exact_surface_beside_each_pair_alone(rule):
    """40 pairs of 80 to 110 km, at most 0.5 % off."""
    arms = arms_of_km(np.random.default_rng(3).uniform(80, 110, (40, 2)))
    surface = rate_surface(rule, arms.min(), arms.max())
    read = surface.skr_bps(arms[:, 0], arms[:, 1], exact_edge=True)
    np.testing.assert_allclose(read, alone_bps(rule, arms[:, 0], arms[:, 1]), rtol=5e-3)
    np.testing.assert_array_equal(read, surface.skr_bps(arms[:, 1], arms[:, 0], exact_edge=True))
    assert surface.skr_bps(np.array([arms.max()]), np.array([arms.min() / 100])) == 0.0
    with pytest.raises(InputError, match="`arms` must be from 0 to"):
        surface.skr_bps(np.array([0.9]), np.array([0.1]))


def test_exact_the_end_of_the_reach_is_climbed():
    """Pairs about the place where the key ends, 117 km each: who has a key, and how much to 2 % or 0.01 bit/s."""
    arms = arms_of_km(np.random.default_rng(4).uniform(115, 121, (40, 2)))
    surface = rate_surface(SCAN, arms.min(), arms.max())
    read = surface.skr_bps(arms[:, 0], arms[:, 1], exact_edge=True)
    alone = alone_bps(SCAN, arms[:, 0], arms[:, 1])
    assert 0 < np.count_nonzero(alone) < 40
    np.testing.assert_array_equal(read > 0, alone > 0)
    np.testing.assert_allclose(read, alone, rtol=0.02, atol=0.01)


def test_limit_no_key_anywhere():
    surface = rate_surface(SCAN, float(arms_of_km(260)), float(arms_of_km(250)))
    assert np.all(surface.skr_bps(arms_of_km([251.0, 255.0]), arms_of_km([258.0, 259.0]), exact_edge=True) == 0.0)


def test_exact_key_against_block_length_and_time_to_the_first():
    """Half the light gives less than half the key; the first key comes where a longer block begins to have one."""
    arms = arms_of_km([[90.0, 95.0], [80.0, 100.0], [100.0, 100.0]])
    surfaces = block_surfaces(SCAN, arms.min(), arms.max(), ladder(20.0, 2000.0))
    times = np.array([25.0, 100.0, 300.0, 1500.0])
    read = surfaces.skr_bps(arms[:, 0], arms[:, 1], times)
    for k, time_s in enumerate(times):
        alone = alone_bps(SCAN.of_block(time_s), arms[:, 0], arms[:, 1])
        np.testing.assert_allclose(read[:, k], alone, rtol=0.02, atol=0.3)
    assert np.all(np.diff(read, axis=1) >= 0)
    first_s = surfaces.first_key_s(arms[:, 0], arms[:, 1])
    for (a, b), time_s in zip(arms, first_s, strict=True):
        before, after = (alone_bps(SCAN.of_block(factor * time_s), [a], [b])[0] for factor in (0.9, 1.1))
        assert before == 0.0 < after
    with pytest.raises(InputError, match="`light_s` must be at most 2000 here"):
        surfaces.skr_bps(arms[:, 0], arms[:, 1], np.array([3000.0]))
    with pytest.raises(InputError, match="3 ascending times"):
        block_surfaces(SCAN, 0.1, 0.2, [1.0, 1.0, 2.0])


def test_exact_certificate_gives_more_than_the_scan_at_every_pair():
    arms = arms_of_km([[100.0, 100.0], [80.0, 105.0], [60.0, 70.0]])
    scan = optimised_rates(SCAN, arms[:, 0], arms[:, 1])
    certificate = optimised_rates(CERTIFICATE, arms[:, 0], arms[:, 1])
    assert np.all(certificate.skr_bps > scan.skr_bps)


def test_limit_crosstalk_is_dark_counts():
    """A quarter of the leaking light on each detector; no leak changes nothing, more leak costs key."""
    cross = Crosstalk(2.5e-3, 0.25)
    assert cross.dark_counts(0.02, 0.01) == pytest.approx(0.25 * 2.5e-3 * 0.25 * 0.03, rel=1e-4)
    assert SCAN.link(0.02, 0.01).relay == PAPER
    arms = arms_of_km([[100.0, 100.0]])
    rates = [
        optimised_rates(replace(SCAN, crosstalk=Crosstalk(leak)), arms[:, 0], arms[:, 1]).skr_bps[0]
        for leak in (0.0, 2.5e-3, 2.5e-2)
    ]
    assert rates[0] > rates[1] > rates[2]


def test_exact_leak_of_a_matched_grating():
    """Two neighbours at 30 dB, two at 40 dB, the others at 50 dB; the Gaussian passband is below the floor there."""
    grating = PRESETS["matched_80"][0]
    leaks = line_leaks(grating, CombLines(), range(-60, 20))
    middle = 2e-3 + 2e-4 + 75e-5
    assert leaks[40] == pytest.approx(middle, rel=1e-6)
    assert leaks[0] < leaks[40]
    with pytest.raises(InputError, match="line 60 has none"):
        line_leaks(grating, CombLines(-60, 99), [0, 60])


def test_attack_arms_that_cannot_be():
    with pytest.raises(InputError, match=r"`arms` must be from 0 to 1, but one is 1\.5"):
        optimised_rates(SCAN, np.array([1.5]), np.array([0.1]))
    with pytest.raises(InputError, match=r"one shape \(pair,\)"):
        optimised_rates(SCAN, np.array([0.5]), np.array([0.1, 0.2]))
    with pytest.raises(InputError, match="`least_arm` must be above 0"):
        rate_surface(SCAN, 0.0, 0.5)
    with pytest.raises(InputError, match="`leak` must be at most 1"):
        Crosstalk(2.0)
