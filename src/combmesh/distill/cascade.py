r"""Cascade in three passes with every disclosed parity reused, then random masks.

Brassard and Salvail (1994) with the block sizes and the reuse of Martinez-Mateo et al., QIC 15, 453 (2015), further:
pass 0 has blocks with $(1-2Q)^{k_1} \approx 0.14$, so a block is odd with probability near 0.43 and its parity is
worth nearly a bit; pass 1 has $k_2 = 4 k_1$, pass 2 large blocks. In each wave Bob asks for the left halves of the
smallest odd intervals of all passes. The parity of the last block of a pass after the first is free: all known
parities agree by then, so the total does. At the end, parities of random masks until `N_EVEN_MASKS` in a row are
even: a pattern of errors that is left passes them with probability 2^-20, and the verification hash stands behind
them.

An odd interval of one bit is an error for certain, so the errors only become fewer, and the search ends. Parities that
contradict each other would flip a bit twice, which stops it.
"""

import secrets
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import cascade_layers as orders
from combmesh.distill.cascade_book import Bookkeeper
from combmesh.distill.cascade_kernels import parities
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.ground.errors import RunError

N_EVEN_MASKS = 20
FIRST_MASKS = 4
N_LAYERS_MAX = 259
SPARE_QUESTIONS = 1024
WAVE_SHARE = 1 / 16
"""A wave takes whole classes of size, smallest first, up to this share of the odd intervals: fewer rounds, same f."""

Bits = NDArray[np.uint8]


def draw_setup(n_bits: int) -> CascadeSetup:
    """A public seed from the operating system, for one block."""
    return CascadeSetup(secrets.randbits(128), n_bits)


def question_limit(n_bits: int) -> int:
    """Alice answers no more questions than this for a block: beyond n there is no key anyway."""
    return n_bits + SPARE_QUESTIONS


class ParityOracle:
    """Alice's side: she answers questions about her `bits`, shape (bit,), and asks none."""

    def __init__(self, bits: Bits, setup: CascadeSetup) -> None:
        if setup.n_bits != bits.size:
            raise RunError(f"`n_bits` of the setup must be {bits.size}, but is {setup.n_bits}.")
        self._seed = setup.seed
        self._n_bits = bits.size
        self._words = orders.order_words(bits, setup.seed)
        self.n_answered = 0

    def answer(self, request: ParityRequest) -> ParityReply:
        """The parities that `request` asks for; refuses what is out of range or too much."""
        n_questions = request.layers.size
        limit = question_limit(self._n_bits)
        if self.n_answered + n_questions > limit:
            raise RunError(f"A block of {self._n_bits} bits allows {limit} questions, and Bob asks for more.")
        self._open_masks(int(request.layers.max()))
        replies = parities(self._words, self._n_bits, request.layers, request.starts, request.ends)
        if replies.size != n_questions:
            raise RunError(f"Every question must lie in a layer and in [0, {self._n_bits}), but one does not.")
        self.n_answered += n_questions
        return ParityReply(np.packbits(replies))

    def _open_masks(self, layer: int) -> None:
        n_layers = len(self._words)
        if layer < n_layers:
            return
        if layer >= min(N_LAYERS_MAX, n_layers + N_EVEN_MASKS):
            raise RunError(f"A question is about layer {layer}, but {n_layers} are in use.")
        masked = [self._words[0] & orders.mask(self._seed, self._n_bits, k) for k in range(n_layers, layer + 1)]
        self._words = np.concatenate([self._words, masked])


@dataclass(frozen=True, eq=False, repr=False)
class Correction:
    """Bob's bits after the correction, shape (bit,), how many he flipped, and how many messages he sent."""

    bits: Bits
    n_errors: int
    n_rounds: int


Search = Generator[ParityRequest, Bits, Correction]


def unpack_reply(request: ParityRequest, reply: ParityReply) -> Bits:
    """The parities in `reply`, shape (question,); refuses another number than asked for."""
    n_questions = request.layers.size
    if reply.packed.size != (n_questions + 7) // 8:
        raise RunError(f"{n_questions} questions need {(n_questions + 7) // 8} bytes, but have {reply.packed.size}.")
    return np.unpackbits(reply.packed, count=n_questions)


def search(bits: Bits, setup: CascadeSetup, planned_qber: float) -> Search:
    """Bob's side: yields requests, is sent Alice's parities, and returns his corrected bits; `bits`: shape (bit,)."""
    book = Bookkeeper(bits, setup.seed)
    n_rounds = 0
    for layer, size in enumerate(orders.block_sizes(bits.size, planned_qber)):
        n_rounds += yield from _open_blocks(book, layer, size)
        n_rounds += yield from _settle(book)
    n_even = 0
    while n_even < N_EVEN_MASKS:
        n_masks = FIRST_MASKS if n_even == 0 else N_EVEN_MASKS - n_even
        if book.n_layers + n_masks > N_LAYERS_MAX:
            raise RunError(f"After {N_LAYERS_MAX - 3} random masks the strings still differ.")
        request = book.ask_masks(n_masks)
        n_odd = book.take_masks(request, (yield request))
        n_even = 0 if n_odd else n_even + n_masks
        n_rounds += 1 + (yield from _settle(book))
    return Correction(book.text(), book.n_flips, n_rounds)


Part = Generator[ParityRequest, Bits, int]
"""A part of the search; returns its number of requests."""


def _open_blocks(book: Bookkeeper, layer: int, size: int) -> Part:
    """The parities of all blocks of one pass, the last one free after the first pass."""
    starts = np.arange(0, book.n_bits, size, dtype=np.int32)
    ends = np.append(starts[1:], np.int32(book.n_bits))
    layers = np.full(starts.size, layer, np.int32)
    n_asked = starts.size - (layer > 0)
    replies = np.empty(0, np.uint8)
    if n_asked:
        replies = yield ParityRequest(layers[:n_asked], starts[:n_asked], ends[:n_asked])
    book.open_blocks(layers, starts, ends, replies)
    return int(n_asked > 0)


def _settle(book: Bookkeeper) -> Part:
    """Halve odd intervals until none is left."""
    n_rounds = 0
    while (wave := book.plan(WAVE_SHARE)) is not None:
        replies = yield ParityRequest(*wave[:3])
        book.split(wave, replies)
        n_rounds += 1
    return n_rounds
