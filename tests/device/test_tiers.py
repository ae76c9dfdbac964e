"""The three tiers where they overlap: full equation, soliton with heat, lock; and how far temperature may move.

Thermal poles are shortened to tens of tau here. Temperature moves slowly against them, so that they drop out: two
tests vary them.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.locks import repetition
from combmesh.device.locks.repetition import Disturbance, opened, temperature_lock
from combmesh.device.locks.survival import (
    AUXILIARY,
    BREATHES,
    EXISTENCE,
    PRINTED_RANGE_K,
    VANISHING_ZETA,
    aux_power_for_w,
    balances,
    closed_form_width,
    drift_at,
    lock_ring,
    loss_by_drift,
    one_pole,
    pull_at,
    window,
)
from combmesh.device.microcomb import lle, soliton
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.ground.errors import InputError

RING, BARE_PUMP = Ring(), Pump(aux_power_w=0.0)
WARM = replace(cavity(RING, Pump(), 1024), heat_time=(15.0, 70.0), aux_pump=10.7**0.5, aux_offset=30.0)
"""The auxiliary laser of the notes' 2 K."""
COARSE = replace(WARM, d2=16 * WARM.d2, modes=512)
"""A quarter of the ring, on points as dense as 2048 of the whole."""
AUX_PUMP = Pump(aux_power_w=10.7 * RING.power_scale_w, aux_offset_mhz=30.0 * RING.linewidth_mhz / 2.0)


def with_aux(F_a2, Delta):
    return replace(WARM, aux_pump=F_a2**0.5, aux_offset=Delta)


def kelvin(width):
    return width * RING.kelvin_per_zeta


def test_limit_tier_1_and_2_through_a_change_of_temperature():
    """Cooling by 0.26 K and back within two thermal poles, the auxiliary laser at work: the detuning that the light
    feels within 0.1 all the way, mean power within 4 % (the closed form's own error), the thermal shift within 1 %."""
    middle, rows, span = window(COARSE).middle_zeta, 15, 150.0
    drift = drift_at(COARSE, middle - 4.0)
    full = soliton.state(COARSE, drift, middle - 4.0)
    for begin, end in ((middle - 4.0, middle + 4.0), (middle + 4.0, middle - 4.0)):
        full, trace = lle.step(COARSE, full, begin, span, end, rows)
        part = (end - begin) / rows
        for k in range(rows):
            drift, _ = soliton.step(COARSE, drift, begin + (k + 0.5) * part, span / rows)
            now, power = soliton.step(COARSE, drift, begin + (k + 1.0) * part, 1e-6)  # light follows at once
            assert trace.zeta[k] == pytest.approx(now.zeta, abs=0.1)
            assert trace.power[k] == pytest.approx(power, rel=0.04)
        assert set(trace.maxima) == {1}
        assert drift.solitons == 1
        assert full.heat == pytest.approx(drift.heat, rel=0.01)


@pytest.mark.parametrize(("begin", "end"), [(40.0, 43.0), (55.0, 58.0)])
def test_limit_tier_1_and_2_after_a_jump_beside_the_auxiliary_laser(begin, end):
    """Cooled at once by 0.1 K: for a moment the auxiliary laser has three states; light goes to a stable one, and both
    tiers end in the same balance, within 0.1 units. (From 5 units on the leap is lost in either or both.)"""
    drift = drift_at(COARSE, begin)
    full = soliton.state(COARSE, drift, begin)
    full, _ = lle.step(COARSE, full, begin, 50.0)
    _, trace = lle.step(COARSE, full, end, 400.0, rows=400)
    drift, _ = soliton.step(COARSE, drift, end, 400.0)
    assert trace.maxima[-1] == drift.solitons == 1
    assert trace.zeta[-1] == pytest.approx(drift.zeta, abs=0.1)


def test_limit_tier_1_and_2_lose_the_soliton_alike():
    """Cooled step by step to beyond the existence limit: lost at the same cold detuning, within 0.5 units (16 mK), and
    the same light and heat remain (2 %)."""
    bare = replace(COARSE, aux_pump=0.0)
    drift = drift_at(bare, 26.0)
    full = soliton.state(bare, drift, 26.0)
    full, _ = lle.step(bare, full, 26.0, 150.0, 39.0)
    drift, _ = soliton.step(bare, drift, 39.0, 300.0)
    full, _ = lle.step(bare, full, 39.0, 150.0)
    full, trace = lle.step(bare, full, 39.0, 800.0, 43.0, 400)
    assert trace.maxima[0] == 1
    by_full = trace.zeta_laser[np.argmax(trace.maxima == 0)]
    by_drift = loss_by_drift(one_pole(bare), 39.0, 43.0)
    assert by_full == pytest.approx(by_drift, abs=0.5)
    full, trace = lle.step(bare, full, 43.0, 300.0)
    drift, power = soliton.step(bare, drift, 43.0, 1000.0)
    assert trace.maxima[-1] == drift.solitons == 0
    assert full.power == pytest.approx(power, rel=0.02)
    assert trace.zeta[-1] == pytest.approx(drift.zeta, rel=0.02)


@pytest.mark.parametrize(
    ("F_a2", "Delta", "measured_k"),
    [(0.0, 0.0, 0.94), (8.0, 25.0, 1.43), (16.0, 30.0, 2.5), (10.7, 30.0, 2.0)],
)
def test_paper_survival_in_temperature(F_a2, Delta, measured_k):
    """Notes, from a prototype of the full equation: 0.80 to 0.94 K without auxiliary laser, 1.43 K, over 2.5 K; and the
    paper's 2 K at F_a^2 = 10.7, Delta = 30. Balances within 5 % (the third is a lower bound), closed form within 2.5 %
    of them."""
    some = with_aux(F_a2, Delta)
    found = kelvin(window(some).width)
    if F_a2 == 16.0:
        assert found > measured_k
    else:
        assert found == pytest.approx(measured_k, rel=0.05)
    assert kelvin(closed_form_width(some)) == pytest.approx(found, rel=0.025)


@pytest.mark.parametrize(
    ("F_a2", "Delta", "ends"),
    [
        (0.0, 0.0, (BREATHES, EXISTENCE)),
        (1.0, 30.0, (BREATHES, EXISTENCE)),  # outlives the auxiliary laser's resonance: a leap of 5 units is survived
        (4.0, 30.0, (BREATHES, AUXILIARY)),
        (8.0, 25.0, (BREATHES, AUXILIARY)),
        (8.0, 8.0, (AUXILIARY, EXISTENCE)),  # the preset for access: its offset is too small to help
    ],
)
def test_exact_balances_end_where_heats_own_equation_loses_the_soliton(F_a2, Delta, ends):
    """Ramps of the thermal equation: lost within 0.3 units (10 mK), and within 0.6 units where the auxiliary laser
    leaps as the ring warms, for that takes time."""
    some = one_pole(with_aux(F_a2, Delta))
    found = window(some)
    assert (found.warm_end, found.cold_end) == ends
    inside = found.width / 2.0 if F_a2 <= 1.0 else 3.0
    warm = loss_by_drift(some, found.warmest_zeta + inside, found.warmest_zeta - 3.0)
    cold = loss_by_drift(some, found.coldest_zeta - inside, found.coldest_zeta + 3.0)
    assert warm == pytest.approx(found.warmest_zeta, abs=0.6 if ends[0] == AUXILIARY else 0.3)
    assert cold == pytest.approx(found.coldest_zeta, abs=0.3)
    assert math.isnan(loss_by_drift(some, found.middle_zeta, found.middle_zeta + 1.0))


def test_exact_thermal_poles_drop_out():
    """Two poles, the same in other shares of time, and one: the same window from the balances, and the same loss."""
    edge = window(WARM).coldest_zeta
    for times in ((15.0, 70.0), (40.0, 70.0)):
        some = replace(WARM, heat_time=times)
        assert window(some) == window(one_pole(some))
        assert loss_by_drift(some, edge - 1.5, edge + 1.5) == pytest.approx(edge, abs=0.3)


def test_exact_the_start_is_a_balance():
    """The second tier stays where `drift_at` puts it, with detuning, light and heat of the curve."""
    for zeta_laser in (15.0, 33.0, 60.0):
        drift = drift_at(WARM, zeta_laser)
        later, _ = soliton.step(WARM, drift, zeta_laser, 2000.0)
        assert later.zeta == pytest.approx(drift.zeta, abs=2e-3)
        assert later.aux_power == pytest.approx(drift.aux_power, abs=2e-3)


def test_exact_balances_are_those_of_the_second_tier():
    """`soliton.init` solves for the auxiliary laser at a felt detuning: its points lie on the curve."""
    some = balances(WARM)
    for zeta, branch in ((14.0, 0), (22.0, 0), (24.0, 2)):
        drift, zeta_laser = soliton.init(WARM, zeta, aux_branch=branch)
        near = np.hypot(some.zeta - drift.zeta, some.aux_power - drift.aux_power)
        k = np.argmin(near)
        assert near[k] < 0.01
        assert some.zeta_laser[k] == pytest.approx(zeta_laser, abs=0.03)


def test_limit_breathing_solitons_live_on_for_three_units():
    """Steady without auxiliary laser to 0.935 K; there at all, down to a felt detuning of 8.1, for 1.02 K."""
    steady = window(with_aux(0.0, 0.0))
    there = window(with_aux(0.0, 0.0), lowest_zeta=VANISHING_ZETA)
    assert kelvin(steady.width) == pytest.approx(0.935, abs=0.005)
    assert kelvin(there.width) == pytest.approx(1.016, abs=0.005)


def test_paper_auxiliary_laser_for_2_k():
    """Notes: F_a^2 = 10.7 (0.65 W) at 1.7 GHz. More offset takes less power; offsets below 1.3 GHz do not reach 2 K, so
    that a shifter's 0.5 GHz need a mode offset."""
    power_w = aux_power_for_w(RING, PRINTED_RANGE_K, 1695.0)
    assert power_w / RING.power_scale_w == pytest.approx(10.7, rel=0.01)
    assert aux_power_for_w(RING, 2.0, 2400.0) == pytest.approx(0.456, rel=0.01)
    found = window(cavity(RING, Pump(aux_power_w=power_w, aux_offset_mhz=1695.0)))
    assert kelvin(found.width) == pytest.approx(2.0, rel=0.01)
    for offset_mhz in (500.0, 1250.0, 2600.0):
        with pytest.raises(InputError, match=rf"at {offset_mhz:g} MHz 2 K need"):
            aux_power_for_w(RING, 2.0, offset_mhz)


def test_exact_the_locks_ring_is_the_combs_ring():
    """What the lock has typed in for temperature is what follows from the comb's preset: 0.3 % for the rounding."""
    typed, derived = repetition.Ring(), lock_ring(RING, BARE_PUMP)
    for name in ("rep_rate_hz_k", "resonance_hz_k", "linewidth_hz"):
        assert getattr(typed, name) == pytest.approx(getattr(derived, name), rel=3e-3)
    assert 1.0 / abs(derived.zeta_k) == pytest.approx(RING.kelvin_per_zeta)


def test_paper_which_ring_survives_one_kelvin_either_way():
    """The lock's -1 and +1 K are those of an auxiliary laser of 0.65 W at 1.7 GHz, in the middle of its window (1 %);
    without it -0.47 and +0.47 K, and at a felt detuning of 15 the ring may warm by 0.10 K only."""
    helped, bare = lock_ring(RING, AUX_PUMP), lock_ring(RING, BARE_PUMP)
    assert (helped.coldest_k, helped.warmest_k) == pytest.approx((-1.0, 1.0), rel=0.01)
    assert (bare.coldest_k, bare.warmest_k) == pytest.approx((-0.467, 0.467), rel=0.01)
    zeta_laser = soliton.init(cavity(RING, BARE_PUMP), 15.0)[1]
    narrow = lock_ring(RING, BARE_PUMP, zeta_laser)
    assert narrow.warmest_k == pytest.approx(0.104, rel=0.02)
    assert narrow.warmest_k < 0.150 < -narrow.coldest_k


@pytest.mark.parametrize(
    ("pump", "ambient_k"), [(BARE_PUMP, -0.7), (BARE_PUMP, 0.7), (AUX_PUMP, -1.1), (AUX_PUMP, 1.1)]
)
def test_limit_tier_2_and_3_lose_the_soliton_at_the_same_temperature(pump, ambient_k):
    """Loop off, surroundings colder or warmer at once: temperature -> detuning (`zeta_at`) -> soliton lost.

    The lock's reading and the soliton that is led along its detuning end within 20 mK of each other.
    """
    ring = lock_ring(RING, pump)
    lock, some = opened(temperature_lock(ring)), one_pole(cavity(RING, pump))
    state, drift = repetition.init(lock), drift_at(some, ring.zeta)
    ends = {}
    while len(ends) < 2:
        state, reading = repetition.step(lock, state, Disturbance(0.0, ambient_k), 0.1)
        assert abs(reading.temperature_k) < 0.98 * abs(ambient_k), "both must lose it on the way"
        drift, _ = soliton.step(some, drift, reading.zeta, 1.0)
        if math.isnan(reading.error_hz):
            ends.setdefault("lock", reading.temperature_k)
        if drift.solitons == 0:
            ends.setdefault("soliton", reading.temperature_k)
    assert ends["lock"] == pytest.approx(ends["soliton"], abs=0.02)


@pytest.mark.parametrize("pump", [BARE_PUMP, Pump(), AUX_PUMP])
def test_limit_the_locks_spacing_follows_the_felt_detuning(pump):
    """The spacing is the felt detuning's share of the resonance, 14.4 kHz a unit: the lock's line through the working
    point within 3 % of the balances over 20 mK to either side."""
    ring, some = lock_ring(RING, pump), cavity(RING, pump)
    unit_hz = RING.fsr_ghz / (RING.pump_thz * 1e3) * RING.linewidth_mhz * 0.5e6
    rest = drift_at(some, ring.zeta).zeta
    for temperature_k in (-0.02, 0.02):
        felt = drift_at(some, ring.zeta_at(temperature_k)).zeta
        assert ring.slope_hz_k * temperature_k == pytest.approx(unit_hz * (felt - rest), rel=0.03)


def test_limit_the_auxiliary_laser_takes_the_locks_handle():
    """Where it holds the detuning against temperature it holds the spacing too: the slope of -441 kHz/K falls to
    nothing near a cold detuning of 34 and has the other sign beyond, so that a lock works to one side of it only."""
    assert pull_at(WARM, 15.0) == pytest.approx(1.04, abs=0.02)
    assert abs(pull_at(WARM, 34.0)) < 0.03
    assert pull_at(WARM, 60.0) == pytest.approx(-0.20, abs=0.01)
    assert lock_ring(RING, AUX_PUMP).slope_hz_k == pytest.approx(70e3, rel=0.03)
    assert lock_ring(RING, AUX_PUMP, 27.0).slope_hz_k == pytest.approx(-235e3, rel=0.03)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: window(WARM, 200.0), "`zeta_laser` must be where a soliton is in balance.*200"),
        (lambda: drift_at(WARM, 5.0), "`zeta_laser` must be where a soliton is in balance.*5"),
        (lambda: balances(WARM, 50.0), "`lowest_zeta`.*50"),
        (lambda: closed_form_width(with_aux(8.0, 8.0)), "`aux_offset - aux_pump\\^2` must be at least 11"),
        (lambda: loss_by_drift(WARM, 40.0, 41.0, 0.0), "`pole_zeta`.*0"),
        (lambda: aux_power_for_w(RING, -2.0, 1695.0), "`range_k`.*-2"),
    ],
)
def test_exact_errors_name_the_value(make, words):
    with pytest.raises(InputError, match=words):
        make()
