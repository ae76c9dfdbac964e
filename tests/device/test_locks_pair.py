"""Records of two terminals: their figures, what disturbs them, and injection in place of the temperature lock."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.locks import beat, injection, pair, three_hours
from combmesh.device.locks.beat import Terminal
from combmesh.device.locks.file import Ambient, FrequencyNoise, TerminalTable
from combmesh.device.locks.injection import Injection
from combmesh.device.locks.noise import Jolt, Ramp, RandomWalk, Total, White
from combmesh.device.locks.pair import Pair
from combmesh.device.locks.three_hours import Record
from combmesh.ground.errors import InputError
from combmesh.ground.rng import stream

SHORT = Record(hours=0.5)


def two(**changes):
    return Pair(("A", "B"), (Terminal(**changes), Terminal(**changes)), record=SHORT)


def test_exact_figures_are_those_of_the_library():
    """The same seed through `three_hours.beats` and through a pair."""
    found = pair.outcome(3, two()).figures
    np.testing.assert_allclose(
        1e-3 * three_hours.beats(Terminal(), (0, 15, -15), range(3, 4), SHORT)[0], found.beat_khz
    )
    traces = pair.run(two(), 3)
    spacing = traces[1].rep_rate_hz.reshape(-1, 10).mean(axis=1)
    assert found.std_hz[1] == spacing.std()
    assert found.peak_to_peak_hz[1] == np.ptp(spacing)
    assert found.range_mk[1] == 1e3 * np.ptp(traces[1].temperature_k)
    assert found.losses == 0


def test_exact_ambient_is_what_the_ring_feels():
    """A jolt of 0.2 K for 100 s: the heater takes it back, and the locked spacing returns."""
    jolt = Ambient(jolt_k=0.2, jolt_from_s=600.0, jolt_until_s=700.0).noise(300.0)
    quiet = {"disturbance": White(0.0), "ambient": jolt}
    trace = beat.run(Terminal(**quiet), np.random.default_rng(1), 0.5)
    assert abs(trace.rep_rate_hz[:600]).max() < 1e-6
    assert abs(trace.rep_rate_hz[600:610]).max() > 1e3
    assert abs(trace.rep_rate_hz[690]) < 1.0
    assert trace.power_w[695] == pytest.approx(-0.2 / 10.0, rel=1e-3)


def test_exact_table_of_noise_is_the_sum_of_its_parts():
    noise = FrequencyNoise(walk_hz_sqrt_s=2.0, ramp_hz_s=3.0).noise()
    assert noise == Total((RandomWalk(2.0), Ramp(3.0)))
    assert FrequencyNoise().noise() == White(0.0)
    assert list(Jolt(2.0, 1.0, 2.0).draw(np.random.default_rng(1), 6, 0.5)) == [0, 0, 2, 2, 0, 0]
    assert TerminalTable("A", rubidium=FrequencyNoise(wander_hz=1.0, wander_s=100.0)).block_s == 1000.0


def test_exact_injected_trace_is_the_steps():
    """Held, beyond its range to both sides, and back."""
    lock = Injection(depth_rad=0.5)
    walk = RandomWalk(2e3).draw(np.random.default_rng(2), 400, 1.0)
    assert (abs(walk) > lock.range_hz).any()
    trace, state = injection.run(lock, walk, 1.0), injection.init(lock)
    for value, error, held in zip(walk, trace.error_hz, trace.held, strict=True):
        state, reading = injection.step(lock, state, float(value), 1.0)
        assert error == pytest.approx(reading.error_hz, abs=1e-12)
        assert held == (reading.status == "locked")


def test_limit_injection_meets_the_disturbance_that_the_lock_meets():
    """The free spacing is the walk of the same seed, and what the ring feels besides."""
    some = two()
    record = pair.injected(some, 4, (Injection(), Injection()))
    drawn = beat.draw(some.terminals[0], stream(4, "terminal", "A"), 0.5, 0.1, 300.0)
    free = drawn.rep_rate_hz.reshape(-1, 10).mean(axis=1)[300:]
    assert record.free_khz[0] == pytest.approx(1e-3 * abs(free).max())
    assert record.held_share[0] == (abs(free) <= 27e3).mean()
    warm = replace(some.terminals[0], ambient=Jolt(0.2, 600.0, 2100.0))  # 0.2 K are 88 kHz: out of reach
    cold = replace(some, terminals=(warm, warm))
    assert pair.injected(cold, 4, (Injection(), Injection())).held_share.max() < 0.6


def test_exact_a_record_without_solitons_is_a_sentence():
    frozen = two(ambient=Jolt(-5.0, 0.0, 1e5))
    with pytest.raises(InputError, match="Terminal 'A' must have a soliton"):
        pair.outcome(1, frozen)
    with pytest.raises(InputError, match="Terminal 'A' must have a soliton"):
        pair.injected(frozen, 1, (Injection(), Injection()))
    assert "2" in pair.claim(replace(two(), lines=(0, 15)), 1, pair.run(two(), 1), 300.0)
    with pytest.raises(InputError, match="`name` must be one of random walk"):
        three_hours.candidate("gremlins", Terminal().rep_rate, range(1))
