"""`combmesh key COUNTS`: measured counts in, key out."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.protocol.mdi.compare import MethodResult
    from combmesh.protocol.mdi.consistency import Consistency

INCONSISTENT = 3


def key(
    file: Annotated[Path | None, typer.Argument(help="Table of counts (TOML or CSV).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print an annotated table to start from.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --template: as CSV.")] = False,
    mode_pairing: Annotated[bool, typer.Option("--mode-pairing", help="With --template: for mode pairing.")] = False,
) -> int:
    """Key length of measured counts, by every method side by side, and whether the counts are consistent.

    Exit code 2: the table cannot be used. 3: lengths are computed, but counts or printed results do not close; those of
    impossible counts are no keys.
    """
    from combmesh.ground.errors import InputError

    if template:
        from combmesh.config.template import counts_template

        typer.echo(counts_template(as_csv, "mode-pairing" if mode_pairing else "mdi"), nl=False)
        return 0
    if file is None:
        raise InputError("`combmesh key` needs a table of counts; `combmesh key --template` prints one to start from.")
    from combmesh.config.counts import load_counts

    table = load_counts(file)
    results = table.results()
    chosen, verdict = table.chosen(results), table.consistency()
    if verdict.impossible:
        from combmesh.protocol.mdi.compare import refused

        chosen, results = refused(chosen), [refused(result) for result in results]
    if as_json:
        from combmesh.report.export import json_text

        typer.echo(json_text(_document(chosen, results, verdict)))
    else:
        _print(chosen, results, verdict)
    return 0 if verdict.verdict == "consistent" else INCONSISTENT


def _document(chosen: "MethodResult", results: "Sequence[MethodResult]", verdict: "Consistency") -> dict[str, object]:
    consistency = {"verdict": verdict.verdict, "findings": [asdict(finding) for finding in verdict.findings]}
    methods = [{**asdict(result), "consistency": verdict.verdict} for result in results]
    return {**asdict(chosen), "consistency": consistency, "methods": methods}


def _print(chosen: "MethodResult", results: "Sequence[MethodResult]", verdict: "Consistency") -> None:
    from rich.console import Console

    from combmesh.report.key_table import key_sentence, method_notes, method_table, verdict_text

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(method_table(results, chosen.method))
    for text in (method_notes(results), key_sentence(chosen), verdict_text(verdict.verdict, verdict.findings)):
        console.print(text, highlight=False, markup=False)
