"""What forward scans end in: the share with solitons, and with exactly one, over where the ring's cooling stops."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from combmesh.device.microcomb.access import Recipe
from combmesh.device.microcomb.lle import Cavity, init
from combmesh.device.microcomb.looking import CHAOS, WITH_SOLITONS, Log
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.parallel import map_batches
from combmesh.ground.rng import stream

HOLD_TIME = 500.0
"""How long the ring rests at a stop before it is looked at, tau: well beyond the fast thermal pole."""

End = tuple[str, int]
"""Kind, and number of solitons."""


@dataclass(frozen=True)
class SurveyRow:
    """What scans that stop at one temperature end in.

    Attributes:
        stop_zeta: cold ring's detuning at which the cooling stops.
        auxiliary: whether the auxiliary laser is on.
        scans: how many.
        with_solitons: scans that end with at least one soliton, breathing or not.
        single: scans that end with exactly one.
        chaos: scans that end in chaos or a pattern; the rest ends with a continuous wave.
        fewest, most: solitons in the scans that end with any; 0 without such scans.
    """

    stop_zeta: float
    auxiliary: bool
    scans: int
    with_solitons: int
    single: int
    chaos: int
    fewest: int
    most: int


def ends_at(
    cavity: Cavity, stops: Sequence[float], seed: int, recipe: Recipe, hold_time: float = HOLD_TIME
) -> list[End]:
    """One cooling of the ring; at each stop, in ascending order, a copy of it rests and is looked at.

    The ends of one seed share their past: those of one stop are independent of each other, those of one seed are not.
    """
    pace = (recipe.far - recipe.start) / recipe.cool_time
    log = Log(cavity, init(cavity, stream(seed, "scan")), recipe.start, recipe.look_time)
    ends = []
    for stop in stops:
        log.go(stop, (stop - log.zeta) / pace)
        ends.append(Log(cavity, log.state, stop, recipe.look_time).end(hold_time))
    return ends


def survey(
    cavity: Cavity,
    stops: Sequence[float],
    seeds: Sequence[int],
    recipe: Recipe | None = None,
    workers: int = 1,
    hold_time: float = HOLD_TIME,
    on_scan: Callable[[], None] | None = None,
) -> list[SurveyRow]:
    """A row for each stop, without and with auxiliary laser; the result does not depend on `workers`."""
    recipe = recipe or Recipe()
    check_positive("hold_time", hold_time)
    for stop in stops:
        check_range("stops", stop)
    if not stops or list(stops) != sorted(set(stops)) or stops[0] <= recipe.start:
        raise InputError(f"`stops` must ascend from above the recipe's start of {recipe.start:g}, but are {stops}.")
    if not seeds:
        raise InputError("`seeds` must name at least one seed, but is empty.")
    tasks = [(auxiliary, seed) for seed in seeds for auxiliary in (False, True)]
    found: dict[tuple[bool, int], list[End]] = {}
    for some in map_batches(partial(_task, cavity, tuple(stops), recipe, hold_time), tasks, workers, 1):
        found |= dict(some)
        if on_scan is not None:
            on_scan()
    return [_row(found, stops, place, on, seeds) for on in (False, True) for place in range(len(stops))]


def _task(
    cavity: Cavity, stops: Sequence[float], recipe: Recipe, hold_time: float, task: tuple[bool, int]
) -> tuple[tuple[bool, int], list[End]]:
    auxiliary, seed = task
    ring = cavity if auxiliary else replace(cavity, aux_pump=0.0)
    return task, ends_at(ring, stops, seed, recipe, hold_time)


def _row(
    found: Mapping[tuple[bool, int], list[End]], stops: Sequence[float], place: int, on: bool, seeds: Sequence[int]
) -> SurveyRow:
    ends = [found[on, seed][place] for seed in seeds]
    numbers = [number for kind, number in ends if kind in WITH_SOLITONS]
    kinds = Counter(kind for kind, _ in ends)
    return SurveyRow(
        stops[place], on, len(ends), len(numbers), numbers.count(1), kinds[CHAOS],
        min(numbers, default=0), max(numbers, default=0),
    )  # fmt: skip
