"""The attacks of `tests/protocol/test_certificate_attacks.py` with 10^5 to 10^6 experiments each: `make verify`."""

import importlib.util
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from combmesh.protocol.mdi.certificate.certificate import Certificate
from combmesh.protocol.mdi.certificate.solver import best_coefficients

_PATH = Path(__file__).parents[1] / "protocol" / "test_certificate_attacks.py"
_SPEC = importlib.util.spec_from_file_location("small_certificate_attacks", _PATH)
attacks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(attacks)

pytestmark = [pytest.mark.verify, pytest.mark.timeout(1800)]

EPS = attacks.EPS
EXPERIMENTS = 100_000


@pytest.mark.parametrize("name", attacks.CASES)
def test_attack_eve_who_stops_when_she_has_won(name):
    """At eps = 10^-2: at most eps, and not below 0.9 eps. False alarm: 2 comparisons of 10^-6 each."""
    attacks.check_stopping(name, EPS, EXPERIMENTS, 0.9)


@pytest.mark.parametrize(("name", "experiments"), [("check point", 200_000), ("short block", 1_000_000)])
def test_attack_eve_who_stops_at_a_smaller_epsilon(name, experiments):
    """At eps = 10^-3. False alarm: 2 comparisons of 10^-6 each."""
    attacks.check_stopping(name, 1e-3, experiments, 0.9, seed=1)


def test_attack_rounds_drawn_one_by_one():
    """All rounds drawn, also those that count nowhere. False alarm: 2 comparisons of 10^-6 each."""
    attacks.check_stopping("short block", EPS, 400_000, 0.9, skip=False, seed=2)


def batches(certificate, laws, eps, experiments, size, most, seed=3):
    """Counts of an Eve who learns the settings only after each `size` rounds: she plays one fair option, that which
    moves most, and stops when she has won."""
    f = attacks.factors(certificate)
    steps = np.log(f)
    fair = laws[(laws @ (f - 1) > -1e-3 * (laws @ steps**2)) & (laws @ steps**2 > 0)]
    law = fair[np.argmax(fair @ steps**2)]
    rng = np.random.default_rng(seed)
    counts = np.zeros((experiments, len(law)), np.int64)
    playing = np.arange(experiments)
    for _ in range(most):
        counts[playing] += rng.multinomial(size, np.append(law, 1 - law.sum()), len(playing))[:, :-1]
        statistic = counts[playing] @ steps
        playing = playing[(statistic < log(1 / eps)) & (statistic > -4)]
        if len(playing) == 0:
            break
    return counts


@pytest.mark.parametrize(("name", "size"), [("check point", 1000), ("vacuum with light", 1000), ("short block", 5)])
def test_attack_settings_learned_in_batches(name, size):
    """Never above eps, and less than live: she overshoots. False alarm: 10^-6."""
    world = attacks.CASES[name]
    certificate = world.certificate()
    counts = batches(certificate, attacks.options(world.alice, world.bob), EPS, EXPERIMENTS, size, 200)
    wins = attacks.violations(counts, certificate, EPS)
    print(f"{name}: batches of {size}: Eve wins {wins / EXPERIMENTS / EPS:.4f} eps")
    assert 0.2 * EPS * EXPERIMENTS < wins <= attacks.most_violations(EXPERIMENTS, EPS)


@pytest.mark.parametrize("eps", [1e-2, 1e-3])
@pytest.mark.parametrize("name", attacks.CASES)
def test_attack_eve_who_sits_still(name, eps):
    """At most 0.3 eps; the honest link never. False alarm: 10^-6."""
    attacks.check_static(name, eps, 400_000)


# ---- wrong certificates: the same Eve breaks them ----


@pytest.mark.parametrize(
    ("name", "extinction_db", "experiments"),
    [
        ("check point", 20, 100),
        ("check point", 30, 100),
        ("unequal users", 20, 100),
        ("unequal users", 30, 100),
        ("short block", 20, EXPERIMENTS),
    ],
)
def test_attack_rows_without_light_where_there_is_some(name, extinction_db, experiments):
    """Rows for o = 0 used for o = z/100 and z/1000: Eve wins always, in the short block 1.5 times as often as eps."""
    world = attacks.CASES[name]
    alice, bob = attacks.lit(world.alice, extinction_db), attacks.lit(world.bob, extinction_db)
    certificate = world.certificate()
    assert not certificate.is_valid_for(alice, bob)
    what, laws = f"{name}, light at {extinction_db} dB", attacks.options(alice, bob)
    attacks.check_broken(what, certificate, laws, EPS, experiments, most=10**6)


@pytest.mark.parametrize(
    ("name", "experiments"), [("check point", 200), ("unequal users", 200), ("short block", EXPERIMENTS)]
)
def test_attack_intensities_that_eve_chooses_and_nobody_expects(name, experiments):
    """Each intensity within 1 %, rows for exact ones: she wins nearly always, in the short block 1.5 times eps."""
    world = attacks.CASES[name]
    certificate = world.certificate()
    assert not replace(certificate, delta=0.01).is_valid_for(world.alice, world.bob)
    laws = attacks.options(world.alice, world.bob, 0.01)
    attacks.check_broken(f"{name}, delta ignored", certificate, laws, EPS, experiments, most=10**6)


@pytest.mark.parametrize("share", [0.03, -0.03])
@pytest.mark.parametrize("name", ["check point", "unequal users"])
def test_attack_all_coefficients_scaled(name, share):
    """Multiplied by 1.03 or 0.97, which breaks the rows of single photons without or with a phase error."""
    world = attacks.CASES[name]
    certificate = world.certificate()
    scaled = replace(certificate, scaled=tuple(v * (1 + share) for v in certificate.scaled))
    assert not scaled.is_valid_for(world.alice, world.bob)
    laws = attacks.options(world.alice, world.bob)
    attacks.check_broken(f"{name}, times {1 + share}", scaled, laws, EPS, 30, most=5 * 10**6)


def test_attack_rows_at_infinity_left_out():
    """Coefficients without the rows at infinity: Eve lets many photons through."""
    world = attacks.CASES["check point"]
    counts, rows, right_sides = attacks.programme(world)
    finite = rows[:, :2].sum(axis=1) > 0
    v, _, _ = best_coefficients(counts, rows[finite], right_sides[finite])
    certificate = Certificate(world.t, world.e0, tuple(float(number) for number in v - 1e-12))
    attacks.check_broken(
        "no rows at infinity", certificate, attacks.options(world.alice, world.bob), EPS, 50, most=10**6
    )


@pytest.mark.parametrize("eps", [1e-2, 1e-3])
def test_attack_coefficients_tuned_on_the_same_data(eps):
    """Static Eve, coefficients tuned on each experiment's own counts."""
    attacks.check_tuned("short block", eps, 40_000)
