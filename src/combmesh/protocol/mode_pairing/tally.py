r"""Counts of a block of mode pairing, and how often each class of pairs is sent.

A class is (Alice's total intensity, Bob's): rows and columns are (o, nu, mu) in Z and (o, 2 nu, 2 mu) in X, the form of
Zhu 2023, Tables VI and VII.

How often a class is *sent* has no meaning of its own: which two rounds form a pair is decided by clicks, and clicks
depend on the light. The bounds need only the ratio of the classes. Two paired rounds with :math:`k` and :math:`l`
photons of the users look the same to the channel in every class of one basis, so the class is a random choice that
comes after the click (Zeng 2022, Suppl. Note 3; Lim 2014 for the argument in BB84):

.. math::
   \langle n_{ab} \rangle = w_{ab} \sum_{kl} p_a(k)\, p_b(l)\, M_{kl}, \qquad
   w^Z_{ab} = P^Z_a P^Z_b, \quad P^Z = (p_o^2,\, 2 p_o p_\nu,\, 2 p_o p_\mu), \quad P^X = (p_o^2,\, p_\nu^2,\, p_\mu^2),

with Poissonian :math:`p_a(k)` of the total intensity and :math:`M_{kl}` the same for every class. In X the weight of
two users with light holds the share 2/D whose phases match; a user with vacuum has no phase, so all those pairs are
kept (Zhu 2023, Table VII, which shows it: with 2/D there too the vacuum part would exceed the whole).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.protocol.mode_pairing.settings import SOURCES, Settings

O, NU, MU = range(len(SOURCES))  # noqa: E741
_SHAPE = (len(SOURCES), len(SOURCES))


@dataclass(frozen=True)
class PairTally:
    """Counts of a block, `(alice, bob)` = (3, 3) in the order o, nu, mu.

    Attributes:
        z_pairs: pairs of Z; its entry oo holds the pairs with vacuum in all four places, which have no basis.
        x_pairs, x_errors: kept pairs of X (total intensities o, 2 nu, 2 mu) and the wrong ones; their entry oo is not
            read and may be NaN.
        z_errors: wrong bits among the key pairs, `z_pairs[MU, MU]`.
        rounds: rounds of the block.
    """

    z_pairs: NDArray[np.float64]
    x_pairs: NDArray[np.float64]
    x_errors: NDArray[np.float64]
    z_errors: float
    rounds: float

    def __post_init__(self) -> None:
        for name in ("z_pairs", "x_pairs", "x_errors"):
            table = getattr(self, name)
            if table.shape != _SHAPE:
                raise InputError(f"`{name}` must have shape (alice, bob) = {_SHAPE}, but has {table.shape}.")
            read = table if name == "z_pairs" else table.ravel()[1:]
            if not np.all(np.isfinite(read)) or np.any(read < 0):
                raise InputError(f"`{name}` must hold counts of at least 0, but holds {table.tolist()}.")
        if np.any(self.x_errors.ravel()[1:] > self.x_pairs.ravel()[1:]):
            raise InputError("`x_errors` must be at most `x_pairs` in each class, but is more in one.")
        check_range("z_errors", self.z_errors, 0.0, float(self.z_pairs[MU, MU]))
        check_range("rounds", self.rounds, 0.0)

    def __add__(self, other: "PairTally") -> "PairTally":
        return PairTally(
            self.z_pairs + other.z_pairs,
            self.x_pairs + other.x_pairs,
            self.x_errors + other.x_errors,
            self.z_errors + other.z_errors,
            self.rounds + other.rounds,
        )

    @property
    def qber_z(self) -> float:
        """Share of wrong bits among the key pairs; NaN without any."""
        n = self.z_pairs[MU, MU]
        return float(self.z_errors / n) if n else float("nan")

    @property
    def qber_x(self) -> float:
        """Share of wrong bits of the weak pairs of X; NaN without any."""
        n = self.x_pairs[NU, NU]
        return float(self.x_errors[NU, NU] / n) if n else float("nan")


def class_weights(
    alice: Settings, bob: Settings, matched_share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(alice, bob)` weights w of the classes of Z and of X: probabilities of two rounds before any click.

    Args:
        alice, bob: the users' sources.
        matched_share: share of the X pairs with light on both sides that is kept, `PairingRule.matched_share`.

    >>> z, x = class_weights(Settings(0.03, 0.3, 0.2, 0.2), Settings(0.03, 0.3, 0.2, 0.2), 0.125)
    >>> round(float(z[MU, MU]), 6), round(float(x[NU, NU]), 6), round(float(x[O, NU]), 6)
    (0.0576, 0.0002, 0.0144)
    """
    in_z = [np.array([u.p_o**2, 2.0 * u.p_o * u.p_nu, 2.0 * u.p_o * u.p_mu]) for u in (alice, bob)]
    in_x = [np.array([u.p_o**2, u.p_nu**2, u.p_mu**2]) for u in (alice, bob)]
    x = np.outer(*in_x)
    x[NU:, NU:] *= matched_share
    return np.outer(*in_z), x
