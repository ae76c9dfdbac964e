"""Alice's side of LDPC reconciliation: she sends the syndrome of each frame once, and splits rows where Bob asks."""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.ldpc.code import N_COLUMNS, Code
from combmesh.distill.ldpc.frame_kernels import half_parities
from combmesh.distill.ldpc.frames import Layout, check_size, code_of
from combmesh.distill.ldpc.messages import (
    LdpcReply,
    LdpcRequest,
    LdpcSetup,
    RevealReply,
    SyndromeReply,
    SyndromeRequest,
)
from combmesh.distill.ldpc.progress import Part, Progress
from combmesh.ground.errors import RunError

Bits = NDArray[np.uint8]


class BlockParities:
    """The parities of one end's `bits`, shape (bit,), by frame."""

    def __init__(self, bits: Bits, setup: LdpcSetup) -> None:
        if setup.n_bits != bits.size:
            raise RunError(f"`n_bits` of the setup must be {bits.size}, but is {setup.n_bits}.")
        check_size(setup)
        self.code: Code = code_of(setup)
        self.frames = Layout(bits.size, setup.lift).spread(bits, 0, setup.seed)

    def of(self, parts: tuple[Part, ...]) -> Bits:
        """The parities of `parts`, one after the other, shape (parity,)."""
        found = []
        for part in parts:
            halves = self._halves(part.frame)
            if part.whole:
                found.append((halves[:, 0] ^ halves[:, 1]).ravel())
            found.append(halves[part.first : part.end, 0].ravel())
        return np.concatenate(found)

    def _halves(self, frame: int) -> Bits:
        filled = np.zeros((N_COLUMNS, self.code.lift), np.uint8)
        filled[:, : self.frames.shape[2]] = self.frames[frame]
        return half_parities(filled, self.code.begins, self.code.columns, self.code.shifts)


class SyndromeOracle:
    """Alice's side of one block; `bits`: shape (bit,). `progress` counts what she has sent."""

    def __init__(self, bits: Bits, setup: LdpcSetup) -> None:
        self._parities = BlockParities(bits, setup)
        self.progress = Progress(setup)

    def answer(self, request: LdpcRequest) -> LdpcReply:
        """The parities that `request` asks for; refuses what has been sent, is out of order or does not exist."""
        packed = np.packbits(self._parities.of(self.progress.take(request)))
        return SyndromeReply(packed) if isinstance(request, SyndromeRequest) else RevealReply(packed)
