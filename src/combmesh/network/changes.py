"""Users who join or leave a plan, with as few channels moved as possible.

A newcomer needs a channel to each user u on a colour that u does not have yet, all of them different. Where no such
choice is free for everybody, each user who is left over takes a colour that an older channel must give up; these are
different colours, so different channels: **at least as many channels move as a best matching of users to their free
colours leaves over.**
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.network.colours import FREE, Bools, ColourBounds, Ints, colour_bounds, place_edges, table_of
from combmesh.network.slots import SlotPlan, check_slots, pair_index

_TRIES = 12
_LOOKED_AT = 64
"""Colours that a user who is left over looks at in turn."""


@dataclass(frozen=True, eq=False)
class Change:
    """A plan after a change.

    Attributes:
        plan: the new plan.
        moved: channels that were there before and now have another line or slot.
        least_moved: no plan on the same lines and slots moves fewer.
    """

    plan: SlotPlan
    moved: int
    least_moved: int


def join(plan: SlotPlan, *, least_lines: bool = False) -> Change:
    """One more user, the last one, with one channel to every other.

    Args:
        plan: the plan before.
        least_lines: use no more colours than the larger network needs; otherwise any line and slot that is there.
    """
    palette, n = len(plan.lines) * plan.slots, plan.users
    bounds = _grown_bounds(plan)
    if bounds.least > palette:
        raise InputError(
            f"`lines` and `slots` must give {bounds.least} channels at a user, but {len(plan.lines)} lines in "
            f"{plan.slots} slots give {palette}."
        )
    colours = _kept_colours(plan, bounds.least if least_lines else palette)
    column = np.full(palette, FREE, dtype=np.int32)
    column[colours] = np.arange(colours.size)
    ends = np.stack([plan.first, plan.second], axis=1)
    free = table_of(ends, column[plan.colour], n, colours.size) == FREE
    partner = _matching(free)
    best = min((_joined(plan, ends, column, partner, seed) for seed in range(_TRIES)), key=lambda found: found[1])
    colour, moved = best
    grown = np.append(ends, np.stack([np.arange(n), np.full(n, n)], axis=1).astype(np.int32), axis=0)
    order = np.argsort(pair_index(grown[:, 0], grown[:, 1], n + 1), kind="stable")
    after = replace(
        plan,
        users=n + 1,
        first=grown[order, 0],
        second=grown[order, 1],
        colour=colours[colour[order]].astype(np.int32),
        bounds=bounds,
    )
    check_slots(after, _demand(after))
    return Change(after, moved, int(np.count_nonzero(partner == FREE)))


def leave(plan: SlotPlan, user: int) -> Change:
    """One user fewer; those behind are numbered one lower. No channel moves."""
    check_range("user", user, 0, plan.users - 1)
    check_range("users", plan.users, 3)
    kept = (plan.first != user) & (plan.second != user)
    first, second = (side[kept] - (side[kept] > user) for side in (plan.first, plan.second))
    after = replace(
        plan,
        users=plan.users - 1,
        first=first.astype(np.int32),
        second=second.astype(np.int32),
        colour=plan.colour[kept],
    )
    return Change(replace(after, bounds=_bounds_of(after)), 0, 0)


def tighten(plan: SlotPlan) -> Change:
    """Give up the colours that the plan could do without, those with the fewest channels, if a colouring is found.

    Where none is found for the least number of colours, one more is kept, and so on.
    """
    held = np.bincount(plan.colour, minlength=len(plan.lines) * plan.slots)
    used = np.flatnonzero(held)
    ranked = used[np.argsort(held[used], kind="stable")]
    ends = np.stack([plan.first, plan.second], axis=1)
    for kept in range(plan.bounds.least, used.size):
        colours = np.sort(ranked[used.size - kept :])
        column = np.full(held.size, FREE, dtype=np.int32)
        column[colours] = np.arange(kept)
        colour_of = column[plan.colour]
        waiting = np.flatnonzero(colour_of == FREE).astype(np.int32)
        if place_edges(waiting, ends, table_of(ends, colour_of, plan.users, kept), colour_of) == 0:
            after = replace(plan, colour=colours[colour_of].astype(np.int32))
            moved = int(np.count_nonzero(after.colour != plan.colour))
            return Change(after, moved, int(waiting.size))
    return Change(plan, 0, 0)


def _demand(plan: SlotPlan) -> NDArray[np.int64]:
    demand = np.zeros((plan.users, plan.users), dtype=np.int64)
    np.add.at(demand, (plan.first, plan.second), 1)
    return demand + demand.T


def _bounds_of(plan: SlotPlan) -> ColourBounds:

    n = plan.users
    if len(plan.colour) == n * (n - 1) // 2:
        return ColourBounds(n - 1 + n % 2, n - 1 + n % 2)
    return colour_bounds(_demand(plan))


def _grown_bounds(plan: SlotPlan) -> ColourBounds:
    n = plan.users
    demand = np.pad(_demand(plan), (0, 1))
    demand[n, :n] = demand[:n, n] = 1
    if len(plan.colour) == n * (n - 1) // 2:
        return ColourBounds(n + (n + 1) % 2, n + (n + 1) % 2)

    return colour_bounds(demand)


def _kept_colours(plan: SlotPlan, count: int) -> NDArray[np.int64]:
    """The colours of the plan and, up to `count`, others, in ascending order."""
    used = np.unique(plan.colour)
    others = np.setdiff1d(np.arange(len(plan.lines) * plan.slots), used)
    return np.sort(np.append(used, others[: max(count - used.size, 0)]))


def _matching(free: Bools) -> Ints:
    """A free colour for as many users as possible, all different, FREE for the others, shape (user,)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    partner: Ints = maximum_bipartite_matching(csr_array(free), perm_type="column").astype(np.int32)
    return partner


def _joined(plan: SlotPlan, ends: Ints, column: Ints, partner: Ints, seed: int) -> tuple[Ints, int]:
    """(columns of the old channels and then of the newcomer's, how many of the old ones moved)."""
    n, old = plan.users, column[plan.colour]
    colours = int(column.max()) + 1
    grown = np.append(ends, np.stack([np.arange(n), np.full(n, n)], axis=1).astype(np.int32), axis=0)
    colour_of = np.append(old, partner)
    table = table_of(grown, colour_of, n + 1, colours)
    rng = np.random.default_rng(seed)
    left = np.flatnonzero(partner == FREE)
    late = [user for user in rng.permutation(left) if not _given_up(user, n, grown, table, colour_of, rng)]
    waiting = np.array([len(ends) + user for user in late], dtype=np.int32)
    if waiting.size and place_edges(waiting, grown, table, colour_of):
        return colour_of, len(ends) + 1
    return colour_of, int(np.count_nonzero(colour_of[: len(ends)] != old))


def _given_up(user: int, newcomer: int, ends: Ints, table: Ints, colour_of: Ints, rng: np.random.Generator) -> bool:
    """Move one channel of `user` to a colour free at both its ends, and give its old colour to the newcomer."""
    free = table == FREE
    open_colours = rng.permutation(np.flatnonzero(free[newcomer] & (table[user] >= 0)))[:_LOOKED_AT]
    channels = table[user, open_colours]
    others = ends[channels].sum(axis=1) - user
    common = free[user] & free[others]  # (channel, colour)
    common[others == newcomer] = False
    some = np.flatnonzero(common.any(axis=1))
    if not some.size:
        return False
    scarce = common[some].sum(axis=1)
    k = some[int(np.argmax(scarce))]
    channel, old = channels[k], colour_of[channels[k]]
    new = int(rng.choice(np.flatnonzero(common[k])))
    table[ends[channel], old] = FREE
    table[ends[channel], new] = channel
    colour_of[channel] = new
    joined = len(ends) - newcomer + user
    table[[user, newcomer], old] = joined
    colour_of[joined] = old
    return True
