"""How often the bounds fail in simulated experiments whose truth is known; `tests/verify` repeats it 10^5 times.

Each one-sided bound may fail once in 100 here. A quantity made of k bounds may then fail in k of 100 experiments; a
test fails if the rate is above that, by a one-sided binomial test with a false-alarm rate of 10^-6 at most.
"""

from dataclasses import dataclass
from math import exp, log

import numba
import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import factorial, xlogy
from scipy.stats import binom, poisson

from combmesh.link.gains import yield_11
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import METHODS, NEEDED_PAIRS, PAIRS, XX, ZZ, private_bits
from combmesh.protocol.mdi.settings import SOURCES, Settings
from combmesh.protocol.mdi.tally import expected_tally, pair_probabilities, settings_array
from combmesh.protocol.statistics import (
    TAILS,
    expectation_lower,
    expectation_upper,
    observation_lower,
    observation_upper,
)

EXPERIMENTS = 2500
EPS = 1e-2
B = -log(EPS)
FALSE_ALARM = 1e-6

S11_TERMS = {"double-scan": 3 + 2 + 1 + 3, "single-scan": 3 + 2 + 3, "no-scan": 3 + 2 + 3}
"""Bounds in s11: right xx (or xx), oy, yo from below 3; yy, oo from above 2; wrong xx from below 1; xo, ox from above
and oo from below in H 3."""

KEY_TERMS = {
    "double-scan": 3 + 2 + 2 + 6 + 1 + 1,
    "single-scan": 3 + 2 + 1 + 6 + 1 + 1,
    "no-scan": 3 + 2 + 1 + 6 + 1 + 1,
}
"""The same, with H from both sides 6, wrong xx from both sides 2 (from above 1), then S11 and its phase errors."""

CASES = {
    # the paper's light and 200 km: x, y, z, p_x, p_y, p_z, vacuum; arms, pulses
    "paper": (Settings(0.053, 0.25, 0.333, 0.278, 0.028, 0.655), None, 7.5e-3, 7.5e-3, 2.5e12),
    "unequal": (
        Settings(0.04, 0.2, 0.3, 0.3, 0.05, 0.6),
        Settings(0.08, 0.32, 0.4, 0.25, 0.04, 0.65),
        *(0.02, 0.01, 1e11),
    ),
    "vacuum with light": (Settings(0.053, 0.25, 0.333, 0.278, 0.028, 0.655, 0.00333), None, 7.5e-3, 7.5e-3, 2.5e12),
}


@dataclass(frozen=True)
class World:
    """What is true: gains of each pair of sources, wrong gain of xx, yield and wrong yield of single photons."""

    alice: Settings
    bob: Settings
    pulses: float
    gains: np.ndarray
    wrong_xx: float
    s11: float
    t11: float


def honest(name):
    """The closed-form channel; the wrong yield is Ma & Razavi (2012), Eq. (23) with e_0 = 1/2."""
    alice, bob, eta_a, eta_b, pulses = CASES[name]
    bob = bob or alice
    link = Link(eta_a, eta_b, Relay(1.0, 4e-8, 0.017, 0.048, 0.5), 2.5e9)
    tally = expected_tally(link, alice, bob, 1.0)
    s11 = yield_11(eta_a, eta_b, 4e-8)
    t11 = 0.5 * s11 - (0.5 - 0.048) * (1 - 4e-8) ** 2 * eta_a * eta_b / 2
    return World(
        *(alice, bob, pulses, tally.detected / tally.sent, tally.errors[XX] / tally.sent[XX], s11, t11),
    )


def adversarial(name, first, cut=10):
    """The relay's worst: a vertex of all yields that give the honest gains.

    `first` says what is extreme first, "s11" (least) or "t11" (greatest); the other follows as far as it can. Yields
    are in units of the most that the rows allow; the gains are computed again from the yields found.
    """
    world = honest(name)
    pairs = [PAIRS[k] for k in NEEDED_PAIRS if k != ZZ]
    chances = np.array([np.outer(*(light(user, s, cut) for user, s in users_of(world, pair))) for pair in pairs])
    size = chances[0].size
    vacuum = np.zeros((cut + 1, cut + 1), dtype=bool)
    vacuum[0], vacuum[:, 0] = True, True
    half = np.where(vacuum.ravel(), 0.5, 0.0)  # columns: yields, then wrong yields of pairs without a vacuum
    rows = np.hstack([chances.reshape(len(pairs), size), np.zeros((len(pairs), size))])
    at_xx = chances[pairs.index("xx")].ravel()
    rows = np.vstack([rows, np.concatenate([at_xx * half, at_xx * (half == 0)])])
    values = np.append(world.gains[[PAIRS.index(pair) for pair in pairs]], world.wrong_xx)
    rows /= values[:, None]
    unit = 1.0 / np.maximum(rows.max(axis=0), 1.0)
    unit[size:] = unit[:size]
    single = cut + 2
    least, most = np.zeros(2 * size), np.zeros(2 * size)
    least[single], most[size + single] = 1.0, -1.0
    below = np.hstack([-np.eye(size), np.eye(size)])[half == 0]  # wrong <= all
    goals = (least, most) if first == "s11" else (most, least)
    limit, allowed = below, np.zeros(len(below))
    for goal in goals:
        found = linprog(goal, limit, allowed, rows * unit, np.ones(len(rows)), bounds=(0.0, 1.0), method="highs")
        assert found.status == 0, found.message
        limit, allowed = np.vstack([limit, goal]), np.append(allowed, found.fun + 1e-6 * abs(found.fun))
    yields = np.clip(found.x, 0.0, None) * unit
    gains = world.gains.copy()
    gains[[PAIRS.index(pair) for pair in pairs]] = chances.reshape(len(pairs), size) @ yields[:size]
    wrong = at_xx @ (half * yields[:size] + (half == 0) * yields[size:])
    assert np.allclose(gains, world.gains, rtol=1e-5)
    assert wrong == pytest.approx(world.wrong_xx, rel=1e-5)
    return World(
        world.alice, world.bob, world.pulses, gains, wrong, float(yields[single]), float(yields[size + single])
    )


def users_of(world, pair):
    return (world.alice, pair[0]), (world.bob, pair[1])


def light(user, source, cut):
    """Poisson probabilities of 0 to `cut` photons."""
    mu = dict(zip(SOURCES, (user.o, user.x, user.y, user.z), strict=True))[source]
    n = np.arange(cut + 1)
    return exp(-mu) * mu**n / factorial(n)


@numba.njit
def _each(a, c, sent, detected, errors_xx, b, tail, method):
    """`private_bits` of many experiments, (experiment, 4)."""
    results = np.empty((len(detected), 4))
    for k in range(len(detected)):
        results[k] = private_bits(a, c, sent, detected[k], errors_xx[k], b, tail, method)
    return results


def violations(world, n, method, tail, seed, b=B, alone=None):
    """(experiments whose s11 is too high, whose key term is too high, whose key term is above 0) of n.

    Drawn: coincidences and wrong ones of xx, coincidences of the others, single-photon pairs among the key rounds and
    their phase errors, all binomial. With `alone`, only that pair of sources is: the others were sent 10^6 times as
    often and gave what is expected.
    """
    rng = np.random.default_rng(seed)
    a, c = settings_array(world.alice), settings_array(world.bob)
    sent = np.round(world.pulses * pair_probabilities(a, c))
    detected = rng.binomial(sent.astype(np.int64), world.gains, size=(n, len(PAIRS))).astype(float)
    errors = rng.binomial(detected[:, XX].astype(np.int64), world.wrong_xx / world.gains[XX]).astype(float)
    pulses_11 = round(sent[ZZ] * a[2] * c[2] * exp(-a[2] - c[2]))
    pairs = rng.binomial(pulses_11, world.s11, size=n).astype(float)
    phase = rng.binomial(pairs.astype(np.int64), world.t11 / world.s11) / pairs
    if alone:
        other = np.array([pair != alone for pair in PAIRS])
        sent[other] *= 1e6
        detected[:, other] = (sent * world.gains)[other]
        if other[XX]:
            errors[:] = sent[XX] * world.wrong_xx
        if other[ZZ]:
            pairs[:], phase[:] = 1e6 * pulses_11 * world.s11, world.t11 / world.s11
    found = _each(a, c, sent, detected, errors, b, TAILS[tail], METHODS[method])
    phase = np.minimum(phase, 0.5)
    truth = pairs * (1.0 + (xlogy(phase, phase) + xlogy(1.0 - phase, 1.0 - phase)) / log(2))
    key = np.maximum(found[:, 0], 0.0)
    return int((found[:, 1] > world.s11).sum()), int((key > truth).sum()), int((found[:, 0] > 0.0).sum())


def most_violations(n, rate):
    """What a true rate of `rate` exceeds in n experiments with probability 10^-6 at most."""
    return int(binom.ppf(1.0 - FALSE_ALARM, n, rate))


WORLDS = ("honest", "least s11", "most phase errors")


def world_of(name, kind):
    return honest(name) if kind == "honest" else adversarial(name, "s11" if kind == "least s11" else "t11")


def check_coverage(name, kind, n):
    """All methods and tails of one world: nothing fails more often than the sum of its terms."""
    world = world_of(name, kind)
    for seed, method in enumerate(METHODS):
        for tail in TAILS:
            s11, key, positive = violations(world, n, method, tail, [seed, len(tail)])
            assert s11 <= most_violations(n, S11_TERMS[method] * EPS), (name, kind, method, tail)
            assert key <= most_violations(n, KEY_TERMS[method] * EPS), (name, kind, method, tail)
            assert positive > 0.5 * n or method != "double-scan"  # there is a key to be wrong about


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", CASES)
def test_attack_bounds_fail_no_more_often_than_their_epsilons(name, kind):
    """s11 and the key term S11(1-h) for three methods and two tails, honest and worst yields, also with light in the
    vacuum (o = z/100). False alarm: 12 comparisons of 10^-6 each, were every rate exactly its sum."""
    check_coverage(name, kind, EXPERIMENTS)


ALONE_TERMS = {"oo": 3, "ox": 2, "xo": 2, "xx": 3, "oy": 1, "yo": 1, "yy": 1, "zz": 2}
"""Bounds that hold counts of one pair: H from both sides, the vacuum also in yy - yo - oy + oo; right and wrong xx;
single photons and their phase errors in zz."""


def check_each_count_alone(name, n):
    """One pair fluctuates, the others hardly: its own bounds alone keep s11 and the key below the worst yields."""
    world = adversarial(name, "s11")
    for pair, terms in ALONE_TERMS.items():
        for method in METHODS:
            for tail in TAILS:
                s11, key, _ = violations(world, n, method, tail, [9, len(pair), len(tail)], alone=pair)
                assert s11 <= most_violations(n, terms * EPS), (name, pair, method, tail)
                assert key <= most_violations(n, terms * EPS), (name, pair, method, tail)
                if n >= 100_000 and pair not in ("oo", "zz") and (pair, method) != ("xx", "double-scan"):
                    assert s11 >= EPS / 40 * n, (name, pair, method, tail)
        if pair not in ("oo", "zz"):
            assert violations(world, n, "double-scan", "exact", 3, b=1e-16, alone=pair)[0] > 0.3 * n, (name, pair)


@pytest.mark.parametrize("name", CASES)
def test_attack_each_count_alone(name):
    """A bound on the wrong side would fail every second time here, and hide behind the others where all fluctuate;
    without tails it does (more than 30 %). False alarm: 96 comparisons of 10^-6 each, six of 10^-16."""
    check_each_count_alone(name, EXPERIMENTS // 5)


def check_power(name, n):
    """Without fluctuation terms worst yields break s11 nearly every second time: the tests would see it."""
    s11, _, _ = violations(adversarial(name, "s11"), n, "double-scan", "exact", 5, b=1e-16)
    assert s11 > 0.4 * n


def test_attack_bounds_without_their_tails_are_caught():
    """The two-decoy bound at infinite data is tight, so half of the experiments lie above the truth; at 0.4 of 2500
    the false-alarm rate is below 10^-20."""
    check_power("paper", EXPERIMENTS)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-10])
@pytest.mark.parametrize("mean", [0.5, 30.0, 3e3, 1e6])
def test_exact_each_tail_alone(mean, eps, tail):
    """Probabilities of a Poisson count, summed exactly: each bound fails with at most eps. From 3000 counts on the
    exact tail also fails with no less than a fortieth of it: Chernoff's factor is about sqrt(4 pi b), 17 at b = 23."""
    b, kind = -log(eps), TAILS[tail]
    low, high = (int(poisson.ppf(q, mean)) for q in (1e-18, 1 - 1e-15))
    counts = np.arange(max(low - 20, 0), high + 60 + int(3 * b))
    chance = poisson.pmf(counts, mean)
    too_high = chance[np.array([expectation_lower(n, b, kind) > mean for n in counts.astype(float)])].sum()
    too_low = chance[np.array([expectation_upper(n, b, kind) < mean for n in counts.astype(float)])].sum()
    below = chance[counts < observation_lower(mean, b, kind)].sum()
    above = chance[counts > observation_upper(mean, b, kind)].sum()
    for rate in (too_high, too_low, below, above):
        assert rate <= eps * (1 + 1e-9)
        assert rate >= eps / 40 or mean < 3e3 or tail == "simple"


def test_exact_a_sum_of_terms_is_written_out():
    """The double scan's key term: each bound of the epsilon sum but the phase error's repeats, proofs and vacuum."""
    assert KEY_TERMS["double-scan"] == 15
    assert S11_TERMS["double-scan"] == 9
