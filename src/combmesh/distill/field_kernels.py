r"""Arithmetic of GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), compiled.

An element is two words, (high, low): bit j of the low word is the coefficient of $x^j$, bit j of the high word that of
$x^{64+j}$. Carry-less products come from integer ones: with three of four bits masked away, at most 15 ones meet in any
place but the last, so no sum reaches the place of the next one (Pornin, BearSSL, `ghash_ctmul64`). No table is looked
up and nothing branches on the data.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

K0, K1, K2, K3 = (np.uint64(0x1111111111111111 << k) for k in range(4))
R1, R2, R4 = (np.uint64(k) for k in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F))
R8, R16 = (np.uint64(k) for k in (0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF))
U1, U2, U4, U7, U8, U16, U32 = (np.uint64(k) for k in (1, 2, 4, 7, 8, 16, 32))
U57, U62, U63 = (np.uint64(k) for k in (57, 62, 63))
ZERO = np.uint64(0)

Element = tuple[np.uint64, np.uint64]


@kernel
def reverse(x: np.uint64) -> np.uint64:
    """Bit j goes to place 63 - j."""
    x = ((x >> U1) & R1) | ((x & R1) << U1)
    x = ((x >> U2) & R2) | ((x & R2) << U2)
    x = ((x >> U4) & R4) | ((x & R4) << U4)
    x = ((x >> U8) & R8) | ((x & R8) << U8)
    x = ((x >> U16) & R16) | ((x & R16) << U16)
    return (x >> U32) | (x << U32)


@kernel
def low_product(x: np.uint64, y: np.uint64) -> np.uint64:
    """The lower 64 bits of the carry-less product."""
    x0, x1, x2, x3 = x & K0, x & K1, x & K2, x & K3
    y0, y1, y2, y3 = y & K0, y & K1, y & K2, y & K3
    z0 = (x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1)
    z1 = (x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2)
    z2 = (x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3)
    z3 = (x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0)
    return (z0 & K0) | (z1 & K1) | (z2 & K2) | (z3 & K3)


@kernel
def word_product(x: np.uint64, y: np.uint64) -> Element:
    """The carry-less product, 127 bits; its upper part is the lower part of the product of the reversed words."""
    return reverse(low_product(reverse(x), reverse(y))) >> U1, low_product(x, y)


@kernel
def fold(high: np.uint64) -> Element:
    """`high` times x^128, with x^128 = x^7 + x^2 + x + 1: what it adds to the two words below."""
    return (high >> U63) ^ (high >> U62) ^ (high >> U57), high ^ (high << U1) ^ (high << U2) ^ (high << U7)


@kernel
def multiply(a: Element, b: Element) -> Element:
    """The product in the field: three products of words (Karatsuba), then the upper half folded down."""
    top, p2 = word_product(a[0], b[0])
    p1, p0 = word_product(a[1], b[1])
    m1, m0 = word_product(a[0] ^ a[1], b[0] ^ b[1])
    m1 ^= top ^ p1
    m0 ^= p2 ^ p0
    over, under = fold(top)
    p2 ^= m1 ^ over
    p1 ^= m0 ^ under
    over, under = fold(p2)
    return p1 ^ over, p0 ^ under


@kernel
def scaled_polynomial(blocks: NDArray[np.uint64], point: Element, scale: Element) -> Element:
    """`scale` times the polynomial with coefficients `blocks`, shape (block, 2), highest power first, at `point`."""
    value = (ZERO, ZERO)
    for k in range(blocks.shape[0]):
        high, low = multiply(value, point)
        value = (high ^ blocks[k, 0], low ^ blocks[k, 1])
    return multiply(value, scale)
