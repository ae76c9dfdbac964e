r"""Time stamps of S-Fifteen Instruments and the Centre for Quantum Technologies: a0, a1, a1 with swapped words, a2.

Facts of the layout from github s-fifteen-instruments/fpfind and qcrypto: a stamp has 64 bits, the time in the high 54
in steps of 1/256 ns (or in the high 49 in steps of 1/8 ns), the detectors that clicked in the low 4, one bit each. In a
file of type a1 it is one little-endian number; with the option `-X` ("a1x" here) its halves stand the other way round;
a2 has 16 hexadecimal digits a line; a0 has 8, the low half before the high one.

What the bits between say of the card:

- bits 8 and 9 are set in every stamp: cards of the seventh series, 54 bits; a set bit 4 marks a stamp that the card
  sends without a click so that no rollover is missed;
- bits 4 to 9 are never set: 54 bits, written by a program;
- anything else: cards of the third series, 49 bits, the rest is their phase pattern.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import check_span, clicks, read_bytes, read_records, replaced, unrolled
from combmesh.link.timetags.tags import TimeTags

FORMATS = ("a1", "a1x", "a0", "a2")
_TIME_BITS = 54
_PIECE = 1 << 15  # stamps at a time, so that a piece stays in the cache
_DIGITS = {"a0": 8, "a2": 16}
_BITS = [[bit for bit in range(4) if pattern >> bit & 1] for pattern in range(16)]
_NUMBER = np.array([len(bits) for bits in _BITS], np.uint8)
_FIRST = np.array([bits[0] if bits else 0 for bits in _BITS], np.uint8)
_FLAT = np.array([bit for bits in _BITS for bit in bits], np.uint8)
_START = np.cumsum(_NUMBER, dtype=np.int64) - _NUMBER


def read_stamps(path: Path, kind: str) -> TimeTags:
    """Clicks of a file of time stamps; channel 0 to 3 is the detector's bit, times are rounded to whole ps.

    A stamp of several detectors is one click of each. Rollovers of the 54 bits are undone. `about` has: `stamps`, those
    present; `events`, how many of them name each set of detectors;
    `void_stamps` (all bits 0), `dummy_stamps` and `stamps_without_detector`, which are no clicks;
    `truncated_bytes` or `truncated_lines` at the end; `unsorted_events`. Times count from the card's own zero.

    Raises InputError for a file that cannot be read and, in the text formats, for a line that is no stamp.
    """
    about: dict[str, Any] = {}
    stamps = _text_stamps(path, kind, about) if kind in _DIGITS else _binary_stamps(path, kind, about)
    about["stamps"] = len(stamps)
    if void := len(stamps) - int(np.count_nonzero(stamps)):
        about["void_stamps"] = void
        stamps = stamps[stamps != 0]
    pattern, count, resolution_ps = _taken_apart(stamps, about)
    count = unrolled(count, _TIME_BITS)
    if len(count):
        check_span(path, int(count.max()), 1000 / 256)
    channel, count = _each_detector(pattern, count, about)
    return clicks(channel, _picoseconds(count), kind, about, resolution_ps=resolution_ps)


def write_stamps(path: Path, tags: TimeTags, kind: str = "a1") -> None:
    """Write clicks as stamps of 1/256 ns, one for each click, the time modulo 2^54 steps.

    Raises InputError for a channel above 3 and a time before 0.
    """
    if len(tags.channel) and tags.channel.max() > 3:
        raise InputError(f"`{path}` cannot hold the channel {tags.channel.max()}: a stamp has detectors 0 to 3.")
    if len(tags.time_ps) and int(tags.time_ps[0]) < 0:
        raise InputError(f"`{path}` cannot hold the time {int(tags.time_ps[0])} ps: stamps begin at 0.")
    nanosteps, rest_ps = np.divmod(tags.time_ps, 125)
    count = (nanosteps * 32 + (rest_ps * 32 + 62) // 125).astype("<u8")
    stamps = count << np.uint64(10) | np.uint64(1) << tags.channel.astype("<u8")
    halves = stamps.view("<u4").reshape(-1, 2)
    with replaced(path) as part, part.open("wb") as file:
        if kind in _DIGITS:
            numbers = stamps if kind == "a2" else halves.ravel()
            digits = _DIGITS[kind]
            file.write("".join(f"{number:0{digits}x}\n" for number in numbers.tolist()).encode())
        else:
            np.ascontiguousarray(halves[:, ::-1] if kind == "a1x" else halves).tofile(file)


def looks_like(data: bytes) -> str | None:
    """`a1` or `a1x` if the first bytes of a file can only be stamps so ordered, None otherwise.

    Times must hardly ever fall, and most stamps name one detector. In the wrong order the steps of time are 2^22 times
    too long, which tells the orders apart. At least 4 stamps are asked for; 64 where the bits between are free.
    """
    words = np.frombuffer(data[: len(data) // 8 * 8], "<u8")
    best: tuple[float, str] | None = None
    for kind in ("a1", "a1x"):
        stamps = words if kind == "a1" else words << np.uint64(32) | words >> np.uint64(32)
        stamps = stamps[stamps != 0]
        if len(stamps) < 4 or not _plausible(stamps):
            continue
        step = float(np.median(np.abs(np.diff((stamps >> np.uint64(10)).astype(np.int64)))))
        if best is None or step < best[0]:
            best = step, kind
    return best[1] if best else None


def _plausible(stamps: NDArray[np.uint64]) -> bool:
    free = _marks(stamps)[0] == "phase"
    if free and (len(stamps) < 64 or (stamps & np.uint64(0x6000)).any()):
        return False
    single = _NUMBER[(stamps & np.uint64(15)).astype(np.intp)] == 1
    step = np.diff((stamps >> np.uint64(10)).astype(np.int64))
    falls = int(np.count_nonzero(step < 0)) - int(np.count_nonzero(step < -(1 << (_TIME_BITS - 1))))
    return bool(single.mean() >= 0.5 and falls <= 0.02 * len(stamps))


def _marks(stamps: NDArray[np.uint64]) -> tuple[str, int]:
    """What the bits 4 to 9 say, `card` (seventh series), `bare` or `phase` (third series), and the bits ever set."""
    ever, always = int(np.bitwise_or.reduce(stamps)), int(np.bitwise_and.reduce(stamps))
    if len(stamps) and always & 0x300 == 0x300:
        return "card", ever
    return "phase" if ever & 0x3F0 else "bare", ever


def _binary_stamps(path: Path, kind: str, about: dict[str, Any]) -> NDArray[np.uint64]:
    stamps, cut = read_records(path, "<u8")
    if cut:
        about["truncated_bytes"] = cut
    return stamps if kind == "a1" else stamps << np.uint64(32) | stamps >> np.uint64(32)


def _text_stamps(path: Path, kind: str, about: dict[str, Any]) -> NDArray[np.uint64]:
    digits = _DIGITS[kind]
    lines = read_bytes(path).split()
    if lines and len(lines[-1]) < digits:
        about["truncated_lines"] = 1
        lines.pop()
    if kind == "a0" and len(lines) % 2:
        about["truncated_lines"] = about.get("truncated_lines", 0) + 1
        lines.pop()
    for number, line in enumerate(lines):
        if len(line) != digits:
            raise InputError(f"Line {number + 1} of `{path}` must have {digits} digits, but is {line[:40]!r}.")
    try:
        raw = bytes.fromhex(b"".join(lines).decode("ascii"))
    except ValueError as error:
        raise InputError(f"`{path}` is not a file of {digits} hexadecimal digits a line: {error}.") from error
    if kind == "a2":
        return np.frombuffer(raw, ">u8").astype(np.uint64)
    low, high = np.frombuffer(raw, ">u4").astype(np.uint64).reshape(-1, 2).T
    return high << np.uint64(32) | low


def _taken_apart(
    stamps: NDArray[np.uint64], about: dict[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], float]:
    """`(stamp,)` detector patterns (0 for dummies) and times in 1/256 ns, and the clock's step, ps."""
    marks, ever = _marks(stamps)
    pattern = stamps.astype(np.uint8)
    if marks == "card" and ever & 16:
        dummy = (pattern & 16) != 0
        about["dummy_stamps"] = int(np.count_nonzero(dummy))
        pattern[dummy] = 0
    pattern &= 15
    count = (stamps >> np.uint64(10)).view(np.int64)
    if marks == "phase":
        count &= ~np.int64(31)
    coarse = len(stamps) and (marks == "phase" or not ever & 0x7C00)
    return pattern, count, 125.0 if coarse else 1000 / 256


def _picoseconds(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps of 1/256 ns = 125/32 ps in ps, rounded to the nearest, in place; 32 steps first, so that none overflows."""
    for start in range(0, len(count), _PIECE):
        piece = count[start : start + _PIECE]
        rest = piece & 31
        rest *= 125
        rest += 16
        rest >>= 5
        piece >>= 5
        piece *= 125
        piece += rest
    return count


def _each_detector(
    pattern: NDArray[np.uint8], count: NDArray[np.int64], about: dict[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    number = _NUMBER[pattern]
    about["events"] = {
        "+".join(str(bit) for bit in range(4) if some >> bit & 1): int(times)
        for some, times in enumerate(np.bincount(pattern, minlength=16))
        if some and times
    }
    if (number == 1).all():
        return _FIRST[pattern], count
    if none := int(np.count_nonzero(number == 0)) - about.get("dummy_stamps", 0):
        about["stamps_without_detector"] = none
    if number.max() == 1:
        return _FIRST[pattern[number == 1]], count[number == 1]
    ends = np.cumsum(number, dtype=np.int64)
    within = np.arange(ends[-1]) - np.repeat(ends - number, number)
    return _FLAT[np.repeat(_START[pattern], number) + within], np.repeat(count, number)
