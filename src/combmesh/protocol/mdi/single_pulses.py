"""The pulses engine with the four sources of this protocol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.link.pulses.light import Light
from combmesh.link.pulses.record_file import RecordHead, SourceKind
from combmesh.link.pulses.tally import PulseTally
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import PAIRS
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.protocol.mdi.tally import Tally, expected_tally

RARE = 10.0
"""Cells with fewer expected counts are tested by the exact Poisson law."""

_ALICE, _BOB = np.array([[SOURCES.index(source) for source in pair] for pair in PAIRS]).T


def light_of(alice: Settings, bob: Settings) -> Light:
    """What two users send, phases randomised."""
    users = (alice, bob)
    return Light(
        np.array([[user.o, user.x, user.y, user.z] for user in users]),
        np.array([[user.p_o, user.p_x, user.p_y, user.p_z] for user in users]),
        np.array([source == "z" for source in SOURCES]),
    )


def record_head(user: Settings, clock_hz: float, origin: str) -> RecordHead:
    """What a user's record says of itself."""
    chances = (user.p_o, user.p_x, user.p_y, user.p_z)
    kinds = {
        letter: SourceKind(getattr(user, letter), chance, "Z" if letter == "z" else "X")
        for letter, chance in zip(SOURCES, chances, strict=True)
    }
    return RecordHead(clock_hz, kinds, origin)


def tally_of(counted: PulseTally) -> Tally:
    """The counts that the protocol uses, both Bell states together."""
    detected, errors = (counts.sum(axis=2)[_ALICE, _BOB] for counts in (counted.detected, counted.errors))
    sent = counted.sent[_ALICE, _BOB]
    return Tally(sent.astype(float), detected.astype(float), errors.astype(float), float(counted.pulses))


def counts_by_number(counted: PulseTally) -> dict[str, dict[str, list[list[int]]]]:
    """Announced and wrong pulses of each pair of sources by Alice's and Bob's photon numbers.

    Entry `[n_a][n_b]`; the last place of each holds what is above.
    """
    return {
        a + b: {what: counted.by_number[i, j, :, :, k].tolist() for k, what in enumerate(("announced", "wrong"))}
        for i, a in enumerate(SOURCES)
        for j, b in enumerate(SOURCES)
    }


@dataclass(frozen=True)
class PairAgreement:
    """One pair of sources: what the pulses gave beside the closed form.

    Attributes:
        pair: both sources, Alice's first.
        sent, detected, errors: counted pulses.
        expected_detected, expected_errors: the closed form's, for as many sent.
    """

    pair: str
    sent: int
    detected: int
    errors: int
    expected_detected: float
    expected_errors: float


def compare_with_closed_form(
    counted: PulseTally, link: Link, alice: Settings, bob: Settings
) -> tuple[list[PairAgreement], float]:
    """Each pair of sources, and the probability that chance makes the counts differ as much from the closed form.

    Right and wrong announcements of each pair are cells; those under 10 are tested by the Poisson law, the others
    together by chi-square, and the smallest of these p-values is multiplied by their number (Bonferroni).
    """
    tally, expected = tally_of(counted), expected_tally(link, alice, bob, float(counted.pulses))
    sent = np.maximum(expected.sent, 1e-300)
    detected, errors = (
        np.where(expected.sent > 0, column / sent * tally.sent, 0.0) for column in (expected.detected, expected.errors)
    )
    rows = [
        PairAgreement(
            pair, int(tally.sent[k]), int(tally.detected[k]), int(tally.errors[k]), float(detected[k]), float(errors[k])
        )
        for k, pair in enumerate(PAIRS)
    ]
    seen = np.concatenate([tally.detected - tally.errors, tally.errors])
    return rows, _p_value(seen, np.concatenate([detected - errors, errors]))


def _p_value(seen: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    from scipy.stats import chi2, poisson

    rare = expected < RARE
    few, means = seen[rare], expected[rare]
    tails = list(2.0 * np.minimum(poisson.cdf(few, means), poisson.sf(few - 1.0, means)))
    if not rare.all():
        square = ((seen - expected)[~rare] ** 2 / expected[~rare]).sum()
        tails.append(chi2.sf(square, (~rare).sum()))
    return float(min(1.0, len(tails) * min(tails)))
