"""The Lugiato-Lefever solver against what is known exactly, and against a plain twin."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.microcomb import lle, soliton
from combmesh.device.microcomb.lle import Cavity, State
from combmesh.device.microcomb.transform import SIZES, multiply_modes, product_rows, twiddles
from combmesh.ground.errors import InputError

F2 = 33.0
BARE = Cavity(4 * 2.433e-4, F2**0.5, modes=1024, h=0.00725)
"""The preset's ring without heat and auxiliary laser; a step is a round trip. The equation knows d2 only through
theta / sqrt(d2): four times the dispersion on half the points is the preset on 2048 points."""
COARSE = replace(BARE, d2=16 * 2.433e-4, modes=512)
"""The same once more."""
WARM = replace(BARE, d2=2.433e-4, heat_shift=(2.0, 1.0), heat_time=(3.0, 14.0), aux_pump=8**0.5, aux_offset=8.0)


def at_rest(cavity, zeta, start=20.0):
    """One soliton, settled: closed form at zeta 20, where it converges, then a ramp."""
    state = State(soliton.soliton_field(cavity, start), 0j, np.zeros(0))
    state, _ = lle.step(cavity, state, start, 15.0)
    state, _ = lle.step(cavity, state, start, 5.0 * abs(zeta - start) + 1.0, zeta)
    return lle.step(cavity, state, zeta, 15.0)


def half_power_lines(field):
    """Full width at half the power of the centre, lines; between lines by the sech^2 through the outer neighbour."""
    power = np.abs(np.fft.fft(field) / field.size) ** 2
    mu = np.arange(3, field.size // 2 - 1)
    centre = power[3:7].mean()
    first = mu[np.argmax(power[mu] < centre / 2)]
    above, below = power[first - 1], power[first]
    return 2.0 * (first - 1 + (above - centre / 2) / (above - below)), centre


def plain_twin(cavity, state, zeta, steps):
    """The same splitting written once more, with NumPy's transform and nothing shared."""
    mu = np.fft.fftfreq(cavity.modes, 1.0 / cavity.modes)
    rate, h = 1.0 + 1j * cavity.d2 * mu**2, cavity.h

    def linear(psi, span):
        modes = np.fft.fft(psi) * np.exp(-rate * span)
        modes[0] += cavity.modes * cavity.pump * (1.0 - np.exp(-span))
        return np.fft.ifft(modes)

    psi, aux, heat = state.field, state.aux, state.heat.copy()
    shift, time = np.array(cavity.heat_shift), np.array(cavity.heat_time)
    for _ in range(steps):
        psi = linear(psi, h / 2)
        psi = psi * np.exp(1j * h * (np.abs(psi) ** 2 - (zeta - heat.sum() - 2 * abs(aux) ** 2)))
        power = np.mean(np.abs(psi) ** 2)
        heat = shift * (power + abs(aux) ** 2) + (heat - shift * (power + abs(aux) ** 2)) * np.exp(-h / time)
        z_a = zeta - cavity.aux_offset - heat.sum() - 2 * power - abs(aux) ** 2
        rest = cavity.aux_pump / (1 + 1j * z_a)
        aux = rest + (aux - rest) * np.exp(-(1 + 1j * z_a) * h)
        psi = linear(psi, h / 2)
    return psi, aux, heat


@pytest.mark.parametrize("modes", SIZES)
def test_exact_transform_is_numpys(modes):
    rng = np.random.default_rng(1)
    field, product = rng.normal(size=(2, modes)) + 1j * rng.normal(size=(2, modes))
    re, im = field.real.copy(), field.imag.copy()
    multiply_modes(re, im, np.empty(modes), np.empty(modes), twiddles(modes), *product_rows(product), modes)
    assert re + 1j * im == pytest.approx(np.fft.ifft(np.fft.fft(field) * product), abs=1e-13)


@pytest.mark.parametrize("modes", [256, 512, 1024, 2048, 360])
def test_exact_both_roads_are_the_plain_twin(modes):
    """The compiled road, and SciPy's for 360 modes; chaos doubles a difference every few tau, so one tau only."""
    cavity = replace(WARM, modes=modes)
    start = lle.init(cavity, np.random.default_rng(2), noise=0.3)
    state, trace = lle.step(cavity, start, 2.0, 150 * cavity.h, rows=3)
    field, aux, heat = plain_twin(cavity, start, 2.0, 150)
    assert state.field == pytest.approx(field, abs=1e-11)
    assert state.aux == pytest.approx(aux, abs=1e-12)
    assert state.heat == pytest.approx(heat, abs=1e-12)
    assert trace.zeta.shape == (3,)


def test_exact_without_pump_everything_decays():
    """`d ln P / d tau = -2` whatever the nonlinearity does."""
    cavity = replace(BARE, pump=0.0)
    start = State(soliton.soliton_field(BARE, 20.0), 0j, np.zeros(0))
    state, _ = lle.step(cavity, start, 20.0, 800 * cavity.h)
    assert state.power == pytest.approx(start.power * np.exp(-2 * 800 * cavity.h), rel=1e-10)


def test_exact_split_step_converges_with_its_square():
    """Strang's splitting: a step of half the length has a quarter of the error (16 in two halvings, within 15 %)."""
    coarse = replace(COARSE, modes=256)
    start = State(soliton.soliton_field(coarse, 20.0), 0j, np.zeros(0))

    def end(parts):
        return lle.step(replace(coarse, h=0.02 / parts), start, 20.0, 1.0)[0].field

    truth = end(64)
    errors = [np.abs(end(parts) - truth).max() for parts in (1, 2, 4)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("zeta", [20.0, 25.0, 30.0])
def test_limit_soliton_width_is_the_closed_form(zeta):
    """5 %, as the issue asks: `theta_w = sqrt(d2 / zeta)`, FWHM of 1.122 / theta_w lines."""
    state, trace = at_rest(BARE, zeta)
    assert trace.maxima[-1] == 1
    assert half_power_lines(state.field)[0] == pytest.approx(soliton.fwhm_lines(BARE, zeta), rel=0.05)


@pytest.mark.parametrize(("zeta", "tolerance"), [(15.0, 0.15), (20.0, 0.07), (25.0, 0.05), (30.0, 0.05)])
def test_limit_line_power_is_the_closed_form(zeta, tolerance):
    """`d2 / 2` near the centre; the closed form is asymptotic and within 5 % from zeta 25 on at F^2 = 33."""
    state, _ = at_rest(BARE, zeta)
    assert half_power_lines(state.field)[1] == pytest.approx(soliton.line_power(BARE, zeta, 5), rel=tolerance)


def test_limit_solitons_end_at_zeta_max():
    """`pi^2 F^2 / 8` = 40.7 within 5 %."""
    state, _ = at_rest(BARE, 34.0)
    _, trace = lle.step(BARE, state, 34.0, 400.0, 44.0, rows=400)
    assert trace.maxima[0] == 1
    assert trace.maxima[-1] == 0
    assert trace.zeta[trace.maxima == 1].max() == pytest.approx(soliton.zeta_max(F2**0.5), rel=0.05)


@pytest.mark.parametrize("power", [0.9, 1.1, 2.0])
def test_limit_threshold_of_modulational_instability(power):
    """A continuous wave of |psi|^2 = rho amplifies mode mu at `sqrt(rho^2 - (d2 mu^2 + zeta - 2 rho)^2) - 1`, at best
    rho - 1 (Haelterman et al. 1992): below rho = 1 everything decays."""
    mode = 20
    zeta = 2 * power - BARE.d2 * mode**2
    wave = np.sqrt(power)
    pump = wave * (1 + 1j * (zeta - power))
    cavity = replace(BARE, pump=abs(pump))
    turned = wave * abs(pump) / pump  # the pump is real
    seed = 1e-6 * np.cos(mode * lle.theta(cavity.modes))
    state, _ = lle.step(cavity, State(turned + turned * np.exp(0.25j * np.pi) * seed, 0j, np.zeros(0)), zeta, 4.0)
    size = [np.abs(np.fft.fft(state.field))[mode]]
    state, _ = lle.step(cavity, state, zeta, 400 * cavity.h)
    size.append(np.abs(np.fft.fft(state.field))[mode])
    growth = np.log(size[1] / size[0]) / (400 * cavity.h)
    assert growth == pytest.approx(power - 1.0, rel=0.05)


def test_exact_energy_balance():
    """At rest `P = F Re mean(psi)`; what is left is the splitting's error and falls with its square."""
    misses = []
    for cavity in (COARSE, replace(COARSE, h=COARSE.h / 2)):
        state, _ = at_rest(cavity, 20.0)
        misses.append(abs(cavity.pump * state.field.mean().real / state.power - 1.0))
    assert misses[0] < 3e-3
    assert misses[1] == pytest.approx(misses[0] / 4, rel=0.1)


def test_limit_one_soliton_stays_one():
    """2e4 round trips; 1e6 in `make verify`."""
    state, _ = at_rest(BARE, 20.0)
    end, trace = lle.step(BARE, state, 20.0, 20_000 * BARE.h, rows=200)
    assert set(trace.maxima) == {1}
    assert np.ptp(trace.peak) < 1e-6 * trace.peak.mean()
    assert end.power == pytest.approx(state.power, rel=1e-6)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"d2": -1e-4}, "`d2` must be above 0.*no bright soliton"),
        ({"pump": -1.0}, "`pump`.*-1"),
        ({"h": 0.06}, "`h` must be at most 0.0123 with 1024 modes.*0.06"),
        ({"h": float("nan")}, "`h`.*nan"),
        ({"modes": 33}, "`modes`.*33"),
        ({"heat_shift": (1.0,)}, "1 poles.*0"),
        ({"heat_shift": (1.0,), "heat_time": (0.0,)}, "`heat_time`.*0"),
    ],
)
def test_exact_errors_name_the_value(bad, words):
    with pytest.raises(InputError, match=words):
        replace(BARE, **bad)
    with pytest.raises(InputError, match="shapes"):
        lle.step(BARE, State(np.zeros(8, complex), 0j, np.zeros(0)), 1.0, 1.0)
