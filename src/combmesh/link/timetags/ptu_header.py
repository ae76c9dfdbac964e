"""The tagged header of PicoQuant's files: read into a mapping, and written.

Facts of the layout from PicoQuant's public demos (github PicoQuant/PicoQuant-Time-Tagged-File-Format-Demos): 8 bytes of
magic, 8 of version, then tags of 48 bytes: name (32), index (int32, -1 for none), type (uint32) and a value or the
length of what follows (8). The tag `Header_End` closes the header; the records follow.
"""

import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import read_bytes

MAGIC = b"PQTTTR\0\0"
_TAG = struct.Struct("<32siI8s")
_EMPTY, _BOOL, _INT, _BITS, _COLOR = 0xFFFF0008, 0x00000008, 0x10000008, 0x11000008, 0x12000008
_FLOAT, _TIME, _FLOATS, _ANSI, _WIDE, _BLOB = 0x20000008, 0x21000008, 0x2001FFFF, 0x4001FFFF, 0x4002FFFF, 0xFFFFFFFF
_TYPES = (_EMPTY, _BOOL, _INT, _BITS, _COLOR, _FLOAT, _TIME, _FLOATS, _ANSI, _WIDE, _BLOB)
_LONG = (_FLOATS, _ANSI, _WIDE, _BLOB)
_HEADER_BYTES = 1 << 24  # a header is a few kB; more than this is no header


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The tags by their names, `Name(index)` where a tag has an index, and the byte where the records begin.

    Raises InputError where the file does not begin as a PTU file, the header is cut or a tag is of an unknown type.
    """
    data = read_bytes(path, _HEADER_BYTES)
    if not data.startswith(MAGIC):
        raise InputError(f"`{path}` is not a PTU file: it begins with {data[:8]!r} instead of {MAGIC!r}.")
    tags: dict[str, Any] = {"PTU_version": _text(data[8:16], "latin-1")}
    place = 16
    while True:
        if place + _TAG.size > len(data):
            raise InputError(f"The header of `{path}` is cut after {len(data)} bytes: `Header_End` is missing.")
        raw_name, index, kind, value = _TAG.unpack_from(data, place)
        name = _text(raw_name, "latin-1") + (f"({index})" if index >= 0 else "")
        if kind not in _TYPES:
            raise InputError(f"In the header of `{path}` the tag `{name}` has the unknown type 0x{kind:08X}.")
        place += _TAG.size
        if kind in _LONG:
            length = int.from_bytes(value, "little")
            if length > len(data) - place:
                raise InputError(f"The header of `{path}` is cut in the tag `{name}` of {length} bytes.")
            value = data[place : place + length]
            place += length
        if name == "Header_End":
            return tags, place
        tags[name] = _value(kind, value)


def write_header(tags: dict[str, bool | int | float | str]) -> bytes:
    """The header with these tags, each of the type of its value, up to and with `Header_End`."""
    parts = [MAGIC, b"1.0.00\0\0"]
    for name, value in tags.items():
        parts.append(_written(name, value))
    parts.append(_TAG.pack(b"Header_End", -1, _EMPTY, bytes(8)))
    return b"".join(parts)


def _written(name: str, value: bool | int | float | str) -> bytes:
    if isinstance(value, str):
        text = value.encode("latin-1", "replace") + b"\0"
        text += bytes(-len(text) % 8)
        return _TAG.pack(name.encode(), -1, _ANSI, struct.pack("<q", len(text))) + text
    if isinstance(value, bool):
        return _TAG.pack(name.encode(), -1, _BOOL, struct.pack("<q", -value))
    if isinstance(value, int):
        return _TAG.pack(name.encode(), -1, _INT, struct.pack("<q", value))
    return _TAG.pack(name.encode(), -1, _FLOAT, struct.pack("<d", value))


def _value(kind: int, raw: bytes) -> Any:
    """A tag's value as what JSON knows: a blob becomes its hexadecimal digits."""
    if kind == _EMPTY:
        return None
    if kind == _BOOL:
        return any(raw)
    if kind in (_INT, _BITS, _COLOR):
        return int.from_bytes(raw, "little", signed=kind == _INT)
    if kind == _FLOAT:
        return struct.unpack("<d", raw)[0]
    if kind == _TIME:
        return _day(struct.unpack("<d", raw)[0])
    if kind == _FLOATS:
        return [number for (number,) in struct.iter_unpack("<d", raw[: len(raw) // 8 * 8])]
    if kind == _BLOB:
        return raw.hex()
    return _text(raw, "utf-16-le" if kind == _WIDE else "cp1252")


def _text(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, "replace").split("\0", 1)[0]


def _day(days: float) -> str | float:
    """Days since 30 December 1899 as date and time of day; the number itself where that is no date."""
    try:
        return (datetime(1899, 12, 30) + timedelta(days=days)).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):
        return days
