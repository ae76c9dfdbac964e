"""Mode pairing's bounds against a linear programme and the truth; limits, epsilons, bad input."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import factorial

from combmesh.ground.errors import InputError
from combmesh.link.relay import Link, Relay
from combmesh.protocol.epsilon import equal_share, shares
from combmesh.protocol.mode_pairing.bounds import pairs_11_lower, wrong_11_upper
from combmesh.protocol.mode_pairing.epsilon import TERMS
from combmesh.protocol.mode_pairing.keyrate import Analysis, key_length, rate_from_bounds
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.rates import expected_tally, pairing, single_photon_pair
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings
from combmesh.protocol.mode_pairing.tally import MU, NU, O, PairTally, class_weights
from combmesh.protocol.statistics import EXACT, SIMPLE

NO_FLUCTUATION = 1.0 - 2**-53
RULE = PairingRule(2000, 10)
DRIFT = Coherence(1000.0, 1000.0, beat_std_hz=10e3)
LINK = Link(0.01, 0.01, Relay(dark_count_probability=1e-7, misalignment_z=3e-4, misalignment_x=0.01), 2.5e9)
USER = Settings(0.03, 0.35, 0.25, 0.25)
SHARE = RULE.matched_share


def random_case(seed):
    """Arms of 10 to 26 dB that differ by up to 6 dB and unequal users, dim on the short side."""
    rng = np.random.default_rng(seed)
    eta, ratio = 10 ** rng.uniform(-2.6, -1.0), 10 ** rng.uniform(-0.3, 0.3)
    users = []
    for balance in (ratio**-0.5, ratio**0.5):
        p = rng.dirichlet([10.0, 5.0, 5.0])
        mu = 0.35 * balance * rng.uniform(0.7, 1.4)
        users.append(Settings(mu * rng.uniform(0.05, 0.2), mu, float(p[1]), float(p[2])))
    relay = Relay(1.0, 10 ** rng.uniform(-8, -6), rng.uniform(0, 1e-3), rng.uniform(0, 0.03), rng.uniform(0.45, 0.5))
    return Link(eta * ratio**0.5, eta / ratio**0.5, relay, 2.5e9), *users


CASES = [random_case(200 + k) for k in range(24)]


def truth(link, alice, bob, rounds):
    """(M11 for each unit of weight, single-photon phase error) behind `expected_tally`."""
    paired = pairing(link, alice, bob, RULE, DRIFT)
    y11, e11 = single_photon_pair(link, paired.contrast)
    return rounds * paired.pairs / paired.click**2 * y11, e11


# ---- bounds ----


@pytest.mark.parametrize("case", range(len(CASES)))
def test_exact_bounds_are_on_their_side_of_the_linear_programme_and_the_truth(case):
    """Without fluctuation: closed form <= least M11 of all that explains the nine counts <= truth.

    The slow twin has yields of 0 to 9 photons of each user and a remainder between none and all.
    """
    link, alice, bob = CASES[case]
    rounds = 1e13
    tally = expected_tally(link, alice, bob, RULE, DRIFT, rounds)
    w_z, w_x = class_weights(alice, bob, SHARE)
    m11, e11 = truth(link, alice, bob, rounds)
    closed = pairs_11_lower(tally.z_pairs, w_z, alice, bob, 1e-16, EXACT)
    n = np.arange(10)
    rows, above, below = [], [], []
    most = 1.0 / single_photon_pair(link, 1.0)[0]  # every pair clicks, in units of M11
    for i, a in enumerate((0.0, alice.nu, alice.mu)):
        for j, c in enumerate((0.0, bob.nu, bob.mu)):
            chances = np.outer(np.exp(-a) * a**n / factorial(n), np.exp(-c) * c**n / factorial(n))
            gain = tally.z_pairs[i, j] / w_z[i, j] / m11
            unit = max(gain, 1e-3 * alice.nu * bob.nu)
            rows.append(chances.ravel() / unit)
            above.append(gain / unit + 1e-7)
            below.append((gain - (1.0 - chances.sum()) * most) / unit - 1e-7)
    cost = np.zeros(100)
    cost[11] = 1.0
    least = linprog(cost, np.vstack([rows, -np.array(rows)]), above + [-v for v in below], bounds=(0, most))
    assert least.status == 0
    assert closed <= least.fun * m11 * (1 + 1e-4)
    assert least.fun <= 1 + 1e-4
    assert closed > 0.5 * m11
    wrong = wrong_11_upper(tally.x_pairs, tally.x_errors[NU, NU], tally.z_pairs[O, O], w_x, alice, bob, 1e-16, EXACT)
    assert wrong >= e11 * m11


@pytest.mark.parametrize("case", range(len(CASES)))
def test_exact_users_change_places(case):
    """M11 and the phase error do not care who is called Alice; the vacuum part does."""
    link, alice, bob = CASES[case]
    tally = expected_tally(link, alice, bob, RULE, DRIFT, 1e13)
    swapped = PairTally(tally.z_pairs.T, tally.x_pairs.T, tally.x_errors.T, tally.z_errors, tally.rounds)
    here = key_length(tally, alice, bob, Analysis(), matched_share=SHARE)
    there = key_length(swapped, bob, alice, Analysis(), matched_share=SHARE)
    assert here.pairs_11_lower == pytest.approx(there.pairs_11_lower, rel=1e-12)
    assert here.phase_error_upper == pytest.approx(there.phase_error_upper, rel=1e-12)


def test_exact_bounds_hold_for_drawn_counts():
    """500 Poisson blocks: every M11 is below and every phase error above the truth; false alarm below 1e-8."""
    rng = np.random.default_rng(11)
    expected = expected_tally(LINK, USER, USER, RULE, DRIFT, 1e12)
    m11, e11 = truth(LINK, USER, USER, 1e12)
    w_z, _ = class_weights(USER, USER, SHARE)
    signal = m11 * w_z[MU, MU] * 0.35**2 * np.exp(-0.7)
    for _ in range(500):
        wrong = rng.poisson(expected.x_errors).astype(float)
        right = rng.poisson(expected.x_pairs - expected.x_errors)
        z = rng.poisson(expected.z_pairs).astype(float)
        tally = PairTally(z, right + wrong, wrong, float(rng.binomial(int(z[MU, MU]), expected.qber_z)), 1e12)
        key = key_length(tally, USER, USER, Analysis(), matched_share=SHARE)
        assert 0 < key.pairs_11_lower < signal
        assert key.phase_error_upper > e11


def test_limit_scale_of_what_was_sent_drops_out():
    """Only ratios of class weights count: twice the weights halve M11 for each unit and leave the pairs."""
    tally = expected_tally(LINK, USER, USER, RULE, DRIFT, 1e12)
    w_z, _ = class_weights(USER, USER, SHARE)
    one, two = (pairs_11_lower(tally.z_pairs, f * w_z, USER, USER, 20.0, EXACT) for f in (1.0, 2.0))
    assert one == pytest.approx(2 * two, rel=1e-12)


def test_limit_weak_decoys_and_many_rounds_find_the_truth():
    """nu = mu/1000 and 1e26 rounds: 1e-3 in M11, 2e-3 in the phase error."""
    user = Settings(3.5e-4, 0.35, 0.3, 0.25)
    tally = expected_tally(LINK, user, user, RULE, DRIFT, 1e26)
    m11, e11 = truth(LINK, user, user, 1e26)
    key = key_length(tally, user, user, Analysis(), matched_share=SHARE)
    assert key.s11_lower * 0.5e26 == pytest.approx(m11, rel=1e-3)
    assert key.phase_error_upper == pytest.approx(e11, abs=2e-3)


# ---- key length ----


def test_exact_key_length_written_out():
    """Every term of l, by hand from the result's own bounds; constants at 2^-40 and 2^-30."""
    analysis = Analysis(bound=2.0**-40, correctness=2.0**-30)
    assert analysis.constant_bits == 31 + 2 * 81 + 2 * 39
    tally = expected_tally(LINK, USER, USER, RULE, DRIFT, 1e12)
    key = key_length(tally, USER, USER, analysis, matched_share=SHARE, f_ec=1.2)
    e, n, phi = tally.qber_z, tally.z_pairs[MU, MU], key.phase_error_upper
    leak = 1.2 * n * -(e * np.log2(e) + (1 - e) * np.log2(1 - e))
    private = key.pairs_11_lower * (1 + phi * np.log2(phi) + (1 - phi) * np.log2(1 - phi))
    assert key.leak_bits == pytest.approx(leak, rel=1e-12)
    assert key.signed_bits == pytest.approx(key.vacuum_bits + private - leak - 271, rel=1e-12)
    assert key.length_bits == int(key.signed_bits)
    actual = key_length(tally, USER, USER, analysis, matched_share=SHARE, leak_bits=1000.0)
    assert actual.signed_bits - key.signed_bits == pytest.approx(leak - 1000.0, rel=1e-9)


def test_exact_vacuum_part_is_of_the_user_whose_bits_are_the_key():
    """S0 stays below e^{-mu_A} P_mu/P_o n(o, mu), and only its credit makes the difference."""
    noisy = Link(0.01, 0.01, Relay(dark_count_probability=1e-5), 2.5e9)
    tally = expected_tally(noisy, USER, USER, RULE, DRIFT, 1e12)
    with_it, without = (
        key_length(tally, USER, USER, Analysis(vacuum_credit=credit), matched_share=SHARE) for credit in (True, False)
    )
    most = np.exp(-0.35) * 2 * 0.25 / 0.5 * tally.z_pairs[O, MU]
    assert 0.9 * most < with_it.vacuum_bits < most
    assert with_it.signed_bits - without.signed_bits == pytest.approx(with_it.vacuum_bits, rel=1e-9)


def test_exact_epsilon_terms_sum_to_the_secrecy():
    """2(eps' + 2 eps_e + eps-hat) + eps_PA and 14 tails: 23; Xie 2022 divides by 24."""
    assert list(TERMS.values()) == [2, 2, 1, 4, 4, 3, 2, 2, 1, 2]
    assert equal_share(3e-9, TERMS) == pytest.approx(3e-9 / 23, rel=1e-12)
    assert sum(shares(3e-9, TERMS).values()) == pytest.approx(3e-9, rel=1e-12)
    assert Analysis().bound == pytest.approx(1e-10 / 23, rel=1e-12)


def test_exact_tallies_add():
    one, two, three = (expected_tally(LINK, USER, USER, RULE, DRIFT, n) for n in (1e11, 2e11, 3e11))
    total = one + two
    assert total.rounds == three.rounds
    for name in ("z_pairs", "x_pairs", "x_errors", "z_errors"):
        assert np.allclose(getattr(total, name), getattr(three, name), rtol=1e-12)


def test_exact_class_weights_are_the_choices_of_two_rounds():
    """Of all pairs of choices, what is in neither table is nu with mu, and in X what has no match."""
    z, x = class_weights(USER, Settings(0.02, 0.3, 0.1, 0.2), 1.0)
    assert z[O, MU] == pytest.approx(0.5**2 * 2 * 0.7 * 0.2, rel=1e-12)
    assert x[NU, MU] == pytest.approx(0.25**2 * 0.2**2, rel=1e-12)
    assert z[O, O] == x[O, O]
    _, kept = class_weights(USER, USER, 0.125)
    _, whole = class_weights(USER, USER, 1.0)
    assert np.array_equal(kept[NU:, NU:], 0.125 * whole[NU:, NU:])
    assert np.array_equal(kept[O], whole[O])


# ---- what moves the key ----


def test_limit_key_grows_with_the_block_and_falls_with_every_disturbance():
    def signed(link=LINK, drift=DRIFT, rounds=1e12, analysis=None):
        tally = expected_tally(link, USER, USER, RULE, drift, rounds)
        return key_length(tally, USER, USER, analysis or Analysis(), matched_share=SHARE).signed_bits / rounds

    per_round = [signed(rounds=n) for n in (1e10, 1e11, 1e12, 1e13, 1e15)]
    assert np.all(np.diff(per_round) > 0)
    assert np.all(np.diff([signed(drift=Coherence(beat_std_hz=f)) for f in (0.0, 2e4, 5e4, 1e5)]) < 0)
    assert np.all(np.diff([signed(drift=Coherence(f, f)) for f in (0.0, 1e3, 1e4)]) < 0)
    relays = [Relay(visibility=v) for v in (0.5, 0.48, 0.45)]
    assert np.all(np.diff([signed(link=Link(0.01, 0.01, relay, 2.5e9)) for relay in relays]) < 0)
    assert signed(analysis=Analysis(tail="simple")) < signed(analysis=Analysis(tail="exact"))
    assert signed(analysis=Analysis(bound=1e-20)) < signed()


def test_limit_simple_tail_bounds_are_looser():
    tally = expected_tally(LINK, USER, USER, RULE, DRIFT, 1e12)
    w_z, _ = class_weights(USER, USER, SHARE)
    exact, simple = (pairs_11_lower(tally.z_pairs, w_z, USER, USER, 25.0, tail) for tail in (EXACT, SIMPLE))
    assert simple < exact


def test_limit_no_key_is_a_result_that_says_which_bound_failed():
    def outcome(tally, user=USER):
        key = key_length(tally, user, user, Analysis(), matched_share=SHARE)
        assert key.length_bits == 0
        return key.outcome

    never = Settings(0.03, 0.35, 0.0, 0.25)
    tally = expected_tally(LINK, USER, USER, RULE, DRIFT, 1e12)
    empty = PairTally(np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), 0.0, 0.0)
    assert outcome(tally, never) == "no key: a pair of sources was never sent"
    assert outcome(empty) == "no key: no single-photon pair is certain"
    lost = expected_tally(LINK, USER, USER, RULE, Coherence(beat_std_hz=1e7), 1e12)
    assert outcome(lost) == "no key: the phase error may be 50 %"
    wrong = PairTally(tally.z_pairs, tally.x_pairs, tally.x_errors, 0.3 * tally.z_pairs[MU, MU], tally.rounds)
    assert outcome(wrong) == "no key: the leak exceeds the private bits"
    assert np.isnan(empty.qber_z)
    assert np.isnan(empty.qber_x)


# ---- bad input ----

THREE = np.ones((3, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Settings(0.4, 0.3, 0.2, 0.2), "`nu` must be below `mu`, but nu = 0.4 and mu = 0.3"),
        (lambda: Settings(0.1, 0.3, 0.7, 0.6), "must be at most 1, but is 1.3"),
        (lambda: Settings(-0.1, 0.3, 0.2, 0.2), "`nu` must be at least 0, but is -0.1"),
        (lambda: PairingRule(0), "`longest_slots` must be at least 1, but is 0"),
        (lambda: PairingRule(50, 63), "`longest_slots` must be at least 63, but is 50"),
        (lambda: PairingRule(50, phase_slices=2), "`phase_slices` must be at least 4, but is 2"),
        (lambda: PairTally(np.ones(3), THREE, THREE, 0.0, 1.0), r"`z_pairs` must have shape \(alice, bob\)"),
        (lambda: PairTally(-THREE, THREE, THREE, 0.0, 1.0), "`z_pairs` must hold counts of at least 0"),
        (lambda: PairTally(THREE, THREE * np.nan, THREE, 0.0, 1.0), "`x_pairs` must hold counts"),
        (lambda: PairTally(THREE, THREE, 2 * THREE, 0.0, 1.0), "`x_errors` must be at most `x_pairs`"),
        (lambda: PairTally(THREE, THREE, THREE, 2.0, 1.0), "`z_errors` must be at most 1, but is 2"),
        (lambda: Analysis(correctness=1e-320), "`correctness` must be at least 1e-100"),
        (lambda: Analysis(tail="guess"), "`tail` must be one of exact, simple, but is 'guess'"),
        (lambda: Analysis(bound=1.0), "`bound` must be above 0 and below 1, but is 1"),
        (lambda: rate_from_bounds(1, 0.6, 2, 0, rounds=1, rounds_hz=1, f_ec=1.1), "`phase_error_upper`.*0.6"),
        (lambda: rate_from_bounds(1, 0.1, 2, 3, rounds=1, rounds_hz=1, f_ec=1.1), "`z_errors` must be at most 2"),
        (lambda: rate_from_bounds(1, 0.1, 2, 1, rounds=0, rounds_hz=1, f_ec=1.1), "`rounds` must be"),
    ],
)
def test_exact_errors_name_the_value(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_exact_errors_of_a_key_length_name_the_value():
    tally = PairTally(THREE, THREE, THREE, 0.0, 1.0)
    with pytest.raises(InputError, match="`matched_share` must be at most 1, but is 2"):
        key_length(tally, USER, USER, Analysis(), matched_share=2.0)
    with pytest.raises(InputError, match="`f_ec` must be at least 1"):
        key_length(tally, USER, USER, Analysis(), matched_share=0.125, f_ec=0.9)
