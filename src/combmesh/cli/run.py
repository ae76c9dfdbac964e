"""`combmesh run FILE`: key every pair of a network."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.network.campaign import Progress
    from combmesh.network.summary import LinkReport

TABLE_ROWS = 200


def run(
    file: Annotated[Path, typer.Argument(help="Network file (TOML).")],
    no_bits: Annotated[bool, typer.Option("--no-bits", help="Stop at counts and key lengths; distil no bits.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for runs.")] = Path("runs"),
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 means one a processor.")] = 0,
) -> int:
    """Key every pair of a network: plan channels, simulate light, distil, store, report.

    A run is named by its file's content: doing it twice adds nothing, and a stopped run goes on where it was.
    """
    began = time.monotonic()
    from combmesh.config.load import load_network
    from combmesh.ground.parallel import processors
    from combmesh.network.campaign import run_campaign
    from combmesh.network.summary import link_reports, summary_document
    from combmesh.report.export import json_text

    loaded = load_network(file)
    folder = output / f"{file.stem}-{loaded.config_hash[:10]}{'-lengths' if no_bits else ''}"
    n_workers = workers or processors()
    try:
        with _progress(hidden=as_json) as on_progress:
            result = run_campaign(
                loaded.network, folder, with_bits=not no_bits, workers=n_workers, on_progress=on_progress
            )
    except KeyboardInterrupt:
        print(f"Finished blocks are in {folder}/; the same command goes on from there.", file=sys.stderr)
        raise
    links = link_reports(loaded.network, result)
    document = summary_document(
        loaded.network, loaded.config_hash, result, links, wall_s=round(time.monotonic() - began, 3)
    )
    marks = {path: f"{mark.kind}: {mark.note}".rstrip(": ") for path, mark in sorted(loaded.marks.items())}
    document["provenance"] = marks
    if loaded.network.devices is not None:
        from combmesh.study.budget.chosen import broken_assumptions

        document["assumptions_broken"] = broken_assumptions(loaded.network)
    _write(folder, document, links, loaded.network.name)
    if as_json:
        typer.echo(json_text(document))
    else:
        _print(folder, document, links)
    return 3 if result.mismatched else 0


@contextmanager
def _progress(hidden: bool) -> "Iterator[Progress | None]":
    """A bar with the time left on the error stream, so that the output stays clean."""
    if hidden:
        yield None
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

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[bits]:,} key bits · left"),
        TimeRemainingColumn(),
        TextColumn("· elapsed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("blocks", total=None, bits=0)
        yield lambda done, total, bits: bar.update(task, completed=done, total=total, bits=bits)


def _write(folder: Path, document: dict[str, object], links: "list[LinkReport]", name: str) -> None:
    """The report beside the journal: JSON, CSV and the heat map of all pairs."""
    from combmesh.report.export import write_csv, write_json
    from combmesh.report.plots import heat_map, rate_matrix

    users = list(dict.fromkeys(user for link in links for user in (link.user_a, link.user_b)))
    write_csv(links, folder / "pairs.csv")
    heat_map(users, rate_matrix(users, links), folder / "pairs.png", f"{name}: secret key rate of all pairs")
    write_json(document, folder / "report.json")


def _method_text(document: dict[str, object]) -> str:
    """The method by its name and, where it is not the paper's, by whose it is."""
    method = str(document["method"])
    return f"{method} (combmesh's own, not the paper's analysis)" if method.startswith("certificate") else method


def _print(folder: Path, document: dict[str, object], links: "list[LinkReport]") -> None:
    from rich.console import Console

    from combmesh.report.table import pair_table, summary_text

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(pair_table(links, TABLE_ROWS))
    console.print(summary_text(links), highlight=False)
    mismatched = document["mismatched_pairs"]
    checked = "both stores of every pair hold the same keys" if not mismatched else f"{mismatched} pairs DISAGREE"
    if document["store"] is None:
        checked = "key lengths only, no bits were distilled"
    made = "report.json, pairs.csv, pairs.png" + (", stores/" if document["store"] else "")
    console.print(
        f"Simulated light; {_method_text(document)}; Cascade, {document['accounting']} leak; {checked}.\n"
        f"{document['new_blocks']} new blocks of {document['blocks']} in {document['wall_s']} s.\n"
        f"Everything is in {folder}/: {made}.",
        highlight=False,
        soft_wrap=True,
    )
    broken = document.get("assumptions_broken")
    if isinstance(broken, list) and broken:
        text = "\n".join(["The proof does not cover this light:", *broken])
        console.print(text, highlight=False, markup=False)
