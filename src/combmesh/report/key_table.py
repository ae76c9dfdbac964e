"""What counts are worth, by every method, and whether they are consistent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from combmesh.report.numbers import fixed, significant

if TYPE_CHECKING:
    from rich.table import Table


class MethodRow(Protocol):
    """What a row needs; `protocol.mdi.compare.MethodResult` has it."""

    @property
    def method(self) -> str: ...
    @property
    def length_bits(self) -> int: ...
    @property
    def skr_bps(self) -> float | None: ...
    @property
    def s11_lower(self) -> float: ...
    @property
    def phase_error_upper(self) -> float: ...
    @property
    def vacuum_bits(self) -> float: ...
    @property
    def leak_ec_bits(self) -> float: ...
    @property
    def constant_bits(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def valid(self) -> bool: ...
    @property
    def note(self) -> str: ...


class FindingRow(Protocol):
    """One thing that does not close."""

    @property
    def kind(self) -> str: ...
    @property
    def sentence(self) -> str: ...


_HEADERS = ("method", "key bits", "bit/s", "s11 ≥", "phase error %", "vacuum bits", "leak bits", "constant", "outcome")


def method_table(rows: Sequence[MethodRow], chosen: str) -> "Table":
    """One line for each method; the chosen one is marked, what is no key stands in brackets."""
    from rich.table import Table

    table = Table()
    for header in _HEADERS:
        left = header in ("method", "outcome")
        table.add_column(header, justify="left" if left else "right", no_wrap=header != "outcome")
    for row in rows:
        bits = f"{row.length_bits:,}"
        rate = "–" if row.skr_bps is None else significant(row.skr_bps)
        certified = row.method.startswith("certificate")
        table.add_row(
            f"{row.method} ◀" if row.method == chosen else row.method,
            bits if row.valid else f"({bits})",
            rate if row.valid else f"({rate})",
            "" if certified else significant(row.s11_lower),
            "" if certified else fixed(100 * row.phase_error_upper, 2),
            f"{row.vacuum_bits:,.0f}",
            f"{row.leak_ec_bits:,.0f}",
            f"{row.constant_bits:,.0f}",
            row.outcome,
            style="bold" if row.method == chosen else None if row.valid else "dim",
        )
    return table


def method_notes(rows: Sequence[MethodRow]) -> str:
    """What is to be known about each method, a line each."""
    width = max(len(row.method) for row in rows)
    return "\n".join(f"{row.method:<{width}}  {row.note}" for row in rows)


def key_sentence(row: MethodRow) -> str:
    """The chosen method's key in words."""
    rate = "" if row.skr_bps is None else f", {significant(row.skr_bps)} bit/s of light time"
    if not row.valid:
        return f"\nNo key. By {row.method} the counts would be worth {row.length_bits:,} bits{rate} ({row.outcome})."
    return f"\nKey by {row.method}: {row.length_bits:,} bits{rate} ({row.outcome})."


def verdict_text(verdict: str, findings: Sequence[FindingRow]) -> str:
    """The verdict and a line for each finding."""
    lines = [f"Verdict on the table: {verdict}."]
    return "\n".join(lines + [f"  {finding.kind}: {finding.sentence}" for finding in findings])
