"""Bob's book of parities: a thin hull around the compiled loops, which grows its arrays."""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import cascade_layers as orders
from combmesh.distill.cascade_kernels import (
    BEGINS,
    FREE,
    N_CLASSES,
    N_FLIPS,
    N_OPEN,
    NEXT,
    Book,
    flip_singles,
    open_intervals,
    parities,
    plan_wave,
    split_intervals,
)
from combmesh.distill.messages import ParityRequest
from combmesh.ground.errors import RunError

Bits = NDArray[np.uint8]
Places = NDArray[np.int32]


class Bookkeeper:
    """What Bob knows of a block: his `bits`, shape (bit,), and which intervals differ in parity from Alice's."""

    def __init__(self, bits: Bits, seed: int) -> None:
        self.n_bits = bits.size
        self._seed = seed
        self._n_intervals = 0
        self._even_masks = np.empty((0, orders.n_words(bits.size)), np.uint64)
        self._book = _new_book(bits, seed)

    @property
    def n_layers(self) -> int:
        """Layers so far, with the masks."""
        return len(self._book.words) + len(self._even_masks)

    @property
    def n_flips(self) -> int:
        """Bits flipped so far, each one an error."""
        return int(self._book.counts[N_FLIPS])

    def text(self) -> Bits:
        """The bits as corrected so far, in their own order, shape (bit,)."""
        return orders.unpack(self._book.words[0], self.n_bits)[self._book.place0]

    def open_blocks(self, layers: Places, starts: Places, ends: Places, replies: Bits) -> None:
        """Begin the blocks of one pass; a block without reply is the last, and odd if that makes the total even."""
        odds = parities(self._book.words, self.n_bits, layers, starts, ends)
        odds[: replies.size] ^= replies
        if replies.size < odds.size:
            odds[-1] = np.bitwise_xor.reduce(odds[:-1])
        self._open(layers, starts, ends, odds, 1)

    def ask_masks(self, n_masks: int) -> ParityRequest:
        """The request for the parities of the next random masks."""
        layers = np.arange(self.n_layers, self.n_layers + n_masks, dtype=np.int32)
        return ParityRequest(layers, np.zeros_like(layers), np.full_like(layers, self.n_bits))

    def take_masks(self, request: ParityRequest, replies: Bits) -> int:
        """Note Alice's parities of masks; returns how many are odd.

        Masks become layers only once one is odd: before that nothing flips, so nothing changes their parity.
        """
        masks = np.stack([orders.mask(self._seed, self.n_bits, int(layer)) for layer in request.layers])
        masked = masks & self._book.words[0]
        rows = np.arange(len(masks), dtype=np.int32)
        odds = parities(masked, self.n_bits, rows, request.starts, request.ends) ^ replies
        n_even = len(self._even_masks)
        masks = np.concatenate([self._even_masks, masks])
        if odds.any():
            self._even_masks = masks[:0]
            self._add_layers(masks, np.concatenate([np.zeros(n_even, np.uint8), odds]))
        else:
            self._even_masks = masks
        return int(np.count_nonzero(odds))

    def plan(self, share: float) -> Places | None:
        """Flip the bits that are known to be wrong, then the intervals to halve next, or None if all are even.

        Shape (4, question): layer, start, middle, end.
        """
        if not flip_singles(self._book):
            raise RunError("Alice's parities contradict each other.")
        wave = plan_wave(self._book, share)
        return wave if wave.size else None

    def split(self, wave: Places, replies: Bits) -> None:
        """Halve the intervals of a wave, given Alice's parities of the left halves."""
        self._make_room(replies.size)
        split_intervals(self._book, wave, replies)

    def _add_layers(self, masks: NDArray[np.uint64], odds: Bits) -> None:
        old = self._book
        layers = np.arange(len(old.words), len(old.words) + len(masks), dtype=np.int32)
        self._book = old._replace(
            words=np.concatenate([old.words, masks & old.words[0]]),
            masks=np.concatenate([old.masks, masks]),
            marks=np.concatenate([old.marks, _blank_marks(len(masks), self.n_bits)]),
        )
        self._open(layers, np.zeros_like(layers), np.full_like(layers, self.n_bits), odds, len(masks))

    def _open(self, layers: Places, starts: Places, ends: Places, odds: Bits, n_layers: int) -> None:
        self._book.counts[N_OPEN] += n_layers
        self._make_room(layers.size)
        open_intervals(self._book, layers, starts, ends, odds)

    def _make_room(self, n_new: int) -> None:
        """One node for each interval, since an interval waits in one list at most."""
        self._n_intervals += n_new
        old = self._book
        n_old = len(old.nodes)
        if self._n_intervals <= n_old:
            return
        more = np.zeros((self._n_intervals, 3), np.int32)
        more[:, NEXT] = np.arange(n_old + 1, n_old + len(more) + 1)
        more[-1, NEXT] = old.counts[FREE]
        old.counts[FREE] = n_old
        self._book = old._replace(nodes=np.concatenate([old.nodes, more]))


def _blank_marks(n_layers: int, n_bits: int) -> NDArray[np.uint64]:
    """Nothing known but where a block begins and ends, shape (layer, word, 3)."""
    marks = np.zeros((n_layers, orders.n_words(n_bits), 3), np.uint64)
    marks[:, 0, BEGINS] |= np.uint64(1)
    marks[:, n_bits // 64, BEGINS] |= np.uint64(1 << n_bits % 64)
    return marks


def _new_book(bits: Bits, seed: int) -> Book:
    words = orders.order_words(bits, seed)
    pairs = [orders.permutation(seed, bits.size, layer) for layer in range(orders.N_ORDERS)]
    (order0, place0), (order1, place1), (order2, place2) = pairs
    return Book(
        words=words,
        masks=np.full_like(words, 2**64 - 1),
        marks=_blank_marks(len(words), bits.size),
        order0=order0,
        place0=place0,
        order1=order1,
        place1=place1,
        order2=order2,
        place2=place2,
        flipped=np.zeros_like(words[0]),
        heads=np.full(N_CLASSES, -1, np.int64),
        nodes=np.full((1, 3), -1, np.int32),
        counts=np.zeros(4, np.int64),
    )
