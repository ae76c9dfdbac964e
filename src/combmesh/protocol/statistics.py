r"""One-sided tail bounds on counts, each failing with probability at most :math:`e^{-b}`.

*Exact* Chernoff tails solve their transcendental equation; the *simple* form is a closed bound on it (Jiang 2021).
An expectation E from an observation X: :math:`X - E - X\ln(X/E) = -b`; an observation O from an expectation Y:
:math:`O - Y - O\ln(O/Y) = -b`. In each the lower and the upper root are the two bounds.
"""

from math import exp, expm1, log1p, sqrt

from combmesh.ground.kernels import kernel

EXACT = 0
SIMPLE = 1
TAILS = {"exact": EXACT, "simple": SIMPLE}
_SERIES_BELOW = 1e-2
_NO_COUNT = 1e-100  # below it b/count could overflow
_STEPS = 60
_LAST_STEP = 1e-9  # Newton squares the error: after it the root is good to the last digits


@kernel
def _log_ratio(beta: float, upper: bool) -> float:
    """The root t of e^t - 1 - t = beta with t >= 0 (upper) or t <= 0, by Newton's method on a convex function."""
    t = min(sqrt(2.0 * beta), 1.0 + log1p(2.0 * beta)) if upper else -sqrt(2.0 * beta)  # e^t must not overflow
    for _ in range(_STEPS):
        if abs(t) < _SERIES_BELOW:
            value = t * t * (0.5 + t * (1 / 6 + t * (1 / 24 + t * (1 / 120 + t / 720))))
        else:
            value = expm1(t) - t
        slope = expm1(t)
        if slope == 0.0:
            break
        step = (value - beta) / slope
        t -= step
        if abs(step) <= _LAST_STEP * abs(t):
            break
    return t


@kernel
def _relative_deviation(beta: float, upper: bool) -> float:
    """The root w of (1+w) ln(1+w) - w = beta with w >= 0 (upper) or -1 <= w <= 0."""
    w = sqrt(2.0 * beta) if upper else -min(sqrt(2.0 * beta), 0.999999)
    for _ in range(_STEPS):
        slope = log1p(w)
        if abs(w) < _SERIES_BELOW:
            value = w * w * (0.5 - w * (1 / 6 - w * (1 / 12 - w * (1 / 20 - w / 30))))
        else:
            value = (1.0 + w) * slope - w
        if slope == 0.0:
            break
        step = (value - beta) / slope
        w = max(w - step, -1.0 + 1e-15)
        if abs(step) <= _LAST_STEP * abs(w):
            break
    return w


@kernel
def expectation_lower(observed: float, b: float, tail: int) -> float:
    """E^L: lower bound on the expectation behind an observed count."""
    if observed <= _NO_COUNT:
        return 0.0
    if tail == SIMPLE:
        return max(observed - 0.5 * (b + sqrt(8.0 * b * observed + b * b)), 0.0)
    return observed * exp(_log_ratio(b / observed, False))


@kernel
def expectation_upper(observed: float, b: float, tail: int) -> float:
    """E^U: upper bound on the expectation behind an observed count."""
    if tail == SIMPLE:
        return observed + b + sqrt(2.0 * b * observed + b * b)
    if observed <= _NO_COUNT:
        return b
    return observed * exp(_log_ratio(b / observed, True))


@kernel
def observation_lower(expected: float, b: float, tail: int) -> float:
    """O^L: lower bound on what is observed of an expected count."""
    if expected <= b:
        return 0.0
    if tail == SIMPLE:
        return max(expected - sqrt(2.0 * b * expected), 0.0)
    return expected * (1.0 + _relative_deviation(b / expected, False))


@kernel
def observation_upper(expected: float, b: float, tail: int) -> float:
    """O^U: upper bound on what is observed of an expected count."""
    if expected <= 0.0:
        return 0.0
    if tail == SIMPLE:
        return expected + 0.5 * (b + sqrt(8.0 * b * expected + b * b))
    expected = max(expected, _NO_COUNT)
    return expected * (1.0 + _relative_deviation(b / expected, True))
