r"""Access to one soliton with a fixed pump: the ring's temperature scans.

The pump is locked to rubidium, so a *cooling* ring moves its resonance to the blue and raises zeta. Recipe: cool
through the resonance far into the red, warm back to where solitons breathe, then the backward ratchet: warm slowly
until one soliton vanishes, step back at once, and go on until one is left (the backward tuning of Guo et al., Nature
Physics 13, 94 (2017), in temperature). Then cool to where the soliton stays. An attempt that ends with none is
repeated.

At F^2 = 33 solitons breathe below a felt zeta of 12 and vanish one by one, the last between 9.5 and 7.8; the background
holds down to 5.9. That needs two points to a soliton's width: 2048 modes for the preset's ring. On 1024 they breathe
below 12.9 and vanish at 11, by the grid. A breather lies below any floor for part of its period, so that solitons are
counted in the mean of several periods.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from combmesh.device.microcomb.lle import Cavity, Floats, State, Trace, init
from combmesh.device.microcomb.looking import (
    BREATHER,
    CHAOS,
    CONTINUOUS,
    LOST,
    SOLITON,
    SOLITONS,
    WITH_SOLITONS,
    Log,
    recognise,
)
from combmesh.ground.errors import InputError, RunError, check_positive, check_range
from combmesh.ground.parallel import map_batches
from combmesh.ground.rng import stream

__all__ = [
    "BREATHER", "CHAOS", "CONTINUOUS", "LOST", "SOLITON", "SOLITONS", "WITH_SOLITONS", "Attempt", "Recipe", "access",
    "attempt", "recognise", "scan", "scans",
]  # fmt: skip

SCANNED, RATCHETED = 0.2, 0.95
"""How much of an attempt is usually done when its scan ends, and when its ratchet ends."""

OnPart = Callable[[str, float], None]
"""Called with what an attempt is at and the share of it that is done."""


@dataclass(frozen=True)
class Recipe:
    """Temperatures (as detunings of the cold ring) and times (tau) of an attempt.

    Attributes:
        start: zeta before the scan.
        far: zeta at its end.
        warm: zeta where the ratchet begins.
        final: zeta where the soliton stays.
        cool_time: how long the scan takes.
        hold_time: how long it then rests.
        warm_time: how long warming takes.
        final_time: how long the last ramp takes.
        speed: zeta a tau of the ratchet.
        few: number of solitons from which on it is careful.
        few_speed_share: share of `speed` with so few.
        back: how far it steps back when a soliton has vanished.
        few_back_share: share of `back` with so few.
        rest_time: how long it then waits.
        look_time: over which solitons are counted: some breathing periods, which last about half a tau.
        lowest: zeta at which the ratchet gives up.
        losses_most: number of steps back at which it gives up.
    """

    start: float = -8.0
    far: float = 38.0
    warm: float = 16.0
    final: float = 21.0
    cool_time: float = 2000.0
    hold_time: float = 200.0
    warm_time: float = 600.0
    final_time: float = 300.0
    speed: float = 2e-3
    few: int = 3
    few_speed_share: float = 0.25
    back: float = 0.8
    few_back_share: float = 0.5
    rest_time: float = 60.0
    look_time: float = 4.0
    lowest: float = 4.0
    losses_most: int = 60

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("cool_time", "hold_time", "warm_time", "final_time", "speed", "back", "rest_time", "look_time"):
            check_positive(name, getattr(self, name))
        for name in ("few_speed_share", "few_back_share"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("start", "far", "warm", "final", "lowest"):
            check_range(name, getattr(self, name))
        check_range("few", self.few, 0)
        check_range("losses_most", self.losses_most, 1)
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
        losses: number of solitons before the ratchet and after each loss in it.
        loss_time: when they were counted, tau.
        trace: the whole attempt; its rows are not equally spaced.
        time: of each row, tau.
    """

    state: State
    zeta_laser: float
    kind: str
    solitons: int
    losses: tuple[int, ...]
    loss_time: tuple[float, ...]
    trace: Trace
    time: Floats


def attempt(
    cavity: Cavity, rng: np.random.Generator, recipe: Recipe | None = None, on_part: OnPart | None = None
) -> Attempt:
    """Scan, warm, ratchet down to one soliton, ramp to where it stays."""
    recipe = recipe or Recipe()
    report = _Report(recipe, on_part or (lambda what, share: None))
    log = Log(cavity, init(cavity, rng), recipe.start, recipe.look_time, report.went)
    log.go(recipe.far, recipe.cool_time)
    log.go(recipe.far, recipe.hold_time)
    log.go(recipe.warm, recipe.warm_time)
    losses, times = _ratchet(log, recipe, report)
    if losses[-1] == 1:
        report.at("ramp to the final temperature")
        log.go(recipe.final, recipe.final_time)
    kind, solitons = log.end(recipe.rest_time)
    return Attempt(log.state, log.zeta, kind, solitons, losses, times, log.trace, log.times)


def _ratchet(log: Log, recipe: Recipe, report: "_Report") -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Warm until a soliton vanishes, step back, rest, and again, until at most one is left."""
    losses, times = [log.look(log.zeta).number], [log.time]
    number = losses[0]
    report.left(number, number)
    while number > 1 and log.zeta > recipe.lowest and len(losses) <= recipe.losses_most:
        few = number <= recipe.few
        speed = recipe.speed * (recipe.few_speed_share if few else 1.0)
        seen = log.look(log.zeta - speed * recipe.look_time).number
        if seen > 1.5 * losses[0] + 1:  # chaos: the light has spread
            break
        if seen >= number:
            continue
        log.go(log.zeta + recipe.back * (recipe.few_back_share if few and seen > 1 else 1.0), recipe.look_time)
        log.go(log.zeta, recipe.rest_time)
        number = log.look(log.zeta).number
        losses.append(number)
        times.append(log.time)
        report.left(number, losses[0])
    return tuple(losses), tuple(times)


class _Report:
    """Turns the course of an attempt into the share of it that is done."""

    def __init__(self, recipe: Recipe, on_part: OnPart) -> None:
        self.scan_time = recipe.cool_time + recipe.hold_time + recipe.warm_time
        self.time, self.what, self.share, self.on_part = 0.0, "scan", 0.0, on_part

    def went(self, span: float) -> None:
        self.time += span
        if self.time <= self.scan_time:
            self.share = SCANNED * self.time / self.scan_time
        self.on_part(self.what, self.share)

    def left(self, number: int, first: int) -> None:
        done = 1.0 if first <= 1 else (first - number) / (first - 1)
        self.at(f"ratchet, {number} left", SCANNED + (RATCHETED - SCANNED) * done)

    def at(self, what: str, share: float = RATCHETED) -> None:
        self.what, self.share = what, max(share, self.share)
        self.on_part(what, self.share)


def access(
    cavity: Cavity,
    generators: Callable[[int], np.random.Generator],
    recipe: Recipe | None = None,
    attempts_most: int = 20,
    on_part: OnPart | None = None,
) -> tuple[Attempt, int]:
    """Repeat the attempt, each with the generator of its number, until one soliton is left; with the attempts taken."""
    for number in range(attempts_most):
        result = attempt(cavity, generators(number), recipe, on_part)
        if result.kind == SOLITON:
            return result, number + 1
    raise RunError(f"None of {attempts_most} attempts ended in exactly one soliton.")


def scan(cavity: Cavity, rng: np.random.Generator, stop: float, recipe: Recipe | None = None) -> Attempt:
    """The forward scan alone: cool at the recipe's pace until zeta is `stop`, hold and look."""
    recipe = recipe or Recipe()
    log = Log(cavity, init(cavity, rng), recipe.start, recipe.look_time)
    log.go(stop, recipe.cool_time * (stop - recipe.start) / (recipe.far - recipe.start))
    kind, solitons = log.end(recipe.hold_time)
    return Attempt(log.state, log.zeta, kind, solitons, (solitons,), (log.time,), log.trace, log.times)


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
