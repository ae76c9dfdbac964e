"""A block planned and judged: settings, method and, for the certificate, coefficients, all fixed before the block."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from combmesh.link.relay import Link
from combmesh.protocol.mdi.certificate.certificate import PROOFS, Certificate, certified_key
from combmesh.protocol.mdi.certificate.climb import Point
from combmesh.protocol.mdi.certificate.many import certificate_from_nearby, certificates_nearby
from combmesh.protocol.mdi.certificate.plan import CertificateRule, plan_certificate
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis, KeyLength, key_length
from combmesh.protocol.mdi.optimise import LinkPlan, fixed_plan, optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.sweep import optimise_many
from combmesh.protocol.mdi.tally import Tally

REFERENCE = "double-scan"


@dataclass(frozen=True)
class Judgement:
    """How counts become a key length.

    Attributes:
        method: a scan, or a certificate, which is taken where it is expected to give more than the double scan.
        budget: failure probabilities; the scans split the secrecy into equal shares, a certificate spends it on one.
        tail: tail bound of the scans.
        vacuum_credit: whether the vacuum part counts, in the scans.
    """

    method: str = REFERENCE
    budget: EpsilonBudget = EpsilonBudget()
    tail: str = "exact"
    vacuum_credit: bool = False

    def scan(self) -> Analysis:
        """The scan itself, or the one beside a certificate."""
        method = REFERENCE if self.method in PROOFS else self.method
        return Analysis(method, self.tail, self.budget.bound, self.budget.correctness, self.vacuum_credit)


@dataclass(frozen=True)
class BlockPlan:
    """What is fixed before a block.

    Attributes:
        method: whose key length will be taken.
        alice, bob: settings of the users.
        pulses: pulses of the block.
        rate_per_pulse: expected signed secret bits for each pulse.
        certificate: coefficients, where the method has them.
    """

    method: str
    alice: Settings
    bob: Settings
    pulses: int
    rate_per_pulse: float
    certificate: Certificate | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the plan: recorded before the block, it proves that nothing was tuned on its counts."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Nearby:
    """What the plans of other links tell about a link's.

    Attributes:
        scan: the best settings for the scan.
        start: where the certificate's climb starts; None where it is to be planned alone.
    """

    scan: LinkPlan
    start: Point | None


def known_nearby(
    links: Sequence[Link], judgement: Judgement, f_ec: float, block: BlockRule, workers: int
) -> list[Nearby]:
    """What is known of links, in their order, before each gets its plan."""
    scans = optimise_many(links, judgement.scan(), f_ec, block, workers)
    starts: dict[Link, Point] = {}
    if judgement.method in PROOFS:
        rule = CertificateRule(f_ec, block, judgement.budget, judgement.method)
        starts = certificates_nearby(links, rule, workers)
    return [Nearby(scan, starts.get(link)) for link, scan in zip(links, scans, strict=True)]


def plan_block(
    link: Link,
    judgement: Judgement,
    f_ec: float,
    block: BlockRule,
    settings: Settings | None = None,
    nearby: Nearby | None = None,
) -> BlockPlan:
    """The plan with the most expected key; a certificate only where it is expected to give more than the double scan.

    Args:
        link: the link.
        judgement: how counts will become a key length.
        f_ec: reconciliation efficiency that is planned.
        block: when a block ends.
        settings: what both users send, if that is not free.
        nearby: what the plans of other links tell, if the settings are free.
    """
    scan = judgement.scan()
    if settings is not None:
        plan = fixed_plan(link, settings, settings, scan, f_ec, block)
    else:
        plan = nearby.scan if nearby else optimise(link, scan, f_ec, block)
    scanned = BlockPlan(scan.method, plan.alice, plan.bob, plan.pulses, plan.rate_per_pulse)
    if judgement.method not in PROOFS:
        return scanned
    if nearby is not None and nearby.start is not None:
        rule = CertificateRule(f_ec, block, judgement.budget, judgement.method)
        found = certificate_from_nearby(link, rule, nearby.start)
    else:
        both = (settings, settings) if settings is not None else None
        found = plan_certificate(link, f_ec, block, judgement.budget, judgement.method, settings=both, scan=plan)
    if found.certificate is None or found.rate_per_pulse <= scanned.rate_per_pulse:
        return scanned
    return BlockPlan(judgement.method, found.alice, found.bob, found.pulses, found.rate_per_pulse, found.certificate)


def block_key(
    plan: BlockPlan, tally: Tally, judgement: Judgement, *, f_ec: float = 1.16, leak_bits: float | None = None
) -> KeyLength:
    """Key length of a block's counts by the plan's method.

    s11 and the phase error are those of the scan; beside a certificate they are for information only.
    """
    scanned = key_length(tally, plan.alice, plan.bob, judgement.scan(), f_ec=f_ec, leak_bits=leak_bits)
    if plan.certificate is None:
        return scanned
    key = certified_key(tally, plan.certificate, judgement.budget, plan.method, f_ec=f_ec, leak_bits=leak_bits)
    return replace(key, s11_lower=scanned.s11_lower, phase_error_upper=scanned.phase_error_upper)
