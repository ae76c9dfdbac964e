"""A link's settings and certificate, planned together before the block."""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, log

import numpy as np

from combmesh.link.relay import Link
from combmesh.protocol.epsilon import verification_bits
from combmesh.protocol.mdi.bounds import ZZ
from combmesh.protocol.mdi.certificate.certificate import (
    Certificate,
    certificate_for,
    certified_key,
    largest_t,
    log_inverse_eps,
)
from combmesh.protocol.mdi.certificate.climb import (
    ASYMMETRIC,
    FIXED,
    FROM_AFAR,
    SYMMETRIC,
    Point,
    Problem,
    certified_rate,
    climb,
    exponent_at,
    settings_at,
)
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import LinkPlan, block_pulses, encode, optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, link_array, pair_gains, settings_array

_T_GRID = np.geomspace(1e-12, 0.3, 28)
_E0 = 0.14
_JUMPS = (0.4, 4.0)  # of the nearer user's y
_POLISHES = 4
_POLISHED = 1e-5  # share of the rate, gained by climbing once more


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


@dataclass(frozen=True)
class CertificateRule:
    """How certificates are planned, whatever the link.

    Attributes:
        f_ec: reconciliation efficiency that is planned.
        block: when a block ends.
        budget: failure probabilities.
        method: "certificate" or "certificate-renyi".
        vacuum: mean photon numbers of the users' vacuum, if their settings are free.
        delta: intensities are known to this share of themselves.
    """

    f_ec: float
    block: BlockRule
    budget: EpsilonBudget
    method: str = "certificate"
    vacuum: tuple[float, float] = (0.0, 0.0)
    delta: float = 0.0

    def problem(self, link: Link, settings: tuple[Settings, Settings] | None = None) -> Problem:
        """What the climbs on a link need; `settings` if they are not free."""
        if settings is not None:
            kind, fixed = FIXED, np.array([settings_array(user) for user in settings])
        else:
            symmetric = link.efficiency_a == link.efficiency_b and self.vacuum[0] == self.vacuum[1]
            kind, fixed = SYMMETRIC if symmetric else ASYMMETRIC, np.zeros((2, 7))
            fixed[:, 6] = self.vacuum
        return Problem(
            kind=kind,
            fixed=fixed,
            link=link_array(link),
            f_ec=float(self.f_ec),
            pulses_max=self.block.time_s * link.clock_hz,
            sifted_bits=float(self.block.sifted_bits),
            log_inverse_eps=log_inverse_eps(self.method, self.budget.secrecy),
            constant_bits=verification_bits(self.budget.correctness),
            largest_t=largest_t(self.method),
            delta=float(self.delta),
        )

    def scan(self, link: Link) -> LinkPlan:
        """The double scan's plan of a link, from which the climb of the certificate starts."""
        analysis = Analysis(bound=self.budget.bound, correctness=self.budget.correctness)
        return optimise(link, analysis, self.f_ec, self.block, self.vacuum)


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
        f_ec, block, budget, method, vacuum, delta: as of `CertificateRule`.
        settings: the users' settings, if they are not free; only t, e0 and the coefficients are then planned.
        scan: the double scan's plan of the link, from which the climb starts, if it is known.
    """
    rule = CertificateRule(f_ec, block, budget, method, vacuum, delta)
    problem = rule.problem(link, settings)
    if settings is None and scan is None:
        scan = rule.scan(link)
    return plan_at(link, best_point(scan, problem), problem, rule)


def best_point(scan: LinkPlan | None, problem: Problem) -> Point:
    """The best point, from the settings of a scan if they are free; without key, where a sifted bit comes nearest."""
    users = [scan.alice, scan.bob][: problem.kind] if scan else []
    free = [number for user in users for number in encode(*user.as_tuple())]
    grid = [np.array([log(t), log(2 * _E0 / (1 - 2 * _E0)), *free]) for t in _T_GRID]
    of_sifted_bit = problem._replace(per_sifted_bit=True)
    point, rate = climb_from(max(grid, key=lambda place: float(certified_rate(place, of_sifted_bit)[0])), problem)
    if problem.kind == ASYMMETRIC and rate > 0.0:
        nearer = 0 if problem.link[0] > problem.link[1] else 1
        jumps = [climb(_jumped(point, nearer, jump), problem, FROM_AFAR) for jump in _JUMPS]
        point, rate = max([(point, rate), *jumps], key=lambda found: found[1])
    return _polished(point, rate, problem)


def climb_from(start: Point, problem: Problem) -> tuple[Point, float]:
    """(point, rate): to the most key of a sifted bit, from there to that of a pulse.

    Both have the same sign; only the first has no optimum where nothing is sent.
    """
    point, hope = climb(start, problem._replace(per_sifted_bit=True), FROM_AFAR)
    if hope > 0.0:
        return climb(point, problem, FROM_AFAR)
    return point, float(certified_rate(point, problem)[0])


def plan_at(link: Link, point: Point, problem: Problem, rule: CertificateRule) -> CertificatePlan:
    """The plan with the settings and exponent of a point."""
    a, c = settings_at(point, problem)
    gains, _ = pair_gains(a, c, problem.link)
    pulses = max(round(block_pulses(a, c, gains[ZZ], problem.pulses_max, problem.sifted_bits)), 1)
    alice, bob = Settings(*map(float, a)), Settings(*map(float, c))
    expected = expected_tally(link, alice, bob, pulses)
    certificate = certificate_for(expected, alice, bob, *exponent_at(point), rule.delta)
    if certificate is None:
        return CertificatePlan(alice, bob, pulses, None, -inf)
    key = certified_key(expected, certificate, rule.budget, rule.method, f_ec=rule.f_ec)
    return CertificatePlan(alice, bob, pulses, certificate, key.signed_bits / pulses)


def _jumped(point: Point, user: int, jump: float) -> Point:
    """Another place to climb from: the nearer user's y is stronger and rarer, or weaker and more frequent.

    With unequal arms there can be two optima, which differ in little else.
    """
    there = point.copy()
    x_y, y, p_y = (2 + 6 * user + k for k in (0, 1, 4))
    there[y] += log(jump)
    there[x_y] -= log(jump)
    there[p_y] -= 0.6 * log(jump)
    return there


def _polished(point: Point, rate: float, problem: Problem) -> Point:
    """Climb again, with what was learnt about the curvature forgotten, until that gains next to nothing."""
    for _ in range(_POLISHES if rate > 0.0 else 0):
        before = rate
        point, rate = climb(point, problem, FROM_AFAR)
        if rate - before <= _POLISHED * rate:
            break
    return point
