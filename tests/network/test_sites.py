"""Where relays stand best: against every choice tried one by one, and bounds that hold."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.ground.provenance import Mark
from combmesh.network.campaign import run_campaign
from combmesh.network.maps.fibre_map import FibreMap, Site, Span
from combmesh.network.maps.load import read_map
from combmesh.network.maps.routes import least_loss_routes
from combmesh.network.sites import milp, search
from combmesh.network.sites.aims import ORDER, score
from combmesh.network.sites.keyed import network_at, networks_of
from combmesh.network.sites.place import SearchRules, arm_efficiencies, best_relays
from combmesh.network.topology import pair_link

CASES = Path(__file__).parents[3] / "shared" / "cases" / "topologies"
GIVEN = Mark("given")


def rate_of(efficiency_a, efficiency_b):
    """A rate like the real one: proportional to both arms, less for unequal ones, none at 40 dB together and more."""
    product = efficiency_a * efficiency_b
    weaker, stronger = np.minimum(efficiency_a, efficiency_b), np.maximum(efficiency_a, efficiency_b)
    balance = np.divide(weaker, stronger, out=np.zeros_like(weaker), where=stronger > 0)
    return np.where(product > 1e-4, 1e6 * product * (0.5 + 0.5 * balance), 0.0)


def made_map(*spans, lonely=()):
    """A map of (a, b, km) at 0.2 dB/km."""
    names = sorted({name for a, b, _ in spans for name in (a, b)} | set(lonely))
    fibres = tuple(Span(a, b, km, 0.2 * km, 0, GIVEN, GIVEN) for a, b, km in spans)
    return FibreMap("made", "none", tuple(Site(name) for name in names), fibres)


def random_map(seed, count=9, longest_km=60.0):
    """A ring with chords; lengths uniform, seed fixed."""
    rng = np.random.default_rng(seed)
    names = [f"S{i}" for i in range(count)]
    ring = [(names[i], names[(i + 1) % count], float(rng.uniform(1.0, longest_km))) for i in range(count)]
    chords = [(names[0], names[count // 2], longest_km), (names[2], names[count - 2], longest_km)]
    return made_map(*ring, *chords)


def tried_one_by_one(fibre_map, count, aim, users=None):
    """The best score of all choices, pair by pair; shares only the routes."""
    routes = least_loss_routes(fibre_map)
    named = users or fibre_map.nodes
    best = None
    for choice in combinations(routes.names, count):
        rates = []
        for a, b in combinations(named, 2):
            arms = [
                [10 ** (-routes.loss_db[routes.index(site), routes.index(user)] / 10) for user in (a, b)]
                for site in choice
            ]
            rates.append(max(float(rate_of(np.array([x]), np.array([y]))[0]) for x, y in arms))
        numbers = {"total_skr_bps": sum(rates), "min_skr_bps": min(rates), "pairs_with_key": sum(r > 0 for r in rates)}
        found = tuple(float(numbers[name]) for name in ORDER[aim])
        best = found if best is None else max(best, found)
    return best


@pytest.mark.parametrize("aim", ORDER)
@pytest.mark.parametrize(("count", "seed"), [(1, 1), (1, 2), (2, 1), (2, 3), (3, 4)])
def test_exact_best_relays_as_tried_one_by_one(aim, count, seed):
    fibre_map = random_map(seed)
    found = best_relays(fibre_map, rate_of, count, aim)
    assert found.exact
    assert found.gap == 0.0
    assert len(found.relays) == count
    assert found.score.by(aim) == pytest.approx(tried_one_by_one(fibre_map, count, aim), rel=1e-9)


def test_exact_a_star_has_its_relay_in_the_middle():
    star = made_map(*[("hub", f"U{i}", 30.0 + i) for i in range(5)])
    users = [f"U{i}" for i in range(5)]
    for aim in ORDER:
        assert best_relays(star, rate_of, 1, aim, users=users).relays == ("hub",)


def test_exact_each_pair_meets_at_the_relay_that_serves_it_best():
    """Two stars 150 km apart: pairs of a star meet in its own middle; those between them have 42 dB and no key."""
    spans = [(hub, f"{hub}{i}", 10.0) for hub in "XY" for i in range(3)]
    fibre_map = made_map(*spans, ("X", "Y", 190.0))
    users = [name for _, name, _ in spans]
    found = best_relays(fibre_map, rate_of, 2, "total", users=users)
    assert found.relays == ("X", "Y")
    assert found.score.pairs_with_key == 6
    pairs = list(combinations(users, 2))
    for (a, b), rate, relay in zip(pairs, found.rate_bps, found.served_by, strict=True):
        if a[0] == b[0]:
            assert (rate > 0, found.relays[relay]) == (True, a[0])
    assert found.without_key == tuple((a, b) for a, b in pairs if a[0] != b[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("aim", ORDER)
def test_exact_integer_programme_and_enumeration_agree(aim, seed):
    fibre_map = random_map(seed, 12)
    routes = least_loss_routes(fibre_map)
    arms = arm_efficiencies(routes, routes.names, routes.names)
    first, second = np.triu_indices(12, 1)
    rates = np.stack([rate_of(row[first], row[second]) for row in arms])
    best = score(rates[list(search.enumerate_all(rates, 3, aim))].max(axis=0)).by(aim)[0]
    solved = milp.solve(rates, 3, aim, 30.0)
    assert solved.bound == pytest.approx(best, rel=1e-6)
    assert score(rates[list(solved.chosen)].max(axis=0)).by(aim)[0] == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("aim", ORDER)
def test_exact_bounds_lie_above_the_best_and_exchanges_below(aim, seed):
    fibre_map = random_map(seed, 11)
    exact = best_relays(fibre_map, rate_of, 3, aim)
    quick = best_relays(fibre_map, rate_of, 3, aim, rules=SearchRules(enumerate_up_to=0, milp_up_to=0))
    value, best = (found.score.by(exact.decided_by)[0] for found in (quick, exact))
    assert quick.method == "exchange"
    assert value <= best * (1 + 1e-12)
    assert quick.bound >= best * (1 - 1e-12)
    assert quick.exact == (value >= quick.bound * (1 - 1e-6))
    assert quick.gap == pytest.approx(0.0 if quick.exact else 1.0 - value / quick.bound)


def test_exact_worst_pair_without_any_key_is_decided_by_pairs_with_key():
    far = made_map(("A", "B", 20.0), ("B", "C", 30.0), ("C", "D", 400.0))
    for count in (1, 2):
        found = best_relays(far, rate_of, count, "worst")
        assert (found.decided_by, found.score.min_skr_bps, found.score.pairs_with_key) == ("pairs", 0.0, 3)
    assert best_relays(far, rate_of, 1, "worst", users="ABC").decided_by == "worst"


def test_exact_pairs_that_nothing_joins_are_listed():
    apart = made_map(("A", "B", 5.0), lonely=("C",))
    found = best_relays(apart, rate_of, 1, "pairs")
    assert found.score.pairs_with_key == 1
    assert found.without_key == (("A", "C"), ("B", "C"))


def test_exact_ranking_holds_every_candidate():
    fibre_map = random_map(1)
    found = best_relays(fibre_map, rate_of, 1, "total", candidates=("S3", "S1", "S7"))
    assert {entry.site for entry in found.ranking} == {"S1", "S3", "S7"}
    totals = [entry.score.total_skr_bps for entry in found.ranking]
    assert totals == sorted(totals, reverse=True)
    assert found.relays == (found.ranking[0].site,)
    assert found.score == found.ranking[0].score


def test_limit_faults_are_sentences():
    fibre_map = random_map(1)
    with pytest.raises(InputError, match="`aim` must be one of total, worst, pairs, but is 'fame'"):
        best_relays(fibre_map, rate_of, aim="fame")
    with pytest.raises(InputError, match="`count` must be 1 to 9, the number of candidates, but is 10"):
        best_relays(fibre_map, rate_of, 10)
    with pytest.raises(InputError, match="`users` must be at least 2 different sites, but are S1"):
        best_relays(fibre_map, rate_of, users=["S1"])
    with pytest.raises(InputError, match="There is no site 'X' on the map"):
        best_relays(fibre_map, rate_of, candidates=["X"])
    with pytest.raises(InputError, match=r"`rate_of` must give 36 finite rates"):
        best_relays(fibre_map, lambda a, b: np.full_like(a, np.nan))
    with pytest.raises(InputError, match="There is no site 'X' on the map"):
        network_at(fibre_map, "X")


def test_exact_the_network_has_the_arms_of_the_routes(small):
    apart = made_map(("A", "B", 5.0), ("B", "C", 15.0), lonely=("D",))
    network = network_at(apart, "B", base=small())
    assert network.name == "made at B"
    assert [(user.name, user.fibre_km, user.loss_db) for user in network.users[:3]] == [
        ("A", 5.0, 1.0),
        ("B", 0.0, 0.0),
        ("C", 15.0, 3.0),
    ]
    assert network.users[3].arm_efficiency == 0.0
    assert network.relay == small().relay
    link = pair_link(network, network.users[0], network.users[2])
    assert (link.efficiency_a, link.efficiency_b) == pytest.approx((0.75 * 10**-0.1, 0.75 * 10**-0.3))


def test_exact_the_network_can_be_keyed(small, tmp_path):
    """A pair without a route has no key and says so; the others have some."""
    apart = made_map(("A", "B", 5.0), ("B", "C", 15.0), lonely=("D",))
    result = run_campaign(network_at(apart, "B", base=small()), tmp_path / "run", with_bits=False, workers=1)
    keyed = {(report.alice, report.bob) for report in result.reports if report.key_bits > 0}
    assert keyed == {("A", "B"), ("A", "C"), ("B", "C")}
    assert all(report.outcome != "key" for report in result.reports if "D" in (report.alice, report.bob))


def test_exact_one_network_for_each_relay_that_serves_a_pair():
    spans = [(hub, f"{hub}{i}", 10.0) for hub in "XY" for i in range(3)]
    fibre_map = made_map(*spans, ("X", "Y", 190.0))
    found = best_relays(fibre_map, rate_of, 2, "total", users=[name for _, name, _ in spans])
    first, second = networks_of(fibre_map, found)
    assert [user.name for user in first.users] == ["X0", "X1", "X2"]
    assert [user.name for user in second.users] == ["Y0", "Y1", "Y2"]


@pytest.mark.skipif(not CASES.is_dir(), reason="the published topologies are not here")
@pytest.mark.parametrize("name", ["topohub_topozoo_Surfnet.json", "gnpy_Sweden_OpenROADMv5_example_network.json"])
def test_exact_real_maps_with_two_relays_by_both_methods(name):
    fibre_map = read_map(CASES / name)
    for aim in ORDER:
        every = best_relays(fibre_map, rate_of, 2, aim, device_efficiency=0.6)
        other = best_relays(fibre_map, rate_of, 2, aim, device_efficiency=0.6, rules=SearchRules(enumerate_up_to=0))
        assert every.method == "every choice"
        assert other.exact
        assert other.score.by(every.decided_by)[0] == pytest.approx(every.score.by(every.decided_by)[0], rel=1e-6)
