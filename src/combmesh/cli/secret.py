"""`combmesh secret`: the pre-shared secret of two users, which authenticates what they say."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Create, import and count the secret that two users share before they distil.")


@app.command("new")
def new(
    files: Annotated[list[Path], typer.Argument(help="One file for each of the two users.")],
    blocks: Annotated[
        int, typer.Option("--blocks", min=1, max=10_000_000, help="Blocks that it can authenticate.")
    ] = 1000,
) -> None:
    """Draw a secret and write it to two files, one to be carried to each user by a way that nobody else sees."""
    from combmesh.ground.errors import InputError
    from combmesh.keystore.pads import create_pads, new_secret

    if len(files) != 2 or files[0] == files[1]:
        raise InputError(f"`combmesh secret new` needs two different files, but was given {len(files)}.")
    for path in files:
        if path.exists():
            raise InputError(f"`{path}` exists; pads are never written over.")
    secret = new_secret(blocks)
    for path in files:
        create_pads(path, secret)
    typer.echo(f"{files[0]} and {files[1]} hold the same secret, enough for {blocks:,} blocks. Keep both from others.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File of pads to make.")],
    raw: Annotated[Path, typer.Argument(help="Secret bytes that both users hold: 16, and 32 for each block.")],
) -> None:
    """Make a file of pads from secret bytes of another source, such as a quantum random number generator."""
    from combmesh.distill.authentication import PAIR_BYTES, POINT_BYTES
    from combmesh.ground.errors import InputError
    from combmesh.keystore.pads import create_pads

    try:
        secret = raw.read_bytes()
    except OSError as error:
        raise InputError(f"`{raw}` cannot be read: {error.strerror}.") from error
    blocks, rest = divmod(len(secret) - POINT_BYTES, PAIR_BYTES)
    if blocks < 1 or rest:
        raise InputError(
            f"`{raw}` must have {POINT_BYTES} bytes and {PAIR_BYTES} for each block, but has {len(secret)}."
        )
    create_pads(file, secret)
    typer.echo(f"{file} holds a secret that is enough for {blocks:,} blocks.")


@app.command("count")
def count(file: Annotated[Path, typer.Argument(help="File of pads.")]) -> None:
    """Say for how many blocks the secret is still enough; every block with a key adds one."""
    from combmesh.keystore.pads import PadFile

    with PadFile(file) as pads:
        left, spent = pads.unused_pairs(), pads.account()
    typer.echo(f"{file}: enough for {left:,} blocks." if left else f"{file}: starved, no pads are left.")
    typer.echo(
        f"Spent by {spent.blocks:,} blocks: {spent.secrecy:.3g} secrecy, {spent.correctness:.3g} correctness, "
        f"{spent.authentication:.3g} authentication."
    )
