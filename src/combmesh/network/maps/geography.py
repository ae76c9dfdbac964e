"""What cannot be geography is refused: positions of a drawing, lengths that no fibre has."""

from collections.abc import Mapping, Sequence
from statistics import median

from combmesh.ground.errors import InputError
from combmesh.network.maps.fibre_map import Site, great_circle_km
from combmesh.network.maps.raw import RawLink, RawMap

LONGEST_SPAN_KM = 30_000.0
"""Half the Earth's circumference times a route factor of 1.5."""

NEAREST_NEIGHBOURS_KM = 1500.0
"""A map whose nearest neighbours are farther apart than this shows no network of fibres."""

SHORT_SHARE, SHORT_KM = 0.9, 2.0
"""A fibre shorter than 0.9 of its great circle less 2 km is impossible, positions being rounded to 0.01 degree."""

CIRCLE_SHARE, CIRCLE_KM = 0.005, 1.0
"""A length within 0.5 % and 1 km of the great circle is one: Earth radii and rounded positions differ by as much."""

MOST_CIRCLES = 0.9
MOST_DETOUR = 10.0
_FIBRE_KM = 1.0


def check_positions(raw: RawMap) -> None:
    """Refuse latitudes beyond 90 and longitudes beyond 180 degrees."""
    placed = [site for site in raw.sites if site.latitude is not None and site.longitude is not None]
    off = [site for site in placed if abs(site.latitude or 0.0) > 90.0 or abs(site.longitude or 0.0) > 180.0]
    if off:
        first = off[0]
        raise InputError(
            f"Map {raw.name!r} cannot be geography: {len(off)} of {len(placed)} positions lie off the Earth, as that "
            f"of {first.name!r} at latitude {first.latitude:g} and longitude {first.longitude:g}: a drawing."
        )


def great_circles(placed: Mapping[str, Site], links: Sequence[RawLink]) -> list[float | None]:
    """Great circle between the ends of each link, km; None where a position is missing."""
    circles: list[float | None] = []
    for link in links:
        a, b = placed[link.a], placed[link.b]
        if a.latitude is None or a.longitude is None or b.latitude is None or b.longitude is None:
            circles.append(None)
        else:
            circles.append(great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude))
    return circles


def check_lengths(raw: RawMap, circles: Sequence[float | None]) -> None:
    """Refuse lengths that are no fibre's: negative, around the world, between neighbours all far apart, off scale."""
    lengths = [link.length_km for link in raw.links if link.length_km is not None]
    for link in raw.links:
        if link.length_km is not None and not 0.0 <= link.length_km <= LONGEST_SPAN_KM:
            raise InputError(
                f"The length of link {link.a!r} to {link.b!r} of map {raw.name!r} must be 0 to {LONGEST_SPAN_KM:g} km, "
                f"but is {link.length_km:g}."
            )
    known = lengths or [circle for circle in circles if circle is not None]
    if known and min(known) > NEAREST_NEIGHBOURS_KM:
        raise InputError(
            f"Map {raw.name!r} cannot be geography: neighbours are {min(known):.0f} to {max(known):.0f} km apart, and "
            f"not two of them within {NEAREST_NEIGHBOURS_KM:g} km."
        )
    short = len(too_short(raw.links, circles))
    compared = [
        (link.length_km, circle)
        for link, circle in zip(raw.links, circles, strict=True)
        if link.length_km is not None and circle is not None and circle > _FIBRE_KM
    ]
    if compared and 2 * short > len(compared):
        raise InputError(
            f"Map {raw.name!r} cannot be geography: {short} of {len(compared)} lengths are shorter than the great "
            "circles between their ends; positions or lengths are not what they seem."
        )
    if compared and (detour := median(length / circle for length, circle in compared)) > MOST_DETOUR:
        raise InputError(
            f"Map {raw.name!r} must have lengths in km, but half of them are more than {detour:.0f} times the great "
            "circle between their ends."
        )


def too_short(links: Sequence[RawLink], circles: Sequence[float | None]) -> list[RawLink]:
    """Links whose length in the file is less than any fibre's between their positions."""
    return [
        link
        for link, circle in zip(links, circles, strict=True)
        if link.length_km is not None and circle is not None and link.length_km < SHORT_SHARE * circle - SHORT_KM
    ]


def are_great_circles(links: Sequence[RawLink], circles: Sequence[float | None]) -> bool:
    """Whether nearly all lengths in the file equal the great circles: then they are no fibres' lengths."""
    compared = [
        abs(link.length_km - circle) <= CIRCLE_KM + CIRCLE_SHARE * circle
        for link, circle in zip(links, circles, strict=True)
        if link.length_km is not None and circle is not None and circle > _FIBRE_KM and not link.is_fibre
    ]
    return bool(compared) and sum(compared) >= MOST_CIRCLES * len(compared)
