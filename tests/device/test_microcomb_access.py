"""Access to one soliton with a fixed pump, and what traces are taken for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from combmesh.device.comb_file import CombFile, Grid
from combmesh.device.microcomb import access, lle, soliton
from combmesh.device.microcomb.access import Recipe, recognise
from combmesh.device.microcomb.grid import on_modes, points_to_a_width
from combmesh.device.microcomb.lle import State, Trace
from combmesh.device.microcomb.looking import Log, Look
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.device.microcomb.survey import survey
from combmesh.ground.errors import InputError, RunError
from combmesh.ground.rng import stream

QUARTER = replace(Ring(), beta2_ps2_km=16 * Ring().beta2_ps2_km)
"""The equation knows dispersion only through theta / sqrt(d2): a quarter of the preset's ring, its points as dense
with 512 modes as the ring's with 2048. A soliton carries four times as much of the mean power."""
FAST = cavity(replace(QUARTER, heat_time_us=(0.105, 0.4925)), Pump(), 512, round_trips=1.5)
"""Thermal poles and scan four times as fast as the preset's, which leaves the outcome as it is (tests/verify)."""
QUICK = Recipe(cool_time=500.0, hold_time=50.0, warm_time=150.0, final_time=75.0, speed=8e-3, rest_time=20.0)
BARE = replace(cavity(Ring(), Pump(), 1024), heat_shift=(), heat_time=(), aux_pump=0.0)


def trace_of(maxima, peak=40.0, power=0.2):
    maxima = np.array(maxima)
    some = np.ones(maxima.size)
    return Trace(20.0 * some, 20.0 * some, power * some, 0.0 * some, peak * some, maxima)


@pytest.mark.parametrize(
    ("maxima", "peak", "power", "expected"),
    [
        ([0, 0, 0, 0], 1.0, 0.2, (access.CONTINUOUS, 0)),
        ([1, 1, 1, 1], 40.0, 0.2, (access.SOLITON, 1)),
        ([3, 3, 3, 3], 40.0, 0.2, (access.SOLITONS, 3)),
        ([3, 2, 2, 2], 40.0, 0.2, (access.SOLITONS, 2)),
        ([1, 1, 0, 0], 40.0, 0.2, (access.LOST, 0)),
        ([1, 0, 1, 1], 40.0, 0.2, (access.BREATHER, 1)),
        ([1, 1, 1, 1], np.array([40.0, 44.0, 40.0, 44.0]), 0.2, (access.BREATHER, 1)),
        ([60, 75, 71, 80], 40.0, 2.0, (access.CHAOS, 80)),
        ([160, 160, 160, 160], 6.0, 2.0, (access.CHAOS, 160)),
    ],
)
def test_exact_traces_are_recognised(maxima, peak, power, expected):
    assert recognise(trace_of(maxima, peak, power)) == expected


def test_exact_breathers_stay_and_chaos_does_not():
    """A number that rises again is chaos, unless two looks found the same places."""
    assert recognise(trace_of([3, 1, 2, 3])) == (access.CHAOS, 3)
    assert recognise(trace_of([3, 1, 2, 3]), held=True) == (access.BREATHER, 3)


@pytest.mark.parametrize(("points", "steady", "breathing"), [(2048, 12.5, 11.0), (1024, 14.0, 12.5)])
def test_limit_breathers_begin_at_zeta_12(points, steady, breathing):
    """At F^2 = 33 on 2048 points; on 1024, one to a soliton's width, they begin too early, at 12.9, by the grid."""
    part = replace(BARE, d2=16 * BARE.d2, modes=points // 4)  # a quarter of the ring, points as dense
    state = State(soliton.soliton_field(part, 20.0), 0j, np.zeros(0))
    kinds = []
    for start, zeta in ((20.0, steady), (steady, breathing)):
        state, _ = lle.step(part, state, start, 60.0, zeta)
        state, _ = lle.step(part, state, zeta, 60.0)
        state, trace = lle.step(part, state, zeta, 20.0, rows=87)
        kinds.append(recognise(trace))
    assert kinds == [(access.SOLITON, 1), (access.BREATHER, 1)]


def test_limit_the_ratchet_ends_in_one_soliton():
    """The number falls with each loss, and the end is at the recipe's final temperature. Of 16 attempts of this kind 11
    ended single; that six in a row do not has a chance of 1e-3."""
    said = []
    result, attempts = access.access(
        FAST, lambda number: stream(1, "access", number), QUICK, 6, lambda what, share: said.append((what, share))
    )
    assert (result.kind, result.solitons) == (access.SOLITON, 1)
    assert 1 <= attempts <= 6
    assert result.zeta_laser == QUICK.final
    assert result.losses[0] > 1
    assert result.losses[-1] == 1
    assert len(result.losses) == len(result.loss_time)
    assert result.trace.maxima[-1] == 1
    assert result.trace.zeta_laser.size == result.trace.power.size == result.time.size
    assert np.all(np.diff(result.time) > 0.0)
    assert result.state.power == pytest.approx(soliton.mean_power(FAST, result.trace.zeta[-1]), rel=0.15)
    assert said[0][0] == "scan"
    assert said[-1][0] == "ramp to the final temperature"
    if attempts == 1:
        assert all(before <= after for (_, before), (_, after) in pairwise(said))


def test_limit_a_breather_is_counted_in_the_mean_of_its_periods():
    """At zeta 9.5 both solitons lie below the floor for part of their period; a single glance misses them."""
    part = replace(BARE, d2=16 * BARE.d2, modes=512)
    state = State(soliton.soliton_field(part, 20.0, (-1.5, 1.2)), 0j, np.zeros(0))
    state, _ = lle.step(part, state, 20.0, 100.0, 9.5)
    log = Log(part, state, 9.5, look_time=4.0)
    looks = [log.look(9.5) for _ in range(5)]
    assert [look.number for look in looks] == [2] * 5
    assert all(look.same_as(looks[0]) for look in looks)
    _, trace = lle.step(part, log.state, 9.5, 4.0, rows=100)
    assert trace.maxima.min() < 2
    assert log.end(40.0) == (access.BREATHER, 2)
    assert not looks[0].same_as(Look(looks[0].places + 10, 512))
    assert looks[0].same_as(Look((looks[0].places + 2) % 512, 512))


def test_limit_a_scan_that_stops_early_ends_in_chaos():
    """Felt zeta is below 6 there, where the background does not hold.
    The result does not depend on the number of processes."""
    ends = access.scans(FAST, 14.0, [1, 2, 3], QUICK)
    assert {kind for kind, _ in ends} == {access.CHAOS}
    assert access.scans(FAST, 14.0, [3], QUICK) == ends[2:]


def test_limit_a_survey_counts_what_scans_end_in():
    """Beyond the existence limit of 40.7 and its heat only the auxiliary laser keeps solitons; before 16 none are."""
    rows = survey(FAST, (14.0, 30.0, 60.0), range(3), QUICK, hold_time=125.0)
    assert [(row.stop_zeta, row.auxiliary) for row in rows] == [
        (stop, on) for on in (False, True) for stop in (14.0, 30.0, 60.0)
    ]
    shares = [row.with_solitons for row in rows]
    assert shares == [0, 3, 0, 0, 3, 3]
    assert rows[0].chaos == rows[3].chaos == 3
    assert rows[1].fewest >= 1
    assert rows[0].most == 0
    with pytest.raises(InputError, match="`stops` must ascend"):
        survey(FAST, (30.0, 14.0), range(3), QUICK)
    for stops in ((float("nan"),), (30.0, float("inf"))):
        with pytest.raises(InputError, match="`stops` must be a finite number"):
            survey(FAST, stops, range(3), QUICK)
    with pytest.raises(InputError, match="`seeds` must name"):
        survey(FAST, (30.0,), (), QUICK)


def test_exact_a_field_on_more_modes_is_the_same_field():
    """Its values on the old points, its power and its modes; and back."""
    field = soliton.soliton_field(BARE, 20.0)
    fine = on_modes(field, 2048)
    assert fine[::2] == pytest.approx(field, abs=1e-9)
    assert on_modes(fine, 1024) == pytest.approx(field, abs=1e-9)
    assert np.fft.fft(fine)[:500] / 2048 == pytest.approx(np.fft.fft(field)[:500] / 1024, abs=1e-12)
    with pytest.raises(InputError, match="`modes` = 128 cannot hold"):
        on_modes(field, 128)


def test_limit_points_to_a_width():
    """2048 modes: two points to the width at zeta 20."""
    assert points_to_a_width(cavity(Ring(), Pump(), 2048), 20.0) == pytest.approx(2.0, abs=0.01)
    assert points_to_a_width(FAST, 20.0) == pytest.approx(2.0, abs=0.01)
    assert CombFile(1, Ring(), Pump()).resolved
    assert not CombFile(1, Ring(), Pump(), grid=Grid(modes=1024, round_trips=3.0)).resolved


def test_exact_errors():
    with pytest.raises(InputError, match="start < far"):
        Recipe(start=40.0)
    with pytest.raises(InputError, match=r"`speed`.*0"):
        Recipe(speed=0.0)
    with pytest.raises(InputError, match=r"`losses_most`.*0"):
        Recipe(losses_most=0)
    for bad in ({"final": float("nan")}, {"far": float("inf")}, {"few": -3}):
        with pytest.raises(InputError, match=f"`{next(iter(bad))}` must be"):
            Recipe(**bad)
    short = Recipe(
        start=-8.0, far=-4.0, warm=-5.0, lowest=-7.0, cool_time=1.0, hold_time=1.0, warm_time=1.0, look_time=1.0
    )
    with pytest.raises(RunError, match="None of 2 attempts"):
        access.access(FAST, lambda number: stream(1, number), short, 2)
