"""What single pulses gave, beside the other two engines, as text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from combmesh.report.numbers import significant

if TYPE_CHECKING:
    from rich.table import Table

DETECTORS = ("1H", "1V", "2H", "2V")


@dataclass(frozen=True)
class PulseRow:
    """One pair of sources.

    Attributes:
        pair: both sources, Alice's first.
        sent, detected, errors: counted pulses.
        expected_detected, expected_errors: the closed form's for as many sent.
        drawn_detected, drawn_errors: one draw of the counts engine, which draws its own numbers of sent pulses.
    """

    pair: str
    sent: int
    detected: int
    errors: int
    expected_detected: float
    expected_errors: float
    drawn_detected: int
    drawn_errors: int


@dataclass(frozen=True)
class PulseReport:
    """A simulation of single pulses.

    Attributes:
        rows: pairs of sources.
        p_value: probability that chance makes pulses and closed form differ as much; None where the closed form, which
            takes phases as random, does not speak of this light.
        pulses: simulated pulses.
        seed: of the simulation.
        clicks: registered clicks of 1H, 1V, 2H, 2V.
        outside_proof: whether the light breaks what the security proof assumes.
        wall_s: time taken, s.
        kept_pulses: of the simulated pulses, those that an earlier run had kept.
        by_number: of each pair of sources the announced and wrong pulses by Alice's and Bob's photon numbers, the last
            place holding what is above; None where they are not kept.
    """

    rows: Sequence[PulseRow]
    p_value: float | None
    pulses: int
    seed: int
    clicks: tuple[int, ...]
    outside_proof: bool
    wall_s: float
    kept_pulses: int = 0
    by_number: Mapping[str, Mapping[str, list[list[int]]]] | None = None

    def document(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        document = asdict(self) | {"origin": "simulated"}
        if self.by_number is None:
            del document["by_number"]
        return document | {"clicks": dict(zip(DETECTORS, self.clicks, strict=True))}


def pulse_table(report: PulseReport) -> "Table":
    """A line for each pair of sources: pulses, closed form, counts; distances in standard deviations."""
    from rich.table import Table

    table = Table(caption="sigma: distance of the pulses from the closed form in its standard deviations")
    for header in ("pair", "sent"):
        table.add_column(header, justify="left" if header == "pair" else "right", no_wrap=True)
    for what in ("announced", "wrong"):
        for header in (what, "closed form", "sigma", "counts"):
            table.add_column(header, justify="right", no_wrap=True)
    for row in report.rows:
        table.add_row(
            row.pair,
            f"{row.sent:,}",
            *_cells(row.detected, row.expected_detected, row.drawn_detected),
            *_cells(row.errors, row.expected_errors, row.drawn_errors),
        )
    return table


def pulse_notes(report: PulseReport) -> str:
    """What stands below the table."""
    clicks = ", ".join(f"{name} {clicks:,}" for name, clicks in zip(DETECTORS, report.clicks, strict=True))
    fresh = report.pulses - report.kept_pulses
    lines = [f"Simulated light, {report.pulses:,} pulses, seed {report.seed}; clicks {clicks}."]
    if report.p_value is None:
        lines.append(
            "The pulses are coherent with each other: the security proof and the closed form do not cover that."
        )
    else:
        lines.append(
            f"Chance makes pulses and closed form differ as much with probability {significant(report.p_value)}."
        )
    if report.by_number is not None:
        announced, wrong = (report.by_number["zz"][what] for what in ("announced", "wrong"))
        lines.append(
            f"Of {sum(map(sum, announced)):,} announced zz pulses {announced[1][1]:,} had one photon from each user; "
            f"{wrong[1][1]:,} of these are wrong."
        )
    if report.kept_pulses:
        lines.append(f"{report.kept_pulses:,} of the pulses were kept from an earlier run.")
    if fresh:
        lines.append(f"{report.wall_s:.1f} s, {significant(fresh / max(report.wall_s, 1e-9))} pulses/s.")
    return "\n".join(lines)


def _cells(seen: int, expected: float, drawn: int) -> list[str]:
    away = f"{(seen - expected) / expected**0.5:+.1f}" if expected > 0 else ""
    return [f"{seen:,}", f"{expected:,.1f}" if expected >= 1 else significant(expected), away, f"{drawn:,}"]
