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
_NO_COUNT = 1e-100  # below it b/count could overflow
_LOG_SERIES_BELOW = 0.3  # of |s| = sqrt(2 beta): the terms left out are below 1e-12
_DEVIATION_SERIES_BELOW = 0.15
_STEPS = 60
_LAST_STEP = 1e-6  # Halley cubes the error: after it the root is good to the last digits


@kernel
def _halley(value: float, slope: float, bend: float) -> float:
    """A step of Halley's method for a function of this value, slope and second derivative, at most two of Newton's."""
    newton = value / slope
    return newton / max(1.0 - 0.5 * newton * bend / slope, 0.5)


@kernel
def _log_ratio(beta: float, upper: bool) -> float:
    """The root t of e^t - 1 - t = beta with t >= 0 (upper) or t <= 0.

    The power series in s = +-sqrt(2 beta) follows from (e^t - 1) dt/ds = s; where it is short of digits, Halley's
    method goes on.
    """
    s = sqrt(2.0 * beta) if upper else -sqrt(2.0 * beta)
    if abs(s) < 1.0:
        c = s * (-139 / 5443200 + s * (1 / 204120 + s * (-571 / 2351462400 - s * (281 / 1515591000))))
        t = s * (1.0 + s * (-1 / 6 + s * (1 / 36 + s * (-1 / 270 + s * (1 / 4320 + s * (1 / 17010 + c))))))
        if abs(s) < _LOG_SERIES_BELOW:
            return t
    else:
        t = log1p(beta + log1p(beta + s)) if upper else expm1(-1.0 - beta) - beta  # both from e^t = 1 + beta + t
    for _ in range(_STEPS):
        slope = expm1(t)
        step = _halley(slope - t - beta, slope, 1.0 + slope)
        t -= step
        if abs(step) <= _LAST_STEP * abs(t):
            break
    return t


@kernel
def _relative_deviation(beta: float, upper: bool) -> float:
    """The root w of (1+w) ln(1+w) - w = beta with w >= 0 (upper) or -1 <= w <= 0.

    As `_log_ratio`, with the series that follows from ln(1+w) dw/ds = s.
    """
    s = sqrt(2.0 * beta) if upper else -sqrt(2.0 * beta)
    w = s
    if abs(s) < 1.0:
        c = s * (-11237 / 43545600 + s * (13 / 102060 - s * (2482411 / 37623398400)))
        w = s * (1.0 + s * (1 / 6 + s * (-1 / 72 + s * (1 / 270 + s * (-23 / 17280 + s * (19 / 34020 + c))))))
        if abs(s) < _DEVIATION_SERIES_BELOW:
            return w
    w = max(w, -0.999999)
    for _ in range(_STEPS):
        slope = log1p(w)
        step = _halley((1.0 + w) * slope - w - beta, slope, 1.0 / (1.0 + w))
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
    return observed * (1.0 + _log_ratio(b / observed, True)) + b  # e^t = 1 + t + beta


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


@kernel
def observation_slope(expected: float, observed: float, b: float, tail: int) -> float:
    """Derivative by `expected` of the bound `observed` on it, lower or upper, neither of them 0."""
    deviation = observed - expected
    if deviation == 0.0:
        return 1.0
    if tail == EXACT:
        return deviation * observed / (expected * (b + deviation))
    if deviation < 0.0:
        return 1.0 + 0.5 * deviation / expected
    return 1.0 + 2.0 * b / (2.0 * deviation - b)
