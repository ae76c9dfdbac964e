"""Whole commands as a user runs them."""

import json
import subprocess
import sys
import tempfile
import time

from bench.timing import Row, row

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]


def _wall_s(*command: str) -> float:
    spans = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        spans.append(time.perf_counter() - began)
    return min(spans)


def start() -> list[Row]:
    """Time to import, beside NumPy, and to show the help."""
    import_s = _wall_s(sys.executable, "-c", "import combmesh")
    numpy_s = _wall_s(sys.executable, "-c", "import numpy")
    return [
        row("import combmesh, whole process", import_s, "s", "import numpy, whole process", numpy_s),
        row("combmesh --help, whole process", _wall_s(*COMMAND, "--help"), "s"),
    ]


def networks() -> list[Row]:
    """The example of 16 users with bits, and the paper's 200 users without."""
    rows = []
    for name, more in (("netherlands", ()), ("paper", ("--no-bits",))):
        with tempfile.TemporaryDirectory() as folder:
            command = [*COMMAND, "run", f"examples/{name}.toml", *more, "--json", "--output", folder]
            document = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rows.append(row(f"run {name}.toml, {document['pairs']} pairs", document["wall_s"], "s"))
        rows.append(row(f"mean key rate of {name}.toml", document["mean_skr_bps"], "bit/s"))
    return rows


BENCHMARKS = (start, networks)
