"""Disturbances, beats of two terminals, Allan deviation, the test among lines, and three hours on few seeds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.locks import beat, rubidium, three_hours
from combmesh.device.locks.beat import Terminal, allan_deviation_hz, homogeneity
from combmesh.device.locks.noise import Flicker, OrnsteinUhlenbeck, Ramp, RandomWalk, Scaled, Sine, Total, White
from combmesh.device.locks.repetition import temperature_lock
from combmesh.ground.errors import InputError

STEPS, DT_S = 10_800, 1.0


def drawn(noise, seeds=60):
    return np.array([noise.draw(np.random.default_rng([1, seed]), STEPS, DT_S) for seed in range(seeds)])


def test_exact_noises_have_their_own_moments():
    """60 records each; five standard errors of the mean square."""
    white = drawn(White(3.0))
    assert (white**2).mean() == pytest.approx(9.0, rel=5 * math.sqrt(2 / white.size))
    walk = drawn(RandomWalk(2.0))[:, -1]
    assert (walk**2).mean() == pytest.approx(4.0 * STEPS, rel=5 * math.sqrt(2 / 60))
    ou = drawn(OrnsteinUhlenbeck(5.0, 20.0))
    few = 5 * math.sqrt(2 * 20.0 / ou.size)  # independent once in tau_c
    assert (ou**2).mean() == pytest.approx(25.0, rel=few)
    assert (ou[:, 20:] * ou[:, :-20]).mean() == pytest.approx(25.0 / math.e, rel=3 * few)


def test_exact_flicker_has_a_flat_allan_deviation():
    """Its defining property: 7 Hz at 10, 100 and 1000 s (at the sampling step the band ends and it reads less)."""
    times_s = np.array([10.0, 100.0, 1000.0])
    mean = np.mean([allan_deviation_hz(trace, DT_S, times_s) ** 2 for trace in drawn(Flicker(7.0))], axis=0) ** 0.5
    np.testing.assert_allclose(mean, 7.0, rtol=0.1)


def test_exact_ramp_sine_sum_and_scale():
    rng = np.random.default_rng(2)
    np.testing.assert_allclose(Ramp(2.0).draw(rng, 3, 0.5), [1.0, 2.0, 3.0])
    sine = Sine(4.0, 100.0).draw(rng, 1000, 1.0)
    assert sine.std() == pytest.approx(4.0 / math.sqrt(2.0), rel=1e-9)
    both = Scaled(Total((Ramp(1.0), Ramp(2.0))), 3.0).draw(rng, 2, 1.0)
    np.testing.assert_allclose(both, [9.0, 18.0])


def slow_allan(y, gate_s, m):
    """Overlapping Allan deviation as defined, by averages: every pair of adjacent means of m values."""
    means = [sum(y[i : i + m]) / m for i in range(len(y) - m + 1)]
    pairs = [(means[i + m] - means[i]) ** 2 for i in range(len(means) - m)]
    return math.sqrt(sum(pairs) / len(pairs) / 2.0)


def test_exact_allan_deviation_against_its_definition():
    y = np.random.default_rng(3).normal(5e4, 1.0, 200)
    times_s = np.array([2.0, 6.0, 50.0, 200.0])
    slow = [slow_allan(list(y), 2.0, round(time_s / 2.0)) for time_s in times_s]
    np.testing.assert_allclose(allan_deviation_hz(y, 2.0, times_s), slow, rtol=1e-8)


def test_paper_notes_allan_of_the_rubidium_noise():
    """OU of 30.7 kHz and 10 s, sampled each second: 9.5, 17.9, 12.7, 4.4 kHz at 1, 10, 100, 1000 s (notes)."""
    times_s = np.array([1.0, 10.0, 100.0, 1000.0])
    squares = [allan_deviation_hz(x, DT_S, times_s) ** 2 for x in drawn(OrnsteinUhlenbeck(30.7, 10.0))]
    np.testing.assert_allclose(np.mean(squares, axis=0) ** 0.5, [9.5, 17.9, 12.7, 4.4], rtol=0.05)


def test_exact_printed_beats_were_not_sampled_together():
    """For equal instants var(+) + var(-) - 2 var(0) = 2 n^2 var(difference of the spacings) is at least 0."""
    printed = rubidium.PRINTED_BEATS_KHZ
    assert printed[15] ** 2 + printed[-15] ** 2 - 2 * printed[0] ** 2 == pytest.approx(-41.6, abs=0.05)
    one, other = (beat.run(Terminal(), np.random.default_rng(seed), 1.0) for seed in (4, 5))
    var = {line: beat.beat_hz(one, other, line).var() for line in (-15, 0, 15)}
    spacing = (one.rep_rate_hz - other.rep_rate_hz).var()
    assert var[15] + var[-15] - 2 * var[0] == pytest.approx(2 * 225 * spacing, rel=1e-9)


@pytest.mark.parametrize(
    ("noise", "allowed"),
    [
        (White(1.0), False),
        (OrnsteinUhlenbeck(1.0, 10.0), True),
        (OrnsteinUhlenbeck(1.0, 100.0), True),
        (Flicker(1.0), True),
        (Total((White(1.66), Flicker(0.55))), True),  # half of the variance each
    ],
)
def test_paper_spread_excludes_white_rubidium_noise(noise, allowed):
    """29.6 to 31.1 kHz scatter by 5 %; white noise at a gate of 1 s scatters by 0.7 % a value."""
    assert rubidium.spread(noise, np.random.default_rng(6)).allowed is allowed


def test_exact_references_pull_far_lines_apart():
    """A reference 1e-9 off is 49 Hz of the spacing, 4.9 kHz at line 100 (notes), and nothing at line 0."""
    plain = Terminal()
    off = replace(plain, reference_error=1e-9)
    one, other = (beat.run(terminal, np.random.default_rng(7), 0.1) for terminal in (off, plain))
    for line in (0, 100, -100):
        np.testing.assert_allclose(beat.beat_hz(one, other, line), -49.0 * line, atol=1e-6)
    twice = beat.run(replace(off, rep_rate_hz=98e9), np.random.default_rng(7), 0.1)
    np.testing.assert_allclose(beat.beat_hz(twice, other, 1), -98.0, atol=1e-6)


def test_exact_record_of_a_beat():
    one, other = (beat.run(Terminal(), np.random.default_rng(seed), 1.0) for seed in (8, 9))
    record = beat.beat(one, other, 15)
    assert record.std_hz == record.trace_hz.std()
    assert record.distribution.counts.sum() == record.trace_hz.size == 3600
    assert list(record.allan_times_s) == [1.0, 10.0, 100.0, 1000.0]
    assert one.time_s[-1] == 3600.0
    assert one.losses == 0


@pytest.mark.parametrize("concurrent", [False, True])
def test_limit_test_among_lines_keeps_its_false_alarm_rate(concurrent):
    """400 triples without a difference at a rate of 5 %: 20 alarms expected, more than 36 by chance once in 3000."""
    rng, alarms = np.random.default_rng(10), 0
    for _ in range(400):
        own = np.array([OrnsteinUhlenbeck(30.0, 5.0).draw(rng, 3000, 1.0) for _ in range(3)])
        if concurrent:
            own = 0.1 * own + OrnsteinUhlenbeck(30.0, 5.0).draw(rng, 3000, 1.0)
        alarms += homogeneity(own, 1.0, 100.0, concurrent).significant(0.05)
    assert alarms <= 36


def test_limit_test_among_lines_sees_what_is_there():
    rng = np.random.default_rng(11)
    lines = np.array([OrnsteinUhlenbeck(30.0, 10.0).draw(rng, STEPS, 1.0) for _ in range(3)])
    assert homogeneity(lines * [[1.0], [1.0], [1.5]], 1.0, 300.0, False).p_spread < 1e-3
    assert homogeneity(lines + np.array([[0.0], [0.0], [30.0]]), 1.0, 300.0, False).p_mean < 1e-3
    assert homogeneity(lines[0] + np.array([[0.0], [0.1], [0.2]]), 1.0, 300.0, True).p_mean < 1e-3


def test_exact_theory_of_a_locked_random_walk():
    """x -> 0 is q / sqrt(2 wc); 175 Hz/sqrt(s) at 0.2 rad/s is 277 Hz, 208 Hz with a gate of 10 s; range 66 mK."""
    assert three_hours.theory_std_hz(175.0, 0.2) == pytest.approx(276.7, abs=0.1)
    assert three_hours.theory_std_hz(175.0, 0.2, 1e-3) == pytest.approx(276.7, abs=0.1)
    assert three_hours.theory_std_hz(175.0, 0.2, 10.0) == pytest.approx(208.5, abs=0.5)
    assert three_hours.theory_range_k(175.0, 3.0, -0.44e6) == pytest.approx(65.9e-3, abs=0.1e-3)


def test_limit_half_the_gain_as_theory_says():
    """12 seeds; theory knows no delay of a period, which costs 4 % at 0.2 rad/s and 2 % at 0.1."""
    found = [
        three_hours.figures(temperature_lock(crossover_rad_s=wc), RandomWalk(175.6), range(12)).std_hz.mean()
        for wc in (0.2, 0.1)
    ]
    theory = [three_hours.theory_std_hz(175.6, wc, 10.0) for wc in (0.2, 0.1)]
    np.testing.assert_allclose(found, theory, rtol=0.06)
    assert found[1] / found[0] == pytest.approx(theory[1] / theory[0], rel=0.04)


def test_exact_half_the_disturbance_is_half_of_everything():
    whole, half = (
        three_hours.figures(temperature_lock(), Scaled(RandomWalk(175.6), factor), range(3)) for factor in (1.0, 0.5)
    )
    for name in ("std_hz", "peak_to_peak_hz", "range_mk"):
        np.testing.assert_allclose(getattr(half, name), 0.5 * getattr(whole, name), rtol=1e-5)


def test_limit_verdict_on_few_seeds():
    walk = three_hours.verdict("random walk", temperature_lock(), RandomWalk(175.0), seeds=range(12))
    sine = three_hours.verdict("sine", temperature_lock(), Sine(3000.0, 600.0), seeds=range(3))
    assert walk.allowed
    assert not sine.allowed
    assert sine.peak_to_peak_hz == pytest.approx(2**1.5 * 215.0, rel=0.01)  # of a sine: 608 Hz
    assert walk.fitted.mark.kind == "fitted"
    assert "215 Hz" in walk.fitted.mark.note


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: allan_deviation_hz(np.zeros(100), 1.0, np.array([60.0])), "half the record of 100 s, but has 60"),
        (lambda: allan_deviation_hz(np.zeros(100), 1.0, np.array([1.5])), "multiples of the gate.*1.5"),
        (lambda: homogeneity(np.zeros((2, 100)), 1.0, 10.0, True), r"\(line, gate\).*3 lines.*\(2, 100\)"),
        (lambda: homogeneity(np.ones((3, 100)), 1.0, 50.0, True), "8 blocks.*50 leaves 2"),
        (lambda: homogeneity(np.full((3, 100), np.nan), 1.0, 10.0, True), "some are missing"),
        (lambda: Terminal(reference_error=0.1), "`reference_error`.*0.1"),
        (lambda: beat.run(Terminal(), np.random.default_rng(1), hours=0.0), "`hours`.*0"),
        (lambda: three_hours.Record(gate_s=-1.0), "`gate_s`.*-1"),
        (
            lambda: three_hours.fit_disturbance(temperature_lock(), RandomWalk(0.0), seeds=range(1)),
            "`noise` must be able to make 215 Hz, but gives 0 Hz",
        ),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        bad()
