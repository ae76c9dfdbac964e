"""Coincidences beside loops over every pair, and a photon source beside another program's histogram."""

from pathlib import Path

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.timetags.clock import SteadyClock, recover_clock
from combmesh.link.timetags.coincidence import coincidence_histogram, coincidences, gate, pulsed_g2
from combmesh.link.timetags.tags import TimeTags

CASES = Path(__file__).parents[4] / "shared" / "cases" / "timetags"
SOURCE = CASES / "eta_200204_HH400_T2_320MHz_HBT.timeres"


def random_tags(rng, events=400, span_ps=20_000, channels=3):
    time_ps = np.sort(rng.integers(0, span_ps, events))
    return TimeTags(rng.integers(0, channels, events).astype(np.uint8), time_ps, "random", duration_s=span_ps * 1e-12)


def all_differences(tags, a, b):
    """Every difference of two different clicks, one by one."""
    pairs = [
        (int(tags.time_ps[j]) - int(tags.time_ps[i]))
        for i in np.flatnonzero(tags.channel == a)
        for j in np.flatnonzero(tags.channel == b)
        if i != j
    ]
    return np.array(pairs)


def pulsed(rng, centre_share, delay_ps=3000, period_ps=1000, pulses=400_000):
    """Two channels of pulses that click independently, but in one pulse together only `centre_share` as often."""
    clicks = rng.random((2, pulses)) < 0.05
    together = np.flatnonzero(clicks[0] & clicks[1])
    clicks[1, together[rng.random(together.size) >= centre_share]] = False
    times, channels = [], []
    for channel in (0, 1):
        pulse = np.flatnonzero(clicks[channel])
        times.append(pulse * period_ps + channel * delay_ps + rng.normal(0.0, 40.0, pulse.size).round().astype(int))
        channels.append(np.full(pulse.size, channel, np.uint8))
    time_ps, channel = np.concatenate(times), np.concatenate(channels)
    order = np.argsort(time_ps, kind="stable")
    return TimeTags(channel[order], time_ps[order], "random", duration_s=pulses * period_ps * 1e-12)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (2, 0), (1, 1)])
@pytest.mark.parametrize(("range_ps", "bin_ps", "delay_ps"), [(100, 1, 0), (1000, 8, 0), (700, 7, -450), (60, 5, 900)])
def test_exact_histogram_of_every_pair(a, b, range_ps, bin_ps, delay_ps):
    """Times in steps of 50 ps make ties, and differences on the edges of bins."""
    tags = random_tags(np.random.default_rng(a + 10 * b))
    tags = TimeTags(tags.channel, tags.time_ps // 50 * 50, "random", duration_s=2e-8)
    found = coincidence_histogram(tags, a, b, range_ps, bin_ps, delay_ps=delay_ps)
    expected, _ = np.histogram(all_differences(tags, a, b), found.edges_ps - 0.5)
    assert np.array_equal(found.counts, expected)
    assert found.edges_ps[0] == delay_ps - range_ps
    assert found.edges_ps[-1] == delay_ps + range_ps


def test_exact_mirror_image():
    """Bins of 1 ps hold one difference each: a and b exchanged turns its sign."""
    tags = random_tags(np.random.default_rng(3))
    there, back = (coincidence_histogram(tags, *pair, 300, 1).counts for pair in ((0, 1), (1, 0)))
    assert np.array_equal(there[1:], back[1:][::-1])


def test_limit_uniform_clicks_give_the_accidentals():
    """4e6 differences; those of one click are not independent, so the middle has three times Poisson's scatter."""
    tags = random_tags(np.random.default_rng(5), events=4000, span_ps=10**9, channels=2)
    found = coincidence_histogram(tags, 0, 1, 5 * 10**8, 5 * 10**6)
    assert found.accidentals.sum() == pytest.approx(found.counts.sum(), rel=0.01)
    rate_a, rate_b = (n / found.duration_s for n in found.events)
    level = rate_a * rate_b * found.bin_ps * 1e-12 * found.duration_s
    assert found.accidentals.max() == pytest.approx(level, rel=0.01)
    near = found.counts[95:105].sum()
    assert abs(near - found.accidentals[95:105].sum()) < 5.0 * np.sqrt(near) * 3.0  # pairs share their clicks


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_limit_g2_is_the_share_of_common_clicks(share):
    """Channel b clicks in 0.05 (1 - 0.05 (1 - share)) of the pulses; 5 standard deviations: once in 1.7e6 times."""
    histogram = coincidence_histogram(pulsed(np.random.default_rng(7), share), 0, 1, 20_000, 50)
    found = pulsed_g2(histogram, 1000.0)
    assert abs(found.g2 - share / (0.95 + 0.05 * share)) < 5.0 * found.error
    assert found.centre_ps == pytest.approx(3000.0, abs=10.0)
    assert found.false_alarm < 1e-12
    assert found.side_counts.size == 38
    assert found.side_mean == pytest.approx(found.side_counts.mean())


def test_limit_coherent_light_has_no_centre():
    """Peaks of one height: the one that departs most is no news, and where the delay is known g2 is 1."""
    histogram = coincidence_histogram(pulsed(np.random.default_rng(8), 1.0), 0, 1, 20_000, 50)
    assert pulsed_g2(histogram, 1000.0).false_alarm > 1e-4  # below that once in 1e4 times
    known = pulsed_g2(histogram, 1000.0, delay_ps=2900.0)
    assert abs(known.g2 - 1.0) < 5.0 * known.error
    assert known.centre_ps == pytest.approx(3000.0, abs=10.0)


def test_exact_peaks_of_a_window():
    """Each peak's pairs counted one by one."""
    tags = pulsed(np.random.default_rng(9), 0.2, pulses=5000)
    found = pulsed_g2(coincidence_histogram(tags, 0, 1, 10_000, 1), 1000.0, window_ps=301.0, delay_ps=3000.0)
    differences = all_differences(tags, 0, 1)
    assert found.centre_count == np.count_nonzero(np.abs(differences - found.centre_ps) <= 150.5)


@pytest.mark.parametrize("delays", [{}, {0: 130, 2: -75}, {1: 5000}])
def test_exact_twofold_search(delays):
    tags = random_tags(np.random.default_rng(11), events=150, span_ps=4000)
    found = coincidences(tags, (0, 1, 2), 40, delays)
    time = [int(t) - delays.get(int(c), 0) for t, c in zip(tags.time_ps, tags.channel, strict=True)]
    expected = {
        frozenset((i, j))
        for i in range(150)
        for j in range(i)
        if tags.channel[i] != tags.channel[j] and abs(time[i] - time[j]) <= 40
    }
    assert len(found) == len(expected)
    assert {frozenset(pair) for pair in found.tolist()} == expected
    assert all(time[i] <= time[j] for i, j in found.tolist())


def test_exact_twofold_search_leaves_other_channels_out():
    tags = random_tags(np.random.default_rng(12))
    assert set(tags.channel[coincidences(tags, (2, 0), 100)].ravel().tolist()) == {0, 2}


def test_exact_gate():
    tags = random_tags(np.random.default_rng(13))
    kept = gate(tags, SteadyClock(400.0, 10.0), 100.0)
    expected = [t for t in tags.time_ps.tolist() if min((t - 10) % 400, (10 - t) % 400) <= 50]
    assert kept.time_ps.tolist() == expected
    assert kept.duration_s == tags.duration_s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 7, 100, 10), "Channel 7 has no clicks; the channels with clicks are 0, 1, 2."),
        ((0, 1, 100, 0), "`bin_ps` must be at least 1, but is 0."),
        ((0, 1, 105, 10), "`range_ps` must be a whole number of bins of 10 ps, but is 105."),
        ((0, 1, 2**29, 1), "`range_ps` of 536870912 has more than 2\\^28 bins of 1 ps; take wider ones."),
    ],
)
def test_error_sentences_of_the_histogram(arguments, message):
    with pytest.raises(InputError, match=message):
        coincidence_histogram(random_tags(np.random.default_rng(1)), *arguments)


def test_error_sentences_of_searches():
    tags = random_tags(np.random.default_rng(1))
    histogram = coincidence_histogram(tags, 0, 1, 1000, 10)
    with pytest.raises(InputError, match="g2 needs a range of 4 whole periods, but 900 ps fits"):
        pulsed_g2(histogram, 900.0)
    with pytest.raises(InputError, match="`channels` must name at least 2 different channels, but is \\[1, 1\\]"):
        coincidences(tags, (1, 1), 10)
    with pytest.raises(InputError, match="`window_ps` must be at least 0, but is -1"):
        coincidences(tags, (0, 1), -1)
    with pytest.raises(InputError, match="`window_ps` must be a finite number above 0, but is 0"):
        gate(tags, SteadyClock(400.0), 0.0)


@pytest.mark.skipif(not SOURCE.exists(), reason="the recording of the ETA project is not here")
def test_published_single_photon_source():
    """A quantum dot pulsed at 320 MHz; histograms by ETA, which leaves out 1 % of the pairs.

    ETA's peaks: 29 beside the centre, of about 505 pairs, and one pair at 23.975 ns.
    """
    from combmesh.link.timetags.reading import read_tags

    tags = read_tags(SOURCE)
    a, b = sorted(tags.events)
    theirs = np.load(SOURCE.with_name("eta_200204_HH400_T2_320MHz_HBT_g2.npz"))
    for channels, name in (((a, b), "hist1"), ((b, a), "hist2")):
        ours = coincidence_histogram(tags, *channels, 160_000, 16).counts[10_000:]
        assert (ours >= theirs[name]).all()
        assert ours.sum() - theirs[name].sum() < 0.01 * ours.sum()
    clock = recover_clock(tags, 1e6 / 320, max_offset_ppm=2000.0)
    light = gate(tags, clock, 1500.0)
    found = pulsed_g2(coincidence_histogram(light, a, b, 48_000, 25, delay_ps=25_525), clock.period_ps)
    assert found.side_counts.size == 29
    assert found.side_mean == pytest.approx(505.0, abs=10.0)
    assert found.centre_ps == pytest.approx(23_975.0, abs=100.0)
    assert found.centre_count == 1
    assert found.g2 == pytest.approx(0.002, abs=0.0001)
