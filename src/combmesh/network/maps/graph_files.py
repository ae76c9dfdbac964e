"""Graphs: GraphML and GML by networkx, node-link JSON as it stands."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from combmesh.ground.errors import InputError
from combmesh.network.maps.raw import COUNTRY, RawMap, link_from, site_from, text


def read_graphml(content: str, name: str) -> RawMap:
    """GraphML, with yFiles labels as the Internet Topology Zoo writes them; drawing positions are not read."""
    import networkx as nx

    try:
        graph = nx.parse_graphml(content, force_multigraph=True)
    except (nx.NetworkXError, SyntaxError, KeyError, ValueError, TypeError) as error:  # ParseError is a SyntaxError
        raise InputError(f"Map {name!r} cannot be read as GraphML: {_one_line(error)}.") from error
    return _from_graph(graph, name, "GraphML")


def read_gml(content: str, name: str) -> RawMap:
    """GML, also where parallel links are not announced."""
    import networkx as nx

    if not re.search(r"^\s*multigraph\s+1", content, re.MULTILINE):
        content = re.sub(r"\bmultigraph\s+0\b", "", content)
        content = re.sub(r"\bgraph\s*\[", "graph [\nmultigraph 1\n", content, count=1)
    try:
        graph = nx.parse_gml(content, label="id")
    except (nx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"Map {name!r} cannot be read as GML: {_one_line(error)}.") from error
    return _from_graph(graph, name, "GML")


def read_node_link(table: Mapping[str, Any], name: str) -> RawMap:
    """Node-link JSON, links under `edges` (topohub) or `links`; `graph.demands` is read where it is there."""
    nodes, links = table.get("nodes"), table.get("edges", table.get("links"))
    if not isinstance(nodes, list) or not isinstance(links, list):
        raise InputError(f"Map {name!r} must have a list `nodes` and a list `edges` or `links`.")
    graph = table.get("graph")
    attributes = graph if isinstance(graph, dict) else {}
    sites = [(_key(node, "id", name), node) for node in nodes]
    edges = [(_key(link, "source", name), _key(link, "target", name), link) for link in links]
    directed = table.get("directed") is True
    demands = attributes.get("demands")
    return _raw(attributes, sites, edges, name, "node-link JSON", directed, _demands(demands))


def _from_graph(graph: Any, name: str, source_format: str) -> RawMap:
    nodes = ((str(key), attributes) for key, attributes in graph.nodes(data=True))
    edges = ((str(a), str(b), attributes) for a, b, attributes in graph.edges(data=True))
    return _raw(graph.graph, nodes, edges, name, source_format, graph.is_directed(), ())


def _raw(
    graph: Mapping[str, Any],
    nodes: Iterable[tuple[str, Mapping[str, Any]]],
    edges: Iterable[tuple[str, str, Mapping[str, Any]]],
    name: str,
    source_format: str,
    directed: bool,
    demands: tuple[tuple[str, str, float], ...],
) -> RawMap:
    about = {str(key).lower(): value for key, value in graph.items()}
    country = text(about, COUNTRY)
    sites = tuple(site_from(key, attributes, country) for key, attributes in nodes)
    links = tuple(link_from(a, b, attributes) for a, b, attributes in edges)
    return RawMap(text(about, ("name", "network")) or name, source_format, sites, links, directed, (), demands)


def _demands(table: Any) -> tuple[tuple[str, str, float], ...]:
    if not isinstance(table, dict):
        return ()
    return tuple(
        (str(a), str(b), float(amount))
        for a, others in table.items()
        if isinstance(others, dict)
        for b, amount in others.items()
        if isinstance(amount, int | float)
    )


def _key(entry: Any, field: str, name: str) -> str:
    if not isinstance(entry, dict) or field not in entry:
        raise InputError(f"Map {name!r} has a node or link without `{field}`.")
    return str(entry[field])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
