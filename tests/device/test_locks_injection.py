"""Microwave injection: the Adler equation at rest, its range checked against the Lugiato-Lefever equation, its cost."""

import math

import numpy as np
import pytest

from combmesh.device.locks import injection
from combmesh.device.locks.injection import Injection, cost, depth_for_rad
from combmesh.ground.errors import InputError


def test_limit_soliton_drifts_as_the_lock_range_says():
    """A plain split step: a soliton on the slope of a modulated pump drifts by 2 d2 beta in a unit of tau, to 5 %.

    Where the phase is beta sin(theta), theta = 0 is its steepest place. Smooth modulation: d2 = 4e-3, beta = 0.3.
    """
    d2, zeta, F2, beta, n, dt = 4e-3, 4.0, 6.0, 0.3, 512, 2e-3
    theta = 2.0 * math.pi * np.arange(n) / n - math.pi
    pump = math.sqrt(F2) * np.exp(1j * beta * np.sin(theta))
    width = math.sqrt(d2 / zeta)
    angle = math.acos(math.sqrt(8.0 * zeta) / (math.pi * math.sqrt(F2)))
    psi = pump / (1.0 + 1j * zeta) + math.sqrt(2.0 * zeta) * np.exp(1j * angle) / np.cosh(theta / width)
    linear = np.exp(-(1.0 + 1j * zeta + 1j * d2 * np.fft.fftfreq(n, 1.0 / n) ** 2) * dt)
    places = []
    for step in range(10_001):
        psi = np.fft.ifft(linear * np.fft.fft(psi * np.exp(1j * dt * np.abs(psi) ** 2) + dt * pump))
        if step % 5000 == 0:
            weight = np.abs(psi) ** 8  # the soliton, not its background
            places.append(float(np.angle((weight * np.exp(1j * theta)).sum())))
    drift = (places[2] - places[1]) / (5000 * dt)
    slope = beta * math.cos(0.5 * (places[1] + places[2]))  # of the phase, where the soliton is
    assert drift == pytest.approx(2.0 * d2 * slope, rel=0.05)  # upwards, to the crest


def test_exact_held_spacing_is_the_references():
    lock = Injection(depth_rad=1.0, dispersion_hz=27e3)
    state, reading = injection.step(lock, injection.init(lock), 13.5e3, 1.0)
    assert reading.phase_rad == pytest.approx(math.pi / 6.0)
    assert reading.error_hz == pytest.approx(1.0 / 12.0)  # it moves there once, a twelfth of a turn
    state, reading = injection.step(lock, state, 13.5e3, 1.0)
    assert (reading.error_hz, reading.status) == (0.0, "locked")


def test_exact_beyond_the_range_it_slips():
    """Adler: the mean slip is sqrt(Df^2 - range^2): 45 and 27 kHz leave 36."""
    lock = Injection(depth_rad=1.0, dispersion_hz=27e3)
    state, reading = injection.step(lock, injection.init(lock), -45e3, 2.0)
    assert reading.error_hz == pytest.approx(-36e3)
    assert reading.status == "lost"
    assert state.slipped == pytest.approx(72e3)


def test_exact_cost_and_reach():
    """Bessel functions at 1 rad: J0 = 0.7652, J1 = 0.4401 (Abramowitz and Stegun, Table 9.1)."""
    price = cost(Injection(1.0, 27e3))
    assert price.sideband_share == pytest.approx(1.0 - 0.76520**2, abs=1e-4)
    assert price.background_db == pytest.approx(20.0 * math.log10(0.44005 / 0.76520), abs=1e-3)
    assert price.range_k == pytest.approx(27e3 / 0.44e6)
    assert injection.LARGEST_DEPTH > depth_for_rad(0.150) > 1.0  # the paper's range is barely held
    assert depth_for_rad(2.0) > 10.0 * injection.LARGEST_DEPTH  # the soliton's never is


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Injection(depth_rad=0.0), "`depth_rad`.*above 0"),
        (lambda: Injection(depth_rad=2.0), "`depth_rad`.*at most 1.43.*2"),
        (lambda: injection.step(Injection(), injection.init(Injection()), 0.0, 1e-6), "`dt_s` must be at least"),
        (lambda: injection.step(Injection(), injection.init(Injection()), math.nan, 1.0), "`disturbance_hz`.*nan"),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        bad()
