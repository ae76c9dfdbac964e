"""Whatever the other end of LDPC reconciliation sends ends in an error sentence, within bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combmesh.distill.ldpc.code import LADDER
from combmesh.distill.ldpc.correction import decode
from combmesh.distill.ldpc.frames import choose_setup
from combmesh.distill.ldpc.messages import LdpcSetup, RevealReply, RevealRequest, SyndromeReply, SyndromeRequest
from combmesh.distill.ldpc.oracle import SyndromeOracle
from combmesh.ground.errors import CombmeshError, InputError, RunError

N_BITS = 45_000
SETUP = LdpcSetup(seed=5, n_bits=N_BITS, lift=128, code=0, n_split=3)
ZEROS = np.zeros(N_BITS, np.uint8)


def reveal(*frames):
    return RevealRequest(np.array(frames, np.int32))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seed": 2**128},
        {"n_bits": 0},
        {"n_bits": 2**31},
        {"lift": 96},
        {"lift": 120},
        {"lift": 2576},
        {"lift": 1e3},
        {"code": -1},
        {"code": len(LADDER)},
        {"code": True},
        {"n_split": -1},
        {"n_split": LADDER[0] + 1},
    ],
)
def test_attack_setups_out_of_range_are_refused(change):
    fields = {"seed": 5, "n_bits": N_BITS, "lift": 128, "code": 0, "n_split": 3}
    with pytest.raises(InputError):
        LdpcSetup(**(fields | change))


@given(
    st.integers(-1, 2**128), st.integers(-1, 2**31), st.integers(-1, 4_000), st.integers(-1, 40), st.integers(-1, 500)
)
@settings(max_examples=200, deadline=None)
def test_attack_any_setup_is_refused_or_costs_less_than_the_block(seed, n_bits, lift, code, n_split):
    """Alice never sends as many parities as she has bits at once."""
    try:
        setup = LdpcSetup(seed, n_bits, 16 * (lift // 16), code, n_split)
    except InputError:
        return
    assert setup.n_split <= LADDER[setup.code]
    with pytest.raises((RunError, InputError), match="`n_bits`"):
        SyndromeOracle(ZEROS[:7], setup)


def test_attack_a_syndrome_as_long_as_the_block_is_refused():
    with pytest.raises(InputError, match="must exceed"):
        SyndromeOracle(ZEROS[:2_000], LdpcSetup(5, 2_000, 112, 0, 0))


@pytest.mark.parametrize("frames", [[], [-1], [3, 3], [4, 2], list(range(65))])
def test_attack_lists_of_frames_must_be_short_and_ascend(frames):
    with pytest.raises(InputError, match="`frames`"):
        reveal(*frames)


@pytest.mark.parametrize("value", [[1, 2], "12", np.array([1.0]), np.array([[1]], np.int32), np.array([1], np.int64)])
def test_attack_arrays_of_another_kind_are_refused(value):
    with pytest.raises(InputError, match="must be an array int32"):
        RevealRequest(value)
    with pytest.raises(InputError, match="must be an array uint8"):
        SyndromeReply(value)


@pytest.mark.parametrize(("first", "n_frames"), [(-1, 1), (0, 0), (0, 65), (0.0, 1), (2**31, 1)])
def test_attack_requests_out_of_range_are_refused(first, n_frames):
    with pytest.raises(InputError):
        SyndromeRequest(first, n_frames)


def test_attack_alice_sends_each_syndrome_once_and_in_order():
    oracle = SyndromeOracle(ZEROS, SETUP)
    for request in (SyndromeRequest(1, 1), SyndromeRequest(0, 2), reveal(0)):
        with pytest.raises(RunError, match="but Bob asks"):
            oracle.answer(request)
    assert oracle.progress.n_disclosed == 0
    oracle.answer(SyndromeRequest(0, 1))
    assert oracle.progress.n_disclosed == (LADDER[0] + 3) * 128
    assert oracle.progress.n_acknowledged == 1
    with pytest.raises(RunError, match="Frame 1 of 1 is next"):
        oracle.answer(SyndromeRequest(0, 1))


def test_attack_reveals_end():
    oracle = SyndromeOracle(ZEROS, SETUP)
    oracle.answer(SyndromeRequest(0, 1))
    while oracle.progress.can_split(0):
        oracle.answer(reveal(0))
    with pytest.raises(RunError, match="All rows of frame 0"):
        oracle.answer(reveal(0))
    assert oracle.progress.n_disclosed == 2 * LADDER[0] * 128


def test_attack_replies_at_random_end_the_decoding():
    """False alarm: random syndromes have no pattern near the plan; the chance of one is below 2^-1000."""
    rng = np.random.default_rng(1)
    setup = choose_setup(N_BITS, 0.03)
    oracle = SyndromeOracle(ZEROS, setup)
    steps = decode(ZEROS, setup, 0.03)
    request = next(steps)

    def lie():
        nonlocal request
        while True:
            reply = oracle.answer(request)
            request = steps.send(type(reply)(rng.integers(0, 256, reply.packed.size).astype(np.uint8)))

    with pytest.raises(RunError, match="does not decode"):
        lie()


@given(st.integers(0, 3_000), st.booleans())
@settings(max_examples=50, deadline=None)
def test_attack_replies_of_another_size_or_kind_are_refused(size, right_kind):
    n_bytes = (LADDER[0] + 3) * 128 // 8
    if right_kind and size == n_bytes:
        return
    steps = decode(ZEROS, SETUP, 0.01)
    next(steps)
    kind = SyndromeReply if right_kind else RevealReply
    with pytest.raises(CombmeshError, match=f"need {n_bytes} bytes"):
        steps.send(kind(np.zeros(size, np.uint8)))
