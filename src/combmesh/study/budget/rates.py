"""Key rates of a link from devices by both methods: planned anew, or with a plan that is kept."""

from dataclasses import dataclass, replace

from combmesh.device.transmitter.spec import PulseSpec
from combmesh.link.relay import Link
from combmesh.protocol.mdi.certificate.certificate import certified_key
from combmesh.protocol.mdi.certificate.plan import CertificatePlan, plan_certificate
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis, key_length
from combmesh.protocol.mdi.optimise import LinkPlan, fixed_plan, optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, expected_tally

DOUBLE_SCAN, CERTIFICATE = "double-scan", "certificate"
METHODS = (DOUBLE_SCAN, CERTIFICATE)
"""The published reference, and combmesh's own."""

_ROUNDS = 3
"""Of plan and vacuum; the vacuum is kept to three digits, so that two are enough nearly always."""


@dataclass(frozen=True)
class KeyRule:
    """How a block of a link becomes key.

    Attributes:
        block: when a block ends.
        epsilon: failure probabilities.
        f_ec: reconciliation efficiency.
        tail: tail bound of the scan.
        settings: of both users, if they are not free.
    """

    block: BlockRule = BlockRule()
    epsilon: EpsilonBudget = EpsilonBudget()
    f_ec: float = 1.16
    tail: str = "exact"
    settings: Settings | None = None

    @property
    def analysis(self) -> Analysis:
        """The double scan; no vacuum part, which two-way reconciliation makes public."""
        return Analysis(DOUBLE_SCAN, self.tail, self.epsilon.bound, self.epsilon.correctness, vacuum_credit=False)


@dataclass(frozen=True)
class Plans:
    """What both methods fix before a block.

    Attributes:
        scan: of the double scan.
        certificate: of the certificate.
        vacuum: mean photon numbers of both users' vacuum.
    """

    scan: LinkPlan
    certificate: CertificatePlan
    vacuum: tuple[float, float]

    def rates_bps(self, clock_hz: float) -> dict[str, float]:
        """Expected key of each method, bit/s of light time."""
        expected = (self.scan.rate_per_pulse, self.certificate.rate_per_pulse)
        return {name: max(rate, 0.0) * clock_hz for name, rate in zip(METHODS, expected, strict=True)}


def plans_for(link: Link, rule: KeyRule, vacuum: tuple[float, float]) -> Plans:
    """The best plans of a link whose users' vacuum has so much light."""
    if rule.settings is not None:
        both = replace(rule.settings, o=vacuum[0]), replace(rule.settings, o=vacuum[1])
        scan = fixed_plan(link, *both, rule.analysis, rule.f_ec, rule.block)
        return Plans(scan, plan_certificate(link, rule.f_ec, rule.block, rule.epsilon, settings=both), vacuum)
    scan = optimise(link, rule.analysis, rule.f_ec, rule.block, vacuum)
    return Plans(scan, plan_certificate(link, rule.f_ec, rule.block, rule.epsilon, vacuum=vacuum), vacuum)


def plans_with_vacuum(link: Link, rule: KeyRule, specs: tuple[PulseSpec, PulseSpec]) -> Plans:
    """The same where each vacuum is what the chip leaves of the user's brightest source, which the plan chooses.

    Settings that are not free keep the vacuum that they name.
    """
    if rule.settings is not None:
        return plans_for(link, rule, (rule.settings.o, rule.settings.o))
    vacuum = (0.0, 0.0)
    for _ in range(_ROUNDS):
        scan = optimise(link, rule.analysis, rule.f_ec, rule.block, vacuum)
        users = zip(specs, (scan.alice, scan.bob), strict=True)
        a, b = (float(f"{spec.vacuum_share * max(user.y, user.z):.3g}") for spec, user in users)
        if (a, b) == vacuum:
            break
        vacuum = (a, b)
    return plans_for(link, rule, vacuum)


def kept_rates_bps(link: Link, rule: KeyRule, plans: Plans) -> dict[str, float]:
    """Expected key of each method with settings and coefficients of another link's plans, bit/s of light time."""
    scan, certified = plans.scan, plans.certificate
    by_scan = scan_bits(expected_tally(link, scan.alice, scan.bob, scan.pulses), rule, scan)
    tally = expected_tally(link, certified.alice, certified.bob, certified.pulses)
    by_certificate = certificate_bits(tally, rule, certified)
    return {
        DOUBLE_SCAN: max(by_scan, 0.0) / scan.pulses * link.clock_hz,
        CERTIFICATE: max(by_certificate, 0.0) / certified.pulses * link.clock_hz,
    }


def scan_bits(tally: Tally, rule: KeyRule, plan: LinkPlan) -> float:
    """Signed key length of counts by the double scan."""
    return key_length(tally, plan.alice, plan.bob, rule.analysis, f_ec=rule.f_ec).signed_bits


def certificate_bits(tally: Tally, rule: KeyRule, plan: CertificatePlan) -> float:
    """Signed key length of counts by a certificate that was fixed beforehand, 0 without one."""
    if plan.certificate is None:
        return 0.0
    return certified_key(tally, plan.certificate, rule.epsilon, f_ec=rule.f_ec).signed_bits


def without_dark(link: Link) -> Link:
    """The same without dark counts."""
    return replace(link, relay=replace(link.relay, dark_count_probability=0.0))
