"""How the bits of a block lie in frames, and how many parities of a frame are sent.

Bit i goes to frame i mod n_frames, so a burst is shared by all frames, and within a frame to a random place, the same
for all frames. A frame that does not fill its code is *shortened*: the last places of each block column are zeros that
both users know. That costs time, and a little efficiency where much is shortened: below some 4.4e4 bits.
"""

import secrets
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.ldpc.code import LADDER, LIFT_LEAST, LIFT_MOST, LIFT_STEP, N_COLUMNS, Code, build
from combmesh.distill.ldpc.frame_kernels import shuffle
from combmesh.distill.ldpc.messages import LdpcSetup
from combmesh.ground.errors import InputError, check_range
from combmesh.protocol.mdi.bounds import binary_entropy

FRAME_BITS = 100_096
"""Frames are near this size: 256 bits in each block column."""
FIRST_QBER = (0.005, 0.01, 0.017, 0.03, 0.05, 0.08, 0.11)
FIRST_F = {
    "one-shot": (1.30, 1.19, 1.148, 1.14, 1.12, 1.115, 1.10),
    "reveals": (1.20, 1.13, 1.095, 1.08, 1.07, 1.075, 1.075),
}
"""First syndrome over n h(planned QBER): nearly all frames decode, or half of them take a reveal or two."""
QBER_LEAST, QBER_MOST = 0.002, 0.2

Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """`n_bits` bits in `n_frames` frames of `frame_bits`, `used` of the `lift` places of each block column."""

    n_bits: int
    lift: int

    @property
    def n_frames(self) -> int:
        """Frames of the block."""
        return -(-self.n_bits // (N_COLUMNS * self.lift))

    @property
    def frame_bits(self) -> int:
        """Places of a frame for bits, the last of which may be empty."""
        return -(-self.n_bits // self.n_frames)

    @property
    def used(self) -> int:
        """Places of a block column that are not shortened in every frame."""
        return -(-self.frame_bits // N_COLUMNS)

    @property
    def n_places(self) -> int:
        """Places of a frame that are not shortened, empty ones included."""
        return self.used * N_COLUMNS

    def spread(self, values: NDArray[np.generic], fill: int, seed: int) -> NDArray[np.generic]:
        """The `values` of the block, shape (bit,), in frames, shape (frame, column, used); `fill` where empty."""
        padded = np.full(self.frame_bits * self.n_frames, fill, values.dtype)
        padded[: self.n_bits] = values
        places = np.full((self.n_frames, self.n_places), fill, values.dtype)
        places[:, : self.frame_bits] = padded.reshape(self.frame_bits, self.n_frames).T
        return places[:, permutation(seed, self.n_places)[0]].reshape(self.n_frames, N_COLUMNS, self.used)

    def gathered(self, frames: Bits, seed: int) -> Bits:
        """The block, shape (bit,), from its frames, shape (frame, column, used)."""
        places = frames.reshape(self.n_frames, self.n_places)[:, permutation(seed, self.n_places)[1]]
        return places[:, : self.frame_bits].T.reshape(-1)[: self.n_bits].copy()


@lru_cache(maxsize=2)
def permutation(seed: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """A random order of a frame's places and its inverse, shape (place,)."""
    order = np.empty(size, np.int32)
    place = np.empty_like(order)
    shuffle(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0], order, place)
    return order, place


def choose_setup(n_bits: int, planned_qber: float, first: str = "reveals") -> LdpcSetup:
    """The code for a block, with a public seed from the operating system.

    `first`: "one-shot" or "reveals", how much to send before Bob has tried, see `FIRST_F`.
    """
    check_range("planned_qber", planned_qber, low=0.0, high=0.49)
    if first not in FIRST_F:
        raise InputError(f"`first` must be one of {', '.join(FIRST_F)}, but is {first!r}.")
    qber = min(max(planned_qber, QBER_LEAST), QBER_MOST)
    f_first = float(np.interp(qber, FIRST_QBER, FIRST_F[first]))
    n_frames = max(1, round(n_bits / FRAME_BITS))
    frame_bits = -(-n_bits // n_frames)
    lift, n_rows = _choose_lift(frame_bits, f_first * float(binary_entropy(qber)) * frame_bits)
    code = LADDER.index(min(n_rows, LADDER[-1]))
    setup = LdpcSetup(secrets.randbits(128), n_bits, lift, code, n_rows - LADDER[code])
    check_size(setup)
    return setup


def _choose_lift(frame_bits: int, parities: float) -> tuple[int, int]:
    """Lift and rows of about as many parities, no more: of the four least lifts, a larger one if it fits better."""
    least = max(-(-frame_bits // (N_COLUMNS * LIFT_STEP)) * LIFT_STEP, LIFT_LEAST)
    lifts = range(least, min(least + 3 * LIFT_STEP, LIFT_MOST) + 1, LIFT_STEP)
    fits = {lift: max(int(parities / lift), LADDER[0]) for lift in lifts}
    over = [lift for lift in lifts if fits[lift] * lift > parities]
    if over:
        return least, fits[least]
    best = max(lifts, key=lambda lift: fits[lift] * lift - 0.002 * parities * (lift - least) / LIFT_STEP)
    return best, fits[best]


def check_size(setup: LdpcSetup) -> None:
    """Refuse a code whose syndromes are no shorter than the block."""
    parities = Layout(setup.n_bits, setup.lift).n_frames * (LADDER[setup.code] + setup.n_split) * setup.lift
    if parities >= setup.n_bits:
        raise InputError(f"`n_bits` must exceed the {parities} parities of its syndromes, but is {setup.n_bits}.")


def code_of(setup: LdpcSetup) -> Code:
    """The code that a setup names."""
    return build(LADDER[setup.code], setup.lift)


def reveal_rows(n_rows: int, n_split: int, n_round: int) -> int:
    """Rows that reveal number `n_round`, from 0 on, splits: one in a hundred at first, later ever more."""
    return min(n_rows - n_split, max(1, round((n_rows + n_split) / 100)) << max(0, n_round - 4) // 2)
