"""What the two ends say to each other in LDPC reconciliation; all of it is public.

Bob's part is the choice of the code, made before he sees anything of Alice's, and which frames did not decode. As with
Cascade the channel must be authenticated.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.checks import check_int, freeze
from combmesh.distill.ldpc.code import LADDER, LIFT_LEAST, LIFT_MOST, LIFT_STEP
from combmesh.ground.errors import InputError

GROUP = 64
"""At most so many frames in one message."""


@dataclass(frozen=True)
class LdpcSetup:
    """Bob begins: the public seed (128 bits) of the interleaver, the block's length, the code, and rows split at once.

    `lift`: bits and checks of a block column and a block row. `code`: its place in the ladder. `n_split`: rows whose
    two halves are both sent in the first syndrome.
    """

    seed: int
    n_bits: int
    lift: int
    code: int
    n_split: int

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0, 2**128 - 1)
        check_int("n_bits", self.n_bits, 1, 2**31 - 2)
        check_int("lift", self.lift, LIFT_LEAST, LIFT_MOST)
        if self.lift % LIFT_STEP:
            raise InputError(f"`lift` must be a multiple of {LIFT_STEP}, but is {self.lift}.")
        check_int("code", self.code, 0, len(LADDER) - 1)
        check_int("n_split", self.n_split, 0, LADDER[self.code])


@dataclass(frozen=True)
class SyndromeRequest:
    """Bob asks for the syndromes of `n_frames` frames from `first` on: each once, in their order."""

    first: int
    n_frames: int

    def __post_init__(self) -> None:
        check_int("first", self.first, 0, 2**31 - 2)
        check_int("n_frames", self.n_frames, 1, GROUP)


@dataclass(frozen=True, eq=False)
class SyndromeReply:
    """Parities by frame, row and check, packed with the first in the highest place; of split rows the first half last.

    In each frame first the parities of all whole rows, then those of the first halves of the split ones.
    """

    packed: NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        freeze(self, "packed", np.uint8)


@dataclass(frozen=True, eq=False)
class RevealRequest:
    """These `frames`, ascending, int32, shape (frame,), did not decode: Bob asks for the next rows to split."""

    frames: NDArray[np.int32] = field(repr=False)

    def __post_init__(self) -> None:
        freeze(self, "frames", np.int32)
        if not 0 < self.frames.size <= GROUP:
            raise InputError(f"`frames` must have 1 to {GROUP} entries, but has {self.frames.size}.")
        if self.frames[0] < 0 or (np.diff(self.frames.astype(np.int64)) <= 0).any():
            raise InputError("`frames` must ascend from 0 or above, but does not.")


@dataclass(frozen=True, eq=False)
class RevealReply:
    """The first halves' parities of the next rows, by frame, row and check, packed like a `SyndromeReply`."""

    packed: NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        freeze(self, "packed", np.uint8)


LdpcRequest = SyndromeRequest | RevealRequest
LdpcReply = SyndromeReply | RevealReply
