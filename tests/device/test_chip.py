"""The transmitter chip's parts against closed forms; the paper's voltage-transmittance curves."""

import math
from dataclasses import MISSING, fields

import numpy as np
import pytest

from combmesh.device.chip import bias, grating, mzi, voa
from combmesh.device.chip.bias import BiasDisturbance, BiasLock, lock_for
from combmesh.device.chip.chip import Chip, brightest_share, paper_chip
from combmesh.device.chip.grating import GratingCoupler1D, GratingCoupler2D
from combmesh.device.chip.marks import MARKS
from combmesh.device.chip.mzi import Mzi
from combmesh.device.chip.voa import Voa
from combmesh.device.chip.waveform import Waveform, driven, sample_times_ps, stepped, width_ps
from combmesh.ground import control
from combmesh.ground.errors import InputError

LINEAR = {"built_in_v": None, "bandwidth_ghz": 1e9}


def test_exact_arm_ratio():
    """30 dB: sqrt(1e-3) = 0.03162; (1 - 0.03162)/(1 + 0.03162) = 0.9387."""
    assert Mzi(extinction_db=30.0).arm_ratio == pytest.approx(0.9387, abs=5e-5)


@pytest.mark.parametrize(("user", "half_wave_v"), [("alice", 3.47), ("bob", 3.80)])
def test_paper_fig3c_half_wave_and_extinction(user, half_wave_v):
    """Section 2.2: 3.47 V and 3.80 V, 30 dB; half of the power (and of the floor) at half the voltage, linear phase."""
    printed = paper_chip(user).carver
    assert mzi.transmittance(printed, 0.0) == pytest.approx(1.0, abs=1e-12)
    assert mzi.transmittance(printed, half_wave_v) == pytest.approx(1e-3, rel=1e-9)
    linear = Mzi(half_wave_v=half_wave_v, built_in_v=None)
    assert mzi.transmittance(linear, 0.5 * half_wave_v) == pytest.approx(0.5 * 1.001, rel=1e-12)


def test_exact_transmittance_is_that_of_two_paths():
    """T = |1 + a e^{i pi V/Vpi}|^2/(1+a)^2, computed apart."""
    part = Mzi(half_wave_v=3.8, built_in_v=None, extinction_db=22.0)
    volts = np.linspace(-8.0, 8.0, 101)
    two_paths = np.abs(1.0 + part.arm_ratio * np.exp(1j * math.pi * volts / 3.8)) ** 2 / (1.0 + part.arm_ratio) ** 2
    np.testing.assert_allclose(mzi.transmittance(part, volts), two_paths, atol=1e-14)


@pytest.mark.parametrize("arm", [1, 2])
@pytest.mark.parametrize("built_in_v", [None, 0.8])
def test_exact_mzi_is_unitary(arm, built_in_v):
    """Finite extinction takes no light: what the bar output lacks is in the cross output."""
    part = Mzi(extinction_db=20.0, built_in_v=built_in_v, drive_imbalance=0.2, brighter_arm=arm)
    for volts in (-4.0, -1.3, 0.0, 0.7, 3.47, 4.9):
        u = mzi.matrix(part, volts, bias_rad=0.4)
        np.testing.assert_allclose(u @ u.conj().T, np.eye(2), atol=1e-14)
        bar, cross = mzi.fields(part, volts, 0.4)
        np.testing.assert_allclose(u[:, 0], [bar, cross], atol=1e-15)


def test_exact_depletion_phase():
    """By hand, U_b + V_bi = 4 V, Vpi = 4 V: kappa = pi/(sqrt 6 - sqrt 2); at 2 V the arms have sqrt 5 and sqrt 3."""
    part = Mzi(half_wave_v=4.0, built_in_v=1.0, reverse_bias_v=3.0)
    kappa = math.pi / (math.sqrt(6.0) - math.sqrt(2.0))
    difference, mean = mzi.phases_rad(part, np.array([2.0, -2.0, 4.0]))
    assert difference[0] == pytest.approx(kappa * (math.sqrt(5.0) - math.sqrt(3.0)), rel=1e-12)
    assert difference[2] == pytest.approx(math.pi, rel=1e-12)
    assert difference[1] == pytest.approx(-difference[0], rel=1e-12)
    assert mean[0] == pytest.approx(kappa * (0.5 * (math.sqrt(5.0) + math.sqrt(3.0)) - 2.0), rel=1e-9)
    assert mean[1] == pytest.approx(mean[0], rel=1e-12)  # push-pull: the mean is even, so it chirps


def test_limit_depletion_is_linear_at_a_large_bias():
    part = Mzi(reverse_bias_v=1000.0)
    difference, mean = mzi.phases_rad(part, 1.2)
    assert difference == pytest.approx(math.pi * 1.2 / 3.47, rel=1e-6)
    assert abs(mean) < 1e-3


@pytest.mark.parametrize("built_in_v", [None, 0.8])
def test_exact_volts_give_what_was_asked(built_in_v):
    part = Mzi(built_in_v=built_in_v)
    for share in (1e-3, 0.1, 0.5, 1.0):
        volts = mzi.volts_for_transmittance(part, share)
        assert mzi.transmittance(part, volts, -math.pi) == pytest.approx(share, rel=1e-9)
    for phase in (-2.0, 0.0, 3.0):
        assert mzi.phases_rad(part, mzi.volts_for(part, phase))[0] == pytest.approx(phase, abs=1e-9)


def test_exact_pole_on_a_sine():
    """A clock at the pole's frequency comes out 1/sqrt(2) high and an eighth of a period late."""
    out = driven(Waveform(200.0, "sine"), 400.0, 2.5)
    times = sample_times_ps(400.0, out.size)
    expected = 0.5 + 0.5 * math.sqrt(0.5) * np.cos(2.0 * math.pi * (times - 50.0) / 400.0)
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_exact_pole_on_a_pulse_is_the_plain_equation():
    """tau dV/dt = V_in - V over five periods, Heun's rule, beside the Fourier series."""
    period, bandwidth, samples = 400.0, 4.0, 4096
    clean = driven(Waveform(80.0), period, 1e9, samples)
    tau, dt, value = 1e3 / (2.0 * math.pi * bandwidth), period / samples, 0.0
    plain = np.empty(samples)
    for _ in range(5):
        for i in range(samples):
            plain[i] = value
            slope = (clean[i] - value) / tau
            value += dt * 0.5 * (slope + (clean[(i + 1) % samples] - value - dt * slope) / tau)
    np.testing.assert_allclose(driven(Waveform(80.0), period, bandwidth, samples), plain, atol=1e-5)


def test_exact_step_through_the_pole():
    """37 % of the way is left after a time constant, nothing has happened before."""
    levels = stepped(2.0, 1.0, np.array([-5.0, 0.0, 30.0]), 30.0)
    np.testing.assert_allclose(levels, [2.0, 2.0, 1.0 + math.exp(-1.0)], rtol=1e-14)


@pytest.mark.parametrize("kind", ["gaussian", "flat"])
def test_exact_width_of_a_drive(kind):
    assert width_ps(driven(Waveform(95.0, kind), 400.0, 1e9), 400.0)[0] == pytest.approx(95.0, abs=1e-3)


def test_limit_light_is_as_wide_as_its_drive():
    """Half of the half-wave voltage gives half of the power: without pole, linear phase, high extinction."""
    part = Mzi(extinction_db=120.0, **LINEAR)
    for waveform, expected in ((Waveform(95.0), 95.0), (Waveform(200.0, "sine"), 200.0)):
        power = mzi.transmittance(part, part.half_wave_v * driven(waveform, 400.0, 1e9), -math.pi)
        assert width_ps(power, 400.0)[0] == pytest.approx(expected, abs=2e-3)


def test_exact_voa():
    """cos^2(pi P / 2 P_pi): half at half, 30 dB at P_pi; the way back gives the power again."""
    part = Voa(half_wave_mw=20.0, most_mw=40.0, extinction_db=60.0)
    assert voa.transmittance(part, 10.0) == pytest.approx(0.5, abs=1e-6)
    assert voa.transmittance(part, 20.0) == pytest.approx(1e-6, rel=1e-6)
    assert voa.transmittance(part, voa.heat_for(part, 0.037)) == pytest.approx(0.037, rel=1e-12)


def test_exact_voa_settles_with_its_time_constant():
    """Steps of a constant power compose; 1 - 1/e after a time constant."""
    part = Voa(time_constant_us=30.0)
    once, _ = voa.step(part, voa.init(part), 20.0, 30e-6)
    assert once == pytest.approx(20.0 * (1.0 - math.exp(-1.0)), rel=1e-12)
    state = voa.init(part)
    for _ in range(10):
        state, reading = voa.step(part, state, 20.0, 3e-6)
    assert state == pytest.approx(once, rel=1e-12)
    assert reading.transmittance == voa.transmittance(part, state)


def test_exact_grating_passband():
    """Half of the light half a width away; 299 792.458 GHz nm / nm."""
    part = GratingCoupler1D(loss_db=3.0, centre_nm=1550.0, width_nm=60.0)
    centre, edge = (299_792.458 / nm for nm in (1550.0, 1580.0))
    assert grating.transmittance(part, centre) == pytest.approx(10.0**-0.3, rel=1e-9)
    assert grating.transmittance(part, edge) == pytest.approx(0.5 * 10.0**-0.3, rel=1e-9)


def test_exact_grating_polarizations():
    """PDL of 0.5 dB; crosstalk of 20 dB leaves amplitude 0.1: overlap 0.2/1.01, none a quarter wave out of phase."""
    nu = 299_792.458 / 1550.0
    plain = grating.jones_matrix(GratingCoupler2D(loss_db=3.0, pdl_db=0.5, crosstalk_db=200.0), nu)
    np.testing.assert_allclose(np.abs(np.diag(plain)) ** 2, [10.0**-0.3, 10.0**-0.35], rtol=1e-9)
    for phase, overlap in ((0.0, 0.2 / 1.01), (0.5 * math.pi, 0.0)):
        leaky = grating.jones_matrix(
            GratingCoupler2D(loss_db=3.0, pdl_db=0.0, crosstalk_db=20.0, crosstalk_phase_rad=phase), nu
        )
        h, v = (leaky / np.linalg.norm(leaky, axis=0)).T
        assert abs(np.vdot(h, v)) == pytest.approx(overlap, abs=1e-9)


def test_exact_losses_add():
    """4 dB at the coupler's centre, four interferometers of 1 dB, 0.5 dB of the attenuator."""
    assert brightest_share(Chip(), 299_792.458 / 1550.0) == pytest.approx(10.0**-0.85, rel=1e-12)


def carved_volts(part):
    pulse = driven(Waveform(90.0), 400.0, part.bandwidth_ghz)
    return part.half_wave_v / pulse.max() * pulse


def test_exact_dither_signal_is_the_lights():
    """H(e) beside the mean over pulses and dither, sample by sample."""
    part = Mzi()
    volts, lock = carved_volts(part), lock_for(part, carved_volts(part))
    for error in (-0.3, 0.0, 0.1):
        tau = 2.0 * math.pi * np.arange(64) / 64
        biases = -math.pi + error + lock.dither_rad * np.sin(tau)
        light = np.array([mzi.transmittance(part, volts, b).mean() for b in biases])
        assert bias.harmonic(lock, error) == pytest.approx(2.0 * (light * np.sin(tau)).mean(), rel=1e-9)
    dark = np.array([float(mzi.transmittance(part, 0.0, -math.pi + lock.dither_rad * np.sin(x))) for x in tau])
    assert bias.dark_level(lock, 0.0) == pytest.approx(dark.mean(), rel=1e-9)
    assert bias.dark_level(lock, 0.0) - part.floor == pytest.approx(lock.dither_rad**2 / 8.0 * 0.999, rel=1e-3)


@pytest.mark.parametrize("subtracts", [True, False])
def test_exact_bias_lock_rests_where_it_says(subtracts):
    """Dark between pulses; at tan e = -s/c, where the lock forgets the edges of its pulses."""
    part = Mzi()
    lock = lock_for(part, carved_volts(part), subtracts)
    state = bias.init(lock)
    for second in range(200):
        state, reading = bias.step(lock, state, BiasDisturbance(0.8 + 1e-4 * second), 0.1)
    assert reading.status == "locked"
    assert reading.error_rad == pytest.approx(lock.resting_error_rad, abs=3e-3)
    assert (reading.dark < 1.2e-3) == subtracts


def test_exact_bias_lock_drives_an_instrument():
    """The same regulator on anything that measures and can be set."""

    class Bench:
        drift_rad, heater_mw = -0.5, 0.0

        def measure(self):
            return bias.harmonic(lock, self.drift_rad + lock.rad_mw * self.heater_mw)

        def actuate(self, setting):
            self.heater_mw = setting

    lock, bench = lock_for(Mzi(), carved_volts(Mzi())), Bench()
    state = bias.init(lock)
    for _ in range(500):
        state, _ = control.drive(lock.regulator, state, bench, lambda light: bias.correction_rad(lock, light), 0.1)
    assert bench.drift_rad + lock.rad_mw * bench.heater_mw == pytest.approx(0.0, abs=1e-6)


def test_exact_every_default_has_a_mark():
    parts = (Mzi, Voa, GratingCoupler1D, GratingCoupler2D, Chip, Waveform, BiasLock)
    have = {
        f"{part.__name__}.{f.name}"
        for part in parts
        for f in fields(part)
        if f.default is not MISSING or f.default_factory is not MISSING
    }
    assert set(MARKS) == have
    assert all(mark.note for mark in MARKS.values())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Mzi(half_wave_v=0.0), "`half_wave_v`.*above 0.*0"),
        (lambda: Mzi(half_wave_v=math.nan), "`half_wave_v`.*nan"),
        (lambda: Mzi(extinction_db=-3.0), "`extinction_db`.*above 0.*-3"),
        (lambda: Mzi(bandwidth_ghz=-1.0), "`bandwidth_ghz`.*above 0.*-1"),
        (lambda: Mzi(loss_db=-1.0), "`loss_db`.*at least 0.*-1"),
        (lambda: Mzi(built_in_v=-0.8), "`built_in_v`.*above 0.*-0.8"),
        (lambda: Mzi(reverse_bias_v=1.0), "`reverse_bias_v` must keep both arms.*1.735.*is 1"),
        (lambda: Mzi(drive_imbalance=1.5), "`drive_imbalance`.*at most 1.*1.5"),
        (lambda: Mzi(brighter_arm=3), "`brighter_arm`.*3"),
        (lambda: mzi.transmittance(Mzi(), 7.0), "`volts` must be within 6 V.*7"),
        (lambda: mzi.transmittance(Mzi(), math.nan), "`volts`.*nan"),
        (lambda: mzi.volts_for(Mzi(), 40.0), "`phase_rad` is out of reach"),
        (lambda: mzi.volts_for_transmittance(Mzi(), 1e-4), "`transmittance`.*0.001.*0.0001"),
        (lambda: Waveform(-95.0), "`fwhm_ps`.*above 0.*-95"),
        (lambda: Waveform(95.0, "square"), "`kind`.*'square'"),
        (lambda: driven(Waveform(400.0), 400.0, 10.0), "`fwhm_ps` must be below the period of 400 ps.*400"),
        (lambda: driven(Waveform(95.0), 400.0, -10.0), "`bandwidth_ghz`.*-10"),
        (lambda: driven(Waveform(95.0), 400.0, 10.0, 8), "`samples` must be at least 64"),
        (lambda: width_ps(np.ones(64), 400.0), "must fall to half within the period of 400 ps"),
        (lambda: Voa(half_wave_mw=0.0), "`half_wave_mw`.*above 0"),
        (lambda: Voa(time_constant_us=-1.0), "`time_constant_us`.*-1"),
        (lambda: voa.transmittance(Voa(), 60.0), "`heat_mw` must be at most 50.*60"),
        (lambda: voa.heat_for(Voa(), 1e-4), "must take 0 to 30 dB, but 40 dB"),
        (lambda: voa.heat_for(Voa(), 0.0), "a transmittance of 0 is wanted"),
        (lambda: voa.step(Voa(), 0.0, 10.0, 0.0), "`dt_s`.*above 0"),
        (lambda: GratingCoupler1D(loss_db=-1.0), "`loss_db`.*-1"),
        (lambda: GratingCoupler2D(loss_db=0.0), "no polarization with more light than went in"),
        (lambda: GratingCoupler2D(crosstalk_db=-5.0), "`crosstalk_db`.*-5"),
        (lambda: paper_chip("carol"), "`user` must be alice or bob.*'carol'"),
        (lambda: BiasLock(-0.2, 0.1), "`cosine` must be above 0.*-0.2"),
        (lambda: BiasLock(0.5, 0.1, dither_rad=0.0), "`dither_rad`.*above 0"),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        bad()
