"""`combmesh explain FILE`: each value with its unit and mark."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def explain(
    file: Annotated[Path, typer.Argument(help="Any file that combmesh reads: network, link, counts, comb, terminals.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of values as JSON.")] = False,
) -> None:
    """Show each value of a file with its unit and its mark: printed, assumed, fitted, given, derived or default."""
    from combmesh.config.explain import explain as explained

    rows = explained(file)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from combmesh.report.table import value_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(value_table([(r.path, r.value, r.unit, r.mark, r.note or r.meaning) for r in rows]))
