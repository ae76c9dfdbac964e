"""Compensation over hours and hundreds of starts: what holds, what does not, and at what cost. `make verify`."""

from itertools import product

import numpy as np
import pytest

from combmesh.link import drift
from combmesh.link.compensation import arrival, polarization
from combmesh.link.compensation.arrival import Clicks
from combmesh.link.compensation.disclosed import Disclosure
from combmesh.link.compensation.polarization import FibreBench, begin, drive
from combmesh.link.compensation.search import Annealing, CoordinateDescent, Descent
from combmesh.link.fibre import FibreArm

pytestmark = [pytest.mark.verify, pytest.mark.timeout(3600)]

ARMS, WALK = 400, 3e-3
"""Starts, each with a fibre of its own, and the drift of an iteration of two probes, rad."""


def survey(search, seed, probes=800):
    """(probe, arm) true mean errors at the centre and while probing."""
    rng = np.random.default_rng(seed)
    bench = FibreBench(drift.random_jones(rng, (ARMS,)), search.squeezers, Disclosure(), rng)
    state = begin(search, rng.uniform(-np.pi, np.pi, (ARMS, 4)), bench, rng)
    centre, probing = [], []
    for _ in range(probes):
        bench.jones = drift.walk(bench.jones, WALK / 2**0.5, rng)
        probing.append(bench.qber(state.setting_rad))
        state, _ = drive(search, state, bench, rng)
        centre.append(bench.qber(state.centre_rad))
    return np.array(centre), np.array(probing)


def told(name, centre, probing):
    below = centre < 0.02
    first = np.where(below.any(axis=0), below.argmax(axis=0) + 1, np.iinfo(int).max)
    held = centre[400:]
    print(
        f"{name}: median {np.median(first):.0f} probes, most {first.max()}; residual {100 * held.mean():.4f} %, most "
        f"{100 * held.max():.2f} %, above 2 % {100 * (held > 0.02).mean():.2f} %; while probing "
        f"{100 * probing[400:].mean():.3f} %"
    )
    return first, held


@pytest.mark.parametrize("probe_rad", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("gain", [0.2, 0.3])
def test_limit_spgd_reaches_and_holds_2_percent(gain, probe_rad):
    """400 of 400 starts in a median under 25 iterations; a residual of 0.005 to 0.05 % at 3e-3 rad an iteration.

    Gain 0.2 is at the bound: 400 starts have an error of about one iteration in their median.
    """
    centre, probing = survey(Descent(gain=gain, probe_rad=probe_rad), 1)
    first, held = told(f"gain {gain}, probe {probe_rad}", centre, probing)
    assert np.median(first) / 2 < 25
    assert first.max() < 800
    assert 5e-5 < held.mean() < 5e-4
    assert (held > 0.02).mean() < 1e-3


def test_limit_spgd_at_gain_half_slips_and_at_gain_1_never_holds():
    """Gain 0.5 is above 2 % in about a hundredth of the iterations, 1 in nearly all (docs/compensation.md says why)."""
    _, half = told("gain 0.5", *survey(Descent(gain=0.5), 2))
    assert 1e-3 < (half > 0.02).mean() < 0.05
    _, one = told("gain 1", *survey(Descent(gain=1.0), 2))
    assert (one > 0.02).mean() > 0.9


def curvatures(bench, u, step=1e-3):
    """`(arm, 4, 4)` Hessians of the mean error at settings u, by differences."""
    steps = step * np.eye(4)
    H = np.empty((ARMS, 4, 4))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            corners = bench.qber(u + a + b) - bench.qber(u + a - b) - bench.qber(u - a + b) + bench.qber(u - a - b)
            H[:, i, j] = corners / (4.0 * step**2)
    return H


def growth(H, gain):
    """Spectral radius of the exact map of second moments of x = H^(1/2) u under u -> u - 2 gamma (s.Hu) s, s = +-1."""
    values, vectors = np.linalg.eigh(H)
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    sides = np.array(list(product([1.0, -1.0], repeat=4)))
    maps = [np.eye(4) - 2.0 * gain * np.outer(root @ s, root @ s) for s in sides]
    seen = vectors[:, values > 1e-3]  # directions that change the error at all
    inside = np.kron(seen, seen)
    return np.abs(np.linalg.eigvals(inside.T @ np.mean([np.kron(m, m) for m in maps], axis=0) @ inside)).max()


def test_exact_gain_that_the_choice_of_sides_allows():
    """At 400 minima, without noise or drift: J shrinks on average at all for 0.4, at most for 0.5, at none for 1."""
    rng, search = np.random.default_rng(6), Descent()
    bench = FibreBench(drift.random_jones(rng, (ARMS,)), search.squeezers, Disclosure(10**12), rng)
    state = begin(search, rng.uniform(-np.pi, np.pi, (ARMS, 4)), bench, rng)
    for _ in range(3000):
        state, _ = drive(search, state, bench, rng)
    assert bench.qber(state.centre_rad).max() < 1e-4
    H = curvatures(bench, state.centre_rad)
    traces = np.trace(H, axis1=1, axis2=2)
    grows = {gain: np.mean([growth(h, gain) > 1.0 for h in H]) for gain in (0.3, 0.4, 0.5, 0.7, 1.0)}
    print(f"trace of the Hessian {traces.min():.2f} to {traces.max():.2f}; share of minima where J grows: {grows}")
    assert grows[0.3] == grows[0.4] == 0.0
    assert 0.05 < grows[0.5] < 0.4
    assert grows[1.0] == 1.0
    assert traces.mean() / 2.0 == pytest.approx(0.65, abs=0.05)  # what a probe costs, over delta squared


def test_limit_rivals_beside_spgd():
    """In probes: coordinate descent is the fastest; annealing disturbs the light least. All reach every start."""
    firsts = {}
    for name, search in (("SPGD", Descent()), ("coordinate", CoordinateDescent()), ("annealing", Annealing())):
        centre, probing = survey(search, 3)
        firsts[name], held = told(name, centre, probing)
        assert firsts[name].max() < 800
        assert (held > 0.02).mean() < 1e-3
        if name == "annealing":
            assert probing[400:].mean() < 1.5e-3
    assert np.median(firsts["coordinate"]) < min(np.median(firsts["SPGD"]), np.median(firsts["annealing"]))


def test_paper_fig3e_arrival_is_held_to_2_ps_for_three_hours():
    """400 counts a second, 20 records: 2 ps and less beside a mean of some 200 ps without."""
    rng = np.random.default_rng(4)
    traces = [arrival.follow(FibreArm(), Clicks(counts=400.0), 10_800.0, rng) for _ in range(20)]
    held = np.array([trace.rms_ps for trace in traces])
    free = np.array([trace.uncompensated_rms_ps for trace in traces])
    print(f"arrival: {held.mean():.2f} ps (most {held.max():.2f}) beside {free.mean():.0f} ps (most {free.max():.0f})")
    assert held.max() < 2.0
    assert free.mean() == pytest.approx(200.0, rel=0.35)
    assert all(trace.locked.all() for trace in traces)


def test_limit_polarization_is_held_for_three_hours_and_its_cost_is_counted():
    """Four arms, two probes of 1e4 counts a second: 2.2e8 counts an arm; at 1 M counts a second 2 % of the pulses."""
    trace = polarization.follow(
        Descent(), FibreArm(), Disclosure(), 10_800.0, np.random.default_rng(5), shape=(4,), settle_probes=600
    )
    print(
        f"three hours: {100 * trace.rest_error.mean():.4f} % at rest, most {100 * trace.rest_error.max():.3f} %; Z "
        f"{100 * trace.error_z.mean():.3f} %, X {100 * trace.error_x.mean():.3f} % while probing; "
        f"{trace.disclosed_counts / 4:.3g} counts an arm"
    )
    assert trace.rest_error.max() < 0.02
    assert trace.disclosed_counts == 4 * (21_600 + 600) * 10_000
    assert Disclosure().share(0.5, 1e6) == pytest.approx(0.02)
