"""Bob's book of a block, compiled: what he knows of the parities of intervals, and the lists of odd ones.

An *interval* is what lies between two neighbouring beginnings in one layer of one frame. It is odd if Bob's parity
differs from Alice's. Odd intervals wait in lists, for each frame one for each power of two of their size.

Three arrays hold it, since each one more costs every call time. `maps`, shape (word + 1, 6): for each 64 addresses
Bob's bits, where intervals begin, and at the beginnings whether the interval is odd, whether it is in a list, and
Alice's parity from the start of the layer up to here; at layer 0, which bits are flipped. `heap`: numbers of the
block, then those of each frame with the heads of its lists, then the lists' nodes, start and next node. `grades`: see
`grade`. `tables`, shape (4, place): from the places of layers 1 and 2 to those of layer 0, and back.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.words import ALL, ZERO, bit_of, highest, lowest, popcount, whole
from combmesh.ground.kernels import kernel

TEXT, BEGINS, ODD, QUEUED, PREFIX, FLIPPED = range(6)
FREE, N_FLIPS, CLASH, N_FRAMES, MOST, LANES, SHARE, WEIGHTED, ODD_MATTERS, ROOM, SIZES = range(11)
HEADER = 16
N_CLASSES = 32
OPEN, OPENING, WAITING = range(N_CLASSES, N_CLASSES + 3)
FRAME = 36
FLIP_ROOM = 3
"""Nodes that a flip may take."""
ODD_GRADE = 128
"""Added to the grade of an odd interval."""

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]


@kernel
def begin_of(maps: Words, address: int) -> int:
    """The last beginning at or before `address`; address 0 is always one."""
    w = address >> 6
    x = maps[w, BEGINS] & (ALL >> np.uint64(63 - (address & 63)))
    while x == ZERO:
        w -= 1
        x = maps[w, BEGINS]
    return (w << 6) + highest(x)


@kernel
def end_of(maps: Words, start: int) -> int:
    """The first beginning after `start`; the end of all addresses is always one."""
    address = start + 1
    w = address >> 6
    x = maps[w, BEGINS] & (ALL << np.uint64(address & 63))
    while x == ZERO:
        w += 1
        x = maps[w, BEGINS]
    return (w << 6) + lowest(x)


@kernel
def parity_of(maps: Words, start: int, end: int) -> int:
    """Bob's parity of the bits in [start, end), not empty."""
    first = start >> 6
    last = (end - 1) >> 6
    low = ALL << np.uint64(start & 63)
    high = ALL >> np.uint64(63 - ((end - 1) & 63))
    if first == last:
        return popcount(maps[first, TEXT] & low & high) & 1
    x = (maps[first, TEXT] & low) ^ (maps[last, TEXT] & high)
    for w in range(first + 1, last):
        x ^= maps[w, TEXT]
    return popcount(x) & 1


@kernel
def is_marked(maps: Words, kind: int, start: int) -> bool:
    """Whether a beginning is marked as of this kind."""
    return bool(maps[start >> 6, kind] & bit_of(start) != ZERO)


@kernel
def push(maps: Words, heap: Places, frame: int, start: int, size: int) -> None:
    """Put an odd interval, not in a list yet, in the list of its size."""
    maps[start >> 6, QUEUED] ^= bit_of(start)
    here = HEADER + FRAME * frame
    head = here + highest(np.uint64(size))
    node = whole(heap[FREE])
    heap[FREE] = heap[node + 1]
    heap[ROOM] -= 1
    heap[here + WAITING] += 1
    heap[node] = start
    heap[node + 1] = heap[head]
    heap[head] = node


@kernel
def pop(maps: Words, heap: Places, frame: int, c: int) -> tuple[int, bool]:
    """Take the first interval out of a list that is not empty: its start, and whether it is still odd."""
    here = HEADER + FRAME * frame
    node = whole(heap[here + c])
    heap[here + c] = heap[node + 1]
    heap[node + 1] = heap[FREE]
    heap[FREE] = node
    heap[ROOM] += 1
    heap[here + WAITING] -= 1
    start = whole(heap[node])
    maps[start >> 6, QUEUED] ^= bit_of(start)
    return start, is_marked(maps, ODD, start)


@kernel
def grade(heap: Places, grades: Bits, start: int, end: int, odd: bool) -> None:
    """Note at all places of an interval the logarithm of its length, 8 steps an octave, and whether it is odd."""
    if grades.size > 1:
        size = end - start
        c = highest(np.uint64(size))
        code = 8 * c + (((size << 3) >> c) & 7)
        if odd and size <= heap[ODD_MATTERS]:
            code += ODD_GRADE
        for k in range(start, end):
            grades[k] = code


@kernel
def change(maps: Words, heap: Places, grades: Bits, frame: int, start: int) -> None:
    """The interval at `start` changes between odd and even."""
    maps[start >> 6, ODD] ^= bit_of(start)
    odd = is_marked(maps, ODD, start)
    waits = is_marked(maps, QUEUED, start)
    if grades.size > 1 or (odd and not waits):
        end = end_of(maps, start)
        grade(heap, grades, start, end, odd)
        if odd and not waits:
            push(maps, heap, frame, start, end - start)


@kernel
def flip(maps: Words, heap: Places, grades: Bits, tables: Places, frame: int, place: int) -> None:
    """Correct the bit of a frame that is at `place` in layer 0; the intervals around it change."""
    n = tables.shape[1]
    first = 3 * frame * n
    there = first + place
    if is_marked(maps, FLIPPED, there):
        heap[CLASH] = 1
        return
    maps[there >> 6, FLIPPED] |= bit_of(there)
    heap[N_FLIPS] += 1
    n_open = heap[HEADER + FRAME * frame + OPEN]
    for layer in range(3):
        at = place
        if layer > 0:
            at = whole(tables[layer + 1, place])
        address = first + layer * n + at
        maps[address >> 6, TEXT] ^= bit_of(address)
        if layer < n_open:
            change(maps, heap, grades, frame, begin_of(maps, address))


@kernel
def flip_singles(maps: Words, heap: Places, grades: Bits, tables: Places, frame: int) -> None:
    """Correct all odd intervals of one bit.

    Stops if a bit would flip twice, since then parities contradict each other, or if nodes run short.
    """
    n = tables.shape[1]
    while heap[HEADER + FRAME * frame] >= 0 and heap[CLASH] == 0 and heap[ROOM] >= FLIP_ROOM:
        start, odd = pop(maps, heap, frame, 0)
        if odd:
            at = start - 3 * frame * n
            if at >= 2 * n:
                at = whole(tables[1, at - 2 * n])
            elif at >= n:
                at = whole(tables[0, at - n])
            flip(maps, heap, grades, tables, frame, at)


@kernel
def split(maps: Words, start: int, middle: int, alice: int, bob: int) -> bool:
    """Divide an interval at `middle`, given Alice's prefix parity there and Bob's parity of the left part.

    Returns whether the left part is odd; the right part takes the rest.
    """
    b = bit_of(start)
    w = start >> 6
    odd = is_marked(maps, ODD, start)
    left_odd = (alice != bob) != is_marked(maps, PREFIX, start)
    right = bit_of(middle)
    v = middle >> 6
    maps[v, BEGINS] |= right
    if alice:
        maps[v, PREFIX] |= right
    if odd != left_odd:
        maps[w, ODD] ^= b
        maps[v, ODD] |= right
    return left_odd
