"""`combmesh distill ROLE BITS COUNTS`: one user's end of the distillation, over TCP."""

import hashlib
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from combmesh.distill.cascade import ScheduleName
    from combmesh.distill.reconcile import Engine
    from combmesh.distill.secret import SecretKey
    from combmesh.distill.session import Sealed, Session
    from combmesh.distill.settings import DistilSettings
    from combmesh.keystore.sqlite import SqliteStore

NO_KEY = 3


def distill(
    role: Annotated[str, typer.Argument(help="alice, whose bits are the key, or bob, who corrects his.")],
    bits: Annotated[Path, typer.Argument(help="This user's sifted bits, from `combmesh sift --bits`.")],
    counts: Annotated[Path, typer.Argument(help="Table of counts of the block, the same for both.")],
    pads: Annotated[Path, typer.Option("--pads", help="This user's secret, from `combmesh secret new`.")],
    store: Annotated[Path, typer.Option("--store", "-o", help="Key store that the key goes to (SQLite).")],
    listen: Annotated[str | None, typer.Option("--listen", help="Wait for the other user at host:port.")] = None,
    connect: Annotated[str | None, typer.Option("--connect", help="Go to the other user at host:port.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="This user's name; the role if not given.")] = None,
    peer: Annotated[str | None, typer.Option("--peer", help="The other user's name.")] = None,
    block: Annotated[int, typer.Option("--block", min=0, help="Number of the block; each has one key at most.")] = 0,
    accounting: Annotated[
        str, typer.Option("--accounting", help="one-sided, or two-sided: subtract what both disclose.")
    ] = "one-sided",
    engine: Annotated[str, typer.Option("--engine", help="cascade, ldpc, or auto: by round trip and block.")] = "auto",
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="Of cascade: fast, efficient or few-rounds; chosen if not given.")
    ] = None,
    round_trip_ms: Annotated[float, typer.Option("--round-trip-ms", help="To the other user and back, ms.")] = 0.1,
    wait_s: Annotated[float, typer.Option("--wait", min=0.1, help="Longest wait for the other user, s.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> int:
    """Distil a block with the other user: correct, verify, shorten, authenticate, and store the key.

    Exit code 0: both have the key. 3: there is none, or it is not known whether the other user has it.
    """
    from combmesh.distill.account import EpsilonAccount
    from combmesh.distill.codec import largest_frame
    from combmesh.distill.session import BlockName, Session
    from combmesh.ground.errors import InputError
    from combmesh.keystore.pads import PadFile
    from combmesh.keystore.sqlite import SqliteStore
    from combmesh.protocol.mdi.sifted_file import read_sifted
    from combmesh.wire.tcp import connected, drive, listening, parse_address

    if role not in ("alice", "bob"):
        raise InputError(f"The role must be alice or bob, but is {role!r}.")
    if (listen is None) == (connect is None):
        raise InputError("Give one of `--listen` and `--connect`.")
    sifted = read_sifted(bits)
    own, origin = sifted.bits, sifted.origin
    settings, secrecy = _settings(counts, own.size, accounting, (engine, schedule, round_trip_ms))
    address = parse_address(listen or connect or "")
    name = user or role
    other = peer or ("bob" if role == "alice" else "alice")
    with PadFile(pads) as pool, SqliteStore(store, name) as keys:
        label = BlockName(f"{hashlib.sha256(counts.read_bytes()).hexdigest()}/{block}", sifted.announcements)
        keep = partial(_keep, keys, other, block, origin)
        session = Session("alice" if role == "alice" else "bob", own, settings, label, pool, keep, _held(keys, other))
        with (listening if listen else connected)(address, wait_s) as connection:
            drive(session, connection, largest_frame(own.size), wait_s)
        sealed = _sealed(session)
        _confirm(keys, other, sealed.peer_holds)
        spent = EpsilonAccount(1, secrecy, settings.correctness, sealed.eps_authentication)
        pool.charge(spent)
        left, life = pool.unused_pairs(), pool.account()
    document = _document(sealed, own.size, settings, left, origin)
    document |= {"epsilon": {**asdict(spent), "total": spent.total}, "epsilon_of_the_pair": asdict(life)}
    if as_json:
        from combmesh.report.export import json_text

        typer.echo(json_text(document))
    else:
        _print(document, store)
    return 0 if sealed.confirmed else NO_KEY


def _settings(
    counts: Path, n_bits: int, accounting: str, engine: tuple[str, str | None, float]
) -> "tuple[DistilSettings, float]":
    """What both know beforehand, and the secrecy it spends; private bits are without a vacuum part."""
    from dataclasses import replace

    from combmesh.config.counts import load_counts
    from combmesh.distill.ledger import ACCOUNTINGS
    from combmesh.distill.reconcile import choose_engine
    from combmesh.distill.settings import DistilSettings
    from combmesh.ground.errors import InputError
    from combmesh.protocol.epsilon import verification_bits
    from combmesh.protocol.mdi.files.counts import CountTable

    if accounting not in ACCOUNTINGS:
        raise InputError(f"`--accounting` must be one of {', '.join(ACCOUNTINGS)}, but is {accounting!r}.")
    table = load_counts(counts)
    if not isinstance(table, CountTable):
        raise InputError(f"`{counts}` is a table of another protocol; `combmesh distill` is for mdi.")
    zz = table.counts.Z["zz"]
    if zz.detected != n_bits:
        raise InputError(f"`counts.Z.zz.detected` is {zz.detected:.15g}, but there are {n_bits} sifted bits.")
    if table.consistency().impossible:
        raise InputError(f"`{counts}` holds counts that cannot be; `combmesh key {counts}` says which.")
    unspent = replace(table, f_ec=None, leak_bits=0.0, vacuum_credit=False)
    chosen = unspent.chosen(unspent.results())
    qber = (zz.errors or 0.0) / zz.detected
    spent = table.epsilon.budget()
    tag_term = verification_bits(spent.correctness)  # the ledger holds the tag itself
    budget_bits = min(chosen.signed_bits + tag_term, n_bits)
    chosen_engine, schedule = choose_engine(n_bits, qber, 1e-3 * engine[2])
    if engine[0] != "auto":
        chosen_engine = cast("Engine", engine[0])
    settings = DistilSettings(
        min(qber, 0.49),
        budget_bits,
        accounting,
        spent.correctness,
        chosen_engine,
        cast("ScheduleName", engine[1] or schedule),
    )
    return settings, spent.secrecy


def _sealed(session: "Session") -> "Sealed":
    from combmesh.ground.errors import RunError

    if session.result is None:
        raise RunError("The talk has ended without a result.")
    return session.result


def _keep(keys: "SqliteStore", peer: str, block: int, origin: str, key: "SecretKey", confirmed: bool) -> None:
    """Put a key into the store, pending until the other user is known to have it."""
    from combmesh.keystore.model import Origin, StoredKey

    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    light: Origin = "simulated" if origin == "simulated" else "measured"
    keys.put_pending(StoredKey(key.key_id, keys.user, peer, 0, block, light, key.n_bits, key.material, now))
    if confirmed:
        keys.make_available(key.key_id)


def _held(keys: "SqliteStore", peer: str) -> list[str]:
    """The available keys with a user, by block."""
    index = sorted(keys.key_index().items())
    return [key_id for (other, _, _), (key_id, state) in index if other == peer and state == "available"]


def _confirm(keys: "SqliteStore", peer: str, peer_holds: tuple[str, ...]) -> None:
    """Earlier keys that were pending because word of the other user was lost: he holds them."""
    for (other, _, _), (key_id, state) in keys.key_index().items():
        if other == peer and state == "pending" and key_id in peer_holds:
            keys.make_available(key_id)


def _document(
    sealed: "Sealed", n_bits: int, settings: "DistilSettings", pads_left: int, origin: str
) -> dict[str, object]:
    from combmesh.protocol.mdi.bounds import binary_entropy

    found = sealed.distilled
    shannon = n_bits * binary_entropy((found.n_errors or 0) / n_bits)
    return {
        "origin": origin,
        "outcome": found.outcome if not sealed.starved else "starved",
        "confirmed": sealed.confirmed,
        "key_id": found.key.key_id if found.key else None,
        "key_bits": found.key.n_bits if found.key else 0,
        "sifted_bits": n_bits,
        "private_bits_before_leak": settings.budget_bits,
        "errors": found.n_errors,
        "engine": settings.engine,
        "schedule": settings.schedule if settings.engine == "cascade" else None,
        "accounting": settings.accounting,
        "alice_disclosed_bits": found.alice_bits,
        "bob_disclosed_bits": found.bob_bits,
        "f": found.parity_bits / shannon if shannon else None,
        "round_trips": found.n_requests,
        "bytes_sent": sealed.bytes_sent,
        "bytes_received": sealed.bytes_received,
        "pads_left": pads_left,
    }


def _print(document: dict[str, Any], store: Path) -> None:
    f = "–" if document["f"] is None else f"{document['f']:.3f}"
    lines = [
        f"{document['sifted_bits']:,} sifted bits ({document['origin']}), {document['errors']} errors; "
        f"{document['engine']}, {document['accounting']} leak: f = {f}, {document['alice_disclosed_bits']:,} bits by "
        f"Alice, {document['bob_disclosed_bits']:,} by Bob, {document['round_trips']:,} round trips.",
        f"Failure probability {document['epsilon']['total']:.2g} in all; pads are left for "
        f"{document['pads_left']:,} blocks.",
    ]
    if document["key_id"] is None:
        lines.append(f"No key: {str(document['outcome']).removeprefix('no key: ')}.")
    else:
        state = "both users hold it" if document["confirmed"] else "the other user has not confirmed it; it is pending"
        lines.append(f"Key {document['key_id']} of {document['key_bits']:,} bits is in {store}; {state}.")
    print("\n".join(lines), file=sys.stdout)
