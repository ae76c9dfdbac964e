"""What a run has planned and finished, one line each; a stopped run goes on from here."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from combmesh.link.relay import Link, Relay
from combmesh.network.block import BlockReport
from combmesh.network.lines import LineFile
from combmesh.protocol.mdi.block_plan import BlockPlan
from combmesh.protocol.mdi.certificate.certificate import Certificate
from combmesh.protocol.mdi.settings import Settings

Address = tuple[str, str, int, int]
"""(alice, bob, line, block)"""

Arms = tuple[float, ...]
"""What tells one link of a run from another: the efficiencies of the two arms, and where devices make the relay, what
they make of it."""


class Journal(LineFile):
    """Block reports by their address."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reports: dict[Address, BlockReport] = {}
        for number, entry in enumerate(self.entries, 1):
            try:
                report = _report(entry)
            except (ValueError, TypeError, KeyError) as error:
                raise self.damaged(number) from error
            self.reports[address(report)] = report

    def record(self, reports: Iterable[BlockReport]) -> None:
        """Make the reports durable."""
        reports = list(reports)
        self.append(asdict(report) for report in reports)
        self.reports.update((address(report), report) for report in reports)


class PlanBook(LineFile):
    """Plans by the link they are for: durable, with time and digest, before the first pulse of their blocks."""

    def __init__(self, path: Path, typed: Relay) -> None:
        super().__init__(path)
        self._typed = typed
        self.plans: dict[Arms, BlockPlan] = {}
        for number, entry in enumerate(self.entries, 1):
            try:
                arms, plan = _plan(entry)
            except (ValueError, TypeError, KeyError) as error:
                raise self.damaged(number) from error
            if plan.digest != entry["digest"]:
                raise self.damaged(number)
            self.plans[arms] = plan

    def arms(self, link: Link) -> Arms:
        """Which link of the run this is."""
        return arms_of(link, self._typed)

    def record(self, plans: Iterable[tuple[Link, BlockPlan]]) -> None:
        """Make the plans durable."""
        plans = list(plans)
        fixed_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.append(
            {"fixed_utc": fixed_utc, "arms": self.arms(link), "digest": plan.digest, "plan": asdict(plan)}
            for link, plan in plans
        )
        self.plans.update((self.arms(link), plan) for link, plan in plans)


def address(report: BlockReport) -> Address:
    """Which block a report is of."""
    return report.alice, report.bob, report.line, report.block


def arms_of(link: Link, typed: Relay) -> Arms:
    """Which link of a run a plan is for; `typed` is the relay of the file."""
    relay, arms = link.relay, (link.efficiency_a, link.efficiency_b)
    return arms if relay == typed else (*arms, relay.visibility, relay.misalignment_z, relay.misalignment_x)


def _report(entry: Any) -> BlockReport:
    counts = {name: tuple(entry[name]) for name in ("sent", "detected", "errors")}
    return BlockReport(**{**entry, **counts})


def _plan(entry: Any) -> tuple[Arms, BlockPlan]:
    plan = dict(entry["plan"])
    alice, bob = Settings(**plan.pop("alice")), Settings(**plan.pop("bob"))
    found = plan.pop("certificate")
    certificate = None if found is None else Certificate(**{**found, "scaled": tuple(found["scaled"])})
    return tuple(entry["arms"]), BlockPlan(**plan, alice=alice, bob=bob, certificate=certificate)
