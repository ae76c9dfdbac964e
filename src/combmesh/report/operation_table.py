"""A link over hours, as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from combmesh.report.numbers import fixed, significant
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN
from combmesh.study.operation.anchors import Comparison
from combmesh.study.operation.blocks import Block, Record

if TYPE_CHECKING:
    from rich.table import Table

_MOST_ROWS = 60


def block_table(record: Record) -> "Table":
    """A row for each block of one case."""
    from rich.table import Table

    title = f"{record.case}, line {record.line} ({record.itu_label})"
    table = Table(title=title if record.controlled else f"{title}, without control")
    headers = ("block", "from s", "V %", "wrong light Z %", "X %", "timing ps", "QBER Z %", "counted")
    for header in (*headers, "QBER X %", "counted", "scan bit/s", "certificate"):
        table.add_column(header, justify="right", no_wrap=True)
    for block in record.blocks[:_MOST_ROWS]:
        table.add_row(*_cells(block))
    if len(record.blocks) > _MOST_ROWS:
        table.caption = f"and {len(record.blocks) - _MOST_ROWS} more blocks"
    return table


def _cells(block: Block) -> list[str]:
    shares = (
        (block.visibility, 2),
        (block.error_z, 3),
        (block.error_x, 3),
    )
    qbers = ((block.qber_z, 3), (block.counted_qber_z, 3), (block.qber_x, 2), (block.counted_qber_x, 2))
    return [
        str(block.block + 1),
        fixed(block.begin_s, 0),
        *(fixed(100.0 * value, digits) for value, digits in shares),
        fixed(block.timing_rms_ps, 2),
        *(fixed(100.0 * value, digits) for value, digits in qbers),
        *(significant(block.skr_bps[method]) for method in (DOUBLE_SCAN, CERTIFICATE)),
    ]


def comparison_table(found: Sequence[Comparison]) -> "Table":
    """Means and spreads over the blocks, fibre beside equivalent loss and the paper."""
    from rich.table import Table

    table = Table(title="Means over the blocks")
    heads = ("", "fibre", "spread", "equivalent loss", "spread", "fibre less equivalent", "paper", "fibre less paper")
    for header in (*heads, "kind"):
        table.add_column(header, justify="left" if header in ("", "kind") else "right")
    for row in found:
        scale, digits = (1.0, 1) if row.unit == "bit/s" else (100.0, 3 if row.name == "QBER Z" else 2)
        numbers = (
            row.fibre,
            row.fibre_std,
            row.equivalent,
            row.equivalent_std,
            row.difference,
            row.printed,
            row.deviation,
        )
        cells = [fixed(None if value is None else scale * value, digits) for value in numbers]
        table.add_row(f"{row.name}, {row.unit}", *cells, row.kind)
    return table


def operation_notes(records: Sequence[Record], broken: Sequence[str]) -> str:
    """What the records are, what control costs, what is fitted, and what breaks the proof."""
    lines = [
        "Counted: drawn counts of a block, all simulated. V: what a scan of the delay would show. Rates are per second "
        "of the whole block.",
        "Scan: double scan (Jiang 2021), the published reference. Certificate: combmesh's, not the paper's analysis.",
    ]
    first = records[0]
    if first.controlled:
        lines.append(_cost(first))
        lines.append(
            "The paper prints no value of a block; its QBERs are means of 76 lines, its rate the mean of H28. That "
            "fibre and equivalent loss agree is a prediction; levels of V and QBERs are fitted (`devices.rest`)."
        )
        lines.append("One record's search wanders slowly: means of other seeds differ by more than blocks suggest.")
    else:
        lines.append(
            "Without control: both arms were aligned perfectly when the record began and were then left alone, and no "
            "light is disclosed."
        )
    if broken:
        lines.append("The proof does not cover this light:")
        lines += [f"  {sentence}" for sentence in broken]
    return "\n".join(lines)


def _cost(record: Record) -> str:
    shares = " and ".join(f"{100.0 * share:.2f} %" for share in record.slot_shares)
    paid, unpaid = (rates[DOUBLE_SCAN] for rates in (record.planned_bps, record.unpaid_bps))
    return (
        f"Control: {record.disclosed_counts:.3g} clicks disclosed a block, in slots that take {shares} of the time: "
        f"{significant(paid)} instead of {significant(unpaid)} bit/s expected (double scan, {record.case})."
    )
