"""One soliton over 1e6 round trips, and the share of attempts and scans that end in solitons."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.microcomb import access, lle, soliton
from combmesh.device.microcomb.access import Recipe, attempt
from combmesh.device.microcomb.lle import State
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.ground.parallel import processors
from combmesh.ground.rng import stream

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]

ACCESS = cavity(Ring(), Pump(), 1024, round_trips=3.0)


def faster(times):
    """Thermal poles and recipe `times` as fast."""
    ring = replace(Ring(), heat_time_us=tuple(time / times for time in Ring().heat_time_us))
    recipe = Recipe(
        cool_time=1800.0 / times, hold_time=200.0 / times, warm_time=500.0 / times, final_time=300.0 / times,
        speed=1e-3 * times, look_time=1.5,
    )  # fmt: skip
    return cavity(ring, Pump(), 1024, round_trips=3.0), recipe


def test_limit_one_soliton_stays_one_for_a_million_round_trips():
    """With heat and auxiliary laser, 2048 modes."""
    warm = cavity(Ring(), Pump(), 2048)
    drift, zeta_laser = soliton.init(warm, 20.0)
    state = soliton.state(warm, drift, zeta_laser)
    state, _ = lle.step(warm, state, zeta_laser, 2000.0)
    _, trace = lle.step(warm, state, zeta_laser, 1_000_000 * warm.h, rows=1000)
    assert set(trace.maxima) == {1}
    assert np.ptp(trace.peak) < 1e-3 * trace.peak.mean()
    assert np.ptp(trace.zeta) < 0.01


@pytest.mark.parametrize("times", [1.0, 2.0, 4.0])
def test_limit_most_attempts_end_in_one_soliton_at_any_speed_of_the_poles(times):
    """The prototype found 13 of 16 (81 %). Of 16 attempts at that chance 8 or fewer end so in 0.4 % of all runs.

    Shortened thermal poles do not decide the outcome: the same holds for poles and recipe two and four times as fast.
    """
    ring, recipe = faster(times)
    ends = [attempt(ring, stream(seed, "attempt"), recipe).kind for seed in range(16)]
    print(times, ends)
    assert ends.count(access.SOLITON) >= 9


@pytest.mark.parametrize("stop", [20.0, 24.0, 28.0, 33.0, 38.0])
def test_limit_scans_need_the_auxiliary_laser_on_1024_modes(stop):
    """32 seeds. The prototype with 8 found: without it 0, 0, 1, 1, 0 at these points; with it 0, 2, 8, 8, 8.

    It holds for this grid and this speed only: on 2048 modes solitons survive without it (seen in 2 of 2 scans).
    """
    seeds = range(32)
    kinds = (access.SOLITON, access.SOLITONS, access.BREATHER)
    alone = access.scans(replace(ACCESS, aux_pump=0.0), stop, seeds, workers=processors())
    helped = access.scans(ACCESS, stop, seeds, workers=processors())
    shares = [sum(kind in kinds for kind, _ in ends) / 32 for ends in (alone, helped)]
    singles = [sum(number == 1 for _, number in ends) / 32 for ends in (alone, helped)]
    print(stop, shares, singles)
    assert shares[0] <= 0.5
    if stop >= 33.0:
        assert shares[1] >= 0.75


def test_limit_existence_limit_at_another_power():
    """`pi^2 F^2 / 8` within 5 % at F^2 = 20 too."""
    bare = replace(
        cavity(Ring(), Pump(), 1024), d2=4 * Ring().d2, pump=20**0.5, heat_shift=(), heat_time=(), aux_pump=0
    )
    state = State(soliton.soliton_field(bare, 16.0), 0j, np.zeros(0))
    state, _ = lle.step(bare, state, 16.0, 30.0)
    _, trace = lle.step(bare, state, 16.0, 1000.0, 28.0, rows=1000)
    assert trace.zeta[trace.maxima == 1].max() == pytest.approx(soliton.zeta_max(bare.pump), rel=0.05)
