"""Every single pulse from the sources to the announcement, in parallel, with memory that does not grow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, inf, pi

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_range
from combmesh.ground.parallel import map_batches
from combmesh.ground.rng import stream
from combmesh.link.pulses.bell import Announcements, announce
from combmesh.link.pulses.detectors import Clicks, Detectors, receiver_of
from combmesh.link.pulses.emission import BLOCK, Emission, Walk, choice_of, emit, emit_plain
from combmesh.link.pulses.light import Light, bench_of, silent_share
from combmesh.link.pulses.records import Records, draw_records
from combmesh.link.pulses.tally import PulseTally, count_announced
from combmesh.link.relay import Link

BLOCKS_AT_ONCE = 32
_SURELY_SIGMA = 12.0  # no click strays further from its pulse: once in 1e32


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
    for parts in map_batches(partial(simulate_part, simulation), starts, workers, 1):
        early |= {part.first: part for part in parts}
        while due in early:
            part = early.pop(due)
            total += part.tally
            due += part.tally.pulses
            if on_part is not None:
                on_part(part)
    return total


def simulate_part(simulation: Simulation, first_block: int) -> Part:
    """Up to `BLOCKS_AT_ONCE` blocks; as many before them are run as their detectors' state depends on."""
    run = _Run(simulation)
    detectors = run.detectors_at(first_block)
    last = min(first_block + BLOCKS_AT_ONCE, run.blocks)
    emissions, registered = zip(*(run.block(detectors, block) for block in range(first_block, last)), strict=True)
    clicks = _joined(registered)
    seen = clicks
    if run.stray_pulses and last < run.blocks:  # clicks of the next block may fall into gates of this one
        seen = _joined([clicks, run.block(detectors, last)[1]])
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
        self.silent = self.bench.chance * silent_share(self.bench)
        self._choice = choice_of(self.bench)
        self._emit = emit if simulation.thinned else emit_plain
        self.stray_pulses = max(ceil(_SURELY_SIGMA * self.bench.sigma_ps / self.bench.period_ps - 0.5), 0)
        self._phases = self._laser_phases() if self.bench.is_laser else np.zeros(self.blocks + 1)

    def block(self, detectors: Detectors, block: int) -> tuple[Emission, Clicks]:
        """What a block emits, and what is registered before it ends."""
        first = block * BLOCK
        pulses = min(BLOCK, self.simulation.pulses - first)
        rng = stream(self.simulation.seed, "pulses", block)
        emission = self._emit(self.bench, self._choice, rng, first, pulses, self._walk(block))
        until = inf if block == self.blocks - 1 else first + pulses - self.stray_pulses
        return emission, detectors.register(Clicks(emission.time_ps, emission.detector), until, rng)

    def _walk(self, block: int) -> Walk:
        return Walk(self._phases[block], self._phases[block + 1])

    def _laser_phases(self) -> NDArray[np.float64]:
        """`(block + 1,)` relative phase of the lasers at the start of each block, beat left out."""
        rng = stream(self.simulation.seed, "pulses", "laser")
        steps = self.bench.diffusion * BLOCK**0.5 * rng.standard_normal(self.blocks + 1)
        steps[0] = 2.0 * pi * rng.random()
        return np.cumsum(steps)

    def detectors_at(self, block: int) -> Detectors:
        """The detectors as they are when `block` begins: run from so far back that the start no longer matters."""
        receiver, limited = self.receiver, self.receiver.most_clicks < inf
        back = 1 if receiver.dead_ps or limited or self.stray_pulses else 0
        while True:
            begin = max(block - back - limited, 0)  # a ceiling looks one block further back
            detectors = Detectors(receiver, begin * BLOCK * receiver.period_ps)
            settled = begin == 0 or not receiver.dead_ps
            for earlier in range(begin, block):
                self.block(detectors, earlier)
                settled |= detectors.settled and earlier < block - limited
            if settled:
                return detectors
            back *= 4

    def sift(
        self, rng: np.random.Generator, emission: Emission, announced: Announcements, begin: int, end: int
    ) -> tuple[PulseTally, Records | None]:
        """Count what was sent and announced from pulse `begin` to `end`."""
        bench, records = self.bench, None
        emission = self._with_strangers(rng, emission, announced.pulse)
        pairs = bench.chance.size
        sent = np.bincount(emission.pair, minlength=pairs)
        if self.simulation.records:
            records = draw_records(rng, emission, self.silent, begin, end - begin)
            sent = np.bincount(records.source[0] * np.uint8(bench.sources) + records.source[1], minlength=pairs)
        elif self.silent.sum() > 0.0:
            sent += rng.multinomial(end - begin - emission.pulse.size, self.silent / self.silent.sum())
        tally = PulseTally.nothing(bench.sources)
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
        pair = rng.choice(self.silent.size, many, p=self.silent / self.silent.sum())
        number = rng.poisson(bench.lost[:, pair]) + (bench.number[:, pair] if bench.is_fock else 0)
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
