from pathlib import Path

import pytest

from combmesh.config.load import load_network

SMALL = """
schema_version = 1
name = "small"
seed = {seed}
blocks = {blocks}
[[users]]
name = "U"
count = 4
fibre_km = 25
[relay]
detector_efficiency = 0.75
dark_count_probability = 4e-8
misalignment_z = 0.017
misalignment_x = 0.034
visibility = 0.485
dead_time_ns = 30
[block]
sifted_bits = 2e5
"""


@pytest.fixture
def small(tmp_path):
    """A network of six equal pairs and small blocks; a key each."""

    def make(seed=1, blocks=1):
        path = Path(tmp_path) / f"small-{seed}-{blocks}.toml"
        path.write_text(SMALL.format(seed=seed, blocks=blocks))
        return load_network(path).network

    return make
