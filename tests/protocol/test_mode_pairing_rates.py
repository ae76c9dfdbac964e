"""Mode pairing's rate model against rounds simulated one by one, integrals and limits."""

import numpy as np
import pytest
from scipy.integrate import quad

from combmesh.ground.errors import InputError
from combmesh.link.gains import gain_x, gain_z
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mode_pairing.keyrate import Analysis
from combmesh.protocol.mode_pairing.link_rates import RateTask, all_rates
from combmesh.protocol.mode_pairing.optimise import PairingTask, best_pairing_length, optimise, planned_rate
from combmesh.protocol.mode_pairing.pairing import (
    Coherence,
    contrast_limit_slots,
    mean_contrast,
    pair_rounds,
    pairing_rate,
)
from combmesh.protocol.mode_pairing.rates import (
    asymptotic_rate,
    click_gain,
    expected_tally,
    mean_click,
    pairing,
    single_photon_pair,
    wrong_share,
)
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings
from combmesh.protocol.mode_pairing.tally import MU

LINK = Link(0.0068, 0.0068, Relay(dark_count_probability=2.7e-8, misalignment_z=2e-4, misalignment_x=0.01), 2.5e9)
USER = Settings(0.03, 0.39, 0.19, 0.24)

# ---- pairing ----


def test_exact_pairs_of_a_few_clicks():
    """Gaps 3, 1, 9, 2, 2, 4 with lengths 2 to 5: the click after a gap too short or too long starts anew."""
    clicks = np.cumsum([10, 3, 1, 9, 2, 2, 4])
    assert pair_rounds(clicks, 2, 5).tolist() == [[0, 1], [3, 4], [5, 6]]
    assert pair_rounds(clicks, 1, 5).tolist() == [[0, 1], [3, 4], [5, 6]]
    assert pair_rounds(clicks, 1, 1).tolist() == [[1, 2]]
    assert pair_rounds(clicks[:1], 1, 9).shape == (0, 2)


@pytest.mark.parametrize(
    ("click", "shortest", "longest"), [(0.3, 1, 2), (0.05, 1, 12), (0.05, 8, 40), (0.01, 1, 1000), (0.02, 30, 31)]
)
def test_exact_pairing_rate_of_simulated_clicks(click, shortest, longest):
    """4e6 rounds; a renewal count has at most the spread of a Poisson one: 5 sigma, false alarm 6e-7 each."""
    rng = np.random.default_rng(round(1e4 * click) + shortest)
    clicks = np.flatnonzero(rng.random(4_000_000) < click)
    pairs = pair_rounds(clicks, shortest, longest)
    gaps = np.diff(clicks[pairs], axis=1)
    expected = 4e6 * pairing_rate(click, PairingRule(longest, shortest))
    assert abs(len(pairs) - expected) < 5 * np.sqrt(expected)
    assert gaps.min() >= shortest
    assert gaps.max() <= longest


def test_limit_pairing_rate():
    """Zeng 2022: p/2 for long lengths, p^2 l for rare clicks, 1/2 at p = 1, none at p = 0; it rises with l and p."""
    assert pairing_rate(0.01, PairingRule(10**9)) == pytest.approx(0.005, rel=1e-12)
    assert pairing_rate(1e-7, PairingRule(100)) == pytest.approx(1e-14 * 100, rel=1e-4)
    assert pairing_rate(1.0, PairingRule(5)) == 0.5
    assert pairing_rate(1.0, PairingRule(5, 2)) == 0.0
    assert pairing_rate(0.0, PairingRule(5)) == 0.0
    p, length = 0.003, 500
    literal = 1 / (1 / (p * (1 - (1 - p) ** length)) + 1 / p)
    assert pairing_rate(p, PairingRule(length)) == pytest.approx(literal, rel=1e-12)
    assert np.all(np.diff([pairing_rate(0.003, PairingRule(n)) for n in (1, 10, 100, 1000, 10_000)]) > 0)
    assert np.all(np.diff([pairing_rate(q, PairingRule(100)) for q in (1e-5, 1e-3, 0.1, 0.9)]) > 0)
    assert np.all(np.diff([pairing_rate(0.003, PairingRule(500, n)) for n in (1, 10, 100, 500)]) < 0)


# ---- contrast ----


def test_limit_contrast_is_one_where_nothing_moves():
    assert mean_contrast(0.001, PairingRule(10**6), Coherence(), 2.5e9) == pytest.approx(1.0, abs=1e-7)
    assert Coherence(beat_std_hz=1e5).contrast(0.0) == 1.0
    assert mean_contrast(1e-5, PairingRule(10**9), Coherence(1e9, 1e9), 2.5e9) < 1e-3


def test_exact_contrast_of_two_linewidths_is_a_geometric_sum():
    """Sum of p (1-p)^{d-1} e^{-g d}, g = pi (nu_A + nu_B)/clock, over all d: p e^{-g} / (1 - (1-p) e^{-g})."""
    p, g = 1e-3, np.pi * 5e4 / 2.5e9
    closed = p * np.exp(-g) / (1 - (1 - p) * np.exp(-g))
    for longest in (60_000, 10**9):
        drift = Coherence(2e4, 3e4)
        assert mean_contrast(p, PairingRule(longest), drift, 2.5e9) == pytest.approx(closed, rel=1e-6)


@pytest.mark.parametrize("click", [0.0, 1e-5, 3e-4])
@pytest.mark.parametrize(
    "drift", [Coherence(beat_std_hz=31e3), Coherence(5e3, 1e3, 40e3, 5e3, 4e3), Coherence(beat_offset_hz=2e6)]
)
def test_exact_integrated_contrast_is_the_sum(click, drift):
    """200000 gaps, summed here one by one."""
    slots = np.arange(63, 200_001)
    weights = (1 - click) ** (slots - 63.0)
    literal = (weights * drift.contrast(slots / 2.5e9)).sum() / weights.sum()
    assert mean_contrast(click, PairingRule(200_000, 63), drift, 2.5e9) == pytest.approx(literal, abs=1e-6)


def test_exact_contrast_of_random_walks_of_the_phase():
    """100000 walks of both lasers and a Gaussian beat: 5 standard errors, false alarm 6e-7."""
    rng = np.random.default_rng(7)
    wait = 2e-6
    drift = Coherence(2e4, 1e4, beat_offset_hz=3e4, beat_std_hz=2e4, fibre_drift_rad_s=1e5)
    steps = rng.normal(0, np.sqrt(2 * np.pi * 3e4 * wait / 20), (100_000, 20)).sum(axis=1)
    slow = rng.normal(2 * np.pi * 3e4 * wait, 2 * np.pi * 2e4 * wait, 100_000) + rng.normal(0, 1e5 * wait, 100_000)
    cosines = np.cos(steps + slow)
    assert abs(cosines.mean() - drift.contrast(wait)) < 5 * cosines.std() / np.sqrt(100_000)


# ---- clicks and gains ----


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.3, 0.0), (0.002, 0.005), (0.8, 0.5)])
def test_exact_click_gain_is_an_integral_over_the_phase(a, b):
    p_d, gamma = 1e-4, 0.97

    def one(phase):
        left, right = (0.5 * (a + b) + s * gamma * np.sqrt(a * b) * np.cos(phase) for s in (1, -1))
        silent = [(1 - p_d) * np.exp(-n) for n in (left, right)]
        return silent[0] * (1 - silent[1]) + silent[1] * (1 - silent[0])

    assert click_gain(a, b, p_d, gamma) == pytest.approx(quad(one, 0, np.pi)[0] / np.pi, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.02), (0.3, 0.1), (1e-3, 4e-3)])
def test_exact_pair_gains_are_those_of_two_rounds_before_two_detectors(a, b):
    """Z: a, b in one round each or both in one; X: a, b in both rounds, the phases of the rounds equal."""
    p_d, gamma = 1e-5, 0.98
    right = 0.5 * click_gain(a, 0.0, p_d, gamma) * click_gain(0.0, b, p_d, gamma)
    wrong = 0.5 * click_gain(a, b, p_d, gamma) * click_gain(0.0, 0.0, p_d, gamma)
    assert gain_z(a, b, p_d, gamma) == pytest.approx((right, wrong), rel=1e-9)

    def left(phase):
        bright, dark = (0.5 * (a + b) + s * gamma * np.sqrt(a * b) * np.cos(phase) for s in (1, -1))
        return (1 - (1 - p_d) * np.exp(-bright)) * (1 - p_d) * np.exp(-dark)

    same = quad(lambda f: left(f) ** 2 + left(f + np.pi) ** 2, 0, 2 * np.pi)[0] / (2 * np.pi)
    other = quad(lambda f: 2 * left(f) * left(f + np.pi), 0, 2 * np.pi)[0] / (2 * np.pi)
    assert gain_x(2 * a, 2 * b, p_d, gamma) == pytest.approx((same, other), rel=1e-7)


def test_limit_contrast_enters_x_to_first_order_in_the_light():
    """Wrong pairs at a phase change delta against the integral: better than a b/4 of all pairs."""
    a, b, gamma, delta = 0.05, 0.03, 1.0, 0.9

    def left(phase):
        bright, dark = (0.5 * (a + b) + s * gamma * np.sqrt(a * b) * np.cos(phase) for s in (1, -1))
        return (1 - np.exp(-bright)) * np.exp(-dark)

    other = quad(lambda f: 2 * left(f) * left(f + delta + np.pi), 0, 2 * np.pi)[0] / (2 * np.pi)
    q_c, q_e = gain_x(2 * a, 2 * b, 0.0, gamma)
    e_d = wrong_share(0.0, np.cos(delta))
    assert abs(e_d * q_c + (1 - e_d) * q_e - other) < 0.25 * a * b * (q_c + q_e)


def test_exact_single_photon_pair():
    """No dark counts: e11 = (1 - (1-2e) gamma^2 C)/2; no light: half."""
    y11, e11 = single_photon_pair(Link(0.1, 0.2, Relay(misalignment_x=0.02, visibility=0.48), 1e9), 0.9)
    assert y11 == pytest.approx(0.01, rel=1e-12)
    assert e11 == pytest.approx(0.5 * (1 - 0.96 * 0.96 * 0.9), rel=1e-12)
    assert single_photon_pair(Link(0.0, 0.0, Relay(dark_count_probability=1e-6), 1e9), 1.0)[1] == 0.5


# ---- the slow twin: every round ----


def simulated(link, users, rule, drift, rounds, rng):
    """(clicks, pairs, z, x, x wrong, z wrong) of rounds with every phase and both detectors."""
    choices = [rng.choice(3, rounds, p=[u.p_o, u.p_nu, u.p_mu]) for u in users]
    phases = rng.uniform(0, 2 * np.pi, (2, rounds))
    light = [
        np.array([0.0, u.nu, u.mu])[c] * eta
        for u, c, eta in zip(users, choices, (link.efficiency_a, link.efficiency_b), strict=True)
    ]
    step = rng.normal(0, np.sqrt(2 * np.pi * (drift.linewidth_a_hz + drift.linewidth_b_hz) / link.clock_hz), rounds)
    moved = np.cumsum(step) + 2 * np.pi * drift.beat_offset_hz / link.clock_hz * np.arange(rounds)
    fringe = np.sqrt(light[0] * light[1]) * np.cos(phases[0] - phases[1] + moved)
    p_d = link.relay.dark_count_probability
    left, right = (rng.random(rounds) > (1 - p_d) * np.exp(-0.5 * sum(light) - s * fringe) for s in (1, -1))
    clicks = np.flatnonzero(left ^ right)
    i, j = clicks[pair_rounds(clicks, rule.shortest_slots, rule.longest_slots)].T
    z, x, wrong, z_wrong = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), 0
    first, second = ([c[k] for c in choices] for k in (i, j))
    dark = [(f == 0) | (s == 0) for f, s in zip(first, second, strict=True)]
    same = [f == s for f, s in zip(first, second, strict=True)]
    total = [np.maximum(f, s) for f, s in zip(first, second, strict=True)]
    relative = phases[0, i] - phases[0, j] - phases[1, i] + phases[1, j]
    for k in range(len(i)):
        a, c = total[0][k], total[1][k]
        if dark[0][k] and dark[1][k] and (a == 0 or not same[0][k]) and (c == 0 or not same[1][k]):
            z[a, c] += 1
            z_wrong += a == c == 2 and (first[0][k] == 0) == (first[1][k] == 0)
        if same[0][k] and same[1][k]:
            off = abs((relative[k] + np.pi / 2) % np.pi - np.pi / 2)
            if a == 0 or c == 0 or off < np.pi / rule.phase_slices:
                x[a, c] += 1
                wrong[a, c] += (np.cos(relative[k]) > 0) != (left[i[k]] == left[j[k]])
    return len(clicks), len(i), z, x, wrong, z_wrong


@pytest.mark.parametrize(
    ("rule", "drift"),
    [
        (PairingRule(40, phase_slices=8), Coherence()),
        (PairingRule(60, 5, phase_slices=6), Coherence(beat_offset_hz=4e6)),
        (PairingRule(100, 1, phase_slices=4), Coherence(5e6, 3e6)),
    ],
)
def test_exact_rounds_one_by_one(rule, drift):
    """3e6 rounds with unequal users and arms: 29 counts at 5.5 sigma, false alarm 1e-6 each run.

    A count of pairs scatters at most like a Poisson one. The light is dim enough for first order in X: 1e-3 of a count.
    """
    link = Link(0.12, 0.2, Relay(dark_count_probability=1e-3), 1e9)
    users = (Settings(0.15, 0.5, 0.3, 0.35), Settings(0.1, 0.35, 0.3, 0.3))
    rounds = 3_000_000
    clicks, pairs, z, x, wrong, z_wrong = simulated(link, users, rule, drift, rounds, np.random.default_rng(23))
    expected = expected_tally(link, *users, rule, drift, rounds)
    paired = pairing(link, *users, rule, drift)
    assert abs(clicks - rounds * paired.click) < 5.5 * np.sqrt(rounds * paired.click)
    assert abs(pairs - rounds * paired.pairs) < 5.5 * np.sqrt(rounds * paired.pairs)
    for seen, mean in ((z, expected.z_pairs), (x, expected.x_pairs), (wrong, expected.x_errors)):
        assert np.all(np.abs(seen - mean) < 5.5 * np.sqrt(mean) + 2e-3 * mean + 3)
    assert abs(z_wrong - expected.z_errors) < 5.5 * np.sqrt(expected.z_errors) + 3


def test_exact_dead_time_thins_clicks():
    """Click p, each detector half of it: live share 1/(1 + p/2 n) for n dead gates; the pairs' sources stay.

    Of the next 1000 rounds of 0.4 ns 999 begin within 400 ns.
    """
    tired = Link(0.0068, 0.0068, Relay(dead_time_ns=400.0), 2.5e9)
    free = Link(0.0068, 0.0068, Relay(), 2.5e9)
    rule = PairingRule(10**7)
    p = mean_click(free, USER, USER)
    live = 1 / (1 + 0.5 * p * 999)
    assert 0.5 < live < 0.7
    ratio = pairing(tired, USER, USER, rule, Coherence()).pairs / pairing(free, USER, USER, rule, Coherence()).pairs
    assert ratio == pytest.approx(live, rel=1e-9)
    counts = [expected_tally(link, USER, USER, rule, Coherence(), 1e12).z_pairs for link in (free, tired)]
    assert np.allclose(counts[1], live * counts[0], rtol=1e-9)


# ---- rates ----


def test_exact_asymptotic_rate_written_out():
    """R = r_p r_s {q11 [1 - h(e_X)] - f h(E_Z)}; r_s is the signal pairs of Z among all pairs."""
    rule, drift = PairingRule(5000), Coherence(beat_std_hz=31e3)
    rate = asymptotic_rate(LINK, USER, USER, rule, drift, f_ec=1.1)
    tally = expected_tally(LINK, USER, USER, rule, drift, 1.0)

    def h(p):
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    assert rate.signal_share == pytest.approx(tally.z_pairs[MU, MU] / rate.pairs_per_round, rel=1e-12)
    literal = rate.signal_share * (rate.q11 * (1 - h(rate.e11)) - 1.1 * h(rate.qber_z)) * rate.pairs_per_round
    assert rate.rate_per_round == pytest.approx(literal, rel=1e-12)
    assert rate.q11 == pytest.approx(np.exp(-0.78), rel=0.01)  # weak arrival: n photons click n times as often as one
    assert asymptotic_rate(Link(0.0, 0.0, Relay(), 1e9), USER, USER, rule, drift).rate_per_round == 0.0


def test_limit_rate_goes_with_the_arm_and_not_with_the_link_while_pairs_are_easy():
    """l >> 1/p: R falls as eta of one arm (the root of the link's); l << 1/p: as its square."""
    rates = {
        length: [
            asymptotic_rate(Link(eta, eta, Relay(), 1e9), USER, USER, PairingRule(length), Coherence()).rate_per_round
            for eta in (1e-3, 1e-4)
        ]
        for length in (10**8, 10)
    }
    assert rates[10**8][0] / rates[10**8][1] == pytest.approx(10, rel=0.01)
    assert rates[10][0] / rates[10][1] == pytest.approx(100, rel=0.02)


def test_limit_finite_rate_approaches_less_than_the_asymptotic_one():
    rule, drift = PairingRule(5000), Coherence(beat_std_hz=31e3)
    infinite = planned_rate(PairingTask(LINK, drift), USER, USER, rule)
    rates = [planned_rate(PairingTask(LINK, drift, n), USER, USER, rule) for n in (1e11, 1e13, 1e16)]
    assert np.all(np.diff([*rates, infinite]) > 0)
    assert rates[-1] > 0.75 * infinite  # two decoys do not tell everything


# ---- the best pairing length ----


def test_limit_best_length_without_drift_is_as_long_as_clicks_take():
    length = best_pairing_length(PairingTask(LINK, Coherence()), USER, USER, PairingRule(1))
    assert length > 10 / mean_click(LINK, USER, USER)


@pytest.mark.parametrize("rounds", [None, 1e14])
def test_exact_best_length_is_the_best_of_its_neighbourhood(rounds):
    drift = Coherence(1e3, 1e3, beat_std_hz=31e3)
    task = PairingTask(Link(7e-4, 7e-4, LINK.relay, 2.5e9), drift, rounds)
    best = best_pairing_length(task, USER, USER, PairingRule(5, 5))
    rates = {
        n: planned_rate(task, USER, USER, PairingRule(n, 5))
        for n in {best, *np.geomspace(10, 1e6, 300).round().astype(int).tolist()}
    }
    assert rates[best] == max(rates.values())


def test_paper_locks_of_31_khz_set_a_best_length_near_1e4_slots():
    """The notes' 1e4 slots are found, not put in: 7.4e3 slots at 202 km, 1.18e4 at 407 km, at 2.5 GHz (asymptotic).

    Arms as measured by Zhu 2023 at 202 and 407 km; more drift shortens, and farther lengthens, the best pairs.
    """

    def best(eta, khz):
        task = PairingTask(Link(eta, eta, LINK.relay, 2.5e9), Coherence(beat_std_hz=khz * 1e3))
        return best_pairing_length(task, USER, USER, PairingRule(1))

    near, far = best(0.0068, 31), best(0.000218, 31)
    assert 6000 < near < far < 12_000
    assert best(0.000218, 310) < far / 5
    assert 0.6 < Coherence(beat_std_hz=31e3).contrast(far / 2.5e9) < 0.9


# ---- the optimiser ----


def test_limit_optimised_sources_beat_others():
    """Against 60 settings around it and five lengths: no better one by more than 3 in 1000."""
    rng = np.random.default_rng(3)
    task = PairingTask(LINK, Coherence(beat_std_hz=31e3), 2.5e12)
    plan = optimise(task, PairingRule(1000))
    assert plan.alice == plan.bob
    assert plan.rate_per_round == pytest.approx(planned_rate(task, plan.alice, plan.bob, plan.rule), rel=1e-12)
    best = plan.alice
    for _ in range(60):
        f = rng.uniform(0.7, 1.3, 4)
        other = Settings(*(np.array(best.as_tuple()) * f).tolist())
        assert planned_rate(task, other, other, plan.rule) < plan.rate_per_round * 1.003
    for n in (500, 2000, 5000, 15_000, 50_000):
        assert planned_rate(task, best, best, PairingRule(n)) < plan.rate_per_round * 1.003


def test_limit_optimised_unequal_arms_send_less_on_the_shorter_one():
    link = Link(0.02, 0.005, LINK.relay, 2.5e9)
    plan = optimise(PairingTask(link, Coherence(beat_std_hz=31e3), 1e13), PairingRule(1000))
    assert plan.rate_per_round > 0
    assert plan.alice.mu < plan.bob.mu
    assert plan.alice.nu < plan.bob.nu


def test_limit_optimiser_near_the_end_of_the_reach_still_finds_the_key():
    """A climb from the usual starts ends where nothing is sent; the optimum is followed from longer blocks."""
    far = Link(3e-5, 3e-5, LINK.relay, 2.5e9)
    task = PairingTask(far, Coherence(beat_std_hz=31e3), 1e14)
    assert optimise(task, PairingRule(1000)).rate_per_round > 0


def test_limit_a_relay_that_never_clicks_is_a_rate_of_0():
    """No light and no dark counts; or only dark counts, in both detectors of every round."""
    for relay in (Relay(), Relay(dark_count_probability=1.0)):
        task = RateTask(Link(0.0, 0.0, relay, 1e9), Coherence(), 1e12, PairingRule(100), Analysis(), 1.16, (USER, USER))
        assert [found.skr_bps for found in all_rates(task)] == [0.0, 0.0]


# ---- bad input ----


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Coherence(linewidth_a_hz=-1.0), "`linewidth_a_hz` must be at least 0, but is -1"),
        (lambda: Coherence(beat_std_hz=np.inf), "`beat_std_hz` must be a finite number, but is inf"),
        (lambda: pairing_rate(1.5, PairingRule(5)), "`click` must be at most 1, but is 1.5"),
        (lambda: mean_contrast(0.1, PairingRule(5), Coherence(), 0.0), "`rounds_hz` must be a finite number above 0"),
        (lambda: contrast_limit_slots(0.0, 1e9, 0.7), "`beat_std_hz` must be"),
        (lambda: contrast_limit_slots(1e3, 1e9, 1.5), "`contrast` must be at most 1, but is 1.5"),
        (
            lambda: expected_tally(LINK, USER, USER, PairingRule(5), Coherence(), -1.0),
            "`rounds` must be at least 0, but is -1",
        ),
        (
            lambda: best_pairing_length(
                PairingTask(Link(0.0, 0.0, Relay(), 1e9), Coherence()), USER, USER, PairingRule(5)
            ),
            "The link has no clicks",
        ),
        (lambda: PairingTask(LINK, Coherence(), 0.0), "`rounds` must be a finite number above 0"),
        (
            lambda: asymptotic_rate(LINK, USER, USER, PairingRule(5), Coherence(), f_ec=0.5),
            "`f_ec` must be at least 1, but is 0.5",
        ),
    ],
)
def test_exact_errors_name_the_value(make, words):
    with pytest.raises(InputError, match=words):
        make()
