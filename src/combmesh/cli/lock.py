"""`combmesh lock TERMINALS`: two terminals' seeds and spacings locked for hours, beside what the paper prints."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.device.locks.file import LockFile, TerminalTable
    from combmesh.device.locks.injection import Injection
    from combmesh.device.locks.pair import Outcome, Pair
    from combmesh.device.locks.three_hours import Record, Verdict
    from combmesh.ground.provenance import Mark
    from combmesh.report.lock_report import Injected, LockReport

MOST_HOURS, MOST_SEEDS = 240.0, 100_000
POOL_HOURS = 1000.0
"""From so many hours of records on, all processors work: below, starting them takes longer."""

BATCH_HOURS = 75.0
"""Hours of records in a worker's batch, half a second."""


def lock(
    file: Annotated[Path, typer.Argument(help="File of terminals (TOML).")],
    hours: Annotated[float | None, typer.Option("--hours", help="Length of the record, h; that of the file.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the record that is shown.")] = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Records behind the means: this seed and those after it.")
    ] = 100,
    lines: Annotated[str, typer.Option("--lines", help="Lines whose beats are recorded.")] = "0,15,-15",
    pair: Annotated[str | None, typer.Option("--pair", help="Two of the file's terminals; its first two.")] = None,
    open_loop: Annotated[bool, typer.Option("--open-loop", help="All loops off: the combs drift away.")] = False,
    injection: Annotated[
        bool, typer.Option("--injection", help="Microwave injection beside the temperature lock, with its cost.")
    ] = False,
    disturbances: Annotated[
        bool, typer.Option("--disturbances", help="Which disturbances the printed numbers allow and exclude.")
    ] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw Fig. 2c to 2h (PNG, PDF, SVG).")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the record's traces as CSV.")] = None,
    netcdf: Annotated[Path | None, typer.Option("--netcdf", help="Write the record's traces as netCDF.")] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 means one a processor.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Simulate the locks of two independent terminals for hours: fitted and predicted numbers beside the paper's."""
    from combmesh.config.terminals import load_terminals
    from combmesh.ground.errors import InputError, check_range
    from combmesh.report.export import json_text

    began = time.monotonic()
    loaded, marks = load_terminals(file)
    record = replace(loaded.record, hours=loaded.record.hours if hours is None else hours)
    check_range("--hours", record.hours, high=MOST_HOURS)
    check_range("--seeds", seeds, 1, MOST_SEEDS)
    for name, wanted in (("--injection", injection), ("--disturbances", disturbances)):
        if wanted and open_loop:
            raise InputError(f"`{name}` is about locked terminals; it cannot stand beside `--open-loop`.")
    tables = _chosen(loaded, pair)
    ready = _pair(tables, record, _lines(lines), open_loop)
    _check_paths(plot, csv, netcdf)
    injections = (tables[0].injection, tables[1].injection) if injection else None
    with _progress("records", seeds, hidden=as_json) as on_records:
        found = _found(ready, injections, range(seed, seed + seeds), workers, on_records)
    verdicts = _verdicts(tables[0], record, range(seed, seed + seeds), workers, as_json) if disturbances else []
    report = _report(ready, tables, found, verdicts, marks, not open_loop)
    _write(report, plot, csv, netcdf)
    report = replace(report, wall_s=round(time.monotonic() - began, 3))
    if as_json:
        typer.echo(json_text(report.document()))
    else:
        _print(report, [path for path in (plot, csv, netcdf) if path is not None])


def _lines(text: str) -> tuple[int, ...]:
    from combmesh.ground.errors import InputError

    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"`--lines` must be whole numbers with commas, such as 0,15,-15, but is {text!r}.") from None


def _check_paths(plot: Path | None, csv: Path | None, netcdf: Path | None) -> None:
    """Refuse a file that cannot be written before the records, not after them."""
    from combmesh.ground.errors import InputError
    from combmesh.report.plots import check_figure_name

    for path in (plot, csv, netcdf):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"`{path}` cannot be written: there is no folder `{path.parent}`.")
    if plot is not None:
        check_figure_name(plot)


def _chosen(file: "LockFile", text: str | None) -> "tuple[TerminalTable, TerminalTable]":
    from combmesh.ground.errors import InputError

    by_name = {table.name: table for table in file.terminals}
    names = list(by_name)[:2] if text is None else [name.strip() for name in text.split(",")]
    if len(names) != 2 or names[0] == names[1] or not set(names) <= set(by_name):
        raise InputError(f"`--pair` must be two of {', '.join(by_name)} with a comma, but is {text!r}.")
    return by_name[names[0]], by_name[names[1]]


def _pair(
    tables: "tuple[TerminalTable, TerminalTable]", record: "Record", lines: tuple[int, ...], open_loop: bool
) -> "Pair":
    from combmesh.device.locks.pair import Pair, opened

    one, other = tables
    terminals = one.terminal(record.warm_up_s), other.terminal(record.warm_up_s)
    pair = Pair((one.name, other.name), terminals, lines, record)
    return opened(pair) if open_loop else pair


def _found(
    pair: "Pair",
    injections: "tuple[Injection, Injection] | None",
    seeds: range,
    workers: int,
    on_records: "Callable[[int], None]",
) -> "list[Outcome]":
    """What every record came to, in the order of their seeds."""
    from functools import partial

    from combmesh.device.locks.pair import outcome
    from combmesh.ground.parallel import map_batches, processors

    hours = pair.record.hours
    many = hours * len(seeds) >= POOL_HOURS
    batch = max(1, round(BATCH_HOURS / hours)) if many else 1
    found: list[Outcome] = []
    task = partial(outcome, pair=pair, injections=injections)
    for some in map_batches(task, seeds, (workers or processors()) if many else 1, batch):
        found += some
        on_records(len(found))
    return sorted(found, key=lambda one: one.seed)


def _report(
    pair: "Pair",
    tables: "tuple[TerminalTable, TerminalTable]",
    found: "list[Outcome]",
    verdicts: "list[Verdict]",
    marks: "Mapping[str, Mark]",
    closed: bool,
) -> "LockReport":
    """The first record in full, beside the figures of all."""
    from combmesh.device.locks import beat
    from combmesh.device.locks import pair as pairs
    from combmesh.report.lock_report import LockReport, fitted_parts, lock_figures

    seed = found[0].seed
    traces = pairs.run(pair, seed)
    block_s = max(table.block_s for table in tables)
    figures = lock_figures(pair, [one.figures for one in found], fitted_parts(marks), closed)
    return LockReport(
        pair,
        traces,
        tuple(beat.beat(*traces, line) for line in pair.lines),
        figures,
        tuple(one.figures for one in found),
        pairs.claim(pair, seed, traces, block_s) if closed else "the loops are off",
        seed,
        closed,
        _injected(tables, found, figures[2].mean),
        verdicts,
        marks,
        tuple(table.working_point for table in tables),
        tuple(table.ring.typed_in for table in tables),
    )


def _injected(
    tables: "tuple[TerminalTable, TerminalTable]", found: "list[Outcome]", range_mk: float
) -> "Injected | None":
    from combmesh.device.locks.injection import cost, depth_for_rad
    from combmesh.report.lock_report import Injected

    records = tuple(one.injected for one in found if one.injected is not None)
    if not records:
        return None
    costs = tuple(cost(table.injection, table.plant) for table in tables)
    depth_rad = depth_for_rad(1e-3 * range_mk, tables[0].plant, tables[0].injection.dispersion_hz)
    return Injected(costs, records, depth_rad)


def _verdicts(table: "TerminalTable", record: "Record", seeds: range, workers: int, hidden: bool) -> "list[Verdict]":
    """What the printed numbers say of disturbances, on the lock of the first terminal."""
    from functools import partial

    from combmesh.device.locks.three_hours import CANDIDATES, candidate
    from combmesh.ground.parallel import map_batches, processors

    task = partial(candidate, lock=table.repetition.lock(table.plant), seeds=seeds, record=record)
    found: dict[str, Verdict] = {}
    with _progress("disturbances", len(CANDIDATES), hidden) as on_verdicts:
        for some in map_batches(task, list(CANDIDATES), workers or processors(), 1):
            found |= {verdict.name: verdict for verdict in some}
            on_verdicts(len(found))
    return [found[name] for name in CANDIDATES]


@contextmanager
def _progress(what: str, number: int, hidden: bool) -> "Iterator[Callable[[int], None]]":
    """A bar with the time left on the error stream."""
    if hidden:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    left, elapsed = TextColumn("left"), TextColumn("· elapsed")
    columns = (BarColumn(), MofNCompleteColumn(), left, TimeRemainingColumn(), elapsed, TimeElapsedColumn())
    with Progress(TextColumn(what), *columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=number)
        yield lambda done: bar.update(task, completed=done)


def _write(report: "LockReport", plot: Path | None, csv: Path | None, netcdf: Path | None) -> None:
    if plot is not None:
        from combmesh.report.lock_plots import draw_locks

        draw_locks(report, plot)
    if csv is not None:
        from combmesh.report.lock_files import write_lock_csv

        write_lock_csv(report, csv)
    if netcdf is not None:
        from combmesh.report.lock_files import write_lock_netcdf

        write_lock_netcdf(report, netcdf)


def _print(report: "LockReport", written: list[Path]) -> None:
    from rich.console import Console

    from combmesh.report.lock_table import beat_table, lock_notes, lock_table, verdict_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(lock_table(report))
    console.print(beat_table(report))
    if report.verdicts:
        console.print(verdict_table(report.verdicts, len(report.found)))
    console.print(lock_notes(report), highlight=False, markup=False)
    if written:
        console.print(f"Written: {', '.join(map(str, written))}.", highlight=False, markup=False, soft_wrap=True)
