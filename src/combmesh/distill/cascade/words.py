"""Compiled loops over bits in words: counting, scanning, random orders, and prefix parities."""

from typing import Any

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

ZERO = np.uint64(0)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
M1 = np.uint64(0x5555555555555555)
M2 = np.uint64(0x3333333333333333)
M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
H01 = np.uint64(0x0101010101010101)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)
U2, U4, U5, U7, U8, U9, U16, U17, U19, U27, U30, U31, U32, U45, U56, U57, U63 = (
    np.uint64(k) for k in (2, 4, 5, 7, 8, 9, 16, 17, 19, 27, 30, 31, 32, 45, 56, 57, 63)
)

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]


@kernel
def popcount(x: np.uint64) -> int:
    """Ones among all 64 places of `x`."""
    x = x - ((x >> ONE) & M1)
    x = (x & M2) + ((x >> U2) & M2)
    x = (x + (x >> U4)) & M4
    return int(np.int64((x * H01) >> U56))


@kernel
def highest(x: np.uint64) -> int:
    """The highest set place of `x`, which is not 0."""
    return 63 - int(np.int64(leading_zeros(x)))  # type: ignore[call-arg]  # made by numba


@kernel
def lowest(x: np.uint64) -> int:
    """The lowest set place of `x`, which is not 0."""
    return int(np.int64(trailing_zeros(x)))  # type: ignore[call-arg]  # made by numba


@kernel
def bit_of(place: int) -> np.uint64:
    """The bit of a place in its word."""
    return ONE << np.uint64(place & 63)


@kernel
def whole(x: Any) -> int:
    """A number of any integer type as one of 64 bits."""
    return int(np.int64(x))


@kernel
def parity(words: Words, start: int, end: int) -> int:
    """Parity of the bits in [start, end), not empty."""
    first = start >> 6
    last = (end - 1) >> 6
    low = ALL << np.uint64(start & 63)
    high = ALL >> np.uint64(63 - ((end - 1) & 63))
    if first == last:
        return popcount(words[first] & low & high) & 1
    x = (words[first] & low) ^ (words[last] & high)
    for w in range(first + 1, last):
        x ^= words[w]
    return popcount(x) & 1


@kernel
def prefix_word(x: np.uint64) -> np.uint64:
    """In each place the parity of the bits of `x` up to it and with it."""
    x ^= x << ONE
    x ^= x << U2
    x ^= x << U4
    x ^= x << U8
    x ^= x << U16
    return x ^ (x << U32)


@kernel
def prefix_parities(words: Words, n_segment: int) -> Words:
    """In each place the parity of the bits from the start of its segment of `n_segment` words up to it and with it."""
    out = np.empty_like(words)
    carry = ZERO
    for w in range(words.size):
        if w % n_segment == 0:
            carry = ZERO
        x = prefix_word(words[w])
        out[w] = x ^ carry
        carry = ZERO - ((x ^ carry) >> U63)
    return out


@kernel
def shuffle(state: Words, order: Places) -> None:
    """Fisher-Yates from 256 bits of `state` (xoshiro256**, 32 bits a step: bias below n / 2^32)."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    n = order.size
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        y = s1 * U5
        y = ((y << U7) | (y >> U57)) * U9
        t = s1 << U17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = (s3 << U45) | (s3 >> U19)
        j = whole(((y >> U32) * np.uint64(i + 1)) >> U32)
        swap = order[i]
        order[i] = order[j]
        order[j] = swap


@kernel
def invert(order: Places, place: Places) -> None:
    """Write the inverse of a permutation."""
    for i in range(order.size):
        place[order[i]] = i


@kernel
def mask_words(key: np.uint64, n_words: int) -> Words:
    """Random words (SplitMix64 from `key`), shape (word,)."""
    out = np.empty(n_words, np.uint64)
    x = key
    for w in range(n_words):
        x += GOLDEN
        y = (x ^ (x >> U30)) * MIX1
        y = (y ^ (y >> U27)) * MIX2
        out[w] = y ^ (y >> U31)
    return out


@kernel
def gather(bits: Bits, order: Places, words: Words, first: int) -> None:
    """Write `bits[order]` in words from `first` on; the order has a multiple of 64 places."""
    for w in range(order.size >> 6):
        x = ZERO
        for k in range(0, 64, 8):
            row = order[(w << 6) + k : (w << 6) + k + 8]
            byte = bits[row[0]] | bits[row[1]] << 1 | bits[row[2]] << 2 | bits[row[3]] << 3
            byte |= bits[row[4]] << 4 | bits[row[5]] << 5 | bits[row[6]] << 6 | bits[row[7]] << 7
            x |= np.uint64(byte) << np.uint64(k)
        words[first + w] = x


@kernel
def fill_addresses(bits: Bits, first: Places, order: Places, words: Words) -> None:
    """Write `bits` to their addresses in every layer of every frame; places beyond the last bit hold 0."""
    n = first.size
    here = np.empty(n, np.uint8)
    padded = np.zeros(n, np.uint8)
    for f in range((bits.size + n - 1) // n):
        frame = bits[f * n : (f + 1) * n]
        if frame.size < n:
            padded[: frame.size] = frame
            frame = padded
        w = f * 3 * n >> 6
        gather(frame, first, words, w)
        for k in range(n):
            here[k] = (words[w + (k >> 6)] >> np.uint64(k & 63)) & ONE
        gather(here, order[0], words, w + (n >> 6))
        gather(here, order[1], words, w + 2 * (n >> 6))


@kernel
def flip_all(bits: Bits, wrong: Words, order: Places) -> bool:
    """Flip in `bits` those that `wrong` marks at the places of `order`, frame by frame; False if one is no bit."""
    n = order.size
    for first in range(0, wrong.size << 6, n):
        for w in range(first >> 6, (first + n) >> 6):
            x = wrong[w]
            while x != ZERO:
                bit = first + whole(order[(w << 6) + lowest(x) - first])
                x &= x - ONE
                if bit >= bits.size:
                    return False
                bits[bit] ^= 1
    return True


@kernel
def masked_parities(words: Words, key: np.uint64, ends: NDArray[np.int64]) -> Bits:
    """Parities of the bits under a random mask up to each place of `ends` and with it; they ascend, by whole words."""
    out = np.empty(ends.size, np.uint8)
    x = key
    total = ZERO
    w = np.int64(0)
    for q in range(ends.size):
        while w << 6 <= ends[q]:
            x += GOLDEN
            y = (x ^ (x >> U30)) * MIX1
            y = (y ^ (y >> U27)) * MIX2
            total ^= words[w] & (y ^ (y >> U31))
            w += 1
        out[q] = popcount(total) & 1
    return out
