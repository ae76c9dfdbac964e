"""`combmesh comb RING`: from a cold ring to the lines of one soliton, or what forward scans end in."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.device.comb_file import CombFile
    from combmesh.device.microcomb.survey import SurveyRow
    from combmesh.report.comb_report import CombReport

STOPS = "16,18,20,24,28,33,38,44,52,60,70"
MOST_SCANS = 10_000
PICTURES = (".png", ".pdf", ".svg")


def comb(
    file: Annotated[Path, typer.Argument(help="File of a comb (TOML).")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the access; the first one of a survey.")] = 1,
    closed_form: Annotated[
        bool, typer.Option("--closed-form", help="Begin with the closed-form soliton; simulate no access.")
    ] = False,
    survey: Annotated[
        bool, typer.Option("--survey", help="What forward scans end in, with and without auxiliary laser.")
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", help="Scans of a survey at each stop.")] = 32,
    stops: Annotated[str, typer.Option("--stops", help="Detunings at which a survey's scans stop.")] = STOPS,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw spectrum, SNR and the scan (PNG, PDF, SVG).")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the lines as CSV.")] = None,
    netcdf: Annotated[Path | None, typer.Option("--netcdf", help="Write lines and scan as netCDF.")] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes of a survey; 0 means one a processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Reach one soliton with a fixed pump and a scanned ring temperature, and list the lines that users get."""
    from combmesh.config.comb import load_comb
    from combmesh.ground.errors import InputError

    began = time.monotonic()
    loaded, marks = load_comb(file)
    if survey:
        if closed_form or plot or csv or netcdf:
            raise InputError("`--survey` prints a table or JSON; it cannot stand beside the options of a spectrum.")
        _survey(loaded, file.stem, range(seed, seed + _checked_seeds(seeds)), _stops(stops), workers, as_json)
        return
    for path in (plot, csv, netcdf):
        _check_folder(path)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise InputError(f"`--plot` must end in {', '.join(PICTURES)}, but is {str(plot)!r}.")
    from combmesh.device.comb_run import run_comb
    from combmesh.report.comb_report import CombReport

    with _progress(hidden=as_json) as on_part:
        run = run_comb(loaded, seed, closed_form, on_part)
        on_part("one soliton and its lines", 1.0)
    report = CombReport(run, file.stem, marks)
    _write(report, plot, csv, netcdf)
    report = replace(report, wall_s=round(time.monotonic() - began, 3))
    if as_json:
        from combmesh.report.export import json_text

        typer.echo(json_text(report.document()))
    else:
        _print(report, [path for path in (plot, csv, netcdf) if path is not None])


def _checked_seeds(seeds: int) -> int:
    from combmesh.ground.errors import check_range

    check_range("--seeds", seeds, 1, MOST_SCANS)
    return seeds


def _stops(text: str) -> list[float]:
    from combmesh.ground.errors import InputError

    try:
        stops = [float(word) for word in text.split(",")]
    except ValueError:
        stops = []
    if not stops or not all(map(isfinite, stops)) or stops != sorted(set(stops)):
        raise InputError(f"`--stops` must be ascending numbers with commas, such as 20,28,38, but is {text!r}.")
    return stops


def _check_folder(path: Path | None) -> None:
    """Refuse a file that cannot be written before the access, not after it."""
    from combmesh.ground.errors import InputError

    if path is not None and not path.parent.is_dir():
        raise InputError(f"`{path}` cannot be written: there is no folder `{path.parent}`.")


def _survey(file: "CombFile", name: str, seeds: range, stops: list[float], workers: int, as_json: bool) -> None:
    from combmesh.device.microcomb.survey import survey
    from combmesh.ground.parallel import processors
    from combmesh.report.export import json_text

    began = time.monotonic()
    with _progress(hidden=as_json) as on_part:
        done = 0

        def on_scan() -> None:
            nonlocal done
            done += 1
            on_part(f"scans, {done} of {2 * len(seeds)}", done / (2 * len(seeds)))

        rows = survey(file.cavity(), stops, seeds, file.recipe, workers or processors(), on_scan=on_scan)
    wall_s = round(time.monotonic() - began, 3)
    if as_json:
        document = {"seeds": len(seeds), "origin": "simulated", "wall_s": wall_s, "rows": [asdict(row) for row in rows]}
        typer.echo(json_text(document))
    else:
        _print_survey(rows, file, name, wall_s)


@contextmanager
def _progress(hidden: bool) -> "Iterator[Callable[[str, float], None]]":
    """A bar with the time left on the error stream."""
    if hidden:
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    left, elapsed = TextColumn("left"), TextColumn("· elapsed")
    columns = (BarColumn(), TaskProgressColumn(), left, TimeRemainingColumn(), elapsed, TimeElapsedColumn())
    words = TextColumn("{task.description}")
    with Progress(words, *columns, console=Console(stderr=True), speed_estimate_period=120.0) as bar:
        task = bar.add_task("scan", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def _write(report: "CombReport", plot: Path | None, csv: Path | None, netcdf: Path | None) -> None:
    if plot is not None:
        from combmesh.report.comb_plots import draw_comb

        draw_comb(report, plot)
    if csv is not None:
        from combmesh.report.comb_files import write_comb_csv

        write_comb_csv(report, csv)
    if netcdf is not None:
        from combmesh.report.comb_files import write_comb_netcdf

        write_comb_netcdf(report, netcdf)


def _print(report: "CombReport", written: list[Path]) -> None:
    from rich.console import Console

    from combmesh.report.comb_table import comb_notes, line_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(line_table(report.rows()))
    console.print(comb_notes(report), highlight=False, markup=False)
    if written:
        console.print(f"Written: {', '.join(map(str, written))}.", highlight=False, markup=False, soft_wrap=True)


def _print_survey(rows: "list[SurveyRow]", file: "CombFile", name: str, wall_s: float) -> None:
    from rich.console import Console

    from combmesh.report.comb_table import survey_notes, survey_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(survey_table(rows))
    console.print(survey_notes(file, name, wall_s), highlight=False, markup=False)
