"""Verification tag and privacy amplification against naive twins."""

import numpy as np
import pytest

from combmesh.distill import toeplitz
from combmesh.distill.toeplitz import toeplitz_hash
from combmesh.distill.verification import PRIME, collision_bound, draw_hash_key, polynomial_tag
from combmesh.ground.errors import InputError, RunError


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


def naive_tag(bits, key):
    """The sum of the module's text, term by term."""
    text = "".join(map(str, bits))
    chunks = [int(text[k : k + 88].ljust(88, "0"), 2) for k in range(0, len(text), 88)]
    return (sum(c * pow(key, len(chunks) - k, PRIME) for k, c in enumerate(chunks)) + len(text)) % PRIME


def naive_toeplitz(bits, seed, length):
    """The matrix written out."""
    i, j = np.ogrid[:length, : bits.size]
    matrix = seed[i - j + bits.size - 1].astype(np.int64)
    return (matrix @ bits.astype(np.int64) % 2).astype(np.uint8)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 87, 88, 89, 176, 1000])
def test_exact_tag_agrees_with_naive_sum(n_bits):
    bits = random_bits(np.random.default_rng(n_bits), n_bits)
    for key in (0, 1, PRIME - 1, draw_hash_key()):
        assert polynomial_tag(bits, key) == naive_tag(bits, key)


def test_exact_tag_tells_lengths_apart():
    key = draw_hash_key()
    assert polynomial_tag(np.zeros(80, np.uint8), key) != polynomial_tag(np.zeros(81, np.uint8), key)


def test_exact_every_single_error_changes_the_tag():
    """The difference is one term, not 0 unless the key is 0: false alarm 2^-89."""
    bits = random_bits(np.random.default_rng(1), 300)
    key = draw_hash_key()
    tag = polynomial_tag(bits, key)
    for k in range(300):
        other = bits.copy()
        other[k] ^= 1
        assert polynomial_tag(other, key) != tag


def test_limit_collision_bound():
    assert collision_bound(88) == 2 / 2**89
    assert collision_bound(10**7) < 1e-21


@pytest.mark.parametrize(
    ("n_bits", "length"), [(1, 1), (2, 1), (2, 2), (100, 7), (100, 100), (1537, 400), (3000, 2999)]
)
def test_exact_toeplitz_agrees_with_matrix(n_bits, length):
    rng = np.random.default_rng(n_bits + length)
    bits, seed = random_bits(rng, n_bits), random_bits(rng, n_bits + length - 1)
    assert np.array_equal(toeplitz_hash(bits, seed, length), naive_toeplitz(bits, seed, length))


@pytest.mark.parametrize("chunk", [1, 7, 99, 100, 333, 999, 1000])
def test_exact_toeplitz_in_chunks_agrees_with_matrix(monkeypatch, chunk):
    rng = np.random.default_rng(chunk)
    bits, seed = random_bits(rng, 1000), random_bits(rng, 1099)
    monkeypatch.setattr(toeplitz, "_chunk_length", lambda n_bits, length: chunk)
    assert np.array_equal(toeplitz_hash(bits, seed, 100), naive_toeplitz(bits, seed, 100))


def test_exact_toeplitz_of_long_blocks_agrees_in_rows():
    """All-one bits and seed, the largest sums there are: each output is n mod 2."""
    bits, seed = np.ones(300_001, np.uint8), np.ones(370_000, np.uint8)
    assert toeplitz_hash(bits, seed, 70_000).all()


def test_exact_toeplitz_is_linear():
    rng = np.random.default_rng(4)
    x, y, seed = random_bits(rng, 40_000), random_bits(rng, 40_000), random_bits(rng, 49_999)
    both = toeplitz_hash(x, seed, 10_000) ^ toeplitz_hash(y, seed, 10_000)
    assert np.array_equal(toeplitz_hash(x ^ y, seed, 10_000), both)


def test_limit_rounding_bound_holds_for_the_largest_blocks():
    assert toeplitz.rounding_bound(10**8, 2 * 10**7, 2 * 10**7) < toeplitz.ERROR_BOUND
    assert toeplitz.rounding_bound(10**16, 10**16, 10**16) > toeplitz.ERROR_BOUND


@pytest.mark.parametrize(("error", "guard"), [(0.3, "off whole numbers"), (np.nan, "off whole numbers"), (1.0, "Row")])
def test_attack_a_wrong_product_is_refused(monkeypatch, error, guard):
    rng = np.random.default_rng(5)
    bits, seed = random_bits(rng, 100), random_bits(rng, 149)
    right = toeplitz._product
    monkeypatch.setattr(toeplitz, "_product", lambda *given: right(*given) + error)
    with pytest.raises(RunError, match=guard):
        toeplitz_hash(bits, seed, 50)


def test_attack_a_large_rounding_bound_is_refused(monkeypatch):
    monkeypatch.setattr(toeplitz, "ERROR_BOUND", 1e-20)
    with pytest.raises(RunError, match="bounded"):
        toeplitz_hash(np.ones(10, np.uint8), np.ones(14, np.uint8), 5)


@pytest.mark.parametrize(
    ("bits", "seed", "length"),
    [
        (np.zeros(10, np.uint8), np.zeros(15, np.uint8), 5),
        (np.zeros(10, np.uint8), np.zeros(20, np.uint8), 11),
        (np.zeros(10, np.uint8), np.zeros(9, np.uint8), 0),
        (np.zeros(10, np.float32), np.zeros(14, np.uint8), 5),
        (np.full(10, 2, np.uint8), np.zeros(14, np.uint8), 5),
        (np.zeros(0, np.uint8), np.zeros(0, np.uint8), 1),
    ],
)
def test_attack_input_of_another_form_is_refused(bits, seed, length):
    with pytest.raises(InputError):
        toeplitz_hash(bits, seed, length)
