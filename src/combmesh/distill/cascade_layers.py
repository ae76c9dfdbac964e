"""The orders in which Cascade looks at a block: three public permutations, and random masks.

Layers 0 to 2 are pseudo-random permutations, so a burst of errors is no different from scattered ones. Every further
layer is layer 0 under a random mask. All of it follows from a seed that Bob draws; it is public and independent of the
bits, and none of it is key. Only raw output of PCG64 is used, which NumPy keeps the same between versions, so two ends
with different versions agree.
"""

from functools import lru_cache
from math import log, log1p, log2

import numpy as np
from numpy.typing import NDArray

N_ORDERS = 3
LARGEST_BLOCK = 2**15
Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]


def block_sizes(n_bits: int, planned_qber: float) -> tuple[int, int, int]:
    """Sizes of the first blocks in layers 0, 1 and 2: powers of two, or `n_bits` where the block is shorter.

    >>> block_sizes(100_000, 0.017), block_sizes(100_000, 0.03), block_sizes(100_000, 0.05)
    ((64, 256, 8192), (32, 128, 8192), (16, 64, 8192))
    """
    k1 = LARGEST_BLOCK
    if planned_qber > 0:
        k1 = min(k1, max(2, 2 ** round(log2(log(0.14) / log1p(-2 * planned_qber)))))  # (1 - 2Q)^k1 near .14
    k2 = min(4 * k1, LARGEST_BLOCK)
    k3 = max(k2, min(LARGEST_BLOCK // 2, 2 ** int(log2(max(n_bits / 8, 1)))))
    return min(k1, n_bits), min(k2, n_bits), min(k3, n_bits)


def _raw(seed: int, layer: int, size: int) -> Words:
    raw = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(layer,))).random_raw(size)
    return np.asarray(raw, np.uint64)


@lru_cache(maxsize=N_ORDERS)
def permutation(seed: int, n_bits: int, layer: int) -> tuple[Places, Places]:
    """The order of `layer` (0 to 2) and its inverse: `order[place] = bit`, `place[bit] = place`, shape (bit,) each.

    Those of one block are kept, so that two ends in one process share them.
    """
    from combmesh.distill.cascade_kernels import shuffle

    keys = _raw(seed, layer, (n_bits + 1) // 2).astype("<u8").view("<u4")
    order, place = shuffle(keys, n_bits)
    order.setflags(write=False)
    place.setflags(write=False)
    return order, place


def mask(seed: int, n_bits: int, layer: int) -> Words:
    """The random mask of a layer after the third, one bit for each place of layer 0, shape (word,)."""
    words = _raw(seed, layer, n_words(n_bits))
    words[-1] &= np.uint64((1 << n_bits % 64) - 1)
    return words


def n_words(n_bits: int) -> int:
    """64-bit words that hold `n_bits` and one place more, the end."""
    return n_bits // 64 + 1


def pack(bits: Bits) -> Words:
    """Bits in words, bit j in place j mod 64 of word j // 64, shape (word,)."""
    words = np.zeros(n_words(bits.size), "<u8")
    packed = np.packbits(bits, bitorder="little")
    words.view(np.uint8)[: packed.size] = packed
    return words.astype(np.uint64)


def unpack(words: Words, n_bits: int) -> Bits:
    """The first `n_bits` bits of `words`, shape (bit,)."""
    return np.unpackbits(words.astype("<u8").view(np.uint8), count=n_bits, bitorder="little")


def order_words(bits: Bits, seed: int) -> Words:
    """The block in each of the three orders, shape (layer, word)."""
    ordered = [bits[permutation(seed, bits.size, layer)[0]] for layer in range(N_ORDERS)]
    return np.stack([pack(part) for part in ordered])
