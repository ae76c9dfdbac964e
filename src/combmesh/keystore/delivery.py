"""How keys leave: to a master once, and once to each slave.

The bits of a key are erased and its fate is on the disk before the caller has it. A reply that is lost on the way burns
the key; it is never handed out again.
"""

from collections.abc import Sequence

from combmesh.keystore import copies
from combmesh.keystore.desk import Desk
from combmesh.keystore.model import Origin
from combmesh.keystore.naming import SECRET_BYTES, Namer, Place, Resolved, is_name
from combmesh.keystore.pool import check_met, reserve
from combmesh.keystore.requests import (
    DeliveredKey,
    NotEntitledError,
    Recipient,
    SimulatedKeyError,
    UnknownKeyError,
    check_collection,
    check_request,
)


def take(
    desk: Desk, master_sae: str, recipients: Sequence[Recipient], number: int, size_bits: int, allow_simulated: bool
) -> tuple[DeliveredKey, ...]:
    check_request(desk.user, master_sae, recipients, number, size_bits)
    first = next(recipient for recipient in recipients if recipient.user != desk.user)
    for peer in {recipient.user for recipient in recipients} - {desk.user}:
        check_met(desk, peer)
    n_bytes = size_bits // 8
    keys = []
    places: list[str] = []
    namers: dict[str, Namer] = {}
    for block, start, origin, material in reserve(desk, first.user, number, n_bytes, allow_simulated, "delivered"):
        if block not in namers:
            namers[block] = _namer(desk, block, desk.user)
        name = namers[block].name(Place(start, n_bytes), master_sae, first.sae)
        keys.append(DeliveredKey(name, size_bits, origin, material))
        places.append(f"{block}:{start}")
    desk.tx.note(
        "taken",
        peer=first.user,
        master=master_sae,
        slaves=[recipient.sae for recipient in recipients],
        size_bits=size_bits,
        keys={key.key_id: place for key, place in zip(keys, places, strict=True)},
    )
    for recipient in recipients:
        if recipient is not first:
            copies.send(desk, master_sae, recipient, keys, allow_simulated)
    return tuple(keys)


def _namer(desk: Desk, key_id: str, master_user: str) -> Namer:
    """The namer of a share that is not used up; its secret is kept in the vault."""
    secret = desk.vault.names.get(key_id)
    if secret is None:
        secret = desk.ends(key_id, desk.sealer(key_id))[:SECRET_BYTES]
        desk.vault.remember_name(key_id, secret)
    return Namer(secret, master_user)


def collect(
    desk: Desk, slave_sae: str, master_sae: str, peer: str, key_ids: Sequence[str], allow_simulated: bool
) -> tuple[DeliveredKey, ...]:
    check_collection(slave_sae, master_sae, key_ids)
    if peer != desk.user:
        check_met(desk, peer)
    keys = [_collect_one(desk, slave_sae, master_sae, peer, key_id, allow_simulated) for key_id in key_ids]
    desk.tx.note(
        "collected", peer=peer, master=master_sae, slave=slave_sae, keys={key.key_id: key.size_bits for key in keys}
    )
    return tuple(keys)


def _collect_one(
    desk: Desk, slave_sae: str, master_sae: str, peer: str, key_id: str, allow_simulated: bool
) -> DeliveredKey:
    if not is_name(key_id):
        raise UnknownKeyError(key_id)
    key_id = key_id.lower()
    found = _resolve(desk, peer, key_id) if peer != desk.user else None
    if found is None or not found[1].entitles(master_sae, slave_sae):
        copy = copies.collect(desk, slave_sae, master_sae, peer, key_id, allow_simulated)
        if copy is None and found is None:
            raise UnknownKeyError(key_id)
        if copy is None:
            raise NotEntitledError(key_id, slave_sae, master_sae)
        return copy
    block, resolved, origin = found
    start, stop = resolved.place.start, resolved.place.start + resolved.place.length
    spans = desk.spans_at(block, "in", start, stop)
    if not any(span.start <= start and stop <= span.stop and span.state == "available" for span in spans):
        raise UnknownKeyError(key_id)
    if origin == "simulated" and not allow_simulated:
        raise SimulatedKeyError(key_id)
    material = desk.erase(block, "in", desk.sealer(block), start, stop)
    desk.move(block, "in", start, stop, "available", "delivered")
    return DeliveredKey(key_id, 8 * resolved.place.length, origin, material)


def _resolve(desk: Desk, peer: str, key_id: str) -> tuple[str, Resolved, Origin] | None:
    """The open in share that a name belongs to; the one that was right last time is tried first."""
    shares = desk.tx.all(
        "SELECT key_id, origin FROM shares WHERE peer = ? AND direction = 'in' AND opened <> '' AND opened <> 'done'",
        peer,
    )
    last = desk.vault.last_block.get(peer)
    for block, origin in sorted(shares, key=lambda share: share[0] != last):
        resolved = _namer(desk, block, peer).resolve(key_id)
        if resolved is not None:
            desk.vault.last_block[peer] = block
            return block, resolved, origin
    return None
