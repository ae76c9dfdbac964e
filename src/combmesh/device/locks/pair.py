"""Records of two independent terminals, and the numbers that the paper prints of one (Fig. 2c to 2h)."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks import beat, injection, repetition, rubidium
from combmesh.device.locks.beat import Homogeneity, Terminal, TerminalTrace
from combmesh.device.locks.injection import Injection
from combmesh.device.locks.repetition import gated
from combmesh.device.locks.three_hours import Record
from combmesh.ground.errors import InputError, check_range
from combmesh.ground.rng import stream

Values = NDArray[np.float64]

FEWEST_BLOCKS = 8
"""Blocks of a record that the test among lines needs."""


@dataclass(frozen=True)
class Pair:
    """Two terminals and how their record is taken.

    Attributes:
        names: their names; each has its own stream of randomness.
        terminals: the terminals.
        lines: line numbers whose beats are recorded.
        record: length, gates and steps of the record.
    """

    names: tuple[str, str]
    terminals: tuple[Terminal, Terminal]
    lines: tuple[int, ...] = (0, 15, -15)
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        if not self.lines:
            raise InputError("`lines` must name at least one line, but names none.")
        for line in self.lines:
            check_range("lines", line, -1000, 1000)
            if self.lines.count(line) > 1:
                raise InputError(f"`lines` must differ, but {line} stands there twice.")
        per = self.record.gate_s / self.period_s
        if per < 0.5 or abs(per - round(per)) > 1e-9 * per:
            raise InputError(
                f"`gate_s` must be a multiple of the period of {self.period_s:g} s, but is {self.record.gate_s:g}."
            )
        if self.record.hours * 3600.0 < 2.0 * self.record.gate_s:
            raise InputError(
                f"`hours` must hold at least two gates of {self.record.gate_s:g} s, but is {self.record.hours:g}."
            )

    @property
    def period_s(self) -> float:
        """Gate of the counter of beats and of the locks, s."""
        return self.terminals[0].rep_rate.period_s


def opened(pair: Pair) -> Pair:
    """The same hardware with all loops off."""
    one, other = (
        replace(some, seed=rubidium.opened(some.seed), rep_rate=repetition.opened(some.rep_rate))
        for some in pair.terminals
    )
    return replace(pair, terminals=(one, other))


def run(pair: Pair, seed: int, *address: str | int) -> tuple[TerminalTrace, TerminalTrace]:
    """The traces of both terminals."""
    record = pair.record
    one, other = (
        beat.run(terminal, stream(seed, "terminal", name, *address), record.hours, record.dt_s, record.warm_up_s)
        for name, terminal in zip(pair.names, pair.terminals, strict=True)
    )
    return one, other


class Figures(NamedTuple):
    """The printed figures of one record."""

    std_hz: Values  # of the spacing, (terminal,)
    peak_to_peak_hz: Values  # (terminal,)
    range_mk: Values  # of the ring's temperature, (terminal,)
    beat_khz: Values  # standard deviation, (line,)
    losses: int  # of all four locks


def figures(pair: Pair, traces: tuple[TerminalTrace, TerminalTrace]) -> Figures:
    """Spread, peak to peak, tuning range and beats of a record; gates without a soliton are left out."""
    rows = []
    for name, trace in zip(pair.names, traces, strict=True):
        spacing = gated(trace.rep_rate_hz, trace.gate_s, pair.record.gate_s)
        seen = spacing[np.isfinite(spacing)]
        if seen.size < 2:
            raise InputError(f"Terminal {name!r} must have a soliton in at least 2 gates, but has one in {seen.size}.")
        rows.append((seen.std(), np.ptp(seen), 1e3 * np.ptp(trace.temperature_k)))
    std, peak, span = np.array(rows).T
    beats = np.array([1e-3 * np.nanstd(beat.beat_hz(*traces, line)) for line in pair.lines])
    return Figures(std, peak, span, beats, traces[0].losses + traces[1].losses)


class Claim(NamedTuple):
    """The paper's "no significant difference" among lines, put to the test."""

    block_s: float
    apart: Homogeneity  # each line in a record of its own
    together: Homogeneity  # all lines in one record, which share the seeds' noise


def claim(pair: Pair, seed: int, traces: tuple[TerminalTrace, TerminalTrace], block_s: float) -> Claim | str:
    """Test whether the lines differ, or say why that cannot be tested.

    `block_s` must be long beside the rubidium noise's memory.
    """
    if len(pair.lines) < 3:
        return f"it takes at least 3 lines, and there are {len(pair.lines)}"
    if pair.record.hours * 3600.0 < FEWEST_BLOCKS * block_s:
        return f"it takes {FEWEST_BLOCKS} blocks of {block_s:g} s, and the record is {pair.record.hours:g} h long"
    together = np.array([beat.beat_hz(*traces, line) for line in pair.lines])
    apart = np.array([beat.beat_hz(*run(pair, seed, "line", line), line) for line in pair.lines])
    if not (np.isfinite(together).all() and np.isfinite(apart).all()):
        return "solitons were missing in parts of the record"
    return Claim(
        block_s,
        beat.homogeneity(apart, pair.period_s, block_s, concurrent=False),
        beat.homogeneity(together, pair.period_s, block_s, concurrent=True),
    )


class InjectedRecord(NamedTuple):
    """A record under microwave injection in place of the temperature lock, `(terminal,)`."""

    std_hz: Values  # of the spacing, slips included
    peak_to_peak_hz: Values
    held_share: Values  # of the time
    free_khz: Values  # largest distance of the free spacing from the reference


def injected(pair: Pair, seed: int, injections: tuple[Injection, Injection]) -> InjectedRecord:
    """The disturbances of `run` with the same seed, on combs that are held by injection alone."""
    record, rows = pair.record, []
    for name, terminal, lock in zip(pair.names, pair.terminals, injections, strict=True):
        rng = stream(seed, "terminal", name)
        drawn = beat.draw(terminal, rng, record.hours, record.dt_s, record.warm_up_s)
        loose = repetition.opened(terminal.rep_rate)
        free = repetition.run(loose, drawn.rep_rate_hz, record.dt_s, drawn.ambient_k).error_hz
        free = free[round(record.warm_up_s / pair.period_s) :]
        trace = injection.run(lock, free, pair.period_s)
        spacing = gated(trace.error_hz, pair.period_s, record.gate_s)
        seen = spacing[np.isfinite(spacing)]
        if seen.size == 0:
            raise InputError(f"Terminal {name!r} must have a soliton in some gate, but has none.")
        rows.append((seen.std(), np.ptp(seen), trace.held.mean(), 1e-3 * np.nanmax(np.abs(free))))
    return InjectedRecord(*np.array(rows).T)


class Outcome(NamedTuple):
    """What a worker sends back of one record."""

    seed: int
    figures: Figures
    injected: InjectedRecord | None


def outcome(seed: int, pair: Pair, injections: tuple[Injection, Injection] | None = None) -> Outcome:
    """A record's figures, and those under injection if it is given."""
    found = figures(pair, run(pair, seed))
    return Outcome(seed, found, None if injections is None else injected(pair, seed, injections))
