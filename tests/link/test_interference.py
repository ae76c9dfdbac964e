"""Hong-Ou-Mandel interference: limits, the table of the notes, sampled pulses as the oracle, and the pulses engine."""

from dataclasses import fields, replace
from math import erfc, pi, sqrt

import numpy as np
import pytest
from scipy.stats import binom

from combmesh.ground.errors import InputError
from combmesh.link.interference.arrays import check_fits_period
from combmesh.link.interference.dip import Scan, dip_curve, fit_dip, integration_for, scan_dip
from combmesh.link.interference.marks import MARKS
from combmesh.link.interference.overlap import (
    Wave,
    jones_overlap,
    linear_jones,
    overlap_terms,
    snr_from_db,
    temporal_overlap,
)
from combmesh.link.interference.visibility import (
    coincidence,
    i0_minus_1,
    photons_for,
    single,
    single_photon_coincidence,
    single_photon_visibility,
    visibility,
    weak_visibility,
)

FALSE_ALARM = 1e-6
"""Of each statistical test here, whose seeds are fixed."""

SIGMAS = 4.9
"""A normal deviate is as far with probability 1e-6."""

FAINT = Wave(photons=1e-7)
BETA2_PS2_KM = -21.7


def faint(**more):
    return replace(FAINT, **more)


def sampled(wave, t):
    """The field of one pulse on a time grid in ps: chirped, then dispersed by an FFT, then late and detuned."""
    sigma = wave.fwhm_ps / 2.354820045
    field = np.exp(-(1.0 + 1j * wave.chirp) * t**2 / (4.0 * sigma**2))
    omega = 2.0 * pi * np.fft.fftfreq(t.size, t[1] - t[0])
    spectrum = np.fft.ifft(field) * np.exp(0.5j * wave.dispersion_ps2 * omega**2)
    turned = np.exp(1j * omega * wave.delay_ps)
    field = np.fft.fft(spectrum * turned) * np.exp(-2e-12j * pi * wave.detuning_hz * (t - wave.delay_ps))
    return field / np.sqrt(np.sum(np.abs(field) ** 2))


def plain_overlap(a, b):
    t = np.arange(-4096, 4096) * 0.5
    return np.abs(np.vdot(sampled(a, t), sampled(b, t))) ** 2


@pytest.mark.parametrize(
    ("other", "V"),
    [
        (faint(delay_ps=2.0), 0.4997),
        (faint(delay_ps=10.0), 0.4924),
        (faint(delay_ps=20.0), 0.4702),
        (faint(detuning_hz=31e3), 0.5000),
        (faint(detuning_hz=100e6), 0.4997),
        (faint(detuning_hz=400e6), 0.4949),
        (faint(jones=linear_jones(5.0)), 0.4962),
        (faint(jones=linear_jones(8.0)), 0.490),
        (faint(fwhm_ps=100.0), 0.4993),
        (faint(chirp=0.3), 0.4945),
        (faint(dispersion_ps2=20.0 * BETA2_PS2_KM), 0.4989),
        (faint(dispersion_ps2=50.0 * BETA2_PS2_KM), 0.4932),
    ],
)
def test_exact_table_of_95_ps_pulses(other, V):
    """Values checked by simulation when the formulas were derived, to their printed digits."""
    seen = float(overlap_terms(FAINT, other).visibility)
    assert seen == pytest.approx(V, abs=6e-5 if V != 0.490 else 4e-4)
    assert seen == pytest.approx(0.5 * plain_overlap(FAINT, other) * jones_overlap(FAINT.jones, other.jones), abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_exact_joint_overlap_is_that_of_sampled_pulses(seed):
    """Everything mismatched at once, beside a plain sum over two sampled fields."""
    rng = np.random.default_rng(seed)

    def any_wave():
        return faint(
            fwhm_ps=rng.uniform(60.0, 120.0),
            chirp=rng.uniform(-1.5, 1.5),
            dispersion_ps2=rng.uniform(-3000.0, 3000.0),
            delay_ps=rng.uniform(-60.0, 60.0),
            detuning_hz=rng.uniform(-2e9, 2e9),
        )

    a, b = any_wave(), any_wave()
    terms = overlap_terms(a, b)
    assert float(temporal_overlap(a, b)) == pytest.approx(plain_overlap(a, b), abs=1e-7)
    assert float(terms.overlap) == pytest.approx(plain_overlap(a, b), abs=1e-7)


def test_exact_single_mismatches_have_no_interplay():
    for other in (faint(delay_ps=30.0), faint(detuning_hz=1e9), faint(fwhm_ps=50.0), faint(dispersion_ps2=2000.0)):
        assert float(overlap_terms(FAINT, other).interplay) == pytest.approx(1.0, abs=1e-12)
    assert float(overlap_terms(faint(chirp=0.4), faint(chirp=-0.7)).interplay) == pytest.approx(1.0, abs=1e-12)


def test_exact_a_common_chirp_turns_delay_into_detuning():
    """Equal chirps cost nothing on time; late, the dip is narrower by the root of 1 + C^2 (own algebra)."""
    a, b = faint(chirp=1.0), faint(chirp=1.0, delay_ps=15.0)
    assert float(temporal_overlap(a, faint(chirp=1.0))) == pytest.approx(1.0, abs=1e-12)
    assert float(temporal_overlap(a, b)) == pytest.approx(float(overlap_terms(a, b).timing) ** 2, rel=1e-12)


def test_limit_a_common_fibre_leaves_the_dip_as_it_was():
    """100 km broaden the pulse to 114 ps, but what both pass is unitary: the dip keeps the emitted width."""
    far = 100.0 * BETA2_PS2_KM
    delays = np.linspace(-150.0, 150.0, 31)
    near = temporal_overlap(FAINT, faint(delay_ps=delays))
    both = temporal_overlap(faint(dispersion_ps2=far), faint(dispersion_ps2=far, delay_ps=delays))
    assert both == pytest.approx(near)


def test_limit_visibility_of_coherent_pulses_is_a_half_and_of_single_photons_1():
    assert float(overlap_terms(FAINT, FAINT).visibility) == pytest.approx(0.5, abs=1e-7)
    assert float(single_photon_visibility(0.3, 0.1)) == pytest.approx(1.0, abs=1e-12)
    assert float(single_photon_visibility(0.3, 0.1, overlap=0.7)) == pytest.approx(0.7, abs=1e-12)


def test_limit_orthogonal_polarizations_do_not_interfere():
    crossed = faint(jones=linear_jones(90.0))
    assert float(overlap_terms(FAINT, crossed).visibility) == pytest.approx(0.0, abs=1e-12)
    left, right = np.array([1.0, 1.0j]), np.array([1.0, -1.0j])
    assert float(jones_overlap(left, right)) == pytest.approx(0.0, abs=1e-15)
    assert float(jones_overlap(left, 3.0j * left)) == pytest.approx(1.0)


@pytest.mark.parametrize("p_d", [0.0, 1e-3])
def test_exact_coincidences_are_the_mean_over_the_phase(p_d):
    """Two threshold detectors at each relative phase, a thousand of them: the slow road."""
    a, b, M = 0.7, 0.2, 0.9
    phase = 2.0 * pi * (np.arange(1000) + 0.5) / 1000
    cross = sqrt(a * b * M) * np.cos(phase)
    one, two = (1.0 - (1.0 - p_d) * np.exp(-0.5 * (a + b) - sign * cross) for sign in (1.0, -1.0))
    assert float(coincidence(a, b, M, p_d)) == pytest.approx(np.mean(one * two), rel=1e-12)
    assert float(single(a, b, M, p_d)) == pytest.approx(np.mean(one), rel=1e-12)
    beside = coincidence(a, b, 0.0, p_d)
    assert float(visibility(a, b, M, p_d)) == pytest.approx(float(1.0 - coincidence(a, b, M, p_d) / beside), rel=1e-12)


def test_limit_weak_light_has_the_weak_visibility_to_the_last_digits():
    for r in (1.0, 2.0, 10.0):
        assert float(visibility(1e-8 * r, 1e-8, 0.97)) == pytest.approx(2.0 * r * 0.97 / (1.0 + r) ** 2, rel=1e-7)
        assert float(weak_visibility(r, 1.0, 0.97)) == pytest.approx(2.0 * r * 0.97 / (1.0 + r) ** 2, rel=1e-14)
    w = np.array([1e-9, 0.3, 1.0, 2.5])
    assert i0_minus_1(w)[0] == pytest.approx(2.5e-19, rel=1e-12)
    assert i0_minus_1(w)[1:] == pytest.approx(np.i0(w[1:]) - 1.0, rel=1e-12)


def test_exact_single_photons_of_three_ways():
    """Enumerated: neither, one or both photons detected, with dark counts in the others."""
    eta_a, eta_b, M, p_d = 0.4, 0.7, 0.6, 0.05
    both = eta_a * eta_b
    expected = (
        both * ((1.0 - M) / 2.0 + (1.0 + M) / 2.0 * p_d)
        + (eta_a * (1.0 - eta_b) + eta_b * (1.0 - eta_a)) * p_d
        + (1.0 - eta_a) * (1.0 - eta_b) * p_d**2
    )
    assert float(single_photon_coincidence(eta_a, eta_b, M, p_d)) == pytest.approx(expected, rel=1e-12)
    q = 1.0 - p_d
    none_at_one = 1.0 - 0.5 * (eta_a + eta_b) + 0.25 * both * (1.0 + M)
    formula = 1.0 - 2.0 * q * none_at_one + q * q * (1.0 - eta_a) * (1.0 - eta_b)
    assert formula == pytest.approx(expected, rel=1e-12)


def test_limit_20_db_of_line_snr_cost_one_point():
    """(100/101)^2 at both users: 0.4901."""
    noisy = faint(snr=snr_from_db(20.0))
    assert float(overlap_terms(noisy, noisy).visibility) == pytest.approx(0.5 * (100.0 / 101.0) ** 2, abs=1e-6)
    assert float(overlap_terms(faint(snr=0.0), FAINT).visibility) == 0.0


def test_exact_all_terms_multiply_to_the_visibility():
    a = Wave(95.0, 0.1, -2170.0, 2.0, 31e3, linear_jones(3.0), 300.0, 0.003, 0.02)
    b = Wave(97.0, -0.1, -1953.0, 0.0, 0.0, linear_jones(-1.0), 150.0, 0.002, 0.03)
    terms = overlap_terms(a, b, 1e-4)
    assert float(terms.visibility) == pytest.approx(float(visibility(0.02, 0.03, terms.overlap, 1e-4)), rel=1e-12)
    assert 0.5 * np.prod(np.array(terms)) == pytest.approx(float(terms.visibility), rel=1e-12)
    assert float(terms.mode_overlap * terms.polarization) == pytest.approx(float(terms.overlap))
    assert all(0.0 < float(term) <= 1.0 for name, term in terms._asdict().items() if name != "interplay")


def test_exact_many_pairs_at_once_are_each_alone():
    delays, ratios = np.array([0.0, 5.0, 30.0]), np.array([100.0, 1000.0, np.inf])
    terms = overlap_terms(FAINT, faint(delay_ps=delays, snr=ratios))
    assert terms.visibility.shape == (3,)
    for k in range(3):
        alone = overlap_terms(FAINT, faint(delay_ps=float(delays[k]), snr=float(ratios[k])))
        assert float(terms.visibility[k]) == pytest.approx(float(alone.visibility), rel=1e-14)


@pytest.mark.parametrize(("photons", "M"), [((0.6, 0.4), 0.94), ((0.05, 0.05), 1.0)])
def test_exact_pulses_engine_has_the_same_coincidences(photons, M):
    """Z basis: equal bits, half of the pulses, interfere; unequal ones give each user's light a polarization alone.

    The engine's V is half the overlap. Coincidences of the two outputs within a polarization are binomial.
    """
    from combmesh.link.pulses.engine import Simulation, simulate
    from combmesh.link.pulses.light import Light
    from combmesh.link.relay import Link, Relay

    (a, b), p_d, pulses = photons, 1e-3, 1_000_000 if photons[0] > 0.1 else 8_000_000
    light = Light(np.array([[a], [b]]), np.ones((2, 1)), np.array([True]))
    link = Link(1.0, 1.0, Relay(1.0, p_d, visibility=0.5 * M), 2.5e9)
    found = {"H": 0, "V": 0}

    def look(part):
        pulse = part.clicks.time_ps // 400 - part.first
        seen = np.zeros((pulse.max() + 1, 4), bool)
        seen[pulse, part.clicks.detector] = True
        found["H"] += int((seen[:, 0] & seen[:, 2]).sum())
        found["V"] += int((seen[:, 1] & seen[:, 3]).sum())

    simulate(Simulation(light, link, pulses, 41, tags=True), on_part=look)
    alone = [(1.0 - (1.0 - p_d) * np.exp(-0.5 * mean)) ** 2 for mean in (a, b)]
    expected = 0.25 * (float(coincidence(a, b, M, p_d)) + p_d**2 + sum(alone))
    for count in found.values():
        tail = min(binom.cdf(count, pulses, expected), binom.sf(count - 1, pulses, expected))
        assert tail > FALSE_ALARM / 4.0
    without = 0.25 * (float(coincidence(a, b, 0.0, p_d)) + p_d**2 + sum(alone))
    assert binom.cdf(found["H"], pulses, without) < 1e-9  # it would have been seen


def test_paper_fig3g_dip_at_a_million_counts_a_second():
    """Each detector counts 1 M a second; 1.3 s at each of 33 delays give the printed 1.4 % of uncertainty."""
    wave = Wave(photons=photons_for(1e6, 2.5e9))
    scan = Scan(integration_s=1.3)
    dip = scan_dip(wave, wave, scan, np.random.default_rng(42))
    assert dip.singles / 1.3 == pytest.approx(1e6, abs=SIGMAS * (1e6 / 1.3) ** 0.5 + 200.0)
    fit = fit_dip(dip.delays_ps, dip.coincidences)
    assert fit.visibility_std == pytest.approx(0.014, abs=0.001)
    assert abs(fit.visibility - 0.5) < SIGMAS * fit.visibility_std
    assert integration_for(scan, wave, wave, 0.014) == pytest.approx(1.3, abs=0.1)


def test_exact_fitted_dips_are_true_within_their_errors():
    """100 scans of V = 0.49, 95 ps at 3 ps: mean pulls of V, centre and width, and their spread, within 4.9 sigma.

    The deviance is compared with chi-squared too. Terms beyond the errors' first order stay below 0.15 of a sigma.
    """
    rng = np.random.default_rng(43)
    a, b = Wave(snr=100.0), Wave(snr=100.0, delay_ps=-3.0)
    truth = np.array([float(overlap_terms(a, replace(b, delay_ps=0.0)).visibility), 3.0, 95.0])
    pulls, p_values = [], []
    for _ in range(100):
        dip = scan_dip(a, b, Scan(integration_s=5.0), rng)
        fit = fit_dip(dip.delays_ps, dip.coincidences)
        seen = np.array([fit.visibility, fit.centre_ps, fit.fwhm_ps])
        pulls.append((seen - truth) / [fit.visibility_std, fit.centre_std_ps, fit.fwhm_std_ps])
        p_values.append(fit.p_value)
    assert np.abs(np.mean(pulls, axis=0)).max() < SIGMAS / 100**0.5 + 0.15
    assert np.abs(np.std(pulls, axis=0) - 1.0).max() < SIGMAS / 200**0.5
    assert np.mean(p_values) == pytest.approx(0.5, abs=SIGMAS / (12 * 100) ** 0.5)


def test_limit_no_dip_is_fitted_as_none():
    """Orthogonal polarizations, width and centre given: V is 0 within its error."""
    dip = scan_dip(Wave(), Wave(jones=linear_jones(90.0)), Scan(), np.random.default_rng(44))
    fit = fit_dip(dip.delays_ps, dip.coincidences, fwhm_ps=95.0, centre_ps=0.0)
    assert abs(fit.visibility) < SIGMAS * fit.visibility_std
    assert fit.centre_std_ps == fit.fwhm_std_ps == 0.0
    with pytest.raises(InputError, match="must show a dip"):
        fit_dip(np.linspace(-160.0, 160.0, 33), np.full(33, 400))


def test_exact_fitted_exactly_where_counts_have_no_noise():
    both, _ = dip_curve(Wave(photons=1e-5), Wave(photons=1e-5), Scan())
    fit = fit_dip(Scan().delays_ps, both * 1e18)
    assert fit.visibility == pytest.approx(0.5, abs=1e-5)
    assert fit.fwhm_ps == pytest.approx(95.0, abs=1e-2)
    assert fit.centre_ps == pytest.approx(0.0, abs=1e-3)


def test_exact_every_default_has_a_mark():
    assert set(MARKS) == {f"{part.__name__}.{field.name}" for part in (Wave, Scan) for field in fields(part)}
    assert erfc(SIGMAS / sqrt(2.0)) < FALSE_ALARM


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Wave(fwhm_ps=-95.0), "`fwhm_ps` must be a finite number above 0, but is -95"),
        (lambda: Wave(fwhm_ps=np.array([95.0, 0.0])), "`fwhm_ps` must be a finite number above 0, but is 0"),
        (lambda: Wave(snr=-1.0), "`snr` must be at least 0, but is -1"),
        (lambda: Wave(snr=float("nan")), "`snr` must be a finite number, but is nan"),
        (lambda: Wave(outside_share=1.2), "`outside_share` must be at most 1, but is 1.2"),
        (lambda: Wave(photons=0.0), "`photons` must be a finite number above 0"),
        (lambda: Wave(jones=np.array([1.0])), r"`jones` must have shape \(\.\.\., 2\)"),
        (lambda: Wave(jones=np.array([0.0, 0.0])), "length of `jones`"),
        (lambda: Wave(chirp=float("inf")), "`chirp` must be a finite number"),
        (lambda: coincidence(1.0, 1.0, 1.5), "`overlap` must be at most 1"),
        (lambda: coincidence(1e4, 1.0), "`a` must be at most 500"),
        (lambda: visibility(1.0, 1.0, 1.0, -0.1), "`dark_count_probability` must be at least 0"),
        (lambda: single_photon_coincidence(1.1, 0.5), "`eta_a` must be at most 1"),
        (lambda: photons_for(3e9, 2.5e9), "`count_rate_hz` must be at most"),
        (lambda: Scan(integration_s=0.0), "`integration_s` must be a finite number above 0"),
        (lambda: Scan(integration_s=1e30), "`integration_s` must keep the pulses countable"),
        (lambda: dip_curve(Wave(fwhm_ps=500.0), Wave(), Scan()), "at most the period of 400 ps, but is 500"),
        (lambda: check_fits_period("gate_ps", 401.0, 400.0), "`gate_ps` must be at most the period"),
        (lambda: fit_dip(np.zeros(3), np.ones(3)), "`delays_ps` must have at least 4 values"),
        (lambda: fit_dip(np.zeros(5), np.ones(4)), "must have one shape"),
        (lambda: fit_dip(np.arange(5.0), np.zeros(5)), "`coincidences` must have at least 25 counts"),
        (lambda: fit_dip(np.arange(5.0), -np.ones(5)), "`coincidences` must be at least 0"),
        (lambda: fit_dip(np.arange(5.0), np.full(5, 9), fwhm_ps=-1.0), "`fwhm_ps` must be a finite number above 0"),
    ],
)
def test_bad_light_gets_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
