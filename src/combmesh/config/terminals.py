"""Files of terminals and their locks."""

from collections.abc import Mapping
from pathlib import Path

from combmesh.config.load import load_table, read_toml
from combmesh.device.locks.file import LockFile
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark


def load_terminals(path: Path | str) -> tuple[LockFile, Mapping[str, Mark]]:
    """Read and check a file of terminals, with the mark of each value; raises InputError that names what is wrong."""
    path = Path(path)
    table = read_toml(path)
    if "terminals" not in table:
        for other, verb in (("users", "run"), ("arm", "rate"), ("counts", "key"), ("ring", "comb")):
            if other in table:
                raise InputError(f"`{path}` is no file of terminals; `combmesh {verb}` reads it.")
    return load_table(table, LockFile, path)
