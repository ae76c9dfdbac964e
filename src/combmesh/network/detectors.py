"""Fewer receivers than pairs: how they are shared in time, for a chosen aim.

A receiver is a beam splitter, two polarizing ones and four detectors; it serves one pair at a time. A period, after
which every pair may have a new key, is cut into equal slots, and a receiver changes its pair between slots only. A pair
that gets k slots has one block with the light of these k slots: its bits are those of the finite-key rate, so half the
slots give less than half the key. Receivers are bound in one of three ways:

- "switched": any receiver can be joined to any pair, by switches at the relay;
- "line": a receiver stands behind the port of one comb line and serves the pairs on that line in turn;
- "pair": a receiver is wired to one pair for good.

Aims: the most key in all ("total", weighted if wished), the most key of the pair that has the least ("max-min"), or the
most key up to what each pair asks for ("demand").

**Exactness.** "max-min" is exact: the least number of slots for a given key is known for every pair, and slots are laid
end to end (McNaughton 1959: a pair never meets itself). The others are knapsacks with one choice for each pair. Their
concave hulls give a bound; what is reached differs by less than one pair's key for each group of pairs that shares its
receivers, and small networks are solved by integer programming.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.network.colours import Ints
from combmesh.network.knapsack import Filled, best_fill, fill
from combmesh.network.rate_blocks import BlockSurfaces
from combmesh.network.rates import Floats

DETECTORS = 4
"""Detectors of a receiver (paper, Fig. 1c)."""

AIMS = ("total", "max-min", "demand")
BINDINGS = ("switched", "line", "pair")
_MILP_CHOICES = 3000


@dataclass(frozen=True, eq=False)
class Sharing:
    """How receivers are shared.

    Attributes:
        aim, binding: as asked for.
        receivers: how many there are.
        slots: slots of a period.
        slots_of: slots of each pair, shape (pair,).
        bits: key of each pair in a period, shape (pair,).
        group: receivers' group of each pair (its line), -1 where all receivers serve all pairs, shape (pair,).
        window: the plan's time slot of each pair, shape (pair,).
        receivers_of: receivers of each group.
        value: what the aim has come to, bits a period.
        bound: no sharing comes to more.
        exact: whether `value` is proven to be the best.
    """

    aim: str
    binding: str
    receivers: int
    slots: int
    slots_of: Ints
    bits: Floats
    group: Ints
    window: Ints
    receivers_of: dict[int, int]
    value: float
    bound: float
    exact: bool

    @property
    def gap(self) -> float:
        """Share of the bound that is perhaps missed."""
        return 0.0 if self.bound <= 0.0 else max(1.0 - self.value / self.bound, 0.0)

    def shown(self) -> dict[str, Any]:
        """What a report says of the sharing."""
        return {
            "aim": self.aim,
            "binding": self.binding,
            "receivers": self.receivers,
            "detectors": DETECTORS * self.receivers,
            "pairs_with_key": int(np.count_nonzero(self.bits > 0.0)),
            "value_bits": self.value,
            "bound_bits": self.bound,
            "gap": self.gap,
            "exact": self.exact,
        }


def share_table(surfaces: BlockSurfaces, arms_a: Floats, arms_b: Floats, period_s: float, slots: int) -> Floats:
    """Key bits of each pair in a period for 0 to `slots` slots of light, shape (pair, slots+1).

    `surfaces` should reach from a slot's time to the period; below it there is no key.
    """
    check_range("slots", slots, 1)
    light_s = period_s * np.arange(1, slots + 1) / slots
    bits = surfaces.skr_bps(arms_a, arms_b, light_s) * light_s
    return np.concatenate([np.zeros((len(bits), 1)), np.maximum.accumulate(bits, axis=1)], axis=1)


def share_receivers(
    bits: Floats,
    receivers: int,
    aim: str = "total",
    *,
    binding: str = "switched",
    line: NDArray[np.int64] | None = None,
    window: Ints | None = None,
    windows: int = 1,
    weights: Floats | None = None,
    demand_bits: Floats | None = None,
) -> Sharing:
    """The best sharing for an aim.

    Args:
        bits: key of each pair for 0 to all slots of a period, not falling, shape (pair, slots+1); see `share_table`.
        receivers: how many there are.
        aim: one of `AIMS`.
        binding: one of `BINDINGS`.
        line: line of each pair, for "line", shape (pair,).
        window: time slot of the channel plan of each pair, in which alone it has light, shape (pair,).
        windows: time slots of the channel plan; they divide the slots of a period.
        weights: what a bit of each pair counts, for "total" and "demand", shape (pair,).
        demand_bits: bits in a period that each pair asks for, for "demand", shape (pair,).
    """
    start, usable = _prepared(bits, receivers, aim, binding, line, window, windows, demand_bits)
    if aim == "max-min":
        return _max_min(start, usable, windows)
    values = usable if demand_bits is None or aim == "total" else np.minimum(usable, demand_bits[:, None])
    values = values if weights is None else values * weights[:, None]
    return _knapsacks(start, values, usable, windows)


def _prepared(
    bits: Floats,
    receivers: int,
    aim: str,
    binding: str,
    line: NDArray[np.int64] | None,
    window: Ints | None,
    windows: int,
    demand_bits: Floats | None,
) -> tuple[Sharing, Floats]:
    """(a sharing in which nobody has a slot yet, key of each pair for the slots that it can have)."""
    check_range("receivers", receivers, 0)
    _check(bits, aim, binding, line, window, windows, demand_bits)
    pairs, slots = len(bits), (bits.shape[1] - 1) // windows
    usable = bits[:, : slots + 1]
    group = np.full(pairs, -1, dtype=np.int32)
    if binding == "line" and line is not None:
        group = line.astype(np.int32)
    where = np.zeros(pairs, dtype=np.int32) if window is None else window.astype(np.int32)
    empty = Sharing(
        aim, binding, receivers, bits.shape[1] - 1, np.zeros(pairs, np.int32), np.zeros(pairs), group, where, {}, 0.0,
        0.0, True,
    )  # fmt: skip
    return empty, usable


def _check(
    bits: Floats,
    aim: str,
    binding: str,
    line: NDArray[np.int64] | None,
    window: Ints | None,
    windows: int,
    demand_bits: Floats | None,
) -> None:
    for name, value, allowed in (("aim", aim, AIMS), ("binding", binding, BINDINGS)):
        if value not in allowed:
            raise InputError(f"`{name}` must be one of {', '.join(allowed)}, but is {value!r}.")
    if bits.ndim != 2 or bits.shape[1] < 2 or np.any(bits[:, 0] != 0.0) or np.any(np.diff(bits, axis=1) < 0.0):
        raise InputError("`bits` must have shape (pair, slots+1), begin with 0 and not fall, but does not.")
    if windows < 1 or (bits.shape[1] - 1) % windows:
        raise InputError(f"`windows` must divide the {bits.shape[1] - 1} slots of a period, but is {windows}.")
    if window is not None and len(window) and not 0 <= window.min() <= window.max() < windows:
        raise InputError(f"`window` must be from 0 to {windows - 1}, but is {window.min()} to {window.max()}.")
    if binding == "line" and line is None:
        raise InputError("`line` must be given where receivers are bound to lines, but is not.")
    if aim == "demand" and demand_bits is None:
        raise InputError('`demand_bits` must be given for the aim "demand", but is not.')


def least_receivers(
    bits: Floats,
    least_bits: float,
    *,
    binding: str = "switched",
    line: NDArray[np.int64] | None = None,
    window: Ints | None = None,
    windows: int = 1,
) -> int:
    """The fewest receivers with which every pair that can have `least_bits` in a period has them; exact.

    Arguments as of `share_receivers`.
    """
    start, usable = _prepared(bits, 0, "max-min", binding, line, window, windows, None)
    slots_of = np.where(usable[:, -1] >= least_bits, _least_slots(usable, least_bits), 0).astype(np.int32)
    return sum(_receivers_for(start, slots_of, usable.shape[1] - 1, windows).values())


def _least_slots(usable: Floats, bits: float) -> Ints:
    """The fewest slots with which each pair has at least so many bits; one too many where none are enough."""
    return np.asarray(np.count_nonzero(usable < bits, axis=1), dtype=np.int32)


def _receivers_for(sharing: Sharing, slots_of: Ints, slots: int, windows: int) -> dict[int, int]:
    """Receivers of each group that are enough for some slots of each pair."""
    if sharing.binding == "pair":
        return {-1: int(np.count_nonzero(slots_of))}
    groups, place = np.unique(sharing.group, return_inverse=True)
    load = np.zeros((groups.size, windows), dtype=np.int64)
    np.add.at(load, (place.reshape(-1), sharing.window), slots_of)
    needed = (-(-load // slots)).max(axis=1)
    return {int(group): int(count) for group, count in zip(groups, needed, strict=True)}


def _max_min(sharing: Sharing, usable: Floats, windows: int) -> Sharing:
    """The greatest key that all pairs which can have one get together; the slots left over go to the total."""
    slots = usable.shape[1] - 1
    able = usable[:, -1] > 0.0
    possible = np.unique(usable[able])
    possible = possible[(possible > 0.0) & (possible <= usable[able, -1].min(initial=np.inf))]
    low, high = 0, possible.size  # the first `low` are reached
    while low < high:
        middle = (low + high) // 2
        needed = np.where(able, _least_slots(usable, possible[middle]), 0).astype(np.int32)
        reached = sum(_receivers_for(sharing, needed, slots, windows).values()) <= sharing.receivers
        low, high = (middle + 1, high) if reached else (low, middle)
    if low == 0:
        return replace(sharing, bound=0.0)
    value = float(possible[low - 1])
    base = np.where(able, _least_slots(usable, value), 0).astype(np.int32)
    receivers_of = _receivers_for(sharing, base, slots, windows)
    if sharing.binding == "pair":
        taken = np.where(base > 0, slots, 0).astype(np.int32)
    else:
        more, receivers_of = _left_over(sharing, usable, base, receivers_of, windows)
        taken = base + more
    bits = usable[np.arange(len(usable)), taken]
    return replace(sharing, slots_of=taken, bits=bits, receivers_of=receivers_of, value=value, bound=value)


def _left_over(
    sharing: Sharing, usable: Floats, base: Ints, receivers_of: dict[int, int], windows: int
) -> tuple[Ints, dict[int, int]]:
    """(slots beyond `base` that add most to the total, receivers of each group with the spare ones dealt out)."""
    slots = usable.shape[1] - 1
    reach = np.minimum(base[:, None] + np.arange(slots + 1), slots)
    gains = np.take_along_axis(usable, reach, axis=1) - np.take_along_axis(usable, base[:, None], axis=1)
    spare = sharing.receivers - sum(receivers_of.values())
    parts = {
        group: [np.flatnonzero((sharing.group == group) & (sharing.window == w)) for w in range(windows)]
        for group in receivers_of
    }
    if len(parts) == 1:
        counts = {group: [count + spare] for group, count in receivers_of.items()}
    else:
        counts = {
            group: list(range(count, count + min(max(map(len, parts[group])) - count, spare) + 1))
            for group, count in receivers_of.items()
        }
    fills = {
        group: [[fill(gains[p], n * slots - int(base[p].sum())) for p in parts[group]] for n in counts[group]]
        for group in parts
    }
    dealt, _ = _dealt_to(fills, spare if len(parts) > 1 else 0)
    more = np.zeros(len(usable), dtype=np.int32)
    for group, extra in dealt.items():
        for part, filled in zip(parts[group], fills[group][extra], strict=True):
            more[part] = filled.taken
    owned = {group: counts[group][extra] for group, extra in dealt.items()}
    return np.asarray(np.minimum(more, slots - base), dtype=np.int32), owned


def _knapsacks(sharing: Sharing, values: Floats, usable: Floats, windows: int) -> Sharing:
    slots = usable.shape[1] - 1
    if sharing.binding == "pair":
        values = np.where(np.arange(slots + 1) == slots, values, 0.0)
        best = np.argsort(-values[:, -1], kind="stable")[: sharing.receivers]
        taken = np.zeros(len(values), dtype=np.int32)
        taken[best[values[best, -1] > 0.0]] = slots
        found = {-1: [(np.arange(len(values)), Filled(taken, float(values[best, -1].sum()), 0.0))]}
        bound, receivers_of = found[-1][0][1].value, {-1: sharing.receivers}
    elif sharing.binding == "switched":
        small = values.size <= _MILP_CHOICES
        parts = [np.flatnonzero(sharing.window == window) for window in range(windows)]
        solve = best_fill if small else fill
        found = {-1: [(some, solve(values[some], sharing.receivers * slots)) for some in parts]}
        bound, receivers_of = sum(part.bound for _, part in found[-1]), {-1: sharing.receivers}
    else:
        found, bound, receivers_of = _by_line(sharing, values, slots, windows)
    slots_of = np.zeros(len(values), dtype=np.int32)
    value = 0.0
    for parts_of in found.values():
        for some, part in parts_of:
            slots_of[some] = part.taken
            value += part.value
    bits = usable[np.arange(len(usable)), slots_of]
    exact = value >= bound * (1.0 - 1e-9)
    return replace(
        sharing, slots_of=slots_of, bits=bits, receivers_of=receivers_of, value=value, bound=max(bound, value),
        exact=exact,
    )  # fmt: skip


def _by_line(
    sharing: Sharing, values: Floats, slots: int, windows: int
) -> tuple[dict[int, list[tuple[NDArray[np.int64], Filled]]], float, dict[int, int]]:
    """Receivers dealt out to lines by dynamic programming over the lines, exact for the values of each line."""
    parts: dict[int, list[NDArray[np.int64]]] = {}
    fills: dict[int, list[list[Filled]]] = {}
    solve = best_fill if values.size <= _MILP_CHOICES else fill
    for line in np.unique(sharing.group):
        group = int(line)
        parts[group] = [np.flatnonzero((sharing.group == group) & (sharing.window == w)) for w in range(windows)]
        most = min(max(some.size for some in parts[group]), sharing.receivers)
        fills[group] = [[solve(values[some], n * slots) for some in parts[group]] for n in range(most + 1)]
    receivers_of, bound = _dealt_to(fills, sharing.receivers)
    found = {group: list(zip(parts[group], fills[group][count], strict=True)) for group, count in receivers_of.items()}
    return found, bound, receivers_of


def _dealt_to(fills: dict[int, list[list[Filled]]], receivers: int) -> tuple[dict[int, int], float]:
    """(receivers of each group, bound on the value): `fills[group][n]` is what n receivers of a group come to."""
    reached, bounded = np.zeros(receivers + 1), np.zeros(receivers + 1)
    kept = []
    for group, rows in fills.items():
        reached, choice = _dealt(reached, np.array([sum(part.value for part in row) for row in rows]))
        bounded, _ = _dealt(bounded, np.array([sum(part.bound for part in row) for row in rows]))
        kept.append((group, choice))
    left, receivers_of = receivers, {}
    for group, choice in reversed(kept):
        receivers_of[group] = int(choice[left])
        left -= receivers_of[group]
    return receivers_of, float(bounded[-1])


def _dealt(before: Floats, line: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """(best value with up to n receivers after one more line, how many of them that line gets), shape (receiver,)."""
    best, choice = before + line[0], np.zeros(len(before), dtype=np.int64)
    for count in range(1, len(line)):
        tried = before[: len(before) - count] + line[count]
        better = tried > best[count:]
        best[count:][better] = tried[better]
        choice[count:][better] = count
    return best, choice


def timetable(sharing: Sharing, windows: int = 1) -> Ints:
    """Pair that each receiver serves in each slot, -1 for none, shape (receiver, slot).

    Pairs are laid end to end over the receivers of their group (McNaughton 1959). The slots of a period come window
    after window.
    """
    slots = sharing.slots // windows
    table = np.full((sharing.receivers, sharing.slots), -1, dtype=np.int32)
    first = 0
    for group, count in sorted(sharing.receivers_of.items()):
        for window in range(windows):
            some = np.flatnonzero((sharing.group == group) & (sharing.window == window)).astype(np.int32)
            served = np.repeat(some, sharing.slots_of[some])
            cells = np.full(count * slots, -1, dtype=np.int32)
            cells[: served.size] = served
            table[first : first + count, window * slots : (window + 1) * slots] = cells.reshape(count, slots)
        first += count
    return table
