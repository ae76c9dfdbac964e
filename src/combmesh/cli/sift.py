"""`combmesh sift TAGS ALICE BOB -o COUNTS.toml`: from time tags to the table of counts and the sifted bits."""

import sys
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from combmesh.protocol.mdi.sifting import Sifted


def sift(
    tags: Annotated[Path, typer.Argument(help="The relay's time tags, in any format that `combmesh tags` reads.")],
    alice: Annotated[Path, typer.Argument(help="Alice's record: source and bit of every pulse (HDF5).")],
    bob: Annotated[Path, typer.Argument(help="Bob's record.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Table of counts to write, for `combmesh key`.")],
    channels: Annotated[str, typer.Option("--channels", help="Channels of 1H,1V,2H,2V.")] = "0,1,2,3",
    gate_ps: Annotated[
        float | None, typer.Option("--gate-ps", help="Width of the gate about each pulse; the period if not given.")
    ] = None,
    bell_states: Annotated[int, typer.Option("--bell-states", help="1 (psi-minus) or 2.")] = 2,
    search_ms: Annotated[
        float | None,
        typer.Option("--search-ms", help="Farthest a record may begin from the clicks; 1 ms, or 8e6 pulses, if less."),
    ] = None,
    bits: Annotated[
        Path | None, typer.Option("--bits", help="Folder for both users' sifted bits (secret; alice.bits, bob.bits).")
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="Format of the tags, if it cannot be told.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Count a block from the relay's tags and both users' records: clock, delays, gate, Bell states, sifting."""
    from combmesh.cli.tags import check_target
    from combmesh.config.template import sifted_table
    from combmesh.ground.errors import InputError, check_range
    from combmesh.link.pulses.record_file import RecordReader
    from combmesh.link.timetags.reading import read_tags
    from combmesh.link.timetags.relay_pulses import farthest_search
    from combmesh.protocol.mdi.sifting import settings_of
    from combmesh.protocol.mdi.sifting import sift as sift_block
    from combmesh.report.export import json_text, write_atomic

    check_target(output)
    if bell_states not in (1, 2):
        raise InputError(f"`--bell-states` must be 1 or 2, but is {bell_states}.")
    with RecordReader(alice) as record_a, RecordReader(bob) as record_b:
        users = settings_of(record_a), settings_of(record_b)
        clock_hz = record_a.head.clock_hz
        if gate_ps is not None:
            check_range("--gate-ps", gate_ps, 1.0, 1e12 / clock_hz)
        most_ms = farthest_search() / clock_hz * 1e3
        search_ms = min(1.0, most_ms) if search_ms is None else search_ms
        check_range("--search-ms", search_ms, 0.0, most_ms)
        relay = read_tags(tags, format)
        found = sift_block(
            relay,
            record_a,
            record_b,
            _channels(channels),
            gate_ps=gate_ps,
            bell_states=bell_states,
            search_pulses=min(ceil(search_ms * 1e-3 * clock_hz), farthest_search()),
        )
        simulated = "simulated" in (relay.origin, record_a.head.origin, record_b.head.origin)
    text = sifted_table(found.tally, *users, clock_hz, simulated=simulated)
    write_atomic(text.encode(), output)
    if bits is not None:
        _write_bits(found, bits, "simulated" if simulated else "measured")
    document = _document(found, clock_hz, simulated)
    if as_json:
        typer.echo(json_text(document))
    else:
        _print(document, output, bits)


def _channels(text: str) -> tuple[int, ...]:
    from combmesh.ground.errors import InputError

    try:
        channels = tuple(int(word) for word in text.split(","))
    except ValueError:
        channels = ()
    if len(channels) != 4 or len(set(channels)) != 4 or not all(0 <= channel <= 255 for channel in channels):
        raise InputError(f"`--channels` must be four different numbers from 0 to 255, but is {text!r}.")
    return channels


def _write_bits(found: "Sifted", folder: Path, origin: str) -> None:
    from combmesh.ground.errors import InputError
    from combmesh.protocol.mdi.sifted_file import SiftedBits, write_sifted

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"`{folder}` cannot be made: {error.strerror}.") from error
    for name, own in (("alice.bits", found.alice), ("bob.bits", found.bob)):
        write_sifted(folder / name, SiftedBits(own, found.rounds, found.announcements, origin))


def _document(found: "Sifted", clock_hz: float, simulated: bool) -> dict[str, Any]:
    from combmesh.link.pulses.light import DETECTORS
    from combmesh.protocol.mdi.bounds import PAIRS

    clock, tally = found.clicks.clock, found.tally
    delays_ps = found.clicks.offset * clock.period_ps + clock.delay_ps
    return {
        "origin": "simulated" if simulated else "measured",
        "pulses": tally.pulses,
        "announced": found.announced,
        "sifted_bits": int(found.alice.size),
        "qber_z": tally.qber_z,
        "qber_x": tally.qber_x,
        "clock": {
            "period_ps": clock.period_ps,
            "offset_ppm": (clock.period_ps * clock_hz * 1e-12 - 1.0) * 1e6,
            "jitter_ps": clock.jitter_ps,
            "light_share": clock.light_share,
            "phase_error_ps": clock.phase_error_ps,
        },
        "delays_ps": dict(zip(DETECTORS, (delays_ps - delays_ps[0]).tolist(), strict=True)),
        "bob_offset_pulses": found.bob_offset,
        "counts": {
            pair: {"sent": int(sent), "detected": int(detected), "errors": int(errors)}
            for pair, sent, detected, errors in zip(PAIRS, tally.sent, tally.detected, tally.errors, strict=True)
        },
    }


def _print(document: dict[str, Any], output: Path, bits: Path | None) -> None:
    from rich.console import Console

    from combmesh.report.tag_table import counts_table, sift_notes

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(counts_table(document["counts"]))
    console.print(sift_notes(document), highlight=False, markup=False)
    console.print(f"The table is in {output}; `combmesh key {output}` says what key it is worth.", highlight=False)
    if bits is not None:
        console.print(f"The sifted bits are in {bits}/: keep them secret.", highlight=False)
