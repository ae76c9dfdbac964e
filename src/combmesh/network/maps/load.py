"""One way in: a file of any format that is known, or the name of a published topology."""

import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from combmesh.ground.errors import CombmeshError, InputError
from combmesh.network.maps.build import build_map
from combmesh.network.maps.fibre_map import FibreMap, MapRules
from combmesh.network.maps.geojson import read_geojson
from combmesh.network.maps.gnpy import read_gnpy
from combmesh.network.maps.graph_files import read_gml, read_graphml, read_node_link
from combmesh.network.maps.places import Position, find_positions, read_positions
from combmesh.network.maps.raw import RawMap
from combmesh.network.maps.sndlib import read_native, read_xml

FORMATS = "GraphML, GML, node-link JSON, SNDlib (native or XML), GeoJSON or gnpy JSON"
TOPOHUB = "topohub:"
LARGEST_BYTES = 100_000_000


def read_map(
    source: Path | str, rules: MapRules = MapRules(), positions: Path | str | Mapping[str, Position] | None = None
) -> FibreMap:
    """The map in a file, or a published one by name, such as `topohub:sndlib/germany50`.

    Args:
        source: path of the file, or a name that begins with `topohub:`.
        rules: what fills in what the file does not say.
        positions: for sites without any: a CSV file with name, latitude, longitude, or a table by name.
    """
    raw = read_topohub(str(source)) if str(source).startswith(TOPOHUB) else read_file(Path(source))
    given = read_positions(positions) if isinstance(positions, Path | str) else positions or {}
    return build_map(raw, rules, find_positions(raw, given))


def read_file(path: Path) -> RawMap:
    """What a file says, as it is."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"The map `{path}` must be at most {LARGEST_BYTES} bytes, but has {path.stat().st_size}.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The map `{path}` cannot be read: {error.strerror}.") from error
    try:
        return parse_map(content.decode("utf-8-sig"), path.stem)
    except UnicodeDecodeError as error:
        raise InputError(f"The map `{path}` must be UTF-8 text, but byte {error.start} is not.") from error


def parse_map(content: str, name: str) -> RawMap:
    """What a text says; the format is told by the text itself."""
    try:
        return _parse(content, name)
    except CombmeshError:
        raise
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"Map {name!r} is damaged: {type(error).__name__}, {error}.") from error


def _parse(content: str, name: str) -> RawMap:
    start = content.lstrip()
    if start.startswith("<"):
        return _parse_xml(start, name)
    if start.startswith("{"):
        return _parse_json(content, name)
    if start.startswith("?SNDlib") or re.search(r"^\s*NODES\s*\(", content, re.MULTILINE):
        return read_native(content, name)
    if re.search(r"^\s*graph\s*\[", content, re.MULTILINE):
        return read_gml(content, name)
    raise unknown(name)


def read_topohub(source: str) -> RawMap:
    """A topology of the package topohub by its key."""
    key = source.removeprefix(TOPOHUB)
    try:
        library = import_module("topohub")
    except ImportError as error:
        raise InputError(f"The map {source!r} needs the package topohub: `pip install combmesh[maps]`.") from error
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", key) or ".." in key:
        raise InputError(f"The name of a topology must be as `topohub:sndlib/germany50`, but is {source!r}.")
    try:
        table = library.get(key)
    except (KeyError, OSError, ValueError) as error:
        raise InputError(f"The package topohub has no topology {key!r}.") from error
    return read_node_link(table, key)


def unknown(name: str) -> InputError:
    """What to raise about a format that is not known."""
    return InputError(f"The format of map {name!r} is not known: it must be {FORMATS}.")


def _parse_xml(content: str, name: str) -> RawMap:
    try:
        root = ElementTree.fromstring(content.encode())
    except ElementTree.ParseError as error:
        raise InputError(f"Map {name!r} is no well-formed XML: {error}.") from error
    tag = root.tag.rpartition("}")[2]
    if tag == "graphml":
        return read_graphml(content, name)
    if tag == "network":
        return read_xml(root, name)
    raise unknown(name)


def _parse_json(content: str, name: str) -> RawMap:
    try:
        table: Any = json.loads(content)
    except ValueError as error:
        raise InputError(f"Map {name!r} is no well-formed JSON: {error}.") from error
    if table.get("type") == "FeatureCollection":
        return read_geojson(table, name)
    if isinstance(table.get("elements"), list) and isinstance(table.get("connections"), list):
        return read_gnpy(table, name)
    if "nodes" in table:
        return read_node_link(table, name)
    raise unknown(name)
