"""Bob's book of a block: a thin hull around the compiled loops, which grows its arrays."""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade import marks
from combmesh.distill.cascade.orders import Frames, address_words, permutations
from combmesh.distill.cascade.schedule import Schedule, block_sizes
from combmesh.distill.cascade.waves import advance
from combmesh.distill.cascade.weights import odd_matters, odds_of_grades
from combmesh.distill.cascade.words import flip_all
from combmesh.distill.messages import ParityRequest
from combmesh.ground.errors import RunError

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]
Addresses = NDArray[np.int64]
SPARE_NODES = 256
NO_REPLIES = np.empty(0, np.uint8)


class Bookkeeper:
    """What Bob knows of a block: his `bits`, shape (bit,), and which intervals differ in parity from Alice's."""

    def __init__(self, bits: Bits, frames: Frames, seed: int, planned_qber: float, schedule: Schedule) -> None:
        self.frames = frames
        self._bits = bits
        self._first, self._tables = permutations(seed, frames.frame_bits)
        sizes = block_sizes(frames.frame_bits, planned_qber, schedule)
        words = address_words(bits, frames, seed)
        self._maps = np.zeros((words.size + 1, 6), np.uint64)
        self._maps[:-1, marks.TEXT] = words
        self._maps[:: frames.frame_bits // 64, marks.BEGINS] = 1
        self._heap = _new_heap(frames, sizes, planned_qber, schedule)
        self._grades = np.zeros(frames.n_addresses if schedule.weighted else 1, np.uint8)
        self._odds = odds_of_grades(planned_qber)
        shape = (3, frames.n_frames * int(self._heap[marks.MOST]))
        self._waves = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self._bounds = np.zeros(frames.n_frames + 1, np.int32)

    @property
    def n_flips(self) -> int:
        """Bits flipped so far, each one an error."""
        return int(self._heap[marks.N_FLIPS])

    @property
    def first_layer(self) -> Words:
        """The bits as corrected so far, at the places of layer 0, shape (word,)."""
        return self._of_first_layer(marks.TEXT)

    def text(self) -> Bits:
        """The bits as corrected so far, in their own order, shape (bit,)."""
        bits = self._bits.copy()
        if not flip_all(bits, self._of_first_layer(marks.FLIPPED), self._first):
            raise RunError("Alice's parities contradict each other.")
        return bits

    def advance(self, replies: Bits) -> ParityRequest | None:
        """Take Alice's parities of the last wave, and return the next request; None once all is even."""
        while True:
            self._make_room(replies.size + self.frames.n_frames)
            last, wave = self._waves
            book = (self._maps, self._heap, self._grades, self._tables, self._odds)
            coded = advance(*book, last, self._bounds, replies, wave)
            self._waves = wave, last
            if self._heap[marks.CLASH]:
                raise RunError("Alice's parities contradict each other.")
            if n_questions := int(self._bounds[-1]):
                return ParityRequest(n_questions, coded)
            if self._heap[marks.ROOM] >= marks.FLIP_ROOM:
                return None
            replies = NO_REPLIES

    def flip_places(self, places: Addresses) -> None:
        """Correct errors found otherwise, at places of layer 0, shape (error,)."""
        self._make_room(marks.FLIP_ROOM * places.size)
        for at in places:
            marks.flip(self._maps, self._heap, self._grades, self._tables, *divmod(int(at), self.frames.frame_bits))

    def _of_first_layer(self, kind: int) -> Words:
        n_segment = self.frames.frame_bits // 64
        return self._maps[:-1, kind].reshape(-1, 3, n_segment)[:, 0].ravel()

    def _make_room(self, n_new: int) -> None:
        """Free nodes for `n_new` intervals more in lists, and some for what flips bring."""
        short = n_new + SPARE_NODES - int(self._heap[marks.ROOM])
        if short > 0:
            self._heap = _grown(self._heap, max(short, self._heap.size // 2))


def _new_heap(frames: Frames, sizes: tuple[int, int, int], planned_qber: float, schedule: Schedule) -> Places:
    heap = np.zeros(marks.HEADER + marks.FRAME * frames.n_frames, np.int32)
    heap[marks.FREE] = -1
    heap[marks.N_FRAMES] = frames.n_frames
    heap[marks.MOST] = frames.frame_bits // sizes[0] + 2
    heap[marks.LANES] = max(1, frames.frame_bits // schedule.bits_a_lane)
    heap[marks.SHARE] = schedule.share
    heap[marks.WEIGHTED] = schedule.weighted
    heap[marks.ODD_MATTERS] = odd_matters(planned_qber)
    heap[marks.SIZES : marks.SIZES + 3] = sizes
    heap[marks.HEADER :].reshape(-1, marks.FRAME)[:, : marks.N_CLASSES] = -1
    return heap


def _grown(heap: Places, n_more: int) -> Places:
    """The heap with free nodes added, each pointing to the next."""
    more = np.empty((n_more, 2), np.int32)
    more[:, 1] = np.arange(1, n_more + 1) * 2 + heap.size
    more[-1, 1] = heap[marks.FREE]
    grown = np.concatenate([heap, more.ravel()])
    grown[marks.FREE] = heap.size
    grown[marks.ROOM] += n_more
    return grown
