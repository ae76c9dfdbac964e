"""A link over hours: its counts are those of its residuals, slots cost time, and without control a fibre fails."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from combmesh.config.load import load_network
from combmesh.ground.errors import InputError
from combmesh.link.compensation.disclosed import Disclosure
from combmesh.link.devices.build import line_terms, link_from_devices, links_of
from combmesh.link.devices.residuals import held
from combmesh.link.fibre import equivalent_loss
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.budget.chosen import chosen_pair
from combmesh.study.budget.rates import METHODS, plans_with_vacuum
from combmesh.study.operation.anchors import PRINTED_MEAN_BPS, compare
from combmesh.study.operation.blocks import EQUIVALENT, FIBRE, operate
from combmesh.study.operation.controls import MARKS, Controls, key_time_share, slot_shares
from combmesh.study.operation.traces import attenuated, traces_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "devices.toml"
CHOSEN = chosen_pair(load_network(EXAMPLE).network, None)
H28 = -15
SHORT = replace(CHOSEN.rule, block=BlockRule(100.0))
"""Blocks of 100 s: too short for a key over 200 km, long enough for counts."""
FALSE_ALARM = 1e-6
"""Of each statistical test here, whose seeds are fixed."""


@pytest.fixture(scope="module")
def records():
    return {record.case: record for record in operate(CHOSEN.pair, [H28], SHORT, 0.15, 7)}


@pytest.fixture(scope="module")
def uncontrolled():
    found = operate(CHOSEN.pair, [H28], CHOSEN.rule, 0.84, 7, Controls(on=False))
    return {record.case: record for record in found}


def test_exact_blocks_are_whole(records):
    """540 s are five blocks of 100 s; the rest makes no key."""
    for record in records.values():
        assert [block.begin_s for block in record.blocks] == [0.0, 100.0, 200.0, 300.0, 400.0]
        assert record.traces.time_s.size == 1080
        assert record.disclosed_counts == 2 * 10_000 * 200  # both users, two probes a second


def test_exact_counts_scatter_about_the_residuals_errors(records):
    """Chi squared of twenty counted QBERs about the expected ones."""
    blocks = [block for record in records.values() for block in record.blocks]
    z = sum(((b.counted_qber_z - b.qber_z) / b.counting_std_z) ** 2 for b in blocks)
    x = sum(((b.counted_qber_x - b.qber_x) / b.counting_std_x) ** 2 for b in blocks)
    assert chi2.sf(z + x, 2 * len(blocks)) > FALSE_ALARM
    assert chi2.cdf(z + x, 2 * len(blocks)) > FALSE_ALARM


def test_exact_a_block_is_that_of_its_mean_residuals(records):
    """Errors enter the counts nearly linearly: the closed form at their means, to the squares of errors of 0.2 %."""
    record = records[FIBRE]
    unpaid = plans_with_vacuum(link_from_devices(CHOSEN.pair, H28), _timed(100.0), _specs())
    shares = slot_shares(Controls(), link_from_devices(CHOSEN.pair, H28), (unpaid.scan.alice, unpaid.scan.bob))
    assert record.slot_shares == shares
    plans = plans_with_vacuum(link_from_devices(CHOSEN.pair, H28), _timed(100.0 * key_time_share(shares)), _specs())
    for block in record.blocks:
        span = slice(200 * block.block, 200 * (block.block + 1))
        traces = record.traces
        sides = tuple(
            replace(
                side,
                error_z=float(traces.error_z[span, user].mean()),
                error_x=float(traces.error_x[span, user].mean()),
                delay_ps=(2 * user - 1) * block.timing_rms_ps / 2.0,
            )
            for user, side in enumerate(held(CHOSEN.pair.devices.control, CHOSEN.pair.comb, np.array([H28])))
        )
        (link,) = links_of(CHOSEN.pair, line_terms(CHOSEN.pair, [H28], sides))
        tally = expected_tally(link, plans.scan.alice, plans.scan.bob, plans.scan.pulses)
        assert block.qber_z == pytest.approx(tally.qber_z, rel=3e-3)
        assert block.qber_x == pytest.approx(tally.qber_x, rel=1e-4)


def _timed(time_s):
    return replace(SHORT, block=BlockRule(time_s, 1e300))


def _specs():
    alice, bob = CHOSEN.pair.lights()
    return alice.spec, bob.spec


def test_exact_slots_are_clicks_over_click_rate():
    """1e4 clicks each half second, of z photons a pulse through the arm: 1e4 / (0.5 * 2.5e9 * eta * z)."""
    link = link_from_devices(CHOSEN.pair, H28)
    scan = plans_with_vacuum(link, CHOSEN.rule, _specs()).scan
    brightest = max(scan.alice.y, scan.alice.z)
    wanted = 1e4 / (0.5 * 2.5e9 * link.gate_share * link.efficiency_a * brightest)
    shares = slot_shares(Controls(), link, (scan.alice, scan.bob))
    assert shares == pytest.approx((wanted, wanted), rel=1e-12)
    more = slot_shares(Controls(disclosure=Disclosure(20_000)), link, (scan.alice, scan.bob))
    assert more == pytest.approx((2.0 * wanted, 2.0 * wanted))
    assert slot_shares(Controls(on=False), link, (scan.alice, scan.bob)) == (0.0, 0.0)


def test_exact_disclosed_states_cost_key(uncontrolled):
    """Ten times the disclosed clicks: less key in the plan by more than the time, for blocks are shorter."""
    many = Controls(disclosure=Disclosure(100_000))
    (record,) = operate(CHOSEN.pair, [H28], CHOSEN.rule, 0.28, 7, many, [EQUIVALENT])
    for method in METHODS:
        paid, unpaid = record.planned_bps[method], record.unpaid_bps[method]
        assert paid < key_time_share(record.slot_shares) * unpaid
        assert uncontrolled[EQUIVALENT].planned_bps[method] == uncontrolled[EQUIVALENT].unpaid_bps[method]


def test_limit_attenuator_left_alone_keeps_everything(uncontrolled):
    """No drift, no dispersion, no probes: nothing is left to hold, and every block has a key."""
    record = uncontrolled[EQUIVALENT]
    assert not record.traces.error_z.any()
    assert not record.traces.delay_ps.any()
    assert all(block.key_bits[method] > 0 for block in record.blocks for method in METHODS)
    assert record.disclosed_counts == 0


def test_limit_fibre_without_control_has_no_key(uncontrolled):
    """At an assumed drift of 3e-3 rad a root second, and 38 ps/(km K) that shift arrivals by tens of ps."""
    record = uncontrolled[FIBRE]
    assert all(block.key_bits[method] == 0 for block in record.blocks for method in METHODS)
    assert record.blocks[-1].qber_z > 0.03
    assert record.blocks[-1].qber_z > record.blocks[0].qber_z


def test_limit_uncontrolled_polarization_follows_the_random_walk():
    """Mean error of 200 arms after 300 s: (1 - e^{-4 s^2 k})/2 of link/drift.py, s^2 k = 9e-8 * 100 * 300 = 2.7e-3.

    An error is the sum of two squares of normal numbers, so that its standard deviation is its mean; to 5 of those of
    200 arms, false alarms 1e-6.
    """
    errors = []
    pair = CHOSEN.pair
    for seed in range(100):
        traces = traces_of(pair, Controls(probe_s=10.0, on=False), 300.0, 114.0, np.random.default_rng(seed))
        errors += [*traces.error_z[-1], *traces.error_x[-1]]
    mean = 0.5 * (1.0 - np.exp(-4.0 * 2.7e-3))
    assert np.mean(errors) == pytest.approx(mean, abs=5.0 * mean / np.sqrt(200.0))


def test_exact_seeds_fix_a_case_whatever_else_runs(records):
    (alone,) = operate(CHOSEN.pair, [H28], SHORT, 0.15, 7, cases=[EQUIVALENT])
    assert alone.blocks == records[EQUIVALENT].blocks
    (other,) = operate(CHOSEN.pair, [H28], SHORT, 0.15, 8, cases=[EQUIVALENT])
    assert other.blocks != alone.blocks


def test_exact_several_lines_share_their_fibres_residuals():
    """The same traces, other counts; a line's own SNR and port."""
    seen = []
    found = operate(CHOSEN.pair, [-60, H28], SHORT, 0.03, 1, cases=[FIBRE], on_progress=lambda *at: seen.append(at))
    assert [record.line for record in found] == [-60, H28]
    assert found[0].traces is found[1].traces
    assert found[0].blocks[0].counted_qber_z != found[1].blocks[0].counted_qber_z
    assert seen[-1][0] == seen[-1][1] == 216 + 400  # probes of the record and before it


def test_exact_unequal_arms_are_held_one_by_one():
    """An arm of 10 km beside one of 100 km: each has its own drift; users without a fibre have none."""
    arms = (replace(CHOSEN.pair.arms[0], length_km=10.0), CHOSEN.pair.arms[1])
    pair = replace(CHOSEN.pair, arms=arms)
    traces = traces_of(pair, Controls(), 60.0, 114.0, np.random.default_rng(1))
    assert traces.error_z.shape == traces.delay_ps.shape == (120, 2)
    assert (traces.error_z.mean(axis=0) < 0.02).all()
    still = attenuated(pair)
    assert still.arms == (equivalent_loss(arms[0]), equivalent_loss(arms[1]))
    assert still.arms[0].total_loss_db == arms[0].total_loss_db


def test_exact_comparison_says_what_is_printed_and_what_is_fitted(records, uncontrolled):
    rows = {row.name: row for row in compare(list(records.values()), CHOSEN.pair.devices.rest)}
    assert rows["QBER Z"].kind == rows["QBER X"].kind == "fitted level"
    assert rows["double-scan"].kind == "prediction"
    assert rows["double-scan"].printed == PRINTED_MEAN_BPS == 64.0  # the outlook
    assert rows["QBER Z"].difference == pytest.approx(rows["QBER Z"].fibre - rows["QBER Z"].equivalent)
    assert rows["QBER Z"].deviation == pytest.approx(rows["QBER Z"].fibre - 0.017)
    alone = {row.name: row for row in compare([records[EQUIVALENT]], CHOSEN.pair.devices.rest)}
    assert alone["QBER Z"].fibre is None
    assert alone["QBER Z"].deviation is None
    assert all(row.printed is None for row in compare(list(uncontrolled.values()), CHOSEN.pair.devices.rest))


def test_exact_every_default_has_a_mark():
    assert {f"Controls.{name}" for name in Controls.__dataclass_fields__} == set(MARKS)


@pytest.mark.parametrize(
    ("hours", "controls", "words"),
    [
        (0.01, Controls(), "`hours` must hold one block of 100 s at least, but is 0.01"),
        (1e4, Controls(), "`hours` must be at most 100, but is 10000"),
        (float("nan"), Controls(), "`hours` must be a finite number"),
        (0.1, Controls(probe_s=0.3), "`time_s` must be whole probes of 0.3 s, but is 100"),
        (0.1, Controls(disclosure=Disclosure(10**8)), "`counts` must be at most"),
        (0.1, Controls(disclosure=Disclosure(1_500_000)), "`counts` must leave time for a key"),
    ],
)
def test_attack_impossible_records_get_a_sentence(hours, controls, words):
    with pytest.raises(InputError, match=words):
        operate(CHOSEN.pair, [H28], SHORT, hours, 1, controls, [EQUIVALENT])


def test_attack_impossible_controls_get_a_sentence():
    with pytest.raises(InputError, match="`probe_s` must be a finite number above 0"):
        Controls(probe_s=0.0)
    with pytest.raises(InputError, match="`arrival_counts` must be at most 20000"):
        Controls(arrival_counts=1e6)
