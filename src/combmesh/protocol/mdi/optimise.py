"""The best intensities and probabilities for a link: quasi-Newton climbs on the signed rate, from several starts.

The signed rate is optimised: clipped at 0, nearly every point would look alike. It has ridges, where the order of the
weights in a joint bound changes and where a block is just long enough; BFGS with a weak line search climbs along them
(Lewis & Overton, Math. Program. 141, 135, 2013). Deterministic: the starts are fixed.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_range
from combmesh.ground.kernels import kernel
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import XX, ZZ, binary_entropy, private_bits
from combmesh.protocol.mdi.keyrate import Analysis, key_length, vacuum_bits
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, link_array, pair_gains, pair_probabilities, settings_array

_BRIGHT = (0.053, 0.25, 0.333, 0.278, 0.028, 0.655)  # (x, y, z, p_x, p_y, p_z) of a start: the notes' optimum
_DIM = (0.021, 0.1, 0.15, 0.48, 0.13, 0.27)  # and one with few key rounds, as near the end of the reach
_LARGEST_INTENSITY = 2.0
_SYMMETRIC = 6  # free numbers where both users have the same settings
_RIDGES = (4, 8, 9)  # free numbers that are 0 on a ridge: see `settings_at`
_LARGEST_VACUUM = 0.1
_LOST = 1e-12  # of an intensity or a probability
_DARK = 1e-12  # efficiency of an arm that brings no light
_DIFFERENCE = 1e-6  # of a free number: slopes are good to about as much
_LONGEST_STEP = 1.0  # of a free number in a round
_IDLE = 1e-7  # share of the rate, gained in a round
_TRIALS = 30  # of a line search
_SUFFICIENT, _CURVATURE = 1e-4, 0.9  # the weak Wolfe conditions
_ROUNDS = 300
_POLISHES = 5
_POLISHED = 1e-5  # share of the rate, gained by climbing once more

Point = NDArray[np.float64]
"""Free numbers of the settings: 6 where both users have the same, 11 where each has his own."""

Task = tuple[NDArray[np.float64], NDArray[np.float64], float, float, float, float, float]
"""What a climb needs besides its start: link, analysis, f_ec, most pulses and most sifted bits of a block, and the
vacuum intensities of both users."""


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
def _intensities(u: Point, o: float) -> tuple[float, float, float]:
    """(x, y, z) of a user from three free numbers, with o < x < y."""
    y = o + (_LARGEST_INTENSITY - o) / (1.0 + exp(-u[1]))
    return o + (y - o) / (1.0 + exp(-u[0])), y, _LARGEST_INTENSITY / (1.0 + exp(-u[2]))


@kernel
def _user_settings(x: float, y: float, z: float, q_x: float, q_y: float, q_z: float, o: float) -> NDArray[np.float64]:
    """Settings (x, y, z, p_x, p_y, p_z, o) of a user; q is ln(p/p_o)."""
    top = max(0.0, q_x, q_y, q_z)
    user = np.array([x, y, z, exp(q_x - top), exp(q_y - top), exp(q_z - top), o])
    user[3:6] /= exp(-top) + user[3] + user[4] + user[5]
    return user


@kernel
def free_settings(u: Point, o: float) -> NDArray[np.float64]:
    """Settings (x, y, z, p_x, p_y, p_z, o) of a user from six free numbers: every real point is allowed."""
    x, y, z = _intensities(u, o)
    return _user_settings(x, y, z, u[3], u[4], u[5], o)


@kernel
def settings_at(point: Point, o_a: float, o_b: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Settings (x, y, z, p_x, p_y, p_z, o) of both users at a point of the climb; every real point is allowed.

    Of Alice's numbers three are those of `free_settings`, then ln p_x/p_o, how far the weight of xx in the joint
    bound is from the greater one of oy and yo, and ln p_z/p_o. Bob's are y, z, how far the weight of xo is from that
    of ox, how far that of oy is from that of yo, and ln p_z/p_o. His x is where the users would change places,
    (y_A+o_A)/(x_A+o_A) = (y_B+o_B)/(x_B+o_B): the optimum is always there (Wang, Xu, Lo, PRX 9, 041012, on their
    protocol; here searches with this number free find nothing higher).
    """
    xa, ya, za = _intensities(point, o_a)
    xb, yb, zb, q_xa, q_xb, beside, q_zb = xa, ya, za, point[3], point[3], 0.0, point[5]
    if len(point) > _SYMMETRIC:
        yb = o_b + (_LARGEST_INTENSITY - o_b) / (1.0 + exp(-point[6]))
        share = ((yb + o_b) * (xa + o_a) / (ya + o_a) - 2.0 * o_b) / (yb - o_b)
        xb = o_b + (yb - o_b) * min(max(share, 1e-9), 1.0 - 1e-9)
        zb = _LARGEST_INTENSITY / (1.0 + exp(-point[7]))
        q_xb = q_xa + point[8] + (xb - o_b) - (xa - o_a)
        beside, q_zb = point[9], point[10]
    ratio = (ya * ya - o_a * o_a) * (yb - o_b) / ((xa * xa - o_a * o_a) * (xb - o_b))
    greater = log(ratio) + xa + xb - q_xa - q_xb - point[4]  # ln of the weight of oy or yo, but for common factors
    q_ya = ya + o_b - greater + max(beside, 0.0)
    q_yb = yb + o_a - greater - min(beside, 0.0)
    a = _user_settings(xa, ya, za, q_xa, q_ya, point[5], o_a)
    return a, _user_settings(xb, yb, zb, q_xb, q_yb, q_zb, o_b)


@kernel
def block_pulses(
    a: NDArray[np.float64], c: NDArray[np.float64], gain_zz: float, pulses_max: float, sifted_bits: float
) -> float:
    """Pulses of a block: at most `pulses_max`, or as many as are expected to give `sifted_bits`."""
    per_pulse = a[5] * c[5] * gain_zz
    return min(pulses_max, sifted_bits / per_pulse) if per_pulse > 0.0 else pulses_max


@kernel
def signed_rate(
    point: Point,
    per_sifted_bit: bool,
    link: NDArray[np.float64],
    analysis: NDArray[np.float64],
    f_ec: float,
    pulses_max: float,
    sifted_bits: float,
    o_a: float,
    o_b: float,
) -> float:
    """Expected signed secret bits for each pulse, or for each sifted bit, at a point."""
    a, c = settings_at(point, o_a, o_b)
    gains, wrong = pair_gains(a, c, link)
    chances = pair_probabilities(a, c)
    pulses = block_pulses(a, c, gains[ZZ], pulses_max, sifted_bits)
    if chances.min() * pulses < 1.0 or min(a[0] - o_a, c[0] - o_b) < 1e-7 or gains[ZZ] <= 0.0:
        return -inf
    sent = pulses * chances
    detected = sent * gains
    b, tail, method = analysis[0], int(analysis[1]), int(analysis[2])
    bits = private_bits(a, c, sent, detected, sent[XX] * wrong[XX], b, tail, method)[0]
    if analysis[4] > 0.0:
        bits += vacuum_bits(a, sent, detected, b, tail)
    leak = f_ec * detected[ZZ] * binary_entropy(wrong[ZZ] / gains[ZZ])
    rate: float = (bits - leak - analysis[3]) / (detected[ZZ] if per_sifted_bit else pulses)
    return rate


@kernel
def _slopes(point: Point, value: float, per_sifted_bit: bool, task: Task) -> Point:
    """Differences of `signed_rate`: forward, and on a ridge 0 where both sides fall away from it."""
    slopes = np.empty(len(point))
    for i in range(len(point)):
        kept = point[i]
        point[i] = kept + _DIFFERENCE
        slopes[i] = (signed_rate(point, per_sifted_bit, *task) - value) / _DIFFERENCE
        if kept == 0.0 and i in _RIDGES and slopes[i] <= 0.0:
            point[i] = -_DIFFERENCE
            slopes[i] = min((value - signed_rate(point, per_sifted_bit, *task)) / _DIFFERENCE, 0.0)
        point[i] = kept
    return slopes


@kernel
def _stepped(point: Point, step: float, direction: Point) -> Point:
    """The point after a step that crosses no ridge, but ends on it."""
    trial = point + step * direction
    for i in _RIDGES:
        if i < len(point) and point[i] * trial[i] < 0.0:
            trial[i] = 0.0
    return trial


@kernel
def _line_search(
    point: Point, value: float, slopes: Point, direction: Point, per_sifted_bit: bool, task: Task
) -> tuple[Point, float, Point]:
    """(point, value, slopes there): steps are bisected until the weak Wolfe conditions hold."""
    low, high, step = 0.0, inf, 1.0
    best, best_value, best_slopes = point, value, slopes
    for _ in range(_TRIALS):
        trial = _stepped(point, step, direction)
        expected = np.dot(slopes, trial - point)
        trial_value = signed_rate(trial, per_sifted_bit, *task)
        if trial_value > value and trial_value >= value + _SUFFICIENT * expected:
            trial_slopes = _slopes(trial, trial_value, per_sifted_bit, task)
            best, best_value, best_slopes, low = trial, trial_value, trial_slopes, step
            if np.dot(trial_slopes, trial - point) <= _CURVATURE * expected:
                break
        else:
            high = step
        step = 0.5 * (low + high) if high < inf else 2.0 * step
    return best, best_value, best_slopes


@kernel
def climb(start: Point, step: float, rounds: int, per_sifted_bit: bool, task: Task) -> tuple[Point, float]:
    """Maximise `signed_rate` by BFGS, the first step `step` long, until three rounds in a row gain next to nothing.

    Steps end on the known ridges and then stay there; on others, as where a block is just long enough, the inverse
    curvature across the ridge falls to nothing. A climb that can go no further starts once more as at the first round.
    """
    point = start.copy()
    value = signed_rate(point, per_sifted_bit, *task)
    slopes = _slopes(point, value, per_sifted_bit, task)
    inverse = np.eye(len(start))
    fresh = True
    idle = 0
    for _ in range(rounds):
        direction = np.dot(inverse, slopes)
        direction[slopes == 0.0] = 0.0
        longest = np.abs(direction).max()
        if not 0.0 < longest < inf:
            break
        direction *= step / longest if fresh else min(1.0, _LONGEST_STEP / longest)
        there, higher, slopes_there = _line_search(point, value, slopes, direction, per_sifted_bit, task)
        if higher <= value:
            if fresh:
                break
            inverse, fresh = np.eye(len(start)), True
            continue
        learn_curvature(inverse, there - point, slopes - slopes_there, fresh)
        idle = idle + 1 if higher - value <= _IDLE * abs(higher) else 0
        point, value, slopes, fresh = there, higher, slopes_there, False
        if idle == 3:
            break
    return point, value


@kernel
def learn_curvature(inverse: NDArray[np.float64], moved: Point, bent: Point, first: bool) -> None:
    """Update the inverse curvature, in place, by a step and by how much the slopes fell on it."""
    curvature = np.dot(moved, bent)
    if not curvature > 0.0:
        return
    if first:
        inverse *= curvature / np.dot(bent, bent)
    turned = np.dot(inverse, bent)
    grown = (1.0 + np.dot(bent, turned) / curvature) / curvature
    for i in range(len(moved)):
        for j in range(len(moved)):
            across = turned[i] * moved[j] + moved[i] * turned[j]
            inverse[i, j] += grown * moved[i] * moved[j] - across / curvature


def encode(x: float, y: float, z: float, p_x: float, p_y: float, p_z: float, o: float = 0.0) -> list[float]:
    """The free numbers of a setting; the inverse of `free_settings`, but for shares that are lost in rounding."""
    m, p_o = _LARGEST_INTENSITY, 1.0 - p_x - p_y - p_z
    shares = ((x - o, y - x), (y - o, m - y), (z, m - z), (p_x, p_o), (p_y, p_o), (p_z, p_o))
    return [log(max(part, _LOST) / max(rest, _LOST)) for part, rest in shares]


def starts_of(link: Link, symmetric: bool) -> list[Point]:
    """Bright and dim starts on the ridges: the decoys that arrive are balanced fully, half or not at all."""
    starts = []
    for x, y, z, *chances in (_BRIGHT, _DIM):
        for balance in (1.0,) if symmetric else (1.0, 0.5, 0.0):
            ratio = sqrt(max(link.efficiency_b, _DARK) / max(link.efficiency_a, _DARK)) ** balance
            users = []
            for r in (ratio, 1.0 / ratio):
                y_u = min(max(y * r, 0.01), 1.5)
                x_u = min(max(x * r, 0.001), 0.5 * y_u)
                users.append(encode(x_u, y_u, min(max(z * sqrt(r), 0.02), 1.5), *chances))
            (alice, bob), on_ridge = users, [0.0, 0.0]
            alice[4] = 0.0
            starts.append(np.array(alice if symmetric else alice + bob[1:3] + on_ridge + bob[5:]))
    return starts


def link_task(
    link: Link, analysis: Analysis, f_ec: float, block: BlockRule, vacuum: tuple[float, float] = (0.0, 0.0)
) -> Task:
    """What the climbs on a link need."""
    pulses_max = block.time_s * link.clock_hz
    return link_array(link), analysis.as_array(), f_ec, pulses_max, block.sifted_bits, *vacuum


def climb_from(start: Point, task: Task) -> tuple[Point, float, float]:
    """(point, rate per pulse, rate per sifted bit before): to the most key of a sifted bit, from there of a pulse.

    Both have the same sign. Near the end of the reach most climbs on the rate per pulse end where no signal is sent:
    that costs the constant bits alone, and a sifted bit infinitely much.
    """
    point, hope = climb(start, 0.3, _ROUNDS, True, task)
    if hope > 0.0:
        return *climb(point, 0.2, _ROUNDS, False, task), hope
    return point, signed_rate(point, False, *task), hope


def polish(point: Point, value: float, per_sifted_bit: bool, task: Task) -> tuple[Point, float]:
    """Climb again, with what was learnt about the curvature forgotten, until that gains next to nothing."""
    for _ in range(_POLISHES):
        before = value
        for step in (0.1, 0.03):
            point, value = climb(point, step, _ROUNDS, per_sifted_bit, task)
        if value - before <= _POLISHED * abs(value):
            break
    return point, value


def best_point(starts: list[Point], task: Task) -> tuple[Point, float]:
    """(point, rate per pulse): the best climb of all; without any key, where a sifted bit comes nearest to one."""
    climbs = [climb_from(start, task) for start in starts]
    point, value, hope = max(climbs, key=lambda found: (max(found[1], 0.0), found[2]))
    if value <= 0.0:
        point, hope = polish(point, hope, True, task)
        value = signed_rate(point, False, *task)
    return polish(point, value, False, task) if value > 0.0 else (point, value)


def plan_at(point: Point, value: float, task: Task) -> LinkPlan:
    """The plan with the settings of a point."""
    link, _, _, pulses_max, sifted_bits, o_a, o_b = task
    a, c = settings_at(point, o_a, o_b)
    pulses = max(round(block_pulses(a, c, pair_gains(a, c, link)[0][ZZ], pulses_max, sifted_bits)), 1)
    return LinkPlan(Settings(*map(float, a)), Settings(*map(float, c)), pulses, max(float(value), -1.0))


@lru_cache(maxsize=4096)
def optimise(
    link: Link, analysis: Analysis, f_ec: float, block: BlockRule, vacuum: tuple[float, float] = (0.0, 0.0)
) -> LinkPlan:
    """The settings with the most expected key for each pulse; equal links are computed once.

    Args:
        link: the link; users with equal arms and vacuums get equal settings.
        analysis: how counts become a key length.
        f_ec: reconciliation efficiency that planning assumes.
        block: when a block ends.
        vacuum: mean photon numbers `o` of Alice's and Bob's vacuum, not optimised.
    """
    for o in vacuum:
        check_range("vacuum", o, 0.0, _LARGEST_VACUUM)
    symmetric = link.efficiency_a == link.efficiency_b and vacuum[0] == vacuum[1]
    task = link_task(link, analysis, f_ec, block, vacuum)
    return plan_at(*best_point(starts_of(link, symmetric), task), task)


def fixed_plan(
    link: Link, alice: Settings, bob: Settings, analysis: Analysis, f_ec: float, block: BlockRule
) -> LinkPlan:
    """The plan of a link whose users keep to given settings."""
    a, c = settings_array(alice), settings_array(bob)
    gains, _ = pair_gains(a, c, link_array(link))
    pulses = max(round(block_pulses(a, c, gains[ZZ], block.time_s * link.clock_hz, block.sifted_bits)), 1)
    expected = key_length(expected_tally(link, alice, bob, pulses), alice, bob, analysis, f_ec=f_ec)
    return LinkPlan(alice, bob, pulses, expected.signed_bits / pulses)
