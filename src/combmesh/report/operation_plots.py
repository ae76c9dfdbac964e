"""A link over hours as in Fig. 4c and 4d: key rate and QBERs of each block, fibre beside equivalent loss."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from combmesh.report.plots import save_figure
from combmesh.study.budget.anchors import H28, PRINTED_QBER_X, PRINTED_QBER_Z
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN
from combmesh.study.operation.anchors import PRINTED_MEAN_BPS
from combmesh.study.operation.blocks import EQUIVALENT, FIBRE, Block, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {FIBRE: "C3", EQUIVALENT: "C0"}
_MARKERS = {FIBRE: "o", EQUIVALENT: "s"}
_SHIFT = 0.012
"""Of the cases' points from the middle of their block, as a share of the record, so that both can be seen."""

_TRACE_POINTS = 600
_LEAST_RANGE = 0.6
"""Of a QBER's axis, percentage points."""


def draw_operation(records: Sequence[Record], path: Path | str, title: str) -> None:
    """Draw key rate, QBERs and what the controls leave over time to a PNG, PDF or SVG file."""
    save_figure(lambda: _figure(records, title), path)


def _figure(records: Sequence[Record], title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 10.0), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, parse_math=False)
    rate, z, x, wrong, delay = figure.subplots(5, 1, sharex=True, gridspec_kw={"height_ratios": [1.5, 1, 1, 0.8, 0.8]})
    for record in records:
        _rates(rate, record)
        _qbers(z, record, lambda b: (b.counted_qber_z, b.qber_z, b.counting_std_z))
        _qbers(x, record, lambda b: (b.counted_qber_x, b.qber_x, b.counting_std_x))
        _traces(wrong, delay, record)
    held = all(record.controlled for record in records)
    for axes, printed, label in ((z, PRINTED_QBER_Z, "QBER Z, %"), (x, PRINTED_QBER_X, "QBER X, %")):
        axes.set_ylabel(label)
        if held:
            axes.axhline(100.0 * printed, color="0.4", linestyle="--", linewidth=1.0, label="paper, mean of 76 lines")
        _widen(axes)
    if held and all(record.line == H28 for record in records):
        rate.axhline(PRINTED_MEAN_BPS, color="0.4", linestyle="--", linewidth=1.0, label="paper, mean of H28")
    rate.set_ylabel("key rate, bit/s")
    top = max(max(block.skr_bps.values()) for record in records for block in record.blocks)
    rate.set_ylim(0.0, 1.3 * top if top > 0.0 else 1.0)
    wrong.set_ylabel("wrong light, %")
    delay.set_ylabel("arrivals apart, ps")
    delay.set_xlabel("time, h")
    for axes in (rate, z, x, wrong, delay):
        axes.grid(True, color="0.92")
        axes.set_axisbelow(True)
    figure.align_ylabels()
    rate.legend(fontsize=7.5, ncols=3, loc="upper left")
    z.legend(fontsize=7.5, ncols=3, loc="upper left")
    wrong.legend(fontsize=7.5, ncols=2, loc="upper left")
    wrong.set_ylim(0.0, 1.3 * wrong.get_ylim()[1])
    return figure


def _widen(axes: "Axes") -> None:
    """Room for the legend above, and no less than `_LEAST_RANGE` in all: small scatter is to look small."""
    low, high = axes.get_ylim()
    more = max(0.0, _LEAST_RANGE - (high - low))
    low, high = low - 0.5 * more, high + 0.5 * more
    axes.set_ylim(max(low, 0.0), high + 0.45 * (high - low))


def _hours(record: Record) -> list[float]:
    """Middles of the blocks, the cases a little apart."""
    side = -1.0 if record.case == FIBRE else 1.0
    shift_h = side * _SHIFT * len(record.blocks) * record.block_s / 3600.0 / 2.0
    return [(block.begin_s + 0.5 * record.block_s) / 3600.0 + shift_h for block in record.blocks]


def _rates(axes: "Axes", record: Record) -> None:
    for method, filled in ((DOUBLE_SCAN, True), (CERTIFICATE, False)):
        axes.plot(
            _hours(record),
            [block.skr_bps[method] for block in record.blocks],
            _MARKERS[record.case],
            color=_COLOURS[record.case],
            markersize=5,
            markerfacecolor=_COLOURS[record.case] if filled else "white",
            linestyle="-" if filled else ":",
            linewidth=0.9,
            label=f"{record.case}, {method.replace('-', ' ')}{'' if filled else ' (combmesh)'}",
        )


def _qbers(axes: "Axes", record: Record, values: Callable[[Block], tuple[float, float, float]]) -> None:
    """Counts with their standard deviation, and the expected value as a step."""
    counted, expected, std = (100.0 * np.array(column) for column in zip(*map(values, record.blocks), strict=True))
    colour = _COLOURS[record.case]
    hours = _hours(record)
    axes.errorbar(
        hours,
        counted,
        std,
        fmt=_MARKERS[record.case],
        color=colour,
        markersize=4,
        linewidth=0.9,
        capsize=2,
        label=f"{record.case}, counted",
    )
    edges = [record.block_s * k / 3600.0 for k in range(len(record.blocks) + 1)]
    axes.stairs(expected, edges, baseline=None, color=colour, linewidth=1.0, label=f"{record.case}, expected")


def _traces(wrong: "Axes", delay: "Axes", record: Record) -> None:
    """Means of stretches, both users together for the polarization."""
    traces, colour = record.traces, _COLOURS[record.case]
    hours = traces.time_s / 3600.0
    error = 50.0 * (traces.error_z + traces.error_x).mean(axis=1)
    between_ps = traces.delay_ps[:, 0] - traces.delay_ps[:, 1]
    every = max(1, hours.size // _TRACE_POINTS)
    whole = hours.size // every * every
    smooth = error[:whole].reshape(-1, every).mean(axis=1)
    middle = hours[:whole].reshape(-1, every).mean(axis=1)
    wrong.plot(middle, smooth, color=colour, linewidth=0.9, label=f"{record.case}, mean of both bases and users")
    delay.plot(hours[::every], between_ps[::every], color=colour, linewidth=0.6, alpha=0.8)
