"""Key rate of a link by every method, at given settings or at each method's best."""

from dataclasses import dataclass
from math import floor
from typing import Any

from combmesh.link.relay import Link
from combmesh.protocol.mdi.asymptotic import asymptotic_rate, best_asymptotic
from combmesh.protocol.mdi.certificate.certificate import PROOFS, Certificate
from combmesh.protocol.mdi.certificate.plan import plan_certificate
from combmesh.protocol.mdi.compare import ASYMPTOTIC, METHOD_NAMES
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import fixed_plan, optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings

_NO_LIMIT = 1e300


@dataclass(frozen=True)
class RateTask:
    """What the rate of a link is computed from.

    Attributes:
        link: the link.
        pulses: pulses of a block.
        budget: failure probabilities.
        tail: tail bound of the scans.
        f_ec: reconciliation efficiency.
        vacuum_credit: whether the vacuum part counts, in the scans; of Alice, whose bits are the key.
        settings: settings of Alice and Bob; None optimises them for each method.
        vacuum: mean photon numbers of the users' vacuum where settings are optimised.
    """

    link: Link
    pulses: float
    budget: EpsilonBudget
    tail: str = "exact"
    f_ec: float = 1.16
    vacuum_credit: bool = True
    settings: tuple[Settings, Settings] | None = None
    vacuum: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class MethodRate:
    """Expected key of a block by one method.

    Attributes:
        method: one of `METHOD_NAMES`.
        skr_bps: key bits for each second of light.
        length_bits: key bits of a block, 0 if none.
        alice, bob: the settings.
        certificate: t, e0 and coefficients, where the method has them.
    """

    method: str
    skr_bps: float
    length_bits: int
    alice: Settings
    bob: Settings
    certificate: Certificate | None = None

    def shown_settings(self) -> dict[str, dict[str, Any]]:
        """What was chosen, by name: `alice`, `bob`, `certificate`."""
        users = {"alice": self.alice.shown(), "bob": self.bob.shown()}
        if self.certificate is None:
            return users
        fixed = self.certificate
        return {**users, "certificate": {"t": fixed.t, "e0": fixed.e0, "digest": fixed.digest}}


def method_rate(task: RateTask, method: str) -> MethodRate:
    """The expected key of a block by a method, at the given settings or at the method's best."""
    rate, alice, bob, certificate = _planned(task, method)
    bits = floor(max(rate, 0.0) * task.pulses * (1.0 + 1e-12))
    return MethodRate(method, bits / task.pulses * task.link.clock_hz, bits, alice, bob, certificate)


def all_rates(task: RateTask) -> list[MethodRate]:
    """The expected key by every method, in the order of `METHOD_NAMES`."""
    return [method_rate(task, method) for method in METHOD_NAMES]


def _planned(task: RateTask, method: str) -> tuple[float, Settings, Settings, Certificate | None]:
    """(signed secret bits for each pulse, settings of Alice and Bob, certificate)."""
    block = BlockRule(task.pulses / task.link.clock_hz, _NO_LIMIT)
    if method == ASYMPTOTIC:
        if task.settings is None:
            return *best_asymptotic(task.link, task.f_ec), None
        return asymptotic_rate(task.link, *task.settings, task.f_ec), *task.settings, None
    if method in PROOFS:
        plan = plan_certificate(
            task.link, task.f_ec, block, task.budget, method, settings=task.settings, vacuum=task.vacuum
        )
        return plan.rate_per_pulse, plan.alice, plan.bob, plan.certificate
    analysis = Analysis(method, task.tail, task.budget.bound, task.budget.correctness, task.vacuum_credit)
    if task.settings is None:
        scan = optimise(task.link, analysis, task.f_ec, block, task.vacuum)
    else:
        scan = fixed_plan(task.link, task.settings[0], task.settings[1], analysis, task.f_ec, block)
    return scan.rate_per_pulse, scan.alice, scan.bob, None
