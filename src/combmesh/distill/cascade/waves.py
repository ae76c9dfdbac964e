"""Rounds of questions, compiled: from Alice's answers to the next intervals to ask about, in all frames at once.

In pass 0, where no answer can spare another question, Bob halves all odd intervals of a frame at a time. Later he
takes only some of the smallest: an error found in one of them changes others, and may save their questions.
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.cascade.coding import encode
from combmesh.distill.cascade.marks import (
    CLASH,
    FLIP_ROOM,
    FRAME,
    HEADER,
    LANES,
    MOST,
    N_CLASSES,
    N_FRAMES,
    ODD,
    OPEN,
    OPENING,
    ROOM,
    SHARE,
    SIZES,
    WAITING,
    WEIGHTED,
    end_of,
    flip_singles,
    grade,
    is_marked,
    parity_of,
    pop,
    push,
    split,
)
from combmesh.distill.cascade.weights import weighted_middle
from combmesh.distill.cascade.words import bit_of, whole
from combmesh.ground.kernels import kernel

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int32]
Weights = NDArray[np.float32]


@kernel
def open_layer(heap: Places, n_bits: int, frame: int, wave: Places, n: int) -> int:
    """Plan the first blocks of the next layer of a frame; returns the questions in `wave` now."""
    here = HEADER + FRAME * frame
    layer = whole(heap[here + OPEN])
    heap[here + OPEN] += 1
    size = whole(heap[SIZES + layer])
    first = (3 * frame + layer) * n_bits
    last = first + n_bits
    begun = n
    if layer == 0:  # the parity of the whole frame, known in every layer from now on
        wave[0, n] = first
        wave[1, n] = last
        wave[2, n] = last
        n += 1
    for start in range(first, last - size, size):
        wave[0, n] = start
        wave[1, n] = start + size
        wave[2, n] = last
        n += 1
    heap[here + OPENING] = np.int32(n > begun)
    return n


@kernel
def take_opening(maps: Words, heap: Places, grades: Bits, frame: int, wave: Places, replies: Bits) -> None:
    """Note the first blocks of a layer; the last block takes what is left, so no question is about it."""
    last = whole(wave[2, 0])
    for q in range(replies.size):
        start = whole(wave[0, q])
        middle = whole(wave[1, q])
        bob = parity_of(maps, start, middle)
        alice = whole(replies[q])
        if middle < last:
            split(maps, start, middle, alice, bob)
        elif alice != bob:
            maps[start >> 6, ODD] |= bit_of(start)
    start = whole(wave[0, 0])
    while start < last:
        end = end_of(maps, start)
        odd = is_marked(maps, ODD, start)
        grade(heap, grades, start, end, odd)
        if odd:
            push(maps, heap, frame, start, end - start)
        start = end
    heap[HEADER + FRAME * frame + OPENING] = 0


@kernel
def take_halves(maps: Words, heap: Places, grades: Bits, frame: int, wave: Places, replies: Bits) -> None:
    """Divide the intervals of a frame, given Alice's prefix parities at their middles."""
    for q in range(replies.size):
        start = whole(wave[0, q])
        middle = whole(wave[1, q])
        end = whole(wave[2, q])
        left_odd = split(maps, start, middle, whole(replies[q]), parity_of(maps, start, middle))
        grade(heap, grades, start, middle, left_odd)
        grade(heap, grades, middle, end, not left_odd)
        if left_odd:
            push(maps, heap, frame, start, middle - start)
        else:
            push(maps, heap, frame, middle, end - middle)


@kernel
def allowance(heap: Places, frame: int) -> int:
    """How many intervals of a frame may be halved in one round."""
    here = HEADER + FRAME * frame
    if heap[here + OPEN] == 1:
        return whole(heap[MOST])
    share = heap[here + WAITING] // heap[SHARE]
    return whole(min(heap[MOST], max(heap[LANES], share)))


@kernel
def plan_halves(
    maps: Words, heap: Places, grades: Bits, tables: Places, odds: Weights, frame: int, wave: Places, n: int
) -> int:
    """Take the smallest odd intervals of a frame, as many as allowed; returns the questions in `wave` now."""
    most = n + allowance(heap, frame)
    here = HEADER + FRAME * frame
    weighted = heap[WEIGHTED] != 0 and heap[here + OPEN] > 1
    all_open = heap[here + OPEN] == 3
    for c in range(1, N_CLASSES):
        while heap[here + c] >= 0 and n < most:
            start, odd = pop(maps, heap, frame, c)
            if odd:
                end = end_of(maps, start)
                middle = start + (end - start) // 2
                if weighted and 2 < end - start <= heap[WEIGHTED]:
                    start, middle, end = weighted_middle(maps, heap, grades, tables, odds, frame, start, end, all_open)
                    if middle == start:
                        continue
                wave[0, n] = start
                wave[1, n] = middle
                wave[2, n] = end
                n += 1
    return n


@kernel
def plan_frame(
    maps: Words, heap: Places, grades: Bits, tables: Places, odds: Weights, frame: int, wave: Places, begun: int
) -> int:
    """Plan the next questions about a frame; returns the questions in the wave now."""
    here = HEADER + FRAME * frame
    n = plan_halves(maps, heap, grades, tables, odds, frame, wave, begun)
    while n == begun and heap[here] >= 0 and heap[CLASH] == 0 and heap[ROOM] >= FLIP_ROOM:  # found without a question
        flip_singles(maps, heap, grades, tables, frame)
        n = plan_halves(maps, heap, grades, tables, odds, frame, wave, n)
    while n == begun and heap[here] < 0 and heap[here + OPEN] < 3:
        n = open_layer(heap, tables.shape[1], frame, wave, n)
    return n


@kernel
def advance(
    maps: Words,
    heap: Places,
    grades: Bits,
    tables: Places,
    odds: Weights,
    last: Places,
    bounds: Places,
    replies: Bits,
    wave: Places,
) -> Bits:
    """Take Alice's answers to the last wave and plan the next; returns its questions as bytes, none once all is even.

    A wave has start, middle and end of the intervals asked about, shape (3, question). `bounds`: the first question of
    each frame, shape (frame + 1,), changed in place.
    """
    n = 0
    b = whole(0)
    for frame in range(heap[N_FRAMES]):
        a = b
        b = whole(bounds[frame + 1])
        if b > a:
            if heap[HEADER + FRAME * frame + OPENING]:
                take_opening(maps, heap, grades, frame, last[:, a:b], replies[a:b])
            else:
                take_halves(maps, heap, grades, frame, last[:, a:b], replies[a:b])
        flip_singles(maps, heap, grades, tables, frame)
        n = plan_frame(maps, heap, grades, tables, odds, frame, wave, n)
        bounds[frame + 1] = n
    return encode(wave[1, :n], -1)
