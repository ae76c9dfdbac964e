"""`combmesh budget NETWORK`: where a link's visibility and errors come from, and what each cause costs in key."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from combmesh.config.load import NetworkFile
    from combmesh.study.budget.chosen import Chosen


def budget(
    file: Annotated[Path, typer.Argument(help="Network file (TOML) with a table `devices`.")],
    pair: Annotated[str | None, typer.Option("--pair", help="Two users with a comma; the first two.")] = None,
    line: Annotated[
        int | None, typer.Option("--line", help="Comb line; that of the channel plan. Negative is blue.")
    ] = None,
    all_lines: Annotated[
        bool, typer.Option("--all-lines", help="One block of every line instead, with the spread from line to line.")
    ] = False,
    lines: Annotated[str | None, typer.Option("--lines", help="The same for some lines, FROM:TO.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of the blocks' counts; that of the file.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw it (PNG, PDF, SVG).")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write it as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Visibility and QBERs of a link cause by cause, from its devices, and the key that each cause costs.

    Rates are of the double scan and of the certificate, planned anew without the cause, and with the plan kept.
    """
    from combmesh.config.load import load_network
    from combmesh.ground.errors import InputError
    from combmesh.report.plots import check_figure_name
    from combmesh.study.budget.chosen import chosen_pair

    began = time.monotonic()
    loaded = load_network(file)
    for path in (plot, csv):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"`{path}` cannot be written: there is no folder `{path.parent}`.")
    if plot is not None:
        check_figure_name(plot)
    if line is not None and (all_lines or lines):
        raise InputError("`--line` is for one line; leave out `--all-lines` and `--lines`.")
    names = tuple(name.strip() for name in pair.split(",")) if pair is not None else None
    chosen = chosen_pair(loaded.network, names)
    if all_lines or lines:
        seed = loaded.network.seed if seed is None else seed
        document = _of_lines(loaded, chosen, _numbers(chosen, lines), seed, plot, csv, as_json)
    else:
        document = _of_line(loaded, chosen, chosen.line if line is None else line, plot, csv, as_json)
    if as_json:
        from combmesh.report.export import json_text

        typer.echo(json_text({**document, "wall_s": round(time.monotonic() - began, 3)}))
    elif written := [str(path) for path in (plot, csv) if path is not None]:
        typer.echo(f"Written: {', '.join(written)}.")


def _of_line(
    loaded: "NetworkFile", chosen: "Chosen", line: int, plot: Path | None, csv: Path | None, hidden: bool
) -> dict[str, Any]:
    from combmesh.report.budget_files import budget_document, write_budget_csv
    from combmesh.study.budget.budget import link_budget

    found = link_budget(chosen.pair, line, chosen.rule, chosen.names)
    if plot is not None:
        from combmesh.report.budget_plots import draw_budget

        draw_budget(found, plot, f"{_title(loaded, chosen)}, line {line} ({found.itu_label})")
    if csv is not None:
        write_budget_csv(found, csv)
    if not hidden:
        from combmesh.report.budget_table import budget_notes, budget_table

        _print(budget_table(found), budget_notes(found))
    return budget_document(found, chosen.names, loaded.marks)


def _of_lines(
    loaded: "NetworkFile",
    chosen: "Chosen",
    numbers: list[int],
    seed: int,
    plot: Path | None,
    csv: Path | None,
    hidden: bool,
) -> dict[str, Any]:
    from combmesh.report.budget_files import channel_document, write_channel_csv
    from combmesh.study.budget.channels import all_channels, figures, scan_seconds

    with _progress(len(numbers), hidden) as on_channel:
        channels = all_channels(chosen.pair, numbers, chosen.rule, seed, on_channel)
    found = figures(channels, chosen.pair.devices.rest)
    if plot is not None:
        from combmesh.report.budget_plots import draw_channels

        draw_channels(channels, plot, f"{_title(loaded, chosen)}: simulated counts of one block a line")
    if csv is not None:
        write_channel_csv(channels, csv)
    if not hidden:
        from combmesh.report.budget_table import channel_notes, channel_table, figure_table

        _print(channel_table(channels), figure_table(found), channel_notes(found, scan_seconds(chosen.pair)))
    return channel_document(channels, found, chosen.names, seed, loaded.marks)


def _title(loaded: "NetworkFile", chosen: "Chosen") -> str:
    return f"{loaded.network.name}: {' and '.join(chosen.names)}"


def _numbers(chosen: "Chosen", text: str | None) -> list[int]:
    """The lines that `--lines` names; all that have a port without."""
    from combmesh.ground.errors import InputError

    known = chosen.pair.lines()
    if text is None:
        return list(known)
    try:
        first, last = (int(word) for word in text.split(":"))
    except ValueError:
        raise InputError(f"`--lines` must be FROM:TO, such as -60:15, but is {text!r}.") from None
    if not known[0] <= first <= last <= known[-1]:
        raise InputError(f"`--lines` must lie in {known[0]}:{known[-1]}, the lines with a port, but is {text!r}.")
    return [line for line in known if first <= line <= last]


@contextmanager
def _progress(number: int, hidden: bool) -> "Iterator[Callable[[int], None]]":
    """A bar with the time left on the error stream."""
    if hidden:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("lines"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("lines", total=number)
        yield lambda done: bar.update(task, completed=done)


def _print(*parts: Any) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    for part in parts:
        if isinstance(part, str):
            console.print(part, highlight=False, markup=False)
        else:
            console.print(part)
