r"""Names of delivered keys that the slave's terminal can resolve without a message.

The first 32 bytes of every block are never handed out; they are its naming secret :math:`k`, which both users hold and
nobody else. A name has 122 free bits of a UUID (version 4 in form):

.. math::
    n &= F_k(\text{"names"}, d, \text{place}, \text{master}, \text{slave}) & \text{(40 bits)}\\
    t &= F_k(\text{"tag"}, d, n, \text{place}) & \text{(40 bits)}\\
    c &= (n \| \text{place}) \oplus F_k(\text{"mask"}, d, t) & \text{(40 + 42 bits)}

with :math:`F` HMAC-SHA256 cut to length, :math:`d` the master's user, and the place the first byte (26 bits) and the
length (16 bits) inside the share. This is deterministic encryption with a synthetic vector (SIV, Rogaway and Shrimpton
2006). The terminal tries the secrets of the open shares of the pair; the tag says which is right.

What it gives: a name looks random; different keys have different names, as long as the place differs; a stranger's
made-up name is taken for one of the pair's N open shares with probability N 2^-40, and yields a key only with N 2^-80,
for n must fit too; a SAE that learned another's name gets that key with 2^-40. Each try is one request to a terminal
that knows who asks. This is computational (HMAC-SHA256), unlike the key bits: the naming secret is no part of any key,
so whoever breaks it learns names only.

Limits: with more than about 2^20 names of one share two tags may agree, which shows the difference of two places; a key
has at most 65,535 bytes and a share 2^26. The name binds the first slave. Further slaves at other terminals, or at
the same, get the key by a message, which names them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import compare_digest, digest
from uuid import UUID

from combmesh.ground.errors import InputError

SECRET_BYTES = 32
START_BITS, LENGTH_BITS = 26, 16
MOST_SHARE_BYTES = 2**START_BITS
MOST_KEY_BYTES = 2**LENGTH_BITS - 1
_PLACE_BITS = START_BITS + LENGTH_BITS
_NAMES_BYTES = _TAG_BYTES = 5
_CIPHER_BITS = 8 * _NAMES_BYTES + _PLACE_BITS


@dataclass(frozen=True)
class Place:
    """Where a key lies in a share, in bytes."""

    start: int
    length: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < MOST_SHARE_BYTES:
            raise InputError(f"`start` must be at least 0 and below {MOST_SHARE_BYTES}, but is {self.start}.")
        if not 1 <= self.length <= MOST_KEY_BYTES:
            raise InputError(f"`length` must be at least 1 and at most {MOST_KEY_BYTES}, but is {self.length}.")

    def packed(self) -> int:
        return self.start << LENGTH_BITS | self.length


@dataclass(frozen=True)
class Namer:
    """Names the keys of one share.

    Attributes:
        secret: naming secret of the block.
        master_user: user whose out share it is.
    """

    secret: bytes = field(repr=False)
    master_user: str

    def name(self, place: Place, master_sae: str, slave_sae: str) -> str:
        """The name of a key.

        >>> namer = Namer(bytes(32), "alice")
        >>> namer.name(Place(0, 32), "app 1", "app 2")
        'ddceaedc-e1b5-45b8-a149-36b3df72b80d'
        """
        packed = place.packed()
        inner = self._names(packed, master_sae, slave_sae) << _PLACE_BITS | packed
        tag = self._tag(inner)
        cipher = inner ^ self._mask(tag)
        return _as_uuid(int.from_bytes(tag, "big") << _CIPHER_BITS | cipher)

    def resolve(self, key_id: str) -> "Resolved | None":
        """The place that a name of this share stands for; None for any other name."""
        number = _from_uuid(key_id)
        if number is None:
            return None
        tag = (number >> _CIPHER_BITS).to_bytes(_TAG_BYTES, "big")
        inner = (number & ((1 << _CIPHER_BITS) - 1)) ^ self._mask(tag)
        if not compare_digest(tag, self._tag(inner)):
            return None
        packed = inner & ((1 << _PLACE_BITS) - 1)
        start, length = packed >> LENGTH_BITS, packed & MOST_KEY_BYTES
        return Resolved(self, Place(start, length), inner >> _PLACE_BITS) if length else None

    def _names(self, packed: int, master_sae: str, slave_sae: str) -> int:
        fields = (packed.to_bytes(6, "big"), master_sae.encode(), slave_sae.encode())
        return int.from_bytes(self._f(b"names", fields, _NAMES_BYTES), "big")

    def _tag(self, inner: int) -> bytes:
        return self._f(b"tag", (inner.to_bytes(11, "big"),), _TAG_BYTES)

    def _mask(self, tag: bytes) -> int:
        return int.from_bytes(self._f(b"mask", (tag,), 11), "big") & ((1 << _CIPHER_BITS) - 1)

    def _f(self, label: bytes, fields: Iterable[bytes], n_bytes: int) -> bytes:
        parts = (label, self.master_user.encode(), *fields)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return digest(self.secret, message, "sha256")[:n_bytes]


@dataclass(frozen=True)
class Resolved:
    """A name that is one of the share's."""

    namer: Namer = field(repr=False)
    place: Place
    names: int = field(repr=False)

    def entitles(self, master_sae: str, slave_sae: str) -> bool:
        """Whether the key was taken by this master for this slave."""
        wanted = self.namer._names(self.place.packed(), master_sae, slave_sae)
        return compare_digest(wanted.to_bytes(_NAMES_BYTES, "big"), self.names.to_bytes(_NAMES_BYTES, "big"))


def is_name(key_id: str) -> bool:
    """Whether a text has the form of a name.

    >>> is_name("ddceaedc-e1b5-45b8-a149-36b3df72b80d"), is_name("7")
    (True, False)
    """
    return _from_uuid(key_id) is not None


def _as_uuid(number: int) -> str:
    """Put 122 bits around the six that are fixed: version 4, variant 2."""
    high, middle, low = number >> 74, number >> 62 & 0xFFF, number & ((1 << 62) - 1)
    return str(UUID(int=high << 80 | 4 << 76 | middle << 64 | 2 << 62 | low))


def _from_uuid(key_id: str) -> int | None:
    try:
        value = UUID(key_id)
    except (ValueError, AttributeError, TypeError):
        return None
    if str(value) != key_id.lower() or value.version != 4 or value.variant != "specified in RFC 4122":
        return None
    return value.int >> 80 << 74 | (value.int >> 64 & 0xFFF) << 62 | value.int & ((1 << 62) - 1)
