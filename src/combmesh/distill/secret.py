"""A secret key as it leaves privacy amplification; its bits have no repr and no JSON."""

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError


@dataclass(frozen=True)
class SecretKey:
    """`n_bits` secret bits in `material`, first bit in the highest place of the first byte (big-endian).

    The unused places of the last byte are 0. `key_id` is a random UUID (version 4) that both users share.
    """

    key_id: str
    n_bits: int
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_key_id(self.key_id)
        if self.n_bits < 1:
            raise InputError(f"`n_bits` must be at least 1, but is {self.n_bits}.")
        if not isinstance(self.material, bytes):
            raise InputError(f"`material` must be bytes, but is of type {type(self.material).__name__}.")
        n_bytes = (self.n_bits + 7) // 8
        if len(self.material) != n_bytes:
            raise InputError(
                f"`material` must have {n_bytes} bytes for {self.n_bits} bits, but has {len(self.material)}."
            )
        n_unused = 8 * n_bytes - self.n_bits
        if self.material[-1] & ((1 << n_unused) - 1):
            raise InputError(f"The last {n_unused} places of `material` are not part of the key and must be 0.")


def check_key_id(key_id: str) -> None:
    """Refuse what is not a random UUID in lower case with hyphens.

    >>> check_key_id("c0ffee")
    Traceback (most recent call last):
    combmesh.ground.errors.InputError: `key_id` must be a UUID (version 4) in lower case with hyphens, but is 'c0ffee'.
    """
    try:
        parsed = UUID(key_id)
    except (ValueError, AttributeError, TypeError):
        parsed = None
    if parsed is None or str(parsed) != key_id or parsed.version != 4:
        raise InputError(f"`key_id` must be a UUID (version 4) in lower case with hyphens, but is {key_id!r}.")


def key_from_bits(key_id: str, bits: NDArray[np.uint8]) -> SecretKey:
    """Pack `bits` of 0 and 1, shape (bit,)."""
    return SecretKey(key_id, bits.size, np.packbits(bits).tobytes())
