"""Sifted bits to key: both users' work on one core."""

import secrets

import numpy as np
from numpy.typing import NDArray

from bench.timing import Row, best_s, row
from combmesh.distill.local import exchange
from combmesh.distill.party import Alice, Bob
from combmesh.distill.settings import Distilled, DistilSettings
from combmesh.distill.toeplitz import toeplitz_hash
from combmesh.distill.verification import draw_hash_seed, linear_tag
from combmesh.network.block import sifted_pair
from combmesh.protocol.mdi.bounds import binary_entropy

QBER = 0.017


def whole_block() -> list[Row]:
    """A block of 2e6 bits, from two strings to two keys; and the efficiency f beside a peer's Cascade."""
    n = 2_000_000
    alice, bob = sifted_pair(n, round(QBER * n), np.random.default_rng(1))
    settings = DistilSettings(QBER, 0.45 * n)
    results: list[Distilled] = []

    def distil() -> None:
        results.append(exchange(Alice(alice, settings), Bob(bob, settings))[0])

    speed = n / best_s(distil, 2) / 1e6
    efficiency = results[-1].parity_bits / (n * binary_entropy(QBER))
    return [
        row("distil 2e6 bits at 1.7 % (both users)", speed, "Mbit/s"),
        row("reconciliation efficiency f at 2e6 bits", efficiency, "", "PyPI qkd 0.2.0 Cascade", _peer_efficiency()),
    ]


def _peer_efficiency() -> float:
    from qkd.reconcile import Cascade, run_cascade

    leak_bits, _ = run_cascade(QBER, frames=4, seed=1, cfg=Cascade())
    return float(leak_bits / (Cascade().frame * binary_entropy(QBER)))


def toeplitz() -> list[Row]:
    """Privacy amplification of 2e6 bits to 6e5, beside one transform of SciPy over everything."""
    from scipy.signal import fftconvolve

    n, length = 2_000_000, 600_000
    bits = np.frombuffer(secrets.token_bytes(n), np.uint8) & 1
    seed = np.frombuffer(secrets.token_bytes(n + length - 1), np.uint8) & 1
    ours = n / best_s(lambda: toeplitz_hash(bits, seed, length), 2) / 1e6
    peer_s = best_s(lambda: np.rint(fftconvolve(seed.astype(float), bits.astype(float), "valid")) % 2, 1)
    return [row("Toeplitz hash 2e6 to 6e5 bits", ours, "Mbit/s", "scipy.signal.fftconvolve", n / peer_s / 1e6)]


def verification() -> list[Row]:
    """The tag of 2e6 bits, beside a polynomial modulo 2^89 - 1 in Python's integers, which is not linear."""
    n = 2_000_000
    bits = np.frombuffer(secrets.token_bytes(n), np.uint8) & np.uint8(1)
    seed = draw_hash_seed()
    ours = n / best_s(lambda: linear_tag(bits, seed, 50)) / 1e6
    peer = n / best_s(lambda: _prime_tag(bits, seed)) / 1e6
    return [row("verification tag of 2e6 bits", ours, "Mbit/s", "Python integers modulo 2^89 - 1", peer)]


def _prime_tag(bits: NDArray[np.uint8], key: int) -> int:
    prime, step, tag = 2**89 - 1, 11, 0
    key %= prime
    data = np.packbits(bits).tobytes()
    for k in range(0, len(data), step):
        tag = (tag * key + int.from_bytes(data[k : k + step], "big")) % prime
    return tag


BENCHMARKS = (whole_block, toeplitz, verification)
