"""What two locks gave, beside what the paper prints, as text."""

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from combmesh.device.locks.pair import Claim
from combmesh.device.locks.survival import PRINTED_RANGE_K
from combmesh.device.locks.three_hours import Verdict
from combmesh.report.lock_report import PRINTED_HOURS, Injected, LockFigure, LockReport, LockWatch, line_name
from combmesh.report.numbers import NO_VALUE, fixed, significant

if TYPE_CHECKING:
    from rich.table import Table

MOST_EVENTS = 5


def lock_table(report: LockReport) -> "Table":
    """A line for each printed number: this record, all records, printed, deviation, and what it is."""
    from rich.table import Table

    seeds = len(report.found)
    table = Table(caption=_caption(report))
    table.add_column("", no_wrap=True)
    mean = f"mean of {seeds}" if seeds > 1 else "mean"
    for header in (f"seed {report.seed}", mean, "spread", "printed", "deviation"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure in [*report.figures, *report.survival]:
        kind = f"{figure.kind}, not met" if figure.unmet else figure.kind
        table.add_row(f"{figure.name}, {figure.unit}", *_cells(figure), kind)
    return table


def beat_table(report: LockReport) -> "Table":
    """Beat notes of the record that is shown: mean, standard deviation and Allan deviation, kHz."""
    from rich.table import Table

    gate = f"{report.pair.period_s:g} s"
    table = Table(caption=f"beats of {' and '.join(report.pair.names)} in kHz, seed {report.seed}, gate {gate}")
    times = report.beats[0].allan_times_s
    for header in ("line", "mean", "std", *(f"Allan {time:g} s" for time in times)):
        table.add_column(header, justify="left" if header == "line" else "right", no_wrap=True)
    for note in report.beats:
        values = (note.mean_hz, note.std_hz, *note.allan_hz)
        table.add_row(line_name(note.line), *(fixed(1e-3 * value, 1) for value in values))
    return table


def verdict_table(verdicts: Sequence[Verdict], seeds: int) -> "Table":
    """A line for each disturbance, its size fitted to the printed spread: what it predicts, and whether it may be."""
    from rich.table import Table

    caption = f"disturbances of the spacing, each fitted to the printed std; {seeds} records of one terminal"
    table = Table(caption=caption)
    table.add_column("", no_wrap=True)
    for header in ("std, Hz", "peak to peak, Hz", "range, mK", "below 150 mK"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for verdict in verdicts:
        table.add_row(
            verdict.name,
            f"{verdict.std_hz:.0f}",
            f"{verdict.peak_to_peak_hz:,.0f} +- {verdict.peak_to_peak_spread_hz:.0f}",
            f"{verdict.range_mk:.1f} +- {verdict.range_spread_mk:.1f}",
            f"{100 * verdict.range_share:.0f} %",
            _judged(verdict),
        )
    return table


def _judged(verdict: Verdict) -> str:
    against = [
        name
        for name, allowed in (
            ("peak to peak", verdict.peak_to_peak_allowed),
            ("tuning range", verdict.range_allowed),
        )
        if not allowed
    ]
    return f"excluded by {' and '.join(against)}" if against else "allowed"


def lock_notes(report: LockReport) -> str:
    """What stands below the tables."""
    lines = [
        *_unmet(report.figures),
        _losses(report),
        *(_events(report.watches) if report.closed else []),
        *(_detuning(report) if report.closed else []),
        *_points(report),
        *_claim(report.claim),
    ]
    if report.injected is not None:
        lines += _injection(report.injected)
    return "\n".join([*lines, _marks(report), f"{report.wall_s:.1f} s."])


def _caption(report: LockReport) -> str:
    record = report.pair.record
    loops = "" if report.closed else ", LOOPS OFF"
    other = "" if record.hours == PRINTED_HOURS else f"; printed values are those of {PRINTED_HOURS:g} h"
    return f"simulated, {record.hours:g} h, spacing counted with a gate of {record.gate_s:g} s{loops}{other}"


def _cells(figure: LockFigure) -> list[str]:
    printed = NO_VALUE if figure.printed is None else f"{'< ' if figure.bound else ''}{significant(figure.printed)}"
    away = NO_VALUE if figure.deviation is None else f"{100.0 * figure.deviation:+.1f} %"
    if figure.share_below is not None:
        away = f"below in {100.0 * figure.share_below:.0f} %"
    spread = NO_VALUE if figure.spread is None else significant(figure.spread)
    return [significant(figure.record), significant(figure.mean), spread, printed, away]


def _unmet(figures: Sequence[LockFigure]) -> list[str]:
    """Where a fit no longer holds, what would make it hold: a loop that does not saturate is linear."""
    return [
        f"`{figure.name}` is marked as fitted to {figure.printed:g} {figure.unit}, but the fit was made for other "
        f"settings: its noise times {figure.printed / figure.mean:.3g} would meet it."
        for figure in figures
        if figure.unmet and figure.printed is not None
    ]


def _losses(report: LockReport) -> str:
    if not report.closed:
        return "The loops are off: seed and spacing drift, and nothing is reacquired."
    seeds = len(report.found)
    records = "this record" if seeds == 1 else f"{seeds} records"
    return f"{report.losses} locks were lost in {records}." if report.losses else f"No lock was lost in {records}."


def _events(watches: Sequence[LockWatch]) -> list[str]:
    lines = []
    for watch in watches:
        if not watch.events:
            continue
        shown = "; ".join(
            f"lost at {event.lost_s:,.0f} s, "
            + (f"back at {event.relocked_s:,.0f} s" if isfinite(event.relocked_s) else "not reacquired")
            for event in watch.events[:MOST_EVENTS]
        )
        more = f"; and {len(watch.events) - MOST_EVENTS} times more" if len(watch.events) > MOST_EVENTS else ""
        lines.append(f"{watch.terminal}, {watch.lock}: {shown}{more}; locked for {100 * watch.locked_share:.1f} %.")
    return lines


def _detuning(report: LockReport) -> list[str]:
    """What the temperature that compensates does to the soliton."""
    span, moved = significant(report.figures[2].mean), report.detuning_linewidths
    text = f"A tuning range of {span} mK moves the pumped resonance by {moved:.1f} linewidths"
    felt = report.felt[0]
    if felt is None or not all(map(isfinite, felt)):
        return [f"{text}."]
    low, high = (f"{value:.3g}" for value in felt)
    return [f"{text}; in this record {report.pair.names[0]}'s soliton feels a detuning of {low} to {high}."]


def _points(report: LockReport) -> list[str]:
    """Where the combs work, once if they are alike, and which assumption stands behind it."""
    lines: dict[str, list[str]] = {}
    for i, name in enumerate(report.pair.names):
        lines.setdefault(_point(report, i), []).append(name)
    found = [f"{' and '.join(names)}: {text}" for text, names in lines.items()]
    if not all(report.typed_in):
        found.append("Assumed: heat moves the spacing as it moves the resonance.")
    if report.aux_fitted:
        found.append(
            f"The auxiliary laser's power is fitted to the survival over {PRINTED_RANGE_K:g} K, which is no prediction."
        )
    return found


def _point(report: LockReport, i: int) -> str:
    point, ring, typed = report.points[i], report.pair.terminals[i].rep_rate.ring, report.typed_in[i]
    limits = f"the soliton survives {-ring.coldest_k:.2f} K colder and {ring.warmest_k:.2f} K warmer"
    slope = f"{1e-3 * ring.slope_hz_k:.0f} kHz/K"
    where = f"cold detuning {point.zeta_laser:.4g}, of which the soliton feels {point.zeta:.3g}"
    if typed:
        return f"{where}; typed in, not derived: {', '.join(typed)}; {slope} along a line, {limits}."
    turn = ""
    if isfinite(point.turn_k):
        side = "colder" if point.turn_k < 0.0 else "warmer"
        turn = f"; from {abs(point.turn_k):.2f} K {side} on the slope has the other sign"
    return (
        f"{where} ({point.lines:.0f} lines between half powers); {slope}, {100 * point.handle:.0f} % of the ring's "
        f"own; {limits}{turn}."
    )


def _claim(claim: Claim | str) -> list[str]:
    if isinstance(claim, str):
        return [f"Whether lines differ was not tested: {claim}."]
    apart, together = claim.apart, claim.together
    verdict = "a significant difference" if apart.significant() else "no significant difference"
    lines = [
        f"Lines recorded one after the other: {verdict} (p = {apart.p_spread:.2g} of the spreads, {apart.p_mean:.2g} "
        f"of the means; blocks of {claim.block_s:g} s)."
    ]
    same = f"The same record's lines: p = {together.p_spread:.2g} of the spreads, {together.p_mean:.2g} of the means"
    shared = "; they share the seeds' noise, so that the little which the spacing adds shows"
    return [*lines, f"{same}{shared if together.significant() else ''}."]


def _injection(injected: Injected) -> list[str]:
    cost = injected.costs[0]
    reach = f"+-{1e-3 * cost.range_hz:.3g} kHz ({1e3 * cost.range_k:.3g} mK)"
    return [
        f"Microwave injection instead: {100 * injected.held_records:.0f} % of the records are held throughout, "
        f"{100 * injected.mean('held_share'):.1f} % of the time; the free spacing goes "
        f"{injected.mean('free_khz'):.3g} kHz away, the lock reaches {reach}.",
        f"Spacing under injection: std {significant(injected.mean('std_hz'))} Hz, peak to peak "
        f"{significant(injected.mean('peak_to_peak_hz'))} Hz, slips included.",
        f"Its cost: {100 * cost.sideband_share:.0f} % of the light is in side bands, which lift the background of "
        f"lines 1 and -1 to {cost.background_db:+.1f} dB of that at the pump; the tuning range above would take a "
        f"depth of {injected.depth_rad:.2g} rad.",
    ]


def _marks(report: LockReport) -> str:
    kinds = Counter(mark.kind for mark in report.marks.values())
    counted = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return f"Inputs: {counted}; `--json` shows each."
