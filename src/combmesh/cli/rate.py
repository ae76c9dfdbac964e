"""`combmesh rate LINK`: what a link gives, at given or optimised settings, over a sweep of distances."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.config.counts import AnyLink
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.protocol.mdi.link_rates import MethodRate
    from combmesh.protocol.mode_pairing.link_rates import PairingRate
    from combmesh.report.rate_table import RateRow

MOST_DISTANCES = 10_000


def rate(
    file: Annotated[Path, typer.Argument(help="Link file (TOML).")],
    optimise: Annotated[bool, typer.Option("--optimise", help="Find the best settings for each method.")] = False,
    distance: Annotated[
        str | None, typer.Option("--distance", help="Fibre between the users, km: 200, or FROM:TO:STEP.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the rates over distance (PNG, PDF, SVG).")] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Write settings and certificate for a block, as a table to fill in.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list and nothing else.")] = False,
) -> None:
    """Expected key rate of a link by every method, beside the asymptotic limit and the repeaterless bound."""
    from combmesh.config.counts import load_link
    from combmesh.ground.errors import InputError
    from combmesh.protocol.mdi.files.link import LinkFile

    link_file = load_link(file)[0]
    distances = _distances(distance) if distance is not None else [link_file.arm.distance_km]
    if plan is not None and len(distances) > 1:
        raise InputError("`--plan` is for one distance, but `--distance` has several.")
    if plan is not None and not isinstance(link_file, LinkFile):
        raise InputError(f"`--plan` is for `protocol` mdi, but the file is for {link_file.protocol}.")
    if plot is not None and len(distances) < 2:
        raise InputError("`--plot` draws a sweep; give `--distance FROM:TO:STEP` too.")
    found = _all_rates(link_file, distances, optimise, hidden=as_json)
    rows = [_row(*entry) for entry in found]
    if plan is not None and isinstance(link_file, LinkFile):
        _write_plan(plan, link_file, [method for _, _, method in found])
    if plot is not None:
        from combmesh.report.curves import rate_curves

        rate_curves(rows, plot, f"{file.stem}: key rate over distance")
    if as_json:
        from combmesh.report.export import json_text

        typer.echo(json_text([asdict(row) for row in rows]))
    else:
        _print(rows, len(distances))


def _distances(text: str) -> list[float | None]:
    """The distances that `--distance` names, both ends included, km."""
    from combmesh.ground.errors import InputError

    words = text.split(":")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] >= 0:
        return [numbers[0]]
    if len(numbers) != 3 or not (0 <= numbers[0] <= numbers[1] and numbers[2] > 0):
        raise InputError(f"`--distance` must be a length or FROM:TO:STEP in km, such as 0:300:10, but is {text!r}.")
    first, last, step = numbers
    count = int((last - first) / step + 1e-9) + 1
    if not count <= MOST_DISTANCES:
        raise InputError(f"`--distance` must name at most {MOST_DISTANCES} distances, but {text!r} names more.")
    return [first + i * step for i in range(count)]


def _all_rates(
    file: "AnyLink", distances: "list[float | None]", optimise: bool, hidden: bool
) -> "list[tuple[float | None, float, MethodRate | PairingRate]]":
    """(distance, repeaterless bound in bit/s, rate) of each distance and method; a bar while it takes long."""
    from combmesh.protocol.mdi.asymptotic import repeaterless_bound

    found: list[tuple[float | None, float, MethodRate | PairingRate]] = []
    for distance_km in _shown(distances, hidden or len(distances) < 3):
        arms = file.arm if distance_km == file.arm.distance_km else file.arm.at_distance(distance_km or 0.0)
        bound_bps = repeaterless_bound(arms.transmission) * file.clock_hz
        found += [(distance_km, bound_bps, method) for method in file.rates(arms, optimise)]
    return found


def _shown(distances: "list[float | None]", hidden: bool) -> "Iterable[float | None]":
    if hidden:
        return distances
    from rich.console import Console
    from rich.progress import track

    return track(distances, "distances", console=Console(stderr=True))


def _row(distance_km: float | None, bound_bps: float, found: "MethodRate | PairingRate") -> "RateRow":
    from combmesh.report.rate_table import RateRow

    return RateRow(distance_km, found.method, found.skr_bps, found.length_bits, found.shown_settings(), bound_bps)


def _print(rows: "list[RateRow]", n_distances: int) -> None:
    from rich.console import Console

    from combmesh.report.rate_table import rate_notes, settings_table, sweep_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(settings_table(rows) if n_distances == 1 else sweep_table(rows))
    console.print(rate_notes(rows), highlight=False, markup=False)


def _write_plan(path: Path, file: "LinkFile", rates: "list[MethodRate | PairingRate]") -> None:
    """The plan of the certificate or of the double scan, whichever is expected to give more key."""
    from combmesh.config.template import plan_table
    from combmesh.protocol.mdi.link_rates import MethodRate
    from combmesh.report.export import write_atomic

    by_method = {found.method: found for found in rates if isinstance(found, MethodRate)}
    chosen = max(by_method["double-scan"], by_method["certificate"], key=lambda found: found.length_bits)
    write_atomic(plan_table(file, chosen).encode(), path)
