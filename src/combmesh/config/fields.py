"""The fields of the configuration: their paths, units and descriptions, read from the classes themselves."""

import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

UNITS = {
    "db_km": "dB/km",
    "ps2_km": "ps²/km",
    "ps_km_k": "ps/km/K",
    "m2_w": "m²/W",
    "um2": "µm²",
    "hz_sqrt_s": "Hz/√s",
    "k_sqrt_s": "K/√s",
    "hz_k": "Hz/K",
    "hz_s": "Hz/s",
    "k_s": "K/s",
    "rad_s": "rad/s",
    **{name: name for name in ("km", "ps", "ns", "s", "h", "nm", "rad", "ppm", "mm")},
    **{name.lower(): name for name in ("dB", "Hz", "kHz", "MHz", "GHz", "THz", "K", "mK", "V", "W", "mW")},
    "us": "µs",
    "uw": "µW",
    "bits": "bit",
    "bps": "bit/s",
}
"""Units by the ending of a name; the longest that fits counts."""


def unit_of(name: str) -> str:
    """The unit that a field's name carries, or nothing.

    >>> unit_of("attenuation_db_km"), unit_of("fibre_km"), unit_of("hours"), unit_of("seed")
    ('dB/km', 'km', 'h', '')
    """
    if name == "hours":
        return "h"
    fitting = [ending for ending in UNITS if name.endswith("_" + ending)]
    return UNITS[max(fitting, key=len)] if fitting else ""


def inner_class(annotation: Any) -> Any:
    """The dataclass in `Table`, `Table | None`, `tuple[Table, ...]` or `dict[str, Table]`; None for a plain value."""
    if is_dataclass(annotation):
        return annotation
    for part in get_args(annotation):
        if is_dataclass(part):
            return part
    return None


def leaf_paths(owner: Any) -> list[str]:
    """Paths of all plain values below a configuration class."""
    hints = get_type_hints(owner)
    paths = []
    for field in fields(owner):
        below = inner_class(hints[field.name])
        paths += [f"{field.name}.{leaf}" for leaf in leaf_paths(below)] if below else [field.name]
    return paths


def class_at(owner: Any, place: tuple[str | int, ...]) -> Any:
    """The class that a place in the file belongs to."""
    a_key_is_next = False
    for step in place:
        if a_key_is_next or not isinstance(step, str):
            a_key_is_next = False
            continue
        annotation = get_type_hints(owner)[step]
        owner = inner_class(annotation)
        a_key_is_next = get_origin(annotation) is dict
    return owner


def descriptions(owner: Any) -> dict[str, str]:
    """What a class says of its attributes in its docstring: one text for each name."""
    _, _, listed = inspect.cleandoc(owner.__doc__ or "").partition("Attributes:\n")
    texts: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", listed.split("\n\n")[0]):
        names, _, text = entry.strip().partition(": ")
        for name in names.split(", "):
            texts[name] = " ".join(text.split())
    return texts
