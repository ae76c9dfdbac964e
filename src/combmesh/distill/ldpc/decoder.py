"""Bob's decoding of one frame: which of his bits differ from Alice's, given the parities that differ."""

from math import log2

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.ldpc.code import N_COLUMNS, Code
from combmesh.distill.ldpc.sweep_kernels import SIGN, iterate

SURE = np.float32(22.0)
"""Log-likelihood ratio of a bit that is known."""

Bits = NDArray[np.uint8]
Floats = NDArray[np.float32]


class FrameDecoder:
    """The state of one frame between reveals: new parities go on from the messages so far.

    `differing`: whole rows' parities of Alice and Bob that differ, shape (row, lift). `known`: places without a bit,
    shape (column, used); beyond `used` all are. `qber`: the share of errors expected.
    """

    def __init__(self, code: Code, differing: Bits, known: NDArray[np.bool_], qber: float) -> None:
        self._code = code
        self._whole = differing
        self._halves = np.empty((0, code.lift), np.uint8)
        self._sums = np.full((N_COLUMNS, code.lift), SURE)
        self._sums[:, : known.shape[1]] = np.where(known, SURE, np.float32(log2((1 - qber) / qber)))
        self._back = np.zeros((code.columns.size, code.lift), np.float32)
        self.n_round = 0

    @property
    def n_split(self) -> int:
        """Rows whose halves are both known."""
        return self._halves.shape[0]

    def split(self, differing: Bits) -> None:
        """Take the first halves' parities that differ of the next rows, shape (row, lift)."""
        self._halves = np.concatenate([self._halves, differing])

    def decode(self, most: int) -> Bits | None:
        """The errors, shape (column, lift), or None if `most` sweeps do not find any with these parities."""
        n = self.n_split
        pairs = np.stack([self._halves, self._halves ^ self._whole[:n]], axis=1).reshape(2 * n, self._code.lift)
        odd = np.concatenate([pairs, self._whole[n:]]).astype(np.int32) * SIGN
        begins = self._code.split(n)
        work = np.empty((2, int(np.diff(begins).max()), self._code.lift), np.float32)
        code = self._code
        n_sweeps = iterate(begins, code.columns, code.shifts, odd, self._sums, self._back, work, most)
        return None if n_sweeps < 0 else (self._sums < 0).view(np.uint8)
