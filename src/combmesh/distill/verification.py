r"""Do both strings agree? A polynomial hash with a key that is drawn after the correction has ended.

With $p = 2^{89} - 1$, a key $r$ uniform on $[0, p)$ and the string cut in $L = \lceil n/88 \rceil$ chunks $c_1 \dots
c_L$,

$$ h_r(c) = \Big( \sum_{k=1}^{L} c_k\, r^{L+1-k} + n \Big) \bmod p . $$

Two different strings give a polynomial difference that is not zero and of degree at most $L$, thus at most $L$ keys
for which the tags agree: an undetected difference has probability at most $L / p$, below $(\lceil n/88 \rceil + 1) /
2^{89}$, which is 1.5e-22 at n = 1e7. A block whose tags differ is discarded whole.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

PRIME = 2**89 - 1
CHUNK_BITS = 88
TAG_BITS = 89


def draw_hash_key() -> int:
    """A key uniform on [0, PRIME), from the operating system."""
    return secrets.randbelow(PRIME)


def polynomial_tag(bits: NDArray[np.uint8], key: int) -> int:
    """The tag, 89 bits, of `bits` of 0 and 1, shape (bit,); the last chunk is filled with zeros behind its bits."""
    data = np.packbits(bits).tobytes()
    step = CHUNK_BITS // 8
    data += bytes(-len(data) % step)
    tag = 0
    for k in range(0, len(data), step):
        tag = (tag * key + int.from_bytes(data[k : k + step], "big")) % PRIME
    return (tag * key + bits.size) % PRIME


def collision_bound(n_bits: int) -> float:
    """Upper bound on the probability that two different strings of `n_bits` pass.

    >>> f"{collision_bound(2_000_000):.1e}"
    '3.7e-23'
    """
    return (-(-n_bits // CHUNK_BITS) + 1) / 2.0**TAG_BITS
