"""The two locks: plant, sign, sight, loss, and the same physics in `step` and in whole traces."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from combmesh.device.locks import beat, injection, repetition, rubidium, three_hours
from combmesh.device.locks.marks import MARKS
from combmesh.device.locks.noise import OrnsteinUhlenbeck, RandomWalk
from combmesh.device.locks.repetition import Disturbance, Ring, lock_events, opened, temperature_lock
from combmesh.device.locks.rubidium import SeedDisturbance, SeedLock
from combmesh.ground.control import LOCKED, LOST
from combmesh.ground.errors import InputError


def steps(lock, disturbances, dt_s=0.1):
    state, readings = repetition.init(lock), []
    for disturbance in disturbances:
        state, reading = repetition.step(lock, state, disturbance, dt_s)
        readings.append(reading)
    return readings


def test_exact_ring_warms_as_its_equation_says():
    """Loop off, surroundings 0.3 K warmer at once: T = 0.3 (1 - exp(-t/tau)), and the spacing follows with K."""
    lock = opened(temperature_lock(Ring(time_constant_s=4.0)))
    readings = steps(lock, [Disturbance(0.0, 0.3)] * 100)
    for n in (1, 37, 100):
        T = 0.3 * (1.0 - math.exp(-0.1 * n / 4.0))
        assert readings[n - 1].temperature_k == pytest.approx(T, rel=1e-12)
        assert readings[n - 1].error_hz == pytest.approx(-0.44e6 * T, rel=1e-12)


def test_exact_trace_is_the_steps():
    lock, rng = temperature_lock(), np.random.default_rng(3)
    rep, ambient = RandomWalk(175.0).draw(rng, 600, 0.1), RandomWalk(1e-3).draw(rng, 600, 0.1)
    readings = steps(lock, map(Disturbance, rep, ambient))
    trace = repetition.run(lock, rep, 0.1, ambient)
    error = np.array([reading.error_hz for reading in readings]).reshape(60, 10).mean(axis=1)
    np.testing.assert_allclose(trace.error_hz, error, rtol=1e-9, atol=1e-9)
    assert trace.temperature_k[-1] == pytest.approx(np.mean([r.temperature_k for r in readings[-10:]]), rel=1e-12)


def test_exact_loop_against_a_plain_twin():
    """The same lock written out in Euler steps of 1 ms: the trace agrees to the order of the step over tau."""
    lock = temperature_lock()
    rep = np.repeat(np.cumsum(np.random.default_rng(4).normal(0.0, 300.0, 40)), 10)
    trace = repetition.run(lock, rep, 0.1)
    T, power, integral, wanted = 0.0, 0.0, 0.0, []
    k_i = 0.2 / (-0.44e6 * 10.0)
    for second in range(40):
        total = 0.0
        for milli in range(1000):
            T += 1e-3 * (10.0 * power - T) / 5.0
            total += 1e-3 * (-0.44e6 * T + rep[10 * second + milli // 100])
        integral -= k_i * total
        power = integral - 5.0 * k_i * total
        wanted.append(total)
    np.testing.assert_allclose(trace.error_hz, wanted, atol=0.02 * np.abs(wanted).max())


def test_exact_sign_of_the_error_and_where_it_folds():
    """A reference 10 MHz above: right to +10 MHz, still the right way to +20 MHz, beyond it drives the comb away."""
    lock = opened(temperature_lock())
    for error, seen in ((1e3, 1e3), (-1e3, -1e3), (-5e6, -5e6), (9e6, 9e6), (15e6, 5e6), (25e6, -5e6)):
        beat_hz = steps(lock, [Disturbance(error)])[0].beat_hz
        assert -repetition.beat_error_hz(lock, beat_hz) == pytest.approx(seen, abs=1e-3)


def test_limit_photodiode_sees_a_gigahertz():
    lock = opened(temperature_lock())
    assert steps(lock, [Disturbance(-0.98e9)])[0].beat_hz == pytest.approx(0.99e9)
    assert math.isnan(steps(lock, [Disturbance(-1.0e9)])[0].beat_hz)


def test_exact_temperature_moves_the_detuning():
    """150 mK are 66 kHz of the spacing and 2.3 linewidths; one unit of zeta is 32.7 mK (notes, from 1.73 GHz/K)."""
    ring = Ring()
    assert 0.150 * abs(ring.slope_hz_k) == pytest.approx(66e3)
    assert 0.150 * abs(ring.resonance_hz_k) / ring.linewidth_hz == pytest.approx(2.3, abs=0.01)
    assert 1.0 / abs(ring.zeta_k) == pytest.approx(32.7e-3, abs=0.05e-3)
    warm = steps(opened(temperature_lock(ring)), [Disturbance(0.0, 0.15)] * 2000)[-1]
    assert warm.zeta == pytest.approx(21.0 - 0.15 / 32.66e-3, abs=0.01)


def test_exact_soliton_answers_to_the_detuning():
    """A pull of 2 kHz a unit of zeta changes the slope the loop meets; the lock is built for the whole of it."""
    ring = Ring(pull_hz_zeta=2e3)
    assert ring.slope_hz_k == pytest.approx(-0.44e6 - 2e3 * 2 * 1.73e9 / 113e6)
    rep = RandomWalk(175.0).draw(np.random.default_rng(5), 20_000, 0.1)
    plain, pulled = (repetition.run(temperature_lock(some), rep) for some in (Ring(), ring))
    np.testing.assert_allclose(plain.error_hz, pulled.error_hz, atol=1e-6)
    assert np.ptp(plain.temperature_k) > 1.1 * np.ptp(pulled.temperature_k)


def test_exact_spacing_bends_beside_its_line():
    """A bend of -8 kHz at the cold end, 4 kHz at the warm one and 0 between: half of it half way, in steps as well."""
    ring = Ring(bend_hz=(-8e3, 0.0, 4e3))
    assert ring.spacing_hz(0.0) == 0.0
    assert ring.spacing_hz(-0.5) == pytest.approx(0.22e6 - 4e3)
    assert ring.spacing_hz(1.0) == pytest.approx(-0.44e6 + 4e3)
    assert math.isnan(ring.spacing_hz(1.01))
    for ambient_k in (-0.9, 0.3):
        reading = steps(opened(temperature_lock(ring)), [Disturbance(0.0, ambient_k)] * 40)[-1]
        assert reading.error_hz == pytest.approx(ring.spacing_hz(reading.temperature_k), rel=1e-12)


def test_exact_what_the_ring_feels_leaves_it_at_half_a_millikelvin():
    """Surroundings that walk by 40 mK: the locked ring keeps to error / K, 215 Hz being 0.5 mK (notes)."""
    ambient = RandomWalk(0.4e-3).draw(np.random.default_rng(6), 108_000, 0.1)
    trace = repetition.run(temperature_lock(), np.zeros(108_000), 0.1, ambient)
    assert np.ptp(ambient) > 0.02
    np.testing.assert_allclose(trace.error_hz, -0.44e6 * trace.temperature_k, atol=1e-6)
    assert trace.temperature_k.std() < 0.5e-3
    assert np.ptp(trace.power_w) * 10.0 > 0.9 * np.ptp(ambient)  # the heater does what the surroundings undo


def test_limit_lock_lost_with_the_soliton_and_reacquired():
    """Surroundings 3 K colder for two minutes: beyond heater and soliton; then all of it comes back by itself."""
    ambient = np.zeros(12_000)
    ambient[3000:4200] = -3.0
    trace = repetition.run(temperature_lock(), np.zeros(12_000), 0.1, ambient)
    assert trace.losses == 1
    (event,) = lock_events(trace.status, trace.period_s)
    assert 300.0 < event.lost_s < 320.0
    assert 420.0 < event.relocked_s < 480.0
    assert np.isnan(trace.error_hz[330:420]).all()
    assert abs(trace.error_hz[-1]) < 1.0
    assert abs(trace.power_w).max() <= 0.1


def test_limit_saturated_lock_is_reported_and_comes_back():
    """A step of 300 kHz needs 0.68 K, the heater reaches 0.2 K: lost, at its limit, and back when the step is."""
    rep = np.zeros(6000)
    rep[1000:3000] = 300e3
    trace = repetition.run(temperature_lock(highest_power_w=0.02), rep)
    assert trace.losses == 1
    assert trace.power_w[250] == pytest.approx(0.02)
    (event,) = lock_events(trace.status, trace.period_s)
    assert 300.0 < event.relocked_s < 360.0
    assert trace.status[-1] == LOCKED


def test_limit_loop_off_drifts_away():
    """The random walk that a lock holds to 215 Hz goes kilohertz away without it, and is called lost."""
    rep = RandomWalk(175.0).draw(np.random.default_rng(7), 108_000, 0.1)
    held, free = repetition.run(temperature_lock(), rep), repetition.run(opened(temperature_lock()), rep)
    assert np.nanstd(free.error_hz) > 15.0 * held.error_hz.std()
    assert free.losses >= 1
    assert free.power_w.max() == free.power_w.min() == 0.0


def test_exact_lost_at_the_end_has_no_end():
    status = np.array([0, LOCKED, LOCKED, LOST, LOST, LOCKED, LOST], np.int8)
    assert lock_events(status, 2.0) == [(6.0, 10.0), (12.0, math.inf)]


def test_limit_seed_follows_its_line_and_drifts_without():
    rng = np.random.default_rng(8)
    line, laser = OrnsteinUhlenbeck(21.7e3, 10.0).draw(rng, 108_000, 0.1), RandomWalk(3e3).draw(rng, 108_000, 0.1)
    held = rubidium.run(SeedLock(), laser, line)
    free = rubidium.run(rubidium.opened(SeedLock()), laser, line)
    residue = held.offset_hz - line.reshape(-1, 10).mean(axis=1)
    assert residue.std() < 0.15 * 21.7e3
    assert held.losses == 0
    assert np.ptp(free.offset_hz) > 2.0 * np.ptp(held.offset_hz)


def test_limit_seed_that_hops_is_lost_found_and_reported():
    """The laser jumps by 20 MHz, out of the line's reach: the search sweeps until the line is back."""
    laser = np.zeros(6000)
    laser[1000:] = 20e6
    trace = rubidium.run(SeedLock(), laser, np.zeros(6000))
    assert trace.losses == 1
    (event,) = lock_events(trace.status, trace.gate_s)
    assert event.relocked_s < 250.0  # from 0 to 50 MHz and down to -20 MHz at 2 MHz/s are 60 s
    assert abs(trace.offset_hz[-1]) < 1.0


def test_exact_seed_trace_is_the_steps():
    lock, state, offsets = SeedLock(), rubidium.init(SeedLock()), []
    laser = RandomWalk(3e5).draw(np.random.default_rng(9), 300, 0.1)
    for value in laser:
        state, reading = rubidium.step(lock, state, SeedDisturbance(value, 1e3), 0.1)
        offsets.append(reading.offset_hz)
    trace = rubidium.run(lock, laser, np.full(300, 1e3))
    np.testing.assert_allclose(trace.offset_hz, np.reshape(offsets, (30, 10)).mean(axis=1), rtol=1e-12)
    assert lock.frequency_thz == 192.1152


def test_exact_every_default_has_a_mark():
    parts = (
        repetition.Ring,
        repetition.RepetitionLock,
        rubidium.SeedLock,
        beat.Terminal,
        injection.Injection,
        three_hours.Record,
    )
    assert set(MARKS) == {f"{part.__name__}.{field.name}" for part in parts for field in fields(part)}
    assert {name for name, mark in MARKS.items() if mark.kind == "fitted"} == {
        "Terminal.line_noise",
        "Terminal.disturbance",
    }


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Ring(time_constant_s=0.0), "`time_constant_s`.*above 0.*0"),
        (lambda: Ring(rep_rate_hz_k=0.0), "slope.*0 Hz/K"),
        (lambda: Ring(coldest_k=0.1), "`coldest_k`.*at most 0.*0.1"),
        (lambda: Ring(coldest_k=0.0, warmest_k=0.0), "`coldest_k` must be below `warmest_k`"),
        (lambda: Ring(bend_hz=(0.0,)), "`bend_hz` must have at least 2 values, but has 1"),
        (lambda: temperature_lock(crossover_rad_s=1.5), "`crossover_rad_s`.*run away.*1.5"),
        (lambda: replace(temperature_lock(), offset_hz=2e9), "`offset_hz`.*at most 1e"),
        (lambda: replace(temperature_lock(), offset_hz=0.0), "`offset_hz`.*above 0"),
        (lambda: repetition.run(temperature_lock(), np.zeros(10), 0.3), "`dt_s` must divide the period of 1 s.*0.3"),
        (lambda: repetition.run(temperature_lock(), np.full(10, np.nan)), "`rep_rate_hz` must be finite"),
        (lambda: repetition.run(temperature_lock(), np.zeros(9), 0.1, np.zeros(8)), r"`ambient_k`.*\(9,\).*\(8,\)"),
        (
            lambda: repetition.run(temperature_lock(), np.zeros(9), 0.1, np.full(9, np.inf)),
            "`ambient_k` must be finite",
        ),
        (lambda: steps(temperature_lock(), [Disturbance(0.0, math.nan)]), "`ambient_k`.*nan"),
        (lambda: rubidium.run(SeedLock(), np.zeros(9), np.full(9, np.nan)), "must be finite numbers"),
        (
            lambda: rubidium.step(SeedLock(), rubidium.init(SeedLock()), SeedDisturbance(math.inf), 0.1),
            "`laser_hz`.*inf",
        ),
        (lambda: repetition.gated(np.zeros(9), 1.0, 2.5), "`gate_s` must be a multiple.*2.5"),
        (lambda: SeedLock(half_width_hz=-1.0), "`half_width_hz`.*-1"),
        (lambda: rubidium.run(SeedLock(), np.zeros(9), np.zeros(8)), "one shape"),
        (lambda: RandomWalk(-1.0), "`rate_hz_sqrt_s`.*-1"),
        (lambda: OrnsteinUhlenbeck(1.0, 0.0), "`correlation_s`.*0"),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        bad()
