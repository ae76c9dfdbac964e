"""The order of the bits in a frame, and their parities, compiled."""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.ldpc.construct_kernels import STEP, mixed
from combmesh.ground.kernels import kernel

Bits = NDArray[np.uint8]
Ints = NDArray[np.int32]

U32 = np.uint64(32)


@kernel
def shuffle(seed: np.uint64, order: Ints, place: Ints) -> None:
    """Fisher-Yates with 32 bits of splitmix64 a step (bias below n / 2^32), and the inverse; shapes (place,)."""
    for i in range(order.size):
        order[i] = i
    for i in range(order.size - 1, 0, -1):
        j = np.int64(((mixed(seed + np.uint64(i) * STEP) >> U32) * np.uint64(i + 1)) >> U32)
        swap = order[i]
        order[i] = order[j]
        order[j] = swap
    for i in range(order.size):
        place[order[i]] = i


@kernel
def fold(bits: Bits, shift: int, into: Bits) -> None:
    """Exclusive or of the rotated `bits` into `into`; shapes (lift,)."""
    rest = into.size - shift
    head, tail = bits[shift:], into[rest:]
    for z in range(rest):
        into[z] ^= head[z]
    for z in range(shift):
        tail[z] ^= bits[z]


@kernel
def half_parities(bits: Bits, begins: Ints, columns: Ints, shifts: Ints) -> Bits:
    """Parities of the halves of all rows, shape (row, 2, lift); `bits`: shape (column, lift), the rest as in `Code`."""
    out = np.zeros((begins.size // 2, 2, bits.shape[1]), np.uint8)
    for half in range(begins.size - 1):
        for e in range(begins[half], begins[half + 1]):
            fold(bits[columns[e]], shifts[e], out[half // 2, half % 2])
    return out
