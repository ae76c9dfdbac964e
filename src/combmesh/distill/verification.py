r"""Do both strings agree? A hash that is linear over GF(2), with a seed that is drawn after the correction has ended.

The string, filled with zeros, is cut in $L = \lceil n/128 \rceil$ elements $c_1 \dots c_L$ of GF(2^128). With a public
seed of two elements $(r, s)$, fresh and uniform, the tag is the lower t bits of

$$ s \sum_{k=1}^{L} c_k\, r^{L-k} . $$

*Linear.* For a given seed each bit of the tag is a parity of bits of the string, chosen by the seed and n alone. So
the tag is t disclosed parities, as the proof of the certificate asks (docs/certificate.md, condition E).

*Collisions.* Let two strings of the same length differ, both fixed before the seed is drawn. The polynomial of their
difference is not zero and of degree at most L - 1, thus zero for at most L - 1 of the $2^{128}$ values of r. For any
other r its value times s is uniform, as s is, and t given bits of it are all 0 with probability $2^{-t}$ exactly. An
undetected difference has probability at most

$$ 2^{-t} + (L-1)\, 2^{-128} . $$

The factor s is what allows a short tag: without it the bound for the lower t bits would be $(L-1)\,2^{-t}$. No hash
of t bits has a bound below $2^{-t} - 2^{-n}$ (Stinson 1994), so no other tag discloses less: 50 bits at 1e-15.

*Length.* A linear tag cannot tell a string from one with zeros beside it. The length is public: Bob names it in
`CascadeSetup`, and Alice refuses another one than hers. A block whose tags differ is discarded whole.
"""

import secrets
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range

FIELD_BITS = 128
SEED_BITS = 2 * FIELD_BITS
_LOW_WORD = 2**64 - 1


def draw_hash_seed() -> int:
    """A seed (r, s), uniform on [0, 2^256), from the operating system."""
    return secrets.randbits(SEED_BITS)


def linear_tag(bits: NDArray[np.uint8], seed: int, tag_bits: int) -> int:
    """The tag of `bits` of 0 and 1, shape (bit,); r is the upper half of `seed`, s the lower one."""
    from combmesh.distill.field_kernels import scaled_polynomial

    high, low = scaled_polynomial(_blocks(bits), _element(seed >> FIELD_BITS), _element(seed))
    return (int(high) << 64 | int(low)) & ((1 << tag_bits) - 1)


def collision_bound(n_bits: int, tag_bits: int) -> float:
    """Upper bound on the probability that two different strings of `n_bits` pass.

    >>> f"{collision_bound(2_000_000, 50):.1e}"
    '8.9e-16'
    """
    return 2.0**-tag_bits + _most_roots(n_bits) / 2.0**FIELD_BITS


def tag_bits_for(n_bits: int, correctness: float) -> int:
    """The shortest tag whose collision bound is at most `correctness` for strings of `n_bits`; exact arithmetic.

    >>> tag_bits_for(2_000_000, 1e-15), tag_bits_for(2_000_000, 2**-50)
    (50, 51)
    """
    check_range("correctness", correctness, high=1.0)
    room = int(Fraction(correctness) * 2**FIELD_BITS) - _most_roots(n_bits)  # 2^(128 - t) must not exceed it
    if room < 1:
        raise InputError(f"`correctness` of {n_bits} bits is out of reach of the tag: {correctness:g}.")
    return max(FIELD_BITS + 1 - room.bit_length(), 1)


def _most_roots(n_bits: int) -> int:
    """L - 1."""
    return max(-(-n_bits // FIELD_BITS) - 1, 0)


def _blocks(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Elements of the field, shape (block, 2): the first bit is the highest, zeros fill the last one."""
    packed = np.packbits(bits)
    filled = np.zeros(-(-packed.size // 16) * 16, np.uint8)
    filled[: packed.size] = packed
    return filled.view(">u8").astype(np.uint64).reshape(-1, 2)


def _element(number: int) -> tuple[np.uint64, np.uint64]:
    """The lower 128 bits of `number`, as the kernels take them."""
    return np.uint64(number >> 64 & _LOW_WORD), np.uint64(number & _LOW_WORD)
