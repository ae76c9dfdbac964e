"""Slow statistics: `make verify`."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from combmesh.distill.local import exchange
from combmesh.distill.party import Alice, Bob
from combmesh.distill.settings import DistilSettings
from combmesh.network.block import sifted_pair
from combmesh.protocol.mdi.bounds import binary_entropy

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]
N_KILLS = 60

NETWORK = """
schema_version = 1
name = "killed"
blocks = 40
[[users]]
name = "U"
count = 5
fibre_km = 25
[relay]
detector_efficiency = 0.75
dark_count_probability = 4e-8
misalignment_z = 0.017
misalignment_x = 0.034
visibility = 0.485
[block]
sifted_bits = 2e5
"""


@pytest.mark.parametrize(("qber", "f_most"), [(0.017, 1.04), (0.03, 1.045), (0.05, 1.06)])
def test_limit_no_block_of_300_fails_and_f_stays_low(qber, f_most):
    """3e7 bits at each error rate: every block gives one key at both ends."""
    n, rng, parities, shannon_bits = 100_000, np.random.default_rng(7), 0, 0.0
    for _ in range(300):
        n_errors = int(rng.binomial(n, qber))
        alice, bob = sifted_pair(n, n_errors, rng)
        settings = DistilSettings(qber, 0.9 * n)
        at_alice, at_bob = exchange(Alice(alice, settings), Bob(bob, settings))
        assert at_alice.key is not None
        assert at_bob.key is not None
        assert at_alice.key.material == at_bob.key.material
        assert at_alice.n_errors == n_errors
        parities += at_alice.parity_bits
        shannon_bits += n * binary_entropy(n_errors / n)
    assert parities / shannon_bits < f_most


def test_attack_kills_at_random_moments_lose_no_key(tmp_path):
    """The run is killed again and again, then finished: every block once, both stores of each pair the same."""
    path = tmp_path / "killed.toml"
    path.write_text(NETWORK)
    command = [*COMMAND, "run", str(path), "--workers", "2", "--json", "-o", str(tmp_path / "runs")]
    moment = random.Random(11)
    for _ in range(N_KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment.uniform(0.3, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["blocks"] == 400
    assert document["pairs_with_key"] == document["pairs"] == 10
    assert document["mismatched_pairs"] == 0
