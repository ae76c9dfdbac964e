"""One soliton over 1e6 round trips, and the existence limit at another power; access is in `test_comb_survey`."""

from dataclasses import replace

import numpy as np
import pytest

from combmesh.device.microcomb import lle, soliton
from combmesh.device.microcomb.lle import State
from combmesh.device.microcomb.ring import Pump, Ring, cavity

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]


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


def test_limit_existence_limit_at_another_power():
    """`pi^2 F^2 / 8` within 5 % at F^2 = 20 too."""
    bare = replace(
        cavity(Ring(), Pump(), 1024), d2=4 * Ring().d2, pump=20**0.5, heat_shift=(), heat_time=(), aux_pump=0
    )
    state = State(soliton.soliton_field(bare, 16.0), 0j, np.zeros(0))
    state, _ = lle.step(bare, state, 16.0, 30.0)
    _, trace = lle.step(bare, state, 16.0, 1000.0, 28.0, rows=1000)
    assert trace.zeta[trace.maxima == 1].max() == pytest.approx(soliton.zeta_max(bare.pump), rel=0.05)
