r"""$C_I = \sum_J a_J s_{I+J}$ over words of 64 bits, each a polynomial over GF(2): the Toeplitz product of packed bits.

A product of two words has 127 bits, so its residue in GF(2^128) is the product itself, and the sums can be taken there,
by an additive Fourier transform F of $K = 2^k$ points. Sums of this form are the transpose of a product of polynomials:
with the values $\hat a = F a$,

$$ C = F^{\mathsf T} \left( \hat a \cdot F^{-\mathsf T} s \right), $$

the first M of K entries, if a has at most K - M + 1 words. A longer a is cut in parts, and the parts add before
$F^{\mathsf T}$ is applied, so a short key from a long block costs many short transforms.

Guard: both sides of $C_I = \sum_J a_J s_{I+J}$ are summed with the powers $\alpha^I$ of a random point of GF(2^128),
the right one without any transform. A wrong C passes for at most M - 1 of the $2^{128}$ points.
"""

import secrets
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import carryless_kernels as kernels
from combmesh.distill import field_kernels
from combmesh.distill.carryless import has_feature
from combmesh.ground.errors import RunError

Words = NDArray[np.uint64]
Rows = NDArray[np.uint64]  # shape (element, 2): low word, high word
FIELD_BITS = 128
FIELD_MASK = 2**FIELD_BITS - 1
WORD_MASK = 2**64 - 1
TRACE_ONE = 1 << 121  # x^121: the basis that starts from it ends in 1
N_TESTED_PRODUCTS = 64
LONGEST_TRANSFORM = 26  # log2 of points: 1 GiB


@cache
def has_instruction() -> bool:
    """Whether the processor multiplies without carries; its products are compared with those of integers once."""
    if not has_feature():
        return False
    for _ in range(N_TESTED_PRODUCTS):
        a, b = secrets.randbits(FIELD_BITS), secrets.randbits(FIELD_BITS)
        high, low = field_kernels.multiply(_element(a), _element(b))
        if _product(a, b) != int(high) << 64 | int(low):
            raise RunError("The processor's carry-less product differs from the product by integers.")
    return True


def correlate(a: Words, s: Words, n_rows: int) -> Rows:
    """C as rows (low, high), shape (n_rows, 2), of a, shape (word,), and s, shape (word + n_rows,); checked."""
    rows = _correlate(a, s, n_rows)
    point = _row(secrets.randbits(FIELD_BITS))
    if not np.array_equal(kernels.evaluate(rows, point), kernels.evaluate_directly(a, s, n_rows, point)):
        raise RunError("The carry-less product differs from its factors at a random point of GF(2^128).")
    return rows


@dataclass(frozen=True)
class Parts:
    """How a is cut: `n_parts` of `part` words each, transforms of 2 to the power `k` points."""

    k: int
    part: int
    n_parts: int

    @property
    def cost(self) -> int:
        """Butterflies: two transforms for each part and one for the sum."""
        return (2 * self.n_parts + 1) * self.k << (self.k - 1)


def cut(n_words: int, n_rows: int) -> Parts:
    """The cheapest cut of `n_words` for `n_rows` results."""
    best: Parts | None = None
    for k in range(max((n_rows - 1).bit_length(), 1), LONGEST_TRANSFORM + 1):
        n_parts = -(-n_words // (2**k - n_rows + 1))
        parts = Parts(k, -(-n_words // n_parts), n_parts)
        if best is None or parts.cost < best.cost:
            best = parts
        if n_parts == 1:
            break
    if best is None:
        raise RunError(f"A product of {n_rows} words needs a transform of more than 2^{LONGEST_TRANSFORM} points.")
    return best


def _correlate(a: Words, s: Words, n_rows: int) -> Rows:
    parts = cut(a.size, n_rows)
    steps, factors = conversion_steps(parts.k), twiddles(parts.k)
    n_points = 2**parts.k
    total, left, right = (np.zeros((n_points, 2), np.uint64) for _ in range(3))
    for start in range(0, a.size, parts.part):
        _fill(left, a[start : start + parts.part])
        _fill(right, s[start : start + n_points])
        kernels.transform(left, steps, factors)
        kernels.transform_inverse_transposed(right, steps, factors)
        kernels.accumulate(total, left, right)
    kernels.transform_transposed(total, steps, factors)
    return total[:n_rows]


def _fill(rows: Rows, words: Words) -> None:
    rows[:] = 0
    rows[: words.size, 0] = words


@cache
def conversion_steps(k: int) -> NDArray[np.int64]:
    """The pairs (upper, shift) of `carryless_kernels.convert`, in order, shape (step, 2)."""
    return np.array(list(_steps(k, 1)), np.int64).reshape(-1, 2)


def _steps(k: int, unit: int) -> list[tuple[int, int]]:
    """For polynomials with 2^k coefficients, each a run of `unit` rows.

    With i a power of two, s_i = y^(2^i) + y, and so y^(2^(i+t)) = s_i^(2^t) + y^(2^t): first to powers of s_i, whose
    coefficients are runs of 2^i; then these powers and these runs for themselves.
    """
    if k < 2:
        return []
    i = 1 << ((k - 1).bit_length() - 1)
    powers = [((1 << i + t) * unit, (1 << t) * unit) for t in range(k - i - 1, -1, -1)]
    return [*powers, *_steps(k - i, unit << i), *_steps(i, unit)]


@cache
def cantor_basis() -> tuple[int, ...]:
    """beta_0 = 1 to beta_127, each the sum of the next one and its square."""
    basis = [TRACE_ONE]
    while len(basis) < FIELD_BITS:
        basis.append(_square(basis[-1]) ^ basis[-1])
    return tuple(reversed(basis))


@lru_cache(maxsize=2)
def twiddles(k: int) -> Rows:
    """Sums of beta_1, beta_2, ... as the bits of the row's number say, shape (2^(k-1), 2)."""
    sums = np.zeros((1 << max(k - 1, 0), 2), np.uint64)
    for t in range(k - 1):
        np.bitwise_xor(sums[: 1 << t], _row(cantor_basis()[t + 1]), out=sums[1 << t : 2 << t])
    return sums


def _square(a: int) -> int:
    """The square in the field: zeros between the bits, then folded down twice."""
    a = int(f"{a:b}", 4)
    for _ in range(2):
        high = a >> FIELD_BITS
        a = a & FIELD_MASK ^ high ^ high << 1 ^ high << 2 ^ high << 7
    return a


def _product(a: int, b: int) -> int:
    """The product in the field, by the instruction."""
    total = np.zeros((1, 2), np.uint64)
    kernels.accumulate(total, _row(a), _row(b))
    return int(total[0, 1]) << 64 | int(total[0, 0])


def _row(number: int) -> Rows:
    return np.array([[number & WORD_MASK, number >> 64]], np.uint64)


def _element(number: int) -> field_kernels.Element:
    return np.uint64(number >> 64), np.uint64(number & WORD_MASK)
