"""Every single pulse from the sources to the announcement, in parallel, with memory that does not grow."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, exp, pi

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.parallel import map_batches
from combmesh.ground.rng import stream
from combmesh.link.pulses.bell import Announcements, announce
from combmesh.link.pulses.detectors import Clicks, Detectors, receiver_of
from combmesh.link.pulses.emission import BLOCK, Emission, Walk, choice_of, emit, emit_plain
from combmesh.link.pulses.light import Light, bench_of, mean_clicks
from combmesh.link.pulses.periods import pulse_start
from combmesh.link.pulses.records import Records, draw_records
from combmesh.link.pulses.tally import PulseTally, count_announced
from combmesh.link.relay import Link

BLOCKS_AT_ONCE = 32
LAST_PS = 2**62
"""53 days: later times would leave 64 bits."""

_SURELY_SIGMA = 12.0  # no click strays further from its pulse: once in 1e32
_SHORTEST_PS = 10.0  # of a period, whose times are whole ps
_MOST_WARM_UP = 8.0  # blocks to be run before a part so that its detectors forget how they began
_SPAN = 1 << 14  # blocks of a stretch of the lasers' walk


@dataclass(frozen=True)
class Simulation:
    """Pulses of one link.

    Attributes:
        light: what the users send.
        link: what it meets.
        pulses: how many.
        seed: of the random streams, one for each block of `BLOCK` pulses.
        thinned: skip pulses that give nothing (exact); otherwise every pulse is drawn.
        tags: hand out the registered clicks.
        records: hand out each user's source and bit of every pulse.
    """

    light: Light
    link: Link
    pulses: int
    seed: int
    thinned: bool = True
    tags: bool = False
    records: bool = False

    def __post_init__(self) -> None:
        check_range("pulses", self.pulses, 1, 1e14)
        period_ps = self.link.period_ps
        check_range("clock_hz", self.link.clock_hz, 0.0, 1e12 / _SHORTEST_PS)
        if self.pulses * period_ps >= LAST_PS:
            most, days = int(LAST_PS / period_ps), LAST_PS * 1e-12 / 86400
            raise InputError(f"`pulses` must be at most {most}, which take {days:.0f} days, but are {self.pulses}.")


@dataclass(frozen=True)
class Part:
    """What a run of blocks gave.

    Attributes:
        first: number of its first pulse.
        tally: its counts.
        clicks: its registered clicks, None unless `tags` is set.
        records: what the users sent, None unless `records` is set.
    """

    first: int
    tally: PulseTally
    clicks: Clicks | None
    records: Records | None


def simulate(
    simulation: Simulation,
    workers: int = 1,
    on_part: Callable[[Part], None] | None = None,
    so_far: PulseTally | None = None,
) -> PulseTally:
    """The tally of all pulses, the same on any number of workers.

    Args:
        simulation: light, link and number of pulses.
        workers: processes.
        on_part: is handed each part, in the order of time.
        so_far: the sum of the first parts of the same simulation, to go on from.
    """
    total = so_far or PulseTally.nothing(simulation.light.in_z.shape[0])
    early: dict[int, Part] = {}
    due = total.pulses
    starts = range(due // BLOCK, ceil(simulation.pulses / BLOCK), BLOCKS_AT_ONCE)
    if due == simulation.pulses:
        return total
    for parts in _parts(simulation, starts, workers):
        early |= {part.first: part for part in parts}
        while due in early:
            part = early.pop(due)
            total += part.tally
            due += part.tally.pulses
            if on_part is not None:
                on_part(part)
    return total


def _parts(simulation: Simulation, starts: range, workers: int) -> Iterator[list[Part]]:
    """The parts as they are done; one after the other where each would have to run too many blocks before its own."""
    run = _Run(simulation)
    if workers > 1 and run.warm_up_blocks() <= _MOST_WARM_UP:
        yield from map_batches(partial(simulate_part, simulation), starts, workers, 1)
        return
    detectors = run.detectors_at(starts[0])
    for first_block in starts:
        yield [_part(run, detectors, first_block)]


def simulate_part(simulation: Simulation, first_block: int) -> Part:
    """Up to `BLOCKS_AT_ONCE` blocks; as many before them are run as their detectors' state depends on."""
    run = _Run(simulation)
    return _part(run, run.detectors_at(first_block), first_block)


def _part(run: "_Run", detectors: Detectors, first_block: int) -> Part:
    """Up to `BLOCKS_AT_ONCE` blocks with the detectors as they are when the first begins."""
    simulation = run.simulation
    last = min(first_block + BLOCKS_AT_ONCE, run.blocks)
    emissions, registered = zip(*(run.block(detectors, block) for block in range(first_block, last)), strict=True)
    clicks = _joined(registered)
    seen = clicks
    if run.stray_pulses and last < run.blocks:  # clicks of the next block may fall into gates of this one
        seen = _joined([clicks, run.block(deepcopy(detectors), last)[1]])
    begin, end = first_block * BLOCK, min(last * BLOCK, simulation.pulses)
    announced = announce(seen, run.receiver, simulation.link.relay.bell_states)
    own = _within(announced, begin, end)
    rng = stream(simulation.seed, "pulses", "sources", first_block)
    emission = _together(emissions)
    tally, records = run.sift(rng, emission, own, begin, end)
    tally = replace(tally, clicks=np.bincount(clicks.detector, minlength=4))
    return Part(begin, tally, clicks if simulation.tags else None, records)


class _Run:
    """The tables of a simulation, and its blocks one by one."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.blocks = ceil(simulation.pulses / BLOCK)
        self.bench = bench_of(simulation.light, simulation.link)
        self.receiver = receiver_of(simulation.link)
        self._choice = choice_of(self.bench)
        self._emit = emit if simulation.thinned else emit_plain
        self.stray_pulses = max(ceil(_SURELY_SIGMA * self.bench.sigma_ps / self.bench.period_ps - 0.5), 0)
        self._stretch: tuple[int, NDArray[np.float64]] = (-1, np.empty(0))

    def block(self, detectors: Detectors, block: int) -> tuple[Emission, Clicks]:
        """What a block emits, and what is registered before it ends."""
        first = block * BLOCK
        pulses = min(BLOCK, self.simulation.pulses - first)
        rng = stream(self.simulation.seed, "pulses", block)
        emission = self._emit(self.bench, self._choice, rng, first, pulses, self._walk(block))
        stray = self.stray_pulses if block == self.blocks - 1 else -self.stray_pulses
        end_ps = self._border_ps(first + pulses + stray)
        return emission, detectors.register(Clicks(emission.time_ps, emission.detector), end_ps, rng)

    def _border_ps(self, pulse: int) -> int:
        """The first whole ps that belongs to a pulse's period."""
        start, rest = pulse_start(pulse, self.receiver.period_ps)
        return int(start) + int(rest > 0.5)

    def _walk(self, block: int) -> Walk:
        if not self.bench.is_laser:
            return Walk(0.0, 0.0)
        stretch, at = divmod(block, _SPAN)
        if self._stretch[0] != stretch:
            self._stretch = (stretch, self._laser_phases(stretch))
        return Walk(*self._stretch[1][at : at + 2])

    def _laser_phases(self, stretch: int) -> NDArray[np.float64]:
        """`(block + 1,)` relative phase of the lasers at the start of each block of a stretch, beat left out.

        The phases at the ends of all stretches are one random walk; within one it is bent to meet both its ends.
        """
        rng, step = stream(self.simulation.seed, "pulses", "laser"), self.bench.diffusion * BLOCK**0.5
        begin = 2.0 * pi * rng.random()
        ends = begin + step * _SPAN**0.5 * np.concatenate([[0.0], np.cumsum(rng.standard_normal(stretch + 1))])
        inside = stream(self.simulation.seed, "pulses", "laser", stretch).standard_normal(_SPAN)
        walk = np.concatenate([[0.0], np.cumsum(step * inside)])
        share = np.arange(_SPAN + 1) / _SPAN
        phases: NDArray[np.float64] = ends[stretch] + walk + share * (ends[stretch + 1] - ends[stretch] - walk[-1])
        return phases

    def warm_up_blocks(self) -> float:
        """About how many blocks it takes until every detector has had a pause as long as its dead time."""
        block_ps, dead_ps = BLOCK * self.receiver.period_ps, self.receiver.dead_ps
        click_ps = float(self.bench.chance @ mean_clicks(self.bench)) / 4.0 / self.receiver.period_ps
        if not dead_ps or not click_ps:
            return 0.0
        return (dead_ps + exp(min(click_ps * dead_ps, 500.0)) / click_ps) / block_ps

    def detectors_at(self, block: int) -> Detectors:
        """The detectors as they are when `block` begins: run from so far back that the start no longer matters."""
        receiver, stray = self.receiver, self.stray_pulses
        back = 1 if receiver.dead_ps or stray else 0
        while True:
            begin = max(block - back, 0)
            start_ps = self._border_ps(begin * BLOCK - (stray if begin else 0))
            detectors = Detectors(receiver, start_ps, ceil(2 * stray * receiver.period_ps))
            for earlier in range(begin, block):
                self.block(detectors, earlier)
            if begin == 0 or not receiver.dead_ps or detectors.settled:
                return detectors
            back *= 4

    def sift(
        self, rng: np.random.Generator, emission: Emission, announced: Announcements, begin: int, end: int
    ) -> tuple[PulseTally, Records | None]:
        """Count what was sent and announced from pulse `begin` to `end`."""
        bench, records = self.bench, None
        emission = self._with_strangers(rng, emission, announced.pulse)
        silent = np.zeros(bench.chance.size, np.int64)
        if many := end - begin - emission.pulse.size:
            silent = rng.multinomial(many, bench.silent / bench.silent.sum())
        if self.simulation.records:
            records = draw_records(rng, emission, silent, begin, end - begin)
        tally = PulseTally.nothing(bench.sources)
        sent = silent + np.bincount(emission.pair, minlength=silent.size)
        tally.sent[:] = sent.reshape(tally.sent.shape)
        at = np.searchsorted(emission.pulse, announced.pulse)
        in_z = bench.in_z[0] | bench.in_z[1]
        count_announced(
            emission.pair[at],
            emission.bits[at],
            emission.number[:, at[: emission.number.shape[1]]],
            announced.state,
            in_z,
            tally,
        )
        return replace(tally, pulses=end - begin), records

    def _with_strangers(self, rng: np.random.Generator, emission: Emission, pulse: NDArray[np.int64]) -> Emission:
        """Add pulses that were announced for clicks of their neighbours: they gave nothing themselves."""
        strangers = np.setdiff1d(pulse, emission.pulse, assume_unique=True)
        if not strangers.size:
            return emission
        bench, many = self.bench, strangers.size
        pair = rng.choice(bench.silent.size, many, p=bench.silent / bench.silent.sum())
        number = bench.number[:, pair] if bench.is_fock else rng.poisson(bench.lost[:, pair])
        order = np.argsort(np.append(emission.pulse, strangers), kind="stable")
        kept = bench.keeps_photons
        return emission._replace(
            pulse=np.append(emission.pulse, strangers)[order],
            pair=np.append(emission.pair, pair.astype(np.uint8))[order],
            bits=np.append(emission.bits, rng.integers(0, 4, many, np.uint8))[order],
            number=np.append(emission.number, number.astype(np.uint8), axis=1)[:, order] if kept else emission.number,
        )


def _within(announced: Announcements, begin: int, end: int) -> Announcements:
    inside = (announced.pulse >= begin) & (announced.pulse < end)
    return Announcements(announced.pulse[inside], announced.state[inside], announced.time_ps[inside])


def _joined(parts: Sequence[Clicks]) -> Clicks:
    return Clicks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _together(emissions: Sequence[Emission]) -> Emission:
    return Emission(*(np.concatenate(columns, axis=-1) for columns in zip(*emissions, strict=True)))
