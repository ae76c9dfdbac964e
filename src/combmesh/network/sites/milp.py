r"""k relays as integer programmes, solved by HiGHS through SciPy; each gives a choice and a proven bound.

With :math:`y_c` = 1 where a relay stands and :math:`r_{cp}` the rate of pair p at site c:

- total key (uncapacitated facility location): :math:`\max\sum r_{cp}x_{cp}`, :math:`\sum_c x_{cp}\le1`,
  :math:`x_{cp}\le y_c`, :math:`\sum y_c = k`;
- pairs with key (maximal covering): :math:`\max\sum z_p`, :math:`z_p\le\sum_{c: r_{cp}>0} y_c`;
- worst pair: the largest t at which k sites cover every pair with :math:`r_{cp}\ge t`, by bisection over the rates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.network.sites.search import Choice

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """A choice, None where none was found in time, and what no choice exceeds."""

    chosen: Choice | None
    bound: float


def solve(rate_bps: Floats, count: int, aim: str, time_limit_s: float) -> Solved:
    """The best `count` sites for an aim. `rate_bps` is `(site, pair)`."""
    if aim == "total":
        return _total(rate_bps, count, time_limit_s)
    if aim == "pairs":
        return _pairs(rate_bps > 0, count, time_limit_s)
    return _worst(rate_bps, count, time_limit_s)


def variables(rate_bps: Floats, aim: str) -> int:
    """Size of the programme."""
    return int(np.count_nonzero(rate_bps)) if aim == "total" else int(rate_bps.shape[0] + rate_bps.shape[1])


def _total(rate_bps: Floats, count: int, time_limit_s: float) -> Solved:
    from scipy.sparse import coo_array, vstack

    sites, pairs = rate_bps.shape
    site, pair = np.nonzero(rate_bps)
    size = sites + site.size
    x = sites + np.arange(site.size)
    ones = np.ones(site.size)
    rows = np.concatenate((np.arange(site.size), np.arange(site.size)))
    opened = coo_array((np.concatenate((ones, -ones)), (rows, np.concatenate((x, site)))), shape=(site.size, size))
    once = coo_array((ones, (pair, x)), shape=(pairs, size))
    gain = np.concatenate((np.zeros(sites), rate_bps[site, pair]))
    matrix = vstack((opened, once, _counted(sites, size)))
    most = np.concatenate((np.zeros(site.size), np.ones(pairs), [count]))
    least = np.concatenate((np.full(site.size + pairs, -np.inf), [count]))
    return _run(gain, sites, matrix, least, most, time_limit_s)


def _pairs(covers: NDArray[np.bool_], count: int, time_limit_s: float) -> Solved:
    from scipy.sparse import csr_array, hstack, identity, vstack

    patterns, times = np.unique(covers.T, axis=0, return_counts=True)
    sites, size = covers.shape[0], covers.shape[0] + len(patterns)
    served = hstack((csr_array(-patterns.astype(np.float64)), identity(len(patterns))))
    gain = np.concatenate((np.zeros(sites), times.astype(np.float64)))
    matrix = vstack((served, _counted(sites, size)))
    most = np.concatenate((np.zeros(len(patterns)), [count]))
    least = np.concatenate((np.full(len(patterns), -np.inf), [count]))
    return _run(gain, sites, matrix, least, most, time_limit_s)


def _worst(rate_bps: Floats, count: int, time_limit_s: float) -> Solved:
    """Bisection over the rates that the worst pair can have; a step that is not decided in time ends it."""
    ceiling = float(rate_bps.max(axis=0).min())
    levels = np.unique(rate_bps[rate_bps <= ceiling])
    chosen: Choice | None = None
    low, high = -1, len(levels)  # feasible, infeasible
    while high - low > 1:
        middle = (low + high) // 2
        needed, found = _cover(rate_bps >= levels[middle], time_limit_s)
        if needed > count:
            high = middle
        elif found is not None and len(found) <= count:
            low, chosen = middle, _filled(found, count, rate_bps.shape[0])
        else:
            break
    return Solved(chosen, float(levels[high - 1]))


def _cover(covers: NDArray[np.bool_], time_limit_s: float) -> tuple[float, Choice | None]:
    """(least number of sites that cover every pair, at least; a cover, if one was found)."""
    patterns = np.unique(covers.T, axis=0).astype(np.float64)
    sites = covers.shape[0]
    found = _run(
        np.full(sites, -1.0), sites, patterns, np.ones(len(patterns)), np.full(len(patterns), np.inf), time_limit_s
    )
    return np.ceil(-found.bound - 1e-6), found.chosen


def _filled(chosen: Choice, count: int, sites: int) -> Choice:
    """As many relays as asked for; one more does no harm."""
    spare = [site for site in range(sites) if site not in chosen]
    return tuple(sorted((*chosen, *spare[: count - len(chosen)])))


def _counted(sites: int, size: int) -> Any:
    from scipy.sparse import coo_array

    return coo_array((np.ones(sites), (np.zeros(sites, dtype=int), np.arange(sites))), shape=(1, size))


def _run(gain: Floats, sites: int, matrix: Any, least: Floats, most: Floats, time_limit_s: float) -> Solved:
    """The largest gain; the first `sites` variables are 0 or 1, the others between."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    whole = (np.arange(gain.size) < sites).astype(np.int64)
    scale = max(float(np.abs(gain).max()), 1e-300)
    result = milp(
        -gain / scale,
        integrality=whole,
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(matrix, least, most),
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    dual = getattr(result, "mip_dual_bound", None)
    bound = np.inf if dual is None or not np.isfinite(dual) else -scale * dual
    chosen = None if result.x is None else tuple(int(site) for site in np.flatnonzero(result.x[:sites] > 0.5))
    return Solved(chosen, float(bound))
