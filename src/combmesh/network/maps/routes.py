"""Routes of least loss between all sites of a map (Dijkstra), and the parts that it falls into."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.network.maps.fibre_map import FibreMap, Span

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Routes:
    """Least-loss routes between all sites.

    Attributes:
        names: `(site,)` names in the map's order.
        loss_db: `(site, site)` loss of the route, dB; inf where there is none.
        length_km: `(site, site)` its length, km; inf where there is none.
        previous: `(site, site)` the last site before the second one on the way from the first; negative for none.
    """

    names: tuple[str, ...]
    loss_db: Floats
    length_km: Floats
    previous: NDArray[np.int32]

    def index(self, name: str) -> int:
        """Row of a site."""
        if name not in self.names:
            raise InputError(f"There is no site {name!r} on the map.")
        return self.names.index(name)

    def path(self, a: str, b: str) -> tuple[str, ...]:
        """Names of the sites from a to b; empty where no route leads."""
        row, step = self.index(a), self.index(b)
        if not np.isfinite(self.loss_db[row, step]):
            return ()
        steps = [step]
        while step != row:
            step = int(self.previous[row, step])
            steps.append(step)
        return tuple(self.names[step] for step in reversed(steps))

    def parts(self) -> tuple[tuple[str, ...], ...]:
        """Sites that routes join, the largest part first."""
        reached = np.isfinite(self.loss_db)
        first = reached.argmax(axis=1)
        parts = [tuple(self.names[i] for i in np.flatnonzero(first == start)) for start in np.unique(first)]
        return tuple(sorted(parts, key=len, reverse=True))


def least_loss_routes(fibre_map: FibreMap) -> Routes:
    """Every route of least loss; a span of no loss is still a span."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    names = tuple(site.name for site in fibre_map.sites)
    row = {name: i for i, name in enumerate(names)}
    best: dict[tuple[int, int], Span] = {}
    for span in fibre_map.spans:
        a, b = sorted((row[span.a], row[span.b]))
        if (a, b) not in best or (span.loss_db, span.length_km) < (best[a, b].loss_db, best[a, b].length_km):
            best[a, b] = span
    ends = np.array(list(best), dtype=np.int64).reshape(-1, 2)
    shape = (len(names), len(names))
    graph = csr_array((np.array([span.loss_db for span in best.values()]), (ends[:, 0], ends[:, 1])), shape=shape)
    loss_db, previous = dijkstra(graph, directed=False, return_predecessors=True)
    step_km = np.zeros(shape)
    for (a, b), span in best.items():
        step_km[a, b] = step_km[b, a] = span.length_km
    return Routes(names, loss_db, _along(previous, step_km), previous)


def _along(previous: NDArray[np.int32], step_km: Floats) -> Floats:
    """Lengths of the routes, their sites skipped twice as far back in each round."""
    count = len(previous)
    rows, columns = np.arange(count)[:, None], np.arange(count)
    starts = np.eye(count, dtype=bool)
    back = np.where(previous >= 0, previous, columns)
    length_km = np.where(previous >= 0, step_km[back, columns], np.where(starts, 0.0, np.inf))
    while not np.array_equal(further := back[rows, back], back):
        length_km = length_km + length_km[rows, back]
        back = further
    return np.asarray(length_km + length_km[rows, back] * ~starts)
