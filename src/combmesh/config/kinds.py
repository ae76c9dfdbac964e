"""What kind a file is: the table that only this kind has, the class that describes it, and the verb that reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from combmesh.ground.errors import InputError


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        table: a table that every file of this kind has, and that no other kind has at the top.
        words: what such a file is.
        verb: the command that reads it.
        classes: full names of the classes that describe it, by `protocol`; a file that names none is of the first.
    """

    table: str
    words: str
    verb: str
    classes: Mapping[str, str]


KINDS: tuple[Kind, ...] = (
    Kind(
        "counts",
        "table of counts",
        "key",
        {
            "mdi": "combmesh.protocol.mdi.files.counts.CountTable",
            "mode-pairing": "combmesh.protocol.mode_pairing.files.PairCountTable",
        },
    ),
    Kind("users", "network file", "run", {"mdi": "combmesh.network.topology.Network"}),
    Kind("terminals", "file of terminals", "lock", {"mdi": "combmesh.device.locks.file.LockFile"}),
    Kind("ring", "file of a comb", "comb", {"mdi": "combmesh.device.comb_file.CombFile"}),
    Kind(
        "arm",
        "link file",
        "rate",
        {
            "mdi": "combmesh.protocol.mdi.files.link.LinkFile",
            "mode-pairing": "combmesh.protocol.mode_pairing.files.PairLinkFile",
        },
    ),
)


def checked_kind(table: dict[str, Any], path: Path, words: str) -> dict[str, Any]:
    """The same `table`; refused if it is of another kind than `words` says."""
    wanted = next(kind for kind in KINDS if kind.words == words)
    found = kind_of(table)
    if wanted.table not in table and found is not None:
        raise InputError(f"`{path}` is a {found.words} and no {words}; `combmesh {found.verb}` reads it.")
    return table


def kind_of(table: Mapping[str, Any]) -> Kind | None:
    """The kind of a file, None if it has no table that tells."""
    return next((kind for kind in KINDS if kind.table in table), None)


def class_for(table: Mapping[str, Any], words: str, path: Path) -> Any:
    """The class that describes a file of a kind, by the protocol that it names."""
    from importlib import import_module

    kind = next(kind for kind in KINDS if kind.words == words)
    name = table.get("protocol", next(iter(kind.classes)))
    if not isinstance(name, str) or name not in kind.classes:
        raise InputError(f"`{path}`: `protocol` must be {' or '.join(kind.classes)}, but is {name!r}.")
    module, _, owner = kind.classes[name].rpartition(".")
    return getattr(import_module(module), owner)
