"""Access to one soliton with a fixed pump, and what traces are taken for."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.microcomb import access, lle, soliton
from combmesh.device.microcomb.access import Recipe, recognise
from combmesh.device.microcomb.lle import State, Trace
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.ground.errors import InputError, RunError
from combmesh.ground.rng import stream

FAST = cavity(replace(Ring(), heat_time_us=(0.105, 0.49)), Pump(), 1024, round_trips=3.0)
"""Thermal poles and scan four times as fast as the preset's, which leaves the outcome as it is."""
QUICK = Recipe(cool_time=450.0, hold_time=50.0, warm_time=125.0, final_time=75.0, speed=4e-3, look_time=1.5)
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
    """The power steps down with each loss, and the end is at the recipe's final temperature."""
    result, attempts = access.access(FAST, lambda number: stream(1, "access", number), QUICK, 4)
    assert (result.kind, result.solitons) == (access.SOLITON, 1)
    assert 1 <= attempts <= 4
    assert result.zeta_laser == QUICK.final
    assert result.losses[0] > 1
    assert result.losses[-1] == 1
    assert result.trace.maxima[-1] == 1
    assert result.trace.zeta_laser.size == result.trace.power.size
    assert result.state.power == pytest.approx(soliton.mean_power(FAST, result.trace.zeta[-1]), rel=0.15)


def test_limit_a_scan_that_stops_early_ends_in_chaos():
    """At zeta 20 the heat of the modulated wave holds the ring in chaos: no solitons in 8 scans of the prototype.
    The result does not depend on the number of processes."""
    ends = access.scans(FAST, 20.0, [1, 2, 3], QUICK)
    assert {kind for kind, _ in ends} == {access.CHAOS}
    assert access.scans(FAST, 20.0, [3], QUICK) == ends[2:]


def test_exact_errors():
    with pytest.raises(InputError, match="start < far"):
        Recipe(start=40.0)
    with pytest.raises(InputError, match=r"`speed`.*0"):
        Recipe(speed=0.0)
    short = Recipe(start=-8.0, far=-4.0, warm=-5.0, lowest=-7.0, cool_time=1.0, hold_time=1.0, warm_time=1.0)
    with pytest.raises(RunError, match="None of 2 attempts"):
        access.access(FAST, lambda number: stream(1, number), short, 2)
