r"""Colours for the edges of a network: no user twice on a colour. A colour is a line in a time slot.

One edge for each pair: the circle method gives the least number, N-1 colours for even N and N for odd N. With unequal
demands pairs are joined by many edges, and at least

.. math:: \max(\Delta, \Gamma), \qquad \Gamma = \max_{S,\ |S|\ \mathrm{odd}} \lceil 2 E(S)/(|S|-1) \rceil

colours are needed: Delta edges meet at one user, and a colour holds at most (|S|-1)/2 of the E(S) edges inside an odd
set S. No more than Delta + mu are ever needed (Vizing 1964, mu edges between two users at most), nor than 3 Delta/2
(Shannon 1949). Edges are placed one by one; where the two users have no colour free in common, a chain of two
alternating colours is exchanged (Kempe), and where that fails, an edge is moved on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.kernels import kernel

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

FREE, BLOCKED = -1, -2
"""Entries of a table of colours: nothing stands there, nothing may stand there."""

_CHAINS = 400
_MOVES = 400
_MOST_TRIANGLES, _MOST_SETS = 400, 12
"""Users up to which every triangle, and every odd set, is looked at for the bound."""


@dataclass(frozen=True)
class ColourBounds:
    """How many colours a demand takes.

    Attributes:
        least: no colouring has fewer.
        most: the best colouring has no more (Vizing, Shannon).
    """

    least: int
    most: int


def pairs_of(n: int) -> tuple[Ints, Ints]:
    """First and second user of each pair, shape (pair,), first < second, in lexical order."""
    first, second = np.triu_indices(n, 1)
    return first.astype(np.int32), second.astype(np.int32)


def circle_colours(first: Ints, second: Ints, n: int) -> Ints:
    """Colour of each pair of n users by the circle method; the rounds are those of `plan.one_factors`.

    With M = N-1 for even N and N for odd N, users i, j < M meet in the round r with i + j = 2r mod M, and user N-1 of
    an even number meets i in round i.

    >>> circle_colours(*pairs_of(4), 4)
    array([2, 1, 0, 0, 1, 2], dtype=int32)
    """
    rounds = n - 1 + n % 2
    half = (rounds + 1) // 2  # the inverse of 2 modulo an odd number
    meeting = (first.astype(np.int64) + second) * half % rounds
    hub = second == n - 1 if n % 2 == 0 else np.zeros(second.shape, dtype=np.bool_)
    return np.where(hub, first, meeting).astype(np.int32)


def colour_bounds(demand: NDArray[np.int64]) -> ColourBounds:
    """Bounds on the colours of a symmetric demand (user, user) of edges.

    Gamma is taken over all odd sets of up to 12 users. In larger networks it is taken over all triangles and over the
    odd sets that are left when the user with the fewest edges goes, again and again: it is a bound, but perhaps not the
    best of its kind.

    >>> colour_bounds(2 * (1 - np.eye(3, dtype=np.int64)))
    ColourBounds(least=6, most=6)
    """
    degree = int(demand.sum(axis=1).max(initial=0))
    most = min(degree + int(demand.max(initial=0)), 3 * degree // 2)
    sets = _set_bound(demand) if len(demand) <= _MOST_SETS else max(_peeled_bound(demand), _triangle_bound(demand))
    least = max(degree, sets)
    return ColourBounds(least, max(least, most))


def _peeled_bound(demand: NDArray[np.int64]) -> int:
    inner = demand.sum(axis=1)
    edges, size, best = int(inner.sum()) // 2, len(inner), 0
    left = np.ones(size, dtype=np.bool_)
    while size >= 3:
        if size % 2:
            best = max(best, -(-2 * edges // (size - 1)))
        gone = int(np.argmin(np.where(left, inner, np.iinfo(np.int64).max)))
        left[gone] = False
        edges -= int(inner[gone])
        inner = inner - demand[gone]
        size -= 1
    return best


def _set_bound(demand: NDArray[np.int64]) -> int:
    """Gamma over every odd set."""
    n = len(demand)
    member = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    size = member.sum(axis=1)
    member, size = member[(size % 2 == 1) & (size > 1)], size[(size % 2 == 1) & (size > 1)]
    twice_edges = np.einsum("si,ij,sj->s", member, demand, member, optimize=True)
    return int(np.max(-(-twice_edges // (size - 1)), initial=0))


def _triangle_bound(demand: NDArray[np.int64]) -> int:
    if not 3 <= len(demand) <= _MOST_TRIANGLES:
        return 0
    return max(int((row[:, None] + row[None, :] + demand)[np.ix_(row > 0, row > 0)].max(initial=0)) for row in demand)


@kernel
def _chain(start: int, goal: int, a: int, b: int, ends: Ints, table: Ints, chain: Ints) -> int:
    """Edges of the chain of colours a, b, a, ... from `start`, into `chain`; -1 if it ends at `goal` or on a block."""
    here, colour, length = start, a, 0
    while table[here, colour] >= 0:
        edge = table[here, colour]
        chain[length] = edge
        length += 1
        here = ends[edge, 0] + ends[edge, 1] - here
        colour = a + b - colour
    if here == goal or table[here, colour] == BLOCKED:
        return -1
    return length


@kernel
def _exchange(length: int, a: int, b: int, ends: Ints, table: Ints, colour_of: Ints, chain: Ints) -> None:
    """Exchange both colours on the edges of a chain."""
    for k in range(length):
        edge = chain[k]
        for end in range(2):
            table[ends[edge, end], colour_of[edge]] = FREE
    for k in range(length):
        edge = chain[k]
        colour_of[edge] = a + b - colour_of[edge]
        for end in range(2):
            table[ends[edge, end], colour_of[edge]] = edge


@kernel
def _set(edge: int, colour: int, ends: Ints, table: Ints, colour_of: Ints) -> None:
    colour_of[edge] = colour
    table[ends[edge, 0], colour] = edge
    table[ends[edge, 1], colour] = edge


@kernel
def _common(u: int, v: int, table: Ints) -> int:
    """The first colour that is free at both users, or -1."""
    for colour in range(table.shape[1]):
        if table[u, colour] == FREE and table[v, colour] == FREE:
            return colour
    return -1


@kernel
def _placed_by_chain(edge: int, ends: Ints, table: Ints, colour_of: Ints, chain: Ints) -> bool:
    """Free a colour for an edge by exchanging the shortest chain of those tried; False if none does it."""
    u, v = ends[edge, 0], ends[edge, 1]
    tried, shortest, best_a, best_b = 0, table.shape[0] + 1, FREE, FREE
    for a in range(table.shape[1]):
        if table[u, a] != FREE or table[v, a] == BLOCKED:
            continue
        for b in range(table.shape[1]):
            if table[v, b] != FREE or table[u, b] == BLOCKED or shortest == 1 or tried == _CHAINS:
                continue
            tried += 1
            length = _chain(v, u, a, b, ends, table, chain)
            if 0 < length < shortest:
                shortest, best_a, best_b = length, a, b
    if best_a == FREE:
        return False
    _exchange(_chain(v, u, best_a, best_b, ends, table, chain), best_a, best_b, ends, table, colour_of, chain)
    _set(edge, best_a, ends, table, colour_of)
    return True


@kernel
def place_edges(waiting: Ints, ends: Ints, table: Ints, colour_of: Ints) -> int:
    """Colour the waiting edges in place; returns how many have found no colour (their entry stays FREE).

    Where neither a common colour nor a chain is found, the edge takes a colour that is free at one of its users, and
    the edge that holds it at the other waits in its place, for a limited number of moves. Deterministic.

    Args:
        waiting: numbers of the edges to be coloured.
        ends: both users of each edge, shape (edge, 2).
        table: edge of each user on each colour, FREE or BLOCKED, shape (user, colour).
        colour_of: colour of each edge, FREE for none, shape (edge,).
    """
    chain = np.empty(table.shape[0] + 1, dtype=np.int32)
    state = np.uint64(88172645463325252)
    lost = 0
    for first in waiting:
        edge, moves = first, 0
        while True:
            u, v = ends[edge, 0], ends[edge, 1]
            colour = _common(u, v, table)
            if colour >= 0:
                _set(edge, colour, ends, table, colour_of)
                break
            if _placed_by_chain(edge, ends, table, colour_of, chain):
                break
            if moves == _MOVES:
                lost += 1
                break
            moves += 1
            state ^= state << np.uint64(13)  # Marsaglia 2003, xorshift
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            start = np.int64(state % np.uint64(table.shape[1]))
            moved = FREE
            for k in range(table.shape[1]):
                colour = (start + k) % table.shape[1]
                at_u, at_v = table[u, colour], table[v, colour]
                if (at_u == FREE and at_v >= 0) or (at_v == FREE and at_u >= 0):
                    moved = max(at_u, at_v)
                    table[ends[moved, 0], colour] = FREE
                    table[ends[moved, 1], colour] = FREE
                    colour_of[moved] = FREE
                    _set(edge, colour, ends, table, colour_of)
                    break
            if moved == FREE:
                lost += 1
                break
            edge = moved
    return lost


def table_of(ends: Ints, colour_of: Ints, n: int, colours: int, blocked: Bools | None = None) -> Ints:
    """Edge of each user on each colour, shape (user, colour); `blocked` has the same shape."""
    table = np.full((n, colours), FREE, dtype=np.int32)
    if blocked is not None:
        table[blocked] = BLOCKED
    some = np.flatnonzero(colour_of >= 0).astype(np.int32)
    for end in (0, 1):
        table[ends[some, end], colour_of[some]] = some
    return table


def colour_edges(
    ends: Ints, n: int, colours: int, *, start: Ints | None = None, blocked: Bools | None = None
) -> tuple[Ints, int]:
    """Colours of edges, shape (edge,), and how many have none, on at most `colours` colours.

    Args:
        ends: both users of each edge, shape (edge, 2).
        n: number of users.
        colours: how many colours there are.
        start: colours to begin with, FREE for none; those on a blocked colour are taken off.
        blocked: colours that a user cannot have, shape (user, colour).
    """
    if ends.size and (ends.min() < 0 or ends.max() >= n or np.any(ends[:, 0] == ends[:, 1])):
        raise InputError(f"`ends` must join two different users of {n}, but does not.")
    colour_of = np.full(len(ends), FREE, dtype=np.int32) if start is None else start.astype(np.int32)
    if blocked is not None:
        held = np.flatnonzero(colour_of >= 0)
        wrong = blocked[ends[held, 0], colour_of[held]] | blocked[ends[held, 1], colour_of[held]]
        colour_of[held[wrong]] = FREE
    if np.all(colour_of >= 0) or colours == 0:
        return colour_of, int(np.count_nonzero(colour_of < 0))
    table = table_of(ends, colour_of, n, colours, blocked)
    lost = int(place_edges(np.flatnonzero(colour_of < 0).astype(np.int32), ends, table, colour_of))
    return colour_of, lost
