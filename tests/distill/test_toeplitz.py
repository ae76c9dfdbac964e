"""Privacy amplification on both roads against the matrix written out; and its guards."""

import numpy as np
import pytest

from combmesh.distill import binary_product, toeplitz
from combmesh.distill.toeplitz import toeplitz_hash
from combmesh.ground.errors import InputError, RunError

ROADS = ("carryless", "fourier")


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


def naive_toeplitz(bits, seed, length):
    """The matrix written out."""
    i, j = np.ogrid[:length, : bits.size]
    matrix = seed[i - j + bits.size - 1].astype(np.int64)
    return (matrix @ bits.astype(np.int64) % 2).astype(np.uint8)


@pytest.fixture(params=ROADS)
def road(request, monkeypatch):
    return take(request.param, monkeypatch)


@pytest.fixture
def fourier(monkeypatch):
    return take("fourier", monkeypatch)


@pytest.fixture
def carryless(monkeypatch):
    return take("carryless", monkeypatch)


def take(name, monkeypatch):
    if name == "carryless" and not binary_product.has_instruction():
        pytest.skip("This processor has no carry-less multiplication.")
    monkeypatch.setattr(binary_product, "has_instruction", lambda: name == "carryless")
    return name


def test_exact_all_sizes_up_to_256_agree_with_the_matrix(road):
    """The first m rows for n bits need the first n + m - 1 bits of the seed only."""
    rng = np.random.default_rng(256)
    for n_bits in range(1, 257):
        bits, seed = random_bits(rng, n_bits), random_bits(rng, 2 * n_bits - 1)
        expected = naive_toeplitz(bits, seed, n_bits)
        for length in range(1, n_bits + 1):
            hashed = toeplitz_hash(bits, seed[: n_bits + length - 1], length)
            assert np.array_equal(hashed, expected[:length]), (n_bits, length)


@pytest.mark.parametrize(("n_bits", "length"), [(1537, 400), (3000, 2999), (4096, 4096), (20_000, 65), (16_449, 129)])
def test_exact_toeplitz_agrees_with_matrix(road, n_bits, length):
    rng = np.random.default_rng(n_bits + length)
    bits, seed = random_bits(rng, n_bits), random_bits(rng, n_bits + length - 1)
    assert np.array_equal(toeplitz_hash(bits, seed, length), naive_toeplitz(bits, seed, length))


@pytest.mark.parametrize("size", [(100_000, 25_000), (100_003, 100_003), (400_000, 5_000), (262_144, 131_072)])
def test_exact_both_roads_agree(monkeypatch, size):
    n_bits, length = size
    rng = np.random.default_rng(size)
    bits, seed = random_bits(rng, n_bits), random_bits(rng, n_bits + length - 1)
    results = []
    for name in ROADS:
        with monkeypatch.context() as patch:
            take(name, patch)
            results.append(toeplitz_hash(bits, seed, length))
    assert np.array_equal(*results)


@pytest.mark.parametrize("chunk", [1, 7, 99, 100, 333, 999, 1000])
def test_exact_toeplitz_in_chunks_agrees_with_matrix(monkeypatch, fourier, chunk):
    rng = np.random.default_rng(chunk)
    bits, seed = random_bits(rng, 1000), random_bits(rng, 1099)
    monkeypatch.setattr(toeplitz, "_chunk_length", lambda n_bits, length: chunk)
    assert np.array_equal(toeplitz_hash(bits, seed, 100), naive_toeplitz(bits, seed, 100))


def test_exact_toeplitz_of_long_blocks_agrees_in_rows(road):
    """All-one bits and seed, the largest sums there are: each output is n mod 2."""
    bits, seed = np.ones(300_001, np.uint8), np.ones(370_000, np.uint8)
    assert toeplitz_hash(bits, seed, 70_000).all()


def test_exact_toeplitz_is_linear(road):
    rng = np.random.default_rng(4)
    x, y, seed = random_bits(rng, 40_000), random_bits(rng, 40_000), random_bits(rng, 49_999)
    both = toeplitz_hash(x, seed, 10_000) ^ toeplitz_hash(y, seed, 10_000)
    assert np.array_equal(toeplitz_hash(x ^ y, seed, 10_000), both)


def test_exact_every_second_bit_of_a_longer_array(road):
    """Arrays that are not contiguous are read as they are."""
    rng = np.random.default_rng(8)
    bits, seed = random_bits(rng, 2000)[::2], random_bits(rng, 2198)[::-2]
    assert np.array_equal(toeplitz_hash(bits, seed, 100), naive_toeplitz(bits, seed, 100))


def test_exact_seed_bits_are_those_of_the_bytes_highest_first():
    assert toeplitz.seed_bits(b"\x80\x01\xff", 10, 8).tolist() == [1] + [0] * 14 + [1, 1]
    with pytest.raises(InputError, match="must have 3 bytes, but has 2"):
        toeplitz.seed_bits(b"\x80\x01", 10, 8)


def test_limit_rounding_bound_holds_for_the_largest_blocks():
    assert toeplitz.rounding_bound(10**8, 2 * 10**7, 2 * 10**7) < toeplitz.ERROR_BOUND
    assert toeplitz.rounding_bound(10**16, 10**16, 10**16) > toeplitz.ERROR_BOUND


@pytest.mark.parametrize(("error", "guard"), [(0.3, "off whole numbers"), (np.nan, "off whole numbers"), (1.0, "Row")])
def test_attack_a_wrong_fourier_product_is_refused(monkeypatch, fourier, error, guard):
    rng = np.random.default_rng(5)
    bits, seed = random_bits(rng, 100), random_bits(rng, 149)
    right = toeplitz._product
    monkeypatch.setattr(toeplitz, "_product", lambda *given: right(*given) + error)
    with pytest.raises(RunError, match=guard):
        toeplitz_hash(bits, seed, 50)


@pytest.mark.parametrize("bit", [0, 1, 63, 64, 100, 127])
@pytest.mark.parametrize("row", [0, 1, 6, 13])
def test_attack_one_wrong_bit_of_a_carryless_product_is_refused(monkeypatch, carryless, bit, row):
    """13 powers of a random point: false alarm 0, missed with probability 13 / 2^128."""
    rng = np.random.default_rng(5)
    bits, seed = random_bits(rng, 2000), random_bits(rng, 2799)
    right = binary_product._correlate

    def wrong(*given):
        rows = right(*given)
        rows[row, bit // 64] ^= np.uint64(1 << bit % 64)
        return rows

    monkeypatch.setattr(binary_product, "_correlate", wrong)
    with pytest.raises(RunError, match="random point"):
        toeplitz_hash(bits, seed, 800)


def test_attack_a_fault_behind_the_carryless_product_is_refused(monkeypatch, carryless):
    """All output bits turned: each of the random rows shows it."""
    rng = np.random.default_rng(5)
    bits, seed = random_bits(rng, 2000), random_bits(rng, 2799)
    right = toeplitz._carryless_hash
    monkeypatch.setattr(toeplitz, "_carryless_hash", lambda *given: right(*given) ^ 1)
    with pytest.raises(RunError, match="Row"):
        toeplitz_hash(bits, seed, 800)


def test_attack_a_large_rounding_bound_is_refused(monkeypatch, fourier):
    monkeypatch.setattr(toeplitz, "ERROR_BOUND", 1e-20)
    with pytest.raises(RunError, match="bounded"):
        toeplitz_hash(np.ones(10, np.uint8), np.ones(14, np.uint8), 5)


@pytest.mark.parametrize(
    ("bits", "seed", "length", "message"),
    [
        (np.zeros(10, np.uint8), np.zeros(15, np.uint8), 5, r"`seed` must have shape \(14,\), but has \(15,\)."),
        (np.zeros(10, np.uint8), np.zeros(20, np.uint8), 11, "`length` must lie between 1 and 10, but is 11."),
        (np.zeros(10, np.uint8), np.zeros(9, np.uint8), 0, "`length` must lie between 1 and 10, but is 0."),
        (np.zeros(10, np.uint8), np.zeros(14, np.uint8), 5.0, "`length` must be a whole number, but is 5.0."),
        (
            np.zeros(10, np.float32),
            np.zeros(14, np.uint8),
            5,
            "`bits` must be an array of type uint8, but is of type f",
        ),
        (np.zeros(10, np.uint8), bytes(2), 5, "`seed` must be an array of type uint8, but is of type bytes."),
        (np.full(10, 2, np.uint8), np.zeros(14, np.uint8), 5, "`bits` must hold 0 and 1 only, but holds 2."),
        (np.zeros(0, np.uint8), np.zeros(0, np.uint8), 1, r"`bits` must have shape \(n,\) with n at least 1"),
    ],
)
def test_attack_input_of_another_form_is_refused(bits, seed, length, message):
    with pytest.raises(InputError, match=message):
        toeplitz_hash(bits, seed, length)
