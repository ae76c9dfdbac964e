r"""Arrival-time control: the centroid of a user's clicks in the period, and a delay that holds it.

The centroid is the phase of :math:`\sum e^{2\pi i t/T}`, which a flat background does not pull towards the gate's
centre as it pulls a mean. With light of width :math:`\sigma` in the share :math:`\lambda` of n clicks, and
:math:`\rho_k = \lambda e^{-2(\pi k\sigma/T)^2}`, its standard deviation is

.. math:: \frac{T}{2\pi}\sqrt{\frac{1-\rho_2}{2 n\rho_1^2}} \approx \frac{\sigma}{\sqrt n}

(own derivation, first order in 1/n). The controller is `combmesh.ground.control.Regulator`: an integral loop of gain g
(the share of an error that one period takes back) leaves :math:`\sqrt{g/(2-g)}` of the noise of its measurements.
Clicks say when they came, not what they were: only pulses whose other user sent nothing are used, and they can be those
that are disclosed for the polarization.
"""

from dataclasses import dataclass
from math import ceil, exp, nan, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground import control
from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.control import Regulator
from combmesh.ground.errors import check_positive, check_range
from combmesh.link import drift
from combmesh.link.fibre import FibreArm
from combmesh.link.interference.arrays import check_fits_period

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clicks:
    """What the clicks of one arm look like.

    Attributes:
        fwhm_ps: width of the clicks of a pulse, the detector's jitter and dispersion included, ps.
        period_ps: time from pulse to pulse, ps.
        counts: mean clicks for each centroid.
        light_share: share of them that is light; the rest comes at any time.
    """

    fwhm_ps: float = 114.0
    period_ps: float = 400.0
    counts: float = 400.0
    light_share: float = 1.0

    def __post_init__(self) -> None:
        check_positive("fwhm_ps", self.fwhm_ps)
        check_positive("period_ps", self.period_ps)
        check_fits_period("fwhm_ps", self.fwhm_ps, self.period_ps)
        check_range("counts", self.counts, 2.0, 1e9)
        check_range("light_share", self.light_share, 0.0, 1.0)
        check_positive("light_share", self.light_share)

    @property
    def sigma_ps(self) -> float:
        """Standard deviation of the light's clicks, ps."""
        return self.fwhm_ps / FWHM_PER_SIGMA

    @property
    def centroid_std_ps(self) -> float:
        """Standard deviation of a centroid, ps.

        >>> round(Clicks(fwhm_ps=95.0).centroid_std_ps, 1)
        2.0
        """
        return centroid_std_ps(self.sigma_ps, self.period_ps, self.counts, self.light_share)


def centroid_std_ps(sigma_ps: float, period_ps: float, counts: float, light_share: float = 1.0) -> float:
    """Standard deviation of the centroid of `counts` clicks, ps."""
    x = (2.0 * pi * sigma_ps / period_ps) ** 2
    rho_1, rho_2 = light_share * exp(-0.5 * x), light_share * exp(-2.0 * x)
    return period_ps / (2.0 * pi) * sqrt((1.0 - rho_2) / (2.0 * counts * rho_1**2))  # the module's equation


def counts_for(std_ps: float, clicks: Clicks) -> int:
    """Clicks after which a centroid has this standard deviation.

    >>> counts_for(2.0, Clicks(fwhm_ps=95.0))
    418
    """
    check_positive("std_ps", std_ps)
    return ceil(clicks.counts * (clicks.centroid_std_ps / std_ps) ** 2)


def centroid_ps(time_ps: NDArray[np.floating[Any]] | NDArray[np.int64], period_ps: float) -> float:
    """Where in the period clicks `(click,)` come, from minus to plus half of it, ps; NaN without clicks."""
    check_positive("period_ps", period_ps)
    times = np.asarray(time_ps)
    if times.size == 0:
        return nan
    vector = np.sum(np.exp(2j * pi * np.mod(times, period_ps) / period_ps))
    return float(period_ps * np.angle(vector) / (2.0 * pi)) if abs(vector) > 0.0 else nan


def arrival_regulator(
    gain: float = 0.4, period_s: float = 1.0, reach_ps: float = 2e4, window_ps: float = 50.0
) -> Regulator:
    """An integral controller of the delay, in ps of centroid and ps of delay.

    Args:
        gain: share of an error that one period takes back.
        period_s: time of one measurement, s.
        reach_ps: how far the delay can be moved to either side, ps.
        window_ps: a larger error is no held arrival; beyond half a pulse period errors fold.
    """
    check_range("gain", gain, 1e-6, 1.0)
    check_positive("period_s", period_s)
    check_positive("reach_ps", reach_ps)
    return Regulator(0.0, gain / period_s, -reach_ps, reach_ps, window_ps, 10.0 * period_s, 5.0 * period_s)


def noise_share(gain: float) -> float:
    r"""Part of a measurement's noise that an integral loop hands on: :math:`\sqrt{g/(2-g)}` (first-order loop)."""
    check_range("gain", gain, 0.0, 1.0)
    return sqrt(gain / (2.0 - gain))


class ArrivalBench:
    """The model of an arm: a drifting delay, a delay that is set, and clicks. An `Instrument` of `ground.control`.

    Attributes:
        delay_ps: of the fibre; whoever moves it sets it.
        setting_ps: of the compensating delay.
    """

    def __init__(self, clicks: Clicks, rng: np.random.Generator) -> None:
        self.delay_ps, self.setting_ps = 0.0, 0.0
        self._clicks, self._rng = clicks, rng

    @property
    def arrival_ps(self) -> float:
        """Where pulses truly arrive, ps from where they should."""
        return self.delay_ps + self.setting_ps

    def measure(self) -> float:
        clicks, rng = self._clicks, self._rng
        light, other = rng.poisson([clicks.counts * clicks.light_share, clicks.counts * (1.0 - clicks.light_share)])
        times = np.concatenate(
            [rng.normal(self.arrival_ps, clicks.sigma_ps, light), rng.uniform(0.0, clicks.period_ps, other)]
        )
        return centroid_ps(times, clicks.period_ps)

    def actuate(self, setting: float) -> None:
        self.setting_ps = setting


def arrival_error_ps(measured_ps: float) -> float:
    """What the regulator takes for a centroid: wanted, 0, less measured."""
    return -measured_ps


class ArrivalTrace(NamedTuple):
    """An arm's arrival, one value a period, `(period,)`."""

    time_s: Floats
    arrival_ps: Floats  # with compensation
    delay_ps: Floats  # without
    locked: NDArray[np.bool_]
    counts: float  # clicks used in all

    @property
    def rms_ps(self) -> float:
        """Of the compensated arrival, ps."""
        return float(np.sqrt(np.mean(self.arrival_ps**2)))

    @property
    def uncompensated_rms_ps(self) -> float:
        """Of the delay alone, about its mean, ps."""
        return float(np.std(self.delay_ps))


def follow(
    arm: FibreArm,
    clicks: Clicks,
    seconds: float,
    rng: np.random.Generator,
    period_s: float = 1.0,
    gain: float = 0.4,
    settle_periods: int = 50,
) -> ArrivalTrace:
    """Hold an arm's arrival for a while. It begins found: the delay and its whole periods are taken as known."""
    check_positive("seconds", seconds)
    check_range("period_s", period_s, 1e-6, seconds)
    regulator = arrival_regulator(gain, period_s)
    fibre, bench = drift.init(arm, rng), ArrivalBench(clicks, rng)
    state = control.init(regulator)
    begin_ps = arm.delay_ps_k * float(fibre.fibre_k)
    periods = round(seconds / period_s)
    rows = []
    for period in range(-settle_periods, periods):
        fibre, now = drift.step(arm, fibre, period_s, rng)
        bench.delay_ps = float(now.delay_ps) - begin_ps
        before = bench.arrival_ps
        state, reading = control.drive(regulator, state, bench, arrival_error_ps, period_s)
        if period >= 0:
            rows.append((before, float(now.delay_ps), reading.status == "locked"))
    arrival, delay, locked = (np.array(column) for column in zip(*rows, strict=True))
    time_s = period_s * np.arange(1, periods + 1, dtype=np.float64)
    return ArrivalTrace(time_s, arrival, delay, locked, clicks.counts * periods)
