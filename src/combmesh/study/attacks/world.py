"""Users and link of an experiment, and the rounds that Eve announces."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import ZZ
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.protocol.mdi.tally import link_array, pair_gains, settings_array

Z = SOURCES.index("z")
_PAIRS = len(SOURCES) ** 2


@dataclass(frozen=True)
class World:
    """What the users send, and the link that they believe in.

    Attributes:
        alice, bob: settings; the key is Alice's bits.
        link: the honest link: Eve announces no more key rounds than it would.
    """

    alice: Settings
    bob: Settings
    link: Link

    @property
    def users(self) -> tuple[Settings, Settings]:
        return self.alice, self.bob

    def intensities(self) -> NDArray[np.float64]:
        """`(user, source)` mean photon numbers."""
        return np.array([[getattr(user, source) for source in SOURCES] for user in self.users])

    def pair_chances(self) -> NDArray[np.float64]:
        """`(alice, bob)` how often each pair of sources is sent."""
        a, b = (np.array([user.p_o, user.p_x, user.p_y, user.p_z]) for user in self.users)
        return np.outer(a, b)

    def honest_gain(self) -> float:
        """Share of the zz pulses that the honest link announces."""
        gains, _ = pair_gains(settings_array(self.alice), settings_array(self.bob), link_array(self.link))
        return float(gains[ZZ])


class Rounds(NamedTuple):
    """Rounds that Eve announces."""

    source: NDArray[np.uint8]  # (user, round)
    bit: NDArray[np.uint8]  # (user, round)
    state: NDArray[np.int8]  # (round,)
    record: NDArray[np.int8]  # (user, round) the user's bit as Eve knows it, SILENT where she does not

    def at(self, places: NDArray[np.bool_] | NDArray[np.int64]) -> "Rounds":
        """Some of the rounds, or all in another order."""
        return Rounds(self.source[:, places], self.bit[:, places], self.state[places], self.record[:, places])

    def announced(self) -> "Rounds":
        """Those with a state."""
        return self.at(self.state >= 0)


class Eve(Protocol):
    """What Eve does with independent pulses."""

    def rounds_per_pulse(self, world: World) -> float:
        """Share of the pulses that have to be simulated one by one."""

    def rounds(self, world: World, pulses: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Rounds]:
        """(pulses sent of each pair of sources, `(alice, bob)`; the announced rounds in any order)."""


def photon_numbers(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(..., number)` Poisson law of mean photon numbers `(...)`; what is cut off is below 1e-20."""
    most = ceil(float(mean.max()) + 12.0 * sqrt(float(mean.max())) + 20.0)
    steps = mean[..., None] / np.arange(1, most + 1)
    law: NDArray[np.float64] = np.exp(-mean)[..., None] * np.cumprod(np.insert(steps, 0, 1.0, axis=-1), axis=-1)
    return law


def draw_classes(
    chance: NDArray[np.float64], pair_chances: NDArray[np.float64], pulses: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which pulses matter, drawn exactly without drawing the others.

    Args:
        chance: `(pair, class)` probability that a pulse is of a pair of sources and in a class that matters.
        pair_chances: `(alice, bob)` of the pairs, whatever else.
        pulses: pulses in all.
        rng: of the simulation.

    Returns:
        (pulses sent of each pair `(alice, bob)`; `(round,)` index into the flat `chance`, ascending).
    """
    others = np.maximum(pair_chances.ravel() - chance.sum(axis=1), 0.0)
    law = np.append(chance.ravel(), others)
    counts = rng.multinomial(pulses, law / law.sum())
    matter = counts[: chance.size]
    sent = matter.reshape(chance.shape).sum(axis=1) + counts[chance.size :]
    return sent.reshape(pair_chances.shape), np.repeat(np.arange(chance.size), matter)


def sources_of(pair: NDArray[np.int64]) -> NDArray[np.uint8]:
    """`(user, round)` sources of pairs numbered alice * 4 + bob."""
    return np.stack(np.divmod(pair, len(SOURCES))).astype(np.uint8)


def random_bits(rounds: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """`(user, round)` the users' bits."""
    return rng.integers(0, 2, (2, rounds), np.uint8)


def together(one: Rounds, other: Rounds) -> Rounds:
    """The rounds of both."""
    return Rounds(
        np.concatenate([one.source, other.source], axis=1),
        np.concatenate([one.bit, other.bit], axis=1),
        np.concatenate([one.state, other.state]),
        np.concatenate([one.record, other.record], axis=1),
    )
