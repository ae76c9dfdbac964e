"""Light to counts to key length."""

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numba import njit
from scipy.special import lambertw, xlogy

from bench.timing import Row, best_s, row
from combmesh.ground.parallel import processors
from combmesh.link.gains import gain_x, gain_z
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import (
    DOUBLE_SCAN,
    OO,
    OX,
    OY,
    XO,
    XX,
    YO,
    YY,
    ZZ,
    joint_lower,
    joint_upper,
    private_bits,
)
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.sweep import optimise_many
from combmesh.protocol.mdi.tally import Tally, draw_tally, expected_tally, settings_array
from combmesh.protocol.statistics import EXACT, expectation_lower, expectation_upper

PAPER = Link(7.5e-3, 7.5e-3, Relay(1.0, 4e-8, 0.017, 0.048, 0.5), 2.5e9)
SETTINGS = Settings(0.053, 0.163, 0.269, 0.32, 0.11, 0.53)


def key_length_of_one_table() -> list[Row]:
    """The double scan, called from a compiled loop and one by one from Python.

    Beside the closed-form bound of three intensities (Curty et al. 2014) of PyPI `qkd`, for one of its two Bell states,
    and beside a grid over H and M in NumPy.
    """
    tally = expected_tally(PAPER, SETTINGS, SETTINGS, 2.5e12)
    a, b = settings_array(SETTINGS), Analysis().as_array()[0]
    table = (a, a, tally.sent, tally.detected, tally.errors[XX], b, EXACT, DOUBLE_SCAN)

    def one_by_one() -> None:
        for _ in range(1000):
            private_bits(*table)

    compiled = 20_000 / best_s(lambda: _compiled_loop(20_000, *table), 5)
    singly = 1000 / best_s(one_by_one, 5)
    closed_form = _closed_form_of_qkd()
    peer = 1000 / best_s(lambda: [closed_form() for _ in range(1000)])
    grid = 1 / best_s(lambda: _numpy_scan(tally, SETTINGS, b, 101))
    return [
        row("key lengths of count tables, compiled loop", compiled, "1/s", "PyPI qkd 0.2.0, closed form", peer),
        row("key lengths of count tables, from Python", singly, "1/s", "NumPy, grid of 101 x 101", grid),
    ]


@njit
def _compiled_loop(times, a, c, sent, detected, errors_xx, b, tail, method):
    total = 0.0
    for i in range(times):  # no two tables alike
        total += private_bits(a, c, sent, detected, errors_xx * (1.0 + 1e-9 * i), b, tail, method)[0]
    return total


def _closed_form_of_qkd() -> Callable[[], float]:
    """Key length of one Bell state of a block of three intensities in both bases, 2.5e14 pulses over two 80 % arms."""
    from qkd import _core

    intensities, share, eps = [0.25, 0.05, 1e-4], 1 / 18, _core.mdi_eps(5e-11)
    sent = [share] * 9
    pairs_sent = [(0.8 * u, 0.8 * v) for u in intensities for v in intensities]
    in_z, in_x = ([gain(a, b, 4e-8, 1.0) for a, b in pairs_sent] for gain in (gain_z, gain_x))
    counts_z, counts_x = ([0.5 * share * 2.5e14 * (right + wrong) for right, wrong in some] for some in (in_z, in_x))
    errors_x = [0.5 * share * 2.5e14 * (0.98 * wrong + 0.02 * right) for right, wrong in in_x]
    n_key = 0.9 * counts_z[0]

    def length() -> float:
        n_1 = _core.mdi_single(intensities, intensities, sent, counts_z, n_key, eps)
        n_0 = _core.mdi_vacuum(intensities, intensities, sent, counts_z, n_key, eps)
        pairs = _core.mdi_pairs(intensities, intensities, sent, counts_x, eps)
        faults = _core.mdi_faults(intensities, intensities, sent, errors_x, eps)
        phase_error = _core.mdi_phase(n_1, pairs, faults, eps)
        return float(_core.mdi_length(n_0, n_1, phase_error, n_key, 0.017, 1.16, 5e-11, 1e-15))

    return length


def _numpy_scan(tally: Tally, a: Settings, b: float, points: int) -> float:
    """The least private bits over a grid of H and M, for users with equal settings: Jiang (2021) written plainly."""
    sent, seen, wrong = tally.sent, tally.detected, tally.errors[XX]
    up, e_x, e_y = a.y**3, np.exp(a.x), np.exp(a.y)
    right = [up * e_x**2 / sent[XX], a.x**3 * e_y / sent[OY], a.x**3 * e_y / sent[YO]]
    many = [a.x**3 * e_y**2 / sent[YY], a.x**3 / sent[OO]]
    base = joint_lower(np.array(right), np.array([seen[XX] - wrong, seen[OY], seen[YO]]), b, EXACT)
    base -= joint_upper(np.array(many), np.array([seen[YY], seen[OO]]), b, EXACT)
    singles = np.array([e_x / sent[XO], e_x / sent[OX]]), np.array([seen[XO], seen[OX]])
    h_low = joint_lower(*singles, b, EXACT) - expectation_upper(seen[OO], b, EXACT) / sent[OO]
    h_high = joint_upper(*singles, b, EXACT) - expectation_lower(seen[OO], b, EXACT) / sent[OO]
    m_ends = [bound(wrong, b, EXACT) * e_x**2 / sent[XX] for bound in (expectation_lower, expectation_upper)]
    h, m = np.meshgrid(np.linspace(h_low, h_high, points), np.linspace(*m_ends, points))
    s11 = (base + up * (m - h)) / (a.x**2 * a.y**2 * (a.y - a.x))
    expected = sent[ZZ] * a.z**2 * np.exp(-2 * a.z) * s11
    pairs = expected * np.exp(1 + lambertw((b - expected) / (np.e * expected), -1).real)
    wrong_pairs = pairs * np.maximum(m - h / 2, 1e-30) / (a.x**2 * s11)
    phase = wrong_pairs * np.exp(1 + lambertw((b - wrong_pairs) / (np.e * wrong_pairs)).real) / pairs
    return float((pairs * (1 + (xlogy(phase, phase) + xlogy(1 - phase, 1 - phase)) / np.log(2))).min())


def tally_of_a_block() -> list[Row]:
    """Counts of 2.5e12 pulses drawn at once, beside drawing the pulses' sources one by one."""
    rng = np.random.default_rng(1)
    ours_s = best_s(lambda: draw_tally(PAPER, SETTINGS, SETTINGS, 2_500_000_000_000, rng))
    pulses = 2_000_000
    peer_s = best_s(lambda: rng.choice(4, pulses, p=[0.04, 0.32, 0.11, 0.53])) / pulses * 2.5e12
    return [row("tally of 2.5e12 pulses", ours_s, "s", "NumPy, source of each pulse (extrapolated)", peer_s)]


def best_settings_of_a_link() -> list[Row]:
    """Optimising a link with equal and with unequal arms, and the 19,900 links of 200 users who all differ."""
    unequal, rule = Link(0.12, 0.012, PAPER.relay, 2.5e9), (Analysis(), 1.16, BlockRule())

    def fresh(link: Link) -> None:
        optimise.cache_clear()
        optimise(link, *rule)

    arms = 10 ** (-0.02 * np.random.default_rng(2).uniform(20, 130, 200))
    links = [Link(a, b, PAPER.relay, 2.5e9) for a, b in combinations(map(float, arms), 2)]
    began = time.perf_counter()
    optimise_many(links, *rule, workers=processors())
    many_s = time.perf_counter() - began
    return [
        row("optimised settings, equal arms", best_s(lambda: fresh(PAPER)), "s"),
        row("optimised settings, unequal arms", best_s(lambda: fresh(unequal)), "s"),
        row(f"optimised settings, {len(links)} unequal links, {processors()} processors", many_s, "s"),
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
