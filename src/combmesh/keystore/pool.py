"""The pool of a pair: bits in open out shares, from which keys and pads are cut."""

from collections.abc import Iterator

from combmesh.keystore.desk import Desk
from combmesh.keystore.model import Origin
from combmesh.keystore.requests import ExhaustedError, NotMetError
from combmesh.keystore.reservation import BitState

MOST_TRIES = 100
"""Waits for another writer's span, which may be gone when it is free."""

_FIND = (
    "SELECT s.key_id, s.start, s.stop, h.origin FROM shares h JOIN spans s"
    " ON s.key_id = h.key_id AND s.direction = h.direction"
    " WHERE h.peer = ? AND h.direction = 'out' AND h.opened = 'yes' AND s.state = 'available'"
    " AND s.stop - s.start >= ? AND (h.origin = 'measured' OR ? = 1)"
)


def check_met(desk: Desk, peer: str) -> None:
    """Nothing leaves before both terminals have compared their marks in this session."""
    row = desk.tx.one("SELECT met FROM peers WHERE peer = ?", peer)
    if row is None or not desk.nonce or row[0] != desk.nonce:
        raise NotMetError(desk.user, peer)


def usable_bits(desk: Desk, peer: str, n_bytes: int, allow_simulated: bool) -> int:
    """Bits in open shares that make whole keys of `n_bytes`."""
    rows = desk.tx.all(_FIND, peer, n_bytes, int(allow_simulated))
    return sum(8 * n_bytes * ((stop - start) // n_bytes) for _, start, stop, _ in rows)


def reserve(
    desk: Desk, peer: str, number: int, n_bytes: int, allow_simulated: bool, state: BitState
) -> Iterator[tuple[str, int, Origin, bytes]]:
    """Move bits for `number` strings of `n_bytes` out of the pool: (block, first byte, origin, bytes) of each."""
    left = number
    while left:
        row = _next_span(desk, peer, n_bytes, allow_simulated)
        if row is None:
            done = 8 * n_bytes * (number - left)
            raise ExhaustedError(
                peer,
                8 * n_bytes * number,
                done + usable_bits(desk, peer, n_bytes, allow_simulated),
                _hint(desk, peer, allow_simulated),
            )
        key_id, start, stop, origin = row
        count = min(left, (stop - start) // n_bytes)
        sealer = desk.sealer(key_id)
        taken = desk.erase(key_id, "out", sealer, start, start + count * n_bytes)
        desk.move(key_id, "out", start, start + count * n_bytes, "available", state)
        for i in range(count):
            yield key_id, start + i * n_bytes, origin, taken[i * n_bytes : (i + 1) * n_bytes]
        left -= count


def _next_span(desk: Desk, peer: str, n_bytes: int, allow_simulated: bool) -> tuple[str, int, int, Origin] | None:
    """The oldest span that is long enough, locked; one that another writer holds only if there is no other."""
    found = f"{_FIND} ORDER BY h.created_utc, h.key_id, s.start LIMIT 1"
    values = (peer, n_bytes, int(allow_simulated))
    row = desk.tx.one(found + desk.tx.lock, *values)
    tries = MOST_TRIES if desk.tx.lock else 0
    while row is None and tries and usable_bits(desk, peer, n_bytes, allow_simulated):
        row = desk.tx.one(found + desk.tx.wait_lock, *values)
        tries -= 1
    return row


def _hint(desk: Desk, peer: str, allow_simulated: bool) -> str:
    rows = desk.tx.all(
        "SELECT DISTINCT origin, opened FROM shares WHERE peer = ? AND direction = 'out' AND opened <> 'done'", peer
    )
    if not allow_simulated and any(origin == "simulated" for origin, _ in rows):
        return " (there are simulated keys, which are not allowed)"
    return " (the next meeting opens more)" if any(state == "" for _, state in rows) else ""
