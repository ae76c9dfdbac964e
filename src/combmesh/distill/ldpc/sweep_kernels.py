r"""Sum-product decoding in layers, compiled: one layer is one block row, its `lift` checks side by side in memory.

Messages are log-likelihood ratios to base 2, float32. For the messages $q_e$ that enter a check, with
$u_e = 2^{-|q_e|}$, $A = \prod (1 - u_e)$ and $B = \prod (1 + u_e)$, the rule
$r_e = 2\,\mathrm{artanh} \prod_{e' \ne e} \tanh(q_{e'}/2)$ becomes

$$ |r_e| = \log_2 \frac{(1-u_e) B + (1+u_e) A}{(1-u_e) B - (1+u_e) A} , $$

one exponential, one division and one logarithm for each edge and no case apart. Both functions are polynomials on the
mantissa. No loop adds along the lifted index, so each one runs on whole vectors.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

ONE = np.float32(1.0)
LEAST = np.float32(1e-4)
"""Smaller messages count as this large: a product of zeros would be 0 / 0."""
MOST = np.float32(22.0)
RATIO_LEAST = np.float32(2.0**-21)
"""So no message exceeds 22: float32 resolves no more."""
PATIENCE = 16
NEARLY = 0.1
"""Above this share of violated checks in a sweep, it is not worth while to see whether some are left after it."""
SIGN = np.int32(-(2**31))
MANTISSA = np.int32(2**23 - 1)
EXPONENT = np.int32(127)
PLACES = np.int32(23)
ONE_BITS = np.int32(127 << 23)

# 2^-x on [0, 1), least squares of degree 4, error below 2e-6
E0, E1, E2, E3, E4 = (np.float32(c) for c in (0.999998095, -0.693050667, 0.239439213, -0.0532268335, 0.00684199145))
# log2(1 + x) / x on [0, 1), least squares of degree 5, error of the product below 9e-6
L0, L1, L2, L3, L4, L5 = (
    np.float32(c) for c in (1.44268325, -0.72044237, 0.469301687, -0.303389668, 0.146433615, -0.0345952112)
)


@kernel
def rotate_in(llr: Floats, column: int, shift: int, q: Floats, j: int) -> None:
    """Row j of `q` is the column from `shift` on, around its end. (Slices, as an index z + shift is not vectorised.)"""
    rest = q.shape[1] - shift
    head, tail = llr[column, shift:], q[j, rest:]
    for z in range(rest):
        q[j, z] = head[z]
    for z in range(shift):
        tail[z] = llr[column, z]


@kernel
def rotate_out(llr: Floats, column: int, shift: int, q: Floats, j: int) -> None:
    """Write back to the places that `rotate_in` read."""
    rest = q.shape[1] - shift
    head, tail = llr[column, shift:], q[j, rest:]
    for z in range(rest):
        head[z] = q[j, z]
    for z in range(shift):
        llr[column, z] = tail[z]


@kernel
def absorb(q: Floats, u: Floats, j: int, back: Floats, edge: int, products: Floats, signs: Ints) -> None:
    """Take edge number j of every check of a row into the products; row j of `q` loses what `back` has.

    The signs of the sums go into signs[1], those without `back` into signs[0].
    """
    for z in range(q.shape[1]):
        x = q[j, z]
        signs[1, z] ^= np.float32(x).view(np.int32)
        x -= back[edge, z]
        q[j, z] = x
        signs[0, z] ^= np.float32(x).view(np.int32)
        y = min(max(abs(x), LEAST), MOST)
        whole = np.int32(y)
        f = y - np.float32(whole)
        p = E0 + f * (E1 + f * (E2 + f * (E3 + f * E4)))
        e = np.int32(np.float32(p).view(np.int32) - (whole << PLACES)).view(np.float32)
        u[j, z] = e
        products[0, z] *= ONE - e
        products[1, z] *= ONE + e


@kernel
def emit(q: Floats, u: Floats, j: int, back: Floats, edge: int, products: Floats, signs: Ints) -> None:
    """The checks' messages `back` along edge number j, and the new sums in row j of `q`."""
    for z in range(q.shape[1]):
        e = u[j, z]
        n = (ONE - e) * products[1, z]
        d = (ONE + e) * products[0, z]
        bits = np.float32((n + d) / max(n - d, n * RATIO_LEAST)).view(np.int32)
        x = np.int32((bits & MANTISSA) | ONE_BITS).view(np.float32) - ONE
        y = x * (L0 + x * (L1 + x * (L2 + x * (L3 + x * (L4 + x * L5)))))
        y += np.float32((bits >> PLACES) - EXPONENT)
        sign = (signs[0, z] ^ np.float32(q[j, z]).view(np.int32)) & SIGN
        r = np.int32(np.float32(y).view(np.int32) ^ sign).view(np.float32)
        back[edge, z] = r
        q[j, z] += r


@kernel
def sweep(begins: Ints, columns: Ints, shifts: Ints, odd: Ints, llr: Floats, back: Floats, work: Floats) -> int:
    """One iteration over all rows; returns how many checks the sums violated, each when its row came.

    Row k has the edges begins[k] to begins[k + 1]. `columns`, `shifts`: shape (edge,). `odd`: the syndrome of the
    errors in the sign bit, shape (row, lift). `llr`: the sums, positive where no error, shape (column, lift). `back`:
    shape (edge, lift). `work`: shape (2, at least the most edges of a row, lift).
    """
    lift = llr.shape[1]
    q, u = work[0], work[1]
    products = np.empty((2, lift), np.float32)
    signs = np.empty((2, lift), np.int32)
    n_violated = 0
    for row in range(begins.size - 1):
        first = begins[row]
        n_edges = begins[row + 1] - first
        products[:] = ONE
        signs[:] = odd[row]
        for j in range(n_edges):
            rotate_in(llr, columns[first + j], shifts[first + j], q, j)
            absorb(q, u, j, back, first + j, products, signs)
        for z in range(lift):
            n_violated += signs[1, z] < 0
        for j in range(n_edges):
            emit(q, u, j, back, first + j, products, signs)
            rotate_out(llr, columns[first + j], shifts[first + j], q, j)
    return n_violated


@kernel
def fold_signs(values: Floats, shift: int, signs: Ints) -> None:
    """Exclusive or of the rotated `values` into `signs`, of which the sign bit counts; shapes (lift,)."""
    rest = values.size - shift
    head, tail = values[shift:], signs[rest:]
    for z in range(rest):
        signs[z] ^= np.float32(head[z]).view(np.int32)
    for z in range(shift):
        tail[z] ^= np.float32(values[z]).view(np.int32)


@kernel
def count_violated(begins: Ints, columns: Ints, shifts: Ints, odd: Ints, llr: Floats) -> int:
    """How many checks the signs of `llr` violate; shapes as in `sweep`."""
    signs = np.empty(llr.shape[1], np.int32)
    n_violated = 0
    for row in range(begins.size - 1):
        for z in range(signs.size):
            signs[z] = odd[row, z]
        for e in range(begins[row], begins[row + 1]):
            fold_signs(llr[columns[e]], shifts[e], signs)
        for z in range(signs.size):
            n_violated += signs[z] < 0
    return n_violated


@kernel
def iterate(
    begins: Ints, columns: Ints, shifts: Ints, odd: Ints, llr: Floats, back: Floats, work: Floats, most: int
) -> int:
    """Sweep until the signs have the syndrome: the number of sweeps, or -1; shapes as in `sweep`.

    It gives up after `most` sweeps, or once `PATIENCE` sweeps in a row have not lowered the violated checks.
    """
    least = odd.size + 1
    n_idle = 0
    for n in range(most):
        n_violated = sweep(begins, columns, shifts, odd, llr, back, work)
        if n_violated < NEARLY * odd.size and count_violated(begins, columns, shifts, odd, llr) == 0:
            return n + 1
        n_idle = 0 if n_violated < least else n_idle + 1
        least = min(least, n_violated)
        if n_idle == PATIENCE:
            break
    return -1
