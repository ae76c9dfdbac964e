r"""The additive Fourier transform over GF(2^128), its transposes, and the check of a product; compiled.

With the basis of Cantor (1989), $\beta_0 = 1$ and $\beta_{i+1}^2 + \beta_{i+1} = \beta_i$, the polynomial that vanishes
on the span of $\beta_0 \dots \beta_{i-1}$ is $s_i(y) = s_{i-1}(y)^2 + s_{i-1}(y)$, $s_0(y) = y$; $s_i(\beta_{i+t}) =
\beta_t$. The transform takes the coefficients of a polynomial of degree below $K = 2^k$ to its values on the span of
$\beta_0 \dots \beta_{k-1}$:

1. from powers of y to the products of the $s_i$ (Lin, Chung, Han 2014), each step a sum of rows, `convert`;
2. k layers of butterflies, $f_0 + s_i f_1$ at two cosets at once, where $s_i$ is w and w + 1, `evaluate`.

Every step is a sum onto a row of a multiple of another, so the transposed and the inverse transposed maps are the same
steps with the rows' roles exchanged, in reverse or in the same order.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.carryless import add, add_product
from combmesh.ground.kernels import kernel

Rows = NDArray[np.uint64]
Words = NDArray[np.uint64]


@kernel
def transform(data: Rows, steps: NDArray[np.int64], twiddles: Rows) -> None:
    """F, in place: coefficients of powers of y to values."""
    for step in range(steps.shape[0]):
        convert(data, steps[step, 0], steps[step, 1])
    half = data.shape[0] >> 1
    while half:
        for block in range(data.shape[0] // (2 * half)):
            first, second = 2 * half * block, 2 * half * block + half
            if block:
                scale_onto(data, first, second, half, twiddles, block)
            sum_onto(data, second, first, half)
        half >>= 1


@kernel
def transform_inverse_transposed(data: Rows, steps: NDArray[np.int64], twiddles: Rows) -> None:
    """The inverse of F^T, in place."""
    for step in range(steps.shape[0]):
        convert_inverse_transposed(data, steps[step, 0], steps[step, 1])
    half = data.shape[0] >> 1
    while half:
        for block in range(data.shape[0] // (2 * half)):
            first, second = 2 * half * block, 2 * half * block + half
            if block:
                scale_onto(data, second, first, half, twiddles, block)
            sum_onto(data, first, second, half)
        half >>= 1


@kernel
def transform_transposed(data: Rows, steps: NDArray[np.int64], twiddles: Rows) -> None:
    """F^T, in place."""
    half = 1
    while half < data.shape[0]:
        for block in range(data.shape[0] // (2 * half)):
            first, second = 2 * half * block, 2 * half * block + half
            sum_onto(data, first, second, half)
            if block:
                scale_onto(data, second, first, half, twiddles, block)
        half <<= 1
    for step in range(steps.shape[0] - 1, -1, -1):
        convert_transposed(data, steps[step, 0], steps[step, 1])


@kernel
def sum_onto(data: Rows, to: int, source: int, n_rows: int) -> None:
    """Rows from `to` on gain the rows from `source` on."""
    for t in range(n_rows):
        add(data, to + t, data, source + t)


@kernel
def scale_onto(data: Rows, to: int, source: int, n_rows: int, twiddles: Rows, w: int) -> None:
    """Rows from `to` on gain twiddle w times the rows from `source` on."""
    for t in range(n_rows):
        add_product(data, to + t, data, source + t, twiddles, w)


@kernel
def convert(data: Rows, upper: int, shift: int) -> None:
    """In each block of two times `upper` rows y^upper becomes a new unknown plus y^shift: from the top row down."""
    for base in range(0, data.shape[0], 2 * upper):
        for t in range(upper - 1, -1, -1):
            add(data, base + shift + t, data, base + upper + t)


@kernel
def convert_inverse_transposed(data: Rows, upper: int, shift: int) -> None:
    """As `convert`, with the roles of the rows exchanged."""
    for base in range(0, data.shape[0], 2 * upper):
        for t in range(upper - 1, -1, -1):
            add(data, base + upper + t, data, base + shift + t)


@kernel
def convert_transposed(data: Rows, upper: int, shift: int) -> None:
    """As `convert`, with the roles of the rows exchanged and from the lowest row up."""
    for base in range(0, data.shape[0], 2 * upper):
        for t in range(upper):
            add(data, base + upper + t, data, base + shift + t)


@kernel
def accumulate(total: Rows, a: Rows, b: Rows) -> None:
    """`total` gains the products of `a` and `b`, row by row."""
    for t in range(total.shape[0]):
        add_product(total, t, a, t, b, t)


@kernel
def horner(state: Rows, low: np.uint64, high: np.uint64) -> None:
    """Row 0 becomes (low, high) plus row 0 times row 1; row 2 is lost."""
    state[2, 0], state[2, 1] = low, high
    add_product(state, 2, state, 0, state, 1)
    state[0, 0], state[0, 1] = state[2, 0], state[2, 1]


@kernel
def evaluate(rows: Rows, point: Rows) -> Rows:
    r"""$\sum_I \alpha^I C_I$ for the rows C and the point $\alpha$, shape (1, 2)."""
    state = np.zeros((3, 2), np.uint64)
    state[1, 0], state[1, 1] = point[0, 0], point[0, 1]
    for i in range(rows.shape[0] - 1, -1, -1):
        horner(state, rows[i, 0], rows[i, 1])
    return state[:1]


@kernel
def evaluate_directly(a: Words, s: Words, n_rows: int, point: Rows) -> Rows:
    r"""The same for $C_I = \sum_J a_J s_{I+J}$, I below `n_rows`, from a and s, shape (1, 2); no transform.

    It is $\sum_J a_J W_J$ with $W_J = \sum_I \alpha^I s_{I+J} = s_J + \alpha W_{J+1} + \alpha^M s_{J+M}$, M = `n_rows`.
    """
    zero = np.uint64(0)
    state, power = np.zeros((3, 2), np.uint64), np.zeros((3, 2), np.uint64)
    state[1, 0], state[1, 1] = point[0, 0], point[0, 1]
    power[1, 0], power[1, 1] = point[0, 0], point[0, 1]
    power[0, 0] = np.uint64(1)
    for i in range(n_rows - 1, -1, -1):
        horner(state, s[a.size + i], zero)
        horner(power, zero, zero)
    words, total = np.zeros((2, 2), np.uint64), np.zeros((1, 2), np.uint64)
    for j in range(a.size - 1, -1, -1):
        words[0, 0], words[1, 0] = a[j], s[j + n_rows]
        horner(state, s[j], zero)
        add_product(state, 0, words, 1, power, 0)
        add_product(total, 0, words, 0, state, 0)
    return total
