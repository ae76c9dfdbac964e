r"""Delay between two channels, or of clicks behind a known pattern, over an unknown delay up to whole seconds.

From coarse to fine, as Ho, Lamas-Linares & Kurtsiefer, New J. Phys. 11 045011 (2009):

1. pieces of the record, each longer than the last, are correlated, pair by pair or by FFT, until one peak stands out;
2. delay and drift of that piece are narrowed down together, bins four times finer each time, until the peak is
   resolved;
3. the centroid of the peak is followed through the whole record.

A difference is stop less start; the delay at time :math:`t` of the starts is :math:`d + s\,(t - t_0)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, exp, floor, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.kernels import kernel
from combmesh.link.timetags.coincidence import channel_times, difference_counts
from combmesh.link.timetags.tags import TimeTags

FALSE_ALARM = 1e-6
FINEST_PS = 256  # of the bins correlated: a few times a detector's jitter
MOST_LAGS = 2**22
MOST_BINS = 2**23  # of all blocks correlated by FFT
MOST_PAIRS = 2e8  # counted one by one
FEWEST_LAGS = 128  # too few lags show no scatter to stand out from
FIRST_STARTS = 1000
NEIGHBOURS = 501  # lags on either side that tell the level without a peak
TRIMMED = 1e-3  # share of the highest lags that do not tell the scatter
KNOT_PAIRS = 100.0
MOST_KNOTS = 1000
WIDER = (1.0, 4.0, 16.0)  # windows in which the next knot is looked for

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Delay:
    """Delay of the stops behind the starts.

    Attributes:
        delay_ps: at `reference_ps`, ps; where not `significant`, only where the highest of all peaks stands.
        error_ps: its standard deviation, ps; the whole range where not `significant`.
        drift_ppm: its change with the time of the starts, 1e-6.
        reference_ps: the time of the starts at which `delay_ps` holds.
        significant: whether a peak stands out, and shows at least 5 pairs when resolved.
        false_alarm: upper bound on the probability that unrelated clicks give a peak like it, all searches counted.
        pairs: pairs in the peak, accidentals taken off.
        width_ps: rms width of the peak, ps.
        knot_ps, knot_delay_ps: `(knot,)` the delay piece by piece, where the peak was seen.
    """

    delay_ps: float
    error_ps: float
    drift_ppm: float
    reference_ps: int
    significant: bool
    false_alarm: float
    pairs: float
    width_ps: float
    knot_ps: Times
    knot_delay_ps: NDArray[np.float64]

    def at(self, time_ps: Times) -> NDArray[np.float64]:
        """`(event,)` delay at times of the starts, ps: between knots a line, outside them `drift_ppm`."""
        knots = (self.knot_ps - self.reference_ps).astype(np.float64)
        times = (np.asarray(time_ps) - self.reference_ps).astype(np.float64)
        outside = times - np.clip(times, knots[0], knots[-1])
        return np.interp(times, knots, self.knot_delay_ps) + 1e-6 * self.drift_ppm * outside


@dataclass(frozen=True)
class PatternOffset:
    """Place of clicks in a repeated pattern.

    Attributes:
        pulses: pulse number less slot of the pattern, 0 up to its length.
        significant: whether one place stands out.
        false_alarm: upper bound on the probability that clicks at random give a place like it.
    """

    pulses: int
    significant: bool
    false_alarm: float


@dataclass(frozen=True)
class _Line:
    """What is known of the delay: at `reference_ps`, its slope, and how finely."""

    reference_ps: int
    delay_ps: float
    slope: float
    bin_ps: float
    span_ps: float
    pairs: float


def find_delay(
    tags: TimeTags, a: int, b: int, range_ps: int, *, max_drift_ppm: float = 0.0, false_alarm: float = FALSE_ALARM
) -> Delay:
    """Delay of channel b behind channel a, anywhere within `range_ps` on either side; see `delay_of_times`.

    >>> time_ps = np.random.default_rng(1).integers(0, 10**12, 2000)
    >>> both = np.concatenate([time_ps, time_ps + 123_456_789])
    >>> order = np.argsort(both)
    >>> tags = TimeTags(np.repeat(np.array([0, 1], np.uint8), 2000)[order], both[order], "example")
    >>> found = find_delay(tags, 0, 1, 10**9)
    >>> round(found.delay_ps), found.significant
    (123456789, True)
    """
    return delay_of_times(
        channel_times(tags, a), channel_times(tags, b), range_ps, max_drift_ppm=max_drift_ppm, false_alarm=false_alarm
    )


def delay_of_times(
    starts: Times, stops: Times, range_ps: int, *, max_drift_ppm: float = 0.0, false_alarm: float = FALSE_ALARM
) -> Delay:
    """Delay of the stops behind the starts.

    Args:
        starts, stops: `(click,)` times that never fall, ps; either may be a pattern of known times.
        range_ps: farthest delay on either side, ps.
        max_drift_ppm: most by which the two clocks' rates may differ, 1e-6; 0 for one clock.
        false_alarm: a peak counts as significant if unrelated clicks give one like it no more often.
    """
    check_range("range_ps", range_ps, FEWEST_LAGS * FINEST_PS / 2, 1e14)
    check_range("max_drift_ppm", max_drift_ppm, 0.0, 1000.0)
    check_range("false_alarm", false_alarm, 1e-300, 0.5)
    for name, times in (("starts", starts), ("stops", stops)):
        if times.size == 0:
            raise InputError(f"`{name}` must have clicks, but has none.")
        if np.any(falls := times[1:] < times[:-1]):
            raise InputError(f"`{name}` must never fall, but does after click {int(falls.argmax())}.")
    drift = 1e-6 * max_drift_ppm
    line, chance = _search(starts, stops, int(range_ps), drift, false_alarm)
    if chance <= false_alarm:
        found = _follow(starts, stops, _zoom(starts, stops, line, drift), drift > 0.0, chance)
        if found is not None:
            return found
    knot, place, spread = np.array([line.reference_ps]), np.array([line.delay_ps]), range_ps / sqrt(3.0)
    return Delay(line.delay_ps, spread, 0.0, line.reference_ps, False, chance, 0.0, spread, knot, place)


def find_pattern_offset(
    pulse: NDArray[np.int64], pattern: NDArray[np.float64], *, false_alarm: float = FALSE_ALARM
) -> PatternOffset:
    r"""Place of clicks in a pattern that is sent again and again, from their pulse numbers.

    The clicks' light :math:`x_l = \sum_n w_{(n - l) \bmod L}` is highest at the right place. For clicks at random,
    Bennett's inequality bounds its tail: :math:`P(x - n\bar w \ge t) \le e^{-(n v / c^2)\,h(c t / n v)}`,
    :math:`h(u) = (1+u)\ln(1+u) - u`, with :math:`v` the variance and :math:`c` the highest excess of :math:`w`.

    Args:
        pulse: `(click,)` pulse number of each click, as a recovered clock gives it.
        pattern: `(slot,)` light expected in each slot, in any unit, at most 2^24 of them; NaN where it is not known,
            which neither speaks for a place nor against it.
        false_alarm: a place counts as significant if clicks at random give one like it no more often.
    """
    from scipy.fft import irfft, rfft

    w = np.asarray(pattern, np.float64)
    L, n = w.size, pulse.size
    known = w[~np.isnan(w)]
    if not 2 <= L <= 2**24 or not np.isfinite(known).all() or known.size < 2 or known.max() <= known.min():
        raise InputError(f"`pattern` must have 2 to 2^24 slots that differ, but has {L} like {w[:1]}.")
    w = np.where(np.isnan(w), known.mean(), w)
    if n == 0:
        raise InputError("`pulse` must hold the pulse numbers of clicks, but has none.")
    counts = np.bincount(np.asarray(pulse) % L, minlength=L)
    x = irfft(rfft(counts) * np.conj(rfft(w)), L)
    best = int(x.argmax())
    mean = float(known.mean())
    v, c, t = float(known.var()), float(known.max()) - mean, max(float(x[best]) - n * mean, 0.0)
    u = c * t / (n * v)
    tail = L * exp(-n * v / c**2 * ((1.0 + u) * log(1.0 + u) - u))  # Bennett 1962, for each of L places
    return PatternOffset(best, tail <= false_alarm, min(tail, 1.0))


def _search(starts: Times, stops: Times, R: int, drift: float, false_alarm: float) -> tuple[_Line, float]:
    """The likeliest delay of the first piece in which one stands out, and its false alarm probability."""
    best, chance = None, inf
    for look, (begin, span) in enumerate(_pieces(starts, stops, R, drift), 1):
        lags, bin_ps, edge = _lags(starts, stops, R, ceil(drift * span), begin, span)
        place, tail, excess = _highest(lags)
        tail *= 2.0 * look**2  # the shares of all looks add up to less than 1
        if tail < chance:
            delay = (place + edge) * bin_ps - R
            best, chance = _Line(begin + span // 2, delay, 0.0, bin_ps, span, excess), tail
        if chance <= false_alarm:
            break
    if best is None:
        raise InputError(f"No start has a stop within `range_ps` = {R}, so no delay can be found.")
    return best, min(chance, 1.0)


def _pieces(starts: Times, stops: Times, R: int, drift: float) -> Iterator[tuple[int, int]]:
    """(begin, span) of pieces to search, ps: each four times longer, in the middle, at the begin and at the end."""
    low, high = max(starts[0], stops[0] - R), min(starts[-1], stops[-1] + R)
    first, last = np.searchsorted(starts, [low, high + 1])
    if last <= first:
        return
    whole = int(high - low) + 1
    longest = min(whole, floor(2 * R / FEWEST_LAGS / drift)) if drift > 0.0 else whole
    span = min(max(whole * FIRST_STARTS // int(last - first), 10 * FINEST_PS), longest)
    while True:
        spare = whole - span
        for begin in (spare // 2, 0, spare) if spare else (0,):
            yield int(low) + begin, span
        if span == longest:
            return
        span = min(4 * span, longest)


def _lags(
    starts: Times, stops: Times, R: int, widest: int, begin: int, span: int
) -> tuple[NDArray[np.float64], int, float]:
    """(lags, bin_ps, edge): pairs of a piece by their difference in bins, from -R on, one by one where that is faster.

    Two neighbouring lags, k and k + 1, hold every pair near `(k + edge) * bin_ps - R`.
    """
    here = starts[slice(*np.searchsorted(starts, [begin, begin + span]))]
    low, high = np.searchsorted(stops, [begin - R, begin + span + R])
    if here.size * float(high - low) * min(1.0, 2.0 * R / (span + 2.0 * R)) <= MOST_PAIRS:
        bin_ps = max(FINEST_PS, widest, ceil(2 * R / MOST_LAGS))
        counts = difference_counts(here, stops[low:high], -R, bin_ps, 2 * R // bin_ps + 1)
        return counts.astype(np.float64), bin_ps, 1.0
    block = min(max(2 * R, span // 32), span)
    bins = ceil(span / block) * (block + 2 * R)
    bin_ps = max(FINEST_PS, widest, ceil(2 * R / MOST_LAGS), ceil(bins / MOST_BINS))
    return _correlation(starts, stops, R, bin_ps, begin, span, block), bin_ps, 0.5


def _correlation(
    starts: Times, stops: Times, R: int, bin_ps: int, begin: int, span: int, block: int
) -> NDArray[np.float64]:
    """`(lag,)` pairs by their difference in bins: Welch's sum of cross spectra over blocks of starts.

    Both times are binned, so that a difference falls into two neighbouring lags.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len((block + 2 * R) // bin_ps + 2, real=True)
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    for origin in range(begin, begin + span, block):
        ends = [origin, min(origin + block, begin + span)]
        first, last = np.searchsorted(starts, ends)
        here = np.searchsorted(stops, [ends[0] - R, ends[1] + R])
        if first == last or here[0] == here[1]:
            continue
        a = np.bincount((starts[first:last] - origin) // bin_ps, minlength=size)
        b = np.bincount((stops[slice(*here)] - (origin - R)) // bin_ps, minlength=size)
        spectrum += np.conj(rfft(a)) * rfft(b)
    lags: NDArray[np.float64] = irfft(spectrum, size)[: 2 * R // bin_ps + 2]
    return np.rint(lags)


def _highest(lags: NDArray[np.float64]) -> tuple[int, float, float]:
    r"""(place, tail, excess) of the pair of neighbouring lags that is least likely by chance.

    The level :math:`\mu` is the mean of the lags around; counts scatter as :math:`\phi` times a Poisson one, with
    :math:`\phi \ge 1` the variance seen over the mean: :math:`P = \mathrm{Pr}[\mathrm{Poisson}(\mu/\phi) \ge x/\phi]`.
    """
    from scipy.special import gammainc

    x = lags[:-1] + lags[1:]
    reach = min(NEIGHBOURS, x.size // 4)
    total = np.concatenate([[0.0], np.cumsum(x)])
    ends = np.arange(x.size)
    low, high = np.maximum(ends - reach, 0), np.minimum(ends + reach + 1, x.size)
    mu = np.maximum((total[high] - total[low] - x) / (high - low - 1), 1.0 / reach)
    ratio = np.partition((x - mu) ** 2 / mu, -ceil(TRIMMED * x.size) - 6)[: -ceil(TRIMMED * x.size) - 6]
    phi = max(1.0, float(ratio.mean()))
    score = (x - mu) / np.sqrt(mu)
    likely = np.flatnonzero(score >= min(3.0 * sqrt(phi), score.max()))
    tail = gammainc(np.maximum(x[likely], 1e-9) / phi, mu[likely] / phi)
    k = np.lexsort((-score[likely], tail))[0]
    place = int(likely[k])
    return place, float(x.size * tail[k]), float(x[place] - mu[place])


def _zoom(starts: Times, stops: Times, line: _Line, drift: float) -> _Line:
    """Delay and drift of the piece with bins four times finer each time, until they cut the peak."""
    begin = line.reference_ps - int(line.span_ps) // 2
    first, last = np.searchsorted(starts, [begin, begin + int(line.span_ps)])
    here = starts[first:last]
    half, steep = 2.0 * line.bin_ps + 0.5 * drift * line.span_ps, drift
    while line.bin_ps >= 2.0:
        bin_ps = 0.25 * line.bin_ps
        step = bin_ps / line.span_ps
        tries = []
        for k in range(-ceil(steep / step), ceil(steep / step) + 1) if drift > 0.0 else (0,):
            slope = line.slope + k * step
            bins = ceil(2.0 * half / bin_ps)
            counts = _line_counts(here, stops, line.reference_ps, line.delay_ps, slope, -half, bin_ps, bins)
            pairs = counts[:-1] + counts[1:]
            place = int(pairs.argmax())
            level = max(counts.sum() - pairs[place], 0) / max(bins - 2, 1)
            tries.append((pairs[place] - 2.0 * level, -abs(k), slope, -half + (place + 1) * bin_ps))
        excess, _, slope, moved = max(tries)
        if excess < 0.6 * line.pairs:
            break
        pairs_seen = max(excess, 0.8 * line.pairs)
        line = _Line(line.reference_ps, line.delay_ps + moved, slope, bin_ps, line.span_ps, pairs_seen)
        half, steep = 2.0 * bin_ps, 2.0 * step
    return line


def _follow(starts: Times, stops: Times, line: _Line, drifting: bool, chance: float) -> Delay | None:
    """The centroid piece by piece to both ends of the record, and the line through it; None if no piece shows it."""
    whole = float(starts[-1] - starts[0]) + 1.0
    step, middle = whole, int(starts[0] + starts[-1]) // 2
    if drifting:
        middle = line.reference_ps
        step = min(max(line.span_ps * min(KNOT_PAIRS / line.pairs, 2.0), whole / MOST_KNOTS), whole)
        line = _steeper(starts, stops, line)
    knots = [_knot(starts, stops, line, middle, step, line.delay_ps)]
    if drifting:
        for direction in (1, -1):
            knots += _walk(starts, stops, line, direction * step, whole)
    seen = sorted(knot for knot in knots if knot is not None)
    if not seen:
        return None
    time, delay, pairs, spread = (np.array(column) for column in zip(*seen, strict=True))
    reference = int(np.average(time - line.reference_ps, weights=pairs)) + line.reference_ps
    t, total = (time - reference).astype(np.float64), float(pairs.sum())
    mean = float(np.average(delay, weights=pairs))
    width = sqrt(float(np.average(spread**2, weights=pairs)))
    slope = line.slope
    if time.size > 1:
        slope = float(np.sum(pairs * t * (delay - mean)) / np.sum(pairs * t * t))
        mean -= slope * float(np.average(t, weights=pairs))
    error = width / sqrt(total)
    return Delay(mean, error, 1e6 * slope, reference, True, chance, total, width, time.astype(np.int64), delay)


Knot = tuple[int, float, float, float]


def _steeper(starts: Times, stops: Times, line: _Line) -> _Line:
    """The line with its slope from the centroids of the piece's two halves."""
    quarter = int(line.span_ps) // 4
    times = (line.reference_ps - quarter, line.reference_ps + quarter)
    halves = [_knot(starts, stops, line, time, 2 * quarter, line.delay_ps) for time in times]
    if halves[0] is None or halves[1] is None:
        return line
    slope = (halves[1][1] - halves[0][1]) / (halves[1][0] - halves[0][0])
    return replace(line, slope=slope)


def _walk(starts: Times, stops: Times, line: _Line, step: float, whole: float) -> list[Knot | None]:
    """Knots from the piece outwards; what each shows corrects delay and slope for the next."""
    knots: list[Knot | None] = []
    delay, slope, time = line.delay_ps, line.slope, line.reference_ps
    for k in range(1, ceil(whole / abs(step)) + 2):
        time += int(step)
        delay += slope * int(step)
        if not starts[0] - 0.5 * abs(step) <= time <= starts[-1] + 0.5 * abs(step):
            break
        here = _Line(time, delay, slope, line.bin_ps, line.span_ps, 0.0)
        tries = (_knot(starts, stops, here, time, abs(step), delay, wider) for wider in WIDER)
        knot = next((found for found in tries if found is not None), None)
        knots.append(knot)
        if knot is not None:
            wrong = knot[1] - delay - slope * (knot[0] - time)  # gains of a growing memory, then of a fading one
            delay += max((4 * k + 2) / ((k + 1) * (k + 2)), 0.7) * wrong
            slope += max(6 / ((k + 1) * (k + 2)), 0.2) * wrong / step
    return knots


def _knot(
    starts: Times, stops: Times, line: _Line, time: int, span: float, delay: float, wider: float = 1.0
) -> Knot | None:
    """(time, delay, pairs, rms width) of the peak's centroid in a piece about `time`; None if it is not seen.

    The uniform level beside the peak is taken off: it moves no centroid of a window that lies about it. The window
    becomes three times as wide, on either side, as the peak.
    """
    first, last = np.searchsorted(starts, [time - int(span / 2), time + int(span / 2) + 1])
    here, half, variance = starts[first:last], max(2.5 * wider * line.bin_ps, 2.0), 0.0
    for _ in range(40):
        wide, _, _ = _line_moments(here, stops, line.reference_ps, delay, line.slope, 3.0 * half)
        n, total, square = _line_moments(here, stops, line.reference_ps, delay, line.slope, half)
        level = max(wide - n, 0) / 2.0
        excess = n - level
        if excess < 5.0 or excess < 4.0 * sqrt(level + 1.0):
            return None
        moved = min(max(total / excess, -half), half)
        delay += moved
        variance = (square - level * half * half / 3.0) / excess - moved * moved
        fitting = min(max(3.0 * sqrt(max(variance, 0.0)), 1.5 * line.bin_ps, 2.0, 0.5 * half), 2.0 * half)
        if abs(moved) < 1e-3 and abs(fitting - half) < 0.02 * half:
            break
        half = fitting
    rms = sqrt(max(variance, 1.0 / 12.0) * max(1.0, n / excess))
    middle = int(np.mean(here - time)) + time
    return middle, delay + line.slope * (middle - line.reference_ps), float(excess), rms


@kernel
def _line_counts(
    starts: Times, stops: Times, reference_ps: int, delay_ps: float, slope: float, low: float, bin_ps: float, bins: int
) -> NDArray[np.int64]:
    """`(bins,)` differences less the line's delay, from `low` on."""
    counts = np.zeros(bins, np.int64)
    width = bin_ps * bins
    first = 0
    for start in starts:
        origin = delay_ps + slope * float(start - reference_ps) + low
        while first < stops.size and float(stops[first] - start) < origin:
            first += 1
        for j in range(first, stops.size):
            past = float(stops[j] - start) - origin
            if past >= width:
                break
            counts[min(int(past / bin_ps), bins - 1)] += 1
    return counts


@kernel
def _line_moments(
    starts: Times, stops: Times, reference_ps: int, delay_ps: float, slope: float, half: float
) -> tuple[int, float, float]:
    """Number, sum and sum of squares of the differences within `half` of the line's delay, less that delay."""
    n, total, square = 0, 0.0, 0.0
    first = 0
    for start in starts:
        middle = delay_ps + slope * float(start - reference_ps)
        while first < stops.size and float(stops[first] - start) < middle - half:
            first += 1
        for j in range(first, stops.size):
            past = float(stops[j] - start) - middle
            if past > half:
                break
            n += 1
            total += past
            square += past * past
    return n, total, square
