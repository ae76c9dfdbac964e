"""`combmesh attack NAME LINK`: an eavesdropper in the place of the relay, and what she knows in the end."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.study.attacks.catalogue import Attack
    from combmesh.study.attacks.verdict import AttackResult

EVERY = "all"
BROKEN = 3


def attack(
    name: Annotated[str | None, typer.Argument(help="Attack, or `all`; none lists them.")] = None,
    file: Annotated[Path | None, typer.Argument(help="Link file (TOML) with both users' sources.")] = None,
    number: Annotated[
        float | None, typer.Option("--pulses", "-n", help="Pulses sent; those of the block, or some seconds' work.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 1,
    share: Annotated[
        float, typer.Option("--share", help="Share of the pulses that are attacked; the others Eve splits.")
    ] = 1.0,
    listed: Annotated[bool, typer.Option("--list", help="List the attacks.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> int:
    """Run an attack, let the users analyse their counts, and compare the key with what Eve knows.

    Exit code 3: an attack that the proof covers has won, which must never be.
    """
    from combmesh.config.counts import load_link
    from combmesh.ground.errors import InputError, check_range
    from combmesh.protocol.mdi.files.link import LinkFile
    from combmesh.study.attacks.catalogue import ATTACKS, attack_named

    if listed or name is None:
        _list(list(ATTACKS.values()), as_json)
        return 0
    chosen = list(ATTACKS.values()) if name == EVERY else [attack_named(name)]
    if file is None:
        raise InputError(f"`combmesh attack {name}` needs a link file.")
    link_file = load_link(file)[0]
    if not isinstance(link_file, LinkFile):
        raise InputError(f"`combmesh attack` is for `protocol` mdi, but the file is for {link_file.protocol}.")
    if number is not None and (not isfinite(number) or number != int(number)):
        raise InputError(f"`--pulses` must be a whole number, but is {number:g}.")
    check_range("--share", share, 0.0, 1.0)
    results = [_run(one, link_file, number, seed, share) for one in chosen]
    if as_json:
        from combmesh.report.export import json_text

        documents = [asdict(result) | {"origin": "simulated"} for result in results]
        typer.echo(json_text(list(documents)) if name == EVERY else json_text(documents[0]))
    else:
        _print(results, chosen)
    return BROKEN if any(result.proof_fails for result in results) else 0


def _run(one: "Attack", file: "LinkFile", number: float | None, seed: int, share: float) -> "AttackResult":
    from combmesh.protocol.mdi.files.link import joined
    from combmesh.study.attacks.experiment import default_pulses
    from combmesh.study.attacks.verdict import Analysis, run_attack
    from combmesh.study.attacks.world import World

    world = World(*file.users(), joined(file.arm, file.relay, file.clock_hz))
    pulses = default_pulses(one, world, file.pulses) if number is None else int(number)
    analysis = Analysis(file.epsilon.budget(), file.epsilon.tail, file.vacuum_credit, file.f_ec)
    return run_attack(one, world, pulses, seed, analysis, share)


def _list(attacks: "Sequence[Attack]", as_json: bool) -> None:
    from combmesh.report.attack_table import attack_list
    from combmesh.report.export import json_text

    if as_json:
        names = ("name", "sentence", "inside_proof")
        typer.echo(json_text([{name: getattr(attack, name) for name in names} for attack in attacks]))
    else:
        typer.echo(attack_list([(attack.name, attack.sentence, attack.inside_proof) for attack in attacks]))


def _print(results: "Sequence[AttackResult]", attacks: "Sequence[Attack]") -> None:
    from rich.console import Console

    from combmesh.report.attack_table import attack_notes, attack_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(attack_table(results))
    for result, attack in zip(results, attacks, strict=True):
        console.print(attack_notes(result, attack.sentence), highlight=False, markup=False)
