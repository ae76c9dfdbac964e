"""Alice's side of Cascade: she answers questions about her bits, and asks none.

A question is one address, and its answer the parity of her bits from the start of the frame's layer up to that place
and with it: a parity of an interval. With the answer to the question before, Bob has the parity of what lies between.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.coding import decode
from combmesh.distill.cascade.orders import Frames, address_words, mask
from combmesh.distill.cascade.words import prefix_parities
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.ground.errors import RunError
from combmesh.ground.kernels import kernel

SPARE_QUESTIONS = 1024
MASKS_OPEN = 32
"""Masks whose parities Alice keeps; older ones are closed."""

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]


def question_limit(n_bits: int) -> int:
    """Alice answers no more questions than this for a block: beyond n there is no key anyway."""
    return n_bits + SPARE_QUESTIONS


def mask_limit(n_bits: int) -> int:
    """Masks that a block may need at most: a few for each pattern of errors that the three layers leave."""
    return 4096 + n_bits // 1000


class ParityOracle:
    """Alice's side of one block; `bits`: shape (bit,)."""

    def __init__(self, bits: Bits, setup: CascadeSetup) -> None:
        if setup.n_bits != bits.size:
            raise RunError(f"`n_bits` of the setup must be {bits.size}, but is {setup.n_bits}.")
        self._frames = Frames(bits.size, setup.frame_bits)
        self._seed = setup.seed
        words = address_words(bits, self._frames, setup.seed)
        n_segment = setup.frame_bits // 64
        self._first_layer = words.reshape(-1, 3, n_segment)[:, 0].ravel()
        self._prefixes = prefix_parities(words, n_segment)
        self._masks: dict[int, Words] = {}
        self.n_answered = 0

    def answer(self, request: ParityRequest) -> ParityReply:
        """The parities that `request` asks for; refuses what is out of range or too much."""
        limit = question_limit(self._frames.n_bits)
        if self.n_answered + request.n_questions > limit:
            raise RunError(f"A block of {self._frames.n_bits} bits allows {limit} questions, and Bob asks for more.")
        replies = look_up(self._prefixes, request.coded, request.n_questions, self._frames.n_addresses)
        if replies.size == 0:
            replies = self._answer_masks(request)
        self.n_answered += request.n_questions
        return ParityReply(replies)

    def _answer_masks(self, request: ParityRequest) -> Bits:
        n_all = self._frames.n_addresses + mask_limit(self._frames.n_bits) * self._frames.n_places
        addresses = decode(request.coded, request.n_questions, n_all)
        if addresses.size != request.n_questions:
            raise RunError(f"`coded` must hold {request.n_questions} addresses in [0, {n_all}), but does not.")
        return np.packbits(np.array([self._parity(int(address)) for address in addresses], np.uint8))

    def _parity(self, address: int) -> int:
        n_plain = self._frames.n_addresses
        if address < n_plain:
            return int(self._prefixes[address // 64] >> np.uint64(address % 64)) & 1
        index, place = divmod(address - n_plain, self._frames.n_places)
        return int(self._mask(index)[place // 64] >> np.uint64(place % 64)) & 1

    def _mask(self, index: int) -> Words:
        prefixes = self._masks.get(index)
        if prefixes is None:
            newest = max(self._masks, default=-1)
            if index <= newest:
                raise RunError(f"A question is about mask {index}, but that is closed since mask {newest}.")
            masked = self._first_layer & mask(self._seed, self._frames, index)
            prefixes = prefix_parities(masked, masked.size)
            if len(self._masks) == MASKS_OPEN:
                del self._masks[min(self._masks)]
            self._masks[index] = prefixes
        return prefixes


@kernel
def look_up(words: Words, coded: Bits, n_questions: int, end: int) -> Bits:
    """Bits of `words` at the addresses asked about, packed, the first one highest; empty if one is not below `end`."""
    addresses = decode(coded, n_questions, end)
    out = np.zeros((addresses.size + 7) >> 3, np.uint8)
    for q in range(addresses.size):
        a = addresses[q]
        bit = (words[a >> 6] >> np.uint64(a & 63)) & np.uint64(1)
        out[q >> 3] |= np.uint8(bit << np.uint64(7 - (q & 7)))
    return out
