"""The best intensities and probabilities for a link: Nelder-Mead on the signed rate, from several starts.

The signed rate is optimised: clipped at 0, nearly every point would look alike. Deterministic: the starts are fixed.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import XX, ZZ, binary_entropy, private_bits
from combmesh.protocol.mdi.keyrate import Analysis, key_length, vacuum_bits
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, link_array, pair_gains, pair_probabilities, settings_array

_START = (0.053, 0.25, 0.333, 0.278, 0.028, 0.655)
_LARGEST_INTENSITY = 2.0
_STALLED = 1e-4

_Task = tuple[NDArray[np.float64], NDArray[np.float64], float, float, float]
"""What a climb needs besides its start: link, analysis, f_ec, most pulses and most sifted bits of a block."""


@dataclass(frozen=True)
class LinkPlan:
    """Settings of both users for a link, and what they are expected to give.

    Attributes:
        alice, bob: the settings.
        pulses: pulses of a block.
        rate_per_pulse: expected signed secret bits for each pulse.
    """

    alice: Settings
    bob: Settings
    pulses: int
    rate_per_pulse: float


@kernel
def decode(point: NDArray[np.float64], symmetric: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Settings (x, y, z, p_x, p_y, p_z, o = 0) of both users from free numbers: every real point is allowed."""
    both = np.zeros((2, 7))
    for user in range(2):
        u = point[:6] if symmetric else point[6 * user : 6 * user + 6]
        both[user, 1] = _LARGEST_INTENSITY / (1.0 + exp(-u[1]))
        both[user, 0] = both[user, 1] / (1.0 + exp(-u[0]))
        both[user, 2] = _LARGEST_INTENSITY / (1.0 + exp(-u[2]))
        top = max(0.0, max(u[3], max(u[4], u[5])))
        total = exp(-top) + exp(u[3] - top) + exp(u[4] - top) + exp(u[5] - top)
        for k in range(3, 6):
            both[user, k] = exp(u[k] - top) / total
    return both[0], both[1]


@kernel
def block_pulses(
    a: NDArray[np.float64], c: NDArray[np.float64], gain_zz: float, pulses_max: float, sifted_bits: float
) -> float:
    """Pulses of a block: at most `pulses_max`, or as many as are expected to give `sifted_bits`."""
    per_pulse = a[5] * c[5] * gain_zz
    return min(pulses_max, sifted_bits / per_pulse) if per_pulse > 0.0 else pulses_max


@kernel
def signed_rate(
    point: NDArray[np.float64],
    symmetric: bool,
    link: NDArray[np.float64],
    analysis: NDArray[np.float64],
    f_ec: float,
    pulses_max: float,
    sifted_bits: float,
) -> float:
    """Expected signed secret bits for each pulse at a point."""
    a, c = decode(point, symmetric)
    gains, wrong = pair_gains(a, c, link)
    chances = pair_probabilities(a, c)
    pulses = block_pulses(a, c, gains[ZZ], pulses_max, sifted_bits)
    if chances.min() * pulses < 1.0 or a[0] < 1e-7 or c[0] < 1e-7 or gains[ZZ] <= 0.0:
        return -1.0
    sent = pulses * chances
    detected = sent * gains
    b, tail, method = analysis[0], int(analysis[1]), int(analysis[2])
    bits = private_bits(a, c, sent, detected, sent[XX] * wrong[XX], b, tail, method)[0]
    if analysis[4] > 0.0:
        bits += vacuum_bits(a, sent, detected, b, tail)
    leak = f_ec * detected[ZZ] * binary_entropy(wrong[ZZ] / gains[ZZ])
    rate: float = (bits - leak - analysis[3]) / pulses
    return rate


@kernel
def climb(
    start: NDArray[np.float64],
    step: float,
    evaluations: int,
    symmetric: bool,
    link: NDArray[np.float64],
    analysis: NDArray[np.float64],
    f_ec: float,
    pulses_max: float,
    sifted_bits: float,
) -> tuple[NDArray[np.float64], float]:
    """Maximise `signed_rate`: Nelder & Mead's simplex, with the coefficients of Gao & Han (2012)."""
    n = len(start)
    points = np.empty((n + 1, n))
    values = np.empty(n + 1)
    for i in range(n + 1):
        points[i] = start
        if i > 0:
            points[i, i - 1] += step
        values[i] = -signed_rate(points[i], symmetric, link, analysis, f_ec, pulses_max, sifted_bits)
    expand, contract, shrink = 1.0 + 2.0 / n, 0.75 - 0.5 / n, 1.0 - 1.0 / n
    used = n + 1
    while used < evaluations:
        order = np.argsort(values)
        points, values = points[order], values[order]
        if values[n] - values[0] <= 1e-9 * abs(values[0]):
            break
        centre = points[:n].sum(axis=0) / n
        reflected = 2.0 * centre - points[n]
        f_r = -signed_rate(reflected, symmetric, link, analysis, f_ec, pulses_max, sifted_bits)
        used += 1
        if f_r < values[0]:
            trial = centre + expand * (centre - points[n])
        elif f_r < values[n - 1]:
            points[n], values[n] = reflected, f_r
            continue
        elif f_r < values[n]:
            trial = centre + contract * (reflected - centre)
        else:
            trial = centre + contract * (points[n] - centre)
        f_t = -signed_rate(trial, symmetric, link, analysis, f_ec, pulses_max, sifted_bits)
        used += 1
        if f_t < min(f_r, values[n]):
            points[n], values[n] = trial, f_t
        elif f_r < values[0]:
            points[n], values[n] = reflected, f_r
        else:
            for i in range(1, n + 1):
                points[i] = points[0] + shrink * (points[i] - points[0])
                values[i] = -signed_rate(points[i], symmetric, link, analysis, f_ec, pulses_max, sifted_bits)
            used += n
    best = np.argmin(values)
    return points[best].copy(), -values[best]


def _encode(x: float, y: float, z: float, p_x: float, p_y: float, p_z: float) -> list[float]:
    """The free numbers of a setting; the inverse of `decode` for one user."""
    p_o = 1.0 - p_x - p_y - p_z
    m = _LARGEST_INTENSITY
    return [log(x / (y - x)), log(y / (m - y)), log(z / (m - z)), log(p_x / p_o), log(p_y / p_o), log(p_z / p_o)]


def _starts(eta_a: float, eta_b: float, symmetric: bool) -> list[list[NDArray[np.float64]]]:
    """Starts in two families, bright and dim: the decoys that arrive are balanced fully, half or not at all."""
    x, y, z, *chances = _START
    families: list[list[NDArray[np.float64]]] = []
    for scale in (1.0, 0.4):
        families.append([])
        for balance in (1.0,) if symmetric else (1.0, 0.5, 0.0):
            ratio = sqrt(eta_b / eta_a) ** balance
            users = []
            for r in (ratio, 1.0 / ratio):
                y_u = min(max(y * r * scale, 0.01), 1.5)
                x_u = min(max(x * r * scale, 0.001), 0.5 * y_u)
                users.append(_encode(x_u, y_u, min(max(z * sqrt(r) * scale, 0.02), 1.5), *chances))
            families[-1].append(np.array(users[0] if symmetric else users[0] + users[1]))
    return families


def _search(
    families: list[list[NDArray[np.float64]]], symmetric: bool, task: _Task
) -> tuple[NDArray[np.float64], float]:
    """(best point, its rate): a short climb from each start, long ones from where the best of each family arrives."""
    tops = []
    for family in families:
        arrived = [climb(start, 0.3, 600, symmetric, *task) for start in family]
        point, value = max(arrived, key=lambda result: result[1])
        for step in (0.3, -0.3, 0.2):
            point, value = climb(point, step, 2000, symmetric, *task)
        tops.append((point, value))
    point, value = max(tops, key=lambda result: result[1])
    for step in (0.5, -0.5, 0.3, -0.2):  # a simplex can stall on a kink, where the users change places
        before = value
        point, value = climb(point, step, 2000, symmetric, *task)
        if value - before <= _STALLED * abs(value):
            break
    return point, value


def _search_from_longer_blocks(
    families: list[list[NDArray[np.float64]]], symmetric: bool, task: _Task
) -> tuple[NDArray[np.float64], float]:
    """As `_search`, but the optimum is followed from blocks 100 times as long: near the end of the reach every climb
    from the usual starts ends where no signal is sent, which costs no more than the constant bits."""
    link, analysis, f_ec, pulses_max, sifted_bits = task
    point = _search(families, symmetric, (link, analysis, f_ec, 100.0 * pulses_max, 100.0 * sifted_bits))[0]
    for stretch in (30.0, 10.0, 3.0, 1.0):
        stretched: _Task = (link, analysis, f_ec, stretch * pulses_max, stretch * sifted_bits)
        for step in (0.3, -0.3, 0.2):
            point, value = climb(point, step, 1500, symmetric, *stretched)
    return point, value


@lru_cache(maxsize=4096)
def optimise(link: Link, analysis: Analysis, f_ec: float, block: BlockRule) -> LinkPlan:
    """The settings with the most expected key for each pulse; equal links are computed once."""
    symmetric = link.efficiency_a == link.efficiency_b
    arrays: _Task = (link_array(link), analysis.as_array(), f_ec, block.time_s * link.clock_hz, block.sifted_bits)
    families = _starts(link.efficiency_a, link.efficiency_b, symmetric)
    point, value = _search(families, symmetric, arrays)
    if value <= 0.0:
        followed = _search_from_longer_blocks(families, symmetric, arrays)
        point, value = max((point, value), followed, key=lambda result: result[1])
    a, c = decode(point, symmetric)
    gains, _ = pair_gains(a, c, arrays[0])
    pulses = max(round(block_pulses(a, c, gains[ZZ], arrays[3], arrays[4])), 1)
    return LinkPlan(Settings(*map(float, a)), Settings(*map(float, c)), pulses, float(value))


def fixed_plan(link: Link, settings: Settings, analysis: Analysis, f_ec: float, block: BlockRule) -> LinkPlan:
    """The plan of a link whose users both keep to given settings."""
    a = settings_array(settings)
    gains, _ = pair_gains(a, a, link_array(link))
    pulses = max(round(block_pulses(a, a, gains[ZZ], block.time_s * link.clock_hz, block.sifted_bits)), 1)
    expected = key_length(expected_tally(link, settings, settings, pulses), settings, settings, analysis, f_ec=f_ec)
    return LinkPlan(settings, settings, pulses, expected.signed_bits / pulses)
