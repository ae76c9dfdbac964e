r"""Access to one soliton with a fixed pump: the ring's temperature scans.

The pump is locked to rubidium, so a *cooling* ring moves its resonance to the blue and raises zeta. Recipe: cool
through the resonance far into the red, warm back to where solitons are stable, then the backward ratchet: warm slowly
until one soliton vanishes in the breather zone, step back at once, and go on until one is left (the backward tuning
of Guo et al., Nature Physics 13, 94 (2017), in temperature). An attempt that ends with none is repeated.

The recipe and its chance are those of 1024 modes, one point to a soliton's width, and belong to that grid: there
solitons breathe below zeta 13 and vanish at 11. On 2048 modes they breathe below 12 and live to 8 or 9, scans leave
20 to 30 solitons with or without auxiliary laser, and this recipe ends in chaos. A share found here is therefore no
prediction for a ring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from combmesh.device.microcomb.lle import Cavity, State, Trace, init, step
from combmesh.ground.errors import InputError, RunError, check_positive, check_range
from combmesh.ground.parallel import map_batches
from combmesh.ground.rng import stream

BREATHING = 0.02
"""Relative swing of peak power over zeta above which solitons count as breathing."""
CONTINUOUS, SOLITON, SOLITONS, BREATHER, CHAOS = "continuous wave", "soliton", "solitons", "breather", "chaos"
LOST = "lost"
FILLED = 0.1
"""Share of the peak that the mean exceeds in chaos and patterns; twenty solitons at F^2 = 33 reach 0.03."""


@dataclass(frozen=True)
class Recipe:
    """Temperatures (as detunings of the cold ring) and times (tau) of an attempt.

    Attributes:
        start, far, warm, final: zeta before the scan, at its end, where the ratchet begins, where the soliton stays.
        cool_time, hold_time, warm_time, final_time: how long the parts take.
        speed: zeta a tau of the ratchet; `few_share` of it, and of the step back, once `few` solitons are left.
        back: how far it steps back when a soliton has vanished.
        rest_time: how long it then waits.
        look_time: between two looks at the number of solitons.
        lowest, losses_most: zeta, and number of steps back, at which the ratchet gives up.
    """

    start: float = -8.0
    far: float = 33.0
    warm: float = 19.0
    final: float = 24.0
    cool_time: float = 1800.0
    hold_time: float = 200.0
    warm_time: float = 500.0
    final_time: float = 300.0
    speed: float = 1e-3
    few: int = 3
    few_speed_share: float = 0.25
    few_back_share: float = 0.5
    back: float = 1.2
    rest_time: float = 40.0
    look_time: float = 2.0
    lowest: float = 0.0
    losses_most: int = 60

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("cool_time", "hold_time", "warm_time", "final_time", "speed", "back", "rest_time", "look_time"):
            check_positive(name, getattr(self, name))
        for name in ("few_speed_share", "few_back_share"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        if not self.start < self.far or not self.lowest < self.warm < self.far:
            raise InputError(
                f"The recipe needs start < far and lowest < warm < far, but has {self.start:g}, {self.far:g}, "
                f"{self.lowest:g} and {self.warm:g}."
            )


@dataclass(frozen=True, eq=False)
class Attempt:
    """One attempt.

    Attributes:
        state: the ring at the end.
        zeta_laser: the cold ring's detuning at the end.
        kind: what is in the ring, as `recognise` says.
        solitons: how many.
        losses: number of solitons after the scan and after each loss in the ratchet.
        trace: the whole attempt; its rows are not equally spaced.
    """

    state: State
    zeta_laser: float
    kind: str
    solitons: int
    losses: tuple[int, ...]
    trace: Trace


def recognise(trace: Trace) -> tuple[str, int]:
    """What a trace at constant temperature shows, and the number of solitons at its end.

    No maximum throughout: a continuous wave. A number of maxima that rises again: chaos, unless it is one soliton that
    breathes below the count's floor. A mean above a tenth of the peak: chaos or a Turing pattern, which fill the ring.
    None at the end: lost. A peak that swings by more than `BREATHING` after the last
    change of number: breathers. The trace should be at least ten units of tau long, and its rows no multiple of a
    breather's period apart.
    """
    number = trace.maxima
    last, most = int(number[-1]), int(number.max())
    if most == 0:
        return CONTINUOUS, 0
    if trace.power[-1] > FILLED * trace.peak[-1]:
        return CHAOS, last
    if np.any(np.diff(number) > 0):
        return (BREATHER, 1) if most == 1 else (CHAOS, last)
    if last == 0:
        return LOST, 0
    steady = number == last
    peak = trace.peak[steady] / trace.zeta[steady]  # a soliton's peak follows zeta while heat drifts
    if np.ptp(peak) > BREATHING * peak.mean():
        return BREATHER, last
    return (SOLITON if last == 1 else SOLITONS), last


class _Log:
    """Drives a ring and keeps the rows of its trace."""

    def __init__(self, cavity: Cavity, state: State, recipe: Recipe) -> None:
        self.cavity, self.state, self.recipe = cavity, state, recipe
        self.zeta = recipe.start
        self.traces: list[Trace] = []

    def go(self, zeta: float, time: float) -> Trace:
        rows = max(int(time / self.recipe.look_time), 1)
        self.state, trace = step(self.cavity, self.state, self.zeta, time, zeta, rows)
        self.zeta = zeta
        self.traces.append(trace)
        return trace

    @property
    def trace(self) -> Trace:
        names = Trace.__dataclass_fields__
        return Trace(*(np.concatenate([getattr(trace, name) for trace in self.traces]) for name in names))


def attempt(cavity: Cavity, rng: np.random.Generator, recipe: Recipe | None = None) -> Attempt:
    """Scan, warm, ratchet down to one soliton, ramp to where it stays."""
    recipe = recipe or Recipe()
    log = _Log(cavity, init(cavity, rng), recipe)
    log.go(recipe.far, recipe.cool_time)
    log.go(recipe.far, recipe.hold_time)
    number = int(log.go(recipe.warm, recipe.warm_time).maxima[-1])
    losses = _ratchet(log, number)
    if losses[-1] == 1:
        log.go(recipe.final, recipe.final_time)
    kind, solitons = recognise(log.go(log.zeta, recipe.rest_time))
    return Attempt(log.state, log.zeta, kind, solitons, losses, log.trace)


def _ratchet(log: _Log, number: int) -> tuple[int, ...]:
    """Warm until a soliton vanishes, step back, rest, and again, until at most one is left."""
    recipe, losses = log.recipe, [number]
    while number > 1 and log.zeta > recipe.lowest and len(losses) <= recipe.losses_most:
        few = number <= recipe.few
        speed = recipe.speed * (recipe.few_speed_share if few else 1.0)
        seen = int(log.go(log.zeta - speed * recipe.look_time, recipe.look_time).maxima[-1])
        if seen > 2 * losses[0]:  # chaos: the light has spread
            break
        if seen >= number:
            continue
        back = recipe.back * (recipe.few_back_share if few and seen > 1 else 1.0)
        log.go(log.zeta + back, recipe.look_time)
        number = int(log.go(log.zeta, recipe.rest_time).maxima[-1])
        losses.append(number)
    return tuple(losses)


def access(
    cavity: Cavity,
    generators: Callable[[int], np.random.Generator],
    recipe: Recipe | None = None,
    attempts_most: int = 20,
) -> tuple[Attempt, int]:
    """Repeat the attempt, each with the generator of its number, until one soliton is left; with the attempts taken."""
    for number in range(attempts_most):
        result = attempt(cavity, generators(number), recipe)
        if result.kind == SOLITON:
            return result, number + 1
    raise RunError(f"None of {attempts_most} attempts ended in exactly one soliton.")


def scan(cavity: Cavity, rng: np.random.Generator, stop: float, recipe: Recipe | None = None) -> Attempt:
    """The forward scan alone: cool at the recipe's pace until zeta is `stop`, hold and look."""
    recipe = recipe or Recipe()
    log = _Log(cavity, init(cavity, rng), recipe)
    log.go(stop, recipe.cool_time * (stop - recipe.start) / (recipe.far - recipe.start))
    kind, solitons = recognise(log.go(stop, recipe.hold_time))
    return Attempt(log.state, log.zeta, kind, solitons, (solitons,), log.trace)


def scans(
    cavity: Cavity, stop: float, seeds: Sequence[int], recipe: Recipe | None = None, workers: int = 1
) -> list[tuple[str, int]]:
    """What forward scans that stop at `stop` end in, and how many solitons, in the order of the seeds."""
    some = map_batches(partial(_scan_of, cavity, stop, recipe), seeds, workers, 1)
    ends = {seed: (kind, solitons) for batch in some for seed, kind, solitons in batch}
    return [ends[seed] for seed in seeds]


def _scan_of(cavity: Cavity, stop: float, recipe: Recipe | None, seed: int) -> tuple[int, str, int]:
    result = scan(cavity, stream(seed, "scan"), stop, recipe)
    return seed, result.kind, result.solitons
