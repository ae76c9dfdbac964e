"""The preset in laboratory units, the closed-form soliton, and the lines that leave the box."""

from dataclasses import fields, replace

import numpy as np
import pytest

from combmesh.device.demux import CombLines
from combmesh.device.microcomb import lle, soliton
from combmesh.device.microcomb.lle import State
from combmesh.device.microcomb.ring import MARKS, Pump, Ring, cavity
from combmesh.device.microcomb.spectrum import LineAmplifier, soliton_spectrum, spectrum_of
from combmesh.ground.errors import InputError
from combmesh.ground.provenance import parse_mark

RING, PUMP = Ring(), Pump()
ZETA = 20.0


def bare(modes=2048):
    return replace(cavity(RING, PUMP, modes), heat_shift=(), heat_time=(), aux_pump=0.0)


@pytest.fixture(scope="module")
def field():
    """One settled soliton of the full equation on 2048 modes."""
    state = State(soliton.soliton_field(bare(), ZETA), 0j, np.zeros(0))
    return lle.step(bare(), state, ZETA, 20.0)[0].field


def test_exact_preset_in_the_equations_units():
    """Values worked out by hand for a loaded Q of 1.7e6, gamma 0.233 /W/m, n_g 1.645, -10 ps^2/km, 49 GHz, 2 W."""
    assert RING.loaded_q == pytest.approx(1.7e6)
    assert RING.linewidth_mhz == pytest.approx(113.0, rel=1e-3)
    assert RING.gamma_w_m == pytest.approx(0.233, rel=1e-3)
    assert RING.dispersion_rad_s / (2e3 * np.pi) == pytest.approx(27.5, rel=2e-3)
    assert RING.d2 == pytest.approx(2.43e-4, rel=2e-3)
    assert RING.power_scale_w == pytest.approx(0.0606, rel=2e-3)
    assert RING.kelvin_per_zeta == pytest.approx(0.0327, rel=2e-3)
    assert RING.offset_mhz(15.0) == pytest.approx(848, rel=1e-3)
    assert 1000 * RING.tau_s == pytest.approx(2.8e-6, rel=0.01)
    assert cavity(RING, PUMP).pump ** 2 == pytest.approx(33.0, rel=1e-3)


def test_exact_a_fortieth_of_the_intrinsic_loss_heats():
    """What the example's mark says of K = 3 at 70 K/W. Critically coupled, the ring loses `line_scale_w` for a unit of
    |psi|^2, as it would give to the bus; heat is the share of it that makes K: 1/43."""
    share = sum(RING.heat_shift) * RING.kelvin_per_zeta / (70.0 * RING.line_scale_w)
    assert RING.coupling == pytest.approx(0.5)
    assert 1.0 / share == pytest.approx(43.0, abs=1.0)


def test_exact_every_value_of_the_preset_has_a_mark():
    assert {f.name for kind in (Ring, Pump) for f in fields(kind)} == set(MARKS)
    for text in MARKS.values():
        assert parse_mark(text).note


def test_limit_line_power_in_watts(field):
    """`P_mu = eta kappa hbar w0 D2 / 4 g` near the centre: 7.4 uW, and 6 % more in the full equation at zeta 20."""
    closed = soliton_spectrum(RING, PUMP, bare(), ZETA)
    full = spectrum_of(RING, PUMP, field)
    place = closed.at(-5)
    scale_w = RING.coupling * RING.dispersion_rad_s * RING.kappa_rad_s / (4 * RING._kerr_rate_w_s)
    assert closed.power_w[place] == pytest.approx(scale_w, rel=0.01)
    assert closed.power_w[place] == pytest.approx(7.37e-6, rel=0.01)
    assert full.power_w[place] == pytest.approx(1.064 * closed.power_w[place], rel=0.01)


def test_paper_fig2b_lines_and_span(field):
    """Printed: more than 200 lines over 20 dB and more than 100 nm at 49 GHz. The loss before the amplifier is fitted
    to the number of lines; 3 and 15 dB show what it does."""
    spectrum = spectrum_of(RING, PUMP, field)
    assert 200 < spectrum.lines_over_20db < 350
    assert 100 < spectrum.span_nm < 150
    assert np.count_nonzero(spectrum.usable) == spectrum.lines_over_20db
    assert np.diff(spectrum.frequency_hz) == pytest.approx(-49e9)
    counts = [spectrum_of(RING, PUMP, field, LineAmplifier(loss_db=loss)).lines_over_20db for loss in (3.0, 9.0, 15.0)]
    assert counts[0] > 500
    assert counts[2] <= 1  # the pump line alone


def test_paper_itu_labels(field):
    """The labels that the paper prints for CH0, CH+15, CH-15, CH-60 and CH+19; CH+n lies n lines to the red."""
    spectrum = spectrum_of(RING, PUMP, field)
    labels = [spectrum.itu_label[spectrum.at(line)] for line in (0, 15, -15, -60, 19)]
    assert labels == ["C21", "C14", "H28", "H50", "C12"]
    assert spectrum.frequency_hz[spectrum.at(15)] < spectrum.frequency_hz[spectrum.at(0)]


def test_exact_the_passband_decides_what_is_usable(field):
    """80 ports: 80 usable lines, all of them over 20 dB; and the pump line carries what passes the ring."""
    spectrum = spectrum_of(RING, PUMP, field, passband=CombLines())
    assert np.count_nonzero(spectrum.usable) == 80
    assert spectrum.line[spectrum.usable].tolist() == list(range(-60, 20))
    assert 1.0 < spectrum.power_w[spectrum.at(0)] < PUMP.power_w
    with pytest.raises(InputError, match=r"`line`.*2000"):
        spectrum.at(2000)


def test_limit_power_only_sets_the_existence_limit():
    """Width follows zeta / d2: twice the power gives the same lines, so the paper cannot tell the pump power."""
    strong = replace(bare(), pump=bare().pump * 2**0.5)
    assert soliton.fwhm_lines(strong, ZETA) == soliton.fwhm_lines(bare(), ZETA)
    assert soliton.zeta_max(strong.pump) == pytest.approx(2 * soliton.zeta_max(bare().pump))
    assert soliton.fwhm_lines(bare(), 15.0) == pytest.approx(279, rel=0.01)
    with pytest.raises(InputError, match=r"at most 40\.\d+, but `zeta` is 45"):
        soliton.soliton_field(bare(), 45.0)


def test_limit_mean_power_of_the_closed_form_field():
    """Background, solitons and interference add up to the mean of the field itself; 1e-3 for points and tails."""
    for places in ((), (0.3,), (-2.0, 0.5, 2.0)):
        field = soliton.soliton_field(bare(), ZETA, places)
        power = soliton.mean_power(bare(), ZETA, len(places))
        assert power == pytest.approx(np.mean(np.abs(field) ** 2), rel=1e-3)


@pytest.mark.parametrize("offset", [-2.0, 0.0, 2.0])
def test_limit_tier_2_drifts_like_the_full_equation(offset):
    """After a jump of the ring's temperature, two poles, auxiliary laser: detuning within 0.02, heat and power within
    4 %, the closed form's own error."""
    warm = replace(cavity(RING, PUMP, 2048), heat_time=(15.0, 70.0))
    drift, zeta_laser = soliton.init(warm, 22.0)
    full = soliton.state(warm, drift, zeta_laser)
    drift, power = soliton.step(warm, drift, zeta_laser + offset, 60.0)
    full, trace = lle.step(warm, full, zeta_laser + offset, 60.0)
    assert trace.maxima[-1] == drift.solitons == 1
    assert trace.zeta[-1] == pytest.approx(drift.zeta, abs=0.02)
    assert full.heat == pytest.approx(drift.heat, rel=0.04)
    assert full.power == pytest.approx(power, rel=0.04)


def test_exact_tier_2_rests_in_balance_and_loses_its_soliton_outside():
    warm = cavity(RING, PUMP)
    drift, zeta_laser = soliton.init(warm, ZETA)
    later, _ = soliton.step(warm, drift, zeta_laser, 5000.0)
    assert later.zeta == pytest.approx(ZETA, abs=1e-9)
    assert later.solitons == 1
    assert soliton.step(warm, drift, zeta_laser + 25.0, 100.0)[0].solitons == 0
    assert soliton.step(warm, drift, zeta_laser - 12.0, 100.0)[0].solitons == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ring(intrinsic_q=-1e6), "`intrinsic_q`.*above 0.*-1e"),
        (lambda: Ring(beta2_ps2_km=10.0), r"`beta2_ps2_km` must be below 0 \(anomalous.*10: no bright soliton"),
        (lambda: Ring(heat_shift=(1.0,)), "1 poles.*2"),
        (lambda: Ring(fsr_ghz=float("nan")), "`fsr_ghz`.*nan"),
        (lambda: Pump(power_w=0.0), "`power_w`.*0"),
        (lambda: cavity(RING, Pump(power_w=0.05)), "`power_w` must exceed the threshold of 0.0606 W.*0.05"),
        (lambda: cavity(RING, PUMP, round_trips=10), "`h` must be at most"),
        (lambda: LineAmplifier(n_sp=0.5), "`n_sp`.*0.5"),
    ],
)
def test_exact_unphysical_rings_get_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()
