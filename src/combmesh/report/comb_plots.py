"""A comb's spectrum and the way to it, as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from combmesh.device.demux import itu_label
from combmesh.device.microcomb.spectrum import USABLE_SNR_DB
from combmesh.report.comb_report import ANCHORS, CombReport, LineRow
from combmesh.report.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"usable": "C0", "over 20 dB, no port": "C1", "SNR below 20 dB": "0.65"}
_LOWEST_SNR_DB = 8.0
"""Weaker lines are not drawn."""
_MOST_LABELS = 12
_ASIDE = {15: 4, 19: -4}
"""Points by which the names of close lines stand aside."""


def draw_comb(report: CombReport, path: Path | str) -> None:
    """Draw line powers, SNR, and the power over the scan to a PNG, PDF or SVG file."""
    save_figure(lambda: _figure(report), path)


def _figure(report: CombReport) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    run, rows = report.run, [row for row in report.rows() if row.snr_db > _LOWEST_SNR_DB or row.port is not None]
    figure = Figure(figsize=(9.0, 9.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 1, height_ratios=[1.5, 1.0, 1.3, 0.8])
    spectrum = run.spectrum
    figure.suptitle(
        f"{report.name}: {spectrum.lines_over_20db} lines over 20 dB, {spectrum.span_nm:.0f} nm, simulated, "
        f"seed {run.seed}",
        fontsize=11,
        parse_math=False,
    )
    top = figure.add_subplot(grid[0])
    _powers(top, rows)
    _itu_axis(top)
    below = figure.add_subplot(grid[1], sharex=top)
    _ratios(below, rows)
    top.tick_params(labelbottom=False)
    light = figure.add_subplot(grid[2])
    heat = figure.add_subplot(grid[3], sharex=light)
    _scan(light, heat, report)
    light.tick_params(labelbottom=False)
    return figure


def _kinds(rows: list[LineRow]) -> dict[str, list[LineRow]]:
    """Lines by what is drawn of them."""
    usable, strong, weak = _COLOURS
    kinds: dict[str, list[LineRow]] = {usable: [], strong: [], weak: []}
    for row in rows:
        kinds[usable if row.usable else strong if row.snr_db > USABLE_SNR_DB else weak].append(row)
    return kinds


def _powers(axes: "Axes", rows: list[LineRow]) -> None:
    others = [row.power_dbm for row in rows if row.line]
    low, high = min(others) - 4.0, max(others) + 12.0
    for name, some in _kinds(rows).items():
        if some:
            thz, dbm = [row.frequency_thz for row in some], [min(row.power_dbm, high) for row in some]
            axes.vlines(thz, low, dbm, color=_COLOURS[name], linewidth=0.7, label=f"{name} ({len(some)})")
    for row in rows:
        if row.line in ANCHORS:
            _named(axes, row, high)
    axes.set_ylim(low, high)
    axes.set_ylabel("power in the bus, dBm")
    axes.legend(loc="upper right", fontsize=8)
    axes.margins(x=0.01)


def _named(axes: "Axes", row: LineRow, high: float) -> None:
    """The paper's name of a line, and its label; beside the pump line, which is off the scale, its power."""
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "parse_math": False}
    if row.line == 0:
        words = f"pump line, {row.itu_label}, {row.power_dbm:.1f} dBm"
        axes.annotate(words, (row.frequency_thz, high - 1.5), xytext=(4, 0), va="center", **style)
        return
    aside = (_ASIDE.get(row.line, 0), 3)
    words = f"CH{row.line:+d} {row.itu_label}"
    axes.annotate(
        words, (row.frequency_thz, row.power_dbm), xytext=aside, ha="center", va="bottom", rotation=90, **style
    )


def _ratios(axes: "Axes", rows: list[LineRow]) -> None:
    others = [row for row in rows if row.line]  # the pump line is far off the scale
    for name, some in _kinds(others).items():
        thz, snr_db = [row.frequency_thz for row in some], [row.snr_db for row in some]
        axes.plot(thz, snr_db, ".", color=_COLOURS[name], markersize=3)
    axes.axhline(USABLE_SNR_DB, color="0.4", linewidth=0.8, linestyle="--")
    axes.set_ylim(min(row.snr_db for row in others) - 1.0, max(row.snr_db for row in others) + 1.5)
    axes.set_ylabel("SNR, dB")
    axes.set_xlabel("frequency, THz")
    axes.grid(True, color="0.92")


def _itu_axis(axes: "Axes") -> None:
    """Labels of the grid along the top: each tick stands at its bin's centre."""
    low, high = axes.get_xlim()
    step = next(step for step in (0.5, 1.0, 2.0, 5.0, 10.0, 50.0) if (high - low) / step <= _MOST_LABELS)
    thz = np.arange(np.ceil(low / step) * step, high, step)
    top = axes.secondary_xaxis("top")
    top.set_xticks(thz, [itu_label(float(value)) for value in thz])
    top.set_xlabel("ITU label")


def _scan(light: "Axes", heat: "Axes", report: CombReport) -> None:
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    run = report.run
    attempt, ring = run.attempt, run.file.ring
    us = attempt.time * ring.tau_s * 1e6
    light.semilogy(us, attempt.trace.power, color="C0", linewidth=0.7)
    light.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    light.yaxis.set_major_formatter(ScalarFormatter())
    light.yaxis.set_minor_locator(NullLocator())
    light.set_ylabel("mean $|\\psi|^2$ in the ring", color="C0")
    _solitons(light, report)
    kelvin = -(attempt.trace.zeta_laser - run.file.recipe.start) * ring.kelvin_per_zeta
    heat.plot(us, kelvin, color="C3", linewidth=1.0)
    heat.set_ylabel("ring, K", color="C3")
    heat.set_xlabel("light time, us")
    heat.set_xlim(0.0, float(us[-1]))
    felt = heat.twinx()
    felt.plot(us, attempt.trace.zeta, color="0.35", linewidth=0.7)
    felt.set_ylabel("detuning felt, $\\zeta$", color="0.35")
    heat.grid(True, color="0.92")


def _solitons(axes: "Axes", report: CombReport) -> None:
    attempt, tau_us = report.run.attempt, report.run.file.ring.tau_s * 1e6
    if report.run.attempts == 0:
        axes.set_title("ramp of the closed-form soliton; no access", fontsize=9, loc="left")
        return
    count = axes.twinx()
    times = [time * tau_us for time in (*attempt.loss_time, float(attempt.time[-1]))]
    count.step(times, [*attempt.losses, attempt.losses[-1]], where="post", color="C1", linewidth=1.2)
    count.set_ylabel("solitons", color="C1")
    count.set_ylim(bottom=0.0)
    axes.set_title(
        f"access, attempt {report.run.attempts}: cool, warm, then the backward ratchet, one soliton after the other",
        fontsize=9,
        loc="left",
    )
