r"""Progressive edge growth of a quasi-cyclic code, compiled (Hu, Eleftheriou and Arnold 2005, on the lifted graph).

The columns of degree 2, fewer than rows, are a chain from row to row, so they close no cycle among themselves. All
other edges are added one by one, columns of low degree first. For each one a search in the lifted graph finds how far
every check is from the column, and the edge goes to one of the farthest. Ties go to the row with the fewest edges, then
to a pseudo-random choice with a fixed beginning, so both users construct the same code.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

Ints = NDArray[np.int32]

STEP = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
U27, U30, U31 = (np.uint64(k) for k in (27, 30, 31))
N_LEVELS = 3
"""Checks are looked for at distances 1, 3, 5 and beyond: a farther one closes no cycle shorter than 8."""


class Graph(NamedTuple):
    """The edges so far, and room for a search; all arrays are changed in place.

    `by_column`, `by_row`: the other end and the shift of each edge, shape (column or row, edge, 2); `n_by_column`,
    `n_by_row`: how many there are. `level`: shape (row, lift). `seen`: the last search that has been at a bit, shape
    (column, lift). `queue`: bits to go on from, shape (column x lift, 2).
    """

    by_column: Ints
    by_row: Ints
    n_by_column: Ints
    n_by_row: Ints
    level: Ints
    seen: Ints
    queue: Ints


@kernel
def mixed(state: np.uint64) -> np.uint64:
    """The output of splitmix64 (Steele, Lea and Flood 2014) at `state`."""
    x = state
    x = (x ^ (x >> U30)) * MIX_1
    x = (x ^ (x >> U27)) * MIX_2
    return x ^ (x >> U31)


@kernel
def add_bits(graph: Graph, row: int, z: int, mark: int, end: int) -> int:
    """Put the bits of a check that this search has not seen in the queue; returns its new end."""
    lift = graph.level.shape[1]
    for j in range(graph.n_by_row[row]):
        column = graph.by_row[row, j, 0]
        place = z + graph.by_row[row, j, 1]
        place -= lift if place >= lift else 0
        if graph.seen[column, place] != mark:
            graph.seen[column, place] = mark
            graph.queue[end, 0] = column
            graph.queue[end, 1] = place
            end += 1
    return end


@kernel
def measure(graph: Graph, column: int, mark: int) -> None:
    """Levels of the checks around bit 0 of `column`: 0 is next to it, N_LEVELS is not reached."""
    lift = graph.level.shape[1]
    graph.level[:] = N_LEVELS
    graph.seen[column, 0] = mark
    graph.queue[0, 0] = column
    graph.queue[0, 1] = 0
    begin, end, n_left = 0, 1, graph.level.size
    for depth in range(N_LEVELS):
        last = end
        for k in range(begin, last):
            here = graph.queue[k, 0]
            for i in range(graph.n_by_column[here]):
                row = graph.by_column[here, i, 0]
                z = graph.queue[k, 1] - graph.by_column[here, i, 1]
                z += lift if z < 0 else 0
                if graph.level[row, z] == N_LEVELS:
                    graph.level[row, z] = depth
                    n_left -= 1
                    if depth < N_LEVELS - 1:
                        end = add_bits(graph, row, z, mark, end)
            if n_left == 0:
                return
        begin = last


@kernel
def farthest(graph: Graph, column: int, most: int, state: np.uint64) -> tuple[int, int]:
    """Row and check for the next edge of `column`: a new row with fewer than `most` edges; row -1 if there is none.

    Farthest first, then fewest edges of the row, then by chance.
    """
    best_row, best_z, best_level, best_edges, best_key = -1, 0, -1, 0, np.uint64(0)
    for row in range(graph.n_by_row.size):
        edges = graph.n_by_row[row]
        taken = edges >= most
        for i in range(graph.n_by_column[column]):
            taken |= graph.by_column[column, i, 0] == row
        if taken:
            continue
        for z in range(graph.level.shape[1]):
            here = graph.level[row, z]
            if here < best_level or (here == best_level and edges > best_edges):
                continue
            key = mixed(state + np.uint64(row * graph.level.shape[1] + z + 1) * STEP)
            if here > best_level or edges < best_edges or key > best_key:
                best_row, best_z, best_level, best_edges, best_key = row, z, here, edges, key
    return best_row, best_z


@kernel
def add_edge(graph: Graph, row: int, column: int, shift: int) -> None:
    """All `lift` edges between a row and a column."""
    i, j = graph.n_by_column[column], graph.n_by_row[row]
    graph.by_column[column, i, 0], graph.by_column[column, i, 1] = row, shift
    graph.by_row[row, j, 0], graph.by_row[row, j, 1] = column, shift
    graph.n_by_column[column] += 1
    graph.n_by_row[row] += 1


@kernel
def grow(degrees: Ints, n_rows: int, lift: int, seed: np.uint64) -> Ints:
    """The edges of a code: row, column and shift, shape (edge, 3); `degrees`, shape (column,), ascending from 2."""
    n_columns, n_edges = degrees.size, degrees.sum()
    most = -(-n_edges // n_rows)
    graph = Graph(
        np.zeros((n_columns, degrees.max(), 2), np.int32),
        np.zeros((n_rows, n_columns, 2), np.int32),
        np.zeros(n_columns, np.int32),
        np.zeros(n_rows, np.int32),
        np.empty((n_rows, lift), np.int32),
        np.zeros((n_columns, lift), np.int32),
        np.empty((n_columns * lift, 2), np.int32),
    )
    edges = np.empty((n_edges, 3), np.int32)
    n = 0
    for column in range(n_columns):
        for i in range(degrees[column]):
            if degrees[column] == 2:
                row, z = column + i, 0
            else:
                measure(graph, column, n + 1)
                state = mixed(seed + np.uint64(n) * STEP)
                row, z = farthest(graph, column, most, state)
                if row < 0:
                    row, z = farthest(graph, column, n_columns + 1, state)
            shift = lift - z if z else 0
            add_edge(graph, row, column, shift)
            edges[n, 0], edges[n, 1], edges[n, 2] = row, column, shift
            n += 1
    return edges
