"""Files of microcombs."""

from collections.abc import Mapping
from pathlib import Path

from combmesh.config.kinds import checked_kind
from combmesh.config.load import load_table, read_toml
from combmesh.device.comb_file import CombFile
from combmesh.ground.provenance import Mark


def load_comb(path: Path | str) -> tuple[CombFile, Mapping[str, Mark]]:
    """Read and check a file of a comb, with the mark of each value; raises InputError that names what is wrong."""
    path = Path(path)
    table = checked_kind(read_toml(path), path, "file of a comb")
    return load_table(table, CombFile, path)
