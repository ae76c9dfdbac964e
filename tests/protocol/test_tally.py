"""Counts of a block: drawn and expected."""

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.ground.rng import stream
from combmesh.link.gains import click_probability, gain_x, gain_z
from combmesh.link.relay import Link, Relay
from combmesh.protocol.epsilon import tail_exponent
from combmesh.protocol.mdi.bounds import OZ, PAIRS, XX, ZZ
from combmesh.protocol.mdi.epsilon import TERMS, EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, draw_tally, expected_tally
from combmesh.protocol.statistics import EXACT, expectation_lower, observation_lower

ALICE = Settings(0.04, 0.2, 0.3, 0.3, 0.05, 0.6)
BOB = Settings(0.06, 0.3, 0.4, 0.25, 0.04, 0.65)
RELAY = Relay(0.75, 1e-7, 0.01, 0.03, 0.485)
LINK = Link(0.02, 0.01, RELAY, 2.5e9)


def test_exact_expected_counts_written_out():
    """Alice's source is the first letter of a pair; sent, detected and wrong of two pairs by hand."""
    tally = expected_tally(LINK, ALICE, BOB, 1e12)
    assert tally.sent[PAIRS.index("xy")] == pytest.approx(1e12 * 0.3 * 0.04, rel=1e-12)
    assert tally.sent[PAIRS.index("yx")] == pytest.approx(1e12 * 0.05 * 0.25, rel=1e-12)
    assert tally.sent[PAIRS.index("oz")] == pytest.approx(1e12 * 0.05 * 0.65, rel=1e-12)
    gamma = (0.485 / 0.5) ** 0.5
    q_c, q_e = gain_z(0.3 * 0.02, 0.4 * 0.01, 1e-7, gamma)
    assert tally.detected[ZZ] == pytest.approx(1e12 * 0.6 * 0.65 * (q_c + q_e), rel=1e-12)
    assert tally.qber_z == pytest.approx((0.01 * q_c + 0.99 * q_e) / (q_c + q_e), rel=1e-12)
    q_c, q_e = gain_x(0.04 * 0.02, 0.06 * 0.01, 1e-7, gamma)
    assert tally.detected[XX] == pytest.approx(1e12 * 0.3 * 0.25 * (q_c + q_e), rel=1e-12)
    assert tally.qber_x == pytest.approx((0.03 * q_c + 0.97 * q_e) / (q_c + q_e), rel=1e-12)


def test_exact_one_bell_state_is_half():
    one = Link(0.02, 0.01, Relay(0.75, 1e-7, 0.01, 0.03, 0.485, bell_states=1), 2.5e9)
    both = expected_tally(LINK, ALICE, BOB, 1e12)
    assert np.allclose(expected_tally(one, ALICE, BOB, 1e12).detected, both.detected / 2, rtol=1e-12)


def test_limit_dead_time_takes_both_detectors_of_a_coincidence():
    """Near 1/(1 + 74 R)^2 with the mean click probability R over all 16 pairs of sources; the QBER in Z stays."""
    dead = Link(0.02, 0.01, Relay(0.75, 1e-7, 0.01, 0.03, 0.485, dead_time_ns=30.0), 2.5e9)
    gamma = 0.97**0.5
    light = [
        (((0.0, 0.05, False), (0.04, 0.3, False), (0.2, 0.05, False), (0.3, 0.6, True)), 0.02),
        (((0.0, 0.06, False), (0.06, 0.25, False), (0.3, 0.04, False), (0.4, 0.65, True)), 0.01),
    ]
    clicks = sum(
        p * q * click_probability(mu * light[0][1], nu * light[1][1], in_z, also_z, 1e-7, gamma)
        for mu, p, in_z in light[0][0]
        for nu, q, also_z in light[1][0]
    )
    share = 1 / (1 + clicks * 74) ** 2
    free, tired = expected_tally(LINK, ALICE, BOB, 1e12), expected_tally(dead, ALICE, BOB, 1e12)
    assert share < 0.85
    assert np.allclose(tired.detected, free.detected * share, rtol=3e-3)
    assert np.allclose(tired.errors, free.errors * share, rtol=3e-3)
    assert tired.qber_z == pytest.approx(free.qber_z, rel=1e-4)


def test_exact_same_seed_same_tally():
    drawn = [draw_tally(LINK, ALICE, BOB, 10**12, stream(7, "A", "B", -3, block)) for block in (0, 0, 1)]
    for name in ("sent", "detected", "errors"):
        assert np.array_equal(getattr(drawn[0], name), getattr(drawn[1], name))
        assert not np.array_equal(getattr(drawn[0], name), getattr(drawn[2], name))


def test_exact_drawn_counts_are_possible():
    """2000 blocks, from a hundred pulses to 10^15: what is wrong was detected, what was detected was sent."""
    rng = np.random.default_rng(31)
    for _ in range(2000):
        pulses = int(10 ** rng.uniform(2, 15))
        drawn = draw_tally(LINK, ALICE, BOB, pulses, rng)
        assert np.all((drawn.errors >= 0) & (drawn.errors <= drawn.detected) & (drawn.detected <= drawn.sent))
        assert drawn.sent.sum() <= pulses
        assert np.all(drawn.detected == np.round(drawn.detected))


def test_exact_sources_are_drawn_with_their_probabilities():
    """500 blocks of 10^6 pulses. Means at 5.5 sigma of 12 pairs, false alarm 5e-7; variances to 40 %, 6 sigma."""
    rng = np.random.default_rng(37)
    sent = np.array([draw_tally(LINK, ALICE, BOB, 10**6, rng).sent for _ in range(500)])
    chance = expected_tally(LINK, ALICE, BOB, 1.0).sent
    sigma = np.sqrt(1e6 * chance * (1 - chance))
    assert np.all(np.abs(sent.mean(axis=0) - 1e6 * chance) < 5.5 * sigma / np.sqrt(500))
    assert np.all(np.abs(sent.var(axis=0) / sigma**2 - 1) < 0.4)


def test_exact_drawn_errors_of_a_vacuum_are_a_fair_coin():
    """One block of 10^13 pulses, six pairs at 5.5 sigma: false alarm 2e-7. In Z only dark counts pair with a vacuum."""
    drawn = draw_tally(LINK, ALICE, BOB, 10**13, np.random.default_rng(41))
    for pair in ("ox", "xo", "oy", "yo", "oz", "zo"):
        n, wrong = (column[PAIRS.index(pair)] for column in (drawn.detected, drawn.errors))
        assert n > 100
        assert abs(wrong - n / 2) < 5.5 * np.sqrt(n) / 2


def test_exact_key_of_drawn_blocks_scatters_around_the_planned_one():
    """50 blocks; the mean within 6 standard errors of the expected key, false alarm below 1e-7."""
    rng = np.random.default_rng(43)
    planned = key_length(expected_tally(LINK, ALICE, BOB, 1e12), ALICE, BOB, Analysis()).signed_bits
    bits = np.array(
        [key_length(draw_tally(LINK, ALICE, BOB, 10**12, rng), ALICE, BOB, Analysis()).signed_bits for _ in range(50)]
    )
    assert planned > 0
    assert abs(bits.mean() - planned) < 6 * bits.std() / np.sqrt(50) + 1e-3 * planned


def test_exact_tallies_add():
    tallies = [expected_tally(LINK, ALICE, BOB, pulses) for pulses in (1e11, 2e11, 3e11)]
    total = tallies[0] + tallies[1]
    assert total.pulses == tallies[2].pulses
    for name in ("sent", "detected", "errors"):
        assert np.allclose(getattr(total, name), getattr(tallies[2], name), rtol=1e-12)


def test_limit_no_counts_have_no_qber():
    empty = Tally(np.zeros(12), np.zeros(12), np.zeros(12), 0.0)
    assert np.isnan(empty.qber_z)
    assert np.isnan(empty.qber_x)
    key = key_length(empty, ALICE, BOB, Analysis())
    assert key.length_bits == 0
    assert key.outcome == "no key: a pair of sources was never sent"


@pytest.mark.parametrize("pair", PAIRS)
def test_exact_which_pairs_a_key_needs(pair):
    """The cross-basis pairs xy and yx are not used and oz, zo only for the vacuum part."""
    whole = expected_tally(LINK, ALICE, BOB, 1e12)
    columns = [column.copy() for column in (whole.sent, whole.detected, whole.errors)]
    for column in columns:
        column[PAIRS.index(pair)] = 0.0
    key = key_length(Tally(*columns, whole.pulses), ALICE, BOB, Analysis())
    assert (key.length_bits > 0) == (pair in ("xy", "yx", "oz", "zo"))
    assert ("never sent" in key.outcome) == (pair not in ("xy", "yx", "oz", "zo"))


def test_exact_vacuum_part_is_of_the_user_whose_bits_are_the_key():
    """S0 = O^L(e^{-z_A} p_z/p_o E^L(n_oz)); with noise it counts, in the sum and only when it is credited."""
    noisy = Link(0.02, 0.01, Relay(0.75, 1e-5, 0.01, 0.03, 0.485), 2.5e9)
    tally = expected_tally(noisy, ALICE, BOB, 1e12)
    with_it, without = (key_length(tally, ALICE, BOB, Analysis(vacuum_credit=credit)) for credit in (True, False))
    b = tail_exponent(Analysis().bound)
    expected = np.exp(-0.3) * 0.6 / 0.05 * expectation_lower(tally.detected[OZ], b, EXACT)
    assert with_it.vacuum_bits == pytest.approx(observation_lower(expected, b, EXACT), rel=1e-9)
    assert with_it.vacuum_bits > 10_000
    assert with_it.signed_bits - without.signed_bits == pytest.approx(with_it.vacuum_bits, rel=1e-9)
    assert without.vacuum_bits == 0.0


def test_exact_leak_is_planned_or_actual():
    tally = expected_tally(LINK, ALICE, BOB, 1e12)
    planned = key_length(tally, ALICE, BOB, Analysis(), f_ec=1.2)
    e = tally.qber_z
    shannon = tally.detected[ZZ] * -(e * np.log2(e) + (1 - e) * np.log2(1 - e))
    assert planned.leak_bits == pytest.approx(1.2 * shannon, rel=1e-12)
    actual = key_length(tally, ALICE, BOB, Analysis(), leak_bits=12345.0)
    assert actual.leak_bits == 12345.0
    assert actual.signed_bits - planned.signed_bits == pytest.approx(planned.leak_bits - 12345.0, rel=1e-9)


# ---- epsilons ----


def test_exact_terms_of_the_epsilon_sum():
    """eps' 2, eps-hat 2, eps_PA 1, four phase-error tails; tails of {xx,oy,yo} 3, {yy,oo} 2, M 2, H 2 + 2 + 2, S11 1,
    S0 2: 25, one fewer than published codes, which divide by 26."""
    assert list(TERMS.values()) == [2, 2, 1, 4, 3, 2, 2, 2, 2, 2, 1, 2]
    budget = EpsilonBudget(secrecy=3e-9, correctness=1e-12)
    assert sum(budget.terms().values()) == pytest.approx(3e-9, rel=1e-12)
    assert budget.bound == pytest.approx(3e-9 / 25, rel=1e-12)
    assert tail_exponent(1e-10) == pytest.approx(23.025850929940457, rel=1e-15)


def test_exact_constant_bits():
    """log2(8/eps_cor) + 2 log2(2/(eps' eps-hat)) + 2 log2(1/(2 eps_PA)), by hand at 2^-30 and 2^-40."""
    analysis = Analysis(bound=2.0**-40, correctness=2.0**-30)
    assert analysis.constant_bits == 33 + 2 * 81 + 2 * 39


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Settings(0.2, 0.1, 0.3, 0.3, 0.1, 0.5), "`x` must be below `y`"),
        (lambda: Settings(0.1, 0.2, 0.3, 0.5, 0.3, 0.5), "must be at most 1, but is 1.3"),
        (lambda: Settings(-0.1, 0.2, 0.3, 0.3, 0.1, 0.5), "`x`.*-0.1"),
        (lambda: EpsilonBudget(secrecy=0.0), "`secrecy`.*0"),
        (lambda: EpsilonBudget(correctness=1.0), "`correctness`.*1"),
        (lambda: Analysis(method="guess"), "`method`.*'guess'"),
        (lambda: Analysis(tail="guess"), "`tail`.*'guess'"),
    ],
)
def test_exact_errors_name_the_value(make, words):
    with pytest.raises(InputError, match=words):
        make()
