"""Polarization control of an arm: one period measures disclosed states, decides and sets the squeezers.

`drive` does so with any search and any device; `follow` with the model of a drifting fibre.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_positive, check_range
from combmesh.link import drift
from combmesh.link.compensation.disclosed import Disclosure, Probe, count_errors, errors_of
from combmesh.link.compensation.search import S, Search
from combmesh.link.compensation.squeezers import Squeezers
from combmesh.link.fibre import FibreArm

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]


class PolarizationDevice(Protocol):
    """What a search drives: a model or a device on the bench."""

    def measure(self) -> Probe | None:
        """Clicks of disclosed states under the present setting; None if there are none."""

    def actuate(self, setting_rad: Floats) -> None:
        """Set the squeezers."""


class PolarizationReading(NamedTuple):
    """What one period saw and did."""

    cost: Floats  # `(...)`, NaN if nothing was measured
    setting_rad: Floats  # the next one
    disclosed_counts: int  # of this period


def drive(
    search: Search[S], state: S, device: PolarizationDevice, rng: np.random.Generator
) -> tuple[S, PolarizationReading]:
    """One period: measure, decide, set. The device must stand at the state's setting (`begin`)."""
    probe = device.measure()
    cost = np.asarray(np.nan) if probe is None else probe.cost
    state, setting_rad = search.step(state, cost, rng)
    device.actuate(setting_rad)
    return state, PolarizationReading(cost, setting_rad, 0 if probe is None else probe.disclosed_counts)


def begin(search: Search[S], start_rad: Floats, device: PolarizationDevice, rng: np.random.Generator) -> S:
    """A search with its device at the first setting."""
    state = search.init(start_rad, rng)
    device.actuate(state.setting_rad)
    return state


class FibreBench:
    """The model: fibres `(...)`, their squeezers, and the relay's counts.

    Attributes:
        jones: `(..., 2, 2)` of the fibres; whoever moves them sets it.
        setting_rad: `(..., squeezer)` as it stands.
    """

    def __init__(
        self, jones: Complexes, squeezers: Squeezers, disclosure: Disclosure, rng: np.random.Generator
    ) -> None:
        self.jones = jones
        self.setting_rad: Floats = np.zeros((*jones.shape[:-2], squeezers.count))
        self._squeezers, self._disclosure, self._rng = squeezers, disclosure, rng

    def measure(self) -> Probe:
        return count_errors(self.way(self.setting_rad), self._disclosure, self._rng)

    def actuate(self, setting_rad: Floats) -> None:
        self.setting_rad = setting_rad

    def way(self, setting_rad: Floats) -> Complexes:
        """`(..., 2, 2)` of fibres and squeezers."""
        return self._squeezers.through(setting_rad, self.jones)

    def qber(self, setting_rad: Floats) -> Floats:
        """`(...)` true mean error of both bases, without any floor."""
        e_z, e_x = errors_of(self.way(setting_rad))
        return np.asarray(0.5 * (e_z + e_x))


@dataclass(frozen=True)
class PolarizationTrace:
    """A held polarization, one value a probe.

    Attributes:
        time_s: `(probe,)` end of each, s.
        error_z, error_x: `(probe, ...)` true errors of the polarization while light passed: that of the probes.
        rest_error: `(probe, ...)` mean error of both bases at the search's centre, where no probe moves it.
        jones: `(probe, ..., 2, 2)` of the whole way while light passed.
        disclosed_counts: clicks disclosed in all.
    """

    time_s: Floats
    error_z: Floats
    error_x: Floats
    rest_error: Floats
    jones: Complexes
    disclosed_counts: int


def follow(
    search: Search[S],
    arm: FibreArm,
    disclosure: Disclosure,
    seconds: float,
    rng: np.random.Generator,
    probe_s: float = 0.5,
    shape: tuple[int, ...] = (),
    settle_probes: int = 400,
) -> PolarizationTrace:
    """Hold the polarization of arms of `shape` for a while, after a search that settles first."""
    check_positive("seconds", seconds)
    check_range("probe_s", probe_s, 1e-6, seconds)
    check_range("settle_probes", settle_probes, 0)
    fibre = drift.init(arm, rng, shape)
    bench = FibreBench(fibre.jones, search.squeezers, disclosure, rng)
    state = begin(search, np.zeros((*shape, search.squeezers.count)), bench, rng)
    error_z, error_x, rest, ways, disclosed = [], [], [], [], 0
    probes = round(seconds / probe_s)
    for probe in range(-settle_probes, probes):
        fibre, now = drift.step(arm, fibre, probe_s, rng)
        bench.jones = now.jones
        way = bench.way(state.setting_rad)
        if probe >= 0:
            e_z, e_x = errors_of(way)
            error_z.append(e_z)
            error_x.append(e_x)
            rest.append(bench.qber(state.centre_rad))
            ways.append(way)
        state, reading = drive(search, state, bench, rng)
        disclosed += reading.disclosed_counts
    time_s = probe_s * np.arange(1, probes + 1, dtype=np.float64)
    return PolarizationTrace(time_s, np.array(error_z), np.array(error_x), np.array(rest), np.array(ways), disclosed)
