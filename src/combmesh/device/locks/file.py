"""Terminals as a file describes them: plain tables of numbers that become `Terminal`s."""

from dataclasses import dataclass, field, replace
from math import isnan
from typing import ClassVar

import numpy as np

from combmesh.device.locks.beat import Terminal
from combmesh.device.locks.injection import Injection
from combmesh.device.locks.noise import Flicker, Jolt, Noise, OrnsteinUhlenbeck, Ramp, RandomWalk, Sine, Total, White
from combmesh.device.locks.repetition import RepetitionLock, Ring, temperature_lock
from combmesh.device.locks.rubidium import SeedLock
from combmesh.device.locks.survival import WorkingPoint, felt_at, lock_ring, window, working_point
from combmesh.device.locks.three_hours import Record
from combmesh.device.microcomb import ring as comb_ring
from combmesh.device.microcomb.soliton import BREATHER_ZETA, zeta_max
from combmesh.ground.control import Regulator
from combmesh.ground.errors import InputError, check_positive, check_range

SCHEMA_VERSION = 1
SHORTEST_BLOCK_S = 300.0
FROM_COMB = ("rep_rate_hz_k", "resonance_hz_k", "linewidth_hz", "pull_hz_zeta", "coldest_k", "warmest_k")
"""What the lock's ring takes from the comb where the file does not type it in."""

_STRICT: dict[str, str] = {"extra": "forbid"}


@dataclass(frozen=True)
class FrequencyNoise:
    """A disturbance of a frequency: the sum of its parts, a part of 0 being absent.

    Attributes:
        white_hz_sqrt_s: white noise, Hz sqrt(s): its mean over G s spreads by this over sqrt(G).
        walk_hz_sqrt_s: random walk, Hz/sqrt(s).
        wander_hz: standard deviation of a walk that is pulled back (Ornstein-Uhlenbeck), Hz.
        wander_s: how long that remembers, s.
        flicker_hz: flat Allan deviation, Hz.
        ramp_hz_s: steady drift, Hz/s.
        sine_hz: amplitude of a sine of random phase, Hz.
        sine_s: its period, s.
    """

    white_hz_sqrt_s: float = 0.0
    walk_hz_sqrt_s: float = 0.0
    wander_hz: float = 0.0
    wander_s: float = 10.0
    flicker_hz: float = 0.0
    ramp_hz_s: float = 0.0
    sine_hz: float = 0.0
    sine_s: float = 600.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("white_hz_sqrt_s", "walk_hz_sqrt_s", "wander_hz", "flicker_hz", "sine_hz"):
            check_range(name, getattr(self, name), 0.0)
        check_range("ramp_hz_s", self.ramp_hz_s)
        check_positive("wander_s", self.wander_s)
        check_positive("sine_s", self.sine_s)

    def noise(self) -> Noise:
        """The disturbance as it is drawn."""
        return _total(
            (self.white_hz_sqrt_s, White(self.white_hz_sqrt_s)),
            (self.walk_hz_sqrt_s, RandomWalk(self.walk_hz_sqrt_s)),
            (self.wander_hz, OrnsteinUhlenbeck(self.wander_hz, self.wander_s)),
            (self.flicker_hz, Flicker(self.flicker_hz)),
            (self.ramp_hz_s, Ramp(self.ramp_hz_s)),
            (self.sine_hz, Sine(self.sine_hz, self.sine_s)),
        )


@dataclass(frozen=True)
class Ambient:
    """Temperature around a ring, from its working point: the sum of its parts, a part of 0 being absent.

    Attributes:
        walk_k_sqrt_s: random walk, K/sqrt(s).
        ramp_k_s: steady drift, K/s.
        sine_k: amplitude of a sine of random phase, K.
        sine_s: its period, s.
        jolt_k: another temperature for a while, K.
        jolt_from_s, jolt_until_s: that while, s from the record's beginning.
    """

    walk_k_sqrt_s: float = 0.0
    ramp_k_s: float = 0.0
    sine_k: float = 0.0
    sine_s: float = 600.0
    jolt_k: float = 0.0
    jolt_from_s: float = 0.0
    jolt_until_s: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("walk_k_sqrt_s", "sine_k", "jolt_from_s"):
            check_range(name, getattr(self, name), 0.0)
        for name in ("ramp_k_s", "jolt_k"):
            check_range(name, getattr(self, name))
        check_range("jolt_until_s", self.jolt_until_s, self.jolt_from_s)
        check_positive("sine_s", self.sine_s)

    def noise(self, warm_up_s: float) -> Noise:
        """The temperature as it is drawn, from the beginning of the warm-up."""
        return _total(
            (self.walk_k_sqrt_s, RandomWalk(self.walk_k_sqrt_s)),
            (self.ramp_k_s, Ramp(self.ramp_k_s)),
            (self.sine_k, Sine(self.sine_k, self.sine_s)),
            (self.jolt_k, Jolt(self.jolt_k, warm_up_s + self.jolt_from_s, warm_up_s + self.jolt_until_s)),
        )


def _total(*parts: tuple[float, Noise]) -> Noise:
    present = tuple(noise for size, noise in parts if size)
    return Total(present) if present else White(0.0)


@dataclass(frozen=True)
class CombTable:
    """The comb that is locked; its tables are those of a comb's file.

    Attributes:
        ring: the microring.
        pump: pump and auxiliary laser.
    """

    ring: comb_ring.Ring = field(default_factory=comb_ring.Ring)
    pump: comb_ring.Pump = field(default_factory=comb_ring.Pump)

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        limit = zeta_max(comb_ring.cavity(self.ring, self.pump).pump)
        if limit < BREATHER_ZETA + 1.0:
            raise InputError(
                f"`pump.power_w` must bear solitons that do not breathe, above a detuning of {BREATHER_ZETA:g}, but "
                f"{self.pump.power_w:g} W bear them up to {limit:.3g}."
            )


@dataclass(frozen=True)
class RingTable:
    """What temperature does to the microring: package and working point; the rest follows from the comb.

    Attributes:
        time_constant_s: of ring and package, s.
        resistance_k_w: warming by the heater, K/W.
        zeta: detuning of laser and cold ring at the working point, without heat and Kerr shift, in half linewidths.
        rep_rate_hz_k: change of the spacing with temperature, the soliton's answer left out; from the comb if none.
        resonance_hz_k: change of the pumped resonance, Hz/K; from the comb if none.
        linewidth_hz: loaded linewidth, Hz; from the comb if none.
        pull_hz_zeta: change of the spacing by the soliton's answer to the detuning, Hz; from the comb if none.
        coldest_k, warmest_k: where the soliton survives, K from the working point; from the comb if none.
    """

    time_constant_s: float = 5.0
    resistance_k_w: float = 10.0
    zeta: float = 21.0
    rep_rate_hz_k: float | None = None
    resonance_hz_k: float | None = None
    linewidth_hz: float | None = None
    pull_hz_zeta: float | None = None
    coldest_k: float | None = None
    warmest_k: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def ring(self, comb: CombTable) -> Ring:
        """The lock's ring, derived from the comb; with any of its values typed in, a line without bend."""
        _check_balance(comb, self.zeta)
        package = Ring(self.time_constant_s, self.resistance_k_w)
        derived = lock_ring(comb.ring, comb.pump, self.zeta, assumed=package)
        typed = {name: getattr(self, name) for name in self.typed_in}
        return replace(derived, bend_hz=(0.0, 0.0), **typed) if typed else derived

    @property
    def typed_in(self) -> tuple[str, ...]:
        """Values that are not derived."""
        return tuple(name for name in FROM_COMB if getattr(self, name) is not None)


def _check_balance(comb: CombTable, zeta: float) -> None:
    cavity = comb_ring.cavity(comb.ring, comb.pump)
    if isnan(felt_at(cavity, np.array([zeta]))[0]):
        some = window(cavity)
        raise InputError(
            f"`ring.zeta` must be a cold detuning where the comb bears a soliton, {some.warmest_zeta:.4g} to "
            f"{some.coldest_zeta:.4g}, but is {zeta:g}."
        )


@dataclass(frozen=True)
class RepetitionTable:
    """The lock of the spacing.

    Attributes:
        crossover_rad_s: where the open loop has gain 1, rad/s; the controller's zero cancels the ring's pole.
        highest_power_w: reach of heater or cooler to either side, W.
        offset_hz: how far the reference stands above the wanted spacing, Hz; gives the error its sign.
        bandwidth_hz: of the photodiode, Hz.
        period_s: gate of the counter, one setting each, s.
        window_hz: a larger error is not a locked loop's, Hz.
        patience_s: errors outside the window for so long are a lost lock, s.
        settle_s: errors inside the window for so long are a lock, s.
        access_s: time from a ring inside its range to the next soliton, s.
    """

    crossover_rad_s: float = 0.2
    highest_power_w: float = 0.1
    offset_hz: float = 10e6
    bandwidth_hz: float = 1e9
    period_s: float = 1.0
    window_hz: float = 5e3
    patience_s: float = 10.0
    settle_s: float = 10.0
    access_s: float = 5.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def lock(self, ring: Ring) -> RepetitionLock:
        """The lock with its plant."""
        plain = temperature_lock(ring, self.crossover_rad_s, self.highest_power_w, self.window_hz, self.period_s)
        regulator = replace(plain.regulator, patience_s=self.patience_s, settle_s=self.settle_s)
        return RepetitionLock(ring, regulator, self.offset_hz, self.bandwidth_hz, self.period_s, access_s=self.access_s)


@dataclass(frozen=True)
class SeedTable:
    """The lock of the pump laser to half the rubidium line.

    Attributes:
        gain: hertz of tuning for a hertz of error.
        integral_gain: the same each second, 1/s.
        reach_hz: tuning of the laser to either side, Hz.
        half_width_hz: half the width of the line at the laser's frequency, Hz.
        capture_hz: from the centre, where the error signal drowns, Hz.
        window_hz: a larger error is not a locked loop's, Hz.
        patience_s, settle_s: as those of the spacing's lock, s.
        search_hz_s: sweep of a laser that has lost its line, Hz/s.
    """

    gain: float = 0.2
    integral_gain: float = 4.0
    reach_hz: float = 50e6
    half_width_hz: float = 1.52e6
    capture_hz: float = 5e6
    window_hz: float = 0.5e6
    patience_s: float = 1.0
    settle_s: float = 1.0
    search_hz_s: float = 2e6

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def lock(self) -> SeedLock:
        """The lock."""
        check_positive("reach_hz", self.reach_hz)
        regulator = Regulator(
            self.gain,
            self.integral_gain,
            -self.reach_hz,
            self.reach_hz,
            self.window_hz,
            self.patience_s,
            self.settle_s,
            search_rate=self.search_hz_s,
        )
        return SeedLock(regulator, self.half_width_hz, self.capture_hz)


@dataclass(frozen=True)
class TerminalTable:
    """One user's comb: its ring, two locks, and what disturbs them.

    Attributes:
        name: the terminal's name.
        comb: the comb that is locked.
        ring: what temperature does to its microring.
        repetition: the lock of the spacing.
        seed: the lock of the pump laser.
        disturbance: of the spacing, beside the ring's temperature.
        ambient: temperature around the ring.
        rubidium: wander of half the rubidium line in this cell.
        laser: drift of the laser without its lock.
        injection: the microwave injection that could take the place of the temperature lock.
        reference_error: relative inaccuracy of the radio-frequency reference.
    """

    name: str
    comb: CombTable = field(default_factory=CombTable)
    ring: RingTable = field(default_factory=RingTable)
    repetition: RepetitionTable = field(default_factory=RepetitionTable)
    seed: SeedTable = field(default_factory=SeedTable)
    disturbance: FrequencyNoise = field(default_factory=lambda: FrequencyNoise(walk_hz_sqrt_s=175.6))
    ambient: Ambient = field(default_factory=Ambient)
    rubidium: FrequencyNoise = field(default_factory=lambda: FrequencyNoise(wander_hz=22.25e3))
    laser: FrequencyNoise = field(default_factory=lambda: FrequencyNoise(walk_hz_sqrt_s=3e3))
    injection: Injection = field(default_factory=Injection)
    reference_error: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable():
            raise InputError(f"`name` must be a printable name, but is {self.name!r}.")
        self.terminal(0.0)

    @property
    def block_s(self) -> float:
        """Blocks that are long beside the rubidium noise's memory, s, for the test among lines."""
        return max(SHORTEST_BLOCK_S, 10.0 * self.rubidium.wander_s if self.rubidium.wander_hz else 0.0)

    @property
    def plant(self) -> Ring:
        """The ring that the spacing's lock works on."""
        return self.ring.ring(self.comb)

    @property
    def working_point(self) -> WorkingPoint:
        """The comb where its lock works."""
        return working_point(self.comb.ring, self.comb.pump, self.ring.zeta)

    def terminal(self, warm_up_s: float) -> Terminal:
        """The terminal that runs, its record beginning after a warm-up."""
        return Terminal(
            self.seed.lock(),
            self.repetition.lock(self.plant),
            self.rubidium.noise(),
            self.laser.noise(),
            self.disturbance.noise(),
            self.ambient.noise(warm_up_s),
            self.reference_error,
            self.comb.ring.fsr_ghz * 1e9,
        )


@dataclass(frozen=True)
class LockFile:
    """Terminals that are locked to the same atoms and to references of their own.

    Attributes:
        schema_version: version of this format, 1.
        terminals: at least two.
        record: how their record is taken.
    """

    schema_version: int
    terminals: tuple[TerminalTable, ...]
    record: Record = field(default_factory=Record)

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise InputError(f"`schema_version` must be {SCHEMA_VERSION}, but is {self.schema_version}.")
        names = [table.name for table in self.terminals]
        if len(names) < 2:
            raise InputError(f"`terminals` must be at least 2, but there are {len(names)}.")
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"`terminals` must have names of their own, but {name!r} stands there twice.")
        periods = {table.repetition.period_s for table in self.terminals}
        if len(periods) > 1:
            shown = ", ".join(f"{period:g}" for period in sorted(periods))
            raise InputError(f"`terminals.repetition.period_s` must be the same for all, but they have {shown} s.")
