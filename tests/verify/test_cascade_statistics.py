"""Cascade over thousands of blocks: efficiency with the QBER estimated, and failures. `make verify`."""

import numpy as np
import pytest

from combmesh.distill.cascade import ParityOracle, draw_setup, search, unpack_reply
from combmesh.distill.ledger import pattern_bits
from combmesh.protocol.mdi.bounds import binary_entropy

pytestmark = [pytest.mark.verify, pytest.mark.timeout(7200)]

SAMPLE = 10_000
"""Bits that the tally sacrifices for the estimate of the QBER."""


def correct(n_bits, qber, schedule, rng):
    """One random block with the QBER estimated: f over the actual errors, and whether all were found."""
    planned = rng.binomial(SAMPLE, qber) / SAMPLE
    alice = rng.integers(0, 2, n_bits).astype(np.uint8)
    errors = (rng.random(n_bits) < qber).astype(np.uint8)
    setup = draw_setup(n_bits, schedule)
    oracle = ParityOracle(alice, setup)
    steps = search(alice ^ errors, setup, planned, schedule)
    request = next(steps)
    while True:
        try:
            request = steps.send(unpack_reply(request, oracle.answer(request)))
        except StopIteration as end:
            result = end.value
            break
    found = np.array_equal(result.bits, alice)
    n_errors = int(errors.sum())
    f_ec = oracle.n_answered / (n_bits * binary_entropy(n_errors / n_bits))
    excess = oracle.n_answered - pattern_bits(n_bits, n_errors)
    return f_ec, found, result.n_rounds, excess


@pytest.mark.parametrize(("qber", "f_most"), [(0.017, 1.03), (0.03, 1.035), (0.05, 1.04)])
def test_limit_three_thousand_blocks_of_1e5(qber, f_most):
    """1000 blocks at each of three QBERs. No failure in 3000 bounds their rate by 1.0e-3 at 95 %; 2^-20 is expected."""
    rng = np.random.default_rng([1, int(1000 * qber)])
    runs = [correct(100_000, qber, "fast", rng) for _ in range(1_000)]
    f_ec = np.array([run[0] for run in runs])
    print(f"f {f_ec.mean():.4f}, 99 % {np.quantile(f_ec, 0.99):.4f}, worst {f_ec.max():.4f}")
    assert sum(not run[1] for run in runs) == 0
    assert np.mean([run[3] for run in runs]) > 0
    assert 1.0 < f_ec.mean() < f_most


@pytest.mark.parametrize(("qber", "f_most"), [(0.017, 1.025), (0.03, 1.03), (0.05, 1.035)])
def test_limit_two_hundred_blocks_of_1e6(qber, f_most):
    """67 blocks at each of three QBERs. No failure in 201 bounds their rate by 1.5e-2 at 95 %."""
    rng = np.random.default_rng([2, int(1000 * qber)])
    runs = [correct(1_000_000, qber, "efficient", rng) for _ in range(67)]
    f_ec = np.array([run[0] for run in runs])
    print(f"f {f_ec.mean():.4f}, worst {f_ec.max():.4f}")
    assert sum(not run[1] for run in runs) == 0
    assert 1.0 < f_ec.mean() < f_most


@pytest.mark.parametrize("qber", [0.001, 0.01, 0.014, 0.022, 0.025, 0.04, 0.065, 0.08])
@pytest.mark.parametrize("schedule", ["fast", "efficient"])
def test_limit_between_the_tuned_rates(qber, schedule):
    rng = np.random.default_rng([3, int(1000 * qber)])
    runs = [correct(1_000_000, qber, schedule, rng) for _ in range(5)]
    assert all(run[1] for run in runs)
    assert 1.0 < np.mean([run[0] for run in runs]) < 1.06


@pytest.mark.parametrize("qber", [0.017, 0.03, 0.05])
def test_limit_few_rounds_are_few(qber):
    rng = np.random.default_rng([4, int(1000 * qber)])
    runs = [correct(100_000, qber, "few-rounds", rng) for _ in range(50)]
    assert all(run[1] for run in runs)
    assert np.mean([run[0] for run in runs]) < 1.05
    assert np.mean([run[2] for run in runs]) < 250
