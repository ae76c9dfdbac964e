"""GeoJSON (RFC 7946): points are sites, lines are fibres along the route that they draw."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from combmesh.ground.errors import InputError
from combmesh.network.maps.fibre_map import great_circle_km
from combmesh.network.maps.raw import RawLink, RawMap, RawSite, counted, link_from, site_from, text

NEAR_KM = 0.5
"""A line ends at the nearest site within this distance, or at a site of its own."""

FROM = ("from", "source", "a", "start")
TO = ("to", "target", "b", "end")
_WGS84 = ("CRS84", "4326")

Point = tuple[float, float]
"""(longitude, latitude), degrees."""


def read_geojson(table: Mapping[str, Any], name: str) -> RawMap:
    """A FeatureCollection. A line's ends are named by `from` and `to`, or found by where it begins and ends."""
    if isinstance(crs := table.get("crs"), dict) and not any(known in str(crs) for known in _WGS84):
        raise InputError(f"Map {name!r} must have longitudes and latitudes (WGS 84), but its `crs` is another.")
    features = table.get("features")
    if not isinstance(features, list):
        raise InputError(f"Map {name!r} must have a list `features`.")
    sites: dict[str, RawSite] = {}
    lines: list[tuple[list[list[Point]], Mapping[str, Any]]] = []
    skipped = 0
    for number, feature in enumerate(features, 1):
        kind, coordinates, about = _feature(feature, number, name)
        if kind == "Point":
            site = _site(_point(coordinates, name), number, about)
            sites[site.key] = site
        elif kind in ("LineString", "MultiLineString"):
            parts = [coordinates] if kind == "LineString" else coordinates
            lines.append(([[_point(place, name) for place in part] for part in parts], about))
        else:
            skipped += 1
    links = [_link(parts, about, sites, name) for parts, about in lines]
    notes = (f"{counted(skipped, 'feature')} neither point nor line, left out.",) if skipped else ()
    return RawMap(text(table, ("name",)) or name, "GeoJSON", tuple(sites.values()), tuple(links), notes=notes)


def _feature(feature: Any, number: int, name: str) -> tuple[str, Any, Mapping[str, Any]]:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        return "", None, {}
    about = feature.get("properties") or {}
    if not isinstance(about, dict) or "coordinates" not in geometry:
        raise InputError(
            f"Feature {number} of map {name!r} must have `coordinates`, and `properties` that are a table."
        )
    return str(geometry.get("type")), geometry["coordinates"], {str(key).lower(): value for key, value in about.items()}


def _site(place: Point, number: int, about: Mapping[str, Any]) -> RawSite:
    label = text(about, ("name", "label", "id")) or f"site {number}"
    key = text(about, ("id",)) or label
    return site_from(key, {**about, "name": label, "longitude": place[0], "latitude": place[1]})


def _link(parts: list[list[Point]], about: Mapping[str, Any], sites: dict[str, RawSite], name: str) -> RawLink:
    places = [place for part in parts for place in part]
    if len(places) < 2:
        raise InputError(f"Map {name!r} has a line with fewer than 2 points.")
    a = _end(text(about, FROM), places[0], sites)
    b = _end(text(about, TO), places[-1], sites)
    link = link_from(a, b, about)
    drawn_km = sum(great_circle_km(p[1], p[0], q[1], q[0]) for part in parts for p, q in pairwise(part))
    bends = len(places) > 2
    return RawLink(
        a,
        b,
        link.length_km,
        drawn_km if bends else None,
        link.loss_db,
        link.attenuation_db_km,
        link.connectors,
        link.connector_loss_db,
        link.other_loss_db,
    )


def _end(named: str, place: Point, sites: dict[str, RawSite]) -> str:
    for key in _named(named, sites):
        return key
    near = [
        (great_circle_km(place[1], place[0], latitude, longitude), key) for key, latitude, longitude in _places(sites)
    ]
    if near and min(near)[0] <= NEAR_KM and not named:
        return min(near)[1]
    key = named or f"{place[1]:.4f} {place[0]:.4f}"
    sites[key] = RawSite(key, key, place[1], place[0])
    return key


def _named(named: str, sites: Mapping[str, RawSite]) -> Iterator[str]:
    if named:
        yield from (key for key, site in sites.items() if named in (key, site.name))


def _places(sites: Mapping[str, RawSite]) -> Iterator[tuple[str, float, float]]:
    for key, site in sites.items():
        if site.latitude is not None and site.longitude is not None and abs(site.latitude) <= 90.0:
            yield key, site.latitude, site.longitude


def _point(place: Any, name: str) -> Point:
    if (
        not isinstance(place, Sequence)
        or len(place) < 2
        or not all(isinstance(value, int | float) for value in place[:2])
    ):
        raise InputError(f"Map {name!r} must have positions [longitude, latitude], but has {place!r}.")
    return float(place[0]), float(place[1])
