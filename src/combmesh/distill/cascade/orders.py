"""The places of a block: frames, and in each frame three random orders of its bits.

A block of n bits is cut into equal frames, filled up with zeros at its end. Each frame has three layers; the place of
a bit in a layer is an *address*, one number for the whole block: `(3 frame + layer) frame_bits + place in the order`.
All frames of a block share their orders. These follow from a seed that Bob draws afresh for each block, after the bits
are there: who shapes the errors cannot aim a burst at them, and layer 0 is permuted too, so bursts are no different
from scattered errors. The seed is public and independent of the bits, and none of it is key.

Only NumPy's `SeedSequence`, which stays the same between versions, and integer arithmetic are used, so two ends with
different versions agree.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.words import fill_addresses, invert, mask_words, shuffle

N_LAYERS = 3
Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]


@dataclass(frozen=True)
class Frames:
    """How `n_bits` bits lie in frames of `frame_bits`, a multiple of 64; the last one may be filled up with zeros."""

    n_bits: int
    frame_bits: int

    @property
    def n_frames(self) -> int:
        """Frames of the block."""
        return -(-self.n_bits // self.frame_bits)

    @property
    def n_places(self) -> int:
        """Places of one layer, zeros included."""
        return self.n_frames * self.frame_bits

    @property
    def n_addresses(self) -> int:
        """Places of all three layers."""
        return N_LAYERS * self.n_places


def frame_bits_for(n_bits: int, most_bits: int) -> int:
    """The size of equal frames of at most `most_bits`, a multiple of 64, and 63 places more at most.

    >>> frame_bits_for(100_000, 2**17), frame_bits_for(2_000_000, 2**17), frame_bits_for(1, 2**17)
    (100032, 125056, 64)
    """
    n_frames = -(-n_bits // most_bits)
    return -(-n_bits // (64 * n_frames)) * 64


def _state(seed: int, stream: int, n_words: int) -> Words:
    state = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(n_words, np.uint64)
    return np.asarray(state, np.uint64)


@lru_cache(maxsize=2)
def permutations(seed: int, frame_bits: int) -> tuple[Places, Places]:
    """The order of layer 0, `first[place] = bit`, shape (place,), and how layers 1 and 2 lie to it, shape (4, place).

    `tables[layer - 1, place] = place in layer 0`, and `tables[layer + 1]` is the inverse. Those of two blocks are kept,
    so that two ends in one process share them.
    """
    first = np.empty(frame_bits, np.int32)
    tables = np.empty((4, frame_bits), np.int32)
    shuffle(_state(seed, 0, 4), first)
    for layer in (1, 2):
        shuffle(_state(seed, layer, 4), tables[layer - 1])
        invert(tables[layer - 1], tables[layer + 1])
    first.setflags(write=False)
    tables.setflags(write=False)
    return first, tables


def address_words(bits: Bits, frames: Frames, seed: int) -> Words:
    """The block at its addresses, shape (3 n_places / 64,), bit j in place j mod 64 of word j // 64."""
    first, tables = permutations(seed, frames.frame_bits)
    words = np.empty(frames.n_addresses // 64, np.uint64)
    fill_addresses(bits, first, tables[:2], words)
    return words


def mask_key(seed: int, index: int) -> np.uint64:
    """From what random mask number `index` follows."""
    return np.uint64(_state(seed, N_LAYERS + index, 1)[0])


def mask(seed: int, frames: Frames, index: int) -> Words:
    """Random mask number `index` for the places of layer 0, shape (n_places / 64,)."""
    return mask_words(mask_key(seed, index), frames.n_places // 64)
