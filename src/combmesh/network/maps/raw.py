"""What a reader hands on: sites and links as the file has them, nothing filled in; how attributes are understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from combmesh.ground.errors import InputError

LATITUDE = ("latitude", "lat")
LONGITUDE = ("longitude", "lon", "lng", "long")
LENGTH_KM = ("length_km", "distance_km", "dist_km", "dist", "length", "distance")
LENGTH_M = ("length_m", "distance_m", "dist_m")
UNITS_KM = {"km": 1.0, "m": 1e-3}
LOSS = ("loss_db", "attenuation_db", "loss")
ATTENUATION = ("attenuation_db_km", "loss_coef", "loss_db_km")
COUNTRY = ("geocode_country", "country", "geolocation")
NO_PLACE = (0.0, 0.0)
"""In the Gulf of Guinea: what a file holds where a position was never filled in."""


@dataclass(frozen=True)
class RawSite:
    """A site as the file has it.

    Attributes:
        key: what links call it.
        name: what people call it; may stand in the file twice.
        latitude, longitude: as in the file, unchecked; None where it has none.
        place: name of the town, where it differs from the name.
        country: where it lies, if the file says so.
        role: as in `Site`.
        ours: False for a site of another network, beyond this one's edge.
    """

    key: str
    name: str
    latitude: float | None = None
    longitude: float | None = None
    place: str = ""
    country: str = ""
    role: str = "node"
    ours: bool = True


@dataclass(frozen=True)
class RawLink:
    """A link as the file has it; None where it says nothing.

    Attributes:
        a, b: keys of the sites.
        length_km: length that stands in the file, km.
        drawn_km: length of the line that the file draws, km.
        loss_db: loss of the whole span, connectors included, dB.
        attenuation_db_km: loss of the fibre, dB/km.
        connectors: number of connectors.
        connector_loss_db: loss of all of them together, dB.
        other_loss_db: what else takes light, dB.
        is_fibre: the format says that `length_km` is the fibre's own.
    """

    a: str
    b: str
    length_km: float | None = None
    drawn_km: float | None = None
    loss_db: float | None = None
    attenuation_db_km: float | None = None
    connectors: int | None = None
    connector_loss_db: float | None = None
    other_loss_db: float = 0.0
    is_fibre: bool = False


@dataclass(frozen=True)
class RawMap:
    """A file as it is.

    Attributes:
        name: name of the map.
        source_format: name of the format.
        sites, links: what it holds.
        directed: links have a direction, so one there and one back are one fibre route.
        notes: sentences about what the reader left out.
        demands: (key, key, amount).
    """

    name: str
    source_format: str
    sites: tuple[RawSite, ...]
    links: tuple[RawLink, ...]
    directed: bool = False
    notes: tuple[str, ...] = ()
    demands: tuple[tuple[str, str, float], ...] = ()


def site_from(key: str, attributes: Mapping[str, Any], country: str = "") -> RawSite:
    """A site from the attributes of a graph's node; `country` is the whole graph's."""
    found = _lower(attributes)
    latitude, longitude = (number(found, names, f"site {key!r}") for names in (LATITUDE, LONGITUDE))
    position = found.get("pos")
    if latitude is None and isinstance(position, Sequence) and not isinstance(position, str) and len(position) == 2:
        longitude, latitude = (_finite(value, "pos", f"site {key!r}") for value in position)
    if (latitude, longitude) == NO_PLACE:
        latitude = longitude = None
    return RawSite(
        key,
        text(found, ("name", "label")) or key,
        latitude,
        longitude,
        text(found, ("geocode_name", "place", "city")),
        text(found, COUNTRY) or country,
        ours=text(found, ("internal",)).lower() not in ("0", "false"),
    )


def link_from(a: str, b: str, attributes: Mapping[str, Any]) -> RawLink:
    """A link from the attributes of a graph's edge. A bare `length` is in km unless `length_units` says m."""
    found, where = _lower(attributes), f"link {a!r} to {b!r}"
    unit = text(found, ("length_units", "length_unit", "unit")) or "km"
    if unit not in UNITS_KM:
        raise InputError(f"`length_units` of {where} must be km or m, but is {unit!r}.")
    length_km = number(found, LENGTH_KM, where)
    length_m = number(found, LENGTH_M, where)
    if length_km is not None:
        length_km *= UNITS_KM[unit]
    elif length_m is not None:
        length_km = 1e-3 * length_m
    connectors = number(found, ("connectors",), where)
    return RawLink(
        a,
        b,
        length_km,
        loss_db=number(found, LOSS, where),
        attenuation_db_km=number(found, ATTENUATION, where),
        connectors=None if connectors is None else int(connectors),
        connector_loss_db=number(found, ("connector_loss_db",), where),
        other_loss_db=number(found, ("other_loss_db",), where) or 0.0,
    )


def number(attributes: Mapping[str, Any], names: Sequence[str], where: str) -> float | None:
    """The first of the attributes that is there, as a number; an empty one is not there."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return _finite(value, name, where)
    return None


def text(attributes: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of the attributes that is not empty, as text."""
    found = (str(attributes[name]).strip() for name in names if attributes.get(name) is not None)
    return next((value for value in found if value), "")


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "span"), counted(2, "span")
    ('1 span', '2 spans')
    """
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _finite(value: Any, name: str, where: str) -> float:
    try:
        read = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` of {where} must be a number, but is {value!r}.") from error
    if not isfinite(read):
        raise InputError(f"`{name}` of {where} must be a finite number, but is {value}.")
    return read


def _lower(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in attributes.items()}
