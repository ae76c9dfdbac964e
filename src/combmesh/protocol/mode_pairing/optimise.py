"""The best pairing length, and with it the best intensities, for a link.

The signed rate is optimised: clipped at 0, nearly every point would look alike. Deterministic: the starts are fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil, exp, log

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive
from combmesh.link.relay import Link
from combmesh.protocol.mode_pairing.keyrate import Analysis, key_length
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.rates import asymptotic_rate, expected_tally, mean_click
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings

_LARGEST_INTENSITY = 1.5
_LONG_ENOUGH = 30.0  # of the mean wait for a click: only e^-30 of the waits are longer
_LENGTHS = 200
_LONGEST = 10**15  # slots: 5 days at 2.5 GHz
_BOX = 40.0  # free numbers beyond it change nothing
_STARTS = ((0.035, 0.35, 0.3, 0.25), (0.02, 0.25, 0.15, 0.2), (0.05, 0.5, 0.4, 0.2))


@dataclass(frozen=True)
class PairingTask:
    """What sources and pairing are planned for.

    Attributes:
        link, coherence: link and phase.
        rounds: rounds of a block, above 0; None for the asymptotic rate.
        f_ec: reconciliation efficiency.
        analysis: tail, epsilons, vacuum part.
    """

    link: Link
    coherence: Coherence
    rounds: float | None = None
    f_ec: float = 1.16
    analysis: Analysis = field(default_factory=Analysis)

    def __post_init__(self) -> None:
        if self.rounds is not None:
            check_positive("rounds", self.rounds)


@dataclass(frozen=True)
class PairingPlan:
    """Sources of both users and pairing for a link, and what they are expected to give.

    Attributes:
        alice, bob: the sources.
        rule: the pairing.
        rate_per_round: expected signed secret bits for each round.
    """

    alice: Settings
    bob: Settings
    rule: PairingRule
    rate_per_round: float


def planned_rate(task: PairingTask, alice: Settings, bob: Settings, rule: PairingRule) -> float:
    """Signed secret bits for each round."""
    if task.rounds is None:
        return asymptotic_rate(task.link, alice, bob, rule, task.coherence, f_ec=task.f_ec).rate_per_round
    tally = expected_tally(task.link, alice, bob, rule, task.coherence, task.rounds)
    share = rule.matched_share
    key = key_length(tally, alice, bob, task.analysis, matched_share=share, f_ec=task.f_ec)
    return key.signed_bits / task.rounds


def best_pairing_length(task: PairingTask, alice: Settings, bob: Settings, rule: PairingRule) -> int:
    """The maximal pairing length with the most key, slots.

    A longer one pairs more clicks and lets the phase drift further. Searched on 200 lengths in equal ratios, then
    between the best one's neighbours; at most 30 mean waits for a click: where the phase does not move, the answer is
    some length of that order, and all longer ones are as good.

    Args:
        task: link, phase and block.
        alice, bob: the sources.
        rule: the least length and the slices; its maximal length is not used.

    Raises:
        InputError: no round can click.
    """
    click = mean_click(task.link, alice, bob)
    if click <= 0.0:
        raise InputError("The link has no clicks: both `efficiency_a` and `efficiency_b` or all intensities are 0.")
    first = rule.shortest_slots
    last = first + max(ceil(min(_LONG_ENOUGH / click, _LONGEST)), 1)

    def rate(length: int) -> float:
        return planned_rate(task, alice, bob, replace(rule, longest_slots=int(length)))

    lengths = np.unique(np.geomspace(first, last, _LENGTHS).round().astype(np.int64))
    rates = [rate(length) for length in lengths]
    k = int(np.argmax(rates))
    return _highest(rate, int(lengths[max(k - 1, 0)]), int(lengths[min(k + 1, len(lengths) - 1)]))


def _highest(rate: Callable[[int], float], low: int, high: int) -> int:
    """The whole number between `low` and `high` where `rate`, which rises and then falls, is highest."""
    while high - low > 2:
        left, right = low + (high - low) // 3, high - (high - low) // 3
        if rate(left) < rate(right):
            low = left
        else:
            high = right
    return max(range(low, high + 1), key=rate)


def _decode(user: NDArray[np.float64]) -> Settings:
    """A user's sources from four free numbers: every real point is allowed."""
    mu = _LARGEST_INTENSITY / (1.0 + exp(-user[0]))
    nu = mu * min(1.0 / (1.0 + exp(-user[1])), 0.99)
    top = max(0.0, user[2], user[3])
    parts = np.exp(np.array([0.0, user[2], user[3]]) - top)
    _, p_nu, p_mu = parts / parts.sum() * (1.0 - 1e-12)
    return Settings(nu, mu, float(p_nu), float(p_mu))


def _encode(settings: Settings) -> list[float]:
    """The inverse of `_decode`."""
    s, m = settings, _LARGEST_INTENSITY
    return [log(s.mu / (m - s.mu)), log(s.nu / (s.mu - s.nu)), log(s.p_nu / s.p_o), log(s.p_mu / s.p_o)]


def _climb(cost: Callable[[NDArray[np.float64]], float], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where Nelder-Mead arrives from `point`, in the box of +-40."""
    from scipy.optimize import minimize

    options = {"maxfev": 1500, "xatol": 1e-4, "fatol": 1e-16, "adaptive": True}
    arrived = minimize(lambda x: cost(np.clip(x, -_BOX, _BOX)), point, method="Nelder-Mead", options=options).x
    clipped: NDArray[np.float64] = np.clip(arrived, -_BOX, _BOX)
    return clipped


def optimise(task: PairingTask, rule: PairingRule, *, fixed_length: bool = False) -> PairingPlan:
    """Intensities, probabilities and maximal pairing length with the most expected key for each round.

    Nelder-Mead from three starts, then twice from where the best one arrives; equal arms share their sources. Without
    key there, the optimum is followed from blocks 100 times as long: near the end of the reach every climb ends where
    nothing is sent, which costs no more than the constant bits. A local optimum: other starts may do slightly better.

    Args:
        task: link, phase and block.
        rule: the least length and the slices; its maximal length is where the search starts.
        fixed_length: whether the maximal length of `rule` is kept.
    """
    symmetric = task.link.efficiency_a == task.link.efficiency_b

    def plan_at(point: NDArray[np.float64], task: PairingTask) -> PairingPlan:
        alice, bob = _decode(point[:4]), _decode(point[:4] if symmetric else point[4:8])
        given = rule
        if not fixed_length:
            longest = min(exp(point[-1]), _LONG_ENOUGH / max(mean_click(task.link, alice, bob), 1e-15))
            given = replace(rule, longest_slots=rule.shortest_slots + round(longest))
        return PairingPlan(alice, bob, given, planned_rate(task, alice, bob, given))

    def cost(point: NDArray[np.float64], task: PairingTask = task) -> float:
        value = plan_at(point, task).rate_per_round
        return -value if np.isfinite(value) else 1.0

    begin = [] if fixed_length else [log(max(rule.longest_slots - rule.shortest_slots, 2))]
    users = [_encode(Settings(*start)) for start in _STARTS]
    points = [np.array([*user, *([] if symmetric else user), *begin]) for user in users]
    best = min((_climb(cost, point) for point in points), key=cost)
    for _ in range(2):
        best = min(best, _climb(cost, best), key=cost)
    if task.rounds is not None and cost(best) >= 0.0:
        followed = points[0]
        for stretch in (100.0, 30.0, 10.0, 3.0, 1.0):
            longer = replace(task, rounds=stretch * task.rounds)
            followed = _climb(partial(cost, task=longer), followed)
        best = min(best, followed, key=cost)
    return plan_at(best, task)
