"""gnpy networks (Telecom Infra Project): ROADMs and transceivers are nodes, what stands between fibres is a hut.

A line there and a line back, span by span the same, are one route of fibres; the one with more loss counts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
from combmesh.ground.errors import InputError
from combmesh.network.maps.fibre_map import MapRules
from combmesh.network.maps.raw import UNITS_KM, RawLink, RawMap, RawSite, counted, number

_FIBRES = ("Fiber", "RamanFiber")
_MOST_ELEMENTS = 10_000
FUSED_DB = 1.0
"""Loss of a splice (`Fused`) that states none: gnpy's own default, recalled."""


@dataclass(frozen=True)
class _Chain:
    """From one ROADM to the next: fibres, the places between them, and what splices (`Fused`) beside each take, dB."""

    start: str
    end: str
    fibres: tuple[str, ...]
    huts: tuple[str, ...]
    fused_db: tuple[float, ...]


def read_gnpy(table: Mapping[str, Any], name: str) -> RawMap:
    """A network of gnpy. Amplifiers are no part of a quantum channel: they are counted in a note."""
    elements = _elements(table, name)
    after = _after(table, elements, name)
    kinds = Counter(element["type"] for element in elements.values())
    ends = "Roadm" if kinds["Roadm"] else "Transceiver"
    nodes = [uid for uid, element in elements.items() if element["type"] == ends]
    chains = [chain for uid in nodes for chain in _chains(uid, elements, after, ends, name)]
    sites = {uid: _site(uid, elements[uid], _city(uid, elements[uid])) for uid in nodes}
    links: list[RawLink] = []
    for there, back in _pairs(chains):
        huts = _huts(there, sites)
        sites |= {hut.key: hut for hut in (_hut(uid, key, elements) for uid, key in zip(there.huts, huts, strict=True))}
        keys = (there.start, *huts, there.end)
        forth = _links(there, elements)
        if back is not None:
            forth = [_lossier(one, two) for one, two in zip(forth, reversed(_links(back, elements)), strict=True)]
        links += [replace(link, a=a, b=b) for link, (a, b) in zip(forth, pairwise(keys), strict=True)]
    bypassed = kinds["Edfa"] + kinds["Multiband_amplifier"]
    notes = [f"{counted(bypassed, 'amplifier')} to be bypassed by quantum channels; a bypass is taken to cost nothing."]
    padded = sum(bool((element.get("params") or {}).get("att_in")) for element in elements.values())
    if padded:
        notes.append(f"{counted(padded, 'fibre')} with attenuators (`att_in`) for amplifiers, bypassed with them.")
    fibres = sum(kinds[kind] for kind in _FIBRES)
    used = sum(len(chain.fibres) for chain in chains)
    if used < fibres:
        notes.append(f"{counted(fibres - used, 'fibre')} of {fibres} not between two nodes, left out.")
    return RawMap(
        str(table.get("network_name") or name), "gnpy JSON", tuple(sites.values()), tuple(links), notes=tuple(notes)
    )


def _elements(table: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    elements: dict[str, Mapping[str, Any]] = {}
    for element in table["elements"]:
        if not isinstance(element, dict) or "uid" not in element or "type" not in element:
            raise InputError(f"Map {name!r} has an element without `uid` or `type`.")
        if str(element["uid"]) in elements:
            raise InputError(f"Map {name!r} must name each element once, but {element['uid']!r} stands there twice.")
        elements[str(element["uid"])] = element
    return elements


def _after(table: Mapping[str, Any], elements: Mapping[str, Any], name: str) -> dict[str, list[str]]:
    after: dict[str, list[str]] = defaultdict(list)
    for connection in table["connections"]:
        ends = (
            [str(connection.get(field)) for field in ("from_node", "to_node")] if isinstance(connection, dict) else []
        )
        for end in ends:
            if end not in elements:
                raise InputError(f"Map {name!r} connects {end!r}, which is none of its elements.")
        if ends:
            after[ends[0]].append(ends[1])
    return after


def _chains(
    start: str, elements: Mapping[str, Any], after: Mapping[str, list[str]], ends: str, name: str
) -> list[_Chain]:
    chains = []
    for step in after.get(start, []):
        fibres: list[str] = []
        huts: list[str] = []
        fused_db: list[float] = []
        splices_db = 0.0
        uid, between = step, ""
        for _ in range(_MOST_ELEMENTS):
            kind = elements[uid]["type"]
            if kind in (ends, "Roadm", "Transceiver"):
                break
            if kind in _FIBRES:
                if fibres:
                    huts.append(between or uid)
                fibres.append(uid)
                share_db = splices_db / 2 if fused_db else splices_db  # half to each side: the same there and back
                fused_db[-1:] = [loss_db + share_db for loss_db in fused_db[-1:]]
                fused_db.append(share_db)
                between, splices_db = "", 0.0
            else:
                between = uid
                splices_db += _fused_db(uid, elements[uid]) if kind == "Fused" else 0.0
            following = after.get(uid, [])
            if len(following) != 1:
                raise InputError(f"Map {name!r} must have one way on from {uid!r}, but has {len(following)}.")
            uid = following[0]
        if fibres and elements[uid]["type"] == ends:
            fused_db[-1] += splices_db
            chains.append(_Chain(start, uid, tuple(fibres), tuple(huts), tuple(fused_db)))
    return chains


def _pairs(chains: list[_Chain]) -> list[tuple[_Chain, _Chain | None]]:
    """Each chain beside the one that leads back over as many fibres, if there is one."""
    waiting: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    pairs: list[tuple[_Chain, _Chain | None]] = []
    for chain in chains:
        back = waiting.get((chain.end, chain.start, len(chain.fibres)))
        if back:
            index = back.pop(0)
            pairs[index] = (pairs[index][0], chain)
        else:
            waiting[chain.start, chain.end, len(chain.fibres)].append(len(pairs))
            pairs.append((chain, None))
    return pairs


def _fused_db(uid: str, element: Mapping[str, Any]) -> float:
    loss_db = number(element.get("params") or {}, ("loss",), f"element {uid!r}")
    return FUSED_DB if loss_db is None else loss_db


def _links(chain: _Chain, elements: Mapping[str, Any]) -> list[RawLink]:
    return [_link(uid, elements[uid], lost_db) for uid, lost_db in zip(chain.fibres, chain.fused_db, strict=True)]


def _link(uid: str, element: Mapping[str, Any], fused_db: float) -> RawLink:
    """One fibre, its ends still open. `att_in` pads amplifiers and is not counted."""
    about = element.get("params") or {}
    where = f"fibre {uid!r}"
    length, unit = number(about, ("length",), where), about.get("length_units", "km")
    if length is None or unit not in UNITS_KM:
        raise InputError(f"The {where} must have a `length` in km or m, but has {length} in {unit!r}.")
    ends = [number(about, (field,), where) for field in ("con_in", "con_out")]
    lumped = sum(float(entry["loss"]) for entry in about.get("lumped_losses") or [])
    known = [loss for loss in ends if loss is not None]
    return RawLink(
        "",
        "",
        length * UNITS_KM[unit],
        attenuation_db_km=_attenuation(about.get("loss_coef"), where),
        connectors=2,
        connector_loss_db=sum(known) if len(known) == len(ends) else None,
        other_loss_db=lumped + fused_db,
        is_fibre=True,
    )


def _attenuation(value: Any, where: str) -> float | None:
    """`loss_coef`, dB/km; where it depends on frequency, what it is at the comb's pump."""
    if isinstance(value, dict):
        from numpy import interp

        curve = sorted(zip(value["frequency"], value["value"], strict=True))
        return float(interp(RUBIDIUM_PUMP_THZ * 1e12, [f for f, _ in curve], [loss for _, loss in curve]))
    return number({"loss_coef": value}, ("loss_coef",), where)


def _lossier(one: RawLink, two: RawLink) -> RawLink:
    default = MapRules().attenuation_db_km
    loss = [
        (link.length_km or 0.0) * (default if link.attenuation_db_km is None else link.attenuation_db_km)
        + (link.connector_loss_db or 0.0)
        + link.other_loss_db
        for link in (one, two)
    ]
    return one if loss[0] >= loss[1] else two


def _huts(chain: _Chain, sites: Mapping[str, RawSite]) -> list[str]:
    """Names of the huts of a chain, numbered between its ends."""
    a, b = sites[chain.start].name, sites[chain.end].name
    many = len(chain.huts)
    names = [f"{a} - {b} {i} of {many}" for i in range(1, many + 1)]
    twice = sum(1 for name in names if name in sites)
    return names if not twice else [f"{name} ({chain.fibres[0]})" for name in names]


def _hut(uid: str, key: str, elements: Mapping[str, Any]) -> RawSite:
    return replace(_site(uid, elements[uid], key), key=key, role="hut")


def _site(uid: str, element: Mapping[str, Any], name: str) -> RawSite:
    where = (element.get("metadata") or {}).get("location") or {}
    latitude, longitude = (number(where, (field,), f"element {uid!r}") for field in ("latitude", "longitude"))
    if (latitude, longitude) == (0.0, 0.0):
        latitude = longitude = None
    return RawSite(uid, name, latitude, longitude)


def _city(uid: str, element: Mapping[str, Any]) -> str:
    where = (element.get("metadata") or {}).get("location") or {}
    return str(where.get("city") or uid)
