"""Privacy amplification at length: `make verify`."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from combmesh.distill import binary_product, carryless, toeplitz

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


def direct_product(bits, seed, length):
    """All rows: for each bit that is 1, the bits of the seed that it meets, from copies packed at eight places."""
    copies = [np.packbits(np.concatenate([seed[place:], np.zeros(16, np.uint8)])) for place in range(8)]
    n_bytes = -(-length // 8)
    total = np.zeros(n_bytes, np.uint8)
    for j in np.flatnonzero(bits).tolist():
        byte, place = divmod(bits.size - 1 - j, 8)
        total ^= copies[place][byte : byte + n_bytes]
    return np.unpackbits(total, count=length)


def roads(monkeypatch, bits, seed, length):
    with monkeypatch.context() as patch:
        for has in {False, binary_product.has_instruction()}:
            patch.setattr(binary_product, "has_instruction", lambda has=has: has)
            yield toeplitz.toeplitz_hash(bits, seed, length)


def test_exact_100_random_sizes_to_1e6_agree_with_the_direct_product(monkeypatch):
    """All rows, not some; n and then m are uniform in their logarithms, and one block has the largest sizes."""
    rng = np.random.default_rng(100)
    sizes = [(1_000_000, 1_000_000)]
    for _ in range(99):
        n_bits = int(10 ** rng.uniform(2, 6))
        sizes.append((n_bits, int(n_bits ** rng.uniform(0, 1))))
    for n_bits, length in sizes:
        bits, seed = random_bits(rng, n_bits), random_bits(rng, n_bits + length - 1)
        expected = direct_product(bits, seed, length)
        for hashed in roads(monkeypatch, bits, seed, length):
            assert np.array_equal(hashed, expected), (n_bits, length)


@pytest.mark.parametrize(("n_bits", "length"), [(2_800_000, 60_000), (10_000_000, 2_500_000)])
def test_exact_both_roads_agree_in_long_blocks(monkeypatch, n_bits, length):
    rng = np.random.default_rng(length)
    bits, seed = random_bits(rng, n_bits), random_bits(rng, n_bits + length - 1)
    results = list(roads(monkeypatch, bits, seed, length))
    assert all(np.array_equal(results[0], other) for other in results)


def test_limit_memory_of_1e7_bits_stays_under_300_mb():
    """Bits and seed, 22.5 MB, included."""
    if not binary_product.has_instruction():
        pytest.skip("no carry-less multiplication")
    n_bits, length = 10_000_000, 2_500_000
    toeplitz.toeplitz_hash(np.ones(100, np.uint8), np.ones(199, np.uint8), 100)  # compiles
    tracemalloc.start()
    toeplitz.toeplitz_hash(np.ones(n_bits, np.uint8), np.ones(n_bits + length - 1, np.uint8), length)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6


PROGRAM = """
import sys
import numpy as np
from combmesh.ground import kernels
kernels._cache_folder = lambda source: sys.argv[1]
from combmesh.distill import binary_product, carryless, carryless_kernels, toeplitz
rng = np.random.default_rng(1)
bits, seed = (rng.integers(0, 2, size).astype(np.uint8) for size in (5000, 5999))
digest = int(np.flatnonzero(toeplitz.toeplitz_hash(bits, seed, 1000)).sum())
stats = carryless_kernels.transform.stats
print(int(carryless.has_feature()), digest, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def run_for(folder, name, features):
    target = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features} if name else {}
    variables = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_CPU")}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=variables | target, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(
    carryless.target()[0] != "x86_64" or not carryless.has_feature(), reason="needs x86-64 with pclmulqdq"
)
def test_exact_no_target_loads_the_code_of_another(tmp_path):
    """One cache for all: each target compiles for itself once, and all agree.

    The plainest x86-64 processor has no such instruction and takes the Fourier road; nothing is compiled or loaded.
    """
    has, digest, hits, misses = run_for(tmp_path, "", "")
    assert (has, hits, misses) == (1, 0, 1)
    assert run_for(tmp_path, "", "") == [1, digest, 1, 0]
    assert run_for(tmp_path, "x86-64", "") == [0, digest, 0, 0]
    assert run_for(tmp_path, "westmere", "+pclmul") == [1, digest, 0, 1]
    assert run_for(tmp_path, "westmere", "+pclmul,+avx") == [1, digest, 0, 1]
    assert run_for(tmp_path, "westmere", "+pclmul") == [1, digest, 1, 0]
