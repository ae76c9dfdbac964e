"""Drives a ring, keeps its trace, and says what is in it: continuous wave, solitons, breathers, chaos."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.device.microcomb.lle import Cavity, State, Trace, step

Floats = NDArray[np.float64]

CONTINUOUS, SOLITON, SOLITONS, BREATHER, CHAOS = "continuous wave", "soliton", "solitons", "breather", "chaos"
LOST = "lost"
WITH_SOLITONS = (SOLITON, SOLITONS, BREATHER)

BREATHING = 0.02
"""Relative swing of peak power over zeta above which solitons count as breathing."""
FILLED = 0.1
"""Share of the peak that the mean exceeds in chaos and patterns; thirty solitons at F^2 = 33 reach 0.04."""
GLANCES = 16
"""Fields behind the mean of a look."""
MOVED = 3
"""Points by which a maximum may move between two looks and still be the same soliton."""
PART = 100.0
"""Longest stretch between two reports, tau."""

OnGo = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Look:
    """What the mean of |psi|^2 over some breathing periods shows.

    Attributes:
        places: points on the ring of its local maxima above half of max(zeta, 2).
        modes: points on the ring.
    """

    places: NDArray[np.int64]
    modes: int

    @property
    def number(self) -> int:
        """Solitons, once there are solitons."""
        return int(self.places.size)

    def same_as(self, other: "Look") -> bool:
        """Whether every maximum is where one was: solitons stay, chaos does not."""
        if self.number != other.number:
            return False
        distance = np.abs(self.places - other.places)
        return bool(np.all(np.minimum(distance, self.modes - distance) <= MOVED))


class Log:
    """A ring at a detuning, driven along, with the rows of its trace."""

    def __init__(self, cavity: Cavity, state: State, zeta: float, look_time: float, on_go: OnGo | None = None) -> None:
        self.cavity, self.state, self.zeta, self.look_time = cavity, state, zeta, look_time
        self.time = 0.0
        self._traces: list[Trace] = []
        self._times: list[Floats] = []
        self._on_go = on_go or (lambda time: None)

    def go(self, zeta: float, time: float) -> None:
        """Move the cold ring's detuning to `zeta` within `time` tau; a row for each `look_time`."""
        parts = max(int(time / PART), 1)
        start = self.zeta
        for part in range(1, parts + 1):
            rows = max(int(time / parts / self.look_time), 1)
            self._keep(*self._advance(start + (zeta - start) * part / parts, time / parts, rows))

    def look(self, zeta: float) -> Look:
        """The same within `look_time`, watching; one row."""
        start, part = self.zeta, self.look_time / GLANCES
        mean = np.zeros(self.cavity.modes)
        for glance in range(1, GLANCES + 1):
            trace, span = self._advance(start + (zeta - start) * glance / GLANCES, part, 1)
            mean += np.abs(self.state.field) ** 2 / GLANCES
        self._keep(trace, span)
        high = (mean > 0.5 * max(trace.zeta[-1], 2.0)) & (mean > np.roll(mean, 1)) & (mean >= np.roll(mean, -1))
        return Look(np.flatnonzero(high), self.cavity.modes)

    def end(self, time: float) -> tuple[str, int]:
        """Stay for `time` tau and say what is there, and how many."""
        first = len(self._traces)
        self.go(self.zeta, time)
        before, after = self.look(self.zeta), self.look(self.zeta)
        kind, number = recognise(_joined(self._traces[first:]), held=after.same_as(before))
        return (kind, after.number) if kind == BREATHER else (kind, number)

    @property
    def trace(self) -> Trace:
        return _joined(self._traces)

    @property
    def times(self) -> Floats:
        """Time of each row, tau."""
        return np.concatenate(self._times)

    def _advance(self, zeta: float, span: float, rows: int) -> tuple[Trace, float]:
        self.state, trace = step(self.cavity, self.state, self.zeta, span, zeta, rows)
        self.zeta = zeta
        self.time += span
        self._on_go(span)
        return trace, span

    def _keep(self, trace: Trace, span: float) -> None:
        rows = trace.power.size
        self._traces.append(trace)
        self._times.append(self.time - span * np.arange(rows - 1, -1, -1) / rows)


def _joined(traces: list[Trace]) -> Trace:
    names = Trace.__dataclass_fields__
    return Trace(*(np.concatenate([getattr(trace, name) for trace in traces]) for name in names))


def recognise(trace: Trace, held: bool = False) -> tuple[str, int]:
    """What a trace at constant temperature shows, and the number of solitons at its end.

    No maximum throughout: a continuous wave. A mean above a tenth of the peak: chaos or a Turing pattern, which fill
    the ring. A number of maxima that rises again: breathers, which lie below the count's floor for part of their
    period, if there is but one, or if two looks found them at the same places (`held`); else chaos. None at the
    end: lost. A peak that swings by more than `BREATHING` after the last change of number: breathers. The trace should
    be at least ten units of tau long, and its rows no multiple of a breather's period apart.
    """
    number = trace.maxima
    last, most = int(number[-1]), int(number.max())
    if most == 0:
        return CONTINUOUS, 0
    if trace.power[-1] > FILLED * trace.peak[-1]:
        return CHAOS, last
    if np.any(np.diff(number) > 0):
        return (BREATHER, most) if most == 1 or held else (CHAOS, last)
    if last == 0:
        return LOST, 0
    steady = number == last
    peak = trace.peak[steady] / trace.zeta[steady]  # a soliton's peak follows zeta while heat drifts
    if np.ptp(peak) > BREATHING * peak.mean():
        return BREATHER, last
    return (SOLITON if last == 1 else SOLITONS), last
