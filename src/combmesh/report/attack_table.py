"""What attacks came to, as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from combmesh.report.numbers import NO_VALUE, fixed

if TYPE_CHECKING:
    from rich.table import Table


class AttackRow(Protocol):
    """What a row needs; `study.attacks.verdict.AttackResult` has it."""

    @property
    def name(self) -> str: ...
    @property
    def inside_proof(self) -> bool: ...
    @property
    def pulses(self) -> int: ...
    @property
    def share(self) -> float: ...
    @property
    def announced(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def sifted_bits(self) -> int: ...
    @property
    def qber_z(self) -> float | None: ...
    @property
    def qber_x(self) -> float | None: ...
    @property
    def key_bits(self) -> int: ...
    @property
    def certificate_bits(self) -> int | None: ...
    @property
    def leak_bits(self) -> int: ...
    @property
    def unknown_bits(self) -> int: ...
    @property
    def unknown_bits_errors_public(self) -> int: ...
    @property
    def consistency(self) -> str | None: ...
    @property
    def outcome(self) -> str: ...
    @property
    def verdict(self) -> str: ...


OUTSIDE = " (outside the proof)"
_HEADERS = (
    "attack",
    "sifted",
    "QBER Z %",
    "QBER X %",
    "key",
    "certificate",
    "leak",
    "unknown",
    "errors public",
    "counts",
)
_CAPTION = """unknown: raw key bits that Eve does not know; errors public: those left when error positions are public
A key of the scan and its leak must be at most the first, a certificate and its leak at most the second."""


def attack_table(rows: Sequence[AttackRow]) -> "Table":
    """One line for each attack."""
    from rich.table import Table

    table = Table(caption=_CAPTION)
    for header in (*_HEADERS, "verdict"):
        left = header in ("attack", "counts", "verdict")
        table.add_column(header, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            f"{row.sifted_bits:,}",
            _percent(row.qber_z),
            _percent(row.qber_x),
            f"{row.key_bits:,}",
            NO_VALUE if row.certificate_bits is None else f"{row.certificate_bits:,}",
            f"{row.leak_bits:,}",
            f"{row.unknown_bits:,}",
            f"{row.unknown_bits_errors_public:,}",
            row.consistency or NO_VALUE,
            row.verdict if row.inside_proof else f"{row.verdict} (outside)",
        )
    return table


def attack_notes(row: AttackRow, sentence: str) -> str:
    """What stands below the line of one attack."""
    where = "inside the proof" if row.inside_proof else "outside the proof"
    ignored = row.received - row.announced
    known = f" Eve does not know {row.unknown_bits:,} of {row.sifted_bits:,} raw key bits: {row.verdict}."
    lines = [
        f"{row.name} ({where}): {sentence}.",
        f"{row.pulses:.4g} pulses, {row.share:.0%} of them attacked; {row.announced:,} announcements taken"
        + (f", {ignored:,} repeated ones ignored." if ignored else "."),
        f"The users: {row.outcome}." + (known if row.sifted_bits else ""),
    ]
    return "\n".join(lines)


def attack_list(attacks: Sequence[tuple[str, str, bool]]) -> str:
    """Names, what each does, and whether the proof does not cover it, a line each."""
    width = max(len(name) for name, _, _ in attacks)
    lines = [f"{name:<{width}}  {sentence}{'' if inside else OUTSIDE}" for name, sentence, inside in attacks]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return fixed(None if value is None else 100.0 * value, 2)
