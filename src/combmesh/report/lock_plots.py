"""Traces and histograms of two locked terminals, after Fig. 2c to 2h of the paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks.repetition import gated
from combmesh.report.lock_report import PRINTED_HOURS, LockReport, line_name
from combmesh.report.numbers import significant
from combmesh.report.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

MOST_LINES = 6
ENLARGED_GATES = 120
COLOURS = ("C0", "C1")
_LINE_COLOURS = ("0.25", "C3", "C2", "C4", "C5", "C6")

Trace = NDArray[np.float64]


class Curve(NamedTuple):
    """One trace of a panel."""

    label: str
    time_s: Trace
    values: Trace
    colour: str


def draw_locks(report: LockReport, path: Path | str) -> None:
    """Draw spacing, beats and temperature, their histograms and Allan deviations to a PNG, PDF or SVG file."""
    save_figure(lambda: _figure(report), path)


def _figure(report: LockReport) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    beats = _beats(report)
    figure = Figure(figsize=(9.2, 6.2 + 0.95 * len(beats)), layout="constrained")
    FigureCanvasAgg(figure)
    heights = [1.5, *[0.95] * len(beats), 1.5, 1.8]
    grid = figure.add_gridspec(len(heights), 2, width_ratios=[3.4, 1.0], height_ratios=heights)
    figure.suptitle(_title(report), fontsize=11, parse_math=False)
    first = _panel(figure.add_subplot(grid[0, 0]), grid, 0, "cd", "spacing error, Hz", _spacings(report))
    for row, curve in enumerate(beats, start=1):
        left = figure.add_subplot(grid[row, 0], sharex=first)
        _panel(left, grid, row, "ef" if row == 1 else "", f"{curve.label}, kHz", [curve])
    last = 1 + len(beats)
    left = figure.add_subplot(grid[last, 0], sharex=first)
    _panel(left, grid, last, "gh", "temperature, mK", _temperatures(report))
    left.tick_params(labelbottom=True)
    left.set_xlabel("time, h")
    _enlarged(figure.add_subplot(grid[last + 1, 0]), beats)
    _allan(figure.add_subplot(grid[last + 1, 1]), report)
    return figure


def _title(report: LockReport) -> str:
    loops = "" if report.closed else ", loops off"
    hours = report.pair.record.hours
    paper = "Fig. 2c to 2h" if hours == PRINTED_HOURS else f"as Fig. 2c to 2h, but {hours:g} h"
    return f"{' and '.join(report.pair.names)}{loops}: {paper}, simulated, seed {report.seed}"


def _spacings(report: LockReport) -> list[Curve]:
    gate_s, period_s = report.pair.record.gate_s, report.pair.period_s
    curves = []
    for name, trace, colour in zip(report.pair.names, report.traces, COLOURS, strict=True):
        values = gated(trace.rep_rate_hz, period_s, gate_s)
        curves.append(Curve(name, gate_s * np.arange(1.0, values.size + 1), values, colour))
    return curves


def _beats(report: LockReport) -> list[Curve]:
    time_s = report.traces[0].time_s
    shown = zip(report.beats[:MOST_LINES], _LINE_COLOURS, strict=False)
    return [Curve(line_name(note.line), time_s, 1e-3 * note.trace_hz, colour) for note, colour in shown]


def _temperatures(report: LockReport) -> list[Curve]:
    rows = zip(report.pair.names, report.traces, COLOURS, strict=True)
    return [Curve(name, trace.time_s, 1e3 * trace.temperature_k, colour) for name, trace, colour in rows]


def _panel(left: "Axes", grid: "GridSpec", row: int, letters: str, label: str, curves: Sequence[Curve]) -> "Axes":
    """A trace and, on the same scale beside it, its histogram."""
    right = left.figure.add_subplot(grid[row, 1], sharey=left)
    for curve in curves:
        left.plot(curve.time_s / 3600.0, curve.values, color=curve.colour, linewidth=0.5, label=curve.label)
        counts, edges = np.histogram(_seen(curve), 40)
        style: dict[str, Any] = {"orientation": "horizontal", "color": curve.colour}
        right.stairs(counts, edges, fill=True, alpha=0.4, **style)
        right.stairs(counts, edges, linewidth=0.8, **style)
    left.set_xlim(0.0, float(curves[0].time_s[-1]) / 3600.0)
    left.set_ylabel(label, parse_math=False)
    low, high = (function([function(_seen(curve)) for curve in curves]) for function in (np.min, np.max))
    room = float(high - low) or 1.0
    left.set_ylim(low - 0.06 * room, high + (0.3 if len(curves) > 1 else 0.06) * room)
    left.tick_params(labelbottom=False)
    right.tick_params(labelleft=False, labelbottom=False, bottom=False)
    for axes, letter in ((left, letters[:1]), (right, letters[1:])):
        axes.set_title(letter, loc="left", fontsize=9, weight="bold", pad=3)
    notes = [_note(curve, len(curves) > 1) for curve in curves]
    right.set_title("\n".join(notes), loc="right", fontsize=7, pad=3, parse_math=False)
    if len(curves) > 1:
        legend = left.legend(loc="upper right", ncols=2, fontsize=8)
        for handle in legend.get_lines():
            handle.set_linewidth(1.5)
    return left


def _seen(curve: Curve) -> Trace:
    seen: Trace = curve.values[np.isfinite(curve.values)]
    return seen


def _note(curve: Curve, named: bool) -> str:
    seen = _seen(curve)
    name = f"{curve.label}: " if named else ""
    return f"{name}std {significant(float(seen.std()))}, p-p {significant(float(np.ptp(seen)))}"


def _enlarged(axes: "Axes", curves: Sequence[Curve]) -> None:
    """Two minutes from the middle of the record: concurrent beats follow one another."""
    begin = max(0, curves[0].values.size // 2 - ENLARGED_GATES // 2)
    part = slice(begin, begin + ENLARGED_GATES)
    for curve in curves:
        axes.plot(curve.time_s[part], curve.values[part], color=curve.colour, linewidth=1.0, label=curve.label)
    axes.set_xlim(float(curves[0].time_s[part][0]), float(curves[0].time_s[part][-1]))
    axes.set_xlabel("time, s")
    axes.set_ylabel("beats, kHz")
    axes.margins(y=0.25)
    axes.set_title("beats, enlarged", fontsize=8, loc="left", pad=3)
    axes.legend(loc="upper right", ncols=len(curves))


def _allan(axes: "Axes", report: LockReport) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    for note, colour in zip(report.beats[:MOST_LINES], _LINE_COLOURS, strict=False):
        axes.loglog(note.allan_times_s, 1e-3 * note.allan_hz, "o-", color=colour, markersize=3, linewidth=1.0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.tick_right()
    axes.set_title("Allan deviation, kHz", fontsize=8, loc="right", pad=3)
    axes.set_xlabel("averaging time, s")
    axes.grid(True, which="major", color="0.9")
