"""Each value of a file with its unit, its mark and what it means; and the JSON Schema of a network file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from combmesh.config.comb import load_comb
from combmesh.config.counts import load_link, load_marked_counts
from combmesh.config.fields import descriptions, inner_class, unit_of
from combmesh.config.kinds import KINDS, kind_of
from combmesh.config.load import adapter, load_network, read_toml
from combmesh.config.terminals import load_terminals
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import MARKS, Mark
from combmesh.network.topology import Network


@dataclass(frozen=True)
class ExplainedValue:
    """One value of a file.

    Attributes:
        path: where it stands, such as `relay.visibility` or `users[3].fibre_km`.
        value: the value, None if there is none.
        unit: its unit, empty for plain numbers and text.
        mark: printed, assumed, fitted, given, derived or default.
        note: source of a printed value, reason of an assumed one.
        meaning: one sentence.
    """

    path: str
    value: object
    unit: str
    mark: str
    note: str
    meaning: str


def explain(path: Path) -> list[ExplainedValue]:
    """All values of a file of any kind, in the order of its format."""
    kind = KINDS[0] if path.suffix.lower() == ".csv" else kind_of(read_toml(path))
    if kind is None:
        known = ", ".join(f"`{kind.table}` ({kind.words})" for kind in KINDS)
        raise InputError(f"`{path}` must have a table that says what it is, one of {known}, but has none.")
    described, marks = _LOADERS[kind.words](path)
    return _explained(marks, described, "", "")


def _network(path: Path) -> tuple[Network, Mapping[str, Mark]]:
    loaded = load_network(path)
    return loaded.network, loaded.marks


_LOADERS: dict[str, Callable[[Path], tuple[Any, Mapping[str, Mark]]]] = {
    "table of counts": load_marked_counts,
    "network file": _network,
    "file of terminals": load_terminals,
    "file of a comb": load_comb,
    "link file": load_link,
}


def _explained(marks: Mapping[str, Mark], owner: Any, path: str, marked: str) -> list[ExplainedValue]:
    texts = descriptions(type(owner))
    rows = []
    for field in fields(owner):
        value = getattr(owner, field.name)
        here, mark_at = f"{path}{field.name}", f"{marked}{field.name}"
        tables = _tables(here, value)
        for place, below in tables:
            rows += _explained(marks, below, place + ".", mark_at + ".")
        if tables:
            continue
        mark = marks.get(mark_at, Mark("default"))
        if value is None and mark.kind != "derived":  # it stands elsewhere in a list
            mark = Mark("default")
        unit = unit_of(field.name) if mark_at in marks else ""  # a table that is left out as a whole has none
        rows.append(ExplainedValue(here, value, unit, mark.kind, mark.note, texts.get(field.name, "")))
    return rows


def _tables(path: str, value: Any) -> list[tuple[str, Any]]:
    """The tables below a value and where they stand; none below a plain one."""
    if is_dataclass(value):
        return [(path, value)]
    if isinstance(value, tuple):
        return [(f"{path}[{i}]", item) for i, item in enumerate(value) if is_dataclass(item)]
    if isinstance(value, dict):
        return [(f"{path}.{key}", item) for key, item in value.items() if is_dataclass(item)]
    return []


def network_schema() -> dict[str, Any]:
    """JSON Schema of a network file, with each field's description and unit."""
    schema: dict[str, Any] = adapter(Network).json_schema()
    _describe(schema, Network)
    for name, part in schema["$defs"].items():
        _describe(part, _class_named(name))
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "combmesh network file"
    schema["properties"]["provenance"] = {
        "type": "object",
        "description": 'Mark of a value by its path, such as `"relay.visibility" = "printed: Fig. 3h"`.',
        "additionalProperties": {"type": "string", "pattern": f"^({'|'.join(MARKS)})(:.*)?$"},
    }
    return schema


def _class_named(name: str) -> Any:
    return next(owner for owner in _classes(Network) if owner.__name__ == name)


def _classes(owner: Any) -> Iterator[Any]:
    """Every class of tables below a class."""
    hints = get_type_hints(owner)
    for field in fields(owner):
        below = inner_class(hints[field.name])
        if below is not None:
            yield below
            yield from _classes(below)


def _describe(part: dict[str, Any], owner: Any) -> None:
    part["description"] = (owner.__doc__ or "").strip().splitlines()[0]
    for name, text in descriptions(owner).items():
        if name in part["properties"]:
            unit = unit_of(name)
            part["properties"][name]["description"] = text
            if unit:
                part["properties"][name]["unit"] = unit
