"""The pairs as text: a table for the terminal and a few sentences."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from combmesh.ground.errors import InputError
from combmesh.report.numbers import NO_VALUE, fixed, significant
from combmesh.report.rows import PairRow

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    ("users", "left"),
    ("km", "right"),
    ("line", "right"),
    ("ITU", "right"),
    ("QBER Z %", "right"),
    ("QBER X %", "right"),
    ("s11 ≥", "right"),
    ("phase error %", "right"),
    ("f", "right"),
    ("key bits", "right"),
    ("bit/s", "right"),
    ("outcome", "left"),
)


def pair_table(rows: Sequence[PairRow], limit: int | None = None) -> "Table":
    """One line for each pair; with `limit`, only the first so many, and the caption counts the rest."""
    from rich.table import Table
    from rich.text import Text

    if limit is not None and limit < 0:
        raise InputError(f"`limit` must be at least 0, but is {limit}.")
    shown = rows[:limit]
    n_hidden = len(rows) - len(shown)
    table = Table(caption=f"and {_pairs(n_hidden)} more" if n_hidden else None)
    for header, side in _COLUMNS:
        table.add_column(header, justify="right" if side == "right" else "left", no_wrap=header != "outcome")
    for row in shown:
        table.add_row(*(Text(cell) for cell in _cells(row)))  # Text, since a name may look like markup
    return table


def value_table(rows: Sequence[tuple[str, object, str, str, str]]) -> "Table":
    """Values of a configuration: path, value, unit, mark, and where it comes from or what it means."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for header in ("value", "", "unit", "mark"):
        table.add_column(header, no_wrap=True)
    table.add_column("source, reason or meaning")
    for path, value, unit, mark, words in rows:
        shown = NO_VALUE if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        table.add_row(Text(path), Text(shown, justify="right"), unit, mark, Text(words))
    return table


def summary_text(rows: Sequence[PairRow]) -> str:
    """A few sentences on all pairs: how many have a key, how much key, how fast, and why the others have none.

    The rates are bits per second of light time.
    """
    keyed = [row for row in rows if row.key_bits > 0]
    lines = [f"{len(keyed)} of {_pairs(len(rows))} have a key, {sum(row.key_bits for row in keyed):,} bits together."]
    rates_bps = sorted(row.skr_bps for row in keyed if math.isfinite(row.skr_bps))
    if rates_bps:
        mean_bps = math.fsum(rates_bps) / len(rates_bps)
        lines.append(
            f"Key rate of a pair with key: {significant(rates_bps[0])} to {significant(rates_bps[-1])} bit/s "
            f"of light time, {significant(mean_bps)} on average."
        )
    without = Counter(row.outcome for row in rows if row.key_bits <= 0)
    lines += [f"No key for {_pairs(n)}: {outcome.removeprefix('no key: ')}." for outcome, n in sorted(without.items())]
    return "\n".join(lines)


def _pairs(n: int) -> str:
    return f"{n} pair" if n == 1 else f"{n} pairs"


def _cells(row: PairRow) -> tuple[str, ...]:
    return (
        f"{row.user_a} {NO_VALUE} {row.user_b}",
        fixed(row.distance_km, 1),
        str(row.line),
        row.itu_label,
        fixed(100 * row.qber_z, 3),
        fixed(100 * row.qber_x, 2),
        significant(row.s11_lower),
        fixed(100 * row.phase_error_upper, 2),
        fixed(row.f_ec, 3),
        f"{row.key_bits:,}",
        significant(row.skr_bps),
        row.outcome,
    )
