"""Cascade against naive twins, over all lengths and error rates, and what it discloses."""

from math import log2

import numpy as np
import pytest

from combmesh.distill.cascade import Correction, ParityOracle, draw_setup, orders, question_limit, search, unpack_reply
from combmesh.distill.cascade.coding import decode, encode
from combmesh.distill.cascade.oracle import MASKS_OPEN, mask_limit
from combmesh.distill.cascade.words import highest, lowest, parity, popcount, prefix_parities
from combmesh.distill.ledger import pattern_bits
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.ground.errors import RunError

SETUP = CascadeSetup(seed=77, n_bits=1000, frame_bits=384)
FRAMES = orders.Frames(1000, 384)


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


def request(addresses):
    return ParityRequest(len(addresses), encode(np.array(addresses, np.int64)))


def unpack(words):
    return np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")


def correct(alice, bob, planned_qber) -> tuple[Correction, int]:
    """Bob's correction and how many parities Alice gave."""
    setup = draw_setup(alice.size)
    oracle = ParityOracle(alice, setup)
    steps = search(bob, setup, planned_qber)
    question = next(steps)
    while True:
        try:
            question = steps.send(unpack_reply(question, oracle.answer(question)))
        except StopIteration as end:
            return end.value, oracle.n_answered


@pytest.mark.parametrize("word", [0, 1, 2**31, 2**32, 2**63, 2**64 - 1, 0x8000_0001_0000_0001, 0xDEAD_BEEF_0BAD_CAFE])
def test_exact_words_are_counted_and_scanned_in_all_64_places(word):
    assert popcount(np.uint64(word)) == word.bit_count()
    if word:
        assert highest(np.uint64(word)) == word.bit_length() - 1
        assert lowest(np.uint64(word)) == (word & -word).bit_length() - 1


def test_exact_parities_agree_with_counting():
    rng = np.random.default_rng(3)
    bits = random_bits(rng, 640)
    words = np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64)
    for _ in range(300):
        start, end = sorted(rng.choice(641, 2, replace=False).tolist())
        assert parity(words, start, end) == bits[start:end].sum() % 2
    for n_segment in (1, 2, 5, 10):
        naive = bits.reshape(-1, 64 * n_segment).cumsum(axis=1) % 2
        assert np.array_equal(unpack(prefix_parities(words, n_segment)), naive.ravel())


def test_exact_questions_as_bytes_can_be_read_back():
    rng = np.random.default_rng(4)
    for scale in (1, 100, 2**20, 2**47):
        addresses = rng.integers(0, scale, 500)
        assert np.array_equal(decode(encode(addresses), 500, scale), addresses)


@pytest.mark.parametrize(
    "coded",
    [
        [],
        [1],
        [128],
        [4, 128],
        [128, 0],
        [200, 1],
        [4, 4, 4],
        [255] * 7,
        [255] * 9,
        [254, 255, 255, 255, 255, 255, 127],
    ],
)
def test_attack_malformed_bytes_of_questions_are_refused(coded):
    """Negative, cut, padded, beyond 100, too many, too long: two questions are announced."""
    assert decode(np.array(coded, np.uint8), 2, 100).size == 0


def test_attack_random_bytes_of_questions_are_read_in_range_or_refused():
    rng = np.random.default_rng(5)
    n_good = 0
    for _ in range(20_000):
        coded = rng.integers(0, 256, rng.integers(1, 8)).astype(np.uint8)
        found = decode(coded, 3, 90)
        n_good += found.size == 3
        assert found.size in (0, 3)
        assert ((found >= 0) & (found < 90)).all()
    assert n_good > 0


def test_exact_the_orders_of_a_frame_are_permutations():
    first, tables = orders.permutations(5, 640)
    for table in (first, *tables):
        assert np.array_equal(np.sort(table), np.arange(640))
    for layer in (1, 2):
        assert np.array_equal(tables[layer - 1][tables[layer + 1]], np.arange(640))
    assert not np.array_equal(tables[0], tables[1])
    assert not np.array_equal(first, orders.permutations(6, 640)[0])


def test_limit_orders_are_uniform():
    """Chi-square of where bits 0 to 63 go, over 4000 seeds; 63 x 63 degrees of freedom, 6 standard deviations."""
    counts = np.zeros((64, 64))
    for seed in range(4_000):
        counts[np.arange(64), orders.permutations(seed, 64)[0]] += 1
    freedom = 63 * 63
    chi2 = ((counts - 62.5) ** 2 / 62.5).sum()
    assert abs(chi2 - freedom) < 6 * (2 * freedom) ** 0.5


def test_exact_oracle_answers_like_a_naive_one():
    """Each answer is the sum of the bits from the start of the layer of a frame, or under a mask of the block."""
    rng = np.random.default_rng(2)
    bits = random_bits(rng, 1000)
    padded = np.append(bits, np.zeros(FRAMES.n_places - 1000, np.uint8)).reshape(-1, 384)
    first, tables = orders.permutations(77, 384)
    views = np.stack([padded[:, first], padded[:, first[tables[0]]], padded[:, first[tables[1]]]], axis=1)
    naive = (views.cumsum(axis=2) % 2).ravel()
    first = views[:, 0].ravel()
    masked = [(first & unpack(orders.mask(77, FRAMES, k))).cumsum() % 2 for k in range(6)]
    naive = np.concatenate([naive, *masked])
    addresses = rng.integers(0, naive.size, 400)
    oracle = ParityOracle(bits, SETUP)
    oracle.answer(request(np.arange(6) * FRAMES.n_places + FRAMES.n_addresses))
    reply = oracle.answer(request(addresses))
    assert np.array_equal(np.unpackbits(reply.packed, count=400), naive[addresses])
    assert oracle.n_answered == 406


@pytest.mark.parametrize("n_bits", [1, 2, 3, 7, 63, 64, 65, 500, 1001, 20_011])
@pytest.mark.parametrize("qber", [0.0, 0.001, 0.03, 0.11, 0.25])
def test_exact_all_errors_are_found(n_bits, qber):
    """False alarm: 2^-20 a case where errors are left behind, 5e-5 in all."""
    rng = np.random.default_rng([n_bits, int(1000 * qber)])
    alice = random_bits(rng, n_bits)
    errors = (rng.random(n_bits) < qber).astype(np.uint8)
    result, _ = correct(alice, alice ^ errors, qber)
    assert np.array_equal(result.bits, alice)
    assert result.n_errors == errors.sum()


@pytest.mark.parametrize("planned", [0.0, 0.02])
@pytest.mark.parametrize("burst", [1, 2, 64, 300, 1500])
def test_exact_bursts_are_found_and_cost_no_less_than_their_patterns(planned, burst):
    """False alarm: 2^-20 a case, and as much for the 20 masks to be luckier than the count of transcripts."""
    rng = np.random.default_rng([burst, int(100 * planned)])
    alice = random_bits(rng, 20_000)
    bob = alice.copy()
    bob[7_001 : 7_001 + burst] ^= 1
    result, n_parities = correct(alice, bob, planned)
    assert np.array_equal(result.bits, alice)
    assert result.n_errors == burst
    assert n_parities >= pattern_bits(20_000, burst)


@pytest.mark.parametrize(("qber", "f_most"), [(0.017, 1.035), (0.03, 1.037), (0.05, 1.039)])
def test_limit_disclosed_parities_stay_near_shannon(qber, f_most):
    """Mean f of 10 blocks of 1e5 bits. Measured: 1.0280, 1.0277, 1.0304, with standard deviations near .005 a block, so
    .0016 a mean: the margin is 4 of them, a false alarm of 3e-5 a case. No mean can lie below 1."""
    rng = np.random.default_rng(9)
    n_bits = 100_000
    f_ec = []
    for _ in range(10):
        alice = random_bits(rng, n_bits)
        errors = (rng.random(n_bits) < qber).astype(np.uint8)
        result, n_parities = correct(alice, alice ^ errors, qber)
        assert np.array_equal(result.bits, alice)
        actual = errors.mean()
        f_ec.append(n_parities / n_bits / -(actual * log2(actual) + (1 - actual) * log2(1 - actual)))
    assert 1.0 < np.mean(f_ec) < f_most


def test_limit_a_wrong_plan_costs_bits_but_not_correctness():
    rng = np.random.default_rng(11)
    alice = random_bits(rng, 5_000)
    errors = (rng.random(5_000) < 0.03).astype(np.uint8)
    for planned in (0.0, 0.001, 0.2):
        result, _ = correct(alice, alice ^ errors, planned)
        assert np.array_equal(result.bits, alice)


def test_exact_the_bits_given_are_not_changed():
    bits = np.zeros(500, np.uint8)
    correct(np.ones(500, np.uint8), bits, 0.49)
    assert not bits.any()


def test_attack_questions_out_of_range_are_refused():
    oracle = ParityOracle(np.zeros(1000, np.uint8), SETUP)
    n_all = FRAMES.n_addresses + mask_limit(1000) * FRAMES.n_places
    for wrong in ([-1], [n_all], [0, n_all + 5], [2**47]):
        with pytest.raises(RunError, match="addresses"):
            oracle.answer(request(wrong))
    assert oracle.n_answered == 0


def test_attack_masks_that_are_long_past_are_refused():
    oracle = ParityOracle(np.zeros(1000, np.uint8), SETUP)
    oracle.answer(request(FRAMES.n_addresses + np.arange(MASKS_OPEN + 1) * FRAMES.n_places))
    with pytest.raises(RunError, match="closed"):
        oracle.answer(request([FRAMES.n_addresses]))


def test_attack_too_many_questions_are_refused():
    oracle = ParityOracle(np.zeros(1000, np.uint8), SETUP)
    n_most = question_limit(1000)
    oracle.answer(request([0] * n_most))
    with pytest.raises(RunError, match="allows"):
        oracle.answer(request([0]))


def answer_at_random(steps, rng):
    question = next(steps)
    for _ in range(100_000):
        question = steps.send(random_bits(rng, question.n_questions))


def test_attack_random_replies_end_the_search():
    """Whatever Alice says, Bob comes to an end: no bit flips twice."""
    rng = np.random.default_rng(13)
    for n_bits in (1, 2, 100, 3_000):
        steps = search(random_bits(rng, n_bits), draw_setup(n_bits), 0.05)
        with pytest.raises((RunError, StopIteration)):
            answer_at_random(steps, rng)


def test_attack_replies_of_another_length_are_refused():
    with pytest.raises(RunError, match="2 bytes"):
        unpack_reply(request([0] * 9), ParityReply(np.zeros(1, np.uint8)))
