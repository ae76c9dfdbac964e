"""Time tags to coincidences, delays and clock."""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from bench.timing import Row, best_s, row
from combmesh.link.timetags.clock import recover_clock
from combmesh.link.timetags.coincidence import coincidence_histogram, coincidences
from combmesh.link.timetags.delays import find_delay
from combmesh.link.timetags.tags import TimeTags

SECOND = 10**12
RANGE_PS, BIN_PS = 100_000, 100


def _random_tags(tags: int, rate_hz: float, channels: int = 2) -> TimeTags:
    rng = np.random.default_rng(1)
    time_ps = np.sort(rng.integers(0, int(tags / rate_hz * SECOND), tags))
    return TimeTags(rng.integers(0, channels, tags).astype(np.uint8), time_ps, "random")


def histogram() -> list[Row]:
    """Differences within 100 ns of two channels at 1 M/s together, beside NumPy's searchsorted and plain Python."""
    tags, few = _random_tags(20_000_000, 1e6), _random_tags(200_000, 1e6)
    ours = 1e-6 * tags.time_ps.size / best_s(lambda: coincidence_histogram(tags, 0, 1, RANGE_PS, BIN_PS))
    numpy = 1e-6 * tags.time_ps.size / best_s(lambda: _numpy_histogram(tags))
    python = 1e-6 * few.time_ps.size / best_s(lambda: _python_histogram(few))
    dense = _random_tags(20_000_000, 1e7)
    ours_dense = 1e-6 * dense.time_ps.size / best_s(lambda: coincidence_histogram(dense, 0, 1, RANGE_PS, BIN_PS))
    numpy_dense = 1e-6 * dense.time_ps.size / best_s(lambda: _numpy_histogram(dense))
    name = "differences of two channels within 100 ns"
    return [
        row(f"{name}, 1 M tags/s", ours, "M tags/s", "NumPy, searchsorted", numpy),
        row(f"{name}, 1 M tags/s", ours, "M tags/s", "Python, bisect (2e5 tags)", python),
        row(f"{name}, 10 M tags/s", ours_dense, "M tags/s", "NumPy, searchsorted", numpy_dense),
    ]


def _numpy_histogram(tags: TimeTags) -> NDArray[np.int64]:
    """The same histogram from the bounds of each start's stops."""
    starts, stops = (tags.time_ps[tags.channel == channel] for channel in (0, 1))
    first, last = np.searchsorted(stops, starts - RANGE_PS), np.searchsorted(stops, starts + RANGE_PS)
    many = last - first
    own = np.repeat(np.arange(starts.size), many)
    place = np.arange(own.size) - np.repeat(np.cumsum(many) - many, many) + first[own]
    return np.bincount((stops[place] - starts[own] + RANGE_PS) // BIN_PS, minlength=2 * RANGE_PS // BIN_PS)


def _python_histogram(tags: TimeTags) -> list[int]:
    """The same histogram in lists."""
    pairs = list(zip(tags.channel.tolist(), tags.time_ps.tolist(), strict=True))
    starts, stops = ([time for channel, time in pairs if channel == wanted] for wanted in (0, 1))
    counts = [0] * (2 * RANGE_PS // BIN_PS)
    for start in starts:
        place = bisect_left(stops, start - RANGE_PS)
        while place < len(stops) and stops[place] < start + RANGE_PS:
            counts[(stops[place] - start + RANGE_PS) // BIN_PS] += 1
            place += 1
    return counts


def twofold() -> list[Row]:
    """Pairs of four detectors within 1 ns, each with its delay."""
    tags = _random_tags(5_000_000, 1e7, 4)
    work_s = best_s(lambda: coincidences(tags, (0, 1, 2, 3), 1000, {1: 5000, 2: -30_000, 3: 12_345}))
    return [row("twofold search, 4 channels at 10 M tags/s", 1e-6 * tags.time_ps.size / work_s, "M tags/s")]


def delays() -> list[Row]:
    """A delay found among 1e5 clicks/s and 1e4 pairs/s, 1 s of record."""
    rng = np.random.default_rng(2)
    rows = []
    for name, delay_ps, range_ps, drift in (
        ("1 ms", 345_678_901, 10**9, 0.0),
        ("1 s", 345_678_901_234, SECOND, 0.0),
        ("1 ms, 10 ppm", 345_678_901, 10**9, 8e-6),
    ):
        common = np.sort(rng.integers(0, SECOND, 10_000))
        late = common + delay_ps + (drift * common).astype(np.int64) + rng.normal(0, 40, common.size).astype(np.int64)
        both = [np.sort(np.concatenate([times, rng.integers(0, SECOND, 90_000)])) for times in (common, late)]
        time_ps, channel = np.concatenate(both), np.repeat(np.array([0, 1], np.uint8), 100_000)
        order = np.argsort(time_ps, kind="stable")
        tags = TimeTags(channel[order], time_ps[order], "random")
        most_ppm = 10.0 if drift else 0.0
        work_s = best_s(lambda tags=tags, r=range_ps, d=most_ppm: find_delay(tags, 0, 1, r, max_drift_ppm=d))
        rows.append(row(f"delay of two channels, within {name}", work_s, "s"))
    return rows


def clock() -> list[Row]:
    """The clock of 1e6 clicks of four detectors in 1e9 pulses of 400 ps, a fifth of them dark counts.

    Beside one evaluation, in NumPy, of the sum of exp(2 pi i f t) whose maximum is the rate: it takes thousands.
    """
    rng = np.random.default_rng(3)
    pulse = np.sort(rng.integers(0, 10**9, 800_000))
    light = pulse * 400.008 + rng.normal(0.0, 40.0, pulse.size)
    time = np.concatenate([light, rng.uniform(0.0, 4e11, 200_000)])
    tags = TimeTags(rng.integers(0, 4, time.size).astype(np.uint8), np.sort(np.rint(time).astype(np.int64)), "random")
    work_s = best_s(lambda: recover_clock(tags, 400.0))
    found = recover_clock(tags, 400.0)
    fold_s = best_s(lambda: abs(np.exp(2j * np.pi * (tags.time_ps / 400.008 % 1.0)).sum()))
    number_s = best_s(lambda: found.pulse_of(tags.time_ps, tags.channel))
    return [
        row("clock recovered from 1e6 clicks", work_s, "s", "NumPy, one rate of one sum", fold_s),
        row("pulse numbers of clicks", 1e-6 * tags.time_ps.size / number_s, "M tags/s"),
    ]


BENCHMARKS = (histogram, twofold, delays, clock)
