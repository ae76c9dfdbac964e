"""SNDlib networks, native and XML (Orlowski et al., Networks 55, 276 (2010)).

Both give positions and links but no lengths. `coordinatesType="pixel"` in XML is a drawing; native files do not say.
"""

import re
from xml.etree import ElementTree

from combmesh.ground.errors import InputError
from combmesh.network.maps.raw import RawLink, RawMap, RawSite

_SECTION = re.compile(r"^\s*(NODES|LINKS|DEMANDS)\s*\(\s*$(.*?)^\s*\)\s*$", re.MULTILINE | re.DOTALL)
_NODE = re.compile(r"^\s*(\S+)\s*\(\s*(\S+)\s+(\S+)\s*\)")
_LINK = re.compile(r"^\s*(\S+)\s*\(\s*(\S+)\s+(\S+)\s*\)")
_DEMAND = re.compile(r"^\s*(\S+)\s*\(\s*(\S+)\s+(\S+)\s*\)\s+(\S+)\s+(\S+)")


def read_native(content: str, name: str) -> RawMap:
    """SNDlib's own format: sections NODES, LINKS and DEMANDS, `#` begins a comment."""
    bare = re.sub(r"#.*", "", content)
    sections = {keyword: body.splitlines() for keyword, body in _SECTION.findall(bare)}
    if "NODES" not in sections or "LINKS" not in sections:
        raise InputError(f"Map {name!r} must have the sections NODES and LINKS of SNDlib's native format.")
    nodes = [_fields(_NODE, line, "NODES", name) for line in sections["NODES"] if line.strip()]
    links = [_fields(_LINK, line, "LINKS", name) for line in sections["LINKS"] if line.strip()]
    demands = [_fields(_DEMAND, line, "DEMANDS", name) for line in sections.get("DEMANDS", []) if line.strip()]
    sites = tuple(RawSite(key, key, _number(y, key), _number(x, key)) for key, x, y in nodes)
    wanted = tuple((a, b, _number(amount, key)) for key, a, b, _, amount in demands)
    return RawMap(name, "SNDlib native", sites, tuple(RawLink(a, b) for _, a, b in links), demands=wanted)


def read_xml(root: ElementTree.Element, name: str) -> RawMap:
    """SNDlib's XML."""
    nodes = root.find("{*}networkStructure/{*}nodes")
    links = root.find("{*}networkStructure/{*}links")
    if nodes is None or links is None:
        raise InputError(f"Map {name!r} must have `networkStructure` with `nodes` and `links`, as SNDlib writes it.")
    if nodes.get("coordinatesType", "geographical") != "geographical":
        raise InputError(
            f"Map {name!r} must have geographical coordinates, but `coordinatesType` is "
            f"{nodes.get('coordinatesType')!r}: its positions are those of a drawing."
        )
    sites = tuple(_xml_site(node, name) for node in nodes.findall("{*}node"))
    ends = tuple(
        RawLink(_child(link, "source", name), _child(link, "target", name)) for link in links.findall("{*}link")
    )
    demands = tuple(
        (
            _child(entry, "source", name),
            _child(entry, "target", name),
            _number(_child(entry, "demandValue", name), name),
        )
        for entry in root.findall("{*}demands/{*}demand")
    )
    return RawMap(name, "SNDlib XML", sites, ends, demands=demands)


def _xml_site(node: ElementTree.Element, name: str) -> RawSite:
    key = node.get("id", "")
    where = node.find("{*}coordinates")
    if where is None:
        return RawSite(key, key)
    return RawSite(key, key, _number(_child(where, "y", name), key), _number(_child(where, "x", name), key))


def _child(element: ElementTree.Element, tag: str, name: str) -> str:
    child = element.find("{*}" + tag)
    if child is None or not (child.text or "").strip():
        raise InputError(f"Map {name!r} has an element without `{tag}`.")
    return str(child.text).strip()


def _fields(pattern: re.Pattern[str], line: str, section: str, name: str) -> tuple[str, ...]:
    found = pattern.match(line)
    if not found:
        raise InputError(f"Map {name!r} has a line in {section} that cannot be read: {line.strip()!r}.")
    return found.groups()


def _number(value: str, where: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise InputError(f"{where!r} must have numbers, but has {value!r}.") from error
