"""The budget of a link: it adds up, each term is what taking it away does, and the spread from line to line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from combmesh.config.load import load_network
from combmesh.ground.errors import InputError
from combmesh.link.devices.build import line_terms, links_of
from combmesh.link.devices.residuals import Residuals
from combmesh.link.devices.tables import Rest
from combmesh.link.gains import gain_x, gain_z
from combmesh.protocol.mdi.block_plan import Judgement, plan_block
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.budget.anchors import PRINTED_KEY_LINES, PRINTED_QBER_X_STD, PRINTED_QBER_Z_STD, PRINTED_SKR_BPS
from combmesh.study.budget.budget import DIP, QUANTITIES, X, Z, link_budget
from combmesh.study.budget.causes import CAUSES, IDEAL
from combmesh.study.budget.channels import all_channels, figures, scan_seconds
from combmesh.study.budget.chosen import chosen_pair, rule_of
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN, METHODS, plans_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "devices.toml"
ROOT = EXAMPLE.parent
NETWORK = load_network(EXAMPLE).network
CHOSEN = chosen_pair(NETWORK, None)
H28 = -15
FALSE_ALARM = 1e-6
"""Of each statistical test here, whose seeds are fixed."""


@pytest.fixture(scope="module")
def budget():
    return link_budget(CHOSEN.pair, H28, CHOSEN.rule)


@pytest.fixture(scope="module")
def channels():
    return all_channels(CHOSEN.pair, list(CHOSEN.pair.lines()), CHOSEN.rule, seed=2512)


def by_name(budget):
    return {term.name: term for term in budget.terms}


def test_exact_terms_add_up_to_the_total(budget):
    """The issue asks for 1 %; every cause has its line, also those that do nothing."""
    assert set(by_name(budget)) == set(CAUSES)
    assert all(abs(value) < 1e-9 for value in budget.not_closed.values())
    totals = {DIP: 0.5 - budget.dip_visibility, Z: budget.qber_z, X: budget.qber_x - 0.25}
    for quantity in QUANTITIES:
        assert sum(term.points[quantity] for term in budget.terms) == pytest.approx(totals[quantity], rel=1e-9)
        for slack in ("interplay", "brightness"):  # what is left by definition: it must not be what closes the sum
            assert by_name(budget)[slack].factors[quantity] == pytest.approx(1.0, abs=2e-4)


def test_exact_totals_are_those_of_the_closed_form(budget):
    """Gains of the link at the planned intensities, misalignment put in by hand; no dead time in the example."""
    link, scan = budget.link, budget.plans.scan
    relay, gamma = link.relay, (link.relay.visibility / 0.5) ** 0.5
    eta = link.gate_share * link.efficiency_a
    for light, gain, error, found in (
        (scan.alice.z, gain_z, relay.misalignment_z, budget.qber_z),
        (scan.alice.x, gain_x, relay.misalignment_x, budget.qber_x),
    ):
        right, wrong = gain(eta * light, eta * light, relay.dark_count_probability, gamma)
        assert (error * right + (1.0 - error) * wrong) / (right + wrong) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("name", ["polarization", "states", "snr", "fitted error Z", "dark"])
def test_exact_a_term_is_what_taking_it_away_does(budget, name):
    """1 - 2E without a cause, of the closed form at the same plan, over that with it: the term's factor."""
    term, relay = by_name(budget)[name], budget.link.relay
    (link,) = links_of(CHOSEN.pair, line_terms(CHOSEN.pair, [H28]).without(name))
    if name == "dark":
        link = replace(link, relay=replace(relay, dark_count_probability=0.0))
    scan = budget.plans.scan
    tally = expected_tally(link, scan.alice, scan.bob, scan.pulses)
    # the dark counts' share of X depends on the visibility by 1e-6
    assert (1.0 - 2.0 * budget.qber_z) / (1.0 - 2.0 * tally.qber_z) == pytest.approx(term.factors[Z], rel=1e-5)
    assert (1.0 - 2.0 * budget.qber_x) / (1.0 - 2.0 * tally.qber_x) == pytest.approx(term.factors[X], rel=1e-5)
    assert all(term.kept_bps[m] >= budget.rates_bps[m] for m in METHODS)


def test_exact_planning_anew_gains_more_than_keeping_the_plan(budget):
    """To the 0.1 % of a plan's own search."""
    for term in (*budget.terms, budget.all_perfect):
        if term.name in IDEAL:
            assert term.planned_bps is None
            continue
        for method in METHODS:
            assert term.planned_bps[method] >= 0.998 * term.kept_bps[method]
            assert term.kept_bps[method] >= 0.999 * budget.rates_bps[method]
            assert budget.all_perfect.planned_bps[method] >= 0.999 * term.planned_bps[method]


def test_exact_rates_are_those_of_the_network_planner(budget):
    """Without light in the vacuum, what `combmesh run` plans for the same link."""
    rule = rule_of(NETWORK)
    plans = plans_for(budget.link, rule, (0.0, 0.0))
    planned = plan_block(budget.link, Judgement(DOUBLE_SCAN, rule.epsilon, rule.tail), rule.f_ec, rule.block)
    assert planned.rate_per_pulse * 2.5e9 == pytest.approx(plans.rates_bps(2.5e9)[DOUBLE_SCAN], rel=1e-3)
    vacuum = by_name(budget)["vacuum"].planned_bps
    assert vacuum[DOUBLE_SCAN] == pytest.approx(plans.rates_bps(2.5e9)[DOUBLE_SCAN], rel=1e-3)


def test_paper_what_the_devices_explain(budget):
    """Of 1.7 % in Z 1.29 points, of 27.4 % in X 25.58 %, of the visibility all but half a point; the rest is fitted."""
    alone = budget.devices_alone
    assert alone[DIP] == pytest.approx(0.4906, abs=3e-4)
    assert alone[Z] == pytest.approx(0.0129, abs=3e-4)
    assert alone[X] == pytest.approx(0.2558, abs=5e-4)
    assert budget.floor_x == pytest.approx(0.2566, abs=2e-4)
    fitted = {name for name, cause in CAUSES.items() if cause.fitted}
    assert fitted == {"fitted overlap", "fitted error Z", "fitted error X"}
    assert all(CAUSES[name].could_be for name in fitted)


def test_paper_key_rate_of_h28_is_a_prediction(budget):
    """The paper prints 58, 62 and 64 bit/s; with an assumed arm of 7.5e-3 the devices give 67."""
    assert min(PRINTED_SKR_BPS) < budget.rates_bps[DOUBLE_SCAN] < 1.15 * max(PRINTED_SKR_BPS)
    assert budget.rates_bps[CERTIFICATE] > 2.0 * budget.rates_bps[DOUBLE_SCAN]


def test_exact_broken_assumptions_are_said(budget):
    assert any("vacuum is not vacuum" in sentence for sentence in budget.broken)
    laser = replace(CHOSEN.pair, boxes=(replace(CHOSEN.pair.boxes[0], phase_randomised=False), CHOSEN.pair.boxes[1]))
    broken = link_budget(laser, H28, CHOSEN.rule, ("Ann", "Ben")).broken
    assert [s for s in broken if "Phases are not random" in s] == [
        "Ann: Phases are not random: pulses cut from one laser are coherent."
    ]


def test_exact_budget_at_a_time_of_its_own():
    """Residuals in place of the rms values: a polarization that is off fills Z, a late pulse the visibility."""
    late = link_budget(CHOSEN.pair, H28, CHOSEN.rule, residuals=(Residuals(0.02, 0.02), Residuals(delay_ps=20.0)))
    terms = by_name(late)
    assert terms["polarization"].points[Z] == pytest.approx(2.0 * 0.02, rel=0.1)  # less what it shares
    assert terms["timing"].factors[DIP] == pytest.approx(np.exp(-(20.0**2) / (4.0 * 38.22**2)), rel=1e-3)
    assert late.terms[0].name == "polarization"


def test_limit_a_link_without_key_has_a_budget():
    weak = replace(CHOSEN.pair, efficiencies=(1e-4, 1e-4))
    found = link_budget(weak, 0, CHOSEN.rule)
    assert found.rates_bps[DOUBLE_SCAN] == 0.0
    assert all(abs(value) < 1e-9 for value in found.not_closed.values())


@pytest.mark.parametrize("rest", [Rest(error_x=0.5), Rest(overlap=0.0)])
def test_limit_a_link_without_interference_has_a_budget(rest):
    """Half of X wrong: no certificate, no key, and a Z that is as it was; all of X is what leaves nothing of it."""
    found = link_budget(replace(CHOSEN.pair, devices=replace(CHOSEN.pair.devices, rest=rest)), H28, CHOSEN.rule)
    assert found.qber_x == pytest.approx(0.5, abs=1e-9)
    assert found.plans.certificate.certificate is None
    assert found.rates_bps == {DOUBLE_SCAN: 0.0, CERTIFICATE: 0.0}
    assert found.qber_z == pytest.approx(0.0129, abs=3e-4)
    assert all(abs(value) < 1e-9 for value in found.not_closed.values())
    assert np.isfinite([term.points[q] for term in found.terms for q in QUANTITIES]).all()
    assert found.devices_alone[X] == pytest.approx(0.2558, abs=5e-4)


@pytest.mark.parametrize("efficiencies", [(0.0, 0.0), (7.5e-3, 0.0)])
def test_attack_an_arm_that_passes_nothing_gets_a_sentence(efficiencies):
    with pytest.raises(InputError, match="`arm_efficiency` must be a finite number above 0, but is 0"):
        link_budget(replace(CHOSEN.pair, efficiencies=efficiencies), H28, CHOSEN.rule)


def test_exact_given_settings_are_kept():
    settings = Settings(0.06, 0.2, 0.3, 0.3, 0.1, 0.5, 3e-4)
    found = link_budget(CHOSEN.pair, H28, replace(CHOSEN.rule, settings=settings))
    assert (found.plans.scan.alice, found.plans.vacuum) == (settings, (3e-4, 3e-4))
    assert by_name(found)["vacuum"].planned_bps[DOUBLE_SCAN] > found.rates_bps[DOUBLE_SCAN]


def test_paper_fig4a_spread_in_x_is_mostly_counting(channels):
    """76 lines: +-0.2 % against the printed +-0.3 % in X, nearly all counting; the mean is fitted, not the spread.

    The squares of 76 deviations over their variances are chi-square, to a false-alarm rate of 1e-6.
    """
    some = [one for one in channels if one.line in PRINTED_KEY_LINES]
    assert len(some) == 76
    found = {figure.name: figure for figure in figures(channels, CHOSEN.pair.devices.rest)}
    assert 0.5 * PRINTED_QBER_X_STD < found["QBER X"].std < PRINTED_QBER_X_STD
    assert found["QBER X"].devices_std < 0.1 * found["QBER X"].std
    assert abs(found["QBER X"].deviation) < 1e-3
    square = sum((one.counted_qber_x - one.qber_x) ** 2 / one.counting_std_x**2 for one in some)
    low, high = chi2.ppf([0.5 * FALSE_ALARM, 1.0 - 0.5 * FALSE_ALARM], 76)
    assert low < square < high


def test_paper_fig4a_spread_in_z_is_less_than_printed(channels):
    """+-0.06 % against +-0.2 %: a held polarization and counts do not explain the printed spread in Z."""
    found = {figure.name: figure for figure in figures(channels, CHOSEN.pair.devices.rest)}
    assert 0.0003 < found["QBER Z"].std < 0.5 * PRINTED_QBER_Z_STD
    assert abs(found["QBER Z"].deviation) < 5e-4


def test_paper_fig4b_mean_rate_of_76_lines(channels):
    """46 bit/s against the printed 58: outer ports of the assumed demultiplexer lose 1.5 dB in each arm."""
    found = {figure.name: figure for figure in figures(channels, CHOSEN.pair.devices.rest)}
    assert found[DOUBLE_SCAN].kind == "prediction"
    assert 40.0 < found[DOUBLE_SCAN].mean < 55.0
    rates = {one.line: one.expected_bps[DOUBLE_SCAN] for one in channels}
    assert rates[-20] > rates[-60]
    assert rates[-20] > rates[15]


def test_exact_channels_depend_on_seed_and_line_alone(channels):
    some = all_channels(CHOSEN.pair, [7, -3], CHOSEN.rule, seed=2512)
    assert some == [one for line in (7, -3) for one in channels if one.line == line]
    (other,) = all_channels(CHOSEN.pair, [7], CHOSEN.rule, seed=1)
    assert (other.counted_qber_z, other.qber_z) != (some[0].counted_qber_z, some[0].qber_z)


def test_paper_scan_time_of_the_printed_error():
    """+-1.4 % of H28 take 1.3 s at each delay (docs/interference.md)."""
    assert scan_seconds(CHOSEN.pair) == pytest.approx(1.3, abs=0.1)


def test_limit_no_rest_is_a_prediction_throughout(channels):
    kinds = {figure.kind for figure in figures(channels, Rest())}
    assert kinds == {"prediction"}
    fitted = {figure.name: figure.kind for figure in figures(channels, CHOSEN.pair.devices.rest)}
    assert (fitted["visibility"], fitted["visibility of H28"]) == ("fitted mean", "fitted level")


def test_attack_pairs_and_networks_that_have_none():
    for names in (("Alice",), ("Alice", "Alice"), ("Alice", "Eve")):
        with pytest.raises(InputError, match=r"`--pair` must be two of Alice, Bob"):
            chosen_pair(NETWORK, names)
    with pytest.raises(InputError, match="needs a table `devices`"):
        chosen_pair(load_network(ROOT / "netherlands.toml").network, None)
