"""`combmesh operate NETWORK`: a link over hours, its drifts and controls, and the key of each block."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.study.operation.anchors import Comparison
    from combmesh.study.operation.blocks import Record


def operate(
    file: Annotated[Path, typer.Argument(help="Network file (TOML) with a table `devices`.")],
    pair: Annotated[str | None, typer.Option("--pair", help="Two users with a comma; the first two.")] = None,
    line: Annotated[
        int | None, typer.Option("--line", help="Comb line; that of the channel plan. Negative is blue.")
    ] = None,
    hours: Annotated[float, typer.Option("--hours", help="Length of the record, h.")] = 3.0,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of drifts and counts; that of the file.")
    ] = None,
    no_control: Annotated[
        bool, typer.Option("--no-control", help="Arms are aligned at the beginning and then left alone.")
    ] = False,
    equivalent_loss: Annotated[
        bool, typer.Option("--equivalent-loss", help="Only attenuators of equal loss, without the fibre beside them.")
    ] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw Fig. 4c and 4d (PNG, PDF, SVG).")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the blocks as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Run a link for hours: QBERs, visibility and key of each block, fibre beside attenuators of equal loss."""
    from combmesh.config.load import load_network
    from combmesh.report.operation_files import operation_document, write_operation_csv
    from combmesh.study.budget.budget import broken_by
    from combmesh.study.budget.chosen import chosen_pair
    from combmesh.study.operation import blocks
    from combmesh.study.operation.anchors import compare
    from combmesh.study.operation.controls import Controls

    began = time.monotonic()
    loaded = load_network(file)
    _check_paths(plot, csv)
    names = tuple(name.strip() for name in pair.split(",")) if pair is not None else None
    chosen = chosen_pair(loaded.network, names)
    line = chosen.line if line is None else line
    seed = loaded.network.seed if seed is None else seed
    cases = (blocks.EQUIVALENT,) if equivalent_loss else blocks.CASES
    controls = Controls(on=not no_control)
    with _progress(as_json) as on_progress:
        records = blocks.operate(chosen.pair, [line], chosen.rule, hours, seed, controls, cases, on_progress)
    found = compare(records, chosen.pair.devices.rest)
    broken = broken_by(chosen.pair, chosen.names)
    if plot is not None:
        from combmesh.report.operation_plots import draw_operation

        title = f"{loaded.network.name}: {' and '.join(chosen.names)}, line {line} ({records[0].itu_label}), simulated"
        draw_operation(records, plot, title if controls.on else f"{title}, without control")
    if csv is not None:
        write_operation_csv(records, csv)
    if as_json:
        from combmesh.report.export import json_text

        document = operation_document(records, found, chosen.names, seed, broken, loaded.marks)
        typer.echo(json_text({**document, "wall_s": round(time.monotonic() - began, 3)}))
        return
    _print(records, found, broken)
    if written := [str(path) for path in (plot, csv) if path is not None]:
        typer.echo(f"Written: {', '.join(written)}.")


def _check_paths(plot: Path | None, csv: Path | None) -> None:
    """Refuse a file that cannot be written before the record, not after it."""
    from combmesh.ground.errors import InputError
    from combmesh.report.plots import check_figure_name

    for path in (plot, csv):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"`{path}` cannot be written: there is no folder `{path.parent}`.")
    if plot is not None:
        check_figure_name(plot)


@contextmanager
def _progress(hidden: bool) -> "Iterator[Callable[[int, int], None] | None]":
    """A bar with the time left on the error stream."""
    if hidden:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("probes"), BarColumn(), TaskProgressColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("probes", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(records: "list[Record]", found: "list[Comparison]", broken: tuple[str, ...]) -> None:
    from rich.console import Console

    from combmesh.report.operation_table import block_table, comparison_table, operation_notes

    console = Console(width=None if sys.stdout.isatty() else 160)
    for record in records:
        console.print(block_table(record))
    console.print(comparison_table(found))
    console.print(operation_notes(records, broken), highlight=False, markup=False)
