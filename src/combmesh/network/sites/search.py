"""Choosing k relays of n sites: every choice where that is affordable; else one by one, then exchanges, and a bound."""

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from combmesh.network.sites.aims import best_row, score

Floats = NDArray[np.float64]
Choice = tuple[int, ...]


def enumeration_cost(sites: int, count: int, pairs: int) -> int:
    """Rates that looking at every choice compares."""
    return comb(sites, count) * pairs


def enumerate_all(rate_bps: Floats, count: int, aim: str) -> Choice:
    """The best choice of all. `rate_bps` is `(site, pair)`."""
    best: tuple[tuple[float, ...], Choice] | None = None
    for last, chosen, so_far in _prefixes(rate_bps, count - 1):
        rates = np.maximum(so_far, rate_bps[last + 1 :])
        row = best_row(rates, aim)
        found = score(rates[row]).by(aim)
        if best is None or found > best[0]:
            best = found, (*chosen, last + 1 + row)
    return best[1] if best else ()


def _prefixes(rate_bps: Floats, length: int) -> Iterator[tuple[int, Choice, Floats]]:
    """(last site, sites, best rates) of each ascending choice that leaves a site behind it."""
    if length == 0:
        yield -1, (), np.zeros(rate_bps.shape[1])
        return
    for last, chosen, so_far in _prefixes(rate_bps, length - 1):
        for site in range(last + 1, len(rate_bps) - 1):
            yield site, (*chosen, site), np.maximum(so_far, rate_bps[site])


def exchange(rate_bps: Floats, chosen: Sequence[int], aim: str) -> Choice:
    """Swap one relay for another site as long as the score rises: no single swap improves the result."""
    best = list(chosen)
    value = score(rate_bps[best].max(axis=0)).by(aim)
    improved = True
    while improved:
        improved = False
        for place in range(len(best)):
            others = best[:place] + best[place + 1 :]
            kept = rate_bps[others].max(axis=0) if others else np.zeros(rate_bps.shape[1])
            rates = np.maximum(kept, rate_bps)
            row = best_row(rates, aim)
            found = score(rates[row]).by(aim)
            if found > value:
                best, value, improved = [*others, row], found, True
    return tuple(sorted(best))


def greedy(rate_bps: Floats, count: int, aim: str) -> Choice:
    """One relay after the other, each the best beside those before."""
    chosen: list[int] = []
    so_far = np.zeros(rate_bps.shape[1])
    for _ in range(count):
        rates = np.maximum(so_far, rate_bps)
        rates[chosen] = -1.0
        row = best_row(rates, aim)
        chosen.append(row)
        so_far = rates[row]
    return tuple(sorted(chosen))


def upper_bound(rate_bps: Floats, chosen: Sequence[int], aim: str) -> float:
    r"""No choice of as many relays is better than this, in the aim's own unit.

    A relay at every site bounds each aim. Total key and pairs with key are submodular too (Nemhauser, Wolsey, Fisher,
    Math. Program. 14, 265 (1978)): :math:`f(O) \le f(S) + \sum_{c\in O}[f(S\cup c) - f(S)]` for any S, so the k
    largest gains bound it.
    """
    everywhere = score(rate_bps.max(axis=0)).by(aim)[0]
    if aim == "worst":
        return everywhere
    gained = rate_bps if aim == "total" else (rate_bps > 0).astype(np.float64)
    bounds = [everywhere]
    for subset in (list(chosen[:size]) for size in range(len(chosen) + 1)):
        so_far = gained[subset].max(axis=0) if subset else np.zeros(gained.shape[1])
        gains = np.maximum(gained - so_far, 0.0).sum(axis=1)
        bounds.append(float(so_far.sum() + np.sort(gains)[-len(chosen) :].sum()))
    return min(bounds)
