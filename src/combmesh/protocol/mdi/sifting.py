"""From announcements and both users' records to the table of counts and the sifted bits."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.pulses.bell import BELL_STATES, EQUAL, Announcements
from combmesh.link.pulses.record_file import RecordReader
from combmesh.link.pulses.tally import is_error
from combmesh.link.timetags.relay_pulses import RelayClicks, place_clicks, user_offset
from combmesh.link.timetags.tags import TimeTags
from combmesh.protocol.mdi.bounds import PAIRS
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.protocol.mdi.sifted_file import announcement_digest
from combmesh.protocol.mdi.tally import Tally

PIECE = 1 << 22
LIGHT_PULSES = 1 << 23  # of a record that the clicks are held against
_CODES = len(SOURCES)


@dataclass(frozen=True)
class Sifted:
    """What tags and records give.

    Attributes:
        tally: counts of each pair of sources.
        alice, bob: `(bit,)` bits of the rounds that both sent in Z, Bob's flipped as the announcement asks.
        rounds: `(bit,)` their pulse numbers.
        clicks: the relay's clicks in their pulses.
        announced: Bell states in all.
        announcements: digest of the list of them.
        bob_offset: pulses by which Bob's record begins later than Alice's.
    """

    tally: Tally
    alice: NDArray[np.uint8]
    bob: NDArray[np.uint8]
    rounds: NDArray[np.int64]
    clicks: RelayClicks
    announced: int
    announcements: str
    bob_offset: int

    def __repr__(self) -> str:
        return f"Sifted({self.alice.size} bits of {self.announced} announcements)"


def settings_of(record: RecordReader) -> Settings:
    """What a user sent; raises InputError where the record is not of this protocol's four sources."""
    kinds = record.head.sources
    bases = {letter: "Z" if letter == "z" else "X" for letter in SOURCES}
    if {letter: kind.basis for letter, kind in kinds.items()} != bases or tuple(kinds) != SOURCES:
        raise InputError(f"`{record.path}` must have the sources o, x, y in X and z in Z, but has {', '.join(kinds)}.")
    mu, p = ({letter: getattr(kind, name) for letter, kind in kinds.items()} for name in ("intensity", "probability"))
    scale = max(p["x"] + p["y"] + p["z"], 1.0)
    return Settings(mu["x"], mu["y"], mu["z"], p["x"] / scale, p["y"] / scale, p["z"] / scale, mu["o"])


def sift(
    tags: TimeTags,
    alice: RecordReader,
    bob: RecordReader,
    channels: tuple[int, ...] = (0, 1, 2, 3),
    *,
    gate_ps: float | None = None,
    bell_states: int = 2,
    search_pulses: int = 2_500_000,
) -> Sifted:
    """The counts of a block from the relay's tags and both users' records.

    Args:
        tags: the relay's clicks.
        alice, bob: their records.
        channels: those of 1H, 1V, 2H, 2V.
        gate_ps: width of the gate, ps; the whole period if not given.
        bell_states: 1 (psi-minus) or 2.
        search_pulses: farthest a record may begin from the first click.
    """
    clock_hz = alice.head.clock_hz
    if bob.head.clock_hz != clock_hz:
        raise InputError(f"Alice's `clock_hz` is {clock_hz:g}, but Bob's is {bob.head.clock_hz:g}.")
    period_ps = 1e12 / clock_hz
    light_a, light_b = _light(alice), _light(bob)
    clicks = place_clicks(tags, channels, period_ps, light_a, search_pulses)
    bob_offset = user_offset(clicks.pulse, light_b, search_pulses, "Bob")
    pairs = clicks.announcements(period_ps if gate_ps is None else gate_ps, EQUAL + 1)
    return _count(alice, bob, clicks, pairs, bob_offset, bell_states)


def _light(record: RecordReader) -> NDArray[np.float64]:
    intensity = np.array([kind.intensity for kind in record.head.sources.values()])
    light: NDArray[np.float64] = intensity[record.piece(0, LIGHT_PULSES)[0]]
    if light.size == 0 or light.max() == light.min():
        raise InputError(f"`{record.path}` has {light.size} pulses, all alike; no click can be matched to them.")
    return light


def _count(
    alice: RecordReader,
    bob: RecordReader,
    clicks: RelayClicks,
    coincidences: Announcements,
    bob_offset: int,
    bell_states: int,
) -> Sifted:
    """Go through the pulses that both have recorded, piece by piece."""
    begin, end = max(0, bob_offset), min(alice.pulses, bob.pulses + bob_offset)
    if begin >= end:
        raise InputError(f"`{alice.path}` and `{bob.path}` have no pulse in common: Bob's begins {bob_offset} later.")
    sent, pairs, bits = np.zeros(_CODES**2, np.int64), [], []
    inside = (coincidences.pulse >= begin) & (coincidences.pulse < end)
    pulse, state = coincidences.pulse[inside], coincidences.state[inside]
    for first in range(begin, end, PIECE):
        last = min(first + PIECE, end)
        source_a, bit_a = _stretch(alice, first, last)
        source_b, bit_b = _stretch(bob, first - bob_offset, last - bob_offset)
        pair = source_a * np.uint8(_CODES) + source_b
        sent += np.bincount(pair, minlength=_CODES**2)
        here = pulse[np.searchsorted(pulse, first) : np.searchsorted(pulse, last)] - first
        pairs.append(pair[here])
        bits.append(bit_a[here] + np.uint8(2) * bit_b[here])
    pair, both = np.concatenate(pairs), np.concatenate(bits)
    z = SOURCES.index("z")
    in_z = (pair // _CODES == z) | (pair % _CODES == z)
    wrong = is_error(both, state, in_z)
    _check_agreement(pair, state, wrong)
    said = state < bell_states
    pulse, pair, both, wrong = pulse[said], pair[said], both[said], wrong[said]
    tally = _tally(sent, pair, wrong, float(end - begin))
    key = pair == z * _CODES + z
    digest = announcement_digest(pulse, state[said])
    return Sifted(tally, both[key] & 1, (both[key] >> 1) ^ 1, pulse[key], clicks, pulse.size, digest, bob_offset)


def _check_agreement(pair: NDArray[np.uint8], state: NDArray[np.int8], wrong: NDArray[np.bool_]) -> None:
    """Refuse bits that only exchanged channels give: they take one Bell state for the other, or for none.

    In Z a Bell state must not have more wrong bits than a coincidence of two detectors of equal polarization, which is
    none; in X most bits must be right. Chance does otherwise once in 1e9 (Hoeffding).
    """
    vacuum, z = SOURCES.index("o"), SOURCES.index("z")
    a, b = pair // _CODES, pair % _CODES
    in_x = (a != z) & (b != z) & (a != vacuum) & (b != vacuum)
    none = _share(wrong[(a == z) & (b == z) & (state == EQUAL)])
    for kind, name in enumerate(BELL_STATES):
        for basis, inside, (most, spread) in (("Z", (a == z) & (b == z), none), ("X", in_x, (0.5, 0.0))):
            here = wrong[inside & (state == kind)]
            share, own_spread = _share(here)
            if share - own_spread > most + spread:
                raise InputError(
                    f"Of {here.size} bits in {basis} announced as {name}, {here.sum()} are wrong: are the channels "
                    "those of 1H, 1V, 2H, 2V in this order, and the records those of Alice and Bob?"
                )


def _share(wrong: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of wrong bits, and how far chance takes it from the truth once in 1e9; any, where there are no bits."""
    return (float(wrong.mean()), (0.5 * log(1e9) / wrong.size) ** 0.5) if wrong.size else (0.5, 1.0)


def _stretch(record: RecordReader, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(source, bit) of the pulses from `first` to `last`; a record is read in whole bytes."""
    start = first // 8 * 8
    source, bit = record.piece(start, last - start)
    return source[first - start :], bit[first - start :]


def _tally(sent: NDArray[np.int64], pair: NDArray[np.uint8], wrong: NDArray[np.bool_], pulses: float) -> Tally:
    detected = np.bincount(pair, minlength=_CODES**2)
    errors = np.bincount(pair[wrong], minlength=_CODES**2)
    order = [SOURCES.index(both[0]) * _CODES + SOURCES.index(both[1]) for both in PAIRS]
    columns = [column[order].astype(float) for column in (sent, detected, errors)]
    return Tally(columns[0], columns[1], columns[2], pulses)
