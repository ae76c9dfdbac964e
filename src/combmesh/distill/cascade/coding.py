"""Questions as bytes: differences of neighbouring addresses, the sign in the lowest place, 7 bits a byte.

Bob asks frame by frame, so most differences need one or two bytes.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

MOST_BYTES = 7
"""Of one question; 49 bits hold every difference of addresses."""

Bytes = NDArray[np.uint8]
Addresses = NDArray[np.int64] | NDArray[np.int32]


@kernel
def encode(addresses: Addresses, shift: int = 0) -> Bytes:
    """Addresses, each plus `shift`, of at least 0 and below 2^48, as bytes."""
    out = np.empty(addresses.size * MOST_BYTES, np.uint8)
    at = 0
    last = np.int64(0)
    for q in range(addresses.size):
        here = np.int64(addresses[q]) + shift
        step = here - last
        last = here
        x = (step << 1) ^ (step >> 63)
        while x >= 128:
            out[at] = np.uint8(x & 127 | 128)
            x >>= 7
            at += 1
        out[at] = np.uint8(x)
        at += 1
    return out[:at].copy()


@kernel
def decode(coded: Bytes, n_questions: int, end: int) -> NDArray[np.int64]:
    """The addresses; empty if they are not `n_questions`, all in [0, `end`), in as few bytes as they need."""
    out = np.empty(n_questions, np.int64)
    nothing = np.empty(0, np.int64)
    n = 0
    last = np.int64(0)
    x = np.int64(0)
    shift = 0
    for byte in coded:
        x |= np.int64(byte & 127) << shift
        shift += 7
        if byte >= 128:
            if shift >= 7 * MOST_BYTES:
                return nothing
            continue
        last += (x >> 1) ^ -(x & 1)
        too_long = byte == 0 and shift > 7
        if too_long or n == n_questions or not 0 <= last < end:
            return nothing
        out[n] = last
        n += 1
        x = np.int64(0)
        shift = 0
    return out if n == n_questions and shift == 0 else nothing
