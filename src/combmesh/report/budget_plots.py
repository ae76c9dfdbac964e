"""A budget as bars, and all lines of a pair as in Fig. 3h, 4a and 4b."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from combmesh.report.budget_table import matters, words
from combmesh.report.numbers import significant
from combmesh.report.plots import save_figure
from combmesh.study.budget.anchors import (
    PRINTED_DIP,
    PRINTED_QBER_X,
    PRINTED_QBER_X_STD,
    PRINTED_QBER_Z,
    PRINTED_QBER_Z_STD,
    PRINTED_SKR_BPS,
)
from combmesh.study.budget.budget import DIP, Budget, Term, X, Z
from combmesh.study.budget.causes import CAUSES
from combmesh.study.budget.channels import Channel
from combmesh.study.budget.rates import CERTIFICATE, DOUBLE_SCAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DEVICE, _FITTED = "C0", "C1"
_LABEL_WIDTH = 44


def draw_budget(budget: Budget, path: Path | str, title: str) -> None:
    """Draw what each cause costs and would gain to a PNG, PDF or SVG file."""
    save_figure(lambda: _bars(budget, title), path)


def draw_channels(channels: Sequence[Channel], path: Path | str, title: str) -> None:
    """Draw visibility, QBERs and key rate over the lines to a PNG, PDF or SVG file."""
    save_figure(lambda: _lines(channels, title), path)


def _bars(budget: Budget, title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    terms = [term for term in budget.terms if matters(term, budget)][::-1]
    figure = Figure(figsize=(12.0, 1.9 + 0.36 * len(terms)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, parse_math=False)
    panels = figure.subplots(1, 4, sharey=True, gridspec_kw={"width_ratios": [1.0, 1.0, 1.0, 1.2]})
    heads = (
        (DIP, f"visibility: 50 − → {100 * budget.dip_visibility:.2f} %"),
        (Z, f"QBER Z: 0 + → {100 * budget.qber_z:.2f} %"),
        (X, f"QBER X: 25 + → {100 * budget.qber_x:.2f} %"),
    )
    for axes, (quantity, head) in zip(panels, heads, strict=False):
        _points(axes, terms, quantity, head.replace(" − →", " % to").replace(" + →", " % to"))
    _gains(panels[3], terms, budget)
    panels[0].set_yticks(range(len(terms)), [_folded(words(term)) for term in terms], fontsize=8, parse_math=False)
    handles = [Patch(color=_DEVICE, label="from devices"), Patch(color=_FITTED, label="fitted, no prediction")]
    handles += [Patch(color="C2", label="double scan"), Patch(color="C3", label="certificate (combmesh)")]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _points(axes: "Axes", terms: Sequence[Term], quantity: str, head: str) -> None:
    values = [100.0 * term.points[quantity] for term in terms]
    colours = [_FITTED if CAUSES[term.name].fitted else _DEVICE for term in terms]
    axes.barh(range(len(terms)), values, color=colours, height=0.7)
    room = max([*values, 1e-9])
    for place, value in enumerate(values):
        if value >= max(0.005 * room, 5e-4):
            axes.text(value + 0.02 * room, place, f"{value:.3f}", va="center", fontsize=7)
    axes.set_xlim(min(0.0, *values), 1.3 * room)
    axes.set_title(head, fontsize=9)
    axes.set_xlabel("percentage points")
    axes.grid(True, axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _gains(axes: "Axes", terms: Sequence[Term], budget: Budget) -> None:
    """Factor of the key rate if the cause were gone, planned anew; bit/s where there is no key now."""
    for method, shift, colour in ((DOUBLE_SCAN, 0.18, "C2"), (CERTIFICATE, -0.18, "C3")):
        now = budget.rates_bps[method]
        for place, term in enumerate(terms):
            if term.planned_bps is None:
                continue
            better = term.planned_bps[method]
            gain = 100.0 * (better / now - 1.0) if now > 0.0 else better
            axes.barh(place + shift, gain, color=colour, height=0.34)
            if gain >= 0.5:
                axes.text(gain, place + shift, f" {significant(better)}", va="center", fontsize=6.5)
    axes.set_xlim(left=0.0, right=1.18 * axes.get_xlim()[1])
    keyed = any(rate > 0.0 for rate in budget.rates_bps.values())
    rates = f"{significant(budget.rates_bps[DOUBLE_SCAN])} and {significant(budget.rates_bps[CERTIFICATE])}"
    axes.set_title(f"bit/s if it were perfect (now {rates})", fontsize=9)
    axes.set_xlabel("% more key, planned anew" if keyed else "bit/s")
    axes.grid(True, axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _folded(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, _LABEL_WIDTH))


def _lines(channels: Sequence[Channel], title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 9.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, parse_math=False)
    dip, z, x, rate = figure.subplots(4, 1, sharex=True)
    line = [one.line for one in channels]
    _share(dip, line, channels, ("counted_visibility", "dip_visibility"), "visibility, %", (PRINTED_DIP, 0.0))
    _share(z, line, channels, ("counted_qber_z", "qber_z"), "QBER Z, %", (PRINTED_QBER_Z, PRINTED_QBER_Z_STD))
    _share(x, line, channels, ("counted_qber_x", "qber_x"), "QBER X, %", (PRINTED_QBER_X, PRINTED_QBER_X_STD))
    for method, colour in ((DOUBLE_SCAN, "C2"), (CERTIFICATE, "C3")):
        rate.plot(
            line,
            [one.skr_bps[method] for one in channels],
            "o",
            color=colour,
            markersize=3,
            label=method.replace("-", " "),
        )
        rate.plot(line, [one.expected_bps[method] for one in channels], color=colour, linewidth=1.0)
    rate.axhline(PRINTED_SKR_BPS[0], color="0.4", linestyle="--", linewidth=1.0, label="paper, mean of 76 lines")
    rate.set_ylabel("key rate, bit/s")
    rate.set_ylim(bottom=0.0)
    rate.set_xlabel("comb line (n lies n lines to the red)")
    for axes in (dip, z, x):
        axes.margins(y=0.16)
    for axes in (dip, z, x, rate):
        axes.grid(True, color="0.92")
        axes.legend(fontsize=7.5, ncols=4, loc="best")
    return figure


def _share(
    axes: "Axes",
    line: list[int],
    channels: Sequence[Channel],
    fields: tuple[str, str],
    label: str,
    printed: tuple[float, float],
) -> None:
    counted, expected = ([100.0 * getattr(one, field) for one in channels] for field in fields)
    axes.plot(line, counted, "o", color="C0", markersize=3, label="one block's counts")
    axes.plot(line, expected, color="C1", linewidth=1.2, label="devices")
    mean, std = (100.0 * value for value in printed)
    axes.axhline(mean, color="0.4", linestyle="--", linewidth=1.0, label="paper, mean")
    if std:
        axes.axhspan(mean - std, mean + std, color="0.5", alpha=0.15, linewidth=0.0, label="paper, spread")
    axes.set_ylabel(label)
