"""`combmesh explain FILE`: each value with its unit and mark."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def explain(
    file: Annotated[Path, typer.Argument(help="Network file (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of values as JSON.")] = False,
) -> None:
    """Show each value of a network file with its unit and its mark: printed, assumed, fitted, given or default."""
    from combmesh.config.explain import explain as explained
    from combmesh.config.load import load_network

    rows = explained(load_network(file))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from combmesh.report.table import value_table

    Console().print(value_table([(r.path, r.value, r.unit, r.mark, r.note or r.meaning) for r in rows]))
