"""Key rate of a link by mode pairing, finite and asymptotic, at given or at the best sources and pairing length."""

from dataclasses import asdict, dataclass, replace
from math import floor
from typing import Any

from combmesh.link.relay import Link
from combmesh.protocol.mode_pairing.compare import MODE_PAIRING
from combmesh.protocol.mode_pairing.keyrate import Analysis
from combmesh.protocol.mode_pairing.optimise import PairingPlan, best_pairing_length, optimise, planned_rate
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings

RATE_NAMES = (MODE_PAIRING, "mode-pairing-asymptotic")


@dataclass(frozen=True)
class RateTask:
    """What the rate of a link is computed from.

    Attributes:
        link, coherence: link and phase.
        rounds: rounds of a block.
        rule: the pairing.
        analysis: tail, epsilons, vacuum part.
        f_ec: reconciliation efficiency.
        settings: sources of Alice and Bob; None optimises them.
        fixed_length: whether the maximal pairing length of `rule` is kept; otherwise it is optimised too.
    """

    link: Link
    coherence: Coherence
    rounds: float
    rule: PairingRule
    analysis: Analysis
    f_ec: float = 1.16
    settings: tuple[Settings, Settings] | None = None
    fixed_length: bool = False


@dataclass(frozen=True)
class PairingRate:
    """Expected key of a block.

    Attributes:
        method: one of `RATE_NAMES`.
        skr_bps: key bits for each second of light.
        length_bits: key bits of a block, 0 if none.
        alice, bob: the sources.
        rule: the pairing.
    """

    method: str
    skr_bps: float
    length_bits: int
    alice: Settings
    bob: Settings
    rule: PairingRule

    def shown_settings(self) -> dict[str, dict[str, Any]]:
        """What was chosen, by name: `alice`, `bob`, `pairing`."""
        users = {name: {**asdict(user), "p_o": user.p_o} for name, user in (("alice", self.alice), ("bob", self.bob))}
        return {**users, "pairing": asdict(self.rule)}


def all_rates(task: RateTask) -> list[PairingRate]:
    """The expected key, finite and asymptotic, in the order of `RATE_NAMES`."""
    rates = []
    for method, rounds in zip(RATE_NAMES, (task.rounds, None), strict=True):
        plan = _planned(task, rounds)
        bits = floor(max(0.0, plan.rate_per_round * task.rounds))
        skr_bps = bits / task.rounds * task.link.clock_hz
        rates.append(PairingRate(method, skr_bps, bits, plan.alice, plan.bob, plan.rule))
    return rates


def _planned(task: RateTask, rounds: float | None) -> PairingPlan:
    """The sources and the pairing, as given or at their best for blocks of `rounds` rounds, None for endless ones.

    The length is searched once more at the best sources: where clicks come soon, many are nearly as good, and a climb
    stops at any of them.
    """
    link, rule, drift, f_ec, analysis = task.link, task.rule, task.coherence, task.f_ec, task.analysis
    if task.settings is None:
        plan = optimise(link, rule, drift, rounds, f_ec=f_ec, analysis=analysis, fixed_length=task.fixed_length)
    else:
        plan = _plan(task, rounds, *task.settings, rule)
    if task.fixed_length or (task.settings is None and plan.rate_per_round <= 0.0):
        return plan
    alice, bob = plan.alice, plan.bob
    longest = best_pairing_length(link, alice, bob, rule, drift, f_ec=f_ec, rounds=rounds, analysis=analysis)
    best = _plan(task, rounds, alice, bob, replace(rule, longest_slots=longest))
    return max(best, plan, key=lambda found: found.rate_per_round)


def _plan(task: RateTask, rounds: float | None, alice: Settings, bob: Settings, rule: PairingRule) -> PairingPlan:
    """What these sources and this pairing are expected to give."""
    rate = planned_rate(
        task.link, alice, bob, rule, task.coherence, f_ec=task.f_ec, rounds=rounds, analysis=task.analysis
    )
    return PairingPlan(alice, bob, rule, rounds, rate)
