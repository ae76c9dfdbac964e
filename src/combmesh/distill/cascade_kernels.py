"""The loops of Cascade, compiled: parities of intervals, and Bob's bookkeeping of what they say about the others.

For each layer Bob keeps his bits as words in the order of the layer, a bitmap of the places where known intervals
begin, and a bitmap, at the same places, of the intervals whose parity differs from Alice's ("odd"). An interval is
what lies between two neighbouring beginnings, found by a scan. Odd intervals wait in lists, one for each power of two
of their size.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

ZERO = np.uint64(0)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
M1 = np.uint64(0x5555555555555555)
M2 = np.uint64(0x3333333333333333)
M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
H01 = np.uint64(0x0101010101010101)
U2, U4, U8, U16, U32, U56 = (np.uint64(k) for k in (2, 4, 8, 16, 32, 56))
N_CLASSES = 32
BEGINS, ODD, QUEUED = range(3)
LAYER, START, NEXT = range(3)
FREE, N_QUEUED, N_FLIPS, N_OPEN = range(4)

Words = NDArray[np.uint64]
Places = NDArray[np.int32]


class Book(NamedTuple):
    """Bob's state; all arrays are changed in place.

    `words` (the bits) and `masks`: shape (layer, word). `marks`: beginnings, odd intervals, intervals in a list, shape
    (layer, word, 3), side by side in memory. `order0` to `order2`, inverse `place0` to `place2`: shape (bit,).
    `flipped`: shape (word,). `heads`: the first node of each list, shape (class,). `nodes`: layer, start and next node,
    shape (node, 3). `counts`: first free node, nodes in lists, flips, layers in use.
    """

    words: Words
    masks: Words
    marks: Words
    order0: Places
    place0: Places
    order1: Places
    place1: Places
    order2: Places
    place2: Places
    flipped: Words
    heads: NDArray[np.int64]
    nodes: Places
    counts: NDArray[np.int64]


@kernel
def shuffle(keys: NDArray[np.uint32], n: int) -> tuple[Places, Places]:
    """Fisher-Yates with one 32-bit key a step (bias below n / 2^32), and the inverse."""
    order = np.arange(n).astype(np.int32)
    for i in range(n - 1, 0, -1):
        j = np.int64((np.uint64(keys[i]) * np.uint64(i + 1)) >> U32)
        swap = order[i]
        order[i] = order[j]
        order[j] = swap
    place = np.empty(n, np.int32)
    for i in range(n):
        place[order[i]] = i
    return order, place


@kernel
def popcount(x: np.uint64) -> int:
    """Ones among all 64 places of `x`."""
    x = x - ((x >> ONE) & M1)
    x = (x & M2) + ((x >> U2) & M2)
    x = (x + (x >> U4)) & M4
    return int(np.int64((x * H01) >> U56))


@kernel
def highest(x: np.uint64) -> int:
    """The highest set place of `x`, which is not 0."""
    x |= x >> ONE
    x |= x >> U2
    x |= x >> U4
    x |= x >> U8
    x |= x >> U16
    x |= x >> U32
    return popcount(x) - 1


@kernel
def bit_of(place: int) -> np.uint64:
    """The bit of a place in its word."""
    return ONE << np.uint64(place & 63)


@kernel
def begin_of(marks: Words, layer: int, place: int) -> int:
    """The last beginning at or before `place`; place 0 is always one."""
    w = place >> 6
    x = marks[layer, w, BEGINS] & (ALL >> np.uint64(63 - (place & 63)))
    while x == ZERO:
        w -= 1
        x = marks[layer, w, BEGINS]
    return (w << 6) + highest(x)


@kernel
def end_of(marks: Words, layer: int, start: int) -> int:
    """The first beginning after `start`; the end of the block is always one."""
    place = start + 1
    w = place >> 6
    x = marks[layer, w, BEGINS] & (ALL << np.uint64(place & 63))
    while x == ZERO:
        w += 1
        x = marks[layer, w, BEGINS]
    return (w << 6) + popcount(~x & (x - ONE))


@kernel
def parity(words: Words, layer: int, start: int, end: int) -> int:
    """Parity of the bits in [start, end), not empty."""
    first = start >> 6
    last = (end - 1) >> 6
    low = ALL << np.uint64(start & 63)
    high = ALL >> np.uint64(63 - ((end - 1) & 63))
    if first == last:
        return popcount(words[layer, first] & low & high) & 1
    x = (words[layer, first] & low) ^ (words[layer, last] & high)
    for w in range(first + 1, last):
        x ^= words[layer, w]
    return popcount(x) & 1


@kernel
def parities(words: Words, n_bits: int, layers: Places, starts: Places, ends: Places) -> NDArray[np.uint8]:
    """Parities of [start, end) in the layers of `words`, shape (question,); empty if any question is out of range."""
    out = np.empty(layers.size, np.uint8)
    for q in range(layers.size):
        good = 0 <= layers[q] < words.shape[0] and 0 <= starts[q] < ends[q] <= n_bits
        if not good:
            return np.empty(0, np.uint8)
        out[q] = parity(words, int(layers[q]), int(starts[q]), int(ends[q]))
    return out


@kernel
def push(
    marks: Words, heads: NDArray[np.int64], nodes: Places, counts: NDArray[np.int64], layer: int, start: int, size: int
) -> None:
    """Put an odd interval, not in a list yet, in the list of its size."""
    marks[layer, start >> 6, QUEUED] ^= bit_of(start)
    c = highest(np.uint64(size))
    node = counts[FREE]
    counts[FREE] = nodes[node, NEXT]
    counts[N_QUEUED] += 1
    nodes[node, LAYER] = layer
    nodes[node, START] = start
    nodes[node, NEXT] = heads[c]
    heads[c] = node


@kernel
def pop(
    marks: Words, heads: NDArray[np.int64], nodes: Places, counts: NDArray[np.int64], c: int
) -> tuple[int, int, bool]:
    """Take the first interval out of a list that is not empty: layer, start, and whether it is still odd."""
    node = heads[c]
    heads[c] = nodes[node, NEXT]
    nodes[node, NEXT] = counts[FREE]
    counts[FREE] = node
    counts[N_QUEUED] -= 1
    layer = int(nodes[node, LAYER])
    start = int(nodes[node, START])
    bit = bit_of(start)
    marks[layer, start >> 6, QUEUED] ^= bit
    return layer, start, bool(marks[layer, start >> 6, ODD] & bit != ZERO)


@kernel
def flip(book: Book, bit: int) -> None:
    """Correct one bit in all layers; the intervals around it change between odd and even."""
    book.flipped[bit >> 6] ^= bit_of(bit)
    book.counts[N_FLIPS] += 1
    marks = book.marks
    for layer in range(book.words.shape[0]):
        if layer == 1:
            place = int(book.place1[bit])
        elif layer == 2:
            place = int(book.place2[bit])
        else:
            place = int(book.place0[bit])
        w = place >> 6
        if book.masks[layer, w] & bit_of(place) == ZERO:
            continue
        book.words[layer, w] ^= bit_of(place)
        if layer < book.counts[N_OPEN]:
            start = begin_of(marks, layer, place)
            w = start >> 6
            marks[layer, w, ODD] ^= bit_of(start)
            if marks[layer, w, ODD] & ~marks[layer, w, QUEUED] & bit_of(start) != ZERO:
                push(marks, book.heads, book.nodes, book.counts, layer, start, end_of(marks, layer, start) - start)


@kernel
def flip_singles(book: Book) -> bool:
    """Correct all odd intervals of one bit; False if a bit would flip twice, thus if parities contradict each other."""
    while book.heads[0] >= 0:
        layer, place, odd = pop(book.marks, book.heads, book.nodes, book.counts, 0)
        if not odd:
            continue
        if layer == 1:
            bit = int(book.order1[place])
        elif layer == 2:
            bit = int(book.order2[place])
        else:
            bit = int(book.order0[place])
        if book.flipped[bit >> 6] & bit_of(bit) != ZERO:
            return False
        flip(book, bit)
    return True


@kernel
def open_intervals(book: Book, layers: Places, starts: Places, ends: Places, odds: NDArray[np.uint8]) -> None:
    """Begin an interval at each start, odd where `odds` says so, shape (interval,); nothing is known there yet."""
    for q in range(layers.size):
        layer = int(layers[q])
        start = int(starts[q])
        book.marks[layer, start >> 6, BEGINS] |= bit_of(start)
        if odds[q]:
            book.marks[layer, start >> 6, ODD] |= bit_of(start)
            push(book.marks, book.heads, book.nodes, book.counts, layer, start, int(ends[q]) - start)


@kernel
def plan_wave(book: Book, share: float) -> Places:
    """Take the smallest odd intervals out of their lists, to be halved: layer, start, middle, end, shape (4, question).

    Whole classes of size are taken until they make at least `share` of the intervals in lists.
    """
    total = book.counts[N_QUEUED]
    wave = np.empty((4, total), np.int32)
    n = 0
    for c in range(1, N_CLASSES):
        while book.heads[c] >= 0:
            layer, start, odd = pop(book.marks, book.heads, book.nodes, book.counts, c)
            if odd:
                end = end_of(book.marks, layer, start)
                wave[0, n] = layer
                wave[1, n] = start
                wave[2, n] = start + (end - start) // 2
                wave[3, n] = end
                n += 1
        if n > 0 and n >= share * total:
            break
    return wave[:, :n].copy()


@kernel
def split_intervals(book: Book, wave: Places, replies: NDArray[np.uint8]) -> None:
    """Halve the intervals of a wave; `replies` are Alice's parities of the left halves, shape (question,)."""
    marks = book.marks
    for q in range(replies.size):
        layer = int(wave[0, q])
        start = int(wave[1, q])
        middle = int(wave[2, q])
        marks[layer, middle >> 6, BEGINS] |= bit_of(middle)
        if parity(book.words, layer, start, middle) != replies[q]:
            push(marks, book.heads, book.nodes, book.counts, layer, start, middle - start)
        else:
            marks[layer, start >> 6, ODD] ^= bit_of(start)
            marks[layer, middle >> 6, ODD] ^= bit_of(middle)
            push(marks, book.heads, book.nodes, book.counts, layer, middle, int(wave[3, q]) - middle)
