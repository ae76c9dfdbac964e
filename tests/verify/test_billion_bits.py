"""1e9 sifted bits through each engine, from two strings to two sealed keys: not one pair of keys that differs."""

import os

import numpy as np
import pytest

from combmesh.distill.authentication import PAIR_BYTES, POINT_BYTES, MemoryPool
from combmesh.distill.local import exchange
from combmesh.distill.session import BlockName, Session
from combmesh.distill.settings import DistilSettings
from combmesh.network.block import sifted_pair
from combmesh.protocol.mdi.bounds import binary_entropy

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3000)]
QBERS = (0.01, 0.017, 0.03, 0.05)


def sealed_block(n_bits, qber, engine, rng):
    """Both ends' results, and whether the keys are the same; the planned QBER is estimated from 1e4 other bits."""
    alice, bob = sifted_pair(n_bits, int(rng.binomial(n_bits, qber)), rng)
    settings = DistilSettings(rng.binomial(10_000, qber) / 1e4, 0.8 * n_bits, engine=engine)
    pads = os.urandom(POINT_BYTES + PAIR_BYTES)
    pools = [MemoryPool(pads[:POINT_BYTES]) for _ in range(2)]
    for pool in pools:
        pool.add("pre-shared", pads[POINT_BYTES:])
    name = BlockName("block", "0" * 64)
    return exchange(Session("alice", alice, settings, name, pools[0]), Session("bob", bob, settings, name, pools[1]))


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize(("engine", "n_bits", "worst_f"), [("cascade", 2_000_000, 1.04), ("ldpc", 400_000, 1.2)])
def test_exact_half_a_billion_bits_give_no_pair_of_keys_that_differs(engine, n_bits, worst_f, part):
    """On average over blocks no fewer bits are disclosed than Shannon asks for, or the count would not be honest."""
    rng = np.random.default_rng([part, len(engine)])
    disclosed, needed, failed, blocks = 0, 0.0, 0, 500_000_000 // n_bits
    for block in range(blocks):
        alice, bob = sealed_block(n_bits, QBERS[block % len(QBERS)], engine, rng)
        if alice.distilled.key is None or bob.distilled.key is None:
            failed += 1
            assert alice.distilled.key is bob.distilled.key is None
            continue
        assert alice.distilled.key == bob.distilled.key
        disclosed += alice.distilled.parity_bits
        needed += n_bits * binary_entropy(alice.distilled.n_errors / n_bits)
    assert failed <= blocks // 100
    assert 1.0 <= disclosed / needed <= worst_f
