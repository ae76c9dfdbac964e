"""Bob's side of Cascade: he asks, corrects, and ends once random masks agree."""

import secrets
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.book import Bookkeeper
from combmesh.distill.cascade.coding import encode
from combmesh.distill.cascade.masks import Masks
from combmesh.distill.cascade.orders import Frames, frame_bits_for
from combmesh.distill.cascade.schedule import ScheduleName, schedule_named
from combmesh.distill.correction import Correction
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.ground.errors import RunError

Bits = NDArray[np.uint8]
Addresses = NDArray[np.int64]


Search = Generator[ParityRequest, Bits, Correction]
Part = Generator[ParityRequest, Bits, int]
"""A part of the search; returns its number of requests."""


def draw_setup(n_bits: int, schedule: ScheduleName = "fast") -> CascadeSetup:
    """A public seed from the operating system, for one block, and its frames."""
    frame_bits = frame_bits_for(n_bits, schedule_named(schedule).most_frame_bits)
    return CascadeSetup(secrets.randbits(128), n_bits, frame_bits)


def unpack_reply(request: ParityRequest, reply: ParityReply) -> Bits:
    """The parities in `reply`, shape (question,); refuses another number than asked for."""
    n_bytes = (request.n_questions + 7) // 8
    if reply.packed.size != n_bytes:
        raise RunError(f"{request.n_questions} questions need {n_bytes} bytes, but have {reply.packed.size}.")
    return np.unpackbits(reply.packed, count=request.n_questions)


def search(bits: Bits, setup: CascadeSetup, planned_qber: float, schedule: ScheduleName = "fast") -> Search:
    """Bob's side: yields requests, is sent Alice's parities, and returns his corrected bits; `bits`: shape (bit,)."""
    frames = Frames(bits.size, setup.frame_bits)
    book = Bookkeeper(bits, frames, setup.seed, planned_qber, schedule_named(schedule))
    masks = Masks(book, setup.seed)
    n_rounds = yield from _settle(book)
    while (addresses := masks.next_questions()).size:
        masks.take((yield _request(addresses)))
        n_rounds += 1
        while (addresses := masks.halves()).size:
            masks.take_halves((yield _request(addresses)))
            n_rounds += 1
        n_rounds += yield from _settle(book)
    return Correction(book.text(), book.n_flips, n_rounds)


def _request(addresses: Addresses) -> ParityRequest:
    return ParityRequest(addresses.size, encode(addresses))


def _settle(book: Bookkeeper) -> Part:
    """Open what is not open yet, and halve odd intervals until none is left."""
    n_rounds = 0
    replies = np.empty(0, np.uint8)
    while (request := book.advance(replies)) is not None:
        replies = yield request
        n_rounds += 1
    return n_rounds
