"""The additive Fourier transform over GF(2^128) against sums written out, and the targets it is compiled for."""

import itertools
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from combmesh.distill import binary_product as product
from combmesh.distill import carryless, carryless_kernels
from combmesh.ground.errors import RunError

needs_instruction = pytest.mark.skipif(not carryless.has_feature(), reason="no carry-less multiplication")
MODULUS = 1 << 128 | 0x87


def naive_product(a, b):
    """Polynomials over GF(2) as integers, multiplied and divided at school."""
    total = 0
    while b:
        total ^= a * (b & 1)
        a, b = a << 1, b >> 1
    while total.bit_length() > 128:
        total ^= MODULUS << total.bit_length() - 129
    return total


def random_rows(rng, n_rows):
    return rng.integers(0, 2**64, (n_rows, 2), dtype=np.uint64)


def numbers(rows):
    return [int(high) << 64 | int(low) for low, high in rows]


def transformed(kernel, rows, k):
    data = rows.copy()
    kernel(data, product.conversion_steps(k), product.twiddles(k))
    return data


def dot(a, b):
    total = 0
    for x, y in zip(numbers(a), numbers(b), strict=True):
        total ^= naive_product(x, y)
    return total


def test_exact_cantor_basis():
    """beta_0 = 1, beta_(i+1)^2 + beta_(i+1) = beta_i; independent, so 128 pivots."""
    basis = product.cantor_basis()
    assert len(basis) == 128
    assert basis[0] == 1
    assert all(naive_product(b, b) ^ b == a for a, b in itertools.pairwise(basis))
    pivots = {}
    for element in basis:
        while element and element.bit_length() in pivots:
            element ^= pivots[element.bit_length()]
        pivots[element.bit_length()] = element
    assert sorted(pivots) == list(range(1, 129))


@needs_instruction
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_exact_transform_evaluates_the_polynomial(k):
    rows = random_rows(np.random.default_rng(k), 2**k)
    values = numbers(transformed(carryless_kernels.transform, rows, k))
    for i, value in enumerate(values):
        point, expected = 0, 0
        for t in range(k):
            point ^= product.cantor_basis()[t] * (i >> t & 1)
        for coefficient in reversed(numbers(rows)):
            expected = naive_product(expected, point) ^ coefficient
        assert value == expected


@needs_instruction
@pytest.mark.parametrize("k", [*range(1, 10), 12])
def test_exact_transposed_transforms(k):
    """u . F v = F^T u . v, and the inverse of F^T is one."""
    rng = np.random.default_rng(k)
    u, v = random_rows(rng, 2**k), random_rows(rng, 2**k)
    transposed = transformed(carryless_kernels.transform_transposed, u, k)
    assert dot(u, transformed(carryless_kernels.transform, v, k)) == dot(transposed, v)
    assert np.array_equal(transformed(carryless_kernels.transform_inverse_transposed, transposed, k), u)


@needs_instruction
@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 8, 9, 17, 33])
@pytest.mark.parametrize("n_words", [1, 2, 3, 8, 31, 100])
def test_exact_correlation_is_the_sum_written_out(n_words, n_rows):
    rng = np.random.default_rng(n_words)
    a = rng.integers(0, 2**64, n_words, dtype=np.uint64)
    s = rng.integers(0, 2**64, n_words + n_rows, dtype=np.uint64)
    a[:2], s[:2] = 2**64 - 1, 2**64 - 1  # the longest products of words
    expected = []
    for i in range(n_rows):
        total = 0
        for j in range(n_words):
            total ^= naive_product(int(a[j]), int(s[i + j]))
        expected.append(total)
    assert numbers(product.correlate(a, s, n_rows)) == expected


@pytest.mark.parametrize("n_rows", [1, 2, 3, 1000, 9376])
@pytest.mark.parametrize("n_words", [1, 2, 1563, 31250, 156250])
def test_exact_parts_fit_the_transform(n_words, n_rows):
    parts = product.cut(n_words, n_rows)
    assert parts.part + n_rows - 1 <= 2**parts.k
    assert (parts.n_parts - 1) * parts.part < n_words <= parts.n_parts * parts.part


def test_limit_a_product_too_long_for_any_transform_is_refused():
    with pytest.raises(RunError, match="more than"):
        product.cut(2**27, 2**27)


@needs_instruction
def test_attack_a_processor_that_multiplies_wrongly_is_refused(monkeypatch):
    """One wrong bit in the product: seen in the first comparison with integers."""
    right = product._product
    monkeypatch.setattr(product, "_product", lambda a, b: right(a, b) ^ 1 << 90)
    with pytest.raises(RunError, match="differs from the product by integers"):
        product.has_instruction.__wrapped__()


@pytest.mark.skipif(carryless.target()[0] != "x86_64", reason="needs x86-64")
def test_limit_a_processor_without_the_instruction_takes_the_other_road():
    program = "from combmesh.distill import binary_product; print(binary_product.has_instruction())"
    plain = os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", program], env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_attack_rows_of_another_form_are_not_compiled():
    """The addresses hold for C-contiguous uint64 rows alone."""
    rows = np.zeros((8, 2), np.uint64)
    for other in (rows[::2], rows.astype(np.int64), np.zeros((2, 8), np.uint64).T):
        with pytest.raises(numba.TypingError):
            carryless_kernels.accumulate(other, other, other)
