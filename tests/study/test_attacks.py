"""Every attack inside the proof leaves the key unknown to Eve; her physics against closed forms.

Statistical comparisons allow 5 standard deviations: a false alarm of 6e-7 for each, with fixed seeds.
"""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from combmesh.ground.errors import InputError
from combmesh.link.pulses.bell import PSI_MINUS, PSI_PLUS
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import OO, OX, PAIRS, XX, YY, ZZ
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.sifted_file import announcement_digest
from combmesh.protocol.mdi.tally import Tally
from combmesh.study.attacks import photons
from combmesh.study.attacks.catalogue import ATTACKS, SPLIT, attack_named
from combmesh.study.attacks.experiment import _count, observe
from combmesh.study.attacks.light import SILENT, Arrived
from combmesh.study.attacks.lists import AnnouncedList, accepted, replayed, two_lists
from combmesh.study.attacks.photons import PhotonEve, brightness
from combmesh.study.attacks.verdict import BROKEN, LISTS_DIFFER, Analysis, run_attack, users_keys, verdict_of
from combmesh.study.attacks.world import Rounds, World, Z, photon_numbers

NEAR = Settings(0.096, 0.30, 0.54, 0.32, 0.11, 0.54)
FAR = Settings(0.05299, 0.24985, 0.33288, 0.27771, 0.02821, 0.655)
LAB, PAPER = Relay(0.75, 1e-7, 0.01, 0.01, 0.49), Relay(1.0, 4e-8, 0.017, 0.048, 0.5)
WORLDS = {
    "laboratory": (World(NEAR, NEAR, Link(0.5, 0.5, LAB, 1e8)), 40_000_000),
    "unequal": (World(replace(NEAR, x=0.05, y=0.2, z=0.4), NEAR, Link(0.4, 0.2, LAB, 1e8)), 80_000_000),
    "vacuum with light": (World(replace(NEAR, o=0.0005), replace(NEAR, o=0.001), Link(0.5, 0.5, LAB, 1e8)), 40_000_000),
    "200 km": (World(FAR, FAR, Link(7.5e-3, 7.5e-3, PAPER, 2.5e9)), 500_000_000_000),
}
NEAR_WORLD = WORLDS["laboratory"][0]
INSIDE = [name for name, attack in ATTACKS.items() if attack.inside_proof]


def seen(name, pulses=20_000_000, seed=1, share=1.0, world=NEAR_WORLD):
    return observe(ATTACKS[name], world, pulses, seed, share)


def near(count, of, chance):
    """Whether so many of `of` are within 5 standard deviations of a binomial law."""
    return abs(count - of * chance) <= 5 * max(of * chance * (1 - chance), 1e-9) ** 0.5


def qbers(found):
    """((wrong, of) in Z, (wrong, of) in X)."""
    tally = found.tally
    in_x = [XX, YY]
    return (tally.errors[ZZ], tally.detected[ZZ]), (tally.errors[in_x].sum(), tally.detected[in_x].sum())


# ---- no attack inside the proof wins ----


@pytest.mark.parametrize("where", WORLDS)
@pytest.mark.parametrize("name", INSIDE)
def test_attack_inside_the_proof_leaves_the_key_unknown(name, where):
    """Key and leak against Eve's record: whole and partial attacks, three seeds, scan and certificate.

    A table that is attacked a little gives key, so that there is something to compare.
    """
    world, pulses = WORLDS[where]
    for share, seed in ((1.0, 1), (0.3, 2), (0.03, 3)):
        found = observe(ATTACKS[name], world, pulses, seed, share)
        assert found.mistaken == 0
        if not found.lists_agree:
            continue
        for credit in (False, True):
            scanned, certified = users_keys(found, world, Analysis(vacuum_credit=credit))
            unknown = found.unknown if credit else found.unknown_errors_public
            if scanned.length_bits:
                assert scanned.length_bits + scanned.leak_bits <= unknown, (share, credit)
            if certified:
                assert certified + scanned.leak_bits <= found.unknown_errors_public, share
            assert share > 0.1 or scanned.length_bits or certified


@pytest.mark.parametrize(
    "name",
    ["random", "exchange", "drop-by-basis", "intercept-z", "intercept-random", "block-singles", "two-lists"],
)
def test_attack_on_every_pulse_leaves_no_key(name):
    result = run_attack(ATTACKS[name], NEAR_WORLD, 20_000_000, 1, Analysis())
    assert (result.key_bits, result.certificate_bits or 0, result.leak_bits, result.verdict) == (0, 0, 0, "no key")
    assert not result.proof_fails


@pytest.mark.parametrize("name", ["split", "drop-by-number", "replay"])
def test_attack_that_loses_only_multiphoton_bits_leaves_key(name):
    result = run_attack(ATTACKS[name], NEAR_WORLD, 60_000_000, 1, Analysis())
    assert result.verdict == "the key is safe"
    assert 0 < result.key_bits + result.leak_bits <= result.unknown_bits < result.sifted_bits


# ---- what each does, in closed form ----


def test_exact_random_announcements_are_half_wrong_and_equally_frequent():
    found = seen("random")
    for wrong, of in qbers(found):
        assert near(wrong, of, 0.5)
    share = brightness(ATTACKS["random"].eve, NEAR_WORLD)
    for pair in range(len(PAIRS)):
        assert near(found.tally.detected[pair], found.tally.sent[pair], share)
    assert near(found.unknown, found.sifted_bits, exp(-NEAR.z))  # Alice sent nothing: there was nothing to learn
    assert near(found.unknown_errors_public, found.sifted_bits, exp(-2 * NEAR.z))


def test_exact_exchanged_states_turn_the_x_errors_round():
    """One photon each has no X error; exchanged all are wrong, half exchanged half. Z does not care."""
    for share in (1.0, 0.5):
        (wrong_z, _), (wrong_x, of_x) = qbers(seen("exchange", share=share))
        assert wrong_z == 0
        assert near(wrong_x, of_x, share)
    assert qbers(seen("split"))[1][0] == 0


@pytest.mark.parametrize("name", ["intercept-z", "drop-by-basis"])
def test_exact_measured_in_z_half_the_x_bits_are_wrong(name):
    found = seen(name)
    (wrong_z, _), (wrong_x, of_x) = qbers(found)
    assert wrong_z == 0
    assert near(wrong_x, of_x, 0.5)
    assert found.unknown == 0


def test_exact_measured_in_a_random_basis_a_quarter_is_wrong():
    """Half of the rounds met the right basis; she knows the bits of these and of pulses with a second photon."""
    found = seen("intercept-random")
    for wrong, of in qbers(found):
        assert near(wrong, of, 0.25)
    single = NEAR.z * exp(-NEAR.z) / -np.expm1(-NEAR.z)
    assert near(found.unknown, found.sifted_bits, 0.5 * single)


def test_exact_blocked_singles_leave_nothing_unknown_and_no_yield_of_singles():
    found = seen("block-singles")
    assert found.unknown == 0
    scanned, _ = users_keys(found, NEAR_WORLD, Analysis())
    assert scanned.pairs_11_lower == 0
    bright = 1 - exp(-NEAR.z) * (1 + NEAR.z)
    gain = brightness(ATTACKS["block-singles"].eve, NEAR_WORLD) * bright * -np.expm1(-NEAR.z) / 2
    assert near(found.tally.detected[ZZ], found.tally.sent[ZZ], gain)
    light = Arrived(np.zeros((2, 1000), bool), np.zeros((2, 1000), np.uint8), np.ones((2, 1000), np.int64))
    assert (photons.singles_blocked(light, np.random.default_rng(0))[0] == SILENT).all()


def test_exact_split_yields_and_unknown_bits():
    """Half of the pairs of photons are announced; unknown are those of single photons."""
    found = seen("split")
    z = NEAR.z
    gain = brightness(SPLIT, NEAR_WORLD) * np.expm1(-z) ** 2 / 2
    assert near(found.tally.detected[ZZ], found.tally.sent[ZZ], gain)
    single = z * exp(-z) / -np.expm1(-z)
    assert near(found.unknown, found.sifted_bits, single)
    assert near(found.unknown_errors_public, found.sifted_bits, single**2)
    assert found.tally.detected[[OO, OX]].sum() == 0


def test_exact_dropped_single_photons():
    """Of the zz announcements, those of single photons keep a quarter of their part."""
    found = seen("drop-by-number")
    single = (NEAR.z * exp(-NEAR.z) / -np.expm1(-NEAR.z)) ** 2
    left = photons.SINGLES_KEPT * single
    assert near(found.unknown_errors_public, found.sifted_bits, left / (left + 1 - single))


def test_exact_bases_that_show_themselves_are_dropped():
    """Two photons each: in Z all unequal bits are announced, in X an eighth of all rounds."""
    rng, many = np.random.default_rng(1), 200_000
    bit = rng.integers(0, 2, (2, many), np.uint8)
    for in_z, expected in ((True, (bit[0] != bit[1]).sum()), (False, many / 8)):
        light = Arrived(np.full((2, many), in_z), bit, np.full((2, many), 2))
        state, record = photons.dropped_by_basis(light, rng)
        kept = (state >= 0).sum()
        assert kept == expected if in_z else near(kept, many, 1 / 8)
        assert (record >= 0).all() == in_z


def test_exact_key_rounds_are_as_many_as_the_honest_link_gives():
    """The pilot run knows its gain to some 0.4 %."""
    for name in ("split", "random", "intercept-random", "drop-by-number"):
        found = seen(name, 5_000_000)
        expected = found.tally.sent[ZZ] * NEAR_WORLD.honest_gain()
        assert found.sifted_bits == pytest.approx(expected, rel=0.02), name


# ---- the light ----


def test_exact_bell_states_of_two_photons():
    """|<psi|ab>|^2 by vectors, for all preparations."""
    vectors = {(True, 0): [1, 0], (True, 1): [0, 1], (False, 0): [0.5**0.5] * 2, (False, 1): [0.5**0.5, -(0.5**0.5)]}
    psi = {PSI_MINUS: np.array([0, 1, -1, 0]) / 2**0.5, PSI_PLUS: np.array([0, 1, 1, 0]) / 2**0.5}
    rng, many = np.random.default_rng(2), 100_000
    for (z_a, a), e_a in vectors.items():
        for (z_b, b), e_b in vectors.items():
            in_z = np.repeat([[z_a], [z_b]], many, axis=1)
            bit = np.repeat(np.array([[a], [b]], np.uint8), many, axis=1)
            found = Arrived(in_z, bit, np.ones((2, many), np.int64)).bell(True, rng)
            for state, vector in psi.items():
                assert near((found == state).sum(), many, (vector @ np.kron(e_a, e_b)) ** 2), (z_a, a, z_b, b)


def test_attack_no_photon_is_measured_twice_and_no_basis_read_too_early():
    rng = np.random.default_rng(0)
    light = Arrived(np.ones((2, 3), bool), np.zeros((2, 3), np.uint8), np.array([[1, 2, 0], [1, 1, 1]]))
    with pytest.raises(RuntimeError, match="after the announcement"):
        light.bases()
    assert list(light.left[0]) == [1, 2, 0]
    light.measure(0, True, np.array([1, 1, 0]), rng)
    with pytest.raises(RuntimeError, match="only once"):
        light.measure(0, True, np.array([1, 1, 0]), rng)
    light.announce()
    assert light.bases().all()


def test_exact_classes_of_pulses_have_the_distribution_of_the_plain_loop():
    """Counts of every pair, and Eve's record, beside pulses drawn one by one. False alarm: 1e-6."""
    pulses, rng = 3_000_000, np.random.default_rng(5)
    fast = observe(ATTACKS["intercept-random"], NEAR_WORLD, pulses, 9)
    chances = [NEAR.p_o, NEAR.p_x, NEAR.p_y, NEAR.p_z]
    source = rng.choice(4, (2, pulses), p=chances).astype(np.uint8)
    number = rng.poisson(np.array([0.0, NEAR.x, NEAR.y, NEAR.z])[source])
    sent = np.bincount(source[0] * 4 + source[1], minlength=16)
    lit = (number > 0).all(axis=0) & (rng.random(pulses) < brightness(ATTACKS["intercept-random"].eve, NEAR_WORLD))
    source, number = source[:, lit], number[:, lit]
    bit = rng.integers(0, 2, source.shape, np.uint8)
    state, record = photons.intercepted_at_random(Arrived(source == Z, bit, number), rng)
    rounds = Rounds(source, bit, state, record).announced()
    plain = _count(rounds, sent, pulses, rounds.state.size, True)
    table = np.array([cells(fast), cells(plain)])
    assert chi2_contingency(table[:, table.min(axis=0) >= 10]).pvalue > 1e-6


def cells(found):
    tally = found.tally
    right = tally.detected - tally.errors
    silent = tally.sent - tally.detected
    return np.concatenate([right, tally.errors, silent, [found.unknown, found.sifted_bits - found.unknown]])


def test_exact_photon_numbers_are_poissonian():
    law = photon_numbers(np.array([0.0, 0.3, 20.0]))
    assert law.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-14)
    assert law @ np.arange(law.shape[1]) == pytest.approx([0.0, 0.3, 20.0])


# ---- lists ----


def test_attack_replayed_announcements_count_once():
    """The same counts as without the replay, and without this check the key would be more than Eve does not know."""
    once, twice = seen("split", 60_000_000), seen("replay", 60_000_000)
    assert twice.received == 2 * twice.announced
    assert twice.announced == pytest.approx(once.announced, abs=7 * once.announced**0.5)
    tally = twice.tally
    naive = replace(twice, tally=Tally(tally.sent, 2 * tally.detected, 2 * tally.errors, tally.pulses))
    scanned, _ = users_keys(naive, NEAR_WORLD, Analysis())
    unknown = twice.unknown_errors_public
    assert scanned.length_bits + scanned.leak_bits > 1.2 * unknown
    assert verdict_of(scanned.length_bits, unknown, 0, unknown, 0) == BROKEN


def test_exact_first_announcement_of_a_pulse_is_taken():
    received = AnnouncedList(np.array([7, 3, 7, 99, 3, -1]), np.array([1, 0, 0, 1, 1, 0], np.int8))
    taken = accepted(received, range(0, 50))
    assert list(taken.pulse) == [3, 7]
    assert list(taken.state) == [0, 1]
    true = AnnouncedList(np.arange(5, 500, 3), np.arange(165, dtype=np.int8) % 2)
    replay, _ = replayed(true, np.random.default_rng(0))
    again = accepted(replay, range(0, 500))
    assert np.array_equal(again.pulse, true.pulse)
    assert np.array_equal(again.state, true.state)


def test_attack_two_lists_are_found_by_their_digest():
    result = run_attack(ATTACKS["two-lists"], NEAR_WORLD, 5_000_000, 1, Analysis())
    assert not result.lists_agree
    assert result.outcome == LISTS_DIFFER
    true = AnnouncedList(np.arange(0, 4000, 2), np.zeros(2000, np.int8))
    alice, bob = two_lists(true, np.random.default_rng(0))
    assert alice is true
    assert bob.pulse.size < 2000
    for at in (0, 1000, 1999):  # one state, one pulse
        state, pulse = true.state.copy(), true.pulse.copy()
        state[at] ^= 1
        pulse[at] += 1
        lists = (true, true._replace(state=state), true._replace(pulse=pulse))
        digests = {announcement_digest(*some) for some in lists}
        assert len(digests) == 3


# ---- the rest ----


def test_exact_one_seed_one_result():
    assert cells(seen("split", 2_000_000, 7)).tolist() == cells(seen("split", 2_000_000, 7)).tolist()
    assert cells(seen("split", 2_000_000, 7)).tolist() != cells(seen("split", 2_000_000, 8)).tolist()


def test_limit_no_light_no_announcement():
    dark = World(*(Settings(1e-9, 2e-9, 0.0, 0.3, 0.1, 0.5),) * 2, NEAR_WORLD.link)
    found = observe(ATTACKS["split"], dark, 1_000_000, 1)
    assert (found.announced, found.unknown, found.sifted_bits) == (0, 0, 0)


def test_exact_unknown_attack_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean `intercept-z`"):
        attack_named("intercept-x")
    with pytest.raises(InputError, match="`share` must be at most 1"):
        observe(ATTACKS["split"], NEAR_WORLD, 10, 1, 1.5)
    assert isinstance(ATTACKS["random"].eve, PhotonEve)
