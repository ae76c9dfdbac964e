"""`combmesh tags FILE`: what a file of time tags holds, in whatever format."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from combmesh.link.timetags.coincidence import CoincidenceHistogram, PulsedG2
    from combmesh.link.timetags.tags import TimeTags

PERIOD_PPM = 2000.0
"""How far a pulsed laser may be from its nominal rate."""


def tags(
    file: Annotated[Path, typer.Argument(help="File of time tags: PTU, quTAG, S-Fifteen a0/a1/a2, CSV or HDF5.")],
    format: Annotated[str | None, typer.Option("--format", help="Its format, if it cannot be told.")] = None,
    step_ps: Annotated[float | None, typer.Option("--step-ps", help="Clock step, for files that hide it.")] = None,
    pair: Annotated[
        str | None, typer.Option("--pair", help="Two channels A,B for the histogram; the two busiest if not given.")
    ] = None,
    range_ps: Annotated[int, typer.Option("--range-ps", min=1, help="Farthest difference, ps.")] = 50_000,
    bin_ps: Annotated[int, typer.Option("--bin-ps", min=1, help="Width of a bin, ps.")] = 50,
    period_ps: Annotated[
        float | None, typer.Option("--period-ps", help="Period of pulsed light: gives g2(0) from the peaks.")
    ] = None,
    window_ps: Annotated[
        float | None, typer.Option("--window-ps", help="Width about each peak; half a period if not given.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the histogram (PNG, PDF, SVG).")] = None,
    export: Annotated[Path | None, typer.Option("--export", help="Write the clicks again, as HDF5 or --to.")] = None,
    to: Annotated[str, typer.Option("--to", help="Format to export: hdf5, ptu, csv, a0, a1, a2.")] = "hdf5",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Counts and rates of each channel, and the coincidence histogram of two of them."""
    from combmesh.ground.errors import InputError
    from combmesh.link.timetags.coincidence import coincidence_histogram, pulsed_g2
    from combmesh.link.timetags.reading import read_tags
    from combmesh.link.timetags.writing import write_tags
    from combmesh.report.export import json_text

    for target in (plot, export):
        check_target(target)
    found = read_tags(file, format, step_ps)
    channels = _pair(found, pair)
    if channels is None and (plot is not None or period_ps is not None):
        raise InputError(f"`{file}` has clicks on {len(found.events)} channels; a histogram needs two: `--pair A,B`.")
    histogram = None if channels is None else coincidence_histogram(found, *channels, range_ps, bin_ps)
    g2 = None
    if histogram is not None and period_ps is not None:
        period_ps = _true_period(found, period_ps)
        g2 = pulsed_g2(histogram, period_ps, window_ps=0.5 * period_ps if window_ps is None else window_ps)
    if plot is not None and histogram is not None:
        from combmesh.report.histogram import draw_histogram

        a, b = histogram.channels
        notes = [] if g2 is None else [f"g2(0) = {g2.g2:.3g} at {g2.centre_ps * 1e-3:.3f} ns"]
        draw_histogram(histogram, plot, f"{file.name}: channels {a} and {b}", notes)
    if export is not None:
        write_tags(export, found, to)
    document = _document(found, histogram, g2, period_ps)
    if as_json:
        typer.echo(json_text(document))
    else:
        _print(document, file)


def check_target(path: Path | None) -> None:
    """Refuse at once a file that could not be written at the end."""
    from combmesh.ground.errors import InputError

    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        reason = "it is a folder" if path.is_dir() else f"there is no folder `{path.parent}`"
        raise InputError(f"`{path}` cannot be written: {reason}.")


def _pair(found: "TimeTags", text: str | None) -> tuple[int, int] | None:
    from combmesh.ground.errors import InputError

    events = found.events
    if text is None:
        busiest = sorted(sorted(events, key=lambda channel: -events[channel])[:2])
        return (busiest[0], busiest[1]) if len(busiest) == 2 else None
    try:
        a, b = (int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"`--pair` must be two channels, such as 0,1, but is {text!r}.") from None
    for channel in (a, b):
        if channel not in events:
            raise InputError(f"`--pair` names channel {channel}, but only {sorted(events)} have clicks.")
    return a, b


def _true_period(found: "TimeTags", nominal_ps: float) -> float:
    """The period that the clicks show, or the nominal one if they show none: lasers are off by a thousandth."""
    from combmesh.ground.errors import InputError
    from combmesh.link.timetags.clock import recover_clock

    try:
        return recover_clock(found, nominal_ps, max_offset_ppm=PERIOD_PPM).period_ps
    except InputError:
        return nominal_ps


def _document(
    found: "TimeTags", histogram: "CoincidenceHistogram | None", g2: "PulsedG2 | None", period_ps: float | None
) -> dict[str, Any]:
    clicks = {str(channel): count for channel, count in found.events.items()}
    duration = found.duration_s
    document: dict[str, Any] = {
        "format": found.origin,
        "events": found.about.get("events", clicks),
        "clicks": clicks,
        "duration_s": duration,
        "rates_hz": {channel: count / duration if duration > 0 else None for channel, count in clicks.items()},
        "resolution_ps": found.resolution_ps,
        "about": {key: value for key, value in found.about.items() if isinstance(value, (int, float, str))},
    }
    if histogram is not None:
        document["histogram"] = {
            "channels": list(histogram.channels),
            "first_edge_ps": int(histogram.edges_ps[0]),
            "bin_ps": histogram.bin_ps,
            "counts": histogram.counts.tolist(),
            "accidentals_per_bin": float(histogram.accidentals.mean()),
        }
    if g2 is not None:
        document["g2"] = {
            "g2": g2.g2,
            "period_ps": period_ps,
            "error": g2.error,
            "centre_ps": g2.centre_ps,
            "centre_count": g2.centre_count,
            "side_mean": g2.side_mean,
            "side_peaks": len(g2.side_counts),
        }
    return document


def _print(document: dict[str, Any], file: Path) -> None:
    from rich.console import Console

    from combmesh.report.tag_table import channel_table, tag_notes

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(channel_table(document))
    console.print(tag_notes(document, file.name), highlight=False, markup=False)
