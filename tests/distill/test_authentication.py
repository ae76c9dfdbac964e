"""Authentication of a talk, and the pads that it uses up."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combmesh.distill.authentication import (
    PAIR_BYTES,
    MemoryPool,
    Transcript,
    agreed_pair,
    check_pads,
    same_tag,
)
from combmesh.ground.errors import InputError

PRIME = 2**130 - 5
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


def poly1305(point, pad, message):
    """RFC 8439, section 2.5, in whole numbers."""
    r = int.from_bytes(point, "little") & CLAMP
    value = 0
    for at in range(0, len(message), 16):
        value = (value + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % PRIME
    return ((value + int.from_bytes(pad, "little")) % 2**128).to_bytes(16, "little")


def test_published_rfc_8439_vector():
    """Section 2.5.2: the oracle of these tests is Poly1305."""
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = poly1305(key[:16], key[16:], b"Cryptographic Forum Research Group")
    assert tag.hex() == "a8061dc1305136c6c22b8baf0c0127a9"


def tags_of(point, pads, frames, label=b"block"):
    talk = Transcript(point)
    for sender, frame in frames:
        talk.add(sender, frame)
    return talk.tags(label, pads)


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.binary(max_size=70)), max_size=8))
def test_exact_tags_written_out(frames):
    point, pads = bytes(range(16)), (bytes(range(16, 32)), bytes(range(32, 48)))
    hashed = b""
    for sender in ("alice", "bob"):
        said = b"".join(len(frame).to_bytes(8, "little") + frame for who, frame in frames if who == sender)
        hashed += poly1305(point, bytes(16), said)
    expected = tuple(
        poly1305(point, pad, name + hashed + b"block") for name, pad in zip((b"alice", b"bob"), pads, strict=True)
    )
    assert tags_of(point, pads, frames) == expected


def test_exact_any_change_of_a_talk_changes_both_tags():
    point, pads = os.urandom(16), (os.urandom(16), os.urandom(16))
    frames = [("alice", b"one"), ("bob", b"two"), ("alice", b"three")]
    tags = tags_of(point, pads, frames)
    changed = [
        [("alice", b"onf"), *frames[1:]],
        frames[:2],
        [frames[2], frames[1], frames[0]],
        [*frames, frames[0]],
        [("alice", b"onet"), ("bob", b"two"), ("alice", b"hree")],
        [("bob", b"one"), ("alice", b"two"), ("alice", b"three")],
    ]
    for other in changed:
        assert all(not same_tag(*pair) for pair in zip(tags, tags_of(point, pads, other), strict=True))
    assert tags_of(point, pads, frames, b"other block") != tags
    assert tags_of(point, pads, [frames[1], frames[0], frames[2]]) == tags  # the directions may overtake each other


def test_exact_forgery_bound_of_a_talk():
    """Three hashes of 8 L/16 / 2^106 for each of two tags."""
    talk = Transcript(bytes(16))
    talk.add("alice", bytes(1592))
    assert talk.forgery_bound(27) == 2 * (8 * 100 + 0 + 8 * 4) / 2**106


def pool_of(**sources):
    pool = MemoryPool(bytes(16))
    for source, pairs in sources.items():
        pool.add(source, os.urandom(PAIR_BYTES * pairs))
    return pool


def test_exact_pads_are_used_once():
    pool = pool_of(initial=3)
    first = pool.take("initial", 0)
    assert pool.offers() == [("initial", 1)]
    third = pool.take("initial", 2)  # the other end had used the second
    assert len({*first, *third}) == 4
    assert pool.offers() == []
    for index in (0, 1, 2, 3):
        with pytest.raises(InputError, match=r"cannot be used: 3 of 3 are used"):
            pool.take("initial", index)
    with pytest.raises(InputError, match="Pair 0 of pads `other` cannot be used"):
        pool.take("other", 0)


def test_exact_same_source_twice_is_once():
    pool = pool_of(initial=1)
    pads = os.urandom(PAIR_BYTES)
    pool.add("key", pads)
    taken = pool.take("key", 0)
    pool.add("key", os.urandom(PAIR_BYTES))
    assert pool.pairs("key") == 1
    assert b"".join(taken) == pads
    assert ("key", 0) not in pool.offers()


def test_exact_ends_agree_on_the_next_unused_pair():
    pool = pool_of(a=2, b=5, c=1)
    ours, theirs = [("a", 1), ("b", 2), ("c", 0)], [("c", 0), ("b", 4), ("a", 2)]
    assert agreed_pair(ours, theirs, pool) == agreed_pair(theirs, ours, pool) == ("b", 4)
    assert agreed_pair(ours, [], pool) is None
    assert agreed_pair(ours, [("b", 5), ("unknown", 0)], pool) is None


@pytest.mark.parametrize("size", [0, 1, 31, 33])
def test_bad_pads_get_a_sentence(size):
    with pytest.raises(InputError, match="must be a whole number of 32 bytes"):
        check_pads(bytes(size))
    with pytest.raises(InputError, match="must have 16 bytes"):
        Transcript(bytes(15))


def test_secret_pads_have_no_repr():
    pool = MemoryPool(b"secret point 16B")
    pool.add("initial", b"secret pads" + bytes(21))
    assert "secret" not in repr(pool)
