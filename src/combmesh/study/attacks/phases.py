r"""An Eve who knows the phase of every pulse: outside of what the proof assumes, and she wins.

**Derivation.** A user's pulses of known phase are pure coherent states :math:`|h\rangle_H|v\rangle_V`: H and V with
amplitude :math:`\sqrt z`, D and A with :math:`\sqrt{u/2}` in both modes and equal or opposite signs, and the vacuum.
Their overlaps are :math:`G_{ij}=e^{-|\alpha_i-\alpha_j|^2/2}`. They are linearly independent, so that a filter exists
(one Kraus operator F) that makes of them what she wants, now and then:

.. math::
   F|H\rangle=\sqrt{\kappa z}\,e_1,\quad F|V\rangle=\sqrt{\kappa z}\,e_2,\quad F|uD\rangle=\sqrt{\kappa u}\,e_3,\quad
   F|uA\rangle=\sqrt{\kappa u}\,e_4,\quad F|\mathrm{vacuum}\rangle=0

with orthogonal :math:`e_k`. An operator with these images exists if and only if :math:`G-\kappa M\ge0`, M being the
overlaps of the images over :math:`\kappa`; hence :math:`\kappa=1/\lambda_\max(G^{-1}M)`. When it succeeds she knows
basis and bit without error, and it succeeds in proportion to the intensity, as one photon comes through a lossy fibre.
She announces what a Bell measurement of two such photons would have found. Bunched pairs of one user, which in X make
the 25 % of weak pulses and in Z no announcement, she takes from a few pulses whose photons she counts. The users see a
link of efficiency :math:`\kappa`, with every count as it should be.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.link.pulses.bell import PSI_MINUS, PSI_PLUS
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.study.attacks.light import SILENT, Arrived
from combmesh.study.attacks.world import Rounds, World, Z, draw_classes, random_bits, sources_of

COUNTED = 0.1
"""Share of the pulses whose photons she counts."""

_MARGIN = 1e-6  # of kappa, against rounding
_FLAT = 1e-9  # least eigenvalue of G that is trusted


def filter_images(user: Settings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(`(state, 2)` amplitudes of H and V of all that a user sends, `(state, 4)` images over sqrt(kappa))."""
    states = [(user.z**0.5, 0.0), (0.0, user.z**0.5)]
    images = [np.eye(4)[k] * user.z**0.5 for k in (0, 1)]
    for u in (user.x, user.y, user.o):
        for k, sign in ((2, 1.0), (3, -1.0)):
            states.append(((0.5 * u) ** 0.5, sign * (0.5 * u) ** 0.5))
            images.append(np.eye(4)[k] * u**0.5)
    kept = len(states) if user.o > 0.0 else len(states) - 1  # vacuum without light is one state
    return np.array(states)[:kept], np.array(images)[:kept]


def overlaps(states: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(state, state)` overlaps of coherent states with real amplitudes `(state, mode)`."""
    apart = states[:, None] - states[None, :]
    gram: NDArray[np.float64] = np.exp(-0.5 * (apart**2).sum(axis=-1))
    return gram


def filter_efficiency(user: Settings) -> float:
    r"""The largest :math:`\kappa` with :math:`G-\kappa M\ge0`; 0 where G is too flat for the arithmetic."""
    states, images = filter_images(user)
    values, vectors = np.linalg.eigh(overlaps(states))
    if values[0] < _FLAT:
        return 0.0
    seen = (vectors / np.sqrt(values)).T @ images  # G^-1/2 M G^-1/2 = seen seen^T
    return float((1.0 - _MARGIN) / np.linalg.eigvalsh(seen.T @ seen)[-1])


@dataclass(frozen=True)
class PhaseEve:
    r"""The filter on most pulses, photons counted on the share c of them, `COUNTED`.

    The link that she feigns has the efficiencies :math:`e=\min(\eta,\kappa\sqrt{1-c},\sqrt c)`. She publishes the share
    :math:`e_Ae_B/[(1-c)\kappa_A\kappa_B]` of what passes both filters. Of the pulses whose photons she counts she lets
    each photon through with the probability :math:`e/\sqrt c` and publishes those in which two of one user are left and
    none of the other.
    """

    def efficiencies(self, world: World) -> NDArray[np.float64]:
        """`(user,)` of the link that the users will see."""
        kappa = np.array([filter_efficiency(user) for user in world.users])
        link = np.array([world.link.efficiency_a, world.link.efficiency_b])
        seen: NDArray[np.float64] = np.minimum(np.minimum(link, kappa * sqrt(1.0 - COUNTED)), sqrt(COUNTED))
        return seen

    def rounds_per_pulse(self, world: World) -> float:
        return float(self._chances(world).sum())

    def rounds(self, world: World, pulses: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Rounds]:
        chance = self._chances(world)
        sent, place = draw_classes(chance, world.pair_chances(), pulses, rng)
        pair, kind = np.divmod(place, chance.shape[1])
        source = sources_of(pair)
        bit = random_bits(place.size, rng)
        in_z = source == Z
        light = Arrived(in_z, bit, np.ones(source.shape, np.int64))
        state = np.where(kind == 0, light.bell(True, rng), _bunched(in_z, kind, rng)).astype(np.int8)
        record = np.where(in_z & (kind == 0), bit.astype(np.int8), np.int8(SILENT))
        return sent, Rounds(source, bit, state, record).announced()

    def _chances(self, world: World) -> NDArray[np.float64]:
        """`(pair, kind)`: both filters passed; two photons of Alice and none of Bob; the reverse."""
        e_a, e_b = self.efficiencies(world)
        mu, nu = world.intensities()
        a, b = e_a * mu[:, None], e_b * nu[None, :]
        alone = 0.5 * np.exp(-(a + b) / sqrt(COUNTED))
        kinds = np.stack([a * b, a**2 * alone, b**2 * alone], axis=-1)
        chance: NDArray[np.float64] = world.pair_chances()[..., None] * kinds
        return chance.reshape(len(SOURCES) ** 2, 3)


def _bunched(in_z: NDArray[np.bool_], kind: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """States that two photons of one user give: half the time in X, either state; never in Z."""
    sender_in_z = np.where(kind == 1, in_z[0], in_z[1])
    draw = rng.random(kind.size)
    return np.where(sender_in_z | (draw >= 0.5), SILENT, np.where(draw < 0.25, PSI_MINUS, PSI_PLUS))
