r"""The dip that an experiment scans: coincidences against delay, with their counting statistics, and its fit.

.. math:: \lambda(\tau) = n\,[1 - V e^{-(\tau-\tau_0)^2/4\sigma^2}]

The dip of two equal pulses without chirp has the width of their intensity times the root of two, so the fit gives the
optical width and knows nothing of the detectors' jitter.
"""

from dataclasses import dataclass, field, replace
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.interference.arrays import Floats, check_all, check_fits_period
from combmesh.link.interference.overlap import Wave, overlap_terms
from combmesh.link.interference.visibility import coincidence, single

Counts = NDArray[np.int64]

_MOST_STEPS = 200
_FEWEST_COUNTS = 25
_DONE = 1e-9


@dataclass(frozen=True)
class Scan:
    """A scan of the delay.

    Attributes:
        delays_ps: `(delay,)` delays of the second user, ps.
        integration_s: time at each delay, s.
        clock_hz: pulse rate, Hz.
        dark_count_probability: of each detector in a gate, 0 to 1.
    """

    delays_ps: Floats = field(default_factory=lambda: np.linspace(-160.0, 160.0, 33))
    integration_s: float = 1.0
    clock_hz: float = 2.5e9
    dark_count_probability: float = 0.0

    def __post_init__(self) -> None:
        check_all("delays_ps", self.delays_ps)
        check_positive("integration_s", self.integration_s)
        check_positive("clock_hz", self.clock_hz)
        check_range("dark_count_probability", self.dark_count_probability, 0.0, 1.0)
        if self.integration_s * self.clock_hz > 2.0**62:
            raise InputError(f"`integration_s` must keep the pulses countable, but is {self.integration_s:g}.")


@dataclass(frozen=True)
class Dip:
    """What a scan counted, `(delay,)` each.

    Attributes:
        delays_ps: delays, ps.
        coincidences: clicks of both detectors.
        singles: `(detector, delay)` all clicks of each.
        pulses: pulses sent at each delay.
    """

    delays_ps: Floats
    coincidences: Counts
    singles: Counts
    pulses: int


def dip_curve(a: Wave, b: Wave, scan: Scan) -> tuple[Floats, Floats]:
    """`(delay,)` probabilities of a coincidence, and of a click of one given detector."""
    check_fits_period("fwhm_ps", np.maximum(a.fwhm_ps, b.fwhm_ps), 1e12 / scan.clock_hz)
    later = replace(b, delay_ps=b.delay_ps + scan.delays_ps)
    M = overlap_terms(a, later).overlap
    both = coincidence(a.photons, b.photons, M, scan.dark_count_probability)
    return both, single(a.photons, b.photons, M, scan.dark_count_probability)


def scan_dip(a: Wave, b: Wave, scan: Scan, rng: np.random.Generator) -> Dip:
    """A scan's counts: each pulse gives no click, one of the first detector, one of the second, or both."""
    both, one = dip_curve(a, b, scan)
    pulses = round(scan.integration_s * scan.clock_hz)
    lone = one - both
    shares = np.stack([both, lone, lone, 1.0 - both - 2.0 * lone], axis=-1)
    counts = rng.multinomial(pulses, shares).T
    return Dip(scan.delays_ps, counts[0], np.stack([counts[0] + counts[1], counts[0] + counts[2]]), pulses)


@dataclass(frozen=True)
class DipFit:
    """A fitted dip; each with its standard deviation, 0 where the value was given.

    Attributes:
        visibility, visibility_std: V.
        level, level_std: coincidences beside the dip, n.
        centre_ps, centre_std_ps: delay of the minimum, ps.
        fwhm_ps, fwhm_std_ps: optical width of the pulses that make such a dip, ps.
        deviance: twice the log likelihood that the fit lacks; chi-squared with `freedom` degrees of freedom where
            counts are many.
        freedom: points less fitted values.
    """

    visibility: float
    visibility_std: float
    level: float
    level_std: float
    centre_ps: float
    centre_std_ps: float
    fwhm_ps: float
    fwhm_std_ps: float
    deviance: float
    freedom: int

    @property
    def p_value(self) -> float:
        """Probability of a deviance at least as large, were the fit the truth."""
        from scipy.stats import chi2

        return float(chi2.sf(self.deviance, self.freedom)) if self.freedom else nan


def fit_dip(
    delays_ps: Floats, coincidences: Counts, fwhm_ps: float | None = None, centre_ps: float | None = None
) -> DipFit:
    """The likeliest dip of Poissonian counts, by Fisher scoring; errors from the information at its end.

    Args:
        delays_ps: `(delay,)` delays, ps.
        coincidences: `(delay,)` counts of equal times.
        fwhm_ps: optical width where it is known; None fits it.
        centre_ps: delay of the minimum where it is known; None fits it.

    Raises:
        InputError: if there are too few points or counts, or if they do not show a dip whose width or centre could be
            fitted.
    """
    tau, k = np.asarray(delays_ps, np.float64), np.asarray(coincidences, np.float64)
    free = np.array([True, True, centre_ps is None, fwhm_ps is None])
    _check_counts(tau, k, int(free.sum()))
    if fwhm_ps is not None:
        check_positive("fwhm_ps", fwhm_ps)
    x = _first_guess(tau, k, fwhm_ps, centre_ps)
    damping, best = 1e-3, _deviance(tau, k, x)
    for _ in range(_MOST_STEPS):
        score, information = _slope(tau, k, x)
        step = np.zeros(4)
        inner = information[np.ix_(free, free)]
        scale = np.sqrt(np.maximum(np.diag(inner), 1e-300))
        correlation = inner / np.outer(scale, scale) + damping * np.eye(scale.size)
        step[free] = np.linalg.solve(correlation, score[free] / scale) / scale
        trial = _deviance(tau, k, x + step)
        if trial <= best:
            gained, x, best, damping = best - trial, x + step, trial, max(0.1 * damping, 1e-12)
            if gained < _DONE:
                break
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    return _fitted(tau, k, x, free, best)


def _check_counts(tau: Floats, k: Floats, parameters: int) -> None:
    if tau.ndim != 1 or tau.shape != k.shape:
        raise InputError(f"`delays_ps` and `coincidences` must have one shape, but have {tau.shape} and {k.shape}.")
    if tau.size < parameters:
        raise InputError(f"`delays_ps` must have at least {parameters} values for the fit, but has {tau.size}.")
    check_all("delays_ps", tau)
    check_all("coincidences", k, 0.0)
    if k.sum() < _FEWEST_COUNTS:
        raise InputError(f"`coincidences` must have at least {_FEWEST_COUNTS} counts, but has {k.sum():g}.")


def _first_guess(tau: Floats, k: Floats, fwhm_ps: float | None, centre_ps: float | None) -> Floats:
    """(n, V, tau_0, sigma): the best of a grid of centres and widths, each with its linear least squares."""
    span = float(np.ptp(tau)) or 1.0
    centres = np.array([centre_ps]) if centre_ps is not None else np.unique(tau)
    widths = span * np.geomspace(0.01, 0.3, 12) if fwhm_ps is None else np.array([fwhm_ps / FWHM_PER_SIGMA])
    best, guess = inf, np.array([k.mean(), 0.0, centres[0], widths[0]])
    for centre in centres:
        for sigma in widths:
            g = np.exp(-((tau - centre) ** 2) / (4.0 * sigma**2))
            (n, depth), *_ = np.linalg.lstsq(np.stack([np.ones_like(g), -g], axis=1), k, rcond=None)
            x = np.array([n, depth / n if n > 0.0 else 0.0, centre, sigma])
            if (deviance := _deviance(tau, k, x)) < best:
                best, guess = deviance, x
    return guess


def _rate(tau: Floats, x: Floats) -> tuple[Floats, Floats]:
    """(lambda, g)."""
    n, V, tau_0, sigma = x
    g = np.exp(-((tau - tau_0) ** 2) / (4.0 * sigma**2))
    return np.asarray(n * (1.0 - V * g)), np.asarray(g)


def _deviance(tau: Floats, k: Floats, x: Floats) -> float:
    """2 sum [lambda - k + k ln(k/lambda)]; infinite where a rate is not above 0."""
    if x[3] <= 0.0:
        return inf
    rate, _ = _rate(tau, x)
    if rate.min() <= 0.0:
        return inf
    seen = k > 0.0
    return float(2.0 * (np.sum(rate - k) + np.sum(k[seen] * np.log(k[seen] / rate[seen]))))


def _slope(tau: Floats, k: Floats, x: Floats) -> tuple[Floats, Floats]:
    """(score, Fisher information) of (n, V, tau_0, sigma)."""
    n, V, tau_0, sigma = x
    rate, g = _rate(tau, x)
    past = tau - tau_0
    columns = [1.0 - V * g, -n * g, -n * V * g * past / (2.0 * sigma**2), -n * V * g * past**2 / (2.0 * sigma**3)]
    J = np.stack(columns, axis=1)
    return J.T @ (k / rate - 1.0), J.T @ (J / rate[:, None])


def _fitted(tau: Floats, k: Floats, x: Floats, free: NDArray[np.bool_], deviance: float) -> DipFit:
    _, information = _slope(tau, k, x)
    inner = information[np.ix_(free, free)]
    scale = np.sqrt(np.diag(inner))
    std = np.zeros(4)
    if scale.min() > 0.0 and np.linalg.cond(inner / np.outer(scale, scale)) < 1e10:
        std[free] = np.sqrt(np.diag(np.linalg.inv(inner / np.outer(scale, scale)))) / scale
    if not std[0] > 0.0 or max(std[2], std[3]) > np.ptp(tau):
        raise InputError(
            "`coincidences` must show a dip whose place and width can be fitted, but do not: "
            "give `fwhm_ps` and `centre_ps`."
        )
    return DipFit(
        visibility=float(x[1]),
        visibility_std=float(std[1]),
        level=float(x[0]),
        level_std=float(std[0]),
        centre_ps=float(x[2]),
        centre_std_ps=float(std[2]),
        fwhm_ps=float(x[3] * FWHM_PER_SIGMA),
        fwhm_std_ps=float(std[3] * FWHM_PER_SIGMA),
        deviance=deviance,
        freedom=int(tau.size - free.sum()),
    )


def visibility_std(scan: Scan, a: Wave, b: Wave, fwhm_ps: float | None = None) -> float:
    """Standard deviation of a fit's visibility that a scan will have, from the information of its expected counts."""
    both, _ = dip_curve(a, b, scan)
    return fit_dip(scan.delays_ps, np.asarray(both * scan.integration_s * scan.clock_hz), fwhm_ps).visibility_std


def integration_for(scan: Scan, a: Wave, b: Wave, std: float) -> float:
    """Time at each delay in which a fit reaches `std` of visibility, s."""
    check_positive("std", std)
    return scan.integration_s * (visibility_std(scan, a, b) / std) ** 2
