"""Three hours of Fig. 2c to 2h over 100 seeds and more: fitted, predicted, allowed and excluded. `make verify`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from combmesh.config.terminals import load_terminals
from combmesh.device.locks import beat, injection, pair, rubidium, three_hours
from combmesh.device.locks.beat import Terminal
from combmesh.device.locks.injection import Injection
from combmesh.device.locks.noise import Flicker, OrnsteinUhlenbeck, Ramp, RandomWalk, Scaled, Sine, Total, White
from combmesh.device.locks.repetition import opened, temperature_lock
from combmesh.ground.rng import stream

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "terminals.toml"
SEEDS = range(120)
RECORD = three_hours.Record()


def told(verdict):
    print(
        f"{verdict.name}: std {verdict.std_hz:.0f} Hz (fitted, x {verdict.fitted.factor:.3f}), peak to peak "
        f"{verdict.peak_to_peak_hz:.0f} +- {verdict.peak_to_peak_spread_hz:.0f} Hz, "
        f"range {verdict.range_mk:.1f} +- {verdict.range_spread_mk:.1f} mK, allowed {verdict.allowed}, "
        f"near the bound {verdict.range_near}"
    )
    return verdict


def verdicts(crossover_rad_s):
    lock = temperature_lock(crossover_rad_s=crossover_rad_s)
    found = [
        three_hours.verdict(name, lock, noise, fixed, SEEDS, RECORD)
        for name, (noise, fixed) in three_hours.CANDIDATES.items()
    ]
    return {verdict.name: told(verdict) for verdict in found}


@pytest.mark.parametrize("crossover_rad_s", [0.2, 0.4])
def test_paper_fig2c_what_the_three_printed_numbers_allow(crossover_rad_s):
    """215 Hz fitted; then 1442 Hz within 30 % and under 150 mK. Anything noisy passes, a sine does not.

    A range of 100 to 150 mK, were the printed bound tight, leaves a steady drift, or a random walk that a fast loop
    holds; stationary noise then fails. Neither of these loses a lock in 120 records.
    """
    found = verdicts(crossover_rad_s)
    excluded = {"sine of 600 s", "ramp of 60 kHz and a sine of 600 s"}
    assert {name for name, verdict in found.items() if not verdict.allowed} == excluded
    near = {name for name, verdict in found.items() if verdict.range_near and verdict.allowed}
    assert near == {"random walk", "white and a ramp of 60 kHz"}
    for name in set(found) - excluded:
        assert found[name].std_hz == pytest.approx(215.0, rel=0.01)
        assert found[name].peak_to_peak_hz == pytest.approx(1442.0, rel=0.30)
        assert found[name].losses == 0
    assert found["sine of 600 s"].peak_to_peak_hz == pytest.approx(608.0, abs=1.0)


def test_paper_fig2_the_example_predicts_what_is_printed():
    """What `combmesh lock examples/terminals.toml` shows, over 120 seeds: fitted within 2 %, predicted as promised."""
    file, _ = load_terminals(EXAMPLE)
    one, other = file.terminals
    terminals = one.terminal(file.record.warm_up_s), other.terminal(file.record.warm_up_s)
    setup = pair.Pair((one.name, other.name), terminals, record=file.record)
    found = [pair.outcome(seed, setup).figures for seed in SEEDS]
    std, peak, span, beats = (np.array([getattr(each, name) for each in found]) for name in pair.Figures._fields[:4])
    print(f"{std.mean():.1f} Hz, {peak.mean():.0f} Hz, {span.mean():.1f} mK, {beats.mean(axis=0).round(2)} kHz")
    assert std.mean() == pytest.approx(215.0, rel=0.02)
    assert peak.mean() == pytest.approx(1442.0, rel=0.30)
    assert (span < 150.0).mean() > 0.95
    assert beats.mean(axis=0)[0] == pytest.approx(30.7, rel=0.02)
    assert beats.mean(axis=0)[1:] == pytest.approx([31.1, 29.6], rel=0.10)
    assert sum(each.losses for each in found) == 0


def test_paper_fig2g_the_range_bounds_drifts():
    """Under 150 mK excludes a ramp of 70 kHz over 3 h, 159 mK, and makes a walk that needs 0.8 rad/s unlikely."""
    ramp = three_hours.verdict("ramp", temperature_lock(), White(700.0), Ramp(70e3 / 10_800), SEEDS)
    assert not told(ramp).range_allowed
    assert ramp.range_share == 0.0
    walk = three_hours.verdict("fast walk", temperature_lock(crossover_rad_s=0.8), RandomWalk(400.0), seeds=SEEDS)
    assert told(walk).range_mk > 150.0
    assert walk.range_share < 0.25


def test_paper_fig2f_beats_of_three_lines():
    """Rubidium noise fitted to the 30.7 kHz of CH0; CH+15 and CH-15 (31.1 and 29.6 kHz) are predicted, within 10 %.

    120 pairs of terminals. Closed form: sqrt(30.7^2 + 2 (15 x 0.28)^2) = 31.3 kHz with the counter's gate of 1 s, in
    which the spacing has 0.28 kHz; 31.0 with one of 10 s.
    """
    terminal, fitted = three_hours.fit_line_noise(Terminal(), record=RECORD)
    beats = 1e-3 * three_hours.beats(terminal, (0, 15, -15), SEEDS, RECORD)
    mean, std = beats.mean(axis=0), beats.std(axis=0)
    print(f"fitted x {fitted.factor:.4f}; CH0, CH+15, CH-15: {mean.round(2)} +- {std.round(2)} kHz")
    assert fitted.mark.kind == "fitted"
    assert mean[0] == pytest.approx(30.7, rel=0.02)  # fitted, on other seeds
    assert mean[1] == pytest.approx(31.1, rel=0.10)
    assert mean[2] == pytest.approx(29.6, rel=0.10)
    assert mean[1:] == pytest.approx([31.3, 31.3], rel=0.02)


def test_paper_fig2f_rubidium_models_that_the_spread_allows():
    """White noise is excluded; memories of 10 s and more are allowed, and flicker, whole or half of the variance."""
    rng = np.random.default_rng(1)
    for noise, allowed in (
        (White(1.0), False),
        (OrnsteinUhlenbeck(1.0, 1.0), False),
        (OrnsteinUhlenbeck(1.0, 10.0), True),
        (OrnsteinUhlenbeck(1.0, 100.0), True),
        (OrnsteinUhlenbeck(1.0, 1000.0), True),
        (Flicker(1.0), True),
        (Total((White(1.66), Flicker(0.55))), True),
    ):
        spread = rubidium.spread(noise, rng, 1000)
        print(noise, spread)
        assert spread.allowed is allowed


@pytest.mark.parametrize("crossover_rad_s", [0.05, 0.1, 0.2, 0.4])
def test_limit_gain_moves_the_figures_as_theory_says(crossover_rad_s):
    """Spread against q / sqrt(2 wc) and the gate's share; a period's delay, which theory leaves out, adds 8 % at 0.4.

    The range, sqrt(8T/pi) q/K, does not know the gain; 120 ranges of a walk scatter by 30 %: three standard errors.
    """
    lock = temperature_lock(crossover_rad_s=crossover_rad_s)
    found = three_hours.figures(lock, RandomWalk(175.6), SEEDS, RECORD)
    theory = three_hours.theory_std_hz(175.6, crossover_rad_s, 10.0)
    print(crossover_rad_s, found.std_hz.mean(), theory)
    assert found.std_hz.mean() == pytest.approx(theory, rel=0.02 + 0.2 * crossover_rad_s)
    range_mk = 1e3 * three_hours.theory_range_k(175.6, 3.0, 0.44e6)
    assert found.range_mk.mean() == pytest.approx(range_mk, rel=0.10)


def test_limit_disturbance_moves_the_figures_in_proportion():
    whole, half = (
        three_hours.figures(temperature_lock(), Scaled(RandomWalk(175.6), factor), SEEDS) for factor in (1.0, 0.5)
    )
    for name in ("std_hz", "peak_to_peak_hz", "range_mk"):
        np.testing.assert_allclose(getattr(half, name), 0.5 * getattr(whole, name), rtol=1e-5)


def test_limit_loops_off_drift_away():
    """A walk of 175.6 Hz/sqrt(s) spreads over 3 h by q sqrt(T/6) = 7.4 kHz (root mean square), 34 times the lock's."""
    free = three_hours.figures(opened(temperature_lock()), RandomWalk(175.6), SEEDS, RECORD)
    rms = np.sqrt((free.std_hz**2).mean())
    print(f"loop off: {rms:.0f} Hz, peak to peak {free.peak_to_peak_hz.mean():.0f} Hz")
    assert rms == pytest.approx(175.6 * np.sqrt(10_800 / 6), rel=0.2)  # 120 seeds: 6 % standard error
    assert free.range_mk.max() == 0.0
    quiet = replace(Terminal(), seed=rubidium.opened(Terminal().seed))
    drifting = three_hours.beats(quiet, (0,), range(40), RECORD)
    assert drifting.mean() > 4.0 * 30.7e3


@pytest.mark.parametrize(("amplitude_hz", "allowed"), [(4113.0, True), (5670.0, False)])
def test_paper_fig2c_sine_needs_company(amplitude_hz, allowed):
    """Excluded alone; beside a random walk it may carry half of the variance, not 95 %."""
    lock = temperature_lock()
    some = three_hours.verdict("sine with noise", lock, RandomWalk(175.0), Sine(amplitude_hz, 600.0), SEEDS)
    assert told(some).allowed is allowed


@pytest.mark.parametrize(("gate_s", "expected_khz"), [(1.0, 1.66), (10.0, 1.41), (100.0, 1.10)])
def test_paper_fig2c_gate_is_not_told_by_the_numbers(gate_s, expected_khz):
    """Fitted anew at each gate: 10,800, 1080, 108 Gaussian values span 1.66, 1.41, 1.10 kHz (notes), all within 30 %.

    A random walk's error remembers 5 s, so that at 1 s its values are fewer than they look: 8 %.
    """
    record = replace(RECORD, gate_s=gate_s)
    found = told(three_hours.verdict(f"gate {gate_s:g} s", temperature_lock(), RandomWalk(175.0), None, SEEDS, record))
    assert found.peak_to_peak_hz == pytest.approx(1e3 * expected_khz, rel=0.08)
    assert found.peak_to_peak_allowed


def test_paper_fig2e_no_significant_difference_among_lines():
    """The paper's claim: it holds for lines measured one after the other, 3 h each, and cannot for concurrent ones.

    60 triples at a false-alarm rate of 5 %: 3 expected, more than 9 by chance once in 1000; the 2 % that CH+15, CH-15
    really have more than CH0 are too little to be seen. Concurrent lines share the seeds' noise, and most records show
    these 2 %. Their means agree, and a reference 1e-8 off (490 Hz a line) is always seen in them.
    """
    lines, alarms, spread, mean, pulled = (0, 15, -15), 0, 0, 0, 0
    for seed in range(60):
        pairs = [[beat.run(Terminal(), stream(seed, "pair", line, user)) for user in ("A", "B")] for line in lines]
        apart = np.array([beat.beat_hz(*pair, line) for pair, line in zip(pairs, lines, strict=True)])
        alarms += beat.homogeneity(apart, 1.0, 300.0, concurrent=False).significant(0.05)
        one, other = pairs[0]
        together = np.array([beat.beat_hz(one, other, line) for line in lines])
        test = beat.homogeneity(together, 1.0, 300.0, concurrent=True)
        spread, mean = spread + (test.p_spread < 0.05), mean + (test.p_mean < 0.05)
        off = one._replace(rep_rate_hz=one.rep_rate_hz + 1e-8 * beat.REP_RATE_HZ)
        far = np.array([beat.beat_hz(off, other, line) for line in lines])
        pulled += beat.homogeneity(far, 1.0, 300.0, concurrent=True).p_mean < 0.05
    print(f"alarms of 60: apart {alarms}; concurrent: spread {spread}, mean {mean}, with a reference off {pulled}")
    assert alarms <= 9
    assert spread >= 45
    assert mean <= 9
    assert pulled == 60


def test_limit_injection_holds_what_its_depth_reaches():
    """The fitted walk over 3 h without the temperature lock: its largest distance decides, on average 23 kHz.

    The mean of a walk's largest distance is q sqrt(pi T / 2). At 1 rad the range of 27 kHz holds most records, at
    0.1 rad none.
    """
    held = {1.0: 0, 0.1: 0}
    for seed in range(60):
        walk = RandomWalk(175.6).draw(stream(seed, "injection"), 10_800, 1.0)
        for depth in held:
            lock = Injection(depth_rad=depth)
            state, statuses = injection.init(lock), set()
            for value in walk:
                state, reading = injection.step(lock, state, float(value), 1.0)
                statuses.add(reading.status)
            held[depth] += statuses == {"locked"}
    print(f"held of 60 by depth: {held}; cost {injection.cost(Injection(1.0))}")
    assert held[0.1] == 0
    assert held[1.0] >= 30
