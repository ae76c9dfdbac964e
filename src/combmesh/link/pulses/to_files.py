"""A simulated night in the laboratory: the relay's time tags and both users' records, as files."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from combmesh.link.pulses.engine import Part, Simulation, simulate
from combmesh.link.pulses.instrument import Tagger, TagStream
from combmesh.link.pulses.light import DETECTORS
from combmesh.link.pulses.record_file import RecordHead, RecordWriter
from combmesh.link.pulses.tally import PulseTally
from combmesh.link.timetags.hdf5 import TagWriter

RELAY, ALICE, BOB = "relay.h5", "alice.h5", "bob.h5"


def simulate_to_files(
    simulation: Simulation,
    folder: Path,
    heads: tuple[RecordHead, RecordHead],
    tagger: Tagger,
    workers: int = 1,
    on_part: Callable[[Part], None] | None = None,
) -> PulseTally:
    """Write `relay.h5`, `alice.h5` and `bob.h5` into `folder` and return the engine's own tally.

    Channels 0 to 3 are 1H, 1V, 2H, 2V. The seed fixes tags and tally, not the bits: each pulse's bits of both users are
    flipped together by a coin of the operating system, which leaves announcements and errors as they are. The price:
    a user's bit in Z no longer tells which polarization his own clicks have; only whether both bits agree counts.

    Args:
        simulation: must hand out tags and records.
        folder: exists.
        heads: what the two records say of themselves.
        tagger: the relay's clock and delays.
        workers: processes.
        on_part: is told of each part.
    """
    stream = TagStream(tagger)
    with ExitStack() as stack:
        tags = stack.enter_context(TagWriter(folder / RELAY, "simulated"))
        tags.about = {"detectors": DETECTORS, "clock_hz": simulation.link.clock_hz}
        records = [
            stack.enter_context(RecordWriter(folder / name, head))
            for name, head in zip((ALICE, BOB), heads, strict=True)
        ]

        def write(part: Part) -> None:
            if part.clicks is None or part.records is None:
                raise ValueError("the simulation must hand out tags and records")
            done = part.first + part.tally.pulses == simulation.pulses
            ready = stream.tag(part.clicks, last=done)
            tags.append(ready.detector, ready.time_ps)
            coins = _coins(part.tally.pulses)
            for record, source, bit in zip(records, *part.records, strict=True):
                record.append(source, bit ^ coins)
            if on_part is not None:
                on_part(part)

        return simulate(simulation, workers, write)


def _coins(number: int) -> NDArray[np.uint8]:
    """So many random bits of the operating system."""
    return np.unpackbits(np.frombuffer(os.urandom(-(-number // 8)), np.uint8))[:number]
