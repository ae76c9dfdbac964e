"""Bob's side of LDPC reconciliation: he asks for syndromes, decodes, and asks for more where that fails."""

from collections.abc import Generator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.correction import Correction
from combmesh.distill.ldpc.decoder import FrameDecoder
from combmesh.distill.ldpc.frames import QBER_LEAST, QBER_MOST, Layout
from combmesh.distill.ldpc.messages import (
    GROUP,
    LdpcReply,
    LdpcRequest,
    LdpcSetup,
    RevealReply,
    RevealRequest,
    SyndromeReply,
    SyndromeRequest,
)
from combmesh.distill.ldpc.oracle import BlockParities
from combmesh.distill.ldpc.progress import Part, Progress
from combmesh.ground.errors import RunError

SWEEPS_FIRST = 80
SWEEPS_NEXT = 40
"""Most sweeps before and after a reveal."""
GROUP_LIFT = 16_384
"""Frames in flight times their lift: bounds the memory of their decoders by some 250 MB."""

Bits = NDArray[np.uint8]


Decoding = Generator[LdpcRequest, LdpcReply, Correction]


def decode(bits: Bits, setup: LdpcSetup, planned_qber: float) -> Decoding:
    """Bob's side: yields requests, is sent Alice's replies, and returns his corrected bits; `bits`: shape (bit,)."""
    ends = BlockDecoder(bits, setup, planned_qber)
    n_frames = ends.layout.n_frames
    size = min(GROUP, max(1, GROUP_LIFT // setup.lift))
    n_rounds = 0
    for first in range(0, n_frames, size):
        request: LdpcRequest | None = SyndromeRequest(first, min(size, n_frames - first))
        while request is not None:
            reply = yield request
            n_rounds += 1
            ends.take(request, reply)
            request = ends.next_reveal()
    errors = ends.errors()
    return Correction(bits ^ errors, int(errors.sum()), n_rounds)


class BlockDecoder:
    """What Bob knows of a block: the errors found, and the frames in flight."""

    def __init__(self, bits: Bits, setup: LdpcSetup, planned_qber: float) -> None:
        self.layout = Layout(bits.size, setup.lift)
        self._parities = BlockParities(bits, setup)
        self._progress = Progress(setup)
        self._qber = min(max(planned_qber, QBER_LEAST), QBER_MOST)
        self._seed = setup.seed
        self._known = self.layout.spread(np.zeros(bits.size, np.bool_), 1, setup.seed)
        self._found = np.zeros_like(self._parities.frames)
        self._open: dict[int, FrameDecoder] = {}

    def errors(self) -> Bits:
        """1 where Bob's bits differ from Alice's, as far as that has been found, shape (bit,)."""
        return self.layout.gathered(self._found, self._seed)

    def take(self, request: LdpcRequest, reply: LdpcReply) -> None:
        """Decode the frames that `reply` is about; those that fail stay open."""
        expected = SyndromeReply if isinstance(request, SyndromeRequest) else RevealReply
        parts = self._progress.take(request)
        n_parities = self._progress.size(parts)
        if not isinstance(reply, expected) or reply.packed.size != ceil(n_parities / 8):
            raise RunError(f"{n_parities} parities need {ceil(n_parities / 8)} bytes, but the reply has other ones.")
        differing = np.unpackbits(reply.packed, count=n_parities) ^ self._parities.of(parts)
        rows = differing.reshape(-1, self._parities.code.lift)
        for part in parts:
            n_rows = part.end - part.first + self._parities.code.n_rows * part.whole
            self._try(part, rows[:n_rows])
            rows = rows[n_rows:]

    def next_reveal(self) -> RevealRequest | None:
        """Ask for more of the open frames; None if there are none."""
        for k in self._open:
            if not self._progress.can_split(k):
                raise RunError(
                    f"Frame {k} does not decode with all its rows split: the error rate is far off its plan."
                )
        return RevealRequest(np.array(sorted(self._open), np.int32)) if self._open else None

    def _try(self, part: Part, differing: Bits) -> None:
        code = self._parities.code
        if part.whole:
            self._open[part.frame] = FrameDecoder(code, differing[: code.n_rows], self._known[part.frame], self._qber)
            differing = differing[code.n_rows :]
        frame = self._open[part.frame]
        frame.split(differing)
        errors = frame.decode(SWEEPS_FIRST if part.whole else SWEEPS_NEXT)
        if errors is not None:
            self._found[part.frame] = errors[:, : self.layout.used] & ~self._known[part.frame]
            del self._open[part.frame]
