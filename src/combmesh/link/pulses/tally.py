"""What the relay announced, counted by what the users had sent."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from combmesh.link.pulses.bell import PSI_MINUS

MOST_COUNTED = 8
"""Photon numbers are counted up to one less; the last place holds what is above."""


@dataclass(frozen=True)
class PulseTally:
    """Counts of single pulses; tallies add.

    Attributes:
        sent: `(alice, bob)` pulses of each pair of sources.
        detected: `(alice, bob, state)` announced ones, psi-minus and psi-plus.
        errors: `(alice, bob, state)` those whose bits disagree: a user flips his bit, in X only for psi-minus. A pair
            with a source in Z is counted as Z.
        clicks: `(detector,)` registered clicks, inside a gate or not.
        by_number: `(alice, bob, photons of alice, photons of bob, 2)` announced and wrong pulses; zero where photon
            numbers are not kept.
        pulses: pulses in all.
    """

    sent: NDArray[np.int64]
    detected: NDArray[np.int64]
    errors: NDArray[np.int64]
    clicks: NDArray[np.int64]
    by_number: NDArray[np.int64]
    pulses: int

    @classmethod
    def nothing(cls, sources: int) -> "PulseTally":
        """Counts of no pulse."""
        pairs = (sources, sources)
        shapes = (pairs, (*pairs, 2), (*pairs, 2), (4,), (*pairs, MOST_COUNTED, MOST_COUNTED, 2))
        sent, detected, errors, clicks, by_number = (np.zeros(shape, np.int64) for shape in shapes)
        return cls(sent, detected, errors, clicks, by_number, 0)

    def __add__(self, other: "PulseTally") -> "PulseTally":
        return PulseTally(*(getattr(self, name.name) + getattr(other, name.name) for name in fields(self)))


def is_error(bits: NDArray[np.uint8], state: NDArray[np.int8], in_z: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether two bits (Alice's + 2 x Bob's) disagree after the flip that announced state and basis ask for."""
    equal = (bits & 1) == (bits >> 1)
    wrong: NDArray[np.bool_] = equal == (in_z | (state == PSI_MINUS))
    return wrong


def count_announced(
    pair: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    number: NDArray[np.uint8],
    state: NDArray[np.int8],
    in_z: NDArray[np.bool_],
    tally: PulseTally,
) -> None:
    """Add announced pulses to `tally`; `number` is `(user, announcement)`, or empty where it is not kept."""
    sources = tally.sent.shape[0]
    a, b = pair // sources, pair % sources
    wrong = is_error(bits, state, in_z[pair])
    np.add.at(tally.detected, (a, b, state), 1)
    np.add.at(tally.errors, (a, b, state), wrong)
    if number.shape[1]:
        n_a, n_b = np.minimum(number, MOST_COUNTED - 1)
        np.add.at(tally.by_number, (a, b, n_a, n_b, 0), 1)
        np.add.at(tally.by_number, (a, b, n_a, n_b, 1), wrong)
