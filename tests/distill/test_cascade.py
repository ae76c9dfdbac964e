"""Cascade against naive twins, over all lengths and error rates, and what it discloses."""

from math import log2

import numpy as np
import pytest

from combmesh.distill import cascade_layers as orders
from combmesh.distill.cascade import (
    Correction,
    ParityOracle,
    draw_setup,
    question_limit,
    search,
    unpack_reply,
)
from combmesh.distill.cascade_kernels import highest, parities, popcount
from combmesh.distill.ledger import pattern_bits
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.ground.errors import RunError

SETUP = CascadeSetup(seed=77, n_bits=1000)


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


def request(layers, starts, ends):
    return ParityRequest(*(np.array(x, np.int32) for x in (layers, starts, ends)))


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
def test_exact_popcount_and_highest_see_all_64_places(word):
    assert popcount(np.uint64(word)) == word.bit_count()
    if word:
        assert highest(np.uint64(word)) == word.bit_length() - 1


@pytest.mark.parametrize("n_bits", [1, 63, 64, 65, 1000])
def test_exact_parities_agree_with_counting(n_bits):
    rng = np.random.default_rng(n_bits)
    bits = random_bits(rng, n_bits)
    starts = rng.integers(0, n_bits, 200)
    ends = np.array([rng.integers(start + 1, n_bits + 1) for start in starts])
    words = orders.pack(bits)[np.newaxis]
    found = parities(words, n_bits, np.zeros(200, np.int32), starts.astype(np.int32), ends.astype(np.int32))
    assert found.tolist() == [int(bits[a:b].sum()) % 2 for a, b in zip(starts, ends, strict=True)]


def test_exact_packing_and_permutations_can_be_undone():
    rng = np.random.default_rng(1)
    for n_bits in (1, 64, 129, 1000):
        bits = random_bits(rng, n_bits)
        assert np.array_equal(orders.unpack(orders.pack(bits), n_bits), bits)
        for layer in (0, 1, 2):
            order, place = orders.permutation(5, n_bits, layer)
            assert np.array_equal(np.sort(order), np.arange(n_bits))
            assert np.array_equal(order[place], np.arange(n_bits))


def test_exact_oracle_answers_in_every_layer_like_a_naive_one():
    rng = np.random.default_rng(2)
    bits = random_bits(rng, 1000)
    oracle = ParityOracle(bits, SETUP)
    views = [bits[orders.permutation(77, 1000, layer)[0]] for layer in (0, 1, 2)]
    views += [views[0] & orders.unpack(orders.mask(77, 1000, layer), 1000) for layer in (3, 4)]
    layers = rng.integers(0, 5, 300)
    starts = rng.integers(0, 999, 300)
    ends = starts + 1 + rng.integers(0, 1000 - starts)
    reply = oracle.answer(request(layers, starts, ends))
    naive = [int(views[k][a:b].sum()) % 2 for k, a, b in zip(layers, starts, ends, strict=True)]
    assert np.unpackbits(reply.packed, count=300).tolist() == naive
    assert oracle.n_answered == 300


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


@pytest.mark.parametrize(("qber", "f_most"), [(0.017, 1.037), (0.03, 1.042), (0.05, 1.056)])
def test_limit_disclosed_parities_stay_near_shannon(qber, f_most):
    """Mean f of 10 blocks of 1e5 bits. Measured: 1.0315, 1.037, 1.050, with standard deviations near .004 a block, so
    .0013 a mean: the margin is 4 of them, a false alarm of 3e-5 a case. No mean can lie below 1."""
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


@pytest.mark.parametrize(
    ("layers", "starts", "ends"),
    [([3], [0], [1001]), ([0], [5], [5]), ([0], [-1], [5]), ([-1], [0], [5]), ([0], [9], [5]), ([200], [0], [5])],
)
def test_attack_questions_out_of_range_are_refused(layers, starts, ends):
    oracle = ParityOracle(np.zeros(1000, np.uint8), SETUP)
    with pytest.raises(RunError):
        oracle.answer(request(layers, starts, ends))
    assert oracle.n_answered == 0


def test_attack_too_many_questions_are_refused():
    oracle = ParityOracle(np.zeros(1000, np.uint8), SETUP)
    n_most = question_limit(1000)
    oracle.answer(request([0] * n_most, [0] * n_most, [5] * n_most))
    with pytest.raises(RunError, match="allows"):
        oracle.answer(request([0], [0], [5]))


def answer_at_random(steps, rng):
    question = next(steps)
    for _ in range(100_000):
        question = steps.send(random_bits(rng, question.layers.size))


def test_attack_random_replies_end_the_search():
    """Whatever Alice says, Bob comes to an end: no bit flips twice."""
    rng = np.random.default_rng(13)
    for n_bits in (1, 2, 100, 3_000):
        steps = search(random_bits(rng, n_bits), draw_setup(n_bits), 0.05)
        with pytest.raises((RunError, StopIteration)):
            answer_at_random(steps, rng)


def test_attack_replies_of_another_length_are_refused():
    with pytest.raises(RunError, match="2 bytes"):
        unpack_reply(request([0] * 9, [0] * 9, [1] * 9), ParityReply(np.zeros(1, np.uint8)))
