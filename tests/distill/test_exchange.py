"""Both ends of a block: equal keys, honest counts, and what happens when messages are changed."""

from collections import deque
from dataclasses import replace
from math import floor

import numpy as np
import pytest

from combmesh.distill import messages as say
from combmesh.distill.ledger import pattern_bits
from combmesh.distill.local import exchange
from combmesh.distill.party import Alice, Bob
from combmesh.distill.settings import NO_PRIVATE_BITS, STRINGS_DIFFER, DistilSettings
from combmesh.ground.errors import InputError, RunError

N_BITS = 4_000
TAG_BITS = 50  # 2^-50 = 8.9e-16 is the first power of two below the correctness of 1e-15


def block(n_bits=N_BITS, qber=0.02, seed=1):
    """Alice's bits and Bob's, with errors at random."""
    rng = np.random.default_rng(seed)
    alice = rng.integers(0, 2, n_bits).astype(np.uint8)
    return alice, alice ^ (rng.random(n_bits) < qber).astype(np.uint8)


def ends(alice, bob, qber=0.02, share=0.6, accounting="one-sided"):
    settings = DistilSettings(qber, share * alice.size, accounting)
    return Alice(alice, settings), Bob(bob, settings)


def pump(alice, bob, change):
    """Carry all messages, each through `change`, which returns the messages to deliver instead."""
    to_alice = deque(bob.start())
    to_bob = deque(alice.start())
    while to_alice or to_bob:
        if to_alice:
            for message in change(to_alice.popleft()):
                to_bob.extend(alice.receive(message))
        if to_bob:
            for message in change(to_bob.popleft()):
                to_alice.extend(bob.receive(message))
    return alice.result, bob.result


def check_no_key(alice_result, bob_result):
    for result in (alice_result, bob_result):
        assert result is not None
        assert result.key is None
        assert result.outcome.startswith("no key: ")


@pytest.mark.parametrize(
    ("n_bits", "qber"), [(600, 0.0), (1_001, 0.01), (4_096, 0.03), (20_000, 0.05), (50_003, 0.017)]
)
def test_exact_both_ends_have_the_same_key_and_count(n_bits, qber):
    alice, bob = block(n_bits, qber)
    a, b = ends(alice, bob, qber)
    result, other = exchange(a, b)
    assert result == other
    assert result.outcome == "key"
    assert a.ledger.entries == b.ledger.entries
    assert result.n_errors == np.count_nonzero(alice != bob)
    assert result.key.n_bits == floor(0.6 * n_bits - result.parity_bits - TAG_BITS - 1)
    assert result.alice_bits == result.parity_bits + TAG_BITS
    assert result.bob_bits == result.parity_bits + 1
    assert result.parity_bits >= pattern_bits(n_bits, result.n_errors)


@pytest.mark.parametrize("n_bits", [1, 2, 63, 64, 65])
@pytest.mark.parametrize("qber", [0.0, 0.25])
def test_limit_short_blocks_end_without_key(n_bits, qber):
    results = exchange(*ends(*block(n_bits, qber), qber, share=1.0))
    check_no_key(*results)
    assert {r.outcome for r in results} == {NO_PRIVATE_BITS}


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.1])
def test_limit_too_few_private_bits_give_no_key(share):
    check_no_key(*exchange(*ends(*block(), share=share)))


def test_limit_one_bit_of_key_is_possible():
    """Three numbers of private bits, one apart, around the leak of a block without errors, which is not random."""
    alice, _ = block()
    leak = exchange(*ends(alice, alice))[0]
    for extra, n_bits in ((0, None), (0.99, None), (1, 1), (2.5, 2)):
        settings = DistilSettings(0.02, leak.alice_bits + 1 + extra)
        result, _ = exchange(Alice(alice, settings), Bob(alice, settings))
        assert (result.key.n_bits if result.key else None) == n_bits


def test_exact_two_sided_counts_everything():
    result, other = exchange(*ends(*block(), accounting="two-sided"))
    assert result == other
    assert result.key.n_bits == floor(0.6 * N_BITS - result.alice_bits - result.bob_bits)


def test_exact_equal_inputs_give_different_keys():
    """A seed that repeats would repeat the key; false alarm 2^-1000."""
    alice, bob = block()
    first, _ = exchange(*ends(alice, bob))
    second, _ = exchange(*ends(alice, bob))
    n_bytes = min(len(first.key.material), len(second.key.material)) - 1
    assert first.key.key_id != second.key.key_id
    assert first.key.material[:n_bytes] != second.key.material[:n_bytes]


def test_limit_key_bits_are_balanced():
    """Ones among some 17 000 bits of key from constant input bits: 5 standard deviations, false alarm 6e-7."""
    bits = np.ones(30_000, np.uint8)
    key = exchange(*ends(bits, bits))[0].key
    ones = np.unpackbits(np.frombuffer(key.material, np.uint8)).sum()
    assert abs(ones - key.n_bits / 2) < 2.5 * key.n_bits**0.5


def test_exact_the_bits_given_are_copied():
    alice, bob = block()
    a, b = ends(alice, bob)
    alice[:] = 0
    bob[:] = 1
    result, other = exchange(a, b)
    assert result.key is not None
    assert result == other


def swap(kind, make):
    """Change every message of one kind."""
    return lambda message: [make(message) if isinstance(message, kind) else message]


def shorter(reply):
    return say.ParityReply(reply.packed[:-1].copy())


def longer(reply):
    return say.ParityReply(np.append(reply.packed, np.uint8(0)))


def inverted(reply):
    return say.ParityReply(~reply.packed)


def beyond(request):
    return say.ParityRequest(request.n_questions, request.coded | np.uint8(1))


def many(request):
    n = N_BITS + 2_000
    return say.ParityRequest(n, np.zeros(n, np.uint8))


TAMPERED = {
    "reply too short": swap(say.ParityReply, shorter),
    "reply too long": swap(say.ParityReply, longer),
    "replies inverted": swap(say.ParityReply, inverted),
    "request beyond the end": swap(say.ParityRequest, beyond),
    "request too large": swap(say.ParityRequest, many),
    "setup of another length": swap(say.CascadeSetup, lambda m: replace(m, n_bits=N_BITS + 1)),
    "setup twice": lambda m: [m, m] if isinstance(m, say.CascadeSetup) else [m],
    "another seed": swap(say.CascadeSetup, lambda m: replace(m, seed=m.seed ^ 1)),
    "tag flipped": swap(say.Verify, lambda m: replace(m, tag=m.tag ^ 1)),
    "tag made longer": swap(say.Verify, lambda m: replace(m, tag=m.tag | 1 << TAG_BITS)),
    "first half of the hash seed flipped": swap(say.Verify, lambda m: replace(m, seed=m.seed ^ 1 << 128)),
    "second half of the hash seed flipped": swap(say.Verify, lambda m: replace(m, seed=m.seed ^ 1)),
    "tag instead of a reply": swap(say.ParityReply, lambda m: say.Verify(0, 0)),
    "corrected too early": swap(say.ParityRequest, lambda m: say.Corrected()),
    "outcome turned to false": swap(say.Verified, lambda m: replace(m, ok=False)),
    "outcome with absurd errors": swap(say.Verified, lambda m: replace(m, n_errors=N_BITS // 2)),
    "outcome with impossible errors": swap(say.Verified, lambda m: replace(m, n_errors=N_BITS + 1)),
    "key too long": swap(say.Amplify, lambda m: replace(m, length=m.length + 1)),
    "key too short": swap(say.Amplify, lambda m: replace(m, length=m.length - 1)),
    "seed too short": swap(say.Amplify, lambda m: replace(m, seed=m.seed[:-1])),
    "name of the key malformed": swap(say.Amplify, lambda m: replace(m, key_id="key")),
    "key confirmed too early": swap(say.Verified, lambda m: say.Amplified("key")),
    "another key confirmed": swap(say.Amplified, lambda m: replace(m, key_id="key")),
    "stop": swap(say.Corrected, lambda m: say.Abort("no key: enough")),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_attack_changed_messages_give_no_key_at_either_end(change):
    check_no_key(*pump(*ends(*block()), change))


def test_attack_an_undetected_difference_is_caught_by_verification():
    """Bob's replies come from one who holds his own string, so he sees no error; the tag comes from Alice."""
    alice, bob = block(qber=0.0)
    a, b = ends(alice, bob ^ np.eye(1, N_BITS, 5, dtype=np.uint8)[0])
    liar = Alice(bob ^ np.eye(1, N_BITS, 5, dtype=np.uint8)[0], DistilSettings(0.02, 100.0))

    def change(message):
        if isinstance(message, say.CascadeSetup | say.ParityRequest):
            held.extend(liar.receive(message))
        return [held.popleft()] if isinstance(message, say.ParityReply) else [message]

    held = deque()
    results = pump(a, b, change)
    check_no_key(*results)
    assert {r.outcome for r in results} == {STRINGS_DIFFER}
    assert results[0].parity_bits > 0


def test_attack_unequal_settings_give_no_key():
    alice, bob = block()
    for ours, theirs in ((2_400.0, 2_401.0), (2_400.0, 0.0), (0.0, 2_400.0)):
        results = exchange(Alice(alice, DistilSettings(0.02, ours)), Bob(bob, DistilSettings(0.02, theirs)))
        check_no_key(*results)


@pytest.mark.parametrize(
    ("correctness", "tag_bits"), [(1.0, 1), (0.6, 1), (0.5, 2), (1e-6, 20), (1e-15, 50), (1e-30, 100)]
)
def test_exact_the_tag_is_as_long_as_the_correctness_asks_and_charged_once(correctness, tag_bits):
    """The first power of two below `correctness`, by hand, and at least one bit."""
    alice, bob = block()
    seen = []
    settings = DistilSettings(0.02, 0.6 * N_BITS, correctness=correctness)
    a, b = Alice(alice, settings), Bob(bob, settings)
    result, other = pump(a, b, lambda message: seen.append(message) or [message])
    assert result == other
    for end in (a, b):
        assert end.ledger.disclosed("alice", "verification tag") == tag_bits
        assert end.ledger.disclosed("alice") == result.parity_bits + tag_bits
    assert result.key.n_bits == floor(0.6 * N_BITS - result.parity_bits - tag_bits - 1)
    (verify,) = [message for message in seen if isinstance(message, say.Verify)]
    assert verify.tag < 2**tag_bits


def test_attack_ends_that_want_different_correctness_have_no_key():
    alice, bob = block()
    for ours, theirs in ((1e-15, 5e-16), (5e-16, 1e-15), (1e-15, 1e-20)):
        a = Alice(alice, DistilSettings(0.02, 2_400.0, correctness=ours))
        b = Bob(bob, DistilSettings(0.02, 2_400.0, correctness=theirs))
        check_no_key(*exchange(a, b))


@pytest.mark.parametrize("more", [1, 8, 128])
def test_attack_zeros_beside_the_string_give_no_key(more):
    """A linear tag is the same with zeros in front; the length in the setup is not."""
    bits, zeros = block()[0], np.zeros(more, np.uint8)
    for ours, theirs in ((bits, np.append(zeros, bits)), (np.append(bits, zeros), bits)):
        results = exchange(Alice(ours, DistilSettings(0.02, 2_400.0)), Bob(theirs, DistilSettings(0.02, 2_400.0)))
        check_no_key(*results)
        assert "`n_bits`" in results[0].outcome


def test_attack_strings_without_relation_give_no_key():
    alice, _ = block(seed=1)
    other, _ = block(seed=2)
    check_no_key(*exchange(*ends(alice, other)))


def test_attack_no_secret_in_any_repr():
    alice, bob = block(600, 0.0)
    a, b = ends(alice, bob, 0.0)
    seen = []
    result, other = pump(a, b, lambda message: seen.append(message) or [message])
    bits = str(result.key.material)[2:-1]
    for thing in (a, b, result, other, result.key, a.ledger, *seen):
        assert bits not in repr(thing)
        assert "material" not in repr(thing)
        assert len(repr(thing)) < 500


@pytest.mark.parametrize(
    "bits", [np.zeros(0, np.uint8), np.zeros((2, 2), np.uint8), np.zeros(5), np.full(5, 2, np.uint8), [0, 1]]
)
def test_attack_malformed_bits_are_refused(bits):
    with pytest.raises(InputError):
        Alice(bits, DistilSettings(0.02, 1.0))


def test_attack_impossible_settings_are_refused():
    for wrong in ((-0.1, 1.0, "one-sided"), (0.5, 1.0, "one-sided"), (0.1, np.nan, "one-sided"), (0.1, 1.0, "none")):
        with pytest.raises(InputError):
            DistilSettings(*wrong)
    for correctness in (0.0, -1e-15, 9e-31, 1.1, np.nan):
        with pytest.raises(InputError, match="`correctness`"):
            DistilSettings(0.1, 1.0, correctness=correctness)
    with pytest.raises(InputError, match="at most"):
        Bob(np.zeros(10, np.uint8), DistilSettings(0.02, 11.0))


def test_attack_a_block_cannot_be_started_twice():
    _, b = ends(*block())
    b.start()
    with pytest.raises(RunError):
        b.start()


def test_attack_malformed_messages_cannot_be_made():
    for n_questions, coded in ((0, np.zeros(0, np.uint8)), (2, np.zeros(1, np.uint8)), (1, np.zeros(8, np.uint8))):
        with pytest.raises(InputError):
            say.ParityRequest(n_questions, coded)
    with pytest.raises(InputError):
        say.ParityRequest(1, np.zeros(1, np.int32))
    for frame_bits in (0, 63, 65, 192):
        with pytest.raises(InputError):
            say.CascadeSetup(0, 100, frame_bits)
    with pytest.raises(InputError):
        say.ParityReply(b"a")
    for seed, tag in ((-1, 0), (2**256, 0), (0, -1), (0, 2**128), (0.0, 0), (0, True)):
        with pytest.raises(InputError):
            say.Verify(seed, tag)
    with pytest.raises(InputError):
        say.Amplify("key", 1, "seed")
    with pytest.raises(ValueError, match="read-only"):
        say.ParityReply(np.zeros(1, np.uint8)).packed[0] = 1
