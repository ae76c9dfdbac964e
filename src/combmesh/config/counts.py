"""Tables of counts (TOML or CSV) and link files, of either protocol."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from combmesh.config.kinds import checked_kind, class_for
from combmesh.config.load import load_table, parse_toml, read_text, read_toml
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark
from combmesh.protocol.mdi.files.counts import CountTable
from combmesh.protocol.mdi.files.link import LinkFile
from combmesh.protocol.mode_pairing.files import PairCountTable, PairLinkFile

AnyCounts = CountTable | PairCountTable
AnyLink = LinkFile | PairLinkFile

CSV_COLUMNS = ("basis", "pair", "sent", "detected", "errors")


def load_counts(path: Path | str) -> AnyCounts:
    """Read and check a table of counts; raises InputError that names everything that is wrong."""
    return load_marked_counts(path)[0]


def load_marked_counts(path: Path | str) -> tuple[AnyCounts, Mapping[str, Mark]]:
    """A table of counts, as `load_counts`, with the mark of each value.

    A CSV file has a line for each pair under a line of names, and before them the rest of the TOML form behind `#`.
    """
    path = Path(path)
    table = _csv_table(path) if path.suffix.lower() == ".csv" else read_toml(path)
    owner: type[AnyCounts] = class_for(checked_kind(table, path, "table of counts"), "table of counts", path)
    return load_table(table, owner, path)


def load_link(path: Path | str) -> tuple[AnyLink, Mapping[str, Mark]]:
    """Read and check a link file, with the mark of each value; raises InputError as `load_counts` does."""
    path = Path(path)
    table = read_toml(path)
    owner: type[AnyLink] = class_for(checked_kind(table, path, "link file"), "link file", path)
    return load_table(table, owner, path)


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
