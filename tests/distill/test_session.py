"""Both ends as bytes: one key or none, whatever happens on the way."""

import contextlib
import os
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from combmesh.distill import codec
from combmesh.distill import messages as say
from combmesh.distill.authentication import PAIR_BITS, PAIR_BYTES, MemoryPool
from combmesh.distill.session import ALL_RESERVED, STARVED, BlockName, Session
from combmesh.distill.session_messages import Hello, Released, Seal
from combmesh.distill.settings import DistilSettings
from combmesh.ground.errors import InputError

NAME = BlockName("block 7", "ab" * 32)
OTHER = {"alice": "bob", "bob": "alice"}


def pools(pairs=2):
    point, pads = os.urandom(16), os.urandom(PAIR_BYTES * pairs)
    made = MemoryPool(point), MemoryPool(point)
    for pool in made:
        if pairs:
            pool.add("initial", pads)
    return made


def strings(n_bits=1500, errors=30, seed=1):
    rng = np.random.default_rng(seed)
    alice = rng.integers(0, 2, n_bits).astype(np.uint8)
    bob = alice.copy()
    bob[rng.choice(n_bits, errors, replace=False)] ^= 1
    return alice, bob


def ends(n_bits=1500, errors=30, share=0.7, pads=None, seed=1, names=(NAME, NAME), settings=None):
    alice, bob = strings(n_bits, errors, seed)
    rules = settings or (DistilSettings(max(errors, 1) / n_bits, share * n_bits),) * 2
    one, two = pads or pools()
    return Session("alice", alice, rules[0], names[0], one), Session("bob", bob, rules[1], names[1], two)


def talk(alice, bob, change=lambda sender, frame: [frame]):
    """Carry the frames of both ends through `change`, which returns what is delivered instead."""
    queues = {"alice": deque(bob.start()), "bob": deque(alice.start())}
    session = {"alice": alice, "bob": bob}
    for _ in range(20_000):
        if not any(queues.values()):
            break
        for receiver, queue in queues.items():
            if queue:
                for frame in change(OTHER[receiver], queue.popleft()):
                    queues[OTHER[receiver]].extend(session[receiver].receive(frame))
    else:
        pytest.fail("the ends talk for ever")
    for end in (alice, bob):
        end.lost("the connection was cut")
    return alice.result, bob.result


def test_exact_both_ends_release_the_same_key():
    pads = pools()
    alice, bob = ends(pads=pads)
    one, two = talk(alice, bob)
    assert one.confirmed
    assert two.confirmed
    assert one.distilled.key == two.distilled.key
    assert one.distilled.key.n_bits == int(0.7 * 1500) - one.distilled.alice_bits - 1 - PAIR_BITS
    assert one.eps_authentication == two.eps_authentication < 1e-25
    assert (one.bytes_sent, one.bytes_received) == (two.bytes_received, two.bytes_sent)


@pytest.mark.parametrize(
    ("engine", "schedule"), [("ldpc", "fast"), ("cascade", "efficient"), ("cascade", "few-rounds")]
)
def test_exact_every_engine_ends_with_the_same_key(engine, schedule):
    """One-way codes tell of Bob's bits only which frames failed; Cascade as much as Alice."""
    n_bits, errors = 60_000, 1020
    rules = DistilSettings(errors / n_bits, 0.5 * n_bits, engine=engine, schedule=schedule)
    one, two = talk(*ends(n_bits, errors, settings=(rules, rules)))
    assert one.confirmed
    assert one.distilled.key == two.distilled.key is not None
    assert one.distilled.n_errors == errors
    assert (
        one.distilled.n_requests
        <= {"ldpc": 25, "efficient": 5000, "few-rounds": 350}[engine if engine == "ldpc" else schedule]
    )
    assert (one.distilled.bob_bits < 30) == (engine == "ldpc")


def test_exact_ends_with_other_engines_stop():
    rules = [DistilSettings(0.02, 900.0, engine=engine) for engine in ("ldpc", "cascade")]
    one, two = talk(*ends(settings=rules))
    assert "the ends differ in `rules`" in one.distilled.outcome + two.distilled.outcome


def test_exact_each_key_pays_for_the_next_block():
    """A pair with pads for one block goes on for ever; the pads are the first bits of the key at both ends."""
    pads = pools(pairs=1)
    ids = set()
    for seed in range(4):
        one, two = talk(*ends(pads=pads, seed=seed))
        ids.add(one.distilled.key.key_id)
        assert one.distilled.key == two.distilled.key
        assert pads[0].offers() == pads[1].offers() == [(one.distilled.key.key_id, 0)]
    assert len(ids) == 4


def test_exact_starved_is_a_state():
    for pads in (pools(pairs=0), (pools(1)[0], pools(1)[1])):
        if pads[0].offers():
            pads[1].take("initial", 0)
        one, two = talk(*ends(pads=pads))
        assert one.distilled.key is two.distilled.key is None
        assert one.starved or two.starved
        assert STARVED in (one.distilled.outcome, two.distilled.outcome)


def test_exact_short_keys_are_kept_for_authentication():
    one, two = talk(*ends(n_bits=1500, errors=0, share=0.2))
    assert one.distilled.outcome == two.distilled.outcome == ALL_RESERVED
    assert one.distilled.key is two.distilled.key is None


@pytest.mark.parametrize(
    ("names", "settings", "sentence"),
    [
        ((NAME, replace(NAME, block="block 8")), None, "the ends differ in `block`"),
        ((NAME, replace(NAME, announcements="cd" * 32)), None, "the ends differ in `announcements`"),
        ((NAME, NAME), (DistilSettings(0.02, 900.0), DistilSettings(0.02, 901.0)), "the ends differ in `rules`"),
    ],
)
def test_exact_ends_that_differ_stop_before_anything_is_said_about_bits(names, settings, sentence):
    kinds = set()

    def note(sender, frame):
        kinds.add(frame[0])
        return [frame]

    one, two = talk(*ends(names=names, settings=settings), note)
    assert one.distilled.key is two.distilled.key is None
    assert sentence in one.distilled.outcome + two.distilled.outcome
    assert {codec.KINDS[code] for code in kinds} == {Hello, say.Abort}


def test_exact_two_alices_do_not_talk():
    alice, bob = strings()
    rules = DistilSettings(0.02, 1000.0)
    one, two = talk(Session("alice", alice, rules, NAME, pools()[0]), Session("alice", bob, rules, NAME, pools()[1]))
    assert "both ends are alice" in one.distilled.outcome + two.distilled.outcome


def test_attack_other_pads_release_nothing():
    """Someone in the middle who holds no pads: both seals fail, or nothing is released."""
    ours, theirs = pools(), pools()
    one, two = talk(*ends(pads=(ours[0], theirs[0])))
    assert one.distilled.key is two.distilled.key is None


def test_exact_lost_last_messages_leave_at_most_bobs_key_unconfirmed():
    """Without Bob's seal Alice has none; without the word of the release Bob's key stays pending."""
    for kind, alice_has, bob_confirmed in ((Seal, False, False), (Released, True, False)):
        seen = []

        def cut(sender, frame, kind=kind, seen=seen):
            seen.append(codec.KINDS[frame[0]])
            lost = codec.KINDS[frame[0]] is kind and (sender == "bob" or kind is Released)
            return [] if lost else [frame]

        one, two = talk(*ends(), cut)
        assert (one.distilled.key is not None) == alice_has
        assert two.distilled.key is not None
        assert two.confirmed == bob_confirmed


def test_exact_next_block_after_a_lost_seal_uses_other_pads():
    pads = pools(pairs=3)
    talk(*ends(pads=pads), lambda sender, frame: [] if codec.KINDS[frame[0]] is Seal and sender == "bob" else [frame])
    one, two = talk(*ends(pads=pads, seed=2))
    assert one.distilled.key == two.distilled.key is not None


def test_exact_keys_are_kept_before_the_other_end_can_have_them():
    """Bob's is stored before his seal is sent, Alice's before the word of the release."""
    alice, bob = ends()
    order = []
    alice._keep = lambda key, confirmed: order.append(("alice keeps", confirmed))
    bob._keep = lambda key, confirmed: order.append(("bob keeps", confirmed))

    def note(sender, frame):
        if codec.KINDS[frame[0]] in (Seal, Released):
            order.append((sender, codec.KINDS[frame[0]].__name__))
        return [frame]

    talk(alice, bob, note)
    assert order == [
        ("alice", "Seal"),
        ("bob keeps", False),
        ("bob", "Seal"),
        ("alice keeps", True),
        ("alice", "Released"),
        ("bob keeps", True),
    ]


def test_exact_the_next_block_says_what_the_other_end_holds():
    """Only once both have sealed: names in a Hello that nobody sealed mean nothing."""
    alice, bob = ends()
    alice._hello = replace(alice._hello, held=("one", "two"))
    one, two = talk(alice, bob)
    assert (one.peer_holds, two.peer_holds) == ((), ("one", "two"))
    alice, bob = ends()
    alice._hello = replace(alice._hello, held=("one",))
    one, two = talk(alice, bob, lambda sender, frame: [] if codec.KINDS[frame[0]] is Seal else [frame])
    assert two.peer_holds == ()


MUTATIONS = ("alter", "drop", "double", "swap", "cut", "grow", "noise")


def mutate(rng, frame, held):
    """The frames that arrive in the place of one; `held` keeps one back to swap two."""
    what = MUTATIONS[rng.integers(len(MUTATIONS))]
    if what == "alter":
        at = int(rng.integers(len(frame)))
        return [frame[:at] + bytes([frame[at] ^ int(rng.integers(1, 256))]) + frame[at + 1 :]]
    if what == "drop":
        return []
    if what == "double":
        return [frame, frame]
    if what == "swap":
        held.append(frame)
        return []
    if what == "cut":
        return [frame[: rng.integers(len(frame))]]
    if what == "grow":
        return [frame + rng.bytes(int(rng.integers(1, 40)))]
    return [rng.bytes(int(rng.integers(1, 60)))]


def fuzzed_block(rng, rate):
    """One block with messages changed at this rate; how many were."""
    alice, bob = ends(n_bits=700, errors=int(rng.integers(0, 12)), share=0.85, seed=int(rng.integers(1 << 30)))
    held, changed = [], 0

    def change(sender, frame):
        nonlocal changed
        if rng.random() > rate:
            return [frame, *[held.pop() for _ in range(len(held))]]
        changed += 1
        return mutate(rng, frame, held)

    one, two = talk(alice, bob, change)
    check_safe(one, two)
    return changed


def check_safe(one, two):
    """Never two different keys; a key at Alice's end is one that Bob has; never one without the other's seal."""
    key_a, key_b = one.distilled.key, two.distilled.key
    if key_a is not None:
        assert key_a == key_b
    for end in (one, two):
        if end.distilled.key is not None:
            assert end.eps_authentication > 0
        else:
            assert end.distilled.outcome.startswith(("no key", "starved"))
    if two.confirmed:
        assert key_a == key_b


@pytest.mark.parametrize("rate", [0.003, 0.03, 0.3])
def test_attack_changed_messages_never_give_two_keys(rate):
    rng = np.random.default_rng(int(1e4 * rate))
    assert sum(fuzzed_block(rng, rate) for _ in range(150)) > 10


@pytest.mark.verify
def test_attack_100_000_changed_messages_never_give_two_keys():
    rng = np.random.default_rng(5)
    changed = 0
    while changed < 100_000:
        changed += fuzzed_block(rng, float(rng.choice([0.01, 0.1, 0.5])))


MESSAGES = (
    Hello("combmesh distill 1", "alice", "b", 10, "x", "y", ("initial",), (3,)),
    say.Corrected(),
    say.Verify(2**255 + 12, 2**127),
    say.Verified(True, 17),
    say.Amplify("id", 100, bytes(range(50))),
    say.Amplified("id"),
    say.Abort("no key: because"),
    Seal(bytes(range(16))),
    Released(),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_exact_messages_come_back_from_bytes(message):
    assert codec.decode(codec.encode(message), 1000) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_exact_damaged_messages_are_refused_or_are_messages(message):
    """Every byte changed in turn, every length cut: InputError or a message of the same checks, nothing else."""
    frame = codec.encode(message)
    for cut in range(len(frame)):
        with pytest.raises(InputError):
            codec.decode(frame[:cut], 1000)
    rng = np.random.default_rng(1)
    for at in range(len(frame)):
        for value in rng.integers(0, 256, 8):
            with contextlib.suppress(InputError):
                codec.decode(frame[:at] + bytes([int(value)]) + frame[at + 1 :], 1000)
    with pytest.raises(InputError):
        codec.decode(frame + b"\0", 1000)


def test_exact_frames_have_a_limit_for_their_kind():
    with pytest.raises(InputError, match="Abort may have 4096 bytes, but has 5"):
        codec.decode(codec.encode(say.Abort("because")) + bytes(5000), 10**6)
    with pytest.raises(InputError, match="`reason` must be a text of at most 4000 characters"):
        say.Abort("x" * 4001)
    long = codec.encode(say.Amplify("id", 100, bytes(10_000)))
    assert codec.decode(long, 20_000).length == 100
    with pytest.raises(InputError, match="Amplify may have"):
        codec.decode(long, 2_000)
    for frame in (b"", b"\xff", b"\x01"):
        with pytest.raises(InputError):
            codec.decode(frame, 1000)
