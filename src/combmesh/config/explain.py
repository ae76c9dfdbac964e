"""Each value of a network file with its unit, its mark and what it means; and the file's JSON Schema."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from combmesh.config.fields import class_at, descriptions, inner_class, unit_of
from combmesh.config.load import NetworkFile, adapter
from combmesh.ground.provenance import MARKS, Mark
from combmesh.network.topology import Network


@dataclass(frozen=True)
class ExplainedValue:
    """One value of a network file.

    Attributes:
        path: where it stands, such as `relay.visibility` or `users[3].fibre_km`.
        value: the value, None if there is none.
        unit: its unit, empty for plain numbers and text.
        mark: printed, assumed, fitted, given or default.
        note: source of a printed value, reason of an assumed one.
        meaning: one sentence.
    """

    path: str
    value: object
    unit: str
    mark: str
    note: str
    meaning: str


def explain(file: NetworkFile) -> list[ExplainedValue]:
    """All values in the order of the file format."""
    return _explained(file, file.network, "", "")


def _explained(file: NetworkFile, owner: Any, path: str, marked: str) -> list[ExplainedValue]:
    texts = descriptions(type(owner))
    rows = []
    for field in fields(owner):
        value = getattr(owner, field.name)
        here, mark_at = f"{path}{field.name}", f"{marked}{field.name}"
        if is_dataclass(value):
            rows += _explained(file, value, here + ".", mark_at + ".")
        elif isinstance(value, tuple):
            for i, item in enumerate(value):
                rows += _explained(file, item, f"{here}[{i}].", mark_at + ".")
        elif mark_at in file.marks:
            mark = file.marks[mark_at] if value is not None else Mark("default")
            rows.append(ExplainedValue(here, value, unit_of(field.name), mark.kind, mark.note, texts[field.name]))
        else:  # a table that is left out as a whole
            rows.append(ExplainedValue(here, None, "", "default", "", texts[field.name]))
    return rows


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
    found = (class_at(Network, (field.name,)) for field in fields(Network) if inner_class(field.type))
    return next(owner for owner in found if owner.__name__ == name)


def _describe(part: dict[str, Any], owner: Any) -> None:
    part["description"] = (owner.__doc__ or "").strip().splitlines()[0]
    for name, text in descriptions(owner).items():
        if name in part["properties"]:
            unit = unit_of(name)
            part["properties"][name]["description"] = text
            if unit:
                part["properties"][name]["unit"] = unit
