"""Bob's book against recomputed parities, and what his questions can tell."""

import numpy as np
import pytest

from combmesh.distill.cascade import SCHEDULE_NAMES, ParityOracle, draw_setup, marks, search, unpack_reply
from combmesh.distill.cascade.book import Bookkeeper
from combmesh.distill.cascade.coding import decode
from combmesh.distill.cascade.orders import Frames, address_words
from combmesh.distill.cascade.schedule import schedule_named
from combmesh.distill.messages import CascadeSetup
from combmesh.ground.errors import InputError, RunError


def pair(n_bits, qber, seed):
    rng = np.random.default_rng(seed)
    alice = rng.integers(0, 2, n_bits).astype(np.uint8)
    return alice, alice ^ (rng.random(n_bits) < qber).astype(np.uint8)


def run(alice, bob, setup, schedule, planned=0.03):
    """Bob's correction, and all his requests."""
    oracle = ParityOracle(alice, setup)
    steps = search(bob, setup, planned, schedule)
    requests = [next(steps)]
    while True:
        try:
            requests.append(steps.send(unpack_reply(requests[-1], oracle.answer(requests[-1]))))
        except StopIteration as end:
            return end.value, requests


def unpack(words):
    return np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")


def check_book(book, alice_words):
    """Every interval of the open layers is marked odd if and only if its recomputed parity differs from Alice's."""
    maps, heap = book._maps[:-1], book._heap
    n = book.frames.frame_bits
    differs = unpack(maps[:, marks.TEXT].copy() ^ alice_words)
    begins = unpack(maps[:, marks.BEGINS].copy())
    odd = unpack(maps[:, marks.ODD].copy())
    for frame in range(book.frames.n_frames):
        here = marks.HEADER + marks.FRAME * frame
        n_known = heap[here + marks.OPEN] - heap[here + marks.OPENING]
        for first in range(3 * frame * n, (3 * frame + n_known) * n, n):
            starts = first + np.flatnonzero(begins[first : first + n])
            naive = np.add.reduceat(differs[: first + n], starts) % 2
            assert np.array_equal(odd[starts], naive)
            assert odd[first : first + n].sum() == naive.sum()


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
@pytest.mark.parametrize("frame_bits", [640, 4_032])
def test_exact_the_book_agrees_with_recomputed_parities_in_every_round(schedule, frame_bits):
    alice, bob = pair(4_000, 0.05, frame_bits)
    setup = CascadeSetup(frame_bits, 4_000, frame_bits)
    frames = Frames(4_000, frame_bits)
    oracle = ParityOracle(alice, setup)
    book = Bookkeeper(bob, frames, setup.seed, 0.05, schedule_named(schedule))
    alice_words = address_words(alice, frames, setup.seed)
    replies = np.empty(0, np.uint8)
    n_rounds = 0
    while (request := book.advance(replies)) is not None:
        check_book(book, alice_words)
        replies = unpack_reply(request, oracle.answer(request))
        n_rounds += 1
    assert n_rounds > 10
    assert np.count_nonzero(book.text() != alice) < 10


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
def test_exact_questions_depend_on_the_error_pattern_alone(schedule):
    """What Bob sends is a function of seed, plan and errors: it tells nothing about the bits beyond the errors."""
    alice, bob = pair(20_000, 0.03, 1)
    other, _ = pair(20_000, 0.03, 2)
    setup = CascadeSetup(7, 20_000, 10_048)
    _, requests = run(alice, bob, setup, schedule)
    _, others = run(other, other ^ alice ^ bob, setup, schedule)
    assert [r.coded.tobytes() for r in requests] == [r.coded.tobytes() for r in others]


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
@pytest.mark.parametrize("frame_bits", [64, 704, 5_056, 20_032])
@pytest.mark.parametrize("planned", [0.0, 0.005, 0.03, 0.3])
def test_exact_all_errors_are_found_in_frames_of_any_size(schedule, frame_bits, planned):
    """False alarm: 2^-20 a case, 5e-5 in all. No place is asked about twice."""
    alice, bob = pair(20_011, 0.03, [frame_bits, int(1000 * planned)])
    setup = CascadeSetup(frame_bits, 20_011, frame_bits)
    result, requests = run(alice, bob, setup, schedule, planned)
    assert np.array_equal(result.bits, alice)
    assert result.n_errors == np.count_nonzero(alice != bob)
    assert result.n_rounds == len(requests)
    places = np.concatenate([decode(r.coded, r.n_questions, 2**40) for r in requests])
    assert np.unique(places).size == places.size


def test_limit_few_rounds_are_few_and_efficient_is_efficient():
    """One block of 1e5 bits at 3 %. Measured: 165 rounds (deviation 20), and f of 1.038 beside 1.022 (.004 a block)."""
    alice, bob = pair(100_000, 0.03, 5)
    asked = {}
    for schedule in SCHEDULE_NAMES:
        result, requests = run(alice, bob, draw_setup(100_000, schedule), schedule)
        assert np.array_equal(result.bits, alice)
        asked[schedule] = sum(r.n_questions for r in requests)
        if schedule == "few-rounds":
            assert len(requests) < 250
    assert asked["efficient"] < asked["few-rounds"]


def test_limit_questions_are_short_on_the_wire():
    alice, bob = pair(300_000, 0.02, 6)
    _, requests = run(alice, bob, draw_setup(300_000), "fast", 0.02)
    assert sum(r.coded.size for r in requests) < 2.7 * sum(r.n_questions for r in requests)


def answer_at_random(steps, request, rng):
    for _ in range(100_000):
        request = steps.send(rng.integers(0, 2, request.n_questions).astype(np.uint8))


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
def test_attack_random_replies_end_the_search(schedule):
    """Whatever Alice says, Bob comes to an end: no bit flips twice."""
    rng = np.random.default_rng(13)
    for n_bits, frame_bits in ((1, 64), (100, 128), (3_000, 640), (3_000, 3_008)):
        _, bob = pair(n_bits, 0.05, n_bits)
        steps = search(bob, CascadeSetup(3, n_bits, frame_bits), 0.05, schedule)
        request = next(steps)
        with pytest.raises((RunError, StopIteration)):
            answer_at_random(steps, request, rng)


def test_attack_contradicting_parities_are_noticed():
    """Alice lies once, in one of 40 rounds: mostly a bit would have to flip twice, else the masks find a difference."""
    alice, bob = pair(3_000, 0.03, 3)
    setup = CascadeSetup(5, 3_000, 3_008)
    n_noticed = 0
    for wrong in range(40):
        oracle = ParityOracle(alice, setup)
        steps = search(bob, setup, 0.03)
        request = next(steps)
        found = None
        for n in range(5_000):
            replies = unpack_reply(request, oracle.answer(request))
            replies[0] ^= n == wrong
            try:
                request = steps.send(replies)
            except RunError:
                n_noticed += 1
                break
            except StopIteration as end:
                found = end.value.bits
                break
        assert found is None or np.array_equal(found, alice)
    assert n_noticed > 10


def test_attack_unknown_schedules_are_refused():
    with pytest.raises(InputError, match="few-rounds"):
        draw_setup(100, "slow")
