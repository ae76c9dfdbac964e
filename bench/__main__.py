"""`python -m bench`: run every benchmark, print the table, write build/bench.json."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import certificate, distillation, engine, ldpc, locks, microcomb, operation, pulses, roads, timetags

OUTPUT = Path("build") / "bench.json"
MODULES = (microcomb, locks, engine, pulses, timetags, certificate, distillation, ldpc, operation, roads)


def main() -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    rows = []
    for benchmark in (benchmark for module in MODULES for benchmark in module.BENCHMARKS):
        console.print(f"{benchmark.__name__} ...", style="dim")
        rows += benchmark()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n")
    table = Table()
    for header in ("benchmark", "value", "unit", "peer", "peer value", "ratio"):
        table.add_column(header)
    for row in rows:
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell or "–") for cell in row.values()))
    console.print(table)


if __name__ == "__main__":
    main()
