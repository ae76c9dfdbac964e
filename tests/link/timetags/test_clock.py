"""Clocks recovered from simulated light, whose pulse of each click is known; the parts beside plain sums."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from combmesh.ground.errors import InputError
from combmesh.link.timetags.clock import SteadyClock, _slices, _strongest, recover_clock
from combmesh.link.timetags.clock_kernels import kalman
from combmesh.link.timetags.coincidence import coincidence_histogram, gate
from combmesh.link.timetags.tags import TimeTags

SOURCE = Path(__file__).parents[4] / "shared" / "cases" / "timetags" / "eta_200204_HH400_T2_320MHz_HBT.timeres"
PERIOD_PS = 400.0
SIGMA_PS = 95.0 / np.sqrt(8.0 * np.log(2.0))


class Light:
    """Clicks of four detectors in a train of pulses, with the pulse and the jitter of each; dark counts have pulse -1.

    `late_ps` is a function of the nominal time in s: what drift and wander add to it, ps.
    """

    def __init__(self, rng, pulses, share, dark, late_ps, ppm=20.0, keep=None):
        period_ps = PERIOD_PS * (1.0 + 1e-6 * ppm)
        pulse = np.sort(rng.integers(0, pulses, rng.binomial(pulses, share)))
        if keep is not None:
            pulse = pulse[keep(pulse * period_ps * 1e-12)]
        self.delay_ps = rng.uniform(-50_000.0, 50_000.0, 4)
        channel = rng.integers(0, 4, pulse.size)
        jitter = rng.normal(0.0, SIGMA_PS, pulse.size)
        sent = pulse * period_ps
        dark_counts = int(pulse.size * dark / (1.0 - dark))
        time = np.concatenate([sent + late_ps(sent * 1e-12) + self.delay_ps[channel] + jitter,
                               rng.uniform(0.0, pulses * period_ps, dark_counts)])  # fmt: skip
        order = np.argsort(time, kind="stable")
        channel = np.concatenate([channel, rng.integers(0, 4, dark_counts)])[order].astype(np.uint8)
        self.tags = TimeTags(channel, np.rint(time[order]).astype(np.int64), "random")
        self.pulse = np.concatenate([pulse, np.full(dark_counts, -1)])[order]
        self.jitter = np.concatenate([jitter, np.zeros(dark_counts)])[order]

    def slips(self, clock):
        """Clicks of light whose pulse is not the true one, but for a constant of each channel.

        Jitter beyond 185 ps puts a click nearer to another pulse, whatever the clock.
        """
        found, _ = clock.pulse_of(self.tags.time_ps, self.tags.channel)
        sure = (self.pulse >= 0) & (np.abs(self.jitter) < 185.0)
        slips = 0
        for c in range(4):
            off = (found - self.pulse)[sure & (self.tags.channel == c)]
            slips += int(np.count_nonzero(off != off[0]))
        return slips

    def error_ps(self, clock):
        """Rms error of the phase, each channel's mean taken off, without the 0.29 ps of rounding."""
        _, residual = clock.pulse_of(self.tags.time_ps, self.tags.channel)
        sure = (self.pulse >= 0) & (np.abs(self.jitter) < 185.0)
        error, channel = (residual - self.jitter)[sure], self.tags.channel[sure]
        error -= np.array([error[channel == c].mean() for c in range(4)])[channel]
        return float(np.sqrt(max(np.mean(error**2) - 1.0 / 12.0, 0.0)))


def wandering(rng, span_s, drift=1e-9, wander=1e-9, steps=4000):
    """The integral of a relative rate that drifts, per second, and walks at random, per root of a second; ps of s."""
    grid = np.linspace(0.0, span_s, steps)
    dt = grid[1]
    rate = drift * grid + np.concatenate([[0.0], np.cumsum(rng.normal(0.0, wander * np.sqrt(dt), steps - 1))])
    late = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]))]) * dt * 1e12
    return lambda t: np.interp(t, grid, late)


@pytest.mark.parametrize(
    ("pulses", "share", "dark", "wander", "best_ps"),
    [
        (10**9, 1e-3, 0.01, 0.0, 0.1),
        (10**9, 1e-3, 0.2, 1e-9, 0.4),
        (10**9, 1e-3, 0.5, 1e-9, 0.5),
        (10**7, 0.1, 0.2, 1e-9, 0.15),
        (5 * 10**9, 1e-4, 0.5, 1e-9, 1.2),
    ],
)
def test_limit_every_pulse_number_is_the_true_one(pulses, share, dark, wander, best_ps):
    """Offset 20 ppm, drift 1e-9 a second, four delays: no slip in 10^6 clicks, and phases as good as counts allow.

    The smoother states its error; the error seen lies within 30 % of it, or within 0.1 ps.
    """
    rng = np.random.default_rng(pulses % 1009 + int(100 * dark))
    light = Light(rng, pulses, share, dark, wandering(rng, pulses * 4e-10, wander=wander))
    clock = recover_clock(light.tags, PERIOD_PS)
    assert light.slips(clock) == 0
    error = light.error_ps(clock)
    assert error < best_ps
    assert error == pytest.approx(clock.phase_error_ps, rel=0.3, abs=0.1)
    assert clock.period_ps == pytest.approx(PERIOD_PS * (1.0 + 20e-6), abs=5e-6)
    wrong = clock.delay_ps - light.delay_ps + light.delay_ps[0]
    assert np.abs(wrong - clock.period_ps * np.rint(wrong / clock.period_ps)).max() < 1.0
    assert clock.jitter_ps == pytest.approx(SIGMA_PS, rel=0.02)
    assert clock.light_share == pytest.approx(1.0 - dark, abs=0.01)
    assert np.allclose(clock.contrast, (1.0 - dark) * np.exp(-2.0 * (np.pi * SIGMA_PS / PERIOD_PS) ** 2), atol=0.01)
    assert clock.residual_rms_ps == pytest.approx(np.sqrt((1 - dark) * SIGMA_PS**2 + dark * 400**2 / 12), rel=0.01)
    assert clock.false_alarm < 1e-9


@pytest.mark.parametrize("ppm", [-99.0, 0.0, 99.0])
def test_limit_far_from_the_nominal_period(ppm):
    rng = np.random.default_rng(3)
    light = Light(rng, 10**8, 1e-3, 0.1, lambda t: 5e-7 * t * t * 5e11, ppm=ppm)  # a drift of 5e-7 a second
    assert light.slips(recover_clock(light.tags, PERIOD_PS)) == 0


def test_limit_gap_in_the_light():
    """3 ms without light: the rate is known well enough to count through the gap."""
    rng = np.random.default_rng(4)
    keep = lambda t: (t < 0.02) | (t > 0.023)  # noqa: E731
    light = Light(rng, 10**8, 1e-2, 0.02, wandering(rng, 0.04), keep=keep)
    assert light.slips(recover_clock(light.tags, PERIOD_PS)) == 0


def test_limit_gap_that_is_too_long_is_refused():
    """0.4 s: under a wander of 1e-7 the phase may move by 10 pulses."""
    rng = np.random.default_rng(5)
    keep = lambda t: (t < 0.1) | (t > 0.5)  # noqa: E731
    light = Light(rng, 15 * 10**8, 1e-4, 0.02, wandering(rng, 0.6), keep=keep)
    with pytest.raises(
        InputError, match=r"A cycle slip cannot be excluded between 0\.\d+ s and 0\.\d+ s: too few clicks"
    ):
        recover_clock(light.tags, PERIOD_PS, wander=1e-7)


@pytest.mark.parametrize("jump_ps", [100.0, 200.0])
def test_limit_phase_that_jumps_is_refused(jump_ps):
    light = Light(np.random.default_rng(6), 10**8, 1e-2, 0.1, lambda t: jump_ps * (t > 0.025))
    with pytest.raises(InputError, match=r"between 0\.02\d+ s and 0\.02\d+ s: the phase is 0\.\d+ pulses from what is"):
        recover_clock(light.tags, PERIOD_PS)


def test_limit_rate_that_jumps_is_refused():
    """1 ppm at once: 2.5 pulses each ms; the next piece, of 4 us, shows 0.01, and one after it more than 7 sigma."""
    light = Light(np.random.default_rng(7), 10**8, 1e-2, 0.1, lambda t: 1e6 * np.maximum(t - 0.02, 0.0))
    with pytest.raises(InputError, match=r"A cycle slip cannot be excluded between 0\.0"):
        recover_clock(light.tags, PERIOD_PS)


def test_limit_random_clicks_have_no_clock():
    """200 records at a false alarm of 0.01, which is an upper bound: 9 or more in less than one of 4000 runs."""
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(200):
        time_ps = np.sort(rng.integers(0, 10**9, 500))
        tags = TimeTags(rng.integers(0, 4, 500).astype(np.uint8), time_ps, "random")
        try:
            recover_clock(tags, PERIOD_PS, false_alarm=0.01)
            alarms += 1
        except InputError as error:
            alarms += not str(error).startswith("No clock is seen within 100 ppm of `nominal_period_ps` = 400")
    assert alarms <= 8


def test_exact_strongest_rate_beside_a_plain_sum():
    """FFT over slices, refined, beside exp(2 pi i f t) summed over all clicks at rates a thousandth of a line apart."""
    rng = np.random.default_rng(9)
    light = Light(rng, 10**7, 1e-4, 0.3, lambda t: 0.0 * t)
    time_ps, place = light.tags.time_ps, light.tags.channel
    L, clicks = float(time_ps[-1] - time_ps[0]), np.bincount(place)
    width = PERIOD_PS / 16e-4
    g, z, _ = _strongest(_slices(time_ps, place, 4, PERIOD_PS, width), clicks, width, 1e-4 / PERIOD_PS)

    def power(rate):
        waves = np.exp(2j * np.pi * ((time_ps - time_ps[0]) * rate % 1.0))
        return sum(abs(waves[place == c].sum()) ** 2 / clicks[c] for c in range(4))

    rates = 1.0 / PERIOD_PS + g + np.arange(-500, 501) * 1e-3 / L
    powers = np.array([power(rate) for rate in rates])
    assert abs(powers.argmax() - 500) < 40  # of 1000 steps a line: its own error is 22
    assert z == pytest.approx(powers.max(), rel=0.01)


def test_exact_smoother_beside_its_matrix():
    """Least squares over all phases with the covariance of the integrated random walk written out."""
    rng = np.random.default_rng(10)
    K, q, v = 12, 0.3, 2.0
    dt, R, phase = rng.uniform(0.1, 1.0, K - 1), rng.uniform(0.05, 0.5, K), rng.normal(0.0, 1.0, K)
    likelihood, mean, variance = kalman(dt, phase, R, q, v)
    t = np.concatenate([[0.0], np.cumsum(dt)])
    low, high = np.minimum.outer(t, t), np.maximum.outer(t, t)
    walk = q * low**2 * (3.0 * high - low) / 6.0 + v * np.outer(t, t) + R[0]  # the first phase is the start
    seen = phase[1:] - phase[0]
    S = walk[1:, 1:] + np.diag(R[1:])
    expected = phase[0] + walk[:, 1:] @ np.linalg.solve(S, seen)
    assert mean[:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    spread = np.diag(walk - walk[:, 1:] @ np.linalg.solve(S, walk[1:, :]))
    assert variance == pytest.approx(spread, rel=1e-8)
    log_det = np.linalg.slogdet(2.0 * np.pi * S)[1]
    assert likelihood == pytest.approx(-0.5 * (log_det + seen @ np.linalg.solve(S, seen)), rel=1e-10)


def test_exact_pulse_numbers_beside_scipy():
    """SciPy's cubic over the knots, times in any order and beyond both ends."""
    rng = np.random.default_rng(11)
    light = Light(rng, 10**7, 1e-2, 0.1, wandering(rng, 0.004, wander=1e-8))
    clock = recover_clock(light.tags, PERIOD_PS)
    t, phase = (clock.knot_ps - clock.knot_ps[0]).astype(float), clock.knot_pulse + clock.knot_fraction
    spline = CubicHermiteSpline(t, phase, clock.knot_rate)
    time_ps = rng.integers(clock.knot_ps[0], clock.knot_ps[-1], 2000)
    pulse, residual = clock.pulse_of(time_ps)
    turned = (pulse + residual / clock.period_ps) - spline(time_ps - clock.knot_ps[0])
    assert np.abs(turned).max() < 1e-5
    beyond = np.array([clock.knot_ps[-1] + 4000, clock.knot_ps[0] - 4000])
    ends, _ = clock.pulse_of(beyond)
    assert ends.tolist() == np.rint(phase[[-1, 0]] + clock.knot_rate[[-1, 0]] * [4000, -4000]).tolist()
    first, _ = clock.pulse_of(light.tags.time_ps[:1], light.tags.channel[:1])
    assert first.tolist() == [0]


def test_exact_once_and_again():
    light = Light(np.random.default_rng(12), 10**7, 1e-2, 0.1, lambda t: 0.0 * t)
    one, two = recover_clock(light.tags, PERIOD_PS), recover_clock(light.tags, PERIOD_PS)
    assert np.array_equal(one.knot_fraction, two.knot_fraction)
    assert one.period_ps == two.period_ps


def test_limit_gate_keeps_the_light():
    """Within 200 ps lie 98.7 % of the light and half of the background; four standard deviations."""
    light = Light(np.random.default_rng(13), 10**7, 2e-2, 0.5, lambda t: 0.0 * t)
    kept = gate(light.tags, recover_clock(light.tags, PERIOD_PS), 200.0)
    dark = np.count_nonzero(light.pulse < 0)
    bright = light.pulse.size - dark
    expected = 0.98685 * bright + 0.5 * dark
    assert abs(kept.time_ps.size - expected) < 4.0 * np.sqrt(0.25 * dark + 0.013 * bright)


@pytest.mark.skipif(not SOURCE.exists(), reason="the recording of the ETA project is not here")
def test_published_pulses_of_a_laser():
    """A quantum dot's photons, said to be pulsed at 320 MHz: 1007 ppm less, as the differences of its channels show.

    Pairs up to 2 us apart, whose clock is the instrument's alone, tell the period to about 0.02 ps in 2 us / 3 ns.
    """
    from combmesh.link.timetags.reading import read_tags

    tags = read_tags(SOURCE)
    with pytest.raises(InputError, match="No clock is seen within 100 ppm of `nominal_period_ps` = 3125"):
        recover_clock(tags, 1e6 / 320)
    clock = recover_clock(tags, 1e6 / 320, max_offset_ppm=2000.0)
    histogram = coincidence_histogram(tags, *sorted(tags.events), 2_000_000, 50)
    periods = 3125.0 + 0.01 * np.arange(1000)
    waves = [abs(np.exp(2j * np.pi * histogram.centres_ps / T) @ histogram.counts) for T in periods]
    assert clock.period_ps == pytest.approx(periods[int(np.argmax(waves))], abs=0.03)
    assert clock.contrast.min() > 0.96
    assert clock.phase_error_ps < 2.0


def test_error_sentences():
    tags = TimeTags(np.zeros(50, np.uint8), np.arange(50) * 4000, "random")
    with pytest.raises(InputError, match="A clock needs at least 100 clicks, but there are 50"):
        recover_clock(tags, PERIOD_PS)
    with pytest.raises(InputError, match="`nominal_period_ps` must be at least 512, but is 400"):
        recover_clock(replace(tags, resolution_ps=256.0), PERIOD_PS)
    with pytest.raises(InputError, match="`time_ps` must never fall, but does"):
        recover_clock(replace(tags, time_ps=-tags.time_ps), PERIOD_PS)
    with pytest.raises(InputError, match="`period_ps` must be a finite number above 0, but is -1"):
        SteadyClock(-1.0)
    light = Light(np.random.default_rng(14), 10**7, 1e-2, 0.1, lambda t: 0.0 * t)
    with pytest.raises(InputError, match="The clock knows the channels \\[0, 1, 2, 3\\], but not \\[7\\]"):
        recover_clock(light.tags, PERIOD_PS).pulse_of(np.array([5]), np.array([7], np.uint8))
