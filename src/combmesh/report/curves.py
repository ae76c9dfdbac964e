"""Key rate over distance, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from combmesh.report.plots import save_figure
from combmesh.report.rate_table import RateRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = {
    "no-scan": ("no scan", "C7", "-"),
    "single-scan": ("single scan", "C1", "-"),
    "double-scan": ("double scan (published reference)", "C0", "-"),
    "certificate": ("certificate (combmesh), elementary proof", "C2", "-"),
    "certificate-renyi": ("certificate (combmesh), Rényi proof", "C2", "--"),
    "asymptotic": ("endless data and decoys", "0.35", ":"),
    "mode-pairing": ("mode pairing", "C3", "-"),
    "mode-pairing-asymptotic": ("mode pairing, endless data and decoys", "C3", ":"),
}
_LOWEST_BPS = 1e-2


def rate_curves(rows: Sequence[RateRow], path: Path | str, title: str) -> None:
    """Draw the rates of all methods and the repeaterless bound over distance to a PNG, PDF or SVG file."""
    save_figure(lambda: _figure(rows, title), path)


def _figure(rows: Sequence[RateRow], title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, parse_math=False)
    first = rows[0].method
    bound = [(row.distance_km or 0.0, row.repeaterless_bps) for row in rows if row.method == first]
    axes.plot(*zip(*bound, strict=True), color="0.6", linestyle="-.", label="repeaterless bound")
    highest = 1.0
    for method in reversed(dict.fromkeys(row.method for row in rows)):
        label, colour, line = _STYLES[method]
        points = [(row.distance_km or 0.0, row.skr_bps) for row in rows if row.method == method and row.skr_bps > 0]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=line, label=label)
            highest = max(highest, *(rate for _, rate in points))
    axes.set_yscale("log")
    axes.set_ylim(_LOWEST_BPS, 30 * highest)
    axes.set_xlabel("fibre from user to user, km")
    axes.set_ylabel("bit/s of light time")
    axes.grid(True, which="major", color="0.9")
    axes.legend(fontsize=8.5)
    return figure
