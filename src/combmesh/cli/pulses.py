"""`combmesh pulses LINK`: every single pulse of a link, beside the closed form, and as files of a simulated night."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import floor, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.link.pulses.engine import Part, Simulation
    from combmesh.link.pulses.tally import PulseTally
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.report.pulse_table import PulseReport

DEFAULT_PULSES = 1e8
SAVE_EVERY_S = 2.0


def pulses(
    file: Annotated[Path, typer.Argument(help="Link file (TOML) with both users' sources.")],
    number: Annotated[
        float | None, typer.Option("--pulses", "-n", help="Pulses to simulate; those of the block, at most 1e8.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Write relay.h5 (time tags), alice.h5 and bob.h5 (records) here.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep the tally in this file; the same command goes on from it.")
    ] = None,
    photons: Annotated[
        bool, typer.Option("--photons", help="Keep photon numbers: announced and wrong pulses by them, in the JSON.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Draw the silent pulses too, do not skip them.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 means one a processor.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Simulate every single pulse: sources, interference, detectors, Bell states; the judge of the formulas."""
    from combmesh.config.counts import load_link
    from combmesh.ground.errors import InputError
    from combmesh.ground.parallel import processors
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.report.export import json_text, write_json

    link_file = load_link(file)[0]
    if not isinstance(link_file, LinkFile):
        raise InputError(f"`combmesh pulses` is for `protocol` mdi, but the file is for {link_file.protocol}.")
    if folder is not None and keep is not None:
        raise InputError("`--keep` keeps a tally and no files; it cannot stand beside `--folder`.")
    number = max(floor(min(link_file.pulses, DEFAULT_PULSES)), 1) if number is None else number
    if not isfinite(number) or number != int(number):
        raise InputError(f"`--pulses` must be a whole number, but is {number!r}.")
    simulation = link_file.simulation(int(number), seed, thinned=not plain, files=folder is not None)
    if photons:
        simulation = replace(simulation, light=replace(simulation.light, photons=True))
    so_far = None if keep is None else _so_far(keep, simulation)
    began = time.monotonic()
    with _progress(simulation.pulses, hidden=as_json) as on_part:
        if folder is not None:
            tally = _to_files(link_file, simulation, folder, workers or processors(), on_part)
        else:
            tally = _to_tally(simulation, keep, so_far, workers or processors(), on_part)
    kept_pulses = 0 if so_far is None else so_far.pulses
    report = _report(link_file, simulation, tally, kept_pulses, time.monotonic() - began)
    if folder is not None:
        write_json(report.document(), folder / "pulses.json")
    if as_json:
        typer.echo(json_text(report.document()))
    else:
        _print(report, folder)


def _so_far(keep: Path, simulation: "Simulation") -> "PulseTally":
    """The tally in the file, which is made where there is none: one that cannot be written is refused at once."""
    from combmesh.link.pulses.checkpoint import load, save
    from combmesh.link.pulses.tally import PulseTally

    kept = load(keep, simulation)
    if kept is None:
        kept = PulseTally.nothing(simulation.light.in_z.shape[0])
        save(keep, simulation, kept)
    return kept


def _to_tally(
    simulation: "Simulation",
    keep: Path | None,
    so_far: "PulseTally | None",
    workers: int,
    on_part: "Callable[[Part], None]",
) -> "PulseTally":
    from combmesh.link.pulses.checkpoint import save
    from combmesh.link.pulses.engine import simulate

    if keep is None or so_far is None:
        return simulate(simulation, workers, on_part)
    total, saved = so_far, time.monotonic()

    def note(part: "Part") -> None:
        nonlocal total, saved
        total += part.tally
        if time.monotonic() > saved + SAVE_EVERY_S:
            save(keep, simulation, total)
            saved = time.monotonic()
        on_part(part)

    try:
        return simulate(simulation, workers, note, so_far)
    finally:
        save(keep, simulation, total)


def _to_files(
    file: "LinkFile", simulation: "Simulation", folder: Path, workers: int, on_part: "Callable[[Part], None]"
) -> "PulseTally":
    from combmesh.ground.errors import InputError
    from combmesh.link.pulses.to_files import simulate_to_files

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"`{folder}` cannot be made: {error.strerror}.") from error
    return simulate_to_files(simulation, folder, file.record_heads(), file.tagger, workers, on_part)


@contextmanager
def _progress(number: int, hidden: bool) -> "Iterator[Callable[[Part], None]]":
    """A bar with the time left on the error stream."""
    if hidden:
        yield lambda part: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    left, elapsed = TextColumn("left"), TextColumn("· elapsed")
    columns = (BarColumn(), TaskProgressColumn(), left, TimeRemainingColumn(), elapsed, TimeElapsedColumn())
    with Progress(TextColumn("pulses"), *columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("pulses", total=number)
        yield lambda part: bar.update(task, completed=part.first + part.tally.pulses)


def _report(
    file: "LinkFile", simulation: "Simulation", tally: "PulseTally", kept_pulses: int, wall_s: float
) -> "PulseReport":
    """The pulses beside the closed form and one draw of the counts engine."""
    from combmesh.ground.rng import stream
    from combmesh.protocol.mdi.single_pulses import compare_with_closed_form, counts_by_number
    from combmesh.protocol.mdi.tally import draw_tally
    from combmesh.report.pulse_table import PulseReport, PulseRow

    alice, bob = file.users()
    pairs, p_value = compare_with_closed_form(tally, simulation.link, alice, bob)
    drawn = draw_tally(simulation.link, alice, bob, simulation.pulses, stream(simulation.seed, "counts"))
    counts = zip(pairs, drawn.detected, drawn.errors, strict=True)
    rows = [PulseRow(**vars(pair), drawn_detected=int(right), drawn_errors=int(wrong)) for pair, right, wrong in counts]
    outside = simulation.light.outside_proof
    return PulseReport(
        rows,
        None if outside else p_value,
        tally.pulses,
        simulation.seed,
        tuple(int(clicks) for clicks in tally.clicks),
        outside,
        wall_s,
        kept_pulses,
        counts_by_number(tally) if simulation.light.photons else None,
    )


def _print(report: "PulseReport", folder: Path | None) -> None:
    from rich.console import Console

    from combmesh.report.pulse_table import pulse_notes, pulse_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(pulse_table(report))
    console.print(pulse_notes(report), highlight=False, markup=False)
    if folder is not None:
        console.print(f"Everything is in {folder}/: relay.h5, alice.h5, bob.h5, pulses.json.", highlight=False)
