r"""The clock of pulsed light, found from nothing but the clicks.

1. *Acquisition.* The rate near the nominal one that maximises :math:`\sum_c |S_c|^2/M_c`,
   :math:`S_c = \sum_i e^{2\pi i f t_i}` over the :math:`M_c` clicks of channel c, in spans four times longer each time
   until chance cannot give what is found: without a clock the sum over C channels exceeds z with probability
   :math:`\Gamma(C, z)/\Gamma(C)` at each rate.
2. *Tracking.* A Kalman filter of phase and rate goes through the clicks in pieces: the phase of each piece is measured
   against what is predicted, and a cycle slip is excluded while the prediction's seven standard deviations lie within
   half a pulse. The rate's random walk is bounded by `wander`; a linear drift that stays within it costs nothing.
3. *Smoothing.* With drift and wander estimated from all pieces, the smoothed phase and rate at each piece are the knots
   of a cubic, which is the best interpolation of an integrated random walk.

Phase counts pulses: a pulse is sent where it is a whole number.
"""

from dataclasses import dataclass, replace
from math import ceil, exp, log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.timetags.clock_kernels import Floats, Times, kalman, place_clicks, track
from combmesh.link.timetags.tags import TimeTags

FALSE_ALARM = 1e-9
FEWEST_CLICKS = 100
FIRST_CLICKS = 2000
STRENGTH = 64.0  # clicks times contrast squared of a piece: its phase is good to 1/70 of a pulse
MOST_PIECES = 20_000
MOST_STEPS = 2**20  # of the time in which a rate is acquired
STILL = 0.02  # pulses that the wander may move a piece longer than it need be
WANDER = 1e-8
FINEST_WANDER = 1e-13


@dataclass(frozen=True)
class SteadyClock:
    """A clock that is known: pulse n is sent at `offset_ps + n * period_ps`.

    >>> clock = SteadyClock(400.0, 10.0)
    >>> clock.pulse_of(np.array([805, 1215]))
    (array([2, 3]), array([-5.,  5.]))
    """

    period_ps: float
    offset_ps: float = 0.0

    def __post_init__(self) -> None:
        check_positive("period_ps", self.period_ps)

    def pulse_of(self, time_ps: Times, channel: NDArray[np.uint8] | None = None) -> tuple[Times, Floats]:
        """(pulse, residual_ps), `(event,)` each; every channel alike."""
        past = np.asarray(time_ps) - self.offset_ps
        pulse = np.floor(past / self.period_ps + 0.5)
        return pulse.astype(np.int64), past - pulse * self.period_ps


@dataclass(frozen=True)
class RecoveredClock:
    """A clock found in clicks; pulse 0 is the one nearest to the first click.

    Attributes:
        period_ps: mean period over the record, ps.
        knot_ps: `(knot,)` times, ps.
        knot_pulse, knot_fraction: `(knot,)` phase there, whole pulses and the rest.
        knot_rate: `(knot,)` pulses per ps there.
        channels: `(channel,)` the channels it was found in.
        delay_ps: `(channel,)` delay behind the first channel, ps, modulo the period.
        contrast: `(channel,)` |mean of exp(2 pi i phase)| of each channel's clicks.
        residual_rms_ps: rms distance of all clicks from their pulse, ps; without light it is 0.289 of the period.
        jitter_ps: rms jitter of the light alone, taken as Gaussian over a uniform background, ps.
        light_share: share of the clicks that is light, by the same model.
        phase_error_ps: rms standard deviation of the smoothed phase, ps.
        wander: the rate's random walk that the clicks suggest, relative, per square root of a second.
        false_alarm: upper bound on the probability that clicks without a clock give one like it.
    """

    period_ps: float
    knot_ps: Times
    knot_pulse: Times
    knot_fraction: Floats
    knot_rate: Floats
    channels: NDArray[np.uint8]
    delay_ps: Floats
    contrast: Floats
    residual_rms_ps: float
    jitter_ps: float
    light_share: float
    phase_error_ps: float
    wander: float
    false_alarm: float

    def pulse_of(self, time_ps: Times, channel: NDArray[np.uint8] | None = None) -> tuple[Times, Floats]:
        """(pulse, residual_ps), `(event,)` each.

        Args:
            time_ps: `(event,)` times, ps; beyond the record the rate at its end goes on.
            channel: `(event,)` their channels, whose delays are taken off; None for times at the first channel.
        """
        times = np.asarray(time_ps, np.int64)
        shift = np.zeros(256)
        if channel is None:
            place = np.zeros(times.size, np.uint8)
        else:
            place = np.asarray(channel, np.uint8)
            if unknown := set(np.unique(place).tolist()) - set(self.channels.tolist()):
                raise InputError(f"The clock knows the channels {self.channels.tolist()}, but not {sorted(unknown)}.")
            shift[self.channels] = self.delay_ps
        return place_clicks(times, place, shift, self.knot_ps, self.knot_pulse, self.knot_fraction, self.knot_rate)


@dataclass(frozen=True)
class _Acquired:
    """What the first span shows: rate in pulses per ps and its standard deviation, phase of each channel, strength."""

    rate: float
    rate_error: float
    phases: Floats
    contrast_squared: float
    false_alarm: float


def recover_clock(
    tags: TimeTags,
    nominal_period_ps: float,
    *,
    max_offset_ppm: float = 100.0,
    wander: float = WANDER,
    false_alarm: float = FALSE_ALARM,
) -> RecoveredClock:
    """The clock of the light in all channels of a record, each with a constant delay of its own.

    Args:
        tags: the clicks.
        nominal_period_ps: the period that the light should have, ps.
        max_offset_ppm: farthest the true period may be from it, 1e-6.
        wander: most by which the rate may walk at random, relative, per square root of a second; slips are excluded
            under this bound.
        false_alarm: clicks without a clock are taken for one no more often.

    Raises:
        InputError: if no clock is seen, or where in the record a cycle slip cannot be excluded.
    """
    check_range("nominal_period_ps", nominal_period_ps, 2.0 * max(1.0, tags.resolution_ps))
    check_range("max_offset_ppm", max_offset_ppm, 0.0, 1e4)
    check_range("wander", wander, FINEST_WANDER, 1e-3)
    check_range("false_alarm", false_alarm, 1e-300, 0.5)
    if np.any(tags.time_ps[1:] < tags.time_ps[:-1]):
        raise InputError("`time_ps` must never fall, but does.")
    channels, inverse = np.unique(tags.channel, return_inverse=True)
    place: NDArray[np.uint8] = inverse.astype(np.uint8)
    found = _acquire(tags.time_ps, place, channels.size, nominal_period_ps, 1e-6 * max_offset_ppm, false_alarm)
    knots = _knots(tags.time_ps, place, found.phases, found, wander)
    phases = np.angle(_light(knots, tags.time_ps, place, channels.size)[0]) / (2.0 * pi)
    knots = _knots(tags.time_ps, place, phases, found, wander)  # now with phases from the whole record
    return _report(tags.time_ps, place, channels, knots, found.false_alarm)


def _acquire(
    time_ps: Times, place: NDArray[np.uint8], channels: int, T_0: float, offset: float, false_alarm: float
) -> _Acquired:
    """The rate in the shortest span, begun with the record, that shows one beyond chance."""
    from scipy.special import gammaincc

    if time_ps.size < FEWEST_CLICKS:
        raise InputError(f"A clock needs at least {FEWEST_CLICKS} clicks, but there are {time_ps.size}.")
    band = max(offset / T_0, 1.0 / float(time_ps[-1] - time_ps[0] + 1))
    width = 1.0 / (16.0 * band)  # the rate turns the phase by 1/16 of a pulse at most
    most = int(np.searchsorted(time_ps, time_ps[0] + min(MOST_STEPS * width, 2.0**62)))
    M, looks, tail, z, rates, last = 0, 0, 1.0, 0.0, 0, False
    while not last:
        M = min(max(4 * M, FIRST_CLICKS), most)
        last, looks = most == M, looks + 1
        L = float(time_ps[M - 1] - time_ps[0] + 1)
        sums = _slices(time_ps[:M], place[:M], channels, T_0, width)
        g, z, rates = _strongest(sums, np.bincount(place[:M], minlength=channels), width, band)
        tail = min(rates * float(gammaincc(channels, z)) * 2.0 * looks**2, 1.0)
        contrast_squared = max(z - channels, 1e-9) / M
        if tail <= false_alarm and (last or M * contrast_squared >= 4.0 * STRENGTH):
            error = 2.0 * sqrt(6.0 / (M * contrast_squared)) / (2.0 * pi * L)  # of a line in white phase noise, doubled
            phases = np.angle(_sums_at(sums, g, width)) / (2.0 * pi)
            return _Acquired(1.0 / T_0 + g, error, phases, contrast_squared, tail)
    raise InputError(
        f"No clock is seen within {1e6 * offset:g} ppm of `nominal_period_ps` = {T_0:g}: of {rates} rates the "
        f"strongest, in {M} clicks, "
        f"has a contrast of {sqrt(max(z - channels, 0.0) / max(M, 1)):.2g}; without a clock the probability of that "
        f"is up to {tail:.2g}."
    )


def _slices(
    time_ps: Times, place: NDArray[np.uint8], channels: int, T_0: float, width: float
) -> NDArray[np.complex128]:
    """`(channel, slice)` sums of exp(2 pi i t / T_0) over slices of time."""
    past = (time_ps - time_ps[0]).astype(np.float64)
    count = int(past[-1] / width) + 1
    where = place * np.int64(count) + (past / width).astype(np.int64)
    turns = 2.0 * pi * (past / T_0 % 1.0)
    return _sum_by(where, np.exp(1j * turns), channels * count).reshape(channels, count)


def _sum_by(where: NDArray[Any], wave: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    """`(count,)` sums of a complex wave, `(event,)`, by the place of each event."""
    return np.asarray(np.bincount(where, wave.real, count) + 1j * np.bincount(where, wave.imag, count))


def _strongest(
    sums: NDArray[np.complex128], clicks: NDArray[np.int64], width: float, band: float
) -> tuple[float, float, int]:
    """(g, z, rates): the rate beyond the nominal one with the highest power, that power, and how many were tried."""
    from scipy.fft import fftfreq, ifft, next_fast_len

    size = next_fast_len(2 * sums.shape[1])
    rates = fftfreq(size, width)
    power = np.zeros(size)
    for row, M_c in zip(sums, clicks, strict=True):
        if M_c:
            power += np.abs(ifft(row, size) * size) ** 2 / M_c
    power[np.abs(rates) > band] = 0.0
    g = float(rates[power.argmax()])

    def z(g: float) -> float:
        at = np.abs(_sums_at(sums, g, width)) ** 2
        return float(np.sum(at[clicks > 0] / clicks[clicks > 0]))

    for step in (0.5 / (size * width), 0.1 / (size * width)):
        low, middle, high = z(g - step), z(g), z(g + step)
        bend = 2.0 * middle - low - high
        if bend > 0.0:
            g += min(max(0.5 * (high - low) / bend, -2.0), 2.0) * step
    return g, max(float(power.max()), z(g)), 8 * int(np.count_nonzero(np.abs(rates) <= band))


def _sums_at(sums: NDArray[np.complex128], g: float, width: float) -> NDArray[np.complex128]:
    """`(channel,)` S_c at a rate g beyond the nominal one."""
    turn = np.exp(2j * pi * g * width * (np.arange(sums.shape[1]) + 0.5))
    return np.asarray(np.sum(sums * turn, axis=1))


@dataclass(frozen=True)
class _Knots:
    """Phase and rate, `(knot,)` each; their error in pulses, and the wander that fits best."""

    time_ps: Times
    pulse: Times
    fraction: Floats
    rate: Floats
    error: float
    wander: float

    def pulses(self, time_ps: Times, place: NDArray[np.uint8], shift: Floats) -> tuple[Times, Floats]:
        """(pulse, residual_ps), `(event,)` each."""
        return place_clicks(time_ps, place, shift, self.time_ps, self.pulse, self.fraction, self.rate)


def _piece_clicks(time_ps: Times, found: _Acquired, wander: float) -> int:
    """Clicks of a piece: enough for a clear phase, many for a long record, but no longer than the rate stands still."""
    fewest = ceil(STRENGTH / found.contrast_squared)
    still_ps = 1e12 * (STILL * sqrt(3.0) / (wander * found.rate * 1e12)) ** (2.0 / 3.0)  # random walk of the phase
    span_ps = float(time_ps[-1] - time_ps[0]) + 1.0
    most = int(time_ps.size * min(still_ps / span_ps, 1.0))
    return max(fewest, min(time_ps.size // MOST_PIECES, most))


def _knots(time_ps: Times, place: NDArray[np.uint8], phases: Floats, found: _Acquired, wander: float) -> _Knots:
    """The tracked and smoothed clock; `phases`, `(channel,)`, are those of the channels' light."""
    m = _piece_clicks(time_ps, found, wander)
    q = (wander * 1e-6 * found.rate) ** 2  # pulses^2 per ps^3
    count = max(time_ps.size // m, 1)
    times, pulse = np.empty((2, count), np.int64)
    fraction, variance = np.empty((2, count))
    seen, stop, wrong = track(
        time_ps, place, phases, m, found.rate, found.rate_error, q, times, pulse, fraction, variance
    )
    if stop >= 0:
        ends = " and ".join(f"{time_ps[k] * 1e-12:.6g} s" for k in (max(stop - m, 0), min(stop + m, time_ps.size) - 1))
        what = f"the phase is {abs(wrong):.2g} pulses from what is predicted" if wrong else "too few clicks tell it"
        raise InputError(f"A cycle slip cannot be excluded between {ends}: {what}, with a `wander` of {wander:g}.")
    if seen == 0:
        raise InputError(f"The clock with a period of {1.0 / found.rate:.9g} ps is in no piece of {m} clicks.")
    return _smoothed(times[:seen], pulse[:seen], fraction[:seen], variance[:seen], found.rate, wander)


def _smoothed(times: Times, pulse: Times, fraction: Floats, variance: Floats, rate: float, wander: float) -> _Knots:
    """Phase and rate at the pieces: a parabola through all of them, and the likeliest random walk about it."""
    dt = np.diff(times).astype(np.float64)
    steps = np.diff(pulse) + np.diff(fraction) - rate * dt
    excess = np.concatenate([[0.0], np.cumsum(steps)])
    middle, half = 0.5 * float(times[-1] - times[0]), max(0.5 * float(times[-1] - times[0]), 1.0)
    u = ((times - times[0]) - middle) / half
    fit = np.polynomial.Polynomial.fit(u, excess, min(2, times.size - 1), [-1, 1], w=1.0 / np.sqrt(variance))
    rest = excess - fit(u)
    best, state, error = (-np.inf, 0.0), np.zeros((times.size, 2)), 0.0
    for trial in np.geomspace(FINEST_WANDER, wander, 1 + ceil(4.0 * log(wander / FINEST_WANDER) / log(10.0))):
        likelihood, means, variances = kalman(dt, rest, variance, (trial * 1e-6 * rate) ** 2, (1e-6 * rate) ** 2)
        if (likelihood, trial) > best:
            best, state, error = (likelihood, float(trial)), means, sqrt(float(variances.mean()))
    moved = fit(u) + state[:, 0] - excess
    slope = rate + fit.deriv()(u) / half + state[:, 1]
    return _Knots(times, pulse, fraction + moved, slope, error, best[1])


def _light(knots: _Knots, time_ps: Times, place: NDArray[np.uint8], channels: int) -> NDArray[np.complex128]:
    """`(2, channel)` mean of exp(2 pi i k phase), k = 1 and 2, of each channel's clicks."""
    _, residual_ps = knots.pulses(time_ps, place, np.zeros(256))
    turn = np.exp(2j * pi * residual_ps * knots.rate.mean())
    clicks = np.bincount(place, minlength=channels)
    return np.array([_sum_by(place, wave, channels) / clicks for wave in (turn, turn * turn)])


def _report(
    time_ps: Times, place: NDArray[np.uint8], channels: NDArray[np.uint8], knots: _Knots, false_alarm: float
) -> RecoveredClock:
    """The clock with pulses numbered from the first click, and what the clicks show under it."""
    first, second = _light(knots, time_ps, place, channels.size)
    knots = replace(knots, fraction=knots.fraction - np.angle(first[0]) / (2.0 * pi))
    turns = np.angle(first * first[0].conj()) / (2.0 * pi)
    phase = float(knots.pulse[-1] - knots.pulse[0]) + float(knots.fraction[-1] - knots.fraction[0])
    period = float(knots.time_ps[-1] - knots.time_ps[0]) / phase if phase > 0.0 else 1.0 / float(knots.rate[0])
    shift = np.zeros(256)
    shift[: channels.size] = turns * period
    pulse, residual_ps = knots.pulses(time_ps, place, shift)
    share = np.bincount(place, minlength=channels.size) / place.size
    one = float(np.sum(share * np.abs(first)))
    two = float(np.sum(share * (second * np.exp(-2j * np.angle(first))).real))
    x = max(2.0 / 3.0 * log(one / max(two, 1e-6)), 0.0)  # rho_k = light e^(-k^2 x / 2), x = (2 pi sigma / T)^2
    return RecoveredClock(
        period_ps=period,
        knot_ps=knots.time_ps,
        knot_pulse=knots.pulse - pulse[0],
        knot_fraction=knots.fraction,
        knot_rate=knots.rate,
        channels=channels,
        delay_ps=shift[: channels.size].copy(),
        contrast=np.abs(first),
        residual_rms_ps=sqrt(float(np.mean(residual_ps**2))),
        jitter_ps=period * sqrt(x) / (2.0 * pi),
        light_share=min(one * exp(0.5 * x), 1.0),
        phase_error_ps=knots.error * period,
        wander=knots.wander,
        false_alarm=false_alarm,
    )
