"""Tables of counts (TOML or CSV) and link files, of either protocol."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from combmesh.config.load import load_table, parse_toml, read_text, read_toml
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark
from combmesh.protocol.mdi.files.counts import CountTable
from combmesh.protocol.mdi.files.link import LinkFile
from combmesh.protocol.mode_pairing.files import PairCountTable, PairLinkFile

AnyCounts = CountTable | PairCountTable
AnyLink = LinkFile | PairLinkFile

COUNT_TABLES: dict[str, type[AnyCounts]] = {"mdi": CountTable, "mode-pairing": PairCountTable}
LINK_FILES: dict[str, type[AnyLink]] = {"mdi": LinkFile, "mode-pairing": PairLinkFile}
"""Classes by `protocol`; a file that names none is of the first."""

CSV_COLUMNS = ("basis", "pair", "sent", "detected", "errors")

T = TypeVar("T")


def load_counts(path: Path | str) -> AnyCounts:
    """Read and check a table of counts; raises InputError that names everything that is wrong.

    A CSV file has a line for each pair under a line of names, and before them the rest of the TOML form behind `#`.
    """
    path = Path(path)
    table = _csv_table(path) if path.suffix.lower() == ".csv" else read_toml(path)
    if "arm" in table and "counts" not in table:
        raise InputError(f"`{path}` is a link file and no table of counts; `combmesh rate` reads it.")
    return load_table(table, _class_of(table, COUNT_TABLES, path), path)[0]


def load_link(path: Path | str) -> tuple[AnyLink, Mapping[str, Mark]]:
    """Read and check a link file, with the mark of each value; raises InputError as `load_counts` does."""
    path = Path(path)
    table = read_toml(path)
    if "counts" in table and "arm" not in table:
        raise InputError(f"`{path}` is a table of counts and no link file; `combmesh key` reads it.")
    return load_table(table, _class_of(table, LINK_FILES, path), path)


def _class_of(table: Mapping[str, Any], classes: Mapping[str, type[T]], path: Path) -> type[T]:
    """The class of the protocol that a file names."""
    name = table.get("protocol", next(iter(classes)))
    if not isinstance(name, str) or name not in classes:
        raise InputError(f"`{path}`: `protocol` must be {' or '.join(classes)}, but is {name!r}.")
    return classes[name]


def _csv_table(path: Path) -> dict[str, Any]:
    lines = [line.strip() for line in read_text(path).splitlines()]
    head = "\n".join(line[1:].strip() for line in lines if line.startswith("#"))
    table = parse_toml(head, path)
    try:
        rows = list(csv.reader((line for line in lines if line and not line.startswith("#")), strict=True))
    except csv.Error as error:
        raise InputError(f"`{path}` is not a CSV file: {error}.") from error
    columns = [name.strip() for name in rows[0]] if rows else []
    if not {"basis", "pair", "detected"} <= set(columns) <= set(CSV_COLUMNS) or len(set(columns)) < len(columns):
        names = ", ".join(CSV_COLUMNS)
        raise InputError(f"`{path}` must have a line of column names from {names} before its counts, with commas.")
    counts: dict[str, dict[str, dict[str, float]]] = {"X": {}, "Z": {}}
    for number, cells in enumerate(rows[1:], start=1):
        where = f"`{path}`, count row {number}"
        if len(cells) > len(columns):
            raise InputError(f"{where} must have at most {len(columns)} cells, but has {len(cells)}.")
        _read_row(dict(zip(columns, cells, strict=False)), where, counts)
    table["counts"] = counts
    return table


def _read_row(row: dict[str, str], where: str, counts: dict[str, dict[str, dict[str, float]]]) -> None:
    basis, pair = row.pop("basis", "").strip(), row.pop("pair", "").strip()
    if basis not in counts:
        raise InputError(f"{where}: `basis` must be X or Z, but is {basis!r}.")
    if pair in counts[basis]:
        raise InputError(f"{where}: `counts.{basis}.{pair}` stands there twice.")
    counts[basis][pair] = {}
    for column, cell in row.items():
        if cell.strip():
            try:
                counts[basis][pair][column] = float(cell)
            except ValueError:
                raise InputError(f"{where}: `{basis}.{pair}.{column}` must be a number, but is {cell!r}.") from None
