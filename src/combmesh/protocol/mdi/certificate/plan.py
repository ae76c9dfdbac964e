"""A link's settings and certificate, planned together before the block."""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import ZZ
from combmesh.protocol.mdi.certificate.certificate import (
    Certificate,
    certificate_for,
    constant_bits,
    largest_t,
    log_inverse_eps,
)
from combmesh.protocol.mdi.certificate.climb import ASYMMETRIC, FIXED, SYMMETRIC, certified_rate, climb, settings_at
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.optimise import _encode as encode
from combmesh.protocol.mdi.optimise import block_pulses
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, link_array, pair_gains, settings_array

_START = (0.053, 0.25, 0.333, 0.278, 0.028, 0.655)
_T_GRID = np.geomspace(1e-7, 0.3, 20)
_E0_GRID = (0.05, 0.14, 0.3)
_CLIMBS = 2
_STRETCHES = (100.0, 30.0, 10.0, 3.0, 1.0)


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
    starts = _starts(link, kind)
    point = _best_point(starts, kind, fixed, task)
    if kind != FIXED and certified_rate(point, kind, fixed, task)[0] <= 0.0:
        points = (point, _followed(starts, kind, fixed, task))
        point = max(points, key=lambda place: certified_rate(place, kind, fixed, task)[0])
    return _plan(link, point, kind, fixed, task)


def _plan(
    link: Link, point: NDArray[np.float64], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> CertificatePlan:
    a, c = settings_at(point, kind, fixed)
    gains, _ = pair_gains(a, c, link_array(link))
    pulses = max(round(block_pulses(a, c, gains[ZZ], task[1], task[2])), 1)
    alice, bob = Settings(*map(float, a)), Settings(*map(float, c))
    t, e0 = exp(point[0]), 0.5 / (1.0 + exp(-point[1]))
    certificate = certificate_for(expected_tally(link, alice, bob, pulses), alice, bob, t, e0, float(task[5]))
    rate = float(certified_rate(point, kind, fixed, task)[0]) if certificate is not None else -inf
    return CertificatePlan(alice, bob, pulses, certificate, rate)


def _best_point(
    starts: list[NDArray[np.float64]], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Climbs from the best t and e0 of a grid, at the starts that look best there."""
    at_grid = sorted((_on_grid(start, kind, fixed, task) for start in starts), key=lambda found: -found[1])
    climbs = [climb(point, kind, fixed, task) for point, rate in at_grid[:_CLIMBS] if rate > -inf]
    return max(climbs, key=lambda found: found[1], default=at_grid[0])[0]


def _on_grid(
    start: NDArray[np.float64], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    tried = []
    for t in _T_GRID:
        for e0 in _E0_GRID:
            point = np.concatenate(([log(t), log(2 * e0 / (1 - 2 * e0))], start))
            tried.append((point, float(certified_rate(point, kind, fixed, task)[0])))
    return max(tried, key=lambda trial: trial[1])


def _followed(
    starts: list[NDArray[np.float64]], kind: int, fixed: NDArray[np.float64], task: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The optimum followed from longer blocks: near the end of the reach climbs from afar end where nothing is sent."""
    longer = task.copy()
    longer[1:3] *= _STRETCHES[0]
    point = _best_point(starts, kind, fixed, longer)
    for stretch in _STRETCHES[1:]:
        longer[1:3] = task[1:3] * stretch
        point = climb(point, kind, fixed, longer)[0]
    return point


def _starts(link: Link, kind: int) -> list[NDArray[np.float64]]:
    """Free numbers of settings, bright and dim, with the decoys that arrive balanced fully, half or not at all."""
    if kind == FIXED:
        return [np.zeros(0)]
    x, y, z, *chances = _START
    starts = []
    for scale in (1.0, 0.4):
        for balance in (1.0,) if kind == SYMMETRIC else (1.0, 0.5, 0.0):
            ratio = sqrt(link.efficiency_b / link.efficiency_a) ** balance
            users = []
            for r in (ratio, 1.0 / ratio):
                y_u = min(max(y * r * scale, 0.01), 1.5)
                x_u = min(max(x * r * scale, 0.001), 0.5 * y_u)
                users.append(encode(x_u, y_u, min(max(z * sqrt(r) * scale, 0.02), 1.5), *chances))
            starts.append(np.array(users[0] if kind == SYMMETRIC else users[0] + users[1]))
    return starts
