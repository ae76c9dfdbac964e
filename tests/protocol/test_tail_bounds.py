"""One-sided tail bounds: each root solves its equation, whatever the count."""

from math import expm1, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from combmesh.protocol.mdi.bounds import joint_lower, joint_upper
from combmesh.protocol.statistics import (
    EXACT,
    SIMPLE,
    expectation_lower,
    expectation_upper,
    observation_lower,
    observation_upper,
)

counts = st.floats(1e-6, 1e13)
exponents = st.floats(1.0, 60.0)
BOUNDS = (expectation_lower, expectation_upper, observation_lower, observation_upper)
quiet = settings(deadline=None, derandomize=True, max_examples=300)


@quiet
@given(counts, exponents)
def test_exact_expectations_solve_their_equation(x, b):
    """X - E - X ln(X/E) = -b, written with t = ln(E/X) as X (e^t - 1 - t) = b: nothing large cancels.

    Below, E^L of a count far smaller than b is 0 to the last digit.
    """
    for bound, sign in ((expectation_lower, -1), (expectation_upper, 1)):
        e = bound(x, b, EXACT)
        if e < 1e-290:
            assert sign < 0
            assert b > 100 * x
            continue
        t = log1p((e - x) / x) if abs(e - x) < 0.5 * x else np.log(e / x)
        assert np.sign(t) == sign
        assert x * (expm1(t) - t) == pytest.approx(b, rel=1e-6)


@quiet
@given(counts, exponents)
def test_exact_observations_solve_their_equation(y, b):
    """O - Y - O ln(O/Y) = -b, written with w = O/Y - 1 as Y [(1+w) ln(1+w) - w] = b."""
    high = observation_upper(y, b, EXACT) / y - 1
    assert high > 0
    assert y * ((1 + high) * log1p(high) - high) == pytest.approx(b, rel=1e-6)
    low = observation_lower(y, b, EXACT) / y - 1
    if y > 1.001 * b:
        assert -1 < low < 0
        assert y * ((1 + low) * log1p(low) - low) == pytest.approx(b, rel=1e-6)


@quiet
@given(counts, exponents)
def test_exact_simple_form_is_never_tighter(count, b):
    for bound in (expectation_lower, observation_lower):
        assert bound(count, b, SIMPLE) <= bound(count, b, EXACT) * (1 + 1e-12)
    for bound in (expectation_upper, observation_upper):
        assert bound(count, b, SIMPLE) >= bound(count, b, EXACT) * (1 - 1e-12)


@quiet
@given(counts, st.floats(1.000001, 10.0), exponents)
def test_exact_bounds_grow_with_the_count(count, ratio, b):
    for bound in BOUNDS:
        for tail in (EXACT, SIMPLE):
            assert bound(count, b, tail) <= bound(count * ratio, b, tail) * (1 + 1e-12)


@quiet
@given(counts, exponents, st.floats(1.0001, 2.0))
def test_exact_bounds_widen_with_the_confidence(count, b, more):
    for tail in (EXACT, SIMPLE):
        for bound, sign in zip(BOUNDS, (-1, 1, -1, 1), strict=True):
            assert sign * (bound(count, more * b, tail) - bound(count, b, tail)) >= -1e-12 * bound(count, b, tail)


def test_limit_few_expected_counts_may_be_none():
    """Seeing nothing of an expectation Y has probability e^-Y, at least eps when Y <= b: only 0 is a lower bound.

    The exact root reaches 0 at Y = b, the simple form Y - sqrt(2 b Y) at 2 b already.
    """
    b = np.log(1e10)
    for tail in (EXACT, SIMPLE):
        assert observation_lower(b, b, tail) == observation_lower(0.5 * b, b, tail) == 0.0
    assert 0 < observation_lower(1.01 * b, b, EXACT) < 0.01 * b
    assert observation_lower(1.99 * b, b, SIMPLE) == 0.0
    assert observation_lower(2.01 * b, b, SIMPLE) > 0.0


def test_limit_no_counts():
    """Nothing seen: the expectation is at most b (exact, e^-E = eps) or 2 b (simple)."""
    b = np.log(1e10)
    assert expectation_lower(0.0, b, EXACT) == expectation_lower(0.0, b, SIMPLE) == 0.0
    assert expectation_upper(0.0, b, EXACT) == b
    assert expectation_upper(1e-9, b, EXACT) == pytest.approx(b, rel=1e-6)
    assert expectation_upper(0.0, b, SIMPLE) == pytest.approx(2 * b, rel=1e-12)


@pytest.mark.parametrize("count", [5e-324, 1e-308, 1e-101, 1e-99, 1e-30])
def test_limit_counts_too_small_to_divide_by(count):
    """An expected count can be any number: no bound may become NaN or leave its side."""
    b = np.log(1e10)
    for tail in (EXACT, SIMPLE):
        assert expectation_lower(count, b, tail) <= count
        assert observation_lower(count, b, tail) == 0.0
        assert b <= expectation_upper(count, b, tail) * (1 + 1e-12) <= 2.01 * b
        assert count < observation_upper(count, b, tail) < 2 * b


def test_limit_no_fluctuation():
    for tail in (EXACT, SIMPLE):
        for bound in BOUNDS:
            assert bound(123.0, 0.0, tail) == pytest.approx(123.0, rel=1e-12)


def test_limit_many_counts_are_gaussian():
    """sqrt(2 b) standard deviations, to the order 1/sqrt(X)."""
    b, x = 23.0, 1e12
    for bound, sign in zip(BOUNDS, (-1, 1, -1, 1), strict=True):
        assert (bound(x, b, EXACT) - x) / np.sqrt(2 * b * x) == pytest.approx(sign, abs=1e-5)


@pytest.mark.parametrize("mean", [0.5, 30.0, 1e5])
def test_exact_simple_tails_hold_for_poisson_counts(mean):
    """The exact Poisson probability of a violation, summed over all counts, is at most eps."""
    eps = 1e-4
    b = -np.log(eps)
    seen = np.arange(0, int(mean + 12 * np.sqrt(mean)) + 60)
    chances = poisson.pmf(seen, mean)
    assert chances[[expectation_lower(float(n), b, SIMPLE) > mean for n in seen]].sum() <= eps
    assert chances[[expectation_upper(float(n), b, SIMPLE) < mean for n in seen]].sum() <= eps
    assert chances[seen < observation_lower(mean, b, SIMPLE)].sum() <= eps
    assert chances[seen > observation_upper(mean, b, SIMPLE)].sum() <= eps


# ---- joint constraints ----

weights_and_counts = st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(0.0, 1e9)), min_size=2, max_size=3)


@quiet
@given(weights_and_counts, exponents)
def test_exact_joint_bounds_are_no_looser_than_separate_ones(terms, b):
    """E^L is superadditive and E^U subadditive: together counts fluctuate less."""
    weights, seen = (np.array(column) for column in zip(*terms, strict=True))
    total = float(weights @ seen)
    for tail in (EXACT, SIMPLE):
        low, high = joint_lower(weights, seen, b, tail), joint_upper(weights, seen, b, tail)
        assert low <= total * (1 + 1e-12)
        assert high >= total * (1 - 1e-12)
        apart = sum(w * expectation_lower(n, b, tail) for w, n in terms)
        assert low >= apart * (1 - 1e-9)
        apart = sum(w * expectation_upper(n, b, tail) for w, n in terms)
        assert high <= apart * (1 + 1e-9)


def test_exact_joint_bound_written_out():
    """c1 E(n1+n2+n3) + (c2-c1) E(n2+n3) + (c3-c2) E(n3), c ascending (notes), given in another order."""
    b = 10.0
    low = joint_lower(np.array([5.0, 1.0, 2.0]), np.array([300.0, 100.0, 200.0]), b, EXACT)
    parts = [expectation_lower(n, b, EXACT) for n in (600.0, 500.0, 300.0)]
    assert low == pytest.approx(1.0 * parts[0] + 1.0 * parts[1] + 3.0 * parts[2], rel=1e-12)


def test_exact_joint_bounds_hold_for_poisson_counts():
    """4000 drawn triples with three bounds at 5 % each: at most 15 % fail; false alarm rate below 1e-6."""
    rng = np.random.default_rng(17)
    weights, means, b = np.array([3.0, 1.0, 0.4]), np.array([40.0, 90.0, 500.0]), -np.log(0.05)
    truth, most = float(weights @ means), binom.isf(1e-7, 4000, 0.15)
    drawn = rng.poisson(means, size=(4000, 3)).astype(float)
    assert sum(joint_lower(weights, seen, b, EXACT) > truth for seen in drawn) < most
    assert sum(joint_upper(weights, seen, b, EXACT) < truth for seen in drawn) < most
