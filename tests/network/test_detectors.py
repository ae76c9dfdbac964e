"""Receivers shared in time: beside a search over all sharings, against bounds, and as a timetable that can be run."""

from itertools import product

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.network.detectors import DETECTORS, least_receivers, share_receivers, timetable
from combmesh.network.knapsack import best_fill, fill
from combmesh.network.slots import plan_slots


def finite_key(scale, slots, fixed=50.0):
    """a n - b sqrt(n) - c for 0 to `slots` slots, 0 where negative: the shape of a finite-key length."""
    n = np.asarray(scale)[:, None] * np.arange(slots + 1) / slots
    return np.maximum(n - 6.0 * np.sqrt(n) - fixed, 0.0)


def random_bits(rng, pairs, slots):
    """Any key that does not fall with the slots."""
    steps = rng.random((pairs, slots)) * rng.integers(0, 2, (pairs, slots))
    return np.concatenate([np.zeros((pairs, 1)), np.cumsum(steps, axis=1)], axis=1)


def all_choices(bits, capacity):
    pairs, width = bits.shape
    for choice in product(range(width), repeat=pairs):
        if sum(choice) <= capacity:
            yield bits[np.arange(pairs), choice]


def check_timetable(sharing, windows=1):
    table = timetable(sharing, windows)
    assert table.shape == (sharing.receivers, sharing.slots)
    for column in table.T:
        served = column[column >= 0]
        assert len(served) == len(set(served.tolist()))  # a pair at one receiver at a time
    np.testing.assert_array_equal(np.bincount(table[table >= 0], minlength=len(sharing.bits)), sharing.slots_of)
    per_window = sharing.slots // windows
    for slot, column in enumerate(table.T):
        assert set(sharing.window[column[column >= 0]].tolist()) <= {slot // per_window}
    row = 0
    for group, count in sorted(sharing.receivers_of.items()):
        served = table[row : row + count]
        assert set(sharing.group[served[served >= 0]].tolist()) <= {group}
        row += count


def test_exact_knapsack_beside_all_choices():
    """40 random networks of up to four pairs; the hull's bound holds, integer programming finds the best."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        bits = random_bits(rng, int(rng.integers(1, 5)), 4)
        capacity = int(rng.integers(0, 12))
        best = max(choice.sum() for choice in all_choices(bits, capacity))
        hull, exact = fill(bits, capacity), best_fill(bits, capacity)
        assert hull.value <= best + 1e-9 <= hull.bound + 2e-9
        assert exact.value == pytest.approx(best, abs=1e-9)
        assert exact.taken.sum() <= capacity
        assert hull.taken.sum() <= capacity


@pytest.mark.parametrize("aim", ["total", "max-min", "demand"])
def test_exact_sharing_beside_all_sharings(aim):
    """25 random networks of three pairs, one or two receivers, four slots."""
    rng = np.random.default_rng(2)
    for _ in range(25):
        bits = random_bits(rng, 3, 4)
        asked = rng.random(3) * 2
        receivers = int(rng.integers(1, 3))
        found = share_receivers(bits, receivers, aim, demand_bits=asked if aim == "demand" else None)
        able = bits[:, -1] > 0
        choices = list(all_choices(bits, 4 * receivers))
        best = {
            "total": max(choice.sum() for choice in choices),
            "max-min": max(choice[able].min(initial=np.inf) for choice in choices) if able.any() else 0.0,
            "demand": max(np.minimum(choice, asked).sum() for choice in choices),
        }[aim]
        assert found.value == pytest.approx(best, abs=1e-9)
        assert found.exact
        check_timetable(found)


@pytest.mark.parametrize("aim", ["total", "demand"])
def test_exact_receivers_bound_to_lines_beside_all_ways(aim):
    """Two lines of two pairs each; every way to deal receivers to lines, and every sharing on each line."""
    rng = np.random.default_rng(3)
    line = np.array([5, 5, 9, 9])
    for _ in range(15):
        bits = random_bits(rng, 4, 3)
        asked = rng.random(4) * 2
        worth = np.minimum(bits, asked[:, None]) if aim == "demand" else bits
        receivers = int(rng.integers(1, 4))
        best = max(
            max(c.sum() for c in all_choices(worth[:2], 3 * one))
            + max(c.sum() for c in all_choices(worth[2:], 3 * two))
            for one in range(receivers + 1)
            for two in [receivers - one]
        )
        found = share_receivers(bits, receivers, aim, binding="line", line=line, demand_bits=asked)
        assert found.value == pytest.approx(best, abs=1e-9)
        check_timetable(found)


def test_limit_half_the_light_gives_less_than_half_the_key():
    """The key is convex in the light, so for the most key in all a receiver stays with a pair: the R best ones."""
    rng = np.random.default_rng(4)
    bits = finite_key(rng.lognormal(8, 1.5, 300), 32)
    assert np.all(bits[:, 16] <= bits[:, 32] / 2)
    for receivers in (1, 10, 100):
        found = share_receivers(bits, receivers)
        assert found.value == pytest.approx(np.sort(bits[:, -1])[-receivers:].sum())
        assert found.exact
        assert set(found.slots_of.tolist()) <= {0, 32}
        wired = share_receivers(bits, receivers, binding="pair")
        assert wired.value == pytest.approx(found.value)
        check_timetable(wired)


def test_limit_a_receiver_for_each_pair_loses_nothing():
    bits = finite_key(np.geomspace(100, 1e5, 45), 16)
    line = np.repeat(np.arange(9), 5)
    for binding in ("switched", "line", "pair"):
        for aim in ("total", "max-min"):
            found = share_receivers(bits, 45, aim, binding=binding, line=line)
            np.testing.assert_allclose(found.bits, bits[:, -1])
            assert found.exact
    assert found.shown()["detectors"] == DETECTORS * 45 == 180


def test_exact_max_min_is_the_best_that_all_can_have():
    """No greater key is reached by all: the next one in the table takes more receivers."""
    rng = np.random.default_rng(5)
    bits = finite_key(rng.lognormal(8, 1.0, 200), 64)
    line = np.arange(200) % 20
    for binding, receivers in (("switched", 60), ("line", 70)):
        found = share_receivers(bits, receivers, "max-min", binding=binding, line=line)
        able = bits[:, -1] > 0
        assert found.bits[able].min() >= found.value > 0
        assert least_receivers(bits, found.value, binding=binding, line=line) <= receivers
        larger = np.unique(bits[bits > found.value])[0]
        if larger <= bits[able, -1].min():
            assert least_receivers(bits, larger, binding=binding, line=line) > receivers
        check_timetable(found)
    assert share_receivers(bits, 1, "max-min").value == 0.0


def test_limit_a_bound_is_said_where_the_best_is_not_proven():
    """5,000 pairs that ask for 500 bits each: within one pair's demand of the bound."""
    rng = np.random.default_rng(6)
    bits = finite_key(rng.lognormal(7, 1.5, 5000), 64)
    asked = np.full(5000, 500.0)
    found = share_receivers(bits, 300, "demand", demand_bits=asked)
    assert found.bound - 500.0 <= found.value <= found.bound
    assert found.gap < 1e-2
    weighted = share_receivers(bits, 300, "total", weights=np.where(np.arange(5000) < 300, 1e9, 1.0))
    assert np.all(weighted.slots_of[:300][bits[:300, -1] > 0] == 64)
    by_line = share_receivers(bits, 300, "demand", binding="line", line=np.arange(5000) % 50, demand_bits=asked)
    assert found.bound >= by_line.bound >= by_line.value
    check_timetable(by_line)


def test_exact_pairs_have_light_in_their_time_slot_alone():
    """16 users on five lines in three slots: a pair can have a third of the period, and only its own third."""
    plan = plan_slots(16, range(5))
    bits = finite_key(np.geomspace(1e3, 1e5, len(plan.colour)), 12)
    for binding in ("switched", "line"):
        found = share_receivers(bits, 20, binding=binding, line=plan.line, window=plan.slot, windows=plan.slots)
        assert found.slots_of.max() <= 4
        check_timetable(found, plan.slots)
    everyone = share_receivers(bits, plan.busiest_slot, window=plan.slot, windows=3)
    np.testing.assert_allclose(everyone.bits, bits[:, 4])


def test_attack_impossible_input():
    bits = finite_key([1e3, 1e4], 4)
    with pytest.raises(InputError, match="`aim` must be one of total, max-min, demand, but is 'most'"):
        share_receivers(bits, 1, "most")
    with pytest.raises(InputError, match="`binding` must be one of"):
        share_receivers(bits, 1, binding="free")
    with pytest.raises(InputError, match="`receivers` must be at least 0, but is -1"):
        share_receivers(bits, -1)
    with pytest.raises(InputError, match="`line` must be given"):
        share_receivers(bits, 1, binding="line")
    with pytest.raises(InputError, match="`demand_bits` must be given"):
        share_receivers(bits, 1, "demand")
    with pytest.raises(InputError, match="`windows` must divide the 4 slots"):
        share_receivers(bits, 1, windows=3)
    with pytest.raises(InputError, match="`window` must be from 0 to 1"):
        share_receivers(bits, 1, window=np.array([0, 2]), windows=2)
    with pytest.raises(InputError, match="begin with 0 and not fall"):
        share_receivers(bits[:, ::-1], 1)
    assert share_receivers(bits, 0).value == 0.0
