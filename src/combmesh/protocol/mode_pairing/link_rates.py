"""Key rate of a link by mode pairing, finite and asymptotic, at given or at the best sources and pairing length."""

from dataclasses import asdict, dataclass, replace
from math import floor
from typing import Any

from combmesh.link.relay import Link
from combmesh.protocol.mode_pairing.compare import MODE_PAIRING
from combmesh.protocol.mode_pairing.keyrate import Analysis
from combmesh.protocol.mode_pairing.optimise import (
    PairingPlan,
    PairingTask,
    best_pairing_length,
    optimise,
    planned_rate,
)
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.rates import mean_click
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
        return {"alice": self.alice.shown(), "bob": self.bob.shown(), "pairing": asdict(self.rule)}


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
    block = PairingTask(task.link, task.coherence, rounds, task.f_ec, task.analysis)
    if task.settings is None:
        plan = optimise(block, task.rule, fixed_length=task.fixed_length)
    else:
        plan = _plan(block, *task.settings, task.rule)
    hopeless = task.settings is None and plan.rate_per_round <= 0.0
    if task.fixed_length or hopeless or mean_click(task.link, plan.alice, plan.bob) <= 0.0:
        return plan
    longest = best_pairing_length(block, plan.alice, plan.bob, task.rule)
    best = _plan(block, plan.alice, plan.bob, replace(task.rule, longest_slots=longest))
    return max(best, plan, key=lambda found: found.rate_per_round)


def _plan(block: PairingTask, alice: Settings, bob: Settings, rule: PairingRule) -> PairingPlan:
    """What these sources and this pairing are expected to give."""
    return PairingPlan(alice, bob, rule, planned_rate(block, alice, bob, rule))
