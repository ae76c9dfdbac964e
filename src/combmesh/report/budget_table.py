"""A link's budget, and all lines of a pair, as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from combmesh.report.numbers import NO_VALUE, fixed, significant
from combmesh.study.budget.anchors import PRINTED_DIP, floor_x
from combmesh.study.budget.budget import COHERENT_FLOOR_X, DIP, Budget, Term, X, Z
from combmesh.study.budget.causes import CAUSES
from combmesh.study.budget.channels import Channel, Figure
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN

if TYPE_CHECKING:
    from rich.table import Table

LEAST_POINTS = 1e-5
"""A term with less in all three quantities, and no gain in key, is left out of the table."""

_CHANNEL_ROWS = 100


def budget_table(budget: Budget) -> "Table":
    """A line for each cause that does something, the largest harm first."""
    from rich.table import Table

    table = Table(title=f"Line {budget.line} ({budget.itu_label})")
    table.add_column("cause", overflow="fold")
    for header in ("V −", "QBER Z +", "QBER X +", "scan", "same plan", "certificate", "same plan"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_row("ideal: weak coherent pulses", "50.00", "0.000", "25.000", "", "", "", "")
    shown = [term for term in budget.terms if matters(term, budget)]
    for term in shown:
        table.add_row(words(term), *(fixed(100 * term.points[q], _DIGITS[q]) for q in (DIP, Z, X)), *_rates(term))
    total = (100 * budget.dip_visibility, 100 * budget.qber_z, 100 * budget.qber_x)
    now = (significant(budget.rates_bps[DOUBLE_SCAN]), "", significant(budget.rates_bps[CERTIFICATE]), "")
    table.add_section()
    alone = budget.devices_alone
    table.add_row("devices alone", *(fixed(100 * alone[q], _DIGITS[q]) for q in (DIP, Z, X)), "", "", "", "")
    table.add_row("total", *(fixed(v, _DIGITS[q]) for v, q in zip(total, (DIP, Z, X), strict=True)), *now)
    table.add_row("everything perfect", "", "", "", *_rates(budget.all_perfect))
    left_out = len(budget.terms) - len(shown)
    table.caption = "percentage points; bit/s of light time if the cause were gone, planned anew and with the same plan"
    if left_out:
        table.caption += f"; {left_out} causes do nothing here"
    return table


_DIGITS = {DIP: 2, Z: 3, X: 3}


def matters(term: Term, budget: Budget) -> bool:
    """Whether a term does anything."""
    if any(abs(points) >= LEAST_POINTS for points in term.points.values()):
        return True
    gained = term.planned_bps or budget.rates_bps
    return any(gained[name] > 1.0005 * now for name, now in budget.rates_bps.items())


def words(term: Term) -> str:
    """A cause in words; fitted ones are marked."""
    cause = CAUSES[term.name]
    return f"{cause.words} (fitted)" if cause.fitted else cause.words


def _rates(term: Term) -> list[str]:
    if term.planned_bps is None or term.kept_bps is None:
        return [NO_VALUE] * 4
    found = (term.planned_bps, term.kept_bps)
    return [significant(rates[name]) for name in (DOUBLE_SCAN, CERTIFICATE) for rates in found]


def budget_notes(budget: Budget) -> str:
    """How the terms add up, what is fitted, and what breaks the proof."""
    furthest = max(abs(value) for value in budget.not_closed.values())
    lines = [
        f"Terms are shares of ln V and ln(1 - 2E); their sum is the total to {100 * furthest:.1g} %.",
        f"In X weak coherent pulses have {100 * COHERENT_FLOOR_X:.0f} % whatever the devices. The mode overlap alone, "
        f"V = {100 * budget.visibility_x:.2f} %, gives (1 - V)/2 = {100 * budget.floor_x:.2f} %; "
        f"the printed {100 * PRINTED_DIP:.1f} % give {100 * floor_x(PRINTED_DIP):.2f} %.",
        "Scan: double scan (Jiang 2021), the published reference. Certificate: combmesh's, not the paper's analysis.",
    ]
    for term in budget.terms:
        cause = CAUSES[term.name]
        if cause.fitted and any(abs(points) >= LEAST_POINTS for points in term.points.values()):
            lines.append(f"Fitted, no prediction: {cause.words}, to the {cause.fitted}. It could be {cause.could_be}.")
    if budget.broken:
        lines.append("The proof does not cover this light:")
        lines += [f"  {sentence}" for sentence in budget.broken]
    return "\n".join(lines)


def figure_table(figures: Sequence[Figure]) -> "Table":
    """Means and spreads over the lines beside the paper's."""
    from rich.table import Table

    table = Table()
    for header in ("", "mean", "spread", "of devices alone", "paper", "spread", "mean less the paper's", "kind"):
        table.add_column(header, justify="left" if header in ("", "kind") else "right")
    for figure in figures:
        scale, digits = (1.0, 1) if figure.unit == "bit/s" else (100.0, 3 if figure.name == "QBER Z" else 2)
        numbers = (figure.mean, figure.std, figure.devices_std, figure.printed, figure.printed_std, figure.deviation)
        cells = [fixed(None if value is None else scale * value, digits) for value in numbers]
        table.add_row(f"{figure.name}, {figure.unit}", *cells, figure.kind)
    return table


def channel_table(channels: Sequence[Channel], limit: int = _CHANNEL_ROWS) -> "Table":
    """A row for each line."""
    from rich.table import Table

    hidden = len(channels) - limit
    table = Table(caption=f"and {hidden} more lines" if hidden > 0 else None)
    for header in ("line", "ITU", "SNR dB", "V %", "counted", "QBER Z %", "counted", "QBER X %", "counted"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("scan bit/s", "certificate"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in channels[:limit]:
        shares = (
            (one.dip_visibility, 2),
            (one.counted_visibility, 2),
            (one.qber_z, 3),
            (one.counted_qber_z, 3),
            (one.qber_x, 2),
            (one.counted_qber_x, 2),
        )
        cells = [fixed(100 * value, digits) for value, digits in shares]
        rates = [significant(one.skr_bps[name]) for name in (DOUBLE_SCAN, CERTIFICATE)]
        table.add_row(str(one.line), one.itu_label, fixed(one.snr_db, 1), *cells, *rates)
    return table


def channel_notes(figures: Sequence[Figure], scan_s: float) -> str:
    """What counts as a prediction."""
    fitted = [figure.name for figure in figures if figure.kind == "fitted mean"]
    lines = [
        f"Counted: one block of drawn counts a line; V with the counting noise of a scan of {scan_s:.2g} s a delay, "
        "set to the printed error of H28: of its spread only that of devices alone is a prediction.",
        "Other spreads are predictions: SNR, passband and detuning of each line, held polarization, counts.",
    ]
    if fitted:
        names = ", ".join(fitted)
        lines.append(f"The means of {names} are fitted to the paper's (`devices.rest`); the key rate is not.")
    return "\n".join(lines)
