"""The best sites for relays on a map, for a rate that is known for any two arms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.network.maps.fibre_map import FibreMap
from combmesh.network.maps.routes import Routes, least_loss_routes
from combmesh.network.sites import milp
from combmesh.network.sites.aims import Score, check_aim, score
from combmesh.network.sites.search import Choice, enumerate_all, enumeration_cost, exchange, greedy, upper_bound

Floats = NDArray[np.float64]
RateOf = Callable[[Floats, Floats], Floats]
"""Key rates `(pair,)` in bit/s, 0 for none, of the two arms' efficiencies `(pair,)` and `(pair,)`."""
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
Progress = Callable[[int, int], None]
"""Called with the sites that are done, and all of them."""

MOST_RATES = 100_000_000
"""Rates `(site, pair)` that are held at once, 0.8 GB; one relay needs only a site's at a time."""


@dataclass(frozen=True)
class SearchRules:
    """How long a search may take.

    Attributes:
        enumerate_up_to: rates that an enumeration may compare; beyond that an integer programme is solved.
        milp_up_to: variables of an integer programme; beyond that relays are exchanged one by one.
        time_limit_s: time for each integer programme, s.
    """

    enumerate_up_to: float = 1e9
    milp_up_to: float = 2e5
    time_limit_s: float = 30.0

    def __post_init__(self) -> None:
        check_range("enumerate_up_to", self.enumerate_up_to, 0.0)
        check_range("milp_up_to", self.milp_up_to, 0.0)
        check_positive("time_limit_s", self.time_limit_s)


@dataclass(frozen=True)
class SiteScore:
    """What one relay at a site gives by itself."""

    site: str
    score: Score


@dataclass(frozen=True, eq=False)
class Placement:
    """Relays, and what each pair gets.

    Attributes:
        aim: what they were chosen for: "total", "worst" or "pairs".
        decided_by: the same, but "pairs" for "worst" where some pair has no key at any site: then every choice has
            the same worst pair.
        relays: names of their sites, in the map's order.
        users: names of the users.
        score: total key, worst pair and pairs with key.
        rate_bps: `(pair,)` key rate of each pair, (0, 1), (0, 2), ... of the users, bit/s.
        served_by: `(pair,)` index of the relay that serves the pair.
        bound: no choice of as many sites exceeds this in what `decided_by` counts.
        exact: the choice is proven best.
        method: "every site", "every choice", "integer programme" or "exchange".
        ranking: each candidate as the only relay, best first.
    """

    aim: str
    decided_by: str
    relays: tuple[str, ...]
    users: tuple[str, ...]
    score: Score
    rate_bps: Floats
    served_by: NDArray[np.int64]
    bound: float
    exact: bool
    method: str
    ranking: tuple[SiteScore, ...]

    @property
    def without_key(self) -> tuple[tuple[str, str], ...]:
        """The pairs that get no key at any of the relays."""
        first, second = np.triu_indices(len(self.users), 1)
        none = np.flatnonzero(self.rate_bps <= 0.0)
        return tuple((self.users[first[p]], self.users[second[p]]) for p in none)

    @property
    def gap(self) -> float:
        """How far the bound lies above the choice, as a share of the bound; 0 where the choice is best."""
        value = self.score.by(self.decided_by)[0]
        return 0.0 if self.exact or self.bound <= 0.0 else max(1.0 - value / self.bound, 0.0)


def arm_efficiencies(
    routes: Routes, sites: Sequence[str], users: Sequence[str], device_efficiency: float = 1.0
) -> Floats:
    """`(site, user)` probability that a photon of a user is detected at a site; 0 where no route leads.

    Args:
        routes: routes of the map.
        sites, users: names.
        device_efficiency: what passes everything but the routes, detectors included, 0 to 1.
    """
    check_range("device_efficiency", device_efficiency, 0.0, 1.0)
    rows, columns = [routes.index(name) for name in sites], [routes.index(name) for name in users]
    return np.asarray(device_efficiency * 10.0 ** (-0.1 * routes.loss_db[np.ix_(rows, columns)]))


def pair_rates(efficiency: Floats, rate_of: RateOf, pairs: Pairs | None = None) -> Floats:
    """`(pair,)` rates of all pairs of users whose arms have the efficiencies `(user,)`, bit/s."""
    first, second = np.triu_indices(len(efficiency), 1) if pairs is None else pairs
    rates = np.asarray(rate_of(efficiency[first], efficiency[second]), dtype=np.float64)
    if rates.shape != first.shape or not np.isfinite(rates).all():
        raise InputError(f"`rate_of` must give {first.size} finite rates, but gives an array of shape {rates.shape}.")
    return np.maximum(rates, 0.0)


def best_relays(
    fibre_map: FibreMap,
    rate_of: RateOf,
    count: int = 1,
    aim: str = "total",
    *,
    users: Sequence[str] | None = None,
    candidates: Sequence[str] | None = None,
    device_efficiency: float = 1.0,
    rules: SearchRules = SearchRules(),
    routes: Routes | None = None,
    on_progress: Progress | None = None,
) -> Placement:
    """The best site for one relay, or the best sites for several; each pair meets where its rate is highest.

    Args:
        fibre_map: the map.
        rate_of: rates of two arms' efficiencies.
        count: number of relays.
        aim: "total" key, "worst" pair, or "pairs" with key.
        users: sites that are users; all nodes of the map by default.
        candidates: sites where a relay may stand; all of them by default, huts too.
        device_efficiency: what passes everything but the routes, detectors included, 0 to 1.
        rules: how long the search may take.
        routes: routes of the map, if they are known.
        on_progress: called after each candidate.
    """
    check_aim(aim)
    routes = routes or least_loss_routes(fibre_map)
    named = _chosen("users", fibre_map.nodes if users is None else users, 2)
    sites = _chosen("candidates", routes.names if candidates is None else candidates, 1)
    if not 1 <= count <= len(sites):
        raise InputError(f"`count` must be 1 to {len(sites)}, the number of candidates, but is {count}.")
    arms = arm_efficiencies(routes, sites, named, device_efficiency)
    pairs = np.triu_indices(len(named), 1)
    if count > 1 and len(sites) * pairs[0].size > MOST_RATES:
        most = MOST_RATES // pairs[0].size
        raise InputError(f"`candidates` must be at most {most} for {pairs[0].size} pairs, but are {len(sites)}.")
    scores, kept = _each_site(arms, rate_of, pairs, count > 1, on_progress)
    ranking = _ranking(sites, scores, aim)
    if count == 1:
        chosen: Choice = (sites.index(ranking[0].site),)
        best = pair_rates(arms[chosen[0]], rate_of, pairs)[None]
        decided_by = "pairs" if aim == "worst" and ranking[0].score.min_skr_bps <= 0.0 else aim
        return _placement((aim, decided_by), sites, named, best, chosen, None, "every site", ranking)
    rates = np.stack(kept)
    decided_by = "pairs" if aim == "worst" and rates.max(axis=0).min() <= 0.0 else aim
    chosen, bound, method = _search(rates, count, decided_by, rules)
    return _placement((aim, decided_by), sites, named, rates[list(chosen)], chosen, bound, method, ranking)


def _each_site(
    arms: Floats, rate_of: RateOf, pairs: Pairs, keep: bool, on_progress: Progress | None
) -> tuple[list[Score], list[Floats]]:
    """What a relay at each site gives by itself, and its rates if they are to be kept."""
    scores, kept = [], []
    for done, row in enumerate(arms, 1):
        rate_bps = pair_rates(row, rate_of, pairs)
        scores.append(score(rate_bps))
        if keep:
            kept.append(rate_bps)
        if on_progress:
            on_progress(done, len(arms))
    return scores, kept


def _search(rates: Floats, count: int, aim: str, rules: SearchRules) -> tuple[Choice, float | None, str]:
    """(choice, bound or None where it is exact, method)."""
    if enumeration_cost(rates.shape[0], count, rates.shape[1]) <= rules.enumerate_up_to:
        return enumerate_all(rates, count, aim), None, "every choice"
    chosen, method = exchange(rates, greedy(rates, count, aim), aim), "exchange"
    bound = upper_bound(rates, chosen, aim)
    value = score(rates[list(chosen)].max(axis=0)).by(aim)
    if value[0] < bound * (1.0 - 1e-12) and milp.variables(rates, aim) <= rules.milp_up_to:
        solved = milp.solve(rates, count, aim, rules.time_limit_s)
        bound, method = min(bound, solved.bound), "integer programme"
        if solved.chosen:
            other = exchange(rates, solved.chosen, aim)
            chosen = chosen if value >= score(rates[list(other)].max(axis=0)).by(aim) else other
    return chosen, bound, method


def _placement(
    aims: tuple[str, str],
    sites: tuple[str, ...],
    users: tuple[str, ...],
    rates: Floats,
    chosen: Choice,
    bound: float | None,
    method: str,
    ranking: tuple[SiteScore, ...],
) -> Placement:
    aim, decided_by = aims
    best = rates.max(axis=0)
    found = score(best)
    value = found.by(decided_by)[0]
    exact = bound is None or value >= bound * (1.0 - 1e-6)  # HiGHS keeps constraints to 1e-6
    relays = tuple(sites[site] for site in chosen)
    top = value if bound is None else max(bound, value)
    return Placement(aim, decided_by, relays, users, found, best, rates.argmax(axis=0), top, exact, method, ranking)


def _ranking(sites: Sequence[str], scores: Sequence[Score], aim: str) -> tuple[SiteScore, ...]:
    order = sorted(range(len(sites)), key=lambda site: scores[site].by(aim), reverse=True)
    return tuple(SiteScore(sites[site], scores[site]) for site in order)


def _chosen(what: str, names: Sequence[str], least: int) -> tuple[str, ...]:
    if len(set(names)) != len(names) or len(names) < least:
        raise InputError(f"`{what}` must be at least {least} different sites, but are {', '.join(names) or 'none'}.")
    return tuple(names)
