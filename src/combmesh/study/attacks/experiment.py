"""An attack run: pulses, announcements, what the users make of them, and what Eve knows."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.rng import stream
from combmesh.link.pulses.tally import is_error
from combmesh.protocol.mdi.bounds import PAIRS, ZZ
from combmesh.protocol.mdi.settings import SOURCES
from combmesh.protocol.mdi.sifted_file import announcement_digest
from combmesh.protocol.mdi.tally import Tally
from combmesh.study.attacks.catalogue import SPLIT, Attack
from combmesh.study.attacks.lists import AnnouncedList, accepted
from combmesh.study.attacks.world import Rounds, World, Z, together

MOST_ROUNDS = 2e7
"""Rounds that are simulated unless more pulses are asked for."""

_AT_ONCE = 1e6  # rounds
_MOST_PULSES = 1e15
_ORDER = [SOURCES.index(pair[0]) * len(SOURCES) + SOURCES.index(pair[1]) for pair in PAIRS]


@dataclass(frozen=True)
class Observed:
    """Counts of an attack; they add.

    Attributes:
        tally: what the users count.
        received: announcements that Alice received.
        announced: those that she accepted.
        unknown: raw key bits that Eve cannot tell from the light.
        unknown_errors_public: those that she cannot tell either when the positions of the errors become public, and
            with them Alice's bit wherever she knows Bob's.
        mistaken: bits that she believes to know and does not.
        lists_agree: whether both users accepted the same list.
    """

    tally: Tally
    received: int
    announced: int
    unknown: int
    unknown_errors_public: int
    mistaken: int
    lists_agree: bool

    @property
    def sifted_bits(self) -> int:
        return int(self.tally.detected[ZZ])

    def __add__(self, other: "Observed") -> "Observed":
        return Observed(
            self.tally + other.tally,
            self.received + other.received,
            self.announced + other.announced,
            self.unknown + other.unknown,
            self.unknown_errors_public + other.unknown_errors_public,
            self.mistaken + other.mistaken,
            self.lists_agree and other.lists_agree,
        )


def default_pulses(attack: Attack, world: World, block: float) -> int:
    """Those of a block, or as many as give `MOST_ROUNDS`."""
    share = attack.eve.rounds_per_pulse(world)
    return max(int(min(block, MOST_ROUNDS / share if share > 0.0 else block, _MOST_PULSES)), 1)


def observe(attack: Attack, world: World, pulses: int, seed: int, share: float = 1.0) -> Observed:
    """Run an attack.

    Args:
        attack: what Eve does.
        world: users and link.
        pulses: how many are sent.
        seed: of the simulation; nothing of it is a key.
        share: of the pulses that are attacked; with the others she does as `split`.
    """
    check_range("share", share, 0.0, 1.0)
    check_range("pulses", pulses, 1, _MOST_PULSES)
    expected = share * attack.eve.rounds_per_pulse(world) + (1.0 - share) * SPLIT.rounds_per_pulse(world)
    batches = ceil(min(max(pulses * expected / _AT_ONCE, 1.0), pulses))
    edges = [pulses * batch // batches for batch in range(batches + 1)]
    total = None
    for batch in range(batches):
        rng = stream(seed, "attack", attack.name, batch)
        part = _batch(attack, world, range(edges[batch], edges[batch + 1]), share, rng)
        total = part if total is None else total + part
    if total is None:
        raise InputError("`pulses` must be at least 1.")
    return total


def _batch(attack: Attack, world: World, pulses: range, share: float, rng: np.random.Generator) -> Observed:
    attacked = int(rng.binomial(len(pulses), share))
    sent, rounds = attack.eve.rounds(world, attacked, rng)
    if attacked < len(pulses):
        more, others = SPLIT.rounds(world, len(pulses) - attacked, rng)
        sent, rounds = sent + more, together(rounds, others)
    rounds = rounds.at(rng.permutation(rounds.state.size))
    true = AnnouncedList(_distinct(pulses, rounds.state.size, rng), rounds.state)
    received = attack.publish(true, rng)
    alice, bob = (accepted(one, pulses) for one in received)
    taken = alice.pulse.searchsorted(true.pulse)
    taken = np.minimum(taken, max(alice.pulse.size - 1, 0))
    kept = alice.pulse[taken] == true.pulse if alice.pulse.size else np.zeros(true.pulse.size, np.bool_)
    seen = rounds.at(kept)._replace(state=alice.state)
    same = announcement_digest(*alice) == announcement_digest(*bob)
    return _count(seen, sent, len(pulses), received[0].pulse.size, same)


def _distinct(pulses: range, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """So many different pulse numbers, every set of them as likely, in rising order."""
    if 2 * number > len(pulses):
        chosen = rng.permutation(len(pulses))[:number]
        return np.sort(chosen) + pulses.start
    found = np.empty(0, np.int64)
    while found.size < number:
        found = np.unique(np.append(found, rng.integers(pulses.start, pulses.stop, number - found.size)))
    return found


def _count(rounds: Rounds, sent: NDArray[np.int64], pulses: int, received: int, agree: bool) -> Observed:
    """What the users count, and which raw key bits Eve knows."""
    source, bit = rounds.source, rounds.bit
    pair = source[0] * np.uint8(len(SOURCES)) + source[1]
    wrong = is_error(bit[0] + np.uint8(2) * bit[1], rounds.state, (source == Z).any(axis=0))
    cells = len(SOURCES) ** 2
    detected, errors = (np.bincount(pairs, minlength=cells)[_ORDER] for pairs in (pair, pair[wrong]))
    tally = Tally(sent.ravel()[_ORDER].astype(float), detected.astype(float), errors.astype(float), float(pulses))
    key = (source == Z).all(axis=0)
    known = rounds.record[:, key] >= 0
    mistaken = known & (rounds.record[:, key] != bit[:, key])
    unknown, unknown_public = ~known[0], ~known.any(axis=0)
    return Observed(
        tally,
        received,
        rounds.state.size,
        int(unknown.sum()),
        int(unknown_public.sum()),
        int(mistaken.sum()),
        agree,
    )
