"""A comb's lines, and what forward scans end in, as text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from combmesh.device.comb_file import CombFile
from combmesh.device.microcomb.survey import HOLD_TIME, SurveyRow
from combmesh.ground.provenance import Mark
from combmesh.report.comb_report import PRINTED_LINES, PRINTED_SPAN_NM, CombReport, LineRow
from combmesh.report.numbers import fixed, significant

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("line", "THz", "ITU", "dBm", "SNR dB", "port", "at port dBm", "crosstalk dB")


def line_table(rows: Sequence[LineRow]) -> "Table":
    """A row for each usable line; neighbours that are not usable for one reason share a row."""
    from rich.table import Table

    table = Table(caption="CH+n lies n lines to the red; labels repeat, numbers do not; power in the bus on the chip")
    for header in _COLUMNS:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for why, some in groupby(rows, key=lambda row: row.why):
        alike = list(some)
        if alike[0].usable or len(alike) == 1:
            for row in alike:
                table.add_row(*_cells(row), why)
        else:
            table.add_row(*_span_cells(alike), f"{len(alike)} lines: {why}")
    return table


def _cells(row: LineRow) -> tuple[str, ...]:
    return (
        f"{row.line:+d}" if row.line else "0", fixed(row.frequency_thz, 4), row.itu_label, fixed(row.power_dbm, 1),
        fixed(row.snr_db, 1), "" if row.port is None else str(row.port), fixed(row.port_dbm, 1),
        fixed(row.crosstalk_db, 1),
    )  # fmt: skip


def _span_cells(rows: Sequence[LineRow]) -> tuple[str, ...]:
    first, last = rows[0], rows[-1]
    power_dbm, snr_db = [row.power_dbm for row in rows], [row.snr_db for row in rows]
    return (
        f"{first.line:+d} to {last.line:+d}", f"{first.frequency_thz:.2f} to {last.frequency_thz:.2f}",
        f"{first.itu_label} to {last.itu_label}", f"{min(power_dbm):.1f} to {max(power_dbm):.1f}",
        f"{min(snr_db):.1f} to {max(snr_db):.1f}", "", "", "",
    )  # fmt: skip


def comb_notes(report: CombReport) -> str:
    """What stands below the lines."""
    document, run = report.document(), report.run
    ring, spectrum = run.file.ring, run.spectrum
    losses = ", ".join(str(number) for number in run.attempt.losses)
    took = f"attempt {run.attempts} in {document['access_us']:.0f} us of light; the ratchet left {losses} solitons"
    labels = ", ".join(f"{line} {label}" for line, label in document["labels"].items())
    lines = [
        f"{report.name}: {spectrum.lines_over_20db} lines over 20 dB (paper: more than {PRINTED_LINES}), "
        f"{spectrum.span_nm:.0f} nm (paper: more than {PRINTED_SPAN_NM:.0f}), {document['usable_lines']} usable; the "
        f"loss to the amplifier, which sets these numbers, is {_mark(report.marks, 'amplifier.loss_db')}.",
        f"One soliton: {took}." if run.attempts else "One soliton in closed form; no access was simulated.",
        f"Detuning {run.zeta:.2f} half linewidths ({ring.offset_mhz(run.zeta):.0f} MHz) of at most {run.zeta_max:.1f}; "
        f"F^2 = {document['f2']:.1f}, threshold {1e3 * ring.power_scale_w:.0f} mW, comb "
        f"{1e3 * document['comb_power_w']:.2g} mW; half power over {run.fwhm_lines:.0f} lines in closed form.",
        f"Labels: {labels}.",
        f"{run.file.grid.spectrum_modes} and {run.file.grid.modes} modes differ by at most {run.grid_db:.2g} dB over "
        "the lines above 20 dB.",
    ]
    if not run.file.resolved:
        lines.append(
            f"{run.file.grid.modes} modes are less than two points to a soliton's width: where solitons breathe and "
            "vanish, and so the chance of an attempt, is the grid's."
        )
    return "\n".join([*lines, *mark_notes(report.marks)])


def mark_notes(marks: Mapping[str, Mark]) -> list[str]:
    """How many inputs have which mark, and the fitted ones by name."""
    counts = Counter(mark.kind for mark in marks.values())
    fitted = [f"{path} ({mark.note})" for path, mark in marks.items() if mark.kind == "fitted"]
    lines = ["Inputs: " + ", ".join(f"{number} {kind}" for kind, number in counts.most_common()) + "."]
    return [*lines, "Fitted: " + "; ".join(fitted) + "."] if fitted else lines


def _mark(marks: Mapping[str, Mark], path: str) -> str:
    return marks[path].kind if path in marks else "default"


def survey_table(rows: Sequence[SurveyRow]) -> "Table":
    """A row for each stop: shares without and with auxiliary laser."""
    from rich.table import Table

    table = Table(caption=f"of {rows[0].scans} scans each; stop: detuning of the cold ring")
    table.add_column("stop", justify="right", no_wrap=True)
    for laser in ("without auxiliary", "with auxiliary"):
        for header in (laser, "exactly one", "solitons", "chaos"):
            table.add_column(header, justify="right", no_wrap=True)
    by_stop = {stop: [row for row in rows if row.stop_zeta == stop] for stop in {row.stop_zeta: None for row in rows}}
    for stop, pair in by_stop.items():
        cells = [cell for row in sorted(pair, key=lambda row: row.auxiliary) for cell in _survey_cells(row)]
        table.add_row(significant(stop), *cells)
    return table


def survey_notes(file: CombFile, name: str, wall_s: float) -> str:
    """What stands below a survey."""
    ring, pump = file.ring, file.pump
    shifts, hold_us = " + ".join(f"{shift:g}" for shift in ring.heat_shift), HOLD_TIME * ring.tau_s * 1e6
    return (
        f"{name}: cooled at the recipe's pace, then held for {hold_us:.2g} us; a unit of the stop is "
        f"{1e3 * ring.kelvin_per_zeta:.1f} mK.\n"
        f"Auxiliary laser {1e3 * pump.aux_power_w:.0f} mW, {pump.aux_offset_mhz:.0f} MHz to the blue; heat "
        f"K = {shifts}. Whether a scan needs that laser depends on K (docs/comb.md).\nThe scans took {wall_s:.0f} s."
    )


def _survey_cells(row: SurveyRow) -> tuple[str, ...]:
    span = f"{row.fewest} to {row.most}" if row.with_solitons else ""
    share = f"{row.with_solitons}/{row.scans} ({100.0 * row.with_solitons / row.scans:.0f} %)"
    return share, f"{row.single}/{row.scans}", span, str(row.chaos)
