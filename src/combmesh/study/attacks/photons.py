"""Eves who count photons and measure polarizations: every pulse has a random phase, so the proof holds against them.

Each gets the photons that were sent, through a fibre of her own without loss. What she does not use she keeps, and
measures when the bases are public: of a pulse with two photons or more she always learns the Z bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.rng import stream
from combmesh.link.pulses.bell import PSI_MINUS, PSI_PLUS
from combmesh.study.attacks.light import SILENT, Arrived
from combmesh.study.attacks.world import (
    Rounds,
    World,
    Z,
    draw_classes,
    photon_numbers,
    random_bits,
    sources_of,
)

Play = Callable[[Arrived, np.random.Generator], tuple[NDArray[np.int8], NDArray[np.int8]]]
"""From light to (state that is announced `(round,)`, record of the users' bits `(user, round)`)."""

SINGLES_KEPT = 0.25
"""Share of the pairs of single photons that "drop-by-number" does not drop."""

_PILOT = 200_000  # rounds


@dataclass(frozen=True)
class PhotonEve:
    """An Eve who looks at pulses with `least` photons of each user, or more.

    She publishes a random part of what she could announce, so that the users see as many key rounds as the honest link
    would give; all of it where that is not enough.
    """

    play: Play
    least: int = 1

    def rounds_per_pulse(self, world: World) -> float:
        return float(self._chances(world).sum())

    def rounds(self, world: World, pulses: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Rounds]:
        chance = self._chances(world)
        sent, place = draw_classes(chance.reshape(chance.shape[0], -1), world.pair_chances(), pulses, rng)
        pair, *number = np.unravel_index(place, chance.shape)
        return sent, self._played(sources_of(pair), np.stack(number), rng)

    def _chances(self, world: World) -> NDArray[np.float64]:
        """`(pair, photons of alice, photons of bob)` of the pulses that she looks at and may publish."""
        law = photon_numbers(world.intensities())
        law[..., : self.least] = 0.0
        sources = law.shape[1]
        both = law[0][:, None, :, None] * law[1][None, :, None, :] * world.pair_chances()[..., None, None]
        shared: NDArray[np.float64] = brightness(self, world) * both.reshape(sources**2, *both.shape[2:])
        return shared

    def _played(self, source: NDArray[np.uint8], number: NDArray[np.int64], rng: np.random.Generator) -> Rounds:
        bit = random_bits(source.shape[1], rng)
        state, record = self.play(Arrived(source == Z, bit, number), rng)
        return Rounds(source, bit, state, record).announced()

    def gain(self, world: World) -> float:
        """Share of the zz pulses that she could announce, from a pilot run."""
        law = photon_numbers(np.array([user.z for user in world.users]))
        law[:, : self.least] = 0.0
        if not law.any(axis=1).all():
            return 0.0
        rng = stream(0, "attack", "pilot")
        number = np.stack([rng.choice(law.shape[1], _PILOT, p=row / row.sum()) for row in law])
        rounds = self._played(np.full((2, _PILOT), Z, np.uint8), number, rng)
        return float(law.sum(axis=1).prod() * rounds.state.size / _PILOT)


@lru_cache(maxsize=256)
def brightness(eve: PhotonEve, world: World) -> float:
    """Share of her announcements that Eve publishes."""
    gain = eve.gain(world)
    return min(1.0, world.honest_gain() / gain) if gain > 0.0 else 1.0


def split(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """A true Bell measurement of one photon each; all further photons are kept."""
    state = light.bell(True, rng)
    return state, _learnt(light, rng)


def at_random(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Announcements that have nothing to do with the light, which is kept."""
    state = rng.integers(0, 2, light.rounds, np.int8)
    return state, _learnt(light, rng)


def exchanged(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """A true Bell measurement, and psi-plus called psi-minus and the reverse."""
    found = light.bell(True, rng)
    state = np.where(found == SILENT, SILENT, PSI_MINUS + PSI_PLUS - found).astype(np.int8)
    return state, _learnt(light, rng)


def dropped_by_number(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Most pairs of single photons are dropped; bright pulses, of which she learns the bits, are all announced."""
    bright = light.number.sum(axis=0) > 2
    state = light.bell(bright | (rng.random(light.rounds) < SINGLES_KEPT), rng)
    return state, _learnt(light, rng)


def dropped_by_basis(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """All photons measured in Z: pulses that show both H and V were in X and are dropped, the rest announced by Z."""
    first = np.stack([light.measure(user, True, light.number[user], rng) for user in (0, 1)])
    clean = ((first == 0) | (first == light.number)).all(axis=0)
    bits = (first == 0).astype(np.int8)
    state = np.where(clean & (bits[0] != bits[1]), rng.integers(0, 2, light.rounds), SILENT).astype(np.int8)
    light.announce()
    return state, np.where(light.bases(), bits, np.int8(SILENT))


def intercepted_in_z(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """One photon of each user measured in Z; unequal bits are announced, as either state."""
    bits = _one_photon_each(light, np.ones(light.rounds, np.bool_), rng)
    state = np.where(bits[0] != bits[1], rng.integers(0, 2, light.rounds), SILENT).astype(np.int8)
    light.announce()
    return state, np.where(light.bases(), bits, np.int8(SILENT))


def intercepted_at_random(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """One photon of each user measured in a random basis; announced is what a Bell measurement would have found.

    That finds unequal Z bits as either state, equal X bits half the time as psi-plus, unequal ones half the time as
    psi-minus.
    """
    in_z = rng.random(light.rounds) < 0.5
    bits = _one_photon_each(light, in_z, rng)
    unequal = bits[0] != bits[1]
    half, coin = rng.random(light.rounds) < 0.5, rng.integers(0, 2, light.rounds)
    from_x = np.where(half, np.where(unequal, PSI_MINUS, PSI_PLUS), SILENT)
    state = np.where(in_z, np.where(unequal, coin, SILENT), from_x).astype(np.int8)
    kept = _learnt(light, rng)
    return state, np.where(light.bases() & in_z, bits, kept)


def singles_blocked(light: Arrived, rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Only pulses with two photons of Alice or more are let through: one of them is kept."""
    state = light.bell(light.number[0] >= 2, rng)
    return state, _learnt(light, rng)


def _one_photon_each(light: Arrived, in_z: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int8]:
    """`(user, round)` bit that one photon of each user shows."""
    one = np.ones(light.rounds, np.int64)
    return np.stack([1 - light.measure(user, in_z, one, rng) for user in (0, 1)]).astype(np.int8)


def _learnt(light: Arrived, rng: np.random.Generator) -> NDArray[np.int8]:
    """`(user, round)` Z bits from the photons kept until the bases are public."""
    light.announce()
    in_z = light.bases()
    record = np.full(in_z.shape, SILENT, np.int8)
    for user in (0, 1):
        kept = light.left[user] > 0
        found = light.measure(user, in_z[user], light.left[user], rng)
        known = kept & in_z[user]
        record[user, known] = found[known] == 0
    return record
