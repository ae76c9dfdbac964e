"""Lines and slots: proper, complete, and as few as the bounds allow."""

from itertools import product

import networkx as nx
import numpy as np
import pytest

from combmesh.device.demux import PRESETS, CombLines
from combmesh.ground.errors import InputError, RunError
from combmesh.network.changes import join, leave, tighten
from combmesh.network.colours import circle_colours, colour_bounds, colour_edges, pairs_of
from combmesh.network.plan import one_factors, plan_channels
from combmesh.network.slots import check_slots, is_proper, line_use, pair_index, plan_slots


def random_demand(rng, n, most, density):
    demand = np.triu(rng.integers(1, most + 1, (n, n)) * (rng.random((n, n)) < density), 1)
    return demand + demand.T


def demand_of(plan):
    table = np.zeros((plan.users, plan.users), dtype=int)
    np.add.at(table, (plan.first, plan.second), 1)
    return table + table.T


def brute_force_colours(ends):
    """Least number of colours of a small multigraph: its line graph's chromatic number, by search."""
    m = len(ends)
    touch = [[i for i in range(k) if set(ends[i]) & set(ends[k])] for k in range(m)]

    def possible(colours):
        chosen = [0] * m

        def place(k):
            if k == m:
                return True
            taken = {chosen[i] for i in touch[k]}
            for colour in range(min(colours, max(chosen[:k], default=-1) + 2)):
                if colour not in taken:
                    chosen[k] = colour
                    if place(k + 1):
                        return True
            return False

        return place(0)

    return next(colours for colours in range(m + 1) if possible(colours))


def test_exact_every_number_of_users_from_2_to_400_and_2000():
    """Proper, every pair once, and N-1 lines for even N, N for odd N: fewer do not meet at one user."""
    for n in [*range(2, 401), 2000]:
        plan = plan_slots(n, range(2000))
        assert plan.lines_used == plan.least_lines == n - 1 + n % 2
        assert is_proper(plan)  # `plan_slots` has checked that every pair is served once


@pytest.mark.parametrize("n", [2, 3, 8, 13])
def test_exact_circle_colours_are_the_rounds_of_one_factors(n):
    first, second = pairs_of(n)
    round_of = {pair: r for r, pairs in enumerate(one_factors(n)) for pair in pairs}
    expected = [round_of[i, j] for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    assert circle_colours(first, second, n).tolist() == expected
    assert pair_index(first, second, n).tolist() == list(range(len(first)))


def test_exact_2000_users_on_200_lines_in_ten_slots():
    plan = plan_slots(2000, CombLines(-100, 99).nearest_to_pump(200))
    assert (plan.slots, plan.lines_used, plan.colours_used) == (10, 200, 1999)
    assert plan.shown()["plan_proper"]
    assert plan.busiest_slot == 200 * 1000  # each of 200 lines joins all 2000 users in pairs


def test_exact_bounds_and_colours_of_small_multigraphs():
    """40 random multigraphs of 3 to 5 users beside a search over all colourings."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        demand = random_demand(rng, int(rng.integers(3, 6)), 2, 0.7)
        first, second = np.nonzero(np.triu(demand))
        ends = np.repeat(np.stack([first, second], axis=1), demand[first, second], axis=0).astype(np.int32)
        if not len(ends):
            continue
        bounds, least = colour_bounds(demand), brute_force_colours(ends.tolist())
        assert bounds.least <= least <= bounds.most
        plan = plan_slots(len(demand), range(40), 1, demand)
        assert plan.colours_used == least
        np.testing.assert_array_equal(demand_of(plan), demand)


def test_limit_shannon_bound_is_met_by_the_fat_triangle():
    """Three users, k lines between each two: 3k lines, 3/2 of the 2k at a user (Shannon 1949)."""
    demand = 5 * (1 - np.eye(3, dtype=int))
    assert plan_slots(3, range(15), 1, demand).colours_used == 15
    with pytest.raises(InputError, match="15 channels at a user, but 14 lines in 1 slots give 14; 2 slots would do"):
        plan_slots(3, range(14), 1, demand)


def test_exact_backbone_pairs_with_many_lines():
    """50 users, every pair once and 30 backbone pairs with up to 8 lines more: the bound is met."""
    rng = np.random.default_rng(2)
    demand = 1 - np.eye(50, dtype=int)
    for _ in range(30):
        i, j = rng.choice(50, 2, replace=False)
        demand[[i, j], [j, i]] += int(rng.integers(1, 9))
    plan = plan_slots(50, range(200), 1, demand)
    assert plan.colours_used == plan.bounds.least <= plan.bounds.most
    np.testing.assert_array_equal(demand_of(plan), demand)
    slotted = plan_slots(50, range(20), None, demand)
    assert slotted.slots == -(-plan.bounds.least // 20)
    assert slotted.lines_used <= 20
    assert is_proper(slotted)


def test_exact_a_sparse_network_takes_as_many_lines_as_its_busiest_user():
    """Not every pair is asked for: a random graph of 60 users; Vizing: at most one line more than the degree."""
    graph = nx.gnp_random_graph(60, 0.2, seed=4)
    demand = nx.to_numpy_array(graph, dtype=int)
    plan = plan_slots(60, range(60), 1, demand)
    assert plan.colours_used <= max(dict(graph.degree).values()) + 1
    assert plan.colours_used == plan.bounds.least


def test_limit_lines_that_a_user_cannot_have():
    rng = np.random.default_rng(3)
    blocked = rng.random((20, 40)) < 0.15
    plan = plan_slots(20, range(40), 1, blocked=blocked)
    column = plan.colour % 40
    assert not blocked[plan.first, column].any()
    assert not blocked[plan.second, column].any()
    assert plan.lines_used >= plan.least_lines == 19
    with pytest.raises(InputError, match="leave every user a line"):
        plan_slots(3, range(3), blocked=np.ones((3, 3), dtype=bool))


def test_limit_lines_need_a_port_and_a_passband():
    """A 49 GHz comb fits its own grating, and walks out of the 50 GHz grid's passbands of 25 GHz: 1 GHz a line."""
    matched = line_use(CombLines(-100, 99), PRESETS["matched_200"][0], without=[7])
    assert len(matched.lines) == 199
    assert 7 not in matched.lines
    assert matched.reason[107] == "it is not to be used"
    grid = line_use(CombLines(), PRESETS["grid_78"][0])
    far = np.abs(grid.line[grid.usable])
    assert 0 < len(grid.lines) < 80
    assert "its passband takes more than 3 dB" in grid.reason
    assert far.max() <= 60
    assert line_use(CombLines(-200, 200), PRESETS["matched_80"][0]).reason[0] == "it has no port"
    channels = plan_channels(["a", "b", "c", "d"], CombLines(), grid.lines)
    assert {channel.line for channel in channels} <= set(grid.lines)
    with pytest.raises(InputError, match="needs 15 lines, but only 3 are usable"):
        plan_channels([f"U{i}" for i in range(16)], CombLines(), [1, 2, 3])


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8, 12, 25, 40])
def test_exact_a_newcomer_moves_as_few_channels_as_can_be(n):
    """On spare lines nothing moves, and an odd plan has an idle place; an even one on the fewest lines must move."""
    before = plan_slots(n, range(3 * n))
    spare = join(before)
    assert (spare.moved, spare.least_moved) == (0, 0)
    tight = join(before, least_lines=True)
    assert tight.plan.colours_used == n + (n + 1) % 2
    assert tight.least_moved == (0 if n % 2 else n - 2)  # both new colours serve one user each
    assert tight.least_moved <= tight.moved
    if n <= 8:
        assert tight.moved == tight.least_moved
    for change in (spare, tight):
        old = change.plan.second < n
        same = change.plan.colour[old] == before.colour
        assert np.count_nonzero(~same) == change.moved


def test_exact_leaving_moves_nothing_and_tightening_gives_lines_back():
    before = plan_slots(7, range(20))
    gone = leave(before, 3)
    assert (gone.moved, gone.plan.users, gone.plan.colours_used) == (0, 6, 7)
    assert is_proper(gone.plan)
    tight = tighten(gone.plan)
    assert 5 <= tight.plan.colours_used < 7
    assert tight.moved >= tight.least_moved > 0
    assert is_proper(tight.plan)
    with pytest.raises(InputError, match="`user` must be at most 6, but is 7"):
        leave(before, 7)
    with pytest.raises(InputError, match="9 channels at a user, but 7 lines in 1 slots give 7"):
        join(plan_slots(8, range(7)))


def test_attack_plans_that_are_not_proper_are_found():
    good = plan_slots(4, range(3))
    twice = good.__class__(**{**vars(good), "colour": np.zeros(6, dtype=np.int32)})
    assert not is_proper(twice)
    with pytest.raises(RunError, match="one line twice"):
        check_slots(twice)
    short = good.__class__(**{**vars(good), **{k: vars(good)[k][:-1] for k in ("first", "second", "colour")}})
    with pytest.raises(RunError, match="users 2 and 3 1 times, but serves them 0 times"):
        check_slots(short)
    with pytest.raises(InputError, match="`ends` must join two different users"):
        colour_edges(np.array([[0, 0]], dtype=np.int32), 2, 1)
    for demand in (np.ones((2, 2), dtype=int), np.array([[0, 1], [2, 0]]), np.zeros((3, 3), dtype=int)):
        with pytest.raises(InputError, match="symmetric table"):
            plan_slots(2, range(3), 1, demand)
    with pytest.raises(InputError, match="different lines"):
        plan_slots(2, [1, 1])


def test_limit_more_users_than_lines_and_slots():
    for lines, slots in product((3, 5), (1, 2)):
        if lines * slots < 15:
            with pytest.raises(InputError, match=f"but {lines} lines in {slots} slots give {lines * slots}"):
                plan_slots(16, range(lines), slots)
