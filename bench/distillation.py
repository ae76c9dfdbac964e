"""Sifted bits to key: both users' work on one core."""

import secrets
import time

import numpy as np
from numpy.typing import NDArray

from bench.timing import Row, best_s, row
from combmesh.distill.authentication import PAIR_BYTES, POINT_BYTES, MemoryPool
from combmesh.distill.cascade import SCHEDULE_NAMES, ParityOracle, ScheduleName, draw_setup, search, unpack_reply
from combmesh.distill.local import exchange
from combmesh.distill.session import BlockName, Sealed, Session
from combmesh.distill.settings import DistilSettings
from combmesh.distill.toeplitz import toeplitz_hash
from combmesh.distill.verification import draw_hash_seed, linear_tag
from combmesh.ground.errors import RunError
from combmesh.network.block import sifted_pair
from combmesh.protocol.mdi.bounds import binary_entropy

QBER = 0.017


def whole_block() -> list[Row]:
    """Blocks of 2e6 bits: both users' whole work on one core, from two strings to two authenticated keys, and f.

    f: all that is subtracted, Alice's parities, her tag and Bob's word, over n h(QBER).
    """
    n = 2_000_000
    alice, bob = sifted_pair(n, round(QBER * n), np.random.default_rng(1))
    settings = DistilSettings(QBER, 0.45 * n)
    results: list[Sealed] = []

    def distil() -> None:
        secret, name = secrets.token_bytes(POINT_BYTES + PAIR_BYTES), BlockName("benchmark", "0" * 64)
        pools = [MemoryPool(secret[:POINT_BYTES]) for _ in range(2)]
        for pool in pools:
            pool.add("pre-shared", secret[POINT_BYTES:])
        ends = Session("alice", alice, settings, name, pools[0]), Session("bob", bob, settings, name, pools[1])
        results.append(exchange(*ends)[0])

    speed = n / best_s(distil, 3) / 1e6
    if any(sealed.distilled.key is None for sealed in results):
        raise RunError("A block of the benchmark has no key.")
    shannon = n * binary_entropy(QBER)
    subtracted = float(np.mean([sealed.distilled.alice_bits + 1 for sealed in results])) / shannon
    return [
        row("distil_total_1.7pct", speed, "Mbit/s", "cascade-cpp, reconciliation alone, published 7 to 9", 8.0),
        row(
            "f of distil_total_1.7pct, all subtracted bits",
            subtracted,
            "",
            "PyPI qkd 0.2.0 Cascade",
            _peer_efficiency(),
        ),
    ]


def reconciliation() -> list[Row]:
    """Cascade alone, both users on one core by CPU time, with its f; cascade-cpp's figures are its published ones."""
    n, rng, rows = 2_000_000, np.random.default_rng(2), []
    for schedule in SCHEDULE_NAMES:
        _reconcile(20_000, QBER, schedule, rng)
        runs = [_reconcile(n, QBER, schedule, rng) for _ in range(3)]
        speed = n / min(run[1] for run in runs) / 1e6
        rows.append(
            row(f"Cascade {schedule}, 2e6 bits at 1.7 %", speed, "Mbit/s", "cascade-cpp, published 7 to 9", 8.0)
        )
        f_ec = float(np.mean([run[0] for run in runs]))
        rows.append(row(f"f of Cascade {schedule}, 2e6 at 1.7 %", f_ec, "", "cascade-cpp, published", 1.058))
    sizes: tuple[tuple[int, ScheduleName, int], ...] = ((100_000, "fast", 10), (1_000_000, "efficient", 2))
    for size, schedule, times in sizes:
        for qber in (0.017, 0.03, 0.05):
            f_ec = float(np.mean([_reconcile(size, qber, schedule, rng)[0] for _ in range(times)]))
            rows.append(row(f"f of Cascade {schedule}, {size:.0e} at {100 * qber:g} %", f_ec, ""))
    return rows


def _reconcile(n: int, qber: float, schedule: ScheduleName, rng: np.random.Generator) -> tuple[float, float]:
    """f of one block with the QBER estimated from 1e4 bits, and both users' CPU time, s."""
    errors = (rng.random(n) < qber).astype(np.uint8)
    alice = rng.integers(0, 2, n, np.uint8)
    bob = alice ^ errors
    planned = float(rng.binomial(10_000, qber)) / 10_000
    began = time.process_time()
    setup = draw_setup(n, schedule)
    oracle = ParityOracle(alice, setup)
    steps = search(bob, setup, planned, schedule)
    request = next(steps)
    try:
        while True:
            request = steps.send(unpack_reply(request, oracle.answer(request)))
    except StopIteration as end:
        span = time.process_time() - began
        if not np.array_equal(end.value.bits, alice):
            raise RunError("The corrected bits differ.") from end
    return oracle.n_answered / (n * binary_entropy(float(errors.mean()))), span


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


BENCHMARKS = (whole_block, reconciliation, toeplitz, verification)
