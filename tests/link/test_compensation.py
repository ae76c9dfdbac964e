"""Polarization, arrival time and clock held on the model, and in their limits."""

from dataclasses import fields

import numpy as np
import pytest

SIGMAS = 4.9
"""A normal deviate is as far with probability 1e-6: the false-alarm rate of each statistical test here."""


def searched(search, arms, probes, seed, walk_rad=0.0, counts=10_000):
    """(probe, arm) true mean errors at the centre and while probing, of fibres and starts drawn at random.

    `walk_rad` is the drift of a probe.
    """
    from combmesh.link import drift
    from combmesh.link.compensation.disclosed import Disclosure
    from combmesh.link.compensation.polarization import FibreBench, begin, drive

    rng = np.random.default_rng(seed)
    bench = FibreBench(drift.random_jones(rng, (arms,)), search.squeezers, Disclosure(counts), rng)
    state = begin(search, rng.uniform(-np.pi, np.pi, (arms, 4)), bench, rng)
    centre, probing = [], []
    for _ in range(probes):
        bench.jones = drift.walk(bench.jones, walk_rad, rng)
        probing.append(bench.qber(state.setting_rad))
        state, _ = drive(search, state, bench, rng)
        centre.append(bench.qber(state.centre_rad))
    return np.array(centre), np.array(probing)


def first_below(centre, level):
    """`(arm,)` probes until the error first is below."""
    below = centre < level
    assert below.any(axis=0).all()
    return below.argmax(axis=0) + 1


def test_limit_spgd_finds_any_start():
    """40 of 40 starts under 2 % in a median under 25 iterations of two probes of 1e4 counts each."""
    from combmesh.link.compensation.search import Descent

    centre, _ = searched(Descent(), 40, 600, 1)
    assert np.median(first_below(centre, 0.02)) / 2 < 25
    assert centre[400:].max() < 0.02


@pytest.mark.parametrize("probe_rad", [0.05, 0.1, 0.2])
def test_limit_spgd_holds_a_drifting_fibre(probe_rad):
    """3e-3 rad an iteration: never 2 % after 200 iterations, and a residual mean error of 0.005 to 0.05 %."""
    from combmesh.link.compensation.search import Descent

    centre, probing = searched(Descent(probe_rad=probe_rad), 40, 800, 2, 3e-3 / 2**0.5)
    assert centre[400:].max() < 0.02
    assert 5e-5 < centre[400:].mean() < 5e-4
    assert probing[400:].mean() == pytest.approx(0.65 * probe_rad**2, rel=0.25)  # four squeezers off by delta each


def test_limit_spgd_does_not_hold_with_a_gain_of_1():
    from combmesh.link.compensation.search import Descent

    centre, _ = searched(Descent(gain=1.0), 40, 800, 3, 3e-3 / 2**0.5)
    assert (centre[400:] > 0.02).mean() > 0.5


def test_exact_without_control_the_polarization_is_lost():
    """The same drift with the squeezers left where they are: (1 - exp(-4 s^2 k))/2 on average."""
    from combmesh.link import drift
    from combmesh.link.compensation.disclosed import errors_of

    rng, n, k, s_p = np.random.default_rng(4), 4000, 200, 0.02
    jones = np.broadcast_to(np.eye(2, dtype=complex), (n, 2, 2))
    for _ in range(k):
        jones = drift.walk(jones, s_p, rng)
    e_z, e_x = errors_of(jones)
    expected = 0.5 * (1.0 - np.exp(-4.0 * s_p**2 * k))
    for e in (e_z, e_x):
        assert abs(e.mean() - expected) < SIGMAS * e.std() / n**0.5 + 1e-4


def test_limit_rivals_find_any_start_and_hold_it():
    """Coordinate descent is the fastest in probes, annealing disturbs the light least; both hold 3e-3 rad."""
    from combmesh.link.compensation.search import Annealing, CoordinateDescent

    for search in (CoordinateDescent(), Annealing()):
        centre, _ = searched(search, 40, 600, 5, 3e-3 / 2**0.5)
        assert np.median(first_below(centre, 0.02)) < 50
        assert centre[300:].max() < 0.02


def test_limit_coordinate_descent_is_exact_without_noise():
    """Each squeezer's error is a sinusoid: 1e12 counts bring it to the bottom in a few rounds."""
    from combmesh.link.compensation.search import CoordinateDescent

    centre, _ = searched(CoordinateDescent(), 20, 240, 6, counts=10**12)
    assert np.median(centre[-1]) < 1e-9


def test_limit_resting_spares_the_light():
    from combmesh.link.compensation.search import Descent

    _, always = searched(Descent(probe_rad=0.1), 40, 600, 7, 1e-3)
    centre, rested = searched(Descent(probe_rad=0.1, rest_below=0.01), 40, 600, 7, 1e-3)
    assert centre[400:].max() < 0.02
    assert rested[400:].mean() < 0.7 * always[400:].mean()


def test_exact_missing_measurements_repeat_the_setting():
    from combmesh.link.compensation.search import Annealing, CoordinateDescent, Descent

    rng = np.random.default_rng(8)
    for search in (Descent(), CoordinateDescent(), Annealing()):
        state = search.init(np.zeros(4), rng)
        state, setting = search.step(state, np.asarray(0.3), rng)
        held, same = search.step(state, np.asarray(np.nan), rng)
        assert held is state
        assert np.array_equal(same, setting)


def test_exact_squeezers_are_rotations_and_full_waves_do_nothing():
    """Against a plain product of the four matrices."""
    from combmesh.link import drift
    from combmesh.link.compensation.squeezers import Squeezers

    rng, squeezers = np.random.default_rng(9), Squeezers()
    fibre, u = drift.random_jones(rng), rng.uniform(-3.0, 3.0, 4)
    plain = fibre
    for k, angle in enumerate(u):
        alpha = np.array([0.0, 0.0, angle / 2]) if k % 2 == 0 else np.array([angle / 2, 0.0, 0.0])
        plain = drift.rotation(alpha) @ plain
    assert np.abs(squeezers.through(u, fibre) - plain).max() < 1e-14
    far = np.array([15.0, -20.0, 6.0, -6.2])
    near = squeezers.within(far)
    assert np.abs(near).max() <= squeezers.highest_rad
    assert near[2:] == pytest.approx(far[2:])
    overlap = np.abs(np.trace(squeezers.through(far, fibre).conj().T @ squeezers.through(near, fibre))) / 2.0
    assert overlap == pytest.approx(1.0)


def test_exact_disclosed_errors_are_binomial_and_counted():
    """3 degrees between the axes: sin^2 of it in both bases, with a floor of 1 %; 2 x 20,000 probes."""
    from combmesh.link.compensation.disclosed import Disclosure, count_errors, key_factor

    turn = np.pi * 3.0 / 180.0
    jones = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], complex)
    many = np.broadcast_to(jones, (20_000, 2, 2))
    probe = count_errors(many, Disclosure(1000, 0.01), np.random.default_rng(10))
    p = 0.01 + 0.98 * np.sin(turn) ** 2
    for errors in (probe.errors_z, probe.errors_x):
        assert abs(errors.mean() - 500 * p) < SIGMAS * (500 * p * (1 - p) / 20_000) ** 0.5
    assert probe.disclosed_counts == 20_000 * 1000
    assert Disclosure(10_000).share(0.5, 1e6) == pytest.approx(0.02)
    assert Disclosure(10_000).shortest_probe_s(0.02, 1e6) == pytest.approx(0.5)
    assert key_factor(0.02, 0.02) == pytest.approx(0.9604)


def test_limit_three_minutes_of_a_fibre_are_held_and_paid_for():
    from combmesh.link.compensation.disclosed import Disclosure
    from combmesh.link.compensation.polarization import follow
    from combmesh.link.compensation.search import Descent
    from combmesh.link.fibre import FibreArm, equivalent_loss

    trace = follow(Descent(), FibreArm(), Disclosure(), 180.0, np.random.default_rng(11), shape=(2,))
    assert trace.time_s.size == 360
    assert trace.jones.shape == (360, 2, 2, 2)
    assert trace.rest_error.max() < 0.02
    assert trace.disclosed_counts == (360 + 400) * 2 * 10_000
    still = follow(Descent(), equivalent_loss(FibreArm()), Disclosure(), 180.0, np.random.default_rng(11))
    assert still.rest_error.max() < 0.02


def test_limit_arrival_is_held_to_2_ps_with_400_counts_a_second():
    """Half an hour of 100 km. The noise of a centroid at 114 ps is 2.5 ps, of which a gain of 0.4 hands on half."""
    from combmesh.link.compensation.arrival import Clicks, follow, noise_share
    from combmesh.link.fibre import FibreArm

    clicks = Clicks(counts=400.0)
    trace = follow(FibreArm(), clicks, 1800.0, np.random.default_rng(12))
    assert trace.rms_ps < 2.0
    assert trace.rms_ps == pytest.approx(clicks.centroid_std_ps * noise_share(0.4), rel=0.15)
    assert trace.uncompensated_rms_ps > 5.0 * trace.rms_ps
    assert trace.locked.all()
    assert trace.counts == 720_000


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_exact_centroids_are_as_good_as_their_formula(share):
    """4000 centroids of 400 clicks, and no pull towards the middle of the gate at 60 ps with 30 % of background."""
    from combmesh.link.compensation.arrival import ArrivalBench, Clicks

    clicks = Clicks(95.0, 400.0, 400.0, share)
    bench = ArrivalBench(clicks, np.random.default_rng(13))
    bench.delay_ps = 60.0
    seen = np.array([bench.measure() for _ in range(4000)])
    assert seen.std() == pytest.approx(clicks.centroid_std_ps, rel=SIGMAS / 8000**0.5 + 0.01)
    assert abs(seen.mean() - 60.0) < SIGMAS * seen.std() / 4000**0.5
    if share == 1.0:
        assert clicks.centroid_std_ps == pytest.approx(95.0 / 2.3548 / 20.0, rel=0.02)  # sigma over the root of 400


def clock_batches(loop, rate_hz, batch_s, batches, rng, ppm=20.0, jump_at=None):
    """Batches of clicks of a wandering clock, each with the true time of its last pulse's grid and its period."""
    y, phase_ps = 1e-6 * ppm, 0.0
    for batch in range(batches):
        if batch == jump_at:
            phase_ps += 150.0
        y += loop.wander * batch_s**0.5 * rng.standard_normal()
        period = loop.nominal_period_ps * (1.0 + y)
        pulses = round(batch_s * 1e12 / period)
        sent = np.sort(rng.integers(0, pulses, rng.poisson(rate_hz * batch_s)))
        times = phase_ps + sent * period + rng.normal(0.0, loop.sigma_ps, sent.size)
        yield np.rint(np.sort(times)).astype(np.int64), phase_ps, period
        phase_ps += pulses * period


def test_limit_clock_is_followed_to_its_own_error():
    """1 M clicks a second in batches of 10 ms: half a ps, the filter's own figure within 10 %, and no slip."""
    from combmesh.link.compensation import clock

    loop, rng, errors = clock.ClockLoop(), np.random.default_rng(14), []
    state = clock.begin(loop, 0, 0.0, 0, 400.0 * (1.0 + 20e-6), 1.0, 1e-9)
    for times, phase_ps, period in clock_batches(loop, 1e6, 0.01, 600, rng):
        state, reading = clock.step(loop, state, times)
        past = state.at_ps + state.rest_ps - phase_ps
        errors.append(past - period * round(past / period))
    assert reading.status == "locked"
    assert np.std(errors[50:]) == pytest.approx(reading.std_ps, rel=0.1 + SIGMAS / 550**0.5)
    assert reading.std_ps < 1.0
    found, residual = clock.pulse_of(state, times)
    assert found[-1] - found[0] == round((times[-1] - times[0]) / period)
    assert np.std(residual) == pytest.approx(48.4, rel=0.05)


def test_limit_clock_begins_from_a_recovered_one():
    """From 500 ppm of ignorance: `recover_clock` on a tenth of a second, then the loop goes on with its numbers."""
    from combmesh.link.compensation import clock
    from combmesh.link.timetags.clock import recover_clock
    from combmesh.link.timetags.tags import TimeTags

    loop, rng = clock.ClockLoop(wander=1e-9), np.random.default_rng(15)
    batches = list(clock_batches(loop, 1e6, 0.01, 30, rng, ppm=37.0))
    record = np.concatenate([times for times, _, _ in batches[:10]])
    tags = TimeTags(np.zeros(record.size, np.uint8), np.sort(record), "simulated")
    recovered = recover_clock(tags, 400.0, max_offset_ppm=500.0)
    state = clock.init(loop, recovered)
    for times, _, _ in batches[10:]:
        state, reading = clock.step(loop, state, times)
    _, phase_ps, period = batches[-1]
    assert reading.status == "locked"
    assert state.period_ps == pytest.approx(period, rel=1e-8)
    past = state.at_ps + state.rest_ps - phase_ps
    assert abs(past - period * round(past / period)) < 3.0
    first = round(int(record.min()) / period)  # pulses are numbered from the record's first click
    assert state.pulse + first == pytest.approx((state.at_ps + state.rest_ps) / period, abs=2.0)


def test_limit_a_jump_is_a_lost_clock_and_no_silent_slip():
    from combmesh.link.compensation import clock

    loop, rng = clock.ClockLoop(), np.random.default_rng(16)
    state = clock.begin(loop, 0, 0.0, 0, 400.0 * (1.0 + 20e-6), 1.0, 1e-9)
    for times, _, _ in clock_batches(loop, 1e6, 0.01, 40, rng, jump_at=30):
        state, reading = clock.step(loop, state, times)
    assert reading.status == "lost"
    assert state.losses == 1
    empty, reading = clock.step(loop, state, np.empty(0, np.int64))
    assert empty is state


def test_exact_every_default_has_a_mark():
    from combmesh.link.compensation import arrival, clock, disclosed, search, squeezers
    from combmesh.link.compensation.marks import MARKS

    parts = (
        squeezers.Squeezers,
        disclosed.Disclosure,
        search.Descent,
        search.CoordinateDescent,
        search.Annealing,
        arrival.Clicks,
        clock.ClockLoop,
    )
    assert set(MARKS) == {f"{part.__name__}.{field.name}" for part in parts for field in fields(part)}


def bad_cases():
    from combmesh.link.compensation.arrival import Clicks, arrival_regulator, centroid_ps, counts_for
    from combmesh.link.compensation.clock import ClockLoop, begin
    from combmesh.link.compensation.disclosed import Disclosure, key_factor
    from combmesh.link.compensation.search import Annealing, CoordinateDescent, Descent
    from combmesh.link.compensation.squeezers import Squeezers

    rng = np.random.default_rng()
    return [
        (lambda: Squeezers((0, 30)), "`axes_deg` must be of 0 and 45 degrees"),
        (lambda: Squeezers(lowest_rad=0.0, highest_rad=3.0), "`highest_rad` must be at least a full wave"),
        (lambda: Squeezers(rad_per_volt=0.0), "`rad_per_volt` must be a finite number above 0"),
        (lambda: Descent(gain=0.0), "`gain` must be a finite number above 0"),
        (lambda: Descent(probe_rad=4.0), "`probe_rad` must be at most 3.14"),
        (lambda: Descent().init(np.zeros(3), rng), r"`start_rad` must have shape \(\.\.\., 4\)"),
        (lambda: Descent().init(np.full(4, 9.0), rng), "`start_rad` must be at most 6.28"),
        (lambda: CoordinateDescent(shortest_rad=2.0), "`longest_rad` must be at least 2"),
        (lambda: Annealing(hottest=1e-9), "`hottest` must be at least 0.0001"),
        (lambda: Annealing(recheck=1), "`recheck` must be at least 2"),
        (lambda: Disclosure(1), "`counts` must be at least 2"),
        (lambda: Disclosure(error_floor=0.6), "`error_floor` must be at most 0.5"),
        (lambda: Disclosure().share(1e-3, 1e6), "`counts` must be at most the 1000 clicks of one setting"),
        (lambda: key_factor(1.5, 0.0), "`share_a` must be at most 1"),
        (lambda: Clicks(fwhm_ps=-1.0), "`fwhm_ps` must be a finite number above 0, but is -1"),
        (lambda: Clicks(fwhm_ps=450.0), "`fwhm_ps` must be at most the period of 400 ps, but is 450"),
        (lambda: Clicks(light_share=0.0), "`light_share` must be a finite number above 0"),
        (lambda: counts_for(0.0, Clicks()), "`std_ps` must be a finite number above 0"),
        (lambda: centroid_ps(np.zeros(3), 0.0), "`period_ps` must be a finite number above 0"),
        (lambda: arrival_regulator(gain=1.5), "`gain` must be at most 1"),
        (lambda: ClockLoop(sigma_ps=120.0), "`sigma_ps` must be at most a quarter of the period of 400 ps"),
        (lambda: ClockLoop(wander=0.0), "`wander` must be at least 1e-13"),
        (lambda: begin(ClockLoop(), 0, 0.0, 0, 500.0, 1.0, 1e-9), "`period_ps` must be within 1 % of the nominal 400"),
    ]


def test_bad_settings_get_a_sentence():
    from combmesh.ground.errors import InputError

    for make, sentence in bad_cases():
        with pytest.raises(InputError, match=sentence):
            make()
