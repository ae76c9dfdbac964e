"""Light to counts to key length."""

import numpy as np

from bench.timing import Row, best_s, row
from combmesh.link.gains import gain_x
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import XX, private_bits
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import BlockRule, optimise
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import draw_tally, expected_tally, settings_array

PAPER = Link(7.5e-3, 7.5e-3, Relay(1.0, 4e-8, 0.017, 0.048, 0.5), 2.5e9)
SETTINGS = Settings(0.053, 0.163, 0.269, 0.32, 0.11, 0.53)


def key_length_of_one_table() -> list[Row]:
    """The double scan by two golden sections along the edges."""
    tally = expected_tally(PAPER, SETTINGS, SETTINGS, 2.5e12)
    a = settings_array(SETTINGS)
    b, tail, method = Analysis().as_array()[:3]

    def scan() -> None:
        for _ in range(1000):
            private_bits(a, a, tally.sent, tally.detected, tally.errors[XX], b, int(tail), int(method))

    ours = 1000 / best_s(scan)
    return [row("key lengths of count tables (double scan)", ours, "1/s")]


def tally_of_a_block() -> list[Row]:
    """Counts of 2.5e12 pulses drawn at once, beside drawing the pulses' sources one by one."""
    rng = np.random.default_rng(1)
    ours_s = best_s(lambda: draw_tally(PAPER, SETTINGS, SETTINGS, 2_500_000_000_000, rng))
    pulses = 2_000_000
    peer_s = best_s(lambda: rng.choice(4, pulses, p=[0.04, 0.32, 0.11, 0.53])) / pulses * 2.5e12
    return [row("tally of 2.5e12 pulses", ours_s, "s", "NumPy, source of each pulse (extrapolated)", peer_s)]


def best_settings_of_a_link() -> list[Row]:
    """Optimising a link with equal and with unequal arms."""
    unequal = Link(0.12, 0.012, PAPER.relay, 2.5e9)

    def fresh(link: Link) -> None:
        optimise.cache_clear()
        optimise(link, Analysis(), 1.16, BlockRule())

    return [
        row("optimised settings, equal arms", best_s(lambda: fresh(PAPER)), "s"),
        row("optimised settings, unequal arms", best_s(lambda: fresh(unequal)), "s"),
    ]


def gains() -> list[Row]:
    """Closed-form gains beside PyPI `qkd`."""
    from qkd._core import mdi_diag

    def ours() -> None:
        for _ in range(1000):
            gain_x(0.002, 0.001, 4e-8, 1.0)

    def peer() -> None:
        for _ in range(1000):
            mdi_diag(0.2, 0.1, 0.01, 0.01, 4e-8, 0.0)

    return [row("gain in X", 1000 / best_s(ours), "1/s", "PyPI qkd 0.2.0", 1000 / best_s(peer))]


BENCHMARKS = (key_length_of_one_table, tally_of_a_block, best_settings_of_a_link, gains)
