"""Further slaves of a key: at another terminal under a one-time pad, at the master's own without one.

The pad comes from the sender's out share with that terminal, with 32 bytes more for the one-time key of a Poly1305 tag,
so that the way of a copy is information-theoretically secret and authentic: a copy that was changed is taken with a
probability of at most 8 ceil(L/16) / 2^106 for L bytes. A copy costs its size and 256 bits of the pool.

The sender keeps the wrapped key until the other terminal says that it has it, and sends the very same again; the pad is
`reserved` so long. At the other terminal the copy waits, sealed, until its slave collects it.
"""

from collections.abc import Sequence
from hmac import compare_digest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.desk import Desk
from combmesh.keystore.model import ORIGINS, Origin
from combmesh.keystore.naming import is_name
from combmesh.keystore.pool import check_met, reserve
from combmesh.keystore.requests import (
    DeliveredKey,
    NotEntitledError,
    Recipient,
    SimulatedKeyError,
    UnknownKeyError,
    WrappedKey,
    check_name,
)
from combmesh.keystore.reservation import CLOSED, DONE, covered
from combmesh.keystore.sealing import Wrapped

Label = tuple[str, str, str, int, Origin, str, str]
TAG_KEY_BYTES = 32


def send(
    desk: Desk, master_sae: str, recipient: Recipient, keys: Sequence[DeliveredKey], allow_simulated: bool
) -> None:
    """Put a copy of each key aside for a further slave."""
    if recipient.user == desk.user:
        for key in keys:
            _hold(desk, key, master_sae, recipient.sae, desk.user)
        return
    n_bytes = keys[0].size_bits // 8 + TAG_KEY_BYTES
    pads = reserve(desk, recipient.user, len(keys), n_bytes, allow_simulated, "reserved")
    for key, (block, start, _, pad) in zip(keys, pads, strict=True):
        label = (desk.user, recipient.user, key.key_id, key.size_bits, key.origin, master_sae, recipient.sae)
        cipher = _xor(key.material, pad[:-TAG_KEY_BYTES])
        _put_out(desk, WrappedKey(*label, block, start, cipher, _tag(pad, label, block, start, cipher)))


def _put_out(desk: Desk, wrapped: WrappedKey) -> None:
    outer, sealer = desk.vault.new(desk.user, wrapped.peer, wrapped.key_id, wrapped.slave_sae, "out")
    sealed = sealer.seal(wrapped.tag + wrapped.cipher, desk.user, wrapped.key_id, wrapped.slave_sae, "out")
    _insert(desk, wrapped, wrapped.peer, "out", outer, sealed)
    desk.tx.note("wrapped", peer=wrapped.peer, slave=wrapped.slave_sae, key=wrapped.key_id, bits=wrapped.size_bits)


def _hold(
    desk: Desk, key: DeliveredKey, master_sae: str, slave_sae: str, peer: str, pad: tuple[str, int] = ("", 0)
) -> None:
    outer, sealer = desk.vault.new(desk.user, peer, key.key_id, slave_sae, "in")
    sealed = sealer.seal(key.material, desk.user, key.key_id, slave_sae, "in")
    label = (peer, desk.user, key.key_id, key.size_bits, key.origin, master_sae, slave_sae, *pad, b"", b"")
    _insert(desk, WrappedKey(*label), peer, "in", outer, sealed)
    desk.tx.note("held", peer=peer, master=master_sae, slave=slave_sae, key=key.key_id, bits=key.size_bits)


def _insert(desk: Desk, label: WrappedKey, peer: str, direction: str, outer: Wrapped, sealed: bytes) -> None:
    desk.tx.run(
        "INSERT INTO copies VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?, ?)",
        *(label.key_id, label.slave_sae, label.master_sae, peer, direction, label.origin, label.size_bits),
        *(desk.now_utc, label.pad_block, label.pad_start, outer.kek, outer.sealed, sealed),
    )


def outgoing(desk: Desk, peer: str) -> tuple[WrappedKey, ...]:
    """Copies for slaves at `peer`'s terminal that it has not accepted yet."""
    rows = desk.tx.all(
        "SELECT key_id, slave_sae, master_sae, origin, n_bits, pad_block, pad_start, kek, wrapped, sealed FROM copies"
        " WHERE peer = ? AND direction = 'out' AND state = 'reserved' ORDER BY created_utc, key_id",
        peer,
    )
    result = []
    for key_id, slave, master, origin, n_bits, block, start, kek, outer, sealed in rows:
        sealer = desk.vault.sealer(Wrapped(kek, outer), desk.user, peer, key_id, slave, "out")
        plain = sealer.open(sealed, desk.user, key_id, slave, "out")
        label = (desk.user, peer, key_id, n_bits, origin, master, slave, block, start)
        result.append(WrappedKey(*label, plain[16:], plain[:16]))
    return tuple(result)


def accept(desk: Desk, copy: WrappedKey) -> None:
    """Unwrap a copy and keep it for its slave; the same copy again changes nothing."""
    _check_copy(desk, copy)
    check_met(desk, copy.user)
    row = desk.tx.one(
        "SELECT pad_block, pad_start FROM copies WHERE key_id = ? AND slave_sae = ? AND direction = 'in'",
        copy.key_id,
        copy.slave_sae,
    )
    if row is not None:
        if row != (copy.pad_block, copy.pad_start):
            raise RunError(f"Another copy of the key {copy.key_id} for {copy.slave_sae!r} was accepted before.")
        return
    stop = copy.pad_start + len(copy.cipher) + TAG_KEY_BYTES
    block = desk.block(copy.pad_block)
    peer = desk.tx.one("SELECT peer FROM keys WHERE key_id = ?", copy.pad_block)
    shut = block is None or block.into.opened in (CLOSED, DONE) or peer != (copy.user,)
    if block is None or shut or not covered(block.into.spans, copy.pad_start, stop, "available"):
        raise RunError(f"The pad of the copy of the key {copy.key_id} is not available here.")
    sealer = desk.sealer(copy.pad_block)
    pad = desk.read_bytes(copy.pad_block, "in", sealer, copy.pad_start, stop)
    label = (copy.user, copy.peer, copy.key_id, copy.size_bits, copy.origin, copy.master_sae, copy.slave_sae)
    if not compare_digest(copy.tag, _tag(pad, label, copy.pad_block, copy.pad_start, copy.cipher)):
        raise RunError(f"The copy of the key {copy.key_id} was changed on its way: its tag does not fit.")
    desk.erase(copy.pad_block, "in", sealer, copy.pad_start, stop)
    desk.move(copy.pad_block, "in", copy.pad_start, stop, "available", "delivered")
    key = DeliveredKey(copy.key_id, copy.size_bits, copy.origin, _xor(copy.cipher, pad[:-TAG_KEY_BYTES]))
    _hold(desk, key, copy.master_sae, copy.slave_sae, copy.user, (copy.pad_block, copy.pad_start))


def _check_copy(desk: Desk, copy: WrappedKey) -> None:
    if copy.peer != desk.user:
        raise InputError(f"`copy.peer` must be {desk.user!r}, but is {copy.peer!r}.")
    check_name("master_sae", copy.master_sae)
    check_name("slave_sae", copy.slave_sae)
    if (
        not is_name(copy.key_id)
        or copy.origin not in ORIGINS
        or copy.size_bits != 8 * len(copy.cipher)
        or not copy.cipher
        or copy.pad_start < 0
    ):
        raise InputError(f"The copy of the key {copy.key_id} is not well formed.")


def accepted(desk: Desk, key_id: str, slave_sae: str) -> None:
    """The other terminal has a copy: the pad is used for good, and what was kept to send it again goes."""
    row = desk.tx.one(
        "SELECT n_bits, pad_block, pad_start, state, peer FROM copies"
        " WHERE key_id = ? AND slave_sae = ? AND direction = 'out'",
        key_id,
        slave_sae,
    )
    if row is None:
        raise UnknownKeyError(key_id)
    n_bits, block, start, state, peer = row
    if state != "reserved":
        return
    desk.move(block, "out", start, start + n_bits // 8 + TAG_KEY_BYTES, "reserved", "delivered")
    _finish(desk, key_id, slave_sae, "out", "delivered")
    desk.tx.note("accepted", peer=peer, slave=slave_sae, key=key_id)


def give_up(desk: Desk, condition: str, *values: object) -> None:
    """Void the copies under a condition; for those on their way the pad is void too."""
    rows = desk.tx.all(
        "SELECT key_id, slave_sae, direction, n_bits, pad_block, pad_start, peer FROM copies"
        f" WHERE state = 'reserved' AND {condition}",
        *values,
    )
    for key_id, slave, direction, n_bits, block, start, peer in rows:
        stop = start + n_bits // 8 + TAG_KEY_BYTES
        if direction == "out" and covered(desk.spans_at(block, "out", start, stop), start, stop, "reserved"):
            desk.move(block, "out", start, stop, "reserved", "void")
        _finish(desk, key_id, slave, direction, "void")
        desk.tx.note("copy void", peer=peer, slave=slave, key=key_id, bits=n_bits)


def expire_held(desk: Desk, before_utc: str) -> int:
    """End copies that no slave has collected, and return their bits."""
    rows = desk.tx.all(
        "SELECT key_id, slave_sae, n_bits FROM copies"
        " WHERE direction = 'in' AND state = 'reserved' AND created_utc < ?",
        before_utc,
    )
    for key_id, slave, _ in rows:
        _finish(desk, key_id, slave, "in", "expired")
    return sum(int(n_bits) for _, _, n_bits in rows)


def _finish(desk: Desk, key_id: str, slave_sae: str, direction: str, state: str) -> None:
    desk.tx.run(
        "UPDATE copies SET state = ?, kek = NULL, wrapped = NULL, sealed = NULL"
        " WHERE key_id = ? AND slave_sae = ? AND direction = ?",
        state,
        key_id,
        slave_sae,
        direction,
    )


def collect(
    desk: Desk, slave_sae: str, master_sae: str, peer: str, key_id: str, allow_simulated: bool
) -> DeliveredKey | None:
    """Hand out the copy that waits for a slave; None if there is no copy of this key here."""
    rows = desk.tx.all(
        "SELECT slave_sae, master_sae, origin, n_bits, state, kek, wrapped, sealed FROM copies"
        " WHERE key_id = ? AND direction = 'in' AND peer = ?",
        key_id,
        peer,
    )
    for slave, master, origin, n_bits, state, kek, outer, sealed in rows:
        if (slave, master) != (slave_sae, master_sae):
            continue
        if state != "reserved":
            raise UnknownKeyError(key_id)
        if origin == "simulated" and not allow_simulated:
            raise SimulatedKeyError(key_id)
        sealer = desk.vault.sealer(Wrapped(kek, outer), desk.user, peer, key_id, slave, "in")
        material = sealer.open(sealed, desk.user, key_id, slave, "in")
        _finish(desk, key_id, slave, "in", "delivered")
        return DeliveredKey(key_id, n_bits, origin, material)
    if rows:
        raise NotEntitledError(key_id, slave_sae, master_sae)
    return None


def _tag(pad: bytes, label: Label, block: str, start: int, cipher: bytes) -> bytes:
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    parts = [str(part).encode() for part in (*label, block, start)] + [cipher]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return Poly1305.generate_tag(pad[-TAG_KEY_BYTES:], message)


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
