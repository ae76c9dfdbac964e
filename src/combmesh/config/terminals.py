"""Files of terminals and their locks."""

from collections.abc import Mapping
from pathlib import Path

from combmesh.config.kinds import checked_kind
from combmesh.config.load import load_table, read_toml
from combmesh.device.locks.file import FROM_COMB, LockFile
from combmesh.ground.provenance import Mark


def load_terminals(path: Path | str) -> tuple[LockFile, Mapping[str, Mark]]:
    """Read and check a file of terminals, with the mark of each value; raises InputError that names what is wrong."""
    path = Path(path)
    table = checked_kind(read_toml(path), path, "file of terminals")
    described, marks = load_table(table, LockFile, path)
    return described, {at: _derived(at, mark) for at, mark in marks.items()}


def _derived(at: str, mark: Mark) -> Mark:
    """What no terminal's ring types in follows from the combs."""
    if mark.kind == "default" and at in {f"terminals.ring.{name}" for name in FROM_COMB}:
        return Mark("derived", "from `terminals.comb` at `terminals.ring.zeta`")
    return mark
