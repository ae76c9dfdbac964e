"""One-way LDPC reconciliation of 1e5 bits, both users' work on one core."""

import numpy as np

from bench.timing import Row, best_s, row
from combmesh.distill.ldpc.correction import decode
from combmesh.distill.ldpc.frames import choose_setup
from combmesh.distill.ldpc.oracle import SyndromeOracle
from combmesh.network.block import sifted_pair
from combmesh.protocol.mdi.bounds import binary_entropy

QBER, N_BITS, N_BLOCKS = 0.017, 100_000, 20


def one_way() -> list[Row]:
    """Speed of one shot at f near 1.13 and with reveals, and both f; beside PyPI `ldpc` where it is installed."""
    rng = np.random.default_rng(1)
    pairs = [sifted_pair(N_BITS, int(rng.binomial(N_BITS, QBER)), rng) for _ in range(N_BLOCKS)]
    shannon_bits = sum(N_BITS * float(binary_entropy(float(np.mean(a != b)))) for a, b in pairs)
    rows = []
    for first in ("one-shot", "reveals"):
        parities: list[int] = []

        def reconcile(first: str = first, parities: list[int] = parities) -> None:
            parities[:] = [_reconcile(a, b, first) for a, b in pairs]

        speed = N_BITS * N_BLOCKS / best_s(reconcile, 1) / 1e6
        peer = _peer_speed() if first == "one-shot" else None
        name = "PyPI ldpc, product-sum, 12 iterations at most" if peer else None
        rows.append(row(f"LDPC {first} 1e5 bits at 1.7 % (both users)", speed, "Mbit/s", name, peer))
        rows.append(row(f"LDPC {first} efficiency f at 1e5 bits", sum(parities) / shannon_bits, ""))
    return rows


def _reconcile(alice: np.ndarray, bob: np.ndarray, first: str) -> int:
    setup = choose_setup(N_BITS, QBER, first)
    oracle = SyndromeOracle(alice, setup)
    steps = decode(bob, setup, QBER)
    request = next(steps)
    while True:
        try:
            request = steps.send(oracle.answer(request))
        except StopIteration:
            return oracle.progress.n_disclosed


def _peer_speed() -> float | None:
    """Decoding alone of one frame in a code of 59 rows, thus at f near 1.21; None where it is not installed."""
    try:
        from ldpc import BpDecoder
    except ImportError:
        return None
    from scipy.sparse import csr_matrix

    from combmesh.distill.ldpc.code import N_COLUMNS, build

    code, z = build(59, 256), np.arange(256)
    rows = np.repeat(np.arange(59), np.diff(code.begins[::2]))
    checks = (rows[:, None] * 256 + z).ravel()
    bits = (code.columns[:, None] * 256 + (z + code.shifts[:, None]) % 256).ravel()
    shape = (59 * 256, N_COLUMNS * 256)
    matrix = csr_matrix((np.ones(checks.size, np.uint8), (checks, bits)), shape)
    errors = (np.random.default_rng(2).random(shape[1]) < QBER).astype(np.uint8)
    syndrome = (matrix @ errors % 2).astype(np.uint8)
    decoder = BpDecoder(matrix, error_rate=QBER, max_iter=12, bp_method="product_sum", schedule="serial")
    return shape[1] / best_s(lambda: decoder.decode(syndrome), 1) / 1e6


BENCHMARKS = (one_way,)
