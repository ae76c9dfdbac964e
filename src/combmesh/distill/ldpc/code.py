r"""The codes: irregular variable degrees from density evolution, edges by progressive growth, block rows that split.

A code has `N_COLUMNS` block columns and `n_rows` block rows of `lift` bits and checks each. Every block row is the sum
of two halves. Once Alice has revealed the parities of one half of a row, the row counts as two checks of half the
degree (a syndrome that is split; the reverse of merging checks by punctured bits of degree 2). So one code serves the
rates from `n_rows` to twice as many rows, and every revealed bit is a parity of Alice's bits.

`DEGREES` is the result of discretised density evolution for the BSC (Richardson, Shokrollahi and Urbanke 2001),
optimised by linear programming at check degrees near 5 edges a bit, with at most 0.9 columns of degree 2 for a row:
these then form no cycle among themselves.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

N_COLUMNS = 391
LIFT_LEAST, LIFT_MOST, LIFT_STEP = 112, 2560, 16
"""Below 100 wrong words pass more often; whole vectors need the step."""
SEED = 0x6C64_7063_2D71_6B64
LADDER = tuple(range(18, 240))
"""Block rows of the codes: syndromes of 0.046 to 0.61 bits a bit, with halves up to twice that."""

Ints = NDArray[np.int32]

DEGREES: dict[float, dict[int, float]] = {
    0.0499: {2: 0.0449, 3: 0.5538, 8: 0.2167, 10: 0.0837, 12: 0.0054, 22: 0.0955},
    0.0874: {2: 0.0786, 3: 0.5550, 6: 0.0165, 8: 0.2128, 22: 0.1371},
    0.134: {2: 0.1204, 3: 0.5502, 6: 0.0126, 8: 0.1891, 22: 0.1277},
    0.207: {2: 0.1865, 3: 0.5262, 8: 0.1459, 10: 0.0528, 22: 0.0886},
    0.300: {2: 0.2705, 3: 0.4549, 6: 0.0588, 8: 0.1134, 16: 0.0016, 22: 0.1008},
    0.423: {2: 0.3076, 3: 0.4878, 8: 0.0609, 10: 0.0898, 22: 0.0539},
    0.521: {2: 0.3681, 3: 0.4319, 6: 0.0329, 8: 0.0872, 22: 0.0799},
}
"""For a syndrome of so many bits a bit, the share of columns with each degree."""


@dataclass(frozen=True, eq=False)
class Code:
    """One code. Row k has the edges from begins[2k] over begins[2k + 1], where its halves part, to begins[2k + 2].

    `begins`: shape (2 x row + 1,). `columns`, `shifts`: shape (edge,): check z of a row holds bit (z + shift) mod
    `lift` of the column.
    """

    n_rows: int
    lift: int
    begins: Ints
    columns: Ints
    shifts: Ints

    @property
    def n_bits(self) -> int:
        """Bits of a frame."""
        return N_COLUMNS * self.lift

    def split(self, n_split: int) -> Ints:
        """The beginnings of all checks, and the end, once the first `n_split` rows have been split."""
        return np.ascontiguousarray(np.concatenate([self.begins[: 2 * n_split], self.begins[2 * n_split :: 2]]))


def column_degrees(n_rows: int) -> Ints:
    """Degrees of the columns, ascending, shape (column,): `DEGREES`, and between its entries by the logarithm."""
    rates = list(DEGREES)
    here = min(max(n_rows / N_COLUMNS, rates[0]), rates[-1])
    k = min(bisect_right(rates, here), len(rates) - 1)
    weight = log(here / rates[k - 1]) / log(rates[k] / rates[k - 1])
    low, high = DEGREES[rates[k - 1]], DEGREES[rates[k]]
    degrees = sorted(low.keys() | high.keys())
    shares = np.array([(1 - weight) * low.get(d, 0.0) + weight * high.get(d, 0.0) for d in degrees])
    ends = np.rint(np.cumsum(shares) / shares.sum() * N_COLUMNS).astype(int)
    ends[0] = min(ends[0], n_rows - 1)  # more columns of degree 2 would close a cycle
    out = np.repeat(np.array(degrees, np.int32), np.diff(ends, prepend=0))
    return np.minimum(out, np.int32(n_rows // 2))


@lru_cache(maxsize=1024)
def build(n_rows: int, lift: int) -> Code:
    """Construct a code; the same on every machine. It takes a second, and the code has some 10 kB: all are kept."""
    from combmesh.distill.ldpc.construct_kernels import grow

    degrees = column_degrees(n_rows)
    edges = grow(degrees, n_rows, lift, np.uint64(SEED))
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges = edges[order]
    rank = np.arange(order.size) - np.searchsorted(edges[:, 0], edges[:, 0])
    halves = 2 * edges[:, 0] + rank % 2  # neighbours in degree go to different halves
    edges = edges[np.argsort(halves, kind="stable")]
    begins = np.searchsorted(np.sort(halves), np.arange(2 * n_rows + 1)).astype(np.int32)
    columns, shifts = np.ascontiguousarray(edges[:, 1]), np.ascontiguousarray(edges[:, 2])
    for array in (begins, columns, shifts):
        array.setflags(write=False)
    return Code(n_rows, lift, begins, columns, shifts)
