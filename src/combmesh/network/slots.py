"""The channel plan in arrays: a line and a time slot for every pair, and many of them for pairs that ask for more.

A colour is a line in a slot; nobody has a colour twice. Time is cut into equal slots that come round again and again: a
pair in one of S slots has a share 1/S of the pulses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines, Demultiplexer, line_frequency_thz
from combmesh.ground.errors import InputError, RunError, check_range
from combmesh.network.colours import (
    FREE,
    Bools,
    ColourBounds,
    Ints,
    circle_colours,
    colour_bounds,
    colour_edges,
    pairs_of,
)

MOST_EXCESS_DB = 3.0
"""Assumed: a line that its passband weakens by more than half is not used."""


class LineUse(NamedTuple):
    """The lines of a comb behind a grating, arrays of shape (line,).

    Attributes:
        line: number of the line.
        port: its port, -1 for none.
        loss_db: from the grating's input to the port, infinite without one.
        usable: whether a plan may use it.
        reason: "", or why not.
    """

    line: NDArray[np.int64]
    port: NDArray[np.int64]
    loss_db: NDArray[np.float64]
    usable: Bools
    reason: tuple[str, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The usable lines, those nearest to the pump first."""
        return tuple(sorted((int(line) for line in self.line[self.usable]), key=lambda line: (abs(line), line)))


def line_use(
    comb: CombLines, grating: Demultiplexer, without: Sequence[int] = (), most_excess_db: float = MOST_EXCESS_DB
) -> LineUse:
    """Which lines a plan may use: each leaves by a port of its own, well inside the passband.

    Args:
        comb: the lines.
        grating: the demultiplexer that parts them.
        without: lines that are not to be used, whatever their port.
        most_excess_db: how much weaker than at its port's centre a line may leave, dB.
    """
    check_range("most_excess_db", most_excess_db, 0.0)
    line = np.arange(comb.first_line, comb.last_line + 1)
    hertz = np.array([line_frequency_thz(comb, int(number)) * 1e12 for number in line])
    nearest = np.rint((grating.centre_hz[0] - hertz) / (grating.pitch_ghz * 1e9)).astype(np.int64)
    inside = (nearest >= 0) & (nearest < grating.ports)
    port = np.where(inside, nearest, -1)
    detuning_ghz = (hertz - grating.centre_hz[np.clip(nearest, 0, grating.ports - 1)]) * 1e-9
    excess_db = -10.0 * np.log10(np.maximum(grating.passband(detuning_ghz), 1e-30))
    loss_db = np.where(inside, grating.port_loss_db[np.clip(nearest, 0, grating.ports - 1)] + excess_db, np.inf)
    reason = np.full(line.shape, "", dtype=object)
    order = np.lexsort((np.abs(detuning_ghz), port))
    second = order[1:][port[order[1:]] == port[order[:-1]]]
    reason[second] = "another line has its port"
    reason[excess_db > most_excess_db] = f"its passband takes more than {most_excess_db:g} dB"
    reason[~inside] = "it has no port"
    reason[np.isin(line, list(without))] = "it is not to be used"
    return LineUse(line, port, loss_db, reason == "", tuple(str(some) for some in reason))


@dataclass(frozen=True, eq=False)
class SlotPlan:
    """A channel plan; a channel is a pair on a line in a slot.

    Attributes:
        users: number of users.
        lines: lines that may be used, the first ones first.
        slots: time slots, 1 for none.
        first, second: users of each channel, first < second, shape (channel,).
        colour: its colour, line number `lines[colour % len(lines)]` in slot `colour // len(lines)`, shape (channel,).
        bounds: bounds on the colours that the demand takes.
    """

    users: int
    lines: tuple[int, ...]
    slots: int
    first: Ints
    second: Ints
    colour: Ints
    bounds: ColourBounds

    @property
    def line(self) -> NDArray[np.int64]:
        """Line of each channel, shape (channel,)."""
        return np.array(self.lines)[self.colour % len(self.lines)]

    @property
    def slot(self) -> Ints:
        """Slot of each channel, shape (channel,)."""
        return (self.colour // len(self.lines)).astype(np.int32)

    @property
    def colours_used(self) -> int:
        """Different colours in the plan."""
        return int(np.unique(self.colour).size)

    @property
    def lines_used(self) -> int:
        """Different lines in the plan."""
        return int(np.unique(self.colour % len(self.lines)).size)

    @property
    def least_lines(self) -> int:
        """No plan of this demand in as many slots has fewer lines."""
        return -(-self.bounds.least // self.slots)

    @property
    def busiest_slot(self) -> int:
        """Channels of the fullest slot: as many receivers serve all of them at once."""
        return int(np.bincount(self.slot, minlength=1).max())

    def shown(self) -> dict[str, Any]:
        """What a report says of the plan."""
        return {
            "users": self.users,
            "channels": len(self.colour),
            "lines": self.lines_used,
            "least_lines": self.least_lines,
            "time_slots": self.slots,
            "colours": self.colours_used,
            "least_colours": self.bounds.least,
            "plan_proper": is_proper(self),
        }


def plan_slots(
    users: int,
    lines: Sequence[int],
    slots: int | None = None,
    demand: NDArray[np.int64] | None = None,
    blocked: Bools | None = None,
) -> SlotPlan:
    """A proper plan on the fewest colours that were found; `bounds` says how few there could be.

    Args:
        users: number of users.
        lines: lines that may be used, the first ones first.
        slots: time slots; None takes the fewest that are enough.
        demand: channels that each pair asks for, symmetric, shape (user, user); None is one for each.
        blocked: lines that a user cannot have, in the order of `lines`, shape (user, line).
    """
    check_range("users", users, 2)
    if not lines or len(set(lines)) != len(lines):
        raise InputError("`lines` must hold different lines, at least one, but does not.")
    if demand is not None:
        _check_demand(demand, users)
    bounds = _uniform_bounds(users, 1) if demand is None else colour_bounds(demand)
    usable = len(lines) if blocked is None else int(np.min(np.count_nonzero(~blocked, axis=1)))
    least_slots = -(-bounds.least // usable) if usable else 0
    wanted = slots if slots is not None else max(least_slots, 1)
    check_range("slots", wanted, 1)
    if bounds.least > usable * wanted:
        raise InputError(
            f"`lines` and `slots` must give {bounds.least} channels at a user, but {usable} lines in {wanted} slots "
            f"give {usable * wanted}; {least_slots} slots would do."
            if usable
            else "`blocked` must leave every user a line, but does not."
        )
    ends, start = _edges(users, demand)
    colour = _coloured(ends, start, users, bounds.least, len(lines), wanted, blocked)
    plan = SlotPlan(users, tuple(lines), wanted, ends[:, 0], ends[:, 1], colour, bounds)
    check_slots(plan, demand)
    return plan


def _check_demand(demand: NDArray[np.int64], users: int) -> None:
    if demand.shape != (users, users) or demand.min() < 0 or np.any(demand != demand.T) or np.any(np.diag(demand)):
        raise InputError(
            f"`demand` must be a symmetric table (user, user) of {users} users, at least 0 and 0 on its diagonal, "
            "but is not."
        )


def _uniform_bounds(users: int, each: int) -> ColourBounds:
    """Bounds where every pair asks for as much: the circle method meets them."""
    least = each * (users - 1 + users % 2)
    return ColourBounds(least, least)


def _edges(users: int, demand: NDArray[np.int64] | None) -> tuple[Ints, Ints]:
    """Ends of every channel, shape (channel, 2), and the circle method's colour of as many as all pairs ask for."""
    first, second = pairs_of(users)
    circle = circle_colours(first, second, users)
    if demand is None:
        return np.stack([first, second], axis=1), circle
    times = demand[first, second]
    pair = np.repeat(np.arange(first.size), times)
    copy = np.arange(pair.size) - np.repeat(np.cumsum(times) - times, times)
    rounds = users - 1 + users % 2
    shared = int(times.min(initial=0))
    start = np.where(copy < shared, circle[pair] + copy * rounds, FREE).astype(np.int32)
    return np.stack([first[pair], second[pair]], axis=1), start


def _coloured(ends: Ints, start: Ints, users: int, least: int, lines: int, slots: int, blocked: Bools | None) -> Ints:
    """Colours in the numbering of `SlotPlan`, as few as are found, spread evenly over the slots."""
    lost = len(ends)
    for count in range(max(least, _first_count(ends, users, lines, slots, blocked)), lines * slots + 1):
        wide = -(-count // slots)
        column = np.arange(count) % wide + np.arange(count) // wide * lines
        off = None if blocked is None else blocked[:, column % lines]
        colour, lost = colour_edges(ends, users, count, start=np.where(start < count, start, FREE), blocked=off)
        if lost == 0:
            return column[colour].astype(np.int32)
    raise RunError(f"No plan on {lines} lines in {slots} slots was found: {lost} channels are left over.")


def _first_count(ends: Ints, users: int, lines: int, slots: int, blocked: Bools | None) -> int:
    """So many colours that every user has as many as channels, if lines are taken in their order."""
    if blocked is None:
        return 0
    degree = np.bincount(ends.ravel(), minlength=users)
    enough = np.all(np.cumsum(~blocked, axis=1) * slots >= degree[:, None], axis=0)
    return int(np.argmax(enough)) * slots + 1 if enough.any() else lines * slots


def is_proper(plan: SlotPlan) -> bool:
    """Whether no user has a colour twice."""
    palette = len(plan.lines) * plan.slots
    if plan.colour.size and (plan.colour.min() < 0 or plan.colour.max() >= palette):
        return False
    held = np.zeros(plan.users * palette, dtype=np.bool_)
    for user in (plan.first, plan.second):
        held[user.astype(np.int64) * palette + plan.colour] = True
    return int(np.count_nonzero(held)) == 2 * len(plan.colour)


def check_slots(plan: SlotPlan, demand: NDArray[np.int64] | None = None) -> None:
    """Refuse a plan that gives a user a colour twice, or that leaves out a pair or serves one too often."""
    if not is_proper(plan):
        raise RunError("The channel plan gives a user one line twice in one slot.")
    first, second = pairs_of(plan.users)
    asked = np.ones(first.size, dtype=np.int64) if demand is None else demand[first, second]
    pair = pair_index(plan.first, plan.second, plan.users)
    served = np.bincount(pair, minlength=first.size)
    if np.any(plan.first >= plan.second) or np.any(served != asked):
        wrong = int(np.flatnonzero(served != asked)[0]) if np.any(served != asked) else 0
        raise RunError(
            f"The channel plan must serve users {first[wrong]} and {second[wrong]} {asked[wrong]} times, "
            f"but serves them {served[wrong]} times."
        )


def pair_index(first: Ints, second: Ints, users: int) -> NDArray[np.int64]:
    """Place of pairs first < second among all pairs in lexical order.

    >>> pair_index(np.array([0, 0, 1]), np.array([1, 2, 2]), 3)
    array([0, 1, 2])
    """
    i = first.astype(np.int64)
    return i * (2 * users - i - 1) // 2 + second - i - 1
