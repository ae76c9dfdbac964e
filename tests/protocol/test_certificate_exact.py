"""`obeys_all_rows` against brute force over photon numbers to 30, in whole numbers: it never accepts a row that fails.

Numbers here are integers in units of 2^-400 and the exponential is summed from its series: nothing is shared with the
decimal arithmetic of `exact.py`, nor its finite set of rows. Rounding is far below the 2^-300 that counts as a failure.
`tests/verify` has more of the same. Random numbers decide nothing here: there are no false alarms.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import exp, log, log2, nextafter

import numpy as np
import pytest

from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.certificate.exact import obeys_all_rows
from combmesh.protocol.mdi.certificate.rows import CLASSES, class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, settings_array

BITS = 400
ONE = 1 << BITS
FAILURE = 1 << (BITS - 300)
MOST = 30
KINDS = ("dark", "lit", "Eve's", "lit, Eve's")


def fixed(number):
    return int(Fraction(number) * ONE)


def times(a, b):
    return (a * b) >> BITS


def exp_fixed(x):
    """e^x of a fraction: its series at x/256, squared eight times."""
    term = total = ONE
    step, k = fixed(Fraction(x) / 256), 1
    while term not in (0, -1):
        term = times(term, step) // k
        total += term
        k += 1
    for _ in range(8):
        total = times(total, total)
    return total


def log_fixed(x):
    """ln x of a fraction in (0, 1): -2 artanh((1 - x)/(1 + x))."""
    power = fixed((1 - Fraction(x)) / (1 + Fraction(x)))
    square, total, k = times(power, power), 0, 1
    while power:
        total += power // k
        power, k = times(power, square), k + 2
    return -2 * total


def test_exact_series_of_this_test():
    for x in (-2.0, -0.33288, 0.001, 1.5):
        assert exp_fixed(Fraction(x)) / ONE == pytest.approx(exp(x), rel=1e-15)
    for x in (0.01, 0.14236, 0.5, 0.999):
        assert log_fixed(Fraction(x)) / ONE == pytest.approx(log(x), rel=1e-15)


def sources(user, scale):
    """Mean photon numbers of o, x, y and z with Eve's factors."""
    return [Fraction(getattr(user, name)) * factor for name, factor in zip("oxyz", scale, strict=True)]


def weights(user, scale):
    """`[n][o, x, y]` p_s P_s(n), times something positive for each n."""
    p_x, p_y, p_z = Fraction(user.p_x), Fraction(user.p_y), Fraction(user.p_z)
    chances = [fixed(1 - p_x - p_y - p_z), fixed(p_x), fixed(p_y)]
    *means, _ = sources(user, scale)
    empty = [exp_fixed(means[2] - mu) for mu in means]  # divided by that of y
    return [[times(times(p, e), fixed((mu / means[2]) ** n)) for p, e, mu in zip(chances, empty, means, strict=True)]
            for n in range(MOST + 1)]  # fmt: skip


def worth(label, t, e0):
    """1 - e^{-t g} or 1 - e^{-t w}."""
    share = 1 - Fraction(e0) if label == "right" else Fraction(e0)
    exponent = Fraction(t) * (1 - Fraction(log_fixed(share), log_fixed(Fraction(1, 2))))
    return ONE - exp_fixed(-exponent)


def fails(scaled, t, e0, alice, bob, scale_a, scale_b):
    """Whether a row with n, m <= 30 is above its right side, at Eve's factors of the intensities."""
    at_a, at_b = weights(alice, scale_a), weights(bob, scale_b)
    (*_, y_a, z_a), (*_, y_b, z_b) = sources(alice, scale_a), sources(bob, scale_b)
    signal = fixed(Fraction(alice.p_z) * Fraction(bob.p_z) * z_a * z_b / (y_a * y_b))
    signal = times(signal, exp_fixed(y_a + y_b - z_a - z_b))
    totals = {}
    for label in ("right", "wrong"):
        matrix = [[0] * 3 for _ in range(3)]
        for v, name in zip(scaled, CLASSES, strict=True):
            pair, _, kind = name.partition("_")
            if kind in ("", label):
                matrix["oxy".index(pair[0])]["oxy".index(pair[1])] = fixed(v)
        half = [[sum(times(row[s], matrix[s][r]) for s in range(3)) for r in range(3)] for row in at_a]
        totals[label] = [[sum(times(left[r], row[r]) for r in range(3)) for row in at_b] for left in half]
    for n, m in product(range(MOST + 1), repeat=2):
        right, wrong = totals["right"][n][m], totals["wrong"][n][m]
        if n == 0 or m == 0:
            right = wrong = (right + wrong) // 2
        if n == m == 1:
            right -= times(signal, worth("right", t, e0))
            wrong -= times(signal, worth("wrong", t, e0))
        if max(right, wrong) > FAILURE:
            return True
    return False


def eves_factors(kind, delta, rng):
    """Pairs of factors of (o, x, y, z) of both users: exact ones, or corners and random points of Eve's box."""
    if delta == 0:
        return [((Fraction(1),) * 4,) * 2]
    shifts = [rng.choice([-1.0, 1.0], (2, 4)) for _ in range(5)] + [rng.uniform(-1, 1, (2, 4)) for _ in range(3)]
    return [tuple(tuple(1 + Fraction(delta) * Fraction(float(s)) for s in user) for user in shift) for shift in shifts]


def problem(kind, rng):
    """Random settings, t, e0 and delta, with the best coefficients for some link: on their rows, up to rounding."""
    users = []
    for _ in range(2):
        y = rng.uniform(0.1, 0.6)
        x = y * rng.uniform(0.1, 0.5)
        chances = rng.dirichlet([4, 3, 3, 1])
        o = x * rng.uniform(0.01, 0.3) if "lit" in kind else 0.0
        users.append(Settings(x, y, rng.uniform(0.1, 0.7), *map(float, chances[:3]), o))
    alice, bob = users
    delta = float(rng.choice([0.001, 0.01, 0.03])) if "Eve" in kind else 0.0
    t, e0 = float(10 ** rng.uniform(-5, -1.5)), float(rng.uniform(0.02, 0.4))
    link = Link(*10 ** rng.uniform(-3, -1, 2), Relay(1.0, 1e-7, 0.017, 0.048, 0.5), 1e9)
    tally = expected_tally(link, alice, bob, float(10 ** rng.uniform(10, 14)))
    rows, right_sides = photon_rows(
        settings_array(alice), settings_array(bob), t, 1 + log2(1 - e0), 1 + log2(e0), delta
    )
    v, _, possible = best_coefficients(class_counts(tally.detected, tally.errors), rows, right_sides)
    return (v, t, e0, alice, bob, delta) if possible and v.min() > -0.99 else problem(kind, rng)


def check(scaled, t, e0, alice, bob, delta, factors):
    """(accepted, found to fail); never both."""
    scaled = [float(v) for v in scaled]
    accepted = min(scaled) > -1 and obeys_all_rows(scaled, t, e0, alice, bob, delta)
    failing = any(fails(scaled, t, e0, alice, bob, *pair) for pair in factors)
    assert not (accepted and failing), (scaled, t, e0, alice, bob, delta)
    return accepted, failing


def check_vectors(kind, problems, sizes, least):
    """Coefficients on their rows, shifted by 10^-17 to 10^-3, all together, one alone or at random."""
    rng = np.random.default_rng(KINDS.index(kind))
    seen = []
    for _ in range(problems):
        v, *rest = problem(kind, rng)
        factors = eves_factors(kind, rest[-1], rng)[: 4 if rest[-1] else 1]
        for size in 10 ** rng.uniform(-17, -3, sizes):
            alone = np.zeros(len(v))
            alone[rng.integers(len(v))] = size * rng.choice([-1, 1])
            for change in (np.full(len(v), -size), np.full(len(v), size), alone, size * rng.normal(size=len(v))):
                seen.append(check(v + change, *rest, factors))
    accepted, failing = np.array(seen).T
    print(f"{kind}: {len(seen)} vectors, {accepted.sum()} accepted, {failing.sum()} fail to 30 photons, both: none")
    assert min(accepted.sum(), failing.sum()) >= least


@pytest.mark.parametrize("kind", KINDS)
def test_exact_rows_that_fail_are_never_accepted(kind):
    check_vectors(kind, 2, 3, 3)


def edge(v, i, rest):
    """Neighbouring numbers for coefficient i, the lower accepted and the upper refused."""
    t, e0, alice, bob, delta = rest

    def accepted(number):
        return obeys_all_rows([*v[:i], number, *v[i + 1 :]], t, e0, alice, bob, delta)

    low, high = v[i], v[i] + 1e-3
    if not accepted(low) or accepted(high):
        return None
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if accepted(middle) else (low, middle)
    assert high == nextafter(low, 2)
    return low, high


def check_edges(kind, problems, classes, least):
    """The decision changes between neighbouring floating-point numbers: brute force finds nothing at the lower one and,
    where the row is one to 30 photons and one of Eve's choices that were drawn, a failure at the upper one."""
    rng = np.random.default_rng([7, KINDS.index(kind)])
    found, next_fails = 0, 0
    for _ in range(problems):
        v, *rest = problem(kind, rng)
        v = [float(number) for number in v - 1e-9]
        factors = eves_factors(kind, rest[-1], rng)[: 5 if rest[-1] else 1]
        for i in rng.choice(8, classes, replace=False):
            numbers = edge(v, int(i), rest)
            if numbers is None:
                continue
            found += 1
            for number, is_accepted in zip(numbers, (True, False), strict=True):
                accepted, failing = check([*v[:i], number, *v[i + 1 :]], *rest, factors)
                assert accepted == is_accepted
            next_fails += failing
    print(f"{kind}: {found} edges, brute force finds the failure just above {next_fails} of them")
    assert next_fails >= least


@pytest.mark.parametrize("kind", ["dark", "lit"])
def test_exact_last_accepted_number_and_the_next(kind):
    check_edges(kind, 2, 3, 2)


def test_exact_brute_force_agrees_with_the_decimals_on_right_sides():
    """A row that only the single photons limit: at its edge both see the failure, or neither."""
    user = Settings(0.05, 0.25, 0.33, 0.28, 0.03, 0.65)
    t, e0 = 2.1e-4, 0.14236
    below = [-0.5] * len(CLASSES)
    below[1] = below[3] = below[5] = below[7] = -0.9
    assert obeys_all_rows(below, t, e0, user, user)
    exact = ((Fraction(1),) * 4,) * 2
    assert not fails(below, t, e0, user, user, *exact)
    high = list(below)
    high[0] = 0.999
    assert fails(high, t, e0, replace(user, p_x=0.3), user, *exact) == (
        not obeys_all_rows(high, t, e0, replace(user, p_x=0.3), user)
    )


def factor(**shifts):
    return tuple(1 + Fraction(shifts.get(name, 0)) for name in "oxyz")


def test_attack_box_in_which_x_passes_y_is_refused():
    user = Settings(0.2, 0.205, 0.33, 0.28, 0.03, 0.65)
    scaled = [0.01, -0.5, -0.1, -0.5, -0.1, -0.5, -0.1, -0.5, *[-0.01] * 5]
    crossed = factor(x=0.05, y=-0.05)
    assert fails(scaled, 2.1e-4, 0.14236, user, user, crossed, crossed)
    assert not obeys_all_rows(scaled, 2.1e-4, 0.14236, user, user, 0.05)


def test_attack_box_around_a_signal_of_one_photon_is_refused():
    user = Settings(0.05, 0.25, 1.0, 0.28, 0.03, 0.65)
    scaled = [-0.001, -0.126414, *[-0.001] * 11]
    inside = factor(x=-0.02)
    assert fails(scaled, 2.1e-4, 0.14236, user, user, inside, inside)
    assert not obeys_all_rows(scaled, 2.1e-4, 0.14236, user, user, 0.02)
