"""A relay on a map as the network that `combmesh run` keys: users are sites, arms are routes of least loss."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from combmesh.ground.errors import InputError
from combmesh.network.maps.fibre_map import FibreMap
from combmesh.network.maps.routes import Routes, least_loss_routes
from combmesh.network.sites.place import Placement
from combmesh.network.topology import SCHEMA_VERSION, Network, User

FARTHEST_DB = 1e3
"""More loss than a user can have: no photon in the age of the universe."""


def network_at(
    fibre_map: FibreMap,
    relay: str,
    users: Sequence[str] | None = None,
    base: Network | None = None,
    routes: Routes | None = None,
) -> Network:
    """The network of users around one relay. A user without a route has an arm of efficiency 0, and so no key.

    Args:
        fibre_map: the map.
        relay: site of the relay; a user may be there too, with no fibre at all.
        users: sites that are users; all nodes of the map by default.
        base: what everything but name and users is taken from; its insertion loss is on top of the routes.
        routes: routes of the map, if they are known.
    """
    routes = routes or least_loss_routes(fibre_map)
    start = routes.index(relay)
    named = fibre_map.nodes if users is None else tuple(users)
    if len(named) < 2:
        raise InputError(f"`users` must be at least 2 sites, but are {len(named)}.")
    arms = []
    for name in named:
        loss_db, length_km = (float(table[start, routes.index(name)]) for table in (routes.loss_db, routes.length_km))
        if np.isfinite(loss_db) and loss_db <= FARTHEST_DB:
            arms.append(User(name, fibre_km=length_km, loss_db=loss_db))
        else:
            arms.append(User(name, arm_efficiency=0.0))
    name = f"{fibre_map.name} at {relay}"
    if base is None:
        return Network(SCHEMA_VERSION, name, tuple(arms))
    return replace(base, name=name, users=tuple(arms))


def networks_of(
    fibre_map: FibreMap, placement: Placement, base: Network | None = None, routes: Routes | None = None
) -> tuple[Network, ...]:
    """One network for each relay of a placement, of the users whose pairs it serves; a relay that serves none has none.

    A network is fully connected: with several relays it also has pairs that another relay serves better.
    """
    routes = routes or least_loss_routes(fibre_map)
    first, second = np.triu_indices(len(placement.users), 1)
    networks = []
    for number, relay in enumerate(placement.relays):
        mine = (placement.served_by == number) & (placement.rate_bps > 0.0)
        rows = np.union1d(first[mine], second[mine])
        if rows.size:
            users = [placement.users[row] for row in rows]
            networks.append(network_at(fibre_map, relay, users, base, routes))
    return tuple(networks)
