"""A file becomes what it describes, or one list of everything that is wrong with it."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from combmesh.config.fields import class_at, leaf_paths
from combmesh.config.kinds import checked_kind
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark, parse_mark
from combmesh.link.devices.marks import default_marks
from combmesh.link.devices.tables import Devices
from combmesh.network.topology import Network

_WORDS = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dataclass_type": "must be a table",
    "dict_type": "must be a table",
    "dataclass_exact_type": "must be a table",
}


T = TypeVar("T")


@dataclass(frozen=True)
class NetworkFile:
    """A checked network file.

    Attributes:
        network: what it describes.
        marks: mark of each value by its path; users have no number in it (`users.fibre_km`).
        path: where it was read.
    """

    network: Network
    marks: Mapping[str, Mark]
    path: Path

    @property
    def config_hash(self) -> str:
        """SHA-256 of the network with every default filled in: comments, order and marks do not change it."""
        described = asdict(self.network)
        if described["devices"] is None:  # files without the table keep their name
            del described["devices"]
        text = json.dumps(described, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def load_network(path: Path | str) -> NetworkFile:
    """Read and check a network file; raises InputError that names everything that is wrong."""
    table = checked_kind(read_toml(Path(path)), Path(path), "network file")
    network, marks = load_table(table, Network, Path(path))
    return NetworkFile(network, with_device_marks(marks, network.devices), Path(path))


def with_device_marks(marks: Mapping[str, Mark], devices: Devices | None) -> Mapping[str, Mark]:
    """The marks of a file, those of the library for devices that it leaves out."""
    own = {f"devices.{path}": mark for path, mark in default_marks().items()} if devices is not None else {}
    return {path: own.get(path, mark) if mark.kind == "default" else mark for path, mark in marks.items()}


def load_table(table: dict[str, Any], owner: type[T], path: Path) -> tuple[T, Mapping[str, Mark]]:
    """What a table describes, and the mark of each value by its path; `path` is only named in the complaint."""
    marks = table.pop("provenance", {})
    problems: list[str] = []
    described = _validated(table, owner, problems)
    checked = _checked_marks(marks, table, owner, problems)
    if problems or described is None:
        raise InputError(f"`{path}` cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))
    return described, checked


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    return parse_toml(read_text(path), path)


def read_text(path: Path) -> str:
    """A file's text; raises InputError if there is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not a text file: {error}.") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of a TOML text; `path` is only named in the complaint."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"`{path}` is not a TOML file: {error}.") from error


def adapter(owner: Any) -> Any:
    """pydantic's validator of a class."""
    from pydantic import TypeAdapter

    return TypeAdapter(owner)


def _validated(table: dict[str, Any], owner: type[T], problems: list[str]) -> T | None:
    from pydantic import ValidationError

    try:
        text = json.dumps(table, default=str)  # dates become text, which no field takes for a number
        described: T = adapter(owner).validate_json(text, strict=True)
    except ValidationError as error:
        problems += [_sentence(entry, owner) for entry in error.errors(include_url=False)]
        return None
    return described


def _sentence(entry: Any, owner: type) -> str:
    path = _path_text(entry["loc"])
    kind, value = entry["type"], entry["input"]
    if kind == "unexpected_keyword_argument":
        return f"`{path}` is not known.{_nearest(entry['loc'], owner)}"
    if kind in ("missing", "missing_argument"):
        return f"`{path}` is missing."
    if kind == "value_error":
        where = f"in `{path}`: " if path else ""
        return f"{where}{entry['ctx']['error']}"
    if kind in _WORDS:
        return f"`{path}` {_WORDS[kind]}, but is {_shown(value)}."
    return f"`{path}`: {entry['msg']}, but it is {_shown(value)}."


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _path_text(place: tuple[str | int, ...]) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _nearest(place: tuple[str | int, ...], owner: type) -> str:
    below = class_at(owner, place[:-1])
    known = [field.name for field in fields(below)] + (["provenance"] if below is owner else [])
    close = get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f" Did you mean `{close[0]}`?" if close else f" Known are {', '.join(known)}."


def _checked_marks(marks: object, table: dict[str, Any], owner: type, problems: list[str]) -> dict[str, Mark]:
    """Marks by path: `given` for what stands in the file, `default` for the rest, and what `[provenance]` says."""
    known = leaf_paths(owner)
    checked = {path: Mark("given" if _stands(table, path.split(".")) else "default") for path in known}
    if not isinstance(marks, dict):
        problems.append(f"`provenance` must be a table, but is {_shown(marks)}.")
        return checked
    for path, text in marks.items():
        if path not in known:
            close = get_close_matches(path, known, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            problems.append(f"`provenance` marks `{path}`, which is not known.{hint}")
        elif not isinstance(text, str):
            problems.append(f"in `provenance`: `{path}` must be text, but is {_shown(text)}.")
        else:
            try:
                checked[path] = parse_mark(text)
            except InputError as error:
                problems.append(f"in `provenance`: `{path}`: {error}")
    return checked


def _stands(table: object, steps: list[str]) -> bool:
    if not steps:
        return True
    if isinstance(table, list):
        return any(_stands(item, steps) for item in table)
    return isinstance(table, dict) and steps[0] in table and _stands(table[steps[0]], steps[1:])
