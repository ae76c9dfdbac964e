"""What two locks gave, beside what the paper prints, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks import beat, three_hours
from combmesh.device.locks.beat import Homogeneity, TerminalTrace
from combmesh.device.locks.injection import InjectionCost
from combmesh.device.locks.pair import Claim, Figures, InjectedRecord, Pair
from combmesh.device.locks.repetition import LockEvent, lock_events
from combmesh.device.locks.rubidium import PRINTED_BEATS_KHZ
from combmesh.device.locks.survival import PRINTED_RANGE_K, WorkingPoint
from combmesh.device.locks.three_hours import Verdict
from combmesh.ground.control import LOCKED
from combmesh.ground.provenance import Mark

Values = NDArray[np.float64]

FITTED, PREDICTED, DERIVED, OPEN = "fitted", "predicted", "derived", "loops off"
FIT_TOLERANCE = 0.06
"""Relative; a difference that chance explains (three standard errors) is none either."""

PRINTED_HOURS = 3.0


def line_name(line: int) -> str:
    """A line as the paper writes it.

    >>> line_name(0), line_name(15), line_name(-15)
    ('CH0', 'CH+15', 'CH-15')
    """
    return f"CH{line:+d}" if line else "CH0"


@dataclass(frozen=True)
class LockFigure:
    """One number of the paper's Fig. 2 and what the simulation gives for it.

    Attributes:
        name: what it is.
        unit: its unit.
        values: one value a record, `(record,)`; for spacing and temperature, one a record and terminal.
        record: its value in the record that is shown; of both terminals the mean.
        printed: the paper's value, None if there is none.
        kind: "fitted" to that value, "predicted", "derived" from the comb alone, or "loops off".
        bound: whether the printed value is an upper bound.
    """

    name: str
    unit: str
    values: Values
    record: float
    printed: float | None
    kind: str
    bound: bool = False

    @property
    def mean(self) -> float:
        """Over all records."""
        return float(self.values.mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation from record to record; None with one record."""
        return float(self.values.std(ddof=1)) if self.values.size > 1 else None

    @property
    def deviation(self) -> float | None:
        """Relative distance of the mean from the printed value; None without one, and for a bound."""
        return None if self.printed is None or self.bound else self.mean / self.printed - 1.0

    @property
    def share_below(self) -> float | None:
        """Share of the records below a printed bound; None without one."""
        return float((self.values < self.printed).mean()) if self.bound and self.printed is not None else None

    @property
    def unmet(self) -> bool:
        """Whether it is marked as fitted, but the fit was made for other settings."""
        if self.kind != FITTED or self.deviation is None or self.spread is None or self.printed is None:
            return False
        chance = 3.0 * self.spread / sqrt(self.values.size) / self.printed
        return abs(self.deviation) > max(FIT_TOLERANCE, chance)

    def document(self) -> dict[str, Any]:
        """The figure as JSON takes it."""
        names = ("name", "unit", "mean", "spread", "record", "printed", "deviation", "bound", "share_below", "kind")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class LockWatch:
    """One lock of one terminal during the record that is shown.

    Attributes:
        terminal: whose.
        lock: "repetition rate" or "seed".
        locked_share: of the time.
        events: when it was lost, and reacquired.
    """

    terminal: str
    lock: str
    locked_share: float
    events: Sequence[LockEvent]

    def document(self) -> dict[str, Any]:
        """The lock as JSON takes it."""
        return {
            "terminal": self.terminal,
            "lock": self.lock,
            "locked_share": self.locked_share,
            "events": [event._asdict() for event in self.events],
        }


@dataclass(frozen=True)
class Injected:
    """Microwave injection in place of the temperature lock.

    Attributes:
        costs: what it takes, a value a terminal.
        records: what it gave, a value a record.
        depth_rad: modulation that would hold the range of temperature that the temperature lock used.
    """

    costs: Sequence[InjectionCost]
    records: Sequence[InjectedRecord]
    depth_rad: float

    @property
    def held_records(self) -> float:
        """Share of records (of one terminal) that it held from beginning to end."""
        return float(np.mean([record.held_share == 1.0 for record in self.records]))

    def mean(self, name: str) -> float:
        """Over records and terminals."""
        return float(np.mean([getattr(record, name) for record in self.records]))

    def document(self) -> dict[str, Any]:
        """Injection as JSON takes it."""
        return {
            "held_records": self.held_records,
            "held_share": self.mean("held_share"),
            "rep_rate_std_hz": self.mean("std_hz"),
            "rep_rate_peak_to_peak_hz": self.mean("peak_to_peak_hz"),
            "free_spacing_khz": self.mean("free_khz"),
            "cost": [cost._asdict() for cost in self.costs],
            "depth_for_tuning_range_rad": self.depth_rad,
        }


@dataclass(frozen=True)
class LockReport:
    """A simulation of two terminals' locks.

    Attributes:
        pair: the terminals and how their record is taken.
        traces: of the record that is shown.
        beats: beat notes of that record, one a line.
        figures: numbers beside the printed ones; three of spacing and temperature, then one a line.
        found: figures of every record.
        claim: the test of "no significant difference" among lines, or why there is none.
        seed: of the record that is shown, and first of the others.
        closed: whether the loops are on.
        injected: microwave injection, if it was asked for.
        verdicts: what the printed numbers say of disturbances, if it was asked for.
        marks: where the inputs come from, by their path in the file.
        points: the combs where the locks work, one a terminal.
        typed_in: values of a terminal's ring that are not derived from its comb.
        wall_s: time taken, s.
    """

    pair: Pair
    traces: tuple[TerminalTrace, TerminalTrace]
    beats: Sequence[beat.Beat]
    figures: Sequence[LockFigure]
    found: Sequence[Figures]
    claim: Claim | str
    seed: int
    closed: bool
    injected: Injected | None
    verdicts: Sequence[Verdict]
    marks: Mapping[str, Mark]
    points: tuple[WorkingPoint, ...]
    typed_in: tuple[tuple[str, ...], ...]
    wall_s: float = 0.0

    @property
    def survival(self) -> list[LockFigure]:
        """Range of temperature over which the combs keep their solitons, a value a terminal."""
        with_aux, without = (
            np.array([getattr(point, name) for point in self.points]) for name in ("range_k", "range_without_aux_k")
        )
        name = "survival in temperature"
        return [
            LockFigure(name, "K", with_aux, float(with_aux.mean()), PRINTED_RANGE_K, DERIVED),
            LockFigure(f"{name}, no auxiliary laser", "K", without, float(without.mean()), None, DERIVED),
        ]

    @property
    def aux_fitted(self) -> bool:
        """Whether the auxiliary laser's power is fitted to the survival; the preset's is."""
        mark = self.marks.get("terminals.comb.pump.aux_power_w")
        return mark is None or mark.kind in ("fitted", "default")

    @property
    def felt(self) -> list[tuple[float, float] | None]:
        """Lowest and highest detuning that a soliton felt in the record; None where the ring is typed in."""
        found: list[tuple[float, float] | None] = []
        for trace, terminal, point, typed in zip(
            self.traces, self.pair.terminals, self.points, self.typed_in, strict=True
        ):
            ring = terminal.rep_rate.ring
            passed_k = np.linspace(trace.temperature_k.min(), trace.temperature_k.max(), 201)  # the curve may turn
            spacing_hz = np.array([ring.spacing_hz(float(value)) for value in passed_k])
            felt = point.zeta + spacing_hz * ring.zeta_k / ring.rep_rate_hz_k
            found.append(None if typed else (float(felt.min()), float(felt.max())))
        return found

    @property
    def watches(self) -> list[LockWatch]:
        """All four locks during the record that is shown."""
        return [
            LockWatch(name, lock, float((status == LOCKED).mean()), lock_events(status, trace.gate_s))
            for name, trace in zip(self.pair.names, self.traces, strict=True)
            for lock, status in (("repetition rate", trace.rep_rate_status), ("seed", trace.seed_status))
        ]

    @property
    def detuning_linewidths(self) -> float:
        """By how much the tuning range moves the pumped resonance, in linewidths."""
        return 0.5 * abs(self.pair.terminals[0].rep_rate.ring.zeta_k) * 1e-3 * self.figures[2].mean

    @property
    def losses(self) -> int:
        """Locks lost in all records together, their warm-ups included."""
        return sum(found.losses for found in self.found)

    def document(self) -> dict[str, Any]:
        """The report as JSON takes it: means over all records, and the record that is shown."""
        named = dict(zip(map(line_name, self.pair.lines), self.figures[3:], strict=True))
        return {
            "origin": "simulated",
            "terminals": list(self.pair.names),
            "hours": self.pair.record.hours,
            "seed": self.seed,
            "seeds": len(self.found),
            "loops": "closed" if self.closed else "open",
            "gate_time_s": self.pair.record.gate_s,
            "beat_gate_s": self.pair.period_s,
            "rep_rate_std_hz": self.figures[0].mean,
            "rep_rate_peak_to_peak_hz": self.figures[1].mean,
            "temperature_range_mk": self.figures[2].mean,
            "beat_std_khz": {name: figure.mean for name, figure in named.items()},
            "survival_range_k": self.survival[0].mean,
            "survival_range_without_aux_k": self.survival[1].mean,
            "figures": [figure.document() for figure in [*self.figures, *self.survival]],
            "working_points": self._points(),
            "record": self._record(),
            "losses": self.losses,
            "homogeneity": claim_document(self.claim),
            "injection": None if self.injected is None else self.injected.document(),
            "disturbances": [verdict_document(verdict) for verdict in self.verdicts] or None,
            "provenance": {path: f"{mark.kind}: {mark.note}".rstrip(": ") for path, mark in self.marks.items()},
            "wall_s": self.wall_s,
        }

    def _points(self) -> dict[str, Any]:
        rows = zip(self.pair.names, self.pair.terminals, self.points, self.typed_in, self.felt, strict=True)
        found = {}
        for name, terminal, point, typed, felt in rows:
            ring = terminal.rep_rate.ring
            limits = {"slope_hz_k": ring.slope_hz_k, "coldest_k": ring.coldest_k, "warmest_k": ring.warmest_k}
            found[name] = point._asdict() | limits | {"felt_zeta": felt, "typed_in": list(typed)}
        return found

    def _record(self) -> dict[str, Any]:
        shown = self.found[0]
        per_terminal = zip(self.pair.names, shown.std_hz, shown.peak_to_peak_hz, shown.range_mk, strict=True)
        return {
            "terminals": {
                name: {"rep_rate_std_hz": std, "rep_rate_peak_to_peak_hz": peak, "temperature_range_mk": span}
                for name, std, peak, span in per_terminal
            },
            "beats": {
                line_name(note.line): {
                    "mean_khz": 1e-3 * note.mean_hz,
                    "std_khz": 1e-3 * note.std_hz,
                    "allan_deviation_khz": {
                        f"{time:g}": 1e-3 * value for time, value in zip(note.allan_times_s, note.allan_hz, strict=True)
                    },
                }
                for note in self.beats
            },
            "locks": [watch.document() for watch in self.watches],
        }


def lock_figures(pair: Pair, found: Sequence[Figures], fitted: tuple[bool, bool], closed: bool) -> list[LockFigure]:
    """Numbers of records beside the printed ones; `fitted`: whether the disturbance and the rubidium noise are."""

    def figure(name: str, unit: str, values: Values, printed: float | None, kind: str) -> LockFigure:
        """From `(seed, terminal)` or `(seed,)` values."""
        bound = name.endswith("range")
        return LockFigure(name, unit, values.ravel(), float(values[0].mean()), printed, kind if closed else OPEN, bound)

    spacing, rubidium = (FITTED if is_fitted else PREDICTED for is_fitted in fitted)
    std, peak, span = (np.array([getattr(one, name) for one in found]) for name in Figures._fields[:3])
    rows = [
        figure("repetition rate, std", "Hz", std, three_hours.PRINTED_STD_HZ, spacing),
        figure("repetition rate, peak to peak", "Hz", peak, three_hours.PRINTED_PEAK_TO_PEAK_HZ, PREDICTED),
        figure("ring temperature, tuning range", "mK", span, three_hours.PRINTED_RANGE_MK, PREDICTED),
    ]
    for i, line in enumerate(pair.lines):
        beats = np.array([one.beat_khz[i] for one in found])
        kind = rubidium if line == 0 else PREDICTED
        rows.append(figure(f"beat of {line_name(line)}, std", "kHz", beats, PRINTED_BEATS_KHZ.get(line), kind))
    return rows


def fitted_parts(marks: Mapping[str, Mark]) -> tuple[bool, bool]:
    """Whether the disturbance of the spacing and the rubidium noise are fitted; those left out of the file are."""

    def fitted(part: str) -> bool:
        kinds = {mark.kind for path, mark in marks.items() if path.startswith(f"terminals.{part}.")}
        return "fitted" in kinds or kinds == {"default"}

    return fitted("disturbance"), fitted("rubidium")


def claim_document(claim: Claim | str) -> dict[str, Any]:
    """The test among lines as JSON takes it."""
    if isinstance(claim, str):
        return {"tested": False, "why": claim}
    return {
        "tested": True,
        "block_s": claim.block_s,
        "significant_difference": claim.apart.significant(),
        "one_after_the_other": _tested(claim.apart),
        "concurrent": _tested(claim.together),
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict on a disturbance as JSON takes it."""
    found = {name: value for name, value in verdict._asdict().items() if name != "fitted"}
    return found | {"fitted_factor": verdict.fitted.factor, "allowed": verdict.allowed}


def _tested(test: Homogeneity) -> dict[str, Any]:
    return test._asdict() | {"significant_difference": test.significant()}
