"""The attack outside the proof: its filter exists, the users see an honest link, and Eve knows every key bit."""

from dataclasses import replace
from math import factorial

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import PAIRS, XX, ZZ
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.attacks.catalogue import ATTACKS
from combmesh.study.attacks.experiment import observe
from combmesh.study.attacks.phases import filter_efficiency, filter_images, overlaps
from combmesh.study.attacks.verdict import BROKEN, Analysis, run_attack
from combmesh.study.attacks.world import World

FAR = Settings(0.05299, 0.24985, 0.33288, 0.27771, 0.02821, 0.655)
NEAR = Settings(0.096, 0.30, 0.54, 0.32, 0.11, 0.54)
WORLD = World(FAR, FAR, Link(7.5e-3, 7.5e-3, Relay(1.0, 4e-8, 0.017, 0.048, 0.5), 2.5e9))
EVE = ATTACKS["known-phase"]


def in_fock_space(states, most=24):
    """`(state, (n_h, n_v))` amplitudes of coherent states up to `most` photons in each mode."""
    numbers = np.arange(most + 1)
    roots = np.array([factorial(n) ** 0.5 for n in numbers])
    vectors = []
    for h, v in states:
        one, other = (np.exp(-0.5 * x * x) * float(x) ** numbers / roots for x in (h, v))
        vectors.append(np.outer(one, other).ravel())
    return np.array(vectors)


@pytest.mark.parametrize("user", [FAR, NEAR, replace(FAR, o=0.003)], ids=["far", "near", "vacuum with light"])
def test_exact_filter_is_an_operation_in_fock_space(user):
    """F built from Fock amplitudes: F|state> is the image, and no vector gets longer; 0.1 % more would be too much."""
    states, images = filter_images(user)
    kappa = filter_efficiency(user)
    vectors = in_fock_space(states)
    assert vectors @ vectors.T == pytest.approx(overlaps(states), abs=1e-12)
    kraus = (kappa**0.5 * images).T @ np.linalg.pinv(vectors, rcond=1e-12).T
    assert kraus @ vectors.T == pytest.approx(kappa**0.5 * images.T, abs=1e-9)
    longest = np.linalg.norm(kraus, 2)
    assert 1 - 1e-4 < longest <= 1
    assert longest * 1.001**0.5 > 1


def test_exact_filter_tells_bases_and_bits_and_likes_all_intensities():
    """Images of different basis or bit are orthogonal; the filter succeeds in proportion to the intensity."""
    _, images = filter_images(FAR)
    lengths = (images**2).sum(axis=1)
    assert lengths == pytest.approx([FAR.z, FAR.z, FAR.x, FAR.x, FAR.y, FAR.y, 0.0])
    gram = images @ images.T
    for i, j in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (2, 5), (3, 4)):
        assert gram[i, j] == 0


def test_limit_filter_fails_without_enough_light():
    """Two photons are needed to tell bases: with all intensities reduced s times, kappa goes at least as s."""
    values = [filter_efficiency(Settings(s * 0.05, s * 0.25, s * 0.33, 0.3, 0.1, 0.5)) for s in (1.0, 0.5, 0.25)]
    assert values[0] > 2 * values[1] > 4 * values[2] > 0


def test_attack_known_phase_wins_at_the_papers_point():
    """A consistent table, QBER 0 and 25 %, a key of hundreds of kilobits, and Eve has every bit of it."""
    result = run_attack(EVE, WORLD, 2_500_000_000_000, 1, Analysis())
    assert result.verdict == BROKEN
    assert not result.inside_proof
    assert not result.proof_fails
    assert result.key_bits > 500_000
    assert (result.unknown_bits, result.mistaken_bits) == (0, 0)
    assert result.consistency == "consistent"


def test_exact_known_phase_feigns_an_honest_link():
    """All pairs as the closed form of a link with Eve's efficiency gives them; 5 standard deviations and 2 %, for the
    filter has the honest gain without its terms of third order."""
    seen = observe(EVE, WORLD, 10_000_000_000_000, 2)
    efficiency = EVE.eve.efficiencies(WORLD)
    assert efficiency == pytest.approx([7.5e-3, 7.5e-3])
    expected = expected_tally(Link(*efficiency, Relay(), 2.5e9), FAR, FAR, 1e13)
    for k, pair in enumerate(PAIRS):
        for count, mean in ((seen.tally.detected[k], expected.detected[k]), (seen.tally.errors[k], expected.errors[k])):
            mean = max(mean, 0.0)
            assert abs(count - mean) <= 5 * mean**0.5 + 0.02 * mean + 1, pair
    assert seen.tally.errors[ZZ] == 0
    assert seen.tally.qber_x == pytest.approx(0.25, abs=5 * (0.1875 / seen.tally.detected[XX]) ** 0.5 + 0.005)


def test_limit_known_phase_fails_near_the_relay():
    """With 1e8 pulses in the laboratory her filter passes too few for any key."""
    result = run_attack(EVE, World(NEAR, NEAR, Link(0.5, 0.5, Relay(), 1e8)), 100_000_000, 1, Analysis())
    assert (result.key_bits, result.unknown_bits, result.verdict) == (0, 0, "no key")
