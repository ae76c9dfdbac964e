"""From volts to light: widths, extinction, intensities, states, chirp, pattern effect, and what of the proof breaks."""

import json
import math
import re
from dataclasses import MISSING, fields, replace
from pathlib import Path

import numpy as np
import pytest

from combmesh.device.chip import mzi
from combmesh.device.chip.chip import Chip, paper_chip
from combmesh.device.chip.grating import GratingCoupler1D, GratingCoupler2D
from combmesh.device.chip.mzi import Mzi
from combmesh.device.chip.voa import Voa
from combmesh.device.chip.waveform import Waveform, sample_times_ps
from combmesh.device.transmitter import (
    Drives,
    Emission,
    Transmitter,
    calibrate,
    emit,
    mode_overlap,
    paper_pulse_spec,
    paper_transmitter,
    pulse_spec,
)
from combmesh.device.transmitter.box import PAPER_INTENSITIES, carve_volts, width_readings
from combmesh.device.transmitter.marks import MARKS
from combmesh.device.transmitter.spec import IDEAL, stokes
from combmesh.ground.errors import InputError

GUIDE = Path(__file__).parents[2] / "docs" / "transmitter.md"
PERIOD = 400.0  # 2.5 GHz
PERFECT = Mzi(extinction_db=160.0, loss_db=0.0, bandwidth_ghz=1e9, built_in_v=None)


def perfect_box(carver=PERFECT, levels=PERFECT, polarizer=PERFECT, **settings):
    """A box without loss and error; 10 nW of light, so that 30 dB of attenuation are enough."""
    coupler_out = GratingCoupler2D(loss_db=0.0, width_nm=1e9, pdl_db=0.0, crosstalk_db=200.0)
    coupler_in = GratingCoupler1D(loss_db=0.0, width_nm=1e9)
    chip = Chip(carver, levels, PERFECT, polarizer, Voa(loss_db=0.0), coupler_in, coupler_out)
    return Transmitter(chip, **{"line_power_uw": 0.01, **settings})


def gaussian(fwhm_ps=95.0, chirp=0.0, floor=0.0, samples=4096):
    """Field exp[-(1+iC) t^2/4 sigma^2] on a floor in quadrature, as an MZI's is."""
    t, sigma = sample_times_ps(PERIOD, samples), fwhm_ps / math.sqrt(8.0 * math.log(2.0))
    field = np.exp(-(1.0 + 1j * chirp) * t**2 / (4.0 * sigma**2))
    field = field * np.sqrt(1.0 - floor) + 1j * math.sqrt(floor) * np.sqrt(1.0 - np.abs(field) ** 2)
    return Emission(t, field, PERIOD, fwhm_ps, 0.0)


def test_paper_widths_and_extinction():
    """90 ps of light (Fig. 3g) are seen as 95 ps (Fig. 3d) with sqrt(95^2 - 90^2) = 30.4 ps of jitter; 30 dB (2.2)."""
    for user in ("alice", "bob"):
        spec = paper_pulse_spec(user)
        assert spec.optical_fwhm_ps == pytest.approx(90.0, abs=1e-3)
        assert spec.jitter_fwhm_ps == pytest.approx(30.41, abs=0.01)
        assert spec.seen_fwhm_ps == pytest.approx(95.0, abs=1e-3)
        assert spec.extinction_db == pytest.approx(30.0, abs=0.01)
    one, other = width_readings()
    assert (one.seen_fwhm_ps, other.optical_fwhm_ps) == (95.0, 95.0)
    assert other.seen_fwhm_ps == pytest.approx(99.75, abs=0.01)


def test_limit_light_outside_a_gaussian_pulse():
    """Gaussian of 95 ps on 30 dB: 1e-3 x 305 ps over (101.1 + 0.4) ps of light: 0.30 %."""
    assert gaussian(floor=1e-3).outside_share == pytest.approx(0.0030, abs=5e-5)
    assert gaussian(floor=1e-3).extinction_db == pytest.approx(30.0, abs=0.03)  # its tail is not 0
    assert paper_pulse_spec("alice", 95.0).outside_share == pytest.approx(0.0031, abs=5e-5)  # a leaner pulse


def test_limit_chirp_of_a_gaussian_and_its_overlap():
    """exp[-(1+iC)t^2/4 sigma^2] gives C back, and M = [1+(C1-C2)^2/4]^-1/2; equal chirps overlap fully."""
    for one, two in ((0.0, 0.3), (-0.5, 0.7)):
        first, second = gaussian(chirp=one), gaussian(chirp=two)
        assert first.chirp == pytest.approx(one, abs=1e-9)
        assert second.chirp == pytest.approx(two, rel=1e-9)
        assert mode_overlap(first, second) == pytest.approx((1.0 + 0.25 * (one - two) ** 2) ** -0.5, abs=1e-5)
        assert mode_overlap(first, first) == pytest.approx(1.0, abs=1e-12)


def test_exact_a_turning_phase_is_a_shift():
    """Carrier exp(-i w t): 5 MHz more turn the phase by -2 pi 5e-6 t/ps, and leave the chirp."""
    still = gaussian(chirp=0.2)
    turned = replace(still, field=still.field * np.exp(-2j * math.pi * 5e-6 * still.times_ps))
    assert turned.shift_mhz - still.shift_mhz == pytest.approx(5.0, rel=1e-9)
    assert turned.chirp == pytest.approx(0.2, rel=1e-9)


def test_limit_widths_overlap_as_the_notes_say():
    """2 s1 s2/(s1^2+s2^2): 95 against 100 ps."""
    assert mode_overlap(gaussian(95.0), gaussian(100.0)) == pytest.approx(2 * 95 * 100 / (95**2 + 100**2), abs=1e-6)


def test_exact_what_chirps():
    """A balanced push-pull with linear phase does not; imbalance does, with its sign; so does the depletion's curve."""
    chirps = [emit_of(replace(PERFECT, drive_imbalance=delta)).chirp for delta in (-0.1, 0.0, 0.1)]
    assert chirps[1] == pytest.approx(0.0, abs=1e-6)
    assert chirps[0] == pytest.approx(-chirps[2], rel=1e-6)
    assert chirps[2] > 0.05
    arms = [emit_of(replace(PERFECT, extinction_db=30.0, brighter_arm=arm)).chirp for arm in (1, 2)]
    assert arms[0] == pytest.approx(-arms[1], rel=1e-6)
    low, high = (emit_of(replace(PERFECT, built_in_v=0.8, reverse_bias_v=v)).chirp for v in (3.0, 300.0))
    assert abs(low) > 0.1
    assert abs(high) < 0.01


def emit_of(carver):
    box = perfect_box(carver)
    return emit(box, calibrate(box))


def test_exact_a_bright_drive_sends_every_photon():
    """Lossless, attenuator cold: power x energy / h nu, with the energy of the emission."""
    box = perfect_box()
    drives = replace(calibrate(box), voa_mw=0.0)
    joules = 1e-8 * emit(box, drives).energy_ps * 1e-12
    photons = joules / (6.62607015e-34 * 192.1152e12)
    assert pulse_spec(box, drives).intensities["z"] == pytest.approx(photons, rel=1e-9)


def test_exact_calibrated_box_sends_what_is_wanted():
    """Decoys and signal as wanted; the vacuum is the floor of MZI-2, 30 dB below the brightest source."""
    for user in ("alice", "bob"):
        sent = paper_pulse_spec(user).intensities
        for source in ("x", "y", "z"):
            assert sent[source] == pytest.approx(PAPER_INTENSITIES[source], rel=1e-3)
        assert sent["o"] == pytest.approx(1e-3 * sent["z"], rel=1e-3)
    wanted = {"o": 0.01, "x": 0.1, "y": 0.8, "z": 0.5}  # the brightest need not be the signal
    box = paper_transmitter()
    sent = pulse_spec(box, calibrate(box, intensities=wanted)).intensities
    assert sent == pytest.approx(wanted, rel=1e-3)


def test_exact_perfect_states():
    spec = pulse_spec(perfect_box(), calibrate(perfect_box()))
    np.testing.assert_allclose(spec.jones, IDEAL, atol=1e-7)
    np.testing.assert_allclose(spec.brightness, 1.0, atol=1e-7)
    assert spec.basis_difference < 1e-7


def test_exact_states_of_a_finite_extinction():
    """MZI-4 of 30 dB: V has 1e-3 in H, H nothing in V, and D, A overlap by sqrt(1e-3) in amplitude."""
    box = perfect_box(polarizer=replace(PERFECT, extinction_db=30.0))
    spec = pulse_spec(box, calibrate(box))
    assert spec.errors[0] == pytest.approx(0.0, abs=1e-12)
    assert spec.errors[1] == pytest.approx(1e-3, rel=1e-6)
    assert abs(np.vdot(spec.jones[2], spec.jones[3])) ** 2 == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_exact_states_are_orthogonal_within_their_errors(user):
    """Angles on the sphere add: an overlap is at most sin^2 of the sum of both states' angles from their ideals."""
    spec = paper_pulse_spec(user)
    angles = np.arcsin(np.sqrt(spec.errors))
    for one, two in ((0, 1), (2, 3)):
        overlap = abs(np.vdot(spec.jones[one], spec.jones[two])) ** 2
        assert overlap <= math.sin(angles[one] + angles[two]) ** 2 + 1e-12
        assert 0.0 < overlap < 0.02


def test_exact_a_common_rotation_is_no_residual_error():
    """Any fibre turns all states alike; a polarization controller turns them back."""
    spec = pulse_spec(perfect_box(), calibrate(perfect_box()))
    c, s = math.cos(0.7), math.sin(0.7) * np.exp(0.4j)
    turned = replace(spec, jones=IDEAL @ np.array([[c, -s.conjugate()], [s, c]]).T)
    assert turned.errors.max() > 0.2
    np.testing.assert_allclose(turned.residual_errors, 0.0, atol=1e-12)
    np.testing.assert_allclose(stokes(IDEAL), [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], atol=1e-15)


def test_exact_residual_errors_are_the_least():
    """No small rotation about any axis makes their sum smaller (all of Alice's printed chip)."""
    spec = paper_pulse_spec()
    assert spec.residual_errors.sum() <= spec.errors.sum()
    axes = np.array([[[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]]])
    for axis in axes:
        for angle in (-0.02, 0.02):
            turn = math.cos(angle) * np.eye(2) - 1j * math.sin(angle) * axis
            assert replace(spec, jones=spec.jones @ turn.T).errors.sum() > spec.residual_errors.sum()


def test_limit_no_pattern_effect_without_pole():
    spec = pulse_spec(perfect_box(), calibrate(perfect_box()))
    assert spec.pattern_effect < 1e-12
    assert spec.state_pattern.max() < 1e-12


def test_limit_pattern_effect_of_a_short_pulse():
    """A pulse of 5 ps samples MZI-2 at 200 ps after its switch: T(V_i + (V_j - V_i) e^{-200/tau}) / T(V_i) - 1."""
    slow = replace(PERFECT, extinction_db=30.0, bandwidth_ghz=2.0)
    box = perfect_box(levels=slow, line_power_uw=0.1)
    drives = calibrate(box, optical_fwhm_ps=5.0)
    v, left = np.array(drives.source_v), math.exp(-200.0 * 2.0 * math.pi * 2.0e-3)
    sampled = mzi.transmittance(slow, v[:, None] + left * (v[None, :] - v[:, None]), -math.pi)
    expected = sampled / np.diag(sampled)[:, None] - 1.0
    spec = pulse_spec(box, drives, samples=16384)
    np.testing.assert_allclose(spec.pattern, expected, rtol=0.01, atol=1e-9)
    assert spec.pattern_effect == pytest.approx(np.abs(expected[1:]).max(), rel=0.01)
    assert spec.pattern_effect > 0.1


def test_exact_a_late_switch_shows():
    box = paper_transmitter()
    drives = calibrate(box)
    early, late = (pulse_spec(replace(box, switch_delay_ps=d), drives).pattern_effect for d in (0.0, 100.0))
    assert late > 10.0 * early


def test_exact_numbers_do_not_depend_on_the_sampling():
    box = paper_transmitter()
    drives = calibrate(box)
    coarse, fine = pulse_spec(box, drives, 1024), pulse_spec(box, drives, 8192)
    for name in ("optical_fwhm_ps", "chirp", "outside_share", "pattern_effect", "extinction_db"):
        assert getattr(coarse, name) == pytest.approx(getattr(fine, name), rel=1e-5), name
    assert coarse.shift_mhz == pytest.approx(fine.shift_mhz, abs=0.01)
    np.testing.assert_allclose(coarse.state_pattern, fine.state_pattern, atol=1e-7)
    assert coarse.intensities == pytest.approx(fine.intensities, rel=1e-9)


def test_exact_a_slow_clock_cuts_the_same_pulse():
    """100 MHz, 10 ns: the same drive and pulse, more light outside: 1e-3 x 9910 ps over (93 + 10) ps."""
    slow = Transmitter(clock_hz=1e8)
    fast = calibrate(paper_transmitter())
    drives = calibrate(slow)
    assert drives.waveform.fwhm_ps == pytest.approx(fast.waveform.fwhm_ps, rel=1e-3)
    pulse = emit(slow, drives)
    assert pulse.outside_share == pytest.approx(9.91 / (emit(paper_transmitter(), fast).energy_ps + 9.6), rel=1e-3)


@pytest.mark.parametrize("kind", ["gaussian", "flat"])
def test_exact_drive_for_a_width(kind):
    """The driver's pulse is narrower than the light behind a pole; the light reaches full transmittance."""
    box = paper_transmitter()
    drives = calibrate(box, 95.0, kind=kind)
    pulse = emit(box, drives)
    assert pulse.fwhm_ps == pytest.approx(95.0, abs=2e-3)
    assert pulse.power.max() == pytest.approx(1.0, abs=1e-6)
    assert drives.carve_v > box.chip.carver.half_wave_v
    assert drives.carve_v == carve_volts(box.chip.carver, drives.waveform, PERIOD)


def test_exact_a_wrong_bias_costs_extinction():
    """Between pulses T = eps + (1 - eps) sin^2(d/2)."""
    box = paper_transmitter()
    pulse = emit(box, calibrate(box).biased(1, 0.1))
    assert pulse.midway == pytest.approx(1e-3 + 0.999 * math.sin(0.05) ** 2, rel=0.01)


def test_exact_alices_drives_on_bobs_chip():
    """3.47 V of 3.80 V are 0.913 of half a wave: 1.9 % of V stay in H, and the signal is dimmer."""
    alice, bob = perfect_box(), perfect_box(*[replace(PERFECT, half_wave_v=3.80)] * 3)
    spec = pulse_spec(bob, calibrate(alice))
    assert spec.errors[1] == pytest.approx(math.cos(0.5 * math.pi * 3.47 / 3.80) ** 2, rel=1e-6)
    assert spec.intensities["z"] < 0.98 * PAPER_INTENSITIES["z"]


def test_exact_a_feed_that_leaks_turns_every_state():
    """Light in the lower input of MZI-4 makes H a V: the share sin^2(d/2) of a bias error d."""
    spec = pulse_spec(perfect_box(), calibrate(perfect_box()).biased(3, 0.2))
    np.testing.assert_allclose(spec.errors, math.sin(0.1) ** 2, rtol=1e-5)


def test_exact_what_of_the_proof_breaks():
    """A perfect box breaks nothing; each flaw gives its own sentence."""
    drives = calibrate(perfect_box())
    assert pulse_spec(perfect_box(), drives).assumptions_broken == ()
    spec = pulse_spec(replace(perfect_box(), phase_randomised=False), drives)
    assert [s.split(":")[0] for s in spec.assumptions_broken] == ["Phases are not random"]
    said = " ".join(paper_pulse_spec().assumptions_broken)
    for words in ("differ between Z and X", "differ in intensity", "previous source", "previous state", "outside the"):
        assert words in said
    assert "The vacuum is not vacuum: 0.00054 photons" in said


def test_exact_json():
    shown = json.loads(json.dumps(paper_pulse_spec().as_json(), allow_nan=False))
    assert shown["jones"][0][0][0] == pytest.approx(0.998, abs=1e-3)
    assert len(shown["assumptions_broken"]) == 6
    assert {"optical_fwhm_ps", "seen_fwhm_ps", "chirp", "outside_share", "pattern_effect"} <= set(shown)


def test_exact_every_default_has_a_mark():
    have = {
        f"{part.__name__}.{f.name}"
        for part in (Transmitter, Drives)
        for f in fields(part)
        if f.default is not MISSING or f.default_factory is not MISSING
    }
    assert set(MARKS) == have | {"calibrate.optical_fwhm_ps", "calibrate.intensities", "calibrate.kind"}
    assert {name for name, mark in MARKS.items() if mark.kind == "fitted"} == {"Transmitter.jitter_fwhm_ps"}


def wanted(**changes):
    return {**PAPER_INTENSITIES, **changes}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Transmitter(line_power_uw=-1.0), "`line_power_uw`.*-1"),
        (lambda: Transmitter(clock_hz=0.0), "`clock_hz`.*above 0"),
        (lambda: Transmitter(switch_delay_ps=300.0), "`switch_delay_ps` must be at most 200.*300"),
        (lambda: calibrate(Transmitter(), 400.0), "`optical_fwhm_ps` must be below the period of 400 ps.*400"),
        (lambda: calibrate(Transmitter(clock_hz=25e9)), "`optical_fwhm_ps` must be below the period of 40 ps.*90"),
        (
            lambda: calibrate(Transmitter(), 1.0),
            "`optical_fwhm_ps` must be a width that MZI-1 cuts.* at most 6 V.* 10 GHz, but is 1",
        ),
        (lambda: calibrate(Transmitter(), kind="sine"), "`kind` must be gaussian or flat.*'sine'"),
        (
            lambda: emit(Transmitter(most_drive_v=3.0), calibrate(Transmitter())),
            "`carve_v` must be at most 3, but is 3.7",
        ),
        (lambda: calibrate(Transmitter(line_power_uw=1e-3)), "`line_power_uw` of 0.001 gives at most.*0.54 are wanted"),
        (lambda: calibrate(Transmitter(line_power_uw=1e3)), "must take 0 to 30 dB, but 4.* dB is wanted"),
        (lambda: calibrate(Transmitter(), intensities=wanted(x=1e-4)), "`intensities.x` must be at least 0.00054"),
        (lambda: calibrate(Transmitter(), intensities=wanted(z=-0.5)), "`intensities.z`.*-0.5"),
        (lambda: calibrate(Transmitter(), intensities={"z": 0.5}), "`intensities` must be of o, x, y, z, but are of z"),
        (lambda: Drives(Waveform(90.0), 3.5, (0.0,), (0.0,) * 4, 20.0), "`source_v` must have 4 values, but has 1"),
        (lambda: calibrate(Transmitter()).biased(5, 0.1), "`mzi` must be at most 4"),
        (lambda: replace(paper_pulse_spec(), optical_fwhm_ps=500.0), "`optical_fwhm_ps` must be below the period"),
        (lambda: replace(paper_pulse_spec(), outside_share=-0.1), "`outside_share`.*-0.1"),
        (lambda: replace(paper_pulse_spec(), jones=2.0 * IDEAL), "`jones` must be unit vectors.*2"),
        (lambda: replace(paper_pulse_spec(), brightness=np.ones(2)), r"`brightness` must have shape \(4,\)"),
        (lambda: replace(paper_pulse_spec(), intensities={"z": 1.0}), "`intensities` must be of o, x, y, z"),
        (lambda: mode_overlap(gaussian(), gaussian(samples=512)), "one period and one number of samples"),
        (lambda: Chip(paper_chip("dave")), "`user`.*'dave'"),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        bad()


@pytest.mark.skipif(not GUIDE.exists(), reason="no documentation beside the tests")
def test_exact_the_guides_example_runs():
    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["late"].pattern_effect > names["spec"].pattern_effect
    assert names["spec"].intensities["z"] == pytest.approx(0.54, rel=1e-3)
