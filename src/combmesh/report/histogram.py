"""The coincidence histogram of two channels, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from combmesh.report.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Histogram(Protocol):
    """What is drawn: `(edge,)` edges in ps, `(bin,)` counts, and what chance gives."""

    @property
    def edges_ps(self) -> NDArray[np.int64]: ...
    @property
    def counts(self) -> NDArray[np.int64]: ...
    @property
    def accidentals(self) -> NDArray[np.float64]: ...


def draw_histogram(histogram: Histogram, path: Path | str, title: str, notes: Sequence[str] = ()) -> None:
    """Draw counts over the difference of time to a PNG, PDF or SVG file."""
    save_figure(lambda: _figure(histogram, title, notes), path)


def _figure(histogram: Histogram, title: str, notes: Sequence[str]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, parse_math=False)
    edges_ns = histogram.edges_ps * 1e-3
    style: dict[str, Any] = {"fill": True, "color": "C0", "linewidth": 0.6}
    axes.stairs(histogram.counts, edges_ns, label="pairs", **style)
    middles_ns = 0.5 * (edges_ns[1:] + edges_ns[:-1])
    axes.plot(middles_ns, histogram.accidentals, color="C3", linestyle="--", label="by chance, at steady rates")
    axes.set_xlim(edges_ns[0], edges_ns[-1])
    axes.set_ylim(0, 1.3 * max(int(histogram.counts.max()), 1))
    axes.set_xlabel("difference of time, ns")
    bin_ps = int(histogram.edges_ps[1] - histogram.edges_ps[0])
    axes.set_ylabel(f"pairs in {bin_ps} ps")
    for i, note in enumerate(notes):
        axes.text(0.015, 0.95 - 0.06 * i, note, transform=axes.transAxes, va="top", parse_math=False)
    axes.legend(loc="upper right", fontsize=8.5)
    return figure
