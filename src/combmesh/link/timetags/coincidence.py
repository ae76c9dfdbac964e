r"""Clicks that belong together: differences of two channels, second-order correlation, twofold search, gate.

A difference is :math:`t_b - t_a`, positive where channel b is later. Times are whole picoseconds, and so is all that is
compared here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.kernels import kernel
from combmesh.link.timetags.tags import TimeTags

LONGEST_PS = 2**60
"""No difference or range may be longer, ps (13 days): sums of two stay whole numbers of 64 bits."""


class Clock(Protocol):
    """What tells the pulse of a click, as `clock.SteadyClock` and `clock.RecoveredClock` do."""

    def pulse_of(
        self, time_ps: NDArray[np.int64], channel: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(pulse, residual_ps), `(event,)` each."""


@dataclass(frozen=True)
class CoincidenceHistogram:
    r"""How often each difference of two channels' times occurs, every pair within the range counted.

    Attributes:
        channels: (a, b); a difference is the time of b less the time of a.
        edges_ps: `(bin + 1,)` bins hold their lower edge and not their upper one.
        counts: `(bin,)` pairs.
        accidentals: `(bin,)` pairs expected of two uniform, independent channels,
            :math:`R_a R_b\,\Delta\,(T - |\tau|)`.
        events: clicks of a and of b in the record.
        duration_s: length of the record :math:`T`, s.
    """

    channels: tuple[int, int]
    edges_ps: NDArray[np.int64]
    counts: NDArray[np.int64]
    accidentals: NDArray[np.float64]
    events: tuple[int, int]
    duration_s: float

    @property
    def bin_ps(self) -> int:
        """Width of a bin, ps."""
        return int(self.edges_ps[1] - self.edges_ps[0])

    @property
    def centres_ps(self) -> NDArray[np.float64]:
        """`(bin,)` mean of the whole differences that a bin can hold, ps."""
        return np.asarray(self.edges_ps[:-1] + 0.5 * (self.bin_ps - 1), np.float64)


@dataclass(frozen=True)
class PulsedG2:
    """Second-order correlation of pulsed light: the peak of equal pulses over the mean of the others.

    Attributes:
        g2: g2(0), nothing subtracted.
        error: its standard deviation from counting; of one count where the centre has none.
        centre_ps: difference at which the centre peak stands: the delay of channel b behind a, ps.
        centre_count: pairs in the centre peak.
        side_mean: mean pairs of a side peak.
        side_counts: `(peak,)` pairs of each side peak within the range, in the order of the difference.
        false_alarm: probability that peaks of one height alone give one that departs as far as the centre; near 1 the
            centre was not found, and `g2` and `centre_ps` mean nothing unless `delay_ps` was given.
    """

    g2: float
    error: float
    centre_ps: float
    centre_count: int
    side_mean: float
    side_counts: NDArray[np.int64]
    false_alarm: float


def channel_times(tags: TimeTags, channel: int) -> NDArray[np.int64]:
    """`(click,)` times of one channel, ps; refused if it has none."""
    check_range("channel", channel, 0, 255)
    times = _select(tags.channel, tags.time_ps, channel, int(np.count_nonzero(tags.channel == channel)))
    if times.size == 0:
        has = ", ".join(map(str, tags.events)) or "none"
        raise InputError(f"Channel {channel} has no clicks; the channels with clicks are {has}.")
    return times


def record_ps(tags: TimeTags) -> float:
    """Length of the record, ps: what the file says, or from the first click to the last."""
    span = float(tags.time_ps[-1] - tags.time_ps[0]) if tags.time_ps.size else 0.0
    return max(tags.duration_s * 1e12, span, 1.0)


def coincidence_histogram(
    tags: TimeTags, a: int, b: int, range_ps: int, bin_ps: int, *, delay_ps: int = 0
) -> CoincidenceHistogram:
    """All differences of two channels from `delay_ps - range_ps` up to, not including, `delay_ps + range_ps`.

    Args:
        tags: the clicks.
        a, b: the channels; of one channel with itself no click is paired with itself.
        range_ps: farthest difference on either side, ps, a whole number of bins.
        bin_ps: width of a bin, ps.
        delay_ps: middle of the range, ps.

    >>> tags = TimeTags(np.array([0, 1, 1], np.uint8), np.array([100, 103, 120]), "example", duration_s=1e-9)
    >>> coincidence_histogram(tags, 0, 1, 10, 5).counts
    array([0, 0, 1, 0])
    """
    _check_bins(range_ps, bin_ps, delay_ps)
    starts, stops = channel_times(tags, a), channel_times(tags, b)
    low = delay_ps - range_ps
    edges_ps = low + bin_ps * np.arange(2 * range_ps // bin_ps + 1, dtype=np.int64)
    counts = difference_counts(starts, stops, low, bin_ps, edges_ps.size - 1)
    if a == b and low <= 0 < delay_ps + range_ps:
        counts[-low // bin_ps] -= starts.size  # each click with itself
    T = record_ps(tags)
    tau = np.abs(edges_ps[:-1] + 0.5 * bin_ps)
    accidentals = starts.size / T * (stops.size / T) * bin_ps * np.maximum(T - tau, 0.0)
    return CoincidenceHistogram((a, b), edges_ps, counts, accidentals, (starts.size, stops.size), T * 1e-12)


def _check_bins(range_ps: int, bin_ps: int, delay_ps: int) -> None:
    """Refuse what is not a whole number of bins on either side."""
    check_range("bin_ps", bin_ps, 1, LONGEST_PS)
    check_range("range_ps", range_ps, bin_ps, LONGEST_PS)
    check_range("delay_ps", delay_ps, -LONGEST_PS, LONGEST_PS)
    if range_ps % bin_ps:
        raise InputError(f"`range_ps` must be a whole number of bins of {bin_ps} ps, but is {range_ps}.")
    if 2 * range_ps // bin_ps > 2**28:
        raise InputError(f"`range_ps` of {range_ps} has more than 2^28 bins of {bin_ps} ps; take wider ones.")


def pulsed_g2(
    histogram: CoincidenceHistogram, period_ps: float, *, window_ps: float | None = None, delay_ps: float | None = None
) -> PulsedG2:
    r"""g2(0) of pulsed light from the peaks of a histogram, :math:`g^{(2)}(0) = N_0 / \bar N_{k \ne 0}`.

    The comb of peaks is placed by the phase of the histogram's component at the pulse rate. The centre is the peak that
    departs most from the others, or the one nearest to `delay_ps`.

    Args:
        histogram: a range of at least four periods.
        period_ps: of the pulses, ps, at least four bins.
        window_ps: width about each peak that is counted, ps; None for the whole period.
        delay_ps: where the centre is expected, ps, if it is known.
    """
    check_range("period_ps", period_ps, 4.0 * histogram.bin_ps)
    window = period_ps if window_ps is None else window_ps
    check_range("window_ps", window, histogram.bin_ps, period_ps)
    if not histogram.counts.any():
        raise InputError(f"The histogram of channels {histogram.channels} has no pairs, so no g2 can be found.")
    position_ps, peaks = _peaks(histogram, period_ps, window)
    if peaks.size < 4:
        raise InputError(f"g2 needs a range of 4 whole periods, but {period_ps:g} ps fits {peaks.size} times.")
    centre, false_alarm = _odd_peak(peaks) if delay_ps is None else (int(np.abs(position_ps - delay_ps).argmin()), 0.0)
    side_counts = np.delete(peaks, centre)
    n_0, side = int(peaks[centre]), int(side_counts.sum())
    if side == 0:
        raise InputError(f"The side peaks of channels {histogram.channels} have no pairs, so no g2 can be found.")
    mean = side / side_counts.size
    g2 = n_0 / mean
    error = sqrt(max(n_0, 1) / mean**2 + g2**2 / side)
    return PulsedG2(g2, error, float(position_ps[centre]), n_0, mean, side_counts, false_alarm)


def _peaks(
    histogram: CoincidenceHistogram, period: float, window: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Place and pairs, `(peak,)` each, of every peak whose window lies within the range."""
    centres = histogram.centres_ps
    middle = centres[centres.size // 2]
    turn = np.exp(2j * np.pi * (centres - middle) / period)
    phase = middle + np.angle(np.vdot(turn.conj(), histogram.counts)) * period / (2.0 * np.pi)
    half = 0.5 * window
    first = np.ceil((histogram.edges_ps[0] + half - phase) / period)
    last = np.floor((histogram.edges_ps[-1] - half - phase) / period)
    number = np.floor((centres - phase) / period + 0.5)
    near = np.abs(centres - phase - number * period) <= half
    near &= (number >= first) & (number <= last)
    size = max(int(last - first) + 1, 0)
    peaks = np.bincount((number[near] - first).astype(np.int64), histogram.counts[near], size)
    return phase + (first + np.arange(size)) * period, peaks.astype(np.int64)


def _odd_peak(peaks: NDArray[np.int64]) -> tuple[int, float]:
    """The peak least likely among equal ones, and the probability of any like it: each count is then binomial."""
    from scipy.special import bdtr, bdtrc

    n, p = int(peaks.sum()), 1.0 / peaks.size
    below = bdtr(peaks.astype(float), n, p)
    above = np.where(peaks > 0, bdtrc(np.maximum(peaks - 1, 0).astype(float), n, p), 1.0)
    tail = np.minimum(below, above)
    score = np.abs(peaks - n * p)  # decides where both tails are 0
    odd = int(np.lexsort((-score, tail))[0])
    return odd, float(min(1.0, 2.0 * peaks.size * tail[odd]))


def coincidences(
    tags: TimeTags, channels: Sequence[int], window_ps: int, delays_ps: Mapping[int, int] | None = None
) -> NDArray[np.int64]:
    """Every pair of clicks of two different channels that lie within a window, delays taken off.

    Args:
        tags: the clicks.
        channels: two or more of their channels.
        window_ps: farthest two clicks of a pair may be apart, ps; it belongs to the window.
        delays_ps: what is taken off each channel's times, ps; a channel not named has none.

    Returns:
        `(pair, 2)` places in `tags`, the earlier click first; of equal times, that of the channel named first.
    """
    check_range("window_ps", window_ps, 0, LONGEST_PS)
    if len(set(channels)) < 2 or len(set(channels)) < len(channels):
        raise InputError(f"`channels` must name at least 2 different channels, but is {list(channels)}.")
    delays = {channel: int((delays_ps or {}).get(channel, 0)) for channel in channels}
    for channel, delay in delays.items():
        check_range("channel", channel, 0, 255)
        check_range(f"delays_ps[{channel}]", delay, -LONGEST_PS, LONGEST_PS)
    places = np.concatenate([np.flatnonzero(tags.channel == channel) for channel in channels])
    owner = tags.channel[places]
    shift = np.zeros(256, np.int64)
    shift[list(delays)] = list(delays.values())
    time_ps = tags.time_ps[places] - shift[owner]
    order = np.argsort(time_ps, kind="stable")  # few long runs: little more than a merge
    time_ps, owner, places = time_ps[order], owner[order], places[order]
    pairs = np.empty((_pair_window(time_ps, owner, window_ps, np.empty((0, 2), np.int64)), 2), np.int64)
    _pair_window(time_ps, owner, window_ps, pairs)
    return places[pairs]


def gate(tags: TimeTags, clock: Clock, window_ps: float) -> TimeTags:
    """The clicks within `window_ps / 2` of the middle of their pulse, as a clock tells it."""
    check_positive("window_ps", window_ps)
    _, residual_ps = clock.pulse_of(tags.time_ps, tags.channel)
    keep = np.abs(residual_ps) <= 0.5 * window_ps
    return replace(tags, channel=tags.channel[keep], time_ps=tags.time_ps[keep])


@kernel
def _select(channel: NDArray[np.uint8], time_ps: NDArray[np.int64], wanted: int, count: int) -> NDArray[np.int64]:
    """`(count,)` times of one channel; written without a branch, for the channels come at random."""
    times = np.empty(count + 1, np.int64)
    k = 0
    for i in range(channel.size):
        times[k] = time_ps[i]
        k += channel[i] == wanted
    return times[:count]


@kernel
def difference_counts(
    starts: NDArray[np.int64], stops: NDArray[np.int64], low_ps: int, bin_ps: int, bins: int
) -> NDArray[np.int64]:
    """`(bins,)` differences stop - start from `low_ps` on; both `(click,)`, never falling. One pass, two pointers."""
    counts = np.zeros(bins, np.int64)
    width = bin_ps * bins
    first = 0
    for start in starts:
        origin = start + low_ps
        while first < stops.size and stops[first] < origin:
            first += 1
        for j in range(first, stops.size):
            past = stops[j] - origin
            if past >= width:
                break
            counts[past // bin_ps] += 1
    return counts


@kernel
def _pair_window(time_ps: NDArray[np.int64], owner: NDArray[np.uint8], window_ps: int, pairs: NDArray[np.int64]) -> int:
    """Number of pairs within the window; those that `pairs`, `(pair, 2)`, has room for are written there."""
    found = 0
    for i in range(time_ps.size):
        for j in range(i + 1, time_ps.size):
            if time_ps[j] - time_ps[i] > window_ps:
                break
            if owner[j] != owner[i]:
                if found < pairs.shape[0]:
                    pairs[found, 0] = i
                    pairs[found, 1] = j
                found += 1
    return found
