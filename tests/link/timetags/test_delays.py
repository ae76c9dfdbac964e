"""Delays beside the pairs of a simulation, and beside sums over every pair."""

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.timetags.delays import _correlation, _highest, delay_of_times, find_delay, find_pattern_offset
from combmesh.link.timetags.tags import TimeTags

SECOND = 10**12


def simulated(rng, delay_ps, *, span_ps=SECOND, singles=100_000, pairs=10_000, drift=0.0, jitter_ps=40.0, bend=0.0):
    """Two channels with common pairs among clicks of their own; the delay drifts about the middle of the record."""
    common = np.sort(rng.integers(0, span_ps, pairs))
    starts = np.sort(np.concatenate([common, rng.integers(0, span_ps, singles)]))
    late = common + delay_ps + _moved(common, span_ps, drift, bend) + rng.normal(0.0, jitter_ps, pairs)
    stops = np.sort(np.concatenate([np.rint(late).astype(np.int64), rng.integers(0, span_ps, singles)]))
    return starts, stops


def _moved(time_ps, span_ps, drift, bend):
    t = time_ps - 0.5 * span_ps
    return drift * t + 0.5 * bend * 1e-12 * t * t


@pytest.mark.parametrize(
    ("delay_ps", "range_ps"),
    [(-345_678_901.3, 10**9), (612_345_678_901.3, SECOND), (-612_345_678_901.7, SECOND), (0.4, 10**6), (23.9, 16_384)],
)
def test_limit_delay_is_that_of_the_pairs(delay_ps, range_ps):
    """Jitter over the root of the pairs is 0.4 ps (up to 0.7 ps for the outermost); 5 of them: once in 1.7e6 times."""
    starts, stops = simulated(np.random.default_rng(1), delay_ps)
    found = delay_of_times(starts, stops, range_ps)
    assert found.significant
    assert found.false_alarm < 1e-6
    assert abs(found.delay_ps - delay_ps) < 5.0 * found.error_ps < 5.0
    assert found.pairs == pytest.approx(10_000, rel=0.01)
    assert found.width_ps == pytest.approx(40.0, rel=0.05)


@pytest.mark.parametrize(
    ("delay_ps", "drift_ppm", "most_ppm", "range_ps"),
    [(12_345_678.3, -8.0, 10.0, 10**9), (12_345_678.3, 80.0, 100.0, 10**8), (-4e11, 3.0, 5.0, SECOND)],
)
def test_limit_drifting_clocks(delay_ps, drift_ppm, most_ppm, range_ps):
    starts, stops = simulated(np.random.default_rng(2), delay_ps, drift=1e-6 * drift_ppm)
    found = delay_of_times(starts, stops, range_ps, max_drift_ppm=most_ppm)
    assert found.significant
    expected = delay_ps + _moved(np.array([found.reference_ps]), SECOND, 1e-6 * drift_ppm, 0.0)[0]
    assert abs(found.delay_ps - expected) < 5.0 * found.error_ps < 5.0
    assert found.drift_ppm == pytest.approx(drift_ppm, abs=2e-5)  # 0.4 ps over a second, times the root of 12, 14 sigma
    assert found.pairs == pytest.approx(10_000, rel=0.02)


def test_limit_changing_drift_is_followed():
    """The rate changes by 5e-8 a second: 25 ns from a line at the ends of 2 s; a knot of 100 pairs is good to 4 ps."""
    rng = np.random.default_rng(3)
    starts, stops = simulated(rng, 1e6, span_ps=2 * SECOND, pairs=40_000, drift=2e-6, bend=5e-8)
    found = delay_of_times(starts, stops, 10**8, max_drift_ppm=5.0)
    wrong = found.knot_delay_ps - 1e6 - _moved(found.knot_ps, 2 * SECOND, 2e-6, 5e-8)
    assert found.knot_ps.size > 200
    assert np.sqrt(np.mean(wrong**2)) < 6.0
    assert np.abs(wrong).max() < 30.0
    times = np.arange(0, 2 * SECOND, SECOND // 50)
    assert np.abs(found.at(times) - 1e6 - _moved(times, 2 * SECOND, 2e-6, 5e-8))[5:-5].max() < 30.0


def test_limit_few_pairs():
    """30 to 300 pairs among 3000 clicks: a delay that is found is right to 5 standard deviations, in 40 runs."""
    rng, seen = np.random.default_rng(12), 0
    for _ in range(40):
        pairs, drift_ppm = int(rng.integers(30, 300)), float(rng.uniform(-2.0, 2.0))
        starts, stops = simulated(rng, 1_234_567.0, singles=3000, pairs=pairs, drift=1e-6 * drift_ppm)
        found = delay_of_times(starts, stops, 10**8, max_drift_ppm=2.0)
        if found.significant:
            seen += 1
            expected = 1_234_567.0 + _moved(np.array([found.reference_ps]), SECOND, 1e-6 * drift_ppm, 0.0)[0]
            assert abs(found.delay_ps - expected) < 5.0 * found.error_ps
            assert found.pairs > 0.6 * pairs
    assert seen > 20


@pytest.mark.parametrize("most_ppm", [0.0, 10.0])
def test_limit_unrelated_channels_have_no_delay(most_ppm):
    """Twenty records at a false alarm of 1e-3: two or more of them stand out in less than one of 5000 runs."""
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(20):
        starts, stops = simulated(rng, 0, span_ps=SECOND // 10, singles=5000, pairs=0)
        found = delay_of_times(starts, stops, 10**8, max_drift_ppm=most_ppm, false_alarm=1e-3)
        alarms += found.significant
        assert not found.significant or found.false_alarm <= 1e-3
        assert np.isfinite([found.delay_ps, found.error_ps, found.width_ps, *found.at(starts[:2])]).all()
    assert alarms <= 1


def test_limit_light_that_is_pulsed_or_chopped_is_no_delay():
    """Two channels under one pulse train, and under one chopper: structure, but no peak that stands out from it."""
    rng = np.random.default_rng(5)
    for period_ps, share in ((10_000, 0.1), (10**7, 0.5)):
        clicks = [np.sort(rng.integers(0, SECOND // 10 // period_ps, 20_000) * period_ps) for _ in range(2)]
        clicks = [np.sort(times + rng.integers(0, int(share * period_ps), times.size)) for times in clicks]
        assert not delay_of_times(*clicks, 10**8).significant


def test_exact_correlation_of_every_pair():
    """Blocks, FFT and bins beside a count of every pair of bins."""
    rng = np.random.default_rng(6)
    starts, stops = np.sort(rng.integers(0, 100_000, 300)), np.sort(rng.integers(-5000, 105_000, 400))
    R, bin_ps, begin, span, block = 4000, 250, 3000, 60_000, 8000
    found = _correlation(starts, stops, R, bin_ps, begin, span, block)
    expected = np.zeros(found.size)
    for start in starts[(starts >= begin) & (starts < begin + span)]:
        origin = begin + (start - begin) // block * block
        last = min(origin + block, begin + span) + R
        for stop in stops[(stops >= origin - R) & (stops < last)]:
            lag = (stop - origin + R) // bin_ps - (start - origin) // bin_ps
            if 0 <= lag < found.size:
                expected[lag] += 1
    assert np.array_equal(found, expected)


def test_exact_tail_of_the_highest_lag():
    """Poisson lags about a level of 3, one of 40: the tail is summed term by term."""
    from math import exp, factorial

    lags = np.random.default_rng(7).poisson(1.5, 5000).astype(float)
    lags[1234] = 40
    place, tail, excess = _highest(lags)
    assert place in (1233, 1234)
    x = round(lags[place] + lags[place + 1])
    terms = [exp(-3.0) * 3.0**k / factorial(k) for k in range(x, x + 40)]
    assert np.log(tail) == pytest.approx(np.log(4999 * sum(terms)), rel=0.1)  # the level is estimated
    assert excess == pytest.approx(x - 3.0, abs=0.5)


@pytest.mark.parametrize("offset", [0, 1, 777, 4094])
def test_exact_pattern_offset(offset):
    """Clicks in a pattern of four intensities, a tenth of them dark counts; beside the sum at every place."""
    rng = np.random.default_rng(8)
    pattern = rng.choice([0.0, 0.1, 0.3, 0.5], 4095)
    light = rng.choice(4095, 2000, p=pattern / pattern.sum()) + offset
    slots = np.concatenate([light, rng.integers(0, 4095, 200)])
    pulse = slots + 4095 * rng.integers(-5, 10**6, slots.size)
    found = find_pattern_offset(pulse, pattern)
    sums = [pattern[(pulse - place) % 4095].sum() for place in range(4095)]
    assert found.pulses == offset == int(np.argmax(sums))
    assert found.significant


def test_limit_random_clicks_have_no_place_in_a_pattern():
    """A bound of 1e-3 on each of 50: two or more in less than one of 800 runs."""
    rng = np.random.default_rng(9)
    pattern = rng.choice([0.0, 1.0], 1000)
    found = [find_pattern_offset(rng.integers(0, 10**9, 300), pattern, false_alarm=1e-3) for _ in range(50)]
    assert sum(one.significant for one in found) <= 1


def test_exact_delay_of_tags_turns_its_sign():
    starts, stops = simulated(np.random.default_rng(10), 50_000.0, singles=1000, pairs=1000)
    time_ps, channel = np.concatenate([starts, stops]), np.repeat([3, 5], [starts.size, stops.size]).astype(np.uint8)
    order = np.argsort(time_ps, kind="stable")
    tags = TimeTags(channel[order], time_ps[order], "random")
    there, back = find_delay(tags, 3, 5, 10**6), find_delay(tags, 5, 3, 10**6)
    assert there.delay_ps == pytest.approx(-back.delay_ps, abs=0.01)


def test_error_sentences():
    times = np.arange(10) * 1000
    with pytest.raises(InputError, match="`starts` must never fall, but does after click 4"):
        delay_of_times(np.where(times > 4000, times - 3000, times), times, 10**6)
    with pytest.raises(InputError, match="`stops` must have clicks, but has none"):
        delay_of_times(times, times[:0], 10**6)
    with pytest.raises(InputError, match="`range_ps` must be at least 16384, but is 10"):
        delay_of_times(times, times, 10)
    with pytest.raises(InputError, match="No start has a stop within `range_ps` = 100000"):
        delay_of_times(times, times + 10**9, 10**5)
    with pytest.raises(InputError, match="`pattern` must have 2 to 2\\^24 slots that differ, but has 3"):
        find_pattern_offset(times, np.ones(3))


def test_limit_unknown_slots_of_a_pattern_do_not_make_it_significant():
    """Clicks that all fall where the pattern is known scatter as it does there: 60 foreign patterns, none found."""
    rng = np.random.default_rng(8)
    for _ in range(60):
        pattern = np.full(1 << 14, np.nan)
        pattern[:3000] = rng.choice([0.0, 0.1, 0.5], 3000)
        assert not find_pattern_offset(rng.integers(0, 3000, 2000), pattern).significant
    light = np.flatnonzero(rng.random(3000) < pattern[:3000])
    found = find_pattern_offset(light + 7000, pattern)
    assert (found.pulses, found.significant) == (7000, True)
