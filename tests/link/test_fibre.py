"""Fibres: loss, dispersion beside a plain Fourier transform, and how polarization and delay drift."""

from dataclasses import fields
from math import exp

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link import drift
from combmesh.link.fibre import (
    MARKS,
    FibreArm,
    beta2_from_dispersion,
    broadened_fwhm_ps,
    check_pulse,
    dispersed_chirp,
    equivalent_loss,
    fibre_loss_db,
    seen_fwhm_ps,
    transmission,
)

SIGMAS = 4.9
"""A normal deviate is as far with probability 1e-6: the false-alarm rate of each statistical test here."""

SIGMA_OF_FWHM = 2.354820045


def test_paper_95_ps_become_114_after_100_km():
    """beta2 of 17 ps/(nm km) at 1550 nm; sqrt(1 + (2170/3255)^2) = 1.202."""
    arm = FibreArm(100.0)
    assert arm.dispersion_ps2 == pytest.approx(-2170.0)
    assert broadened_fwhm_ps(95.0, arm.dispersion_ps2) == pytest.approx(114.2, abs=0.05)
    assert beta2_from_dispersion(17.0) == pytest.approx(-21.7, abs=0.05)
    assert seen_fwhm_ps(90.0, 30.4) == pytest.approx(95.0, abs=0.01)  # 95 ps seen, 90 ps optical: 30 ps of jitter


@pytest.mark.parametrize("chirp", [0.0, 0.8, -0.8])
@pytest.mark.parametrize("length_km", [25.0, 100.0])
def test_exact_dispersion_is_that_of_a_fourier_transform(chirp, length_km):
    """Rms width and phase curvature of a sampled pulse whose spectrum was turned."""
    sigma, D = 95.0 / SIGMA_OF_FWHM, -21.7 * length_km
    t = np.arange(-4096, 4096) * 0.5
    omega = 2.0 * np.pi * np.fft.fftfreq(t.size, 0.5)
    field = np.fft.fft(np.fft.ifft(np.exp(-(1 + 1j * chirp) * t**2 / (4 * sigma**2))) * np.exp(0.5j * D * omega**2))
    power = np.abs(field) ** 2
    rms = np.sqrt(np.sum(t**2 * power) / np.sum(power))
    assert broadened_fwhm_ps(95.0, D, chirp) == pytest.approx(SIGMA_OF_FWHM * rms, rel=1e-6)
    middle = np.abs(t) < 60.0
    curve = np.polyfit(t[middle], np.unwrap(np.angle(field[middle])), 2)[0]
    assert dispersed_chirp(95.0, D, chirp) == pytest.approx(-4.0 * rms**2 * curve, abs=1e-6)


def test_limit_dispersion_of_the_other_sign_undoes_it():
    chirp, width = dispersed_chirp(95.0, -2170.0), broadened_fwhm_ps(95.0, -2170.0)
    assert broadened_fwhm_ps(width, 2170.0, chirp) == pytest.approx(95.0, rel=1e-12)
    assert dispersed_chirp(width, 2170.0, chirp) == pytest.approx(0.0, abs=1e-12)


def test_limit_equivalent_loss_has_the_loss_and_nothing_else():
    arm = FibreArm(100.0, loss_db=1.5)
    attenuator, rng = equivalent_loss(arm), np.random.default_rng(1)
    assert attenuator.total_loss_db == arm.total_loss_db == pytest.approx(21.5)
    assert transmission(attenuator.total_loss_db) == transmission(arm.total_loss_db)
    assert attenuator.dispersion_ps2 == attenuator.delay_ps_k == 0.0
    state = drift.init(attenuator, rng, (3,))
    for _ in range(5):
        state, now = drift.step(attenuator, state, 100.0, rng)
    assert np.array_equal(now.jones, np.broadcast_to(np.eye(2), (3, 2, 2)))
    assert np.array_equal(now.delay_ps, np.zeros(3))


def test_exact_drift_is_unitary_and_the_same_for_the_same_seed():
    arm, ends = FibreArm(), []
    for _ in range(2):
        rng = np.random.default_rng(2)
        state = drift.init(arm, rng, (4,))
        for _ in range(300):
            state, now = drift.step(arm, state, 0.5, rng)
        ends.append(now)
    assert np.array_equal(ends[0].jones, ends[1].jones)
    unit = ends[0].jones @ np.conj(np.swapaxes(ends[0].jones, -1, -2))
    assert np.abs(unit - np.eye(2)).max() < 1e-12


def stokes(jones):
    """`(..., 3)` of the light that enters horizontally."""
    x, y = jones[..., 0, 0], jones[..., 1, 0]
    cross = 2.0 * x.conj() * y
    return np.stack([np.abs(x) ** 2 - np.abs(y) ** 2, cross.real, cross.imag], axis=-1)


@pytest.mark.parametrize("s_p", [0.02, 0.3])
def test_exact_polarization_forgets_as_a_random_walk_does(s_p):
    """<s.s0> after k steps: [1 + 2 (1 - 4 s^2) exp(-2 s^2)]^k / 3^k, near exp(-4 s^2 k) if small; 20,000 fibres."""
    rng, n, k = np.random.default_rng(3), 20_000, 40 if s_p < 0.1 else 4
    jones = drift.random_jones(rng, (n,))
    before = stokes(jones)
    for _ in range(k):
        jones = drift.walk(jones, s_p, rng)
    kept = np.sum(before * stokes(jones), axis=-1)
    exact = ((1.0 + 2.0 * (1.0 - 4.0 * s_p**2) * exp(-2.0 * s_p**2)) / 3.0) ** k
    assert abs(kept.mean() - exact) < SIGMAS * kept.std() / n**0.5
    if s_p < 0.1:
        assert exact == pytest.approx(exp(-4.0 * s_p**2 * k), rel=1e-4)


def test_exact_rotations_turn_stokes_vectors_by_twice_the_angle():
    """About sigma_z, horizontal light stays, diagonal light turns by 2 alpha."""
    turn = drift.rotation(np.array([0.0, 0.0, 0.25]))
    assert np.abs(turn - np.diag(np.exp([-0.25j, 0.25j]))).max() < 1e-15
    assert drift.rotation(np.zeros(3)) == pytest.approx(np.eye(2))
    about_x = drift.rotation(np.array([0.3, 0.0, 0.0]))
    assert stokes(about_x)[0] == pytest.approx(np.cos(0.6))


def test_exact_any_polarization_is_as_likely():
    """Haar: the Stokes vectors of 20,000 fibres have mean 0 and mean square 1/3 in each direction."""
    s = stokes(drift.random_jones(np.random.default_rng(4), (20_000,)))
    assert np.abs(s.mean(axis=0)).max() < SIGMAS * (1.0 / 3.0 / 20_000) ** 0.5
    assert np.abs((s**2).mean(axis=0) - 1.0 / 3.0).max() < SIGMAS * (4.0 / 45.0 / 20_000) ** 0.5


def test_exact_polarization_walks_with_the_root_of_length_and_time():
    """One step of 100 km and 1 s has 3e-3 rad in each component, the same as four of a quarter second."""
    arm, n = FibreArm(), 4000
    for steps in (1, 4):
        rng = np.random.default_rng(5)
        state = drift.init(arm, rng, (n,))
        begin = state.jones
        for _ in range(steps):
            state, _ = drift.step(arm, state, 1.0 / steps, rng)
        turned = state.jones @ np.conj(np.swapaxes(begin, -1, -2))
        angle = -turned[:, 0, 0].imag  # alpha_z
        assert angle.std() == pytest.approx(3e-3, rel=SIGMAS / (2 * n) ** 0.5)


def test_exact_temperature_is_stationary_and_smooth():
    """3800 ps/K at the rms given, in 4000 arms at any time; a second moves the spool by far less than a room's walk."""
    arm, rng, n = FibreArm(), np.random.default_rng(6), 4000
    state = drift.init(arm, rng, (n,))
    for _ in range(60):
        state, now = drift.step(arm, state, 60.0, rng)
    assert arm.delay_ps_k == 3800.0
    assert now.delay_ps.std() == pytest.approx(
        3800.0 * 0.07, rel=SIGMAS / (2 * n) ** 0.5 + 0.03
    )  # steps of a tenth lag
    after, late = drift.step(arm, state, 1.0, rng)
    assert (late.delay_ps - now.delay_ps).std() == pytest.approx(266.0 / (3600.0 * 600.0) ** 0.5, rel=0.1)
    assert np.array_equal(after.fibre_k * 3800.0, late.delay_ps)


def test_paper_fig3f_drifts_some_200_ps_in_three_hours():
    """Fitted: the temperature's rms. The mean spread about the mean of 100 records of three hours, within 20 %."""
    arm, rng, delays = FibreArm(), np.random.default_rng(7), []
    state = drift.init(arm, rng, (100,))
    for _ in range(360):
        state, now = drift.step(arm, state, 30.0, rng)
        delays.append(now.delay_ps)
    assert np.std(delays, axis=0).mean() == pytest.approx(200.0, rel=0.2)


def test_exact_every_default_has_a_mark():
    assert set(MARKS) == {f"FibreArm.{field.name}" for field in fields(FibreArm)}
    assert {name for name, mark in MARKS.items() if mark.kind == "fitted"} == {"FibreArm.temperature_rms_k"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FibreArm(-3.0), "`length_km` must be at least 0, but is -3."),
        (lambda: fibre_loss_db(-3.0, 0.2), "`length_km` must be at least 0, but is -3."),
        (lambda: FibreArm(attenuation_db_km=-0.2), "`attenuation_db_km` must be at least 0"),
        (lambda: FibreArm(temperature_rms_k=-1.0), "`temperature_rms_k` must be at least 0"),
        (lambda: FibreArm(room_memory_s=0.0), "`room_memory_s` must be a finite number above 0"),
        (lambda: FibreArm(spool_lag_s=-1.0), "`spool_lag_s` must be at least 0"),
        (lambda: FibreArm(polarization_rad_sqrt_km_s=-1.0), "`polarization_rad_sqrt_km_s` must be at least 0"),
        (lambda: FibreArm(beta2_ps2_km=float("nan")), "`beta2_ps2_km` must be a finite number"),
        (lambda: broadened_fwhm_ps(-95.0, 0.0), "`fwhm_ps` must be a finite number above 0, but is -95"),
        (lambda: seen_fwhm_ps(95.0, -1.0), "`jitter_fwhm_ps` must be at least 0"),
        (
            lambda: check_pulse(10.0, 400.0, FibreArm()),
            "`fwhm_ps` must leave pulses within.*10 becomes 601.7 after 100 km",
        ),
        (lambda: check_pulse(500.0, 400.0, FibreArm(0.0)), "within the period of 400 ps, but 500"),
        (lambda: drift.step(FibreArm(), drift.init(FibreArm(), np.random.default_rng()), 0.0, None), "`dt_s` must"),
        (lambda: drift.walk(np.eye(2), -0.1, np.random.default_rng()), "`sigma_rad` must be at least 0"),
    ],
)
def test_bad_fibres_get_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
