r"""Random masks: they find what the three layers left, and end the correction.

A mask picks half of the places of a block at random, so a pattern of errors that is left makes its parity odd with
probability 1/2. First Bob asks for a few masks frame by frame; a frame with an odd one is halved under that mask down
to an error. Once all are even, he asks for masks of the whole block until `N_EVEN_MASKS` in a row are even: a pattern
that is left passes them with probability 2^-20, and the verification hash stands behind them.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.book import Bookkeeper
from combmesh.distill.cascade.oracle import mask_limit
from combmesh.distill.cascade.orders import mask, mask_key
from combmesh.distill.cascade.words import masked_parities, parity
from combmesh.ground.errors import RunError

N_EVEN_MASKS = 20
FRAME_MASKS = 4
FIRST_MASKS = 4
NO_QUESTIONS = np.empty(0, np.int64)

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Addresses = NDArray[np.int64]


class Masks:
    """The questions about masks, and the halving of what is odd under one."""

    def __init__(self, book: Bookkeeper, seed: int) -> None:
        self._book = book
        self._seed = seed
        self._n_asked = 0
        self._by_frame = book.frames.n_frames > 1
        self._n_even = 0
        self._open: list[_Half] = []
        self._ends = NO_QUESTIONS

    def next_questions(self) -> Addresses:
        """The addresses of the next masks; none once enough in a row were even."""
        if self._n_even >= N_EVEN_MASKS:
            return NO_QUESTIONS
        if self._by_frame:
            n_masks = FRAME_MASKS
            ends = np.arange(1, self._book.frames.n_frames + 1, dtype=np.int64) * self._book.frames.frame_bits - 1
        else:
            n_masks = FIRST_MASKS if self._n_even == 0 else N_EVEN_MASKS - self._n_even
            ends = np.array([self._book.frames.n_places - 1], np.int64)
        if self._n_asked + n_masks > mask_limit(self._book.frames.n_bits):
            raise RunError(f"After {self._n_asked} random masks the strings still differ.")
        indices = np.arange(self._n_asked, self._n_asked + n_masks)
        self._n_asked += n_masks
        self._ends = ends
        return (self._base(indices)[:, np.newaxis] + ends).ravel()

    def take(self, replies: Bits) -> None:
        """Note Alice's parities at the ends of frames, or of the block, under the masks asked about."""
        alice = replies.reshape(-1, self._ends.size)
        first = self._n_asked - len(alice)
        ours = self._book.first_layer
        found = np.zeros(self._ends.size, bool)
        for row, answers in enumerate(alice):
            odd_up_to = answers ^ masked_parities(ours, mask_key(self._seed, first + row), self._ends)
            odd = np.diff(odd_up_to, prepend=0) != 0
            if (odd & ~found).any():
                masked = ours & mask(self._seed, self._book.frames, first + row)
                for part in np.flatnonzero(odd & ~found):
                    start = int(self._ends[part - 1]) + 1 if part else 0
                    before = int(answers[part - 1]) if part else 0
                    self._open.append(_Half(first + row, masked, start, int(self._ends[part]) + 1, before))
                found |= odd
        if not self._by_frame:
            self._n_even = 0 if found.any() else self._n_even + len(alice)
        elif not found.any():
            self._by_frame = False

    def halves(self) -> Addresses:
        """The addresses that halve what is odd; none, and the errors corrected, once it is down to single places."""
        if self._open and self._open[0].end - self._open[0].start == 1 and all(h.single for h in self._open):
            self._book.flip_places(np.array(sorted({h.start for h in self._open}), np.int64))
            self._open = []
        asked = [h for h in self._open if not h.single]
        return np.array([int(self._base(h.index)) + h.middle - 1 for h in asked], np.int64)

    def take_halves(self, replies: Bits) -> None:
        """Note Alice's parities at the middles."""
        for half, reply in zip([h for h in self._open if not h.single], replies, strict=True):
            half.take(int(reply))

    def _base(self, indices: NDArray[np.int64] | int) -> Addresses:
        frames = self._book.frames
        return np.asarray(frames.n_addresses + np.asarray(indices, np.int64) * frames.n_places)


class _Half:
    """An odd interval [start, end) under one mask, and Alice's prefix parity before it."""

    def __init__(self, index: int, masked: Words, start: int, end: int, before: int) -> None:
        self.index = index
        self._masked = masked
        self.start = start
        self.end = end
        self._before = before

    @property
    def middle(self) -> int:
        return (self.start + self.end) // 2

    @property
    def single(self) -> bool:
        return self.end - self.start == 1

    def take(self, alice: int) -> None:
        """Keep the odd half, given Alice's prefix parity at the middle."""
        middle = self.middle
        if alice ^ self._before ^ parity(self._masked, self.start, middle):
            self.end = middle
        else:
            self.start, self._before = middle, alice
