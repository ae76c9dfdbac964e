"""The regulator that all loops share: law, saturation, anti-windup, watch, gate."""

import math

import pytest

from combmesh.ground.control import (
    ACQUIRING,
    LOCKED,
    LOST,
    Gate,
    Regulator,
    drive,
    gate_init,
    gate_step,
    init,
    pi_law,
    step,
)
from combmesh.ground.errors import InputError

NOTHING = math.nan


def follow(regulator, errors, dt_s=1.0):
    state, settings, statuses = init(regulator), [], []
    for error in errors:
        state, setting = step(regulator, state, error, dt_s)
        settings.append(setting)
        statuses.append(state.status)
    return state, settings, statuses


def test_exact_law_by_hand():
    """u_n = k_i sum(e) dt + k_p e_n, with k_p 2, k_i 0.5, dt 0.5: errors 1, -1, 3."""
    _, settings, _ = follow(Regulator(2.0, 0.5, -100.0, 100.0), [1.0, -1.0, 3.0], 0.5)
    assert settings == pytest.approx([0.25 + 2.0, 0.0 - 2.0, 0.75 + 6.0], rel=1e-15)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_limit_saturated_integral_does_not_wind_up(sign):
    """A hundred periods against the limit leave nothing to undo: a naive integral would need a hundred periods back."""
    regulator = Regulator(0.0, sign, -5.0, 5.0)
    _, settings, _ = follow(regulator, [1.0] * 100 + [-1.0])
    assert settings[4:100] == [5.0 * sign] * 96
    assert settings[100] == 4.0 * sign


def test_exact_compiled_and_plain_law_agree():
    for integral, error in ((0.0, 0.3), (0.9, 5.0), (-0.9, -5.0), (1.0, -0.2)):
        numbers = (0.7, 0.2, -1.0, 1.0, integral, error, 0.1)
        assert pi_law(*numbers) == pi_law.py_func(*numbers)


def test_exact_loop_that_sees_nothing_holds_then_goes_home():
    regulator = Regulator(0.0, 1.0, -9.0, 9.0, patience_s=3.0, settle_s=2.0, home=-1.0)
    state, settings, statuses = follow(regulator, [1.0, 1.0, 1.0] + [NOTHING] * 4)
    assert settings == [0.0, 1.0, 2.0, 2.0, 2.0, -1.0, -1.0]
    assert statuses == [ACQUIRING, LOCKED, LOCKED, LOCKED, LOCKED, LOST, LOST]
    assert state.losses == 1


def test_exact_search_sweeps_the_whole_range_both_ways():
    regulator = Regulator(0.0, 1.0, -2.0, 2.0, patience_s=1.0, search_rate=1.0)
    _, settings, _ = follow(regulator, [NOTHING] * 9)
    assert settings == [1.0, 2.0, 1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 1.0]


def test_exact_lock_lost_reacquired_and_counted():
    regulator = Regulator(0.0, 0.01, -9.0, 9.0, window=1.0, patience_s=2.0, settle_s=2.0)
    state, _, statuses = follow(regulator, [0.1, 0.1, 5.0, 0.1, 5.0, 5.0, 0.1, 0.1, NOTHING, NOTHING])
    expected = [ACQUIRING, LOCKED, LOCKED, LOCKED, LOCKED, LOST, ACQUIRING, LOCKED, LOCKED, LOST]
    assert statuses == expected  # one bad period alone is no loss
    assert state.losses == 2


def test_exact_gate_averages_and_knows_what_is_missing():
    gate = Gate(1.0)
    state, means = gate_init(gate), []
    for value in [*range(10), *range(10, 15), NOTHING, *range(4), *[2.0] * 10]:
        state, mean = gate_step(gate, state, value, 0.1)
        if mean is not None:
            means.append(mean)
    assert means[0] == pytest.approx(4.5)
    assert math.isnan(means[1])
    assert means[2] == pytest.approx(2.0)
    assert len(means) == 3


def test_exact_regulator_drives_anything_with_two_methods():
    """A plant that answers at once, y = 2 u + 3, is brought to 1 by an integral alone: u = -1."""

    class Plant:
        setting = 0.0

        def measure(self):
            return 2.0 * self.setting + 3.0

        def actuate(self, setting):
            self.setting = setting

    regulator, plant = Regulator(0.0, 0.25, -5.0, 5.0, settle_s=5.0), Plant()
    state = init(regulator)
    for _ in range(60):
        state, reading = drive(regulator, state, plant, lambda measured: 1.0 - measured, 1.0)
    assert reading.setting == pytest.approx(-1.0, abs=1e-12)
    assert reading.status == "locked"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"lowest": 1.0, "highest": 1.0}, "`highest` must be above `lowest`, but is 1 <= 1"),
        ({"gain": math.nan}, "`gain`.*nan"),
        ({"gain": -1.0}, "one sign.*-1 and 0.1"),
        ({"home": 3.0}, "`home`.*at most 1.*3"),
        ({"window": 0.0}, "`window`.*0"),
        ({"search_rate": -1.0}, "`search_rate`.*-1"),
    ],
)
def test_exact_errors_are_sentences(bad, words):
    with pytest.raises(InputError, match=words):
        Regulator(**({"gain": 0.5, "integral_gain": 0.1, "lowest": -1.0, "highest": 1.0} | bad))


def test_exact_steps_have_a_length():
    regulator = Regulator(0.5, 0.1, -1.0, 1.0)
    with pytest.raises(InputError, match=r"`dt_s`.*0"):
        step(regulator, init(regulator), 0.0, 0.0)
    with pytest.raises(InputError, match=r"`error`.*inf"):
        step(regulator, init(regulator), math.inf, 1.0)
    with pytest.raises(InputError, match=r"`dt_s`.*at most 1.*2"):
        gate_step(Gate(1.0), gate_init(Gate(1.0)), 0.0, 2.0)
