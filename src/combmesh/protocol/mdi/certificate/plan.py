"""A link's settings and certificate, planned together before the block."""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import ZZ
from combmesh.protocol.mdi.certificate.certificate import (
    Certificate,
    certificate_for,
    certified_key,
    constant_bits,
    largest_t,
    log_inverse_eps,
)
from combmesh.protocol.mdi.certificate.climb import ASYMMETRIC, FIXED, SYMMETRIC, certified_rate, climb, settings_at
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import LinkPlan, block_pulses, encode, optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, link_array, pair_gains, settings_array

_T_GRID = np.geomspace(1e-12, 0.3, 28)
_E0 = 0.14
_JUMPS = (0.4, 4.0)
_POLISHES = 4
_POLISHED = 1e-5


@dataclass(frozen=True)
class CertificatePlan:
    """Settings and certificate of a link, and what they are expected to give.

    Attributes:
        alice, bob: the settings.
        pulses: pulses of a block.
        certificate: coefficients, fixed with the plan; None where no exponent has valid ones.
        rate_per_pulse: expected signed secret bits for each pulse; -inf without a certificate.
    """

    alice: Settings
    bob: Settings
    pulses: int
    certificate: Certificate | None
    rate_per_pulse: float


@lru_cache(maxsize=4096)
def plan_certificate(
    link: Link,
    f_ec: float,
    block: BlockRule,
    budget: EpsilonBudget,
    method: str = "certificate",
    *,
    settings: tuple[Settings, Settings] | None = None,
    vacuum: tuple[float, float] = (0.0, 0.0),
    delta: float = 0.0,
    scan: LinkPlan | None = None,
) -> CertificatePlan:
    """The settings and coefficients with the most expected key for each pulse.

    Args:
        link: the link.
        f_ec: reconciliation efficiency that is planned.
        block: when a block ends.
        budget: failure probabilities.
        method: "certificate" or "certificate-renyi".
        settings: the users' settings, if they are not free; only t, e0 and the coefficients are then planned.
        vacuum: mean photon numbers of the users' vacuum.
        delta: intensities are known to this share of themselves.
        scan: the double scan's plan of the link, from which the climb starts, if it is known.
    """
    fixed = np.zeros((2, 7))
    fixed[:, 6] = vacuum
    symmetric = link.efficiency_a == link.efficiency_b and vacuum[0] == vacuum[1]
    kind = SYMMETRIC if symmetric else ASYMMETRIC
    if settings is not None:
        fixed, kind = np.array([settings_array(user) for user in settings]), FIXED
    epsilon = [log_inverse_eps(method, budget.secrecy), constant_bits(budget.correctness), delta]
    limits = [f_ec, block.time_s * link.clock_hz, block.sifted_bits]
    task = np.array([*limits, *epsilon, *link.as_array(), log(largest_t(method))])
    scan = scan or optimise(link, Analysis(bound=budget.bound, correctness=budget.correctness), f_ec, block, vacuum)
    point, rate = _climbed(_start(scan, kind), kind, fixed, task)
    if kind == ASYMMETRIC and rate > 0.0:
        nearer = 0 if link.efficiency_a > link.efficiency_b else 1
        point, rate = max(
            [(point, rate), *(climb(_jumped(point, nearer, jump), kind, fixed, task, False) for jump in _JUMPS)],
            key=lambda found: found[1],
        )
    point = _polished(point, rate, kind, fixed, task)
    return _plan(link, point, kind, fixed, task, budget, method)


def _plan(
    link: Link,
    point: NDArray[np.float64],
    kind: int,
    fixed: NDArray[np.float64],
    task: NDArray[np.float64],
    budget: EpsilonBudget,
    method: str,
) -> CertificatePlan:
    a, c = settings_at(point, kind, fixed)
    gains, _ = pair_gains(a, c, link_array(link))
    pulses = max(round(block_pulses(a, c, gains[ZZ], task[1], task[2])), 1)
    alice, bob = Settings(*map(float, a)), Settings(*map(float, c))
    t, e0 = exp(point[0]), 0.5 / (1.0 + exp(-point[1]))
    expected = expected_tally(link, alice, bob, pulses)
    certificate = certificate_for(expected, alice, bob, t, e0, float(task[5]))
    if certificate is None:
        return CertificatePlan(alice, bob, pulses, None, -inf)
    key = certified_key(expected, certificate, budget, method, f_ec=float(task[0]))
    return CertificatePlan(alice, bob, pulses, certificate, key.signed_bits / pulses)


def _climbed(
    start: NDArray[np.float64], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """(point, rate): from the best t of a grid to the most key of a sifted bit, from there to that of a pulse.

    Both have the same sign; only the first has no optimum where nothing is sent.
    """
    grid = [np.append([log(t), log(2 * _E0 / (1 - 2 * _E0))], start) for t in _T_GRID]
    point = max(grid, key=lambda place: float(certified_rate(place, kind, fixed, task, True)[0]))
    point, hope = climb(point, kind, fixed, task, True)
    if hope > 0.0:
        return climb(point, kind, fixed, task, False)
    return point, float(certified_rate(point, kind, fixed, task, False)[0])


def _jumped(point: NDArray[np.float64], user: int, jump: float) -> NDArray[np.float64]:
    """Another place to climb from: the nearer user's y is stronger and rarer, or weaker and more frequent.

    With unequal arms there can be two optima, which differ in little else.
    """
    there = point.copy()
    x_y, y, p_y = (2 + 6 * user + k for k in (0, 1, 4))
    there[y] += log(jump)
    there[x_y] -= log(jump)
    there[p_y] -= 0.6 * log(jump)
    return there


def _polished(
    point: NDArray[np.float64], rate: float, kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Climb again, with what was learnt about the curvature forgotten, until that gains next to nothing."""
    for _ in range(_POLISHES if rate > 0.0 else 0):
        before = rate
        point, rate = climb(point, kind, fixed, task, False)
        if rate - before <= _POLISHED * rate:
            break
    return point


def _start(scan: LinkPlan, kind: int) -> NDArray[np.float64]:
    """Free numbers of the settings that are best for the double scan."""
    users = {FIXED: [], SYMMETRIC: [scan.alice], ASYMMETRIC: [scan.alice, scan.bob]}[kind]
    return np.array([number for user in users for number in encode(*user.as_tuple())])
