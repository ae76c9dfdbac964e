r"""What the rate of a pair depends on besides its two arms, and the best settings of one pair.

**Crosstalk.** Lines of the same user that leak through the relay's demultiplexer bring uncorrelated light to a pair's
receiver: another frequency does not interfere. It falls on all four detectors alike, so it counts as dark counts,

.. math:: p_x = 1 - \exp\left[-\tfrac14 X \bar\mu (\eta_A + \eta_B)\right],

X the power of all other lines at the port over that of its own line, :math:`\bar\mu` the mean photon number of their
pulses (all users send about as much on each line), :math:`\eta` the arms. What leaks in the user's own grating has the
wrong frequency as well and meets the relay's grating once more: X squared, which is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, inf

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines, Demultiplexer, line_frequency_thz
from combmesh.ground.errors import InputError, check_range
from combmesh.ground.provenance import Mark
from combmesh.link.fibre import transmission
from combmesh.link.relay import Link, Relay
from combmesh.network.topology import Network
from combmesh.protocol.mdi.block_plan import Judgement
from combmesh.protocol.mdi.bounds import ZZ
from combmesh.protocol.mdi.certificate import climb as certificate
from combmesh.protocol.mdi.certificate.certificate import PROOFS
from combmesh.protocol.mdi.certificate.plan import CertificateRule
from combmesh.protocol.mdi.certificate.plan import best_point as best_certificate
from combmesh.protocol.mdi.certificate.plan import climb_from as certificate_from
from combmesh.protocol.mdi.certificate.plan import plan_at as certificate_plan
from combmesh.protocol.mdi.optimise import (
    Point,
    Task,
    best_point,
    block_pulses,
    climb,
    climb_from,
    link_task,
    optimise,
    polish,
    settings_at,
    signed_rate,
    starts_of,
)
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.tally import link_array, pair_gains

_SETTLED = 2e-4  # share of the rate: a climb that gains more is followed by another
_FEW_ROUNDS, _ROUNDS = 8, 300

NO_KEY = -inf
"""Rate of a pair for which no settings come near to a key."""

MARKS = {
    "crosstalk.photons": Mark("assumed", "the paper's point sends 0.24 photons a pulse, all sources together"),
    "crosstalk.leak": Mark("default", "none: the paper calls the crosstalk between lines ultra-low (section 2.4)"),
}


@dataclass(frozen=True)
class Crosstalk:
    """Light of other lines at a pair's receiver.

    Attributes:
        leak: power of all other lines at the port over that of its own line.
        photons: mean photon number of a pulse on the other lines, at the users' outputs.
    """

    leak: float = 0.0
    photons: float = 0.25

    def __post_init__(self) -> None:
        check_range("leak", self.leak, 0.0, 1.0)
        check_range("photons", self.photons, 0.0, 10.0)

    def dark_counts(self, efficiency_a: float, efficiency_b: float) -> float:
        """Added dark counts of each detector in a gate.

        >>> f"{Crosstalk(leak=2.5e-3).dark_counts(7.5e-3, 7.5e-3):.3g}"
        '2.34e-06'
        """
        return 1.0 - exp(-0.25 * self.leak * self.photons * (efficiency_a + efficiency_b))


def line_leaks(grating: Demultiplexer, comb: CombLines, lines: Sequence[int]) -> NDArray[np.float64]:
    """Power of all other lines over its own at each line's port, every line sent as strongly, shape (line,)."""
    hertz = np.array([line_frequency_thz(comb, line) * 1e12 for line in lines])
    port = np.rint((grating.centre_hz[0] - hertz) / (grating.pitch_ghz * 1e9)).astype(np.int64)
    if np.any((port < 0) | (port >= grating.ports)):
        lost = lines[int(np.argmax((port < 0) | (port >= grating.ports)))]
        raise InputError(f"`lines` must have a port each, but line {lost} has none.")
    arriving = grating.transmission(hertz)[:, port]
    own = np.diagonal(arriving)
    leaks: NDArray[np.float64] = (arriving.sum(axis=0) - own) / own
    return leaks


@dataclass(frozen=True)
class RateRule:
    """What all pairs of a network have in common; the rate of a pair then depends on its two arms.

    Attributes:
        relay: the receivers.
        clock_hz: pulse rate, Hz.
        judgement: how counts become a key length.
        f_ec: reconciliation efficiency that is planned.
        block: when a block ends.
        crosstalk: light of other lines.
        insertion_loss_db: what the relay takes from each arm beyond its efficiency: demultiplexer, routing, dB.
    """

    relay: Relay = Relay()
    clock_hz: float = 2.5e9
    judgement: Judgement = field(default_factory=Judgement)
    f_ec: float = 1.16
    block: BlockRule = BlockRule()
    crosstalk: Crosstalk = Crosstalk()
    insertion_loss_db: float = 0.0

    def __post_init__(self) -> None:
        check_range("insertion_loss_db", self.insertion_loss_db, 0.0)
        check_range("f_ec", self.f_ec, 1.0, 10.0)

    def link(self, arm_a: float, arm_b: float) -> Link:
        """The link of two arms, its losses and crosstalk in it."""
        passed = transmission(self.insertion_loss_db)
        a, b = arm_a * passed, arm_b * passed
        dark, leaked = self.relay.dark_count_probability, self.crosstalk.dark_counts(a, b)
        dark += leaked * (1.0 - dark)
        return Link(a, b, replace(self.relay, dark_count_probability=dark), self.clock_hz)

    def of_block(self, time_s: float) -> "RateRule":
        """The same rule with blocks of another longest time."""
        return replace(self, block=replace(self.block, time_s=time_s))

    @property
    def certified(self) -> bool:
        """Whether the method is a certificate."""
        return self.judgement.method in PROOFS

    def scan_task(self, link: Link) -> Task:
        """What the climbs of a scan on a link need."""
        return link_task(link, self.judgement.scan(), self.f_ec, self.block)

    @property
    def certificate_rule(self) -> CertificateRule:
        """How certificates are planned."""
        return CertificateRule(self.f_ec, self.block, self.judgement.budget, self.judgement.method)


def rule_of(network: Network, crosstalk: Crosstalk = Crosstalk(), insertion_loss_db: float = 0.0) -> RateRule:
    """The rule of a network file; as in a campaign, the vacuum part is not credited."""
    judgement = Judgement(network.analysis.method, network.epsilon, network.analysis.tail, vacuum_credit=False)
    return RateRule(
        network.relay,
        network.clock_hz,
        judgement,
        network.reconciliation.planned_f_ec,
        network.block,
        crosstalk,
        insertion_loss_db,
    )


def _problem(rule: RateRule, link: Link) -> certificate.Problem:
    """The certificate's problem with both users' settings free, even where their arms are equal."""
    return rule.certificate_rule.problem(link)._replace(kind=certificate.ASYMMETRIC)


def best_alone(rule: RateRule, link: Link) -> Point:
    """Free numbers of the best settings of a link, those of both users, searched from everywhere."""
    if not rule.certified:
        return best_point(starts_of(link, symmetric=False), rule.scan_task(link))[0]
    problem = rule.certificate_rule.problem(link)
    scan = optimise(link, rule.judgement.scan(), rule.f_ec, rule.block)
    point = best_certificate(scan, problem)
    return np.append(point, point[2:8]) if problem.kind == certificate.SYMMETRIC else point


def best_nearby(rule: RateRule, link: Link, start: Point) -> Point:
    """Free numbers of the best settings of a link, from those of a link nearby."""
    if rule.certified:
        problem = _problem(rule, link)
        if certificate.certified_rate(start, problem)[0] > 0.0:
            return certificate.climb(start, problem, certificate.FROM_NEARBY)[0]
        return certificate_from(start, problem)[0]
    task = rule.scan_task(link)
    before = signed_rate(start, False, *task)
    if before > 0.0:
        point, value = climb(start, 0.05, _FEW_ROUNDS, False, task)
    else:
        point, value, _ = climb_from(start, task)
    if value <= 0.0 or value - before <= _SETTLED * value:
        return point
    again, higher = climb(point, 0.03, _ROUNDS, False, task)
    return polish(again, higher, False, task)[0] if higher - value > _SETTLED * value else again


def rate_at(rule: RateRule, link: Link, point: Point) -> float:
    """Expected signed secret bits for each pulse at a point; -inf where there is no certificate."""
    if rule.certified:
        return float(certificate.certified_rate(point, _problem(rule, link))[0])
    return float(signed_rate(point, False, *rule.scan_task(link)))


def planned_rate(rule: RateRule, link: Link, point: Point) -> float:
    """Expected signed secret bits for each pulse of the plan at a point, as a campaign makes it.

    The climbs of a certificate count at least 0.3 of each kind of event, which a plan does not: with few dark counts
    its rate is some 0.3 % above `rate_at`.
    """
    rate = rate_at(rule, link, point)
    if not rule.certified or rate == NO_KEY:
        return rate
    plan = certificate_plan(link, point, _problem(rule, link), rule.certificate_rule)
    return max(rate, plan.rate_per_pulse)


def settings_of(rule: RateRule, link: Link, point: Point) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Settings (x, y, z, p_x, p_y, p_z, o) of both users, and the pulses of a block."""
    a, c = certificate.settings_at(point, _problem(rule, link)) if rule.certified else settings_at(point, 0.0, 0.0)
    gains, _ = pair_gains(a, c, link_array(link))
    return a, c, max(block_pulses(a, c, gains[ZZ], rule.block.time_s * link.clock_hz, rule.block.sifted_bits), 1.0)
