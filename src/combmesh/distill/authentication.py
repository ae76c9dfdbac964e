r"""Wegman-Carter authentication of everything that two ends say about a block.

Each direction of the talk is hashed as it goes by, :math:`h = \mathrm{poly}_r(m)` (the polynomial of Poly1305,
Bernstein 2005, RFC 8439, over 2^130 - 5, with the secret point r of 106 bits); the tag is

.. math:: \mathrm{tag} = \mathrm{poly}_r(\mathrm{label} \| h_{AB} \| h_{BA}) + s \bmod 2^{128},

with a pad s of 128 secret bits that is used once. Whoever does not know r and s passes a changed talk of L bytes off
as genuine with a probability of at most :math:`8\lceil L/16\rceil/2^{106}` for each of the three hashes. The pad hides
all about r, so r is kept from block to block (key recycling, Wegman and Carter 1981): a tag costs 128 bits. The errors
of all tags add up; a million blocks of 10 MB stay below 1e-18.

Two tags a block, one from each end, over both directions: nothing is released before they are verified.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from math import ceil
from typing import TYPE_CHECKING, Protocol

from combmesh.ground.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.poly1305 import Poly1305

POINT_BYTES = 16
PAD_BYTES = 16
PAIR_BYTES = 2 * PAD_BYTES
PAIR_BITS = 8 * PAIR_BYTES
"""What a block costs: Alice's pad and Bob's; reserved from each new key before anything else."""
MOST_OFFERS = 16

Offer = tuple[str, int]
"""A source of pads, by its name, and the first pair in it that this end has not used."""


class PadPool(Protocol):
    """The secret bits that a pair of users keeps for authentication; both ends hold the same."""

    @property
    def point(self) -> bytes:
        """r, 16 bytes."""

    def offers(self) -> Sequence[Offer]:
        """Sources with unused pairs."""

    def pairs(self, source: str) -> int:
        """Pairs of pads that a source has had; 0 for one that is not known."""

    def take(self, source: str, index: int) -> tuple[bytes, bytes]:
        """Alice's pad and Bob's; marked as used for good, with all before it, before it is given out."""

    def add(self, source: str, pads: bytes) -> None:
        """Keep new pads; again with the same source does nothing."""


@dataclass
class MemoryPool:
    """A pool that lives in this process."""

    point: bytes = field(repr=False)
    _pads: dict[str, bytes] = field(default_factory=dict, repr=False)
    _used: dict[str, int] = field(default_factory=dict, repr=False)

    def offers(self) -> list[Offer]:
        return [(source, used) for source, used in self._used.items() if used < self.pairs(source)][:MOST_OFFERS]

    def pairs(self, source: str) -> int:
        return len(self._pads.get(source, b"")) // PAIR_BYTES

    def take(self, source: str, index: int) -> tuple[bytes, bytes]:
        check_unused(source, index, self._used.get(source, 0), self.pairs(source))
        self._used[source] = index + 1
        return split_pair(self._pads[source], index)

    def add(self, source: str, pads: bytes) -> None:
        check_pads(pads)
        self._pads.setdefault(source, pads)
        self._used.setdefault(source, 0)


def check_pads(pads: bytes) -> None:
    """Refuse what is not a whole number of pairs."""
    if not pads or len(pads) % PAIR_BYTES:
        raise InputError(f"Pads must be a whole number of {PAIR_BYTES} bytes, but are {len(pads)}.")


def check_unused(source: str, index: int, used: int, pairs: int) -> None:
    """Refuse a pair that was used or is not there."""
    if not used <= index < pairs:
        raise InputError(f"Pair {index} of pads `{source}` cannot be used: {used} of {pairs} are used.")


def split_pair(pads: bytes, index: int) -> tuple[bytes, bytes]:
    """Alice's and Bob's pad of a pair."""
    begin = index * PAIR_BYTES
    return pads[begin : begin + PAD_BYTES], pads[begin + PAD_BYTES : begin + PAIR_BYTES]


def agreed_pair(ours: Sequence[Offer], theirs: Sequence[Offer], pool: PadPool) -> Offer | None:
    """The next pair that neither end has used, None if there is none: the pair is starved. Both ends find the same."""
    other = dict(theirs)
    for source, used in sorted(ours):
        index = max(used, other.get(source, -1))
        if source in other and index < pool.pairs(source):
            return source, index
    return None


class Transcript:
    """Both directions of a talk, hashed as they go by."""

    def __init__(self, point: bytes) -> None:
        if len(point) != POINT_BYTES:
            raise InputError(f"The point of the hash must have {POINT_BYTES} bytes, but has {len(point)}.")
        self._point = point
        self._hashes = {"alice": _poly1305(point), "bob": _poly1305(point)}
        self.sizes = {"alice": 0, "bob": 0}

    def add(self, sender: str, frame: bytes) -> None:
        """Note a frame in the order in which `sender` sent it; its length goes before it, so that none run together."""
        size = len(frame).to_bytes(8, "little")
        self._hashes[sender].update(size)
        self._hashes[sender].update(frame)
        self.sizes[sender] += len(size) + len(frame)

    def tags(self, label: bytes, pads: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Alice's tag and Bob's; to be called once, for it ends the transcript."""
        hashed = b"".join(self._hashes[sender].finalize() for sender in ("alice", "bob"))
        return _tag(self._point, pads[0], b"alice" + hashed + label), _tag(
            self._point, pads[1], b"bob" + hashed + label
        )

    def forgery_bound(self, label_bytes: int) -> float:
        """Upper bound on the probability that a changed talk passes both tags."""
        lengths = [self.sizes["alice"], self.sizes["bob"], label_bytes + 5 + 2 * PAD_BYTES]
        return 2.0 * sum(8.0 * ceil(length / 16) for length in lengths) / 2.0**106


def same_tag(ours: bytes, theirs: bytes) -> bool:
    """Whether two tags agree, in constant time."""
    return compare_digest(ours, theirs)


def _tag(point: bytes, pad: bytes, message: bytes) -> bytes:
    hashed = _poly1305(point, pad)
    hashed.update(message)
    return hashed.finalize()


def _poly1305(point: bytes, pad: bytes = bytes(PAD_BYTES)) -> "Poly1305":
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    return Poly1305(point + pad)
