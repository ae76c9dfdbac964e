"""Where every bit is: counts that always add up, and the end of bits that are too old."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from combmesh.ground.errors import RunError, check_range
from combmesh.keystore import copies
from combmesh.keystore.blocks import DIRECTIONS
from combmesh.keystore.desk import Desk
from combmesh.keystore.layout import layout
from combmesh.keystore.model import Origin
from combmesh.keystore.pool import usable_bits
from combmesh.keystore.reservation import sweep

Where = Literal["out", "in", "common"]


@dataclass(frozen=True)
class Count:
    """Bits of one pair, direction and origin.

    Attributes:
        direction: `out`, keys that are taken here; `in`, keys that are collected here; `common`, naming secrets
            (reserved while their block lives) and bits at the end of blocks that fill no byte (void).
        made: bits of all blocks that were made available.
        ready: of the available, those in open shares; the others need a meeting first.
        reserved: promised: pads of copies that are under way.
        delivered: left as keys, or as pads of copies.
    """

    direction: Where
    origin: Origin
    made: int
    available: int
    ready: int
    reserved: int
    delivered: int
    expired: int
    void: int

    @property
    def balanced(self) -> bool:
        return self.made == self.available + self.reserved + self.delivered + self.expired + self.void


@dataclass(frozen=True)
class CopyCount:
    """Bits of copies for further slaves, which come on top of the pool; `direction` is that of their way."""

    direction: Literal["out", "in"]
    reserved: int
    delivered: int
    expired: int
    void: int


@dataclass(frozen=True)
class PairStatus:
    """All bits that a user has with a peer; `pending_bits` are not made yet."""

    peer: str
    pending_bits: int
    counts: tuple[Count, ...]
    copies: tuple[CopyCount, ...]

    def available_bits(self, direction: Where = "out", allow_simulated: bool = True) -> int:
        """Bits that can still be handed out."""
        return sum(
            count.available
            for count in self.counts
            if count.direction == direction and (allow_simulated or count.origin == "measured")
        )

    def ready_bits(self, allow_simulated: bool = True) -> int:
        """Bits of open out shares."""
        return sum(
            count.ready
            for count in self.counts
            if count.direction == "out" and (allow_simulated or count.origin == "measured")
        )


def status(desk: Desk, peer: str) -> PairStatus:
    """Counts of a pair; refuses to answer if they do not add up."""
    pending = desk.tx.one("SELECT SUM(n_bits) FROM keys WHERE peer = ? AND state = 'pending'", peer)
    counts = _share_counts(desk, peer) + _common_counts(desk, peer)
    for count in counts:
        if not count.balanced:
            raise RunError(f"The bits of {desk.user!r} with {peer!r} do not add up: {count}.")
    rows = desk.tx.all(
        "SELECT direction, state, SUM(n_bits) FROM copies WHERE peer = ? GROUP BY direction, state", peer
    )
    found = {(direction, state): int(bits) for direction, state, bits in rows}
    copy_counts = tuple(
        CopyCount(way, *(found.get((way, state), 0) for state in ("reserved", "delivered", "expired", "void")))
        for way in DIRECTIONS
        if any(direction == way for direction, _ in found)
    )
    return PairStatus(peer, int((pending and pending[0]) or 0), counts, copy_counts)


def _share_counts(desk: Desk, peer: str) -> tuple[Count, ...]:
    made = desk.tx.all(
        "SELECT direction, origin, SUM(n_bytes) FROM shares WHERE peer = ? GROUP BY direction, origin"
        " ORDER BY direction, origin",
        peer,
    )
    rows = desk.tx.all(
        "SELECT h.direction, h.origin, s.state, SUM(s.stop - s.start),"
        " SUM(CASE WHEN h.opened IN ('', 'done') THEN 0 ELSE s.stop - s.start END)"
        " FROM shares h JOIN spans s ON s.key_id = h.key_id AND s.direction = h.direction WHERE h.peer = ?"
        " GROUP BY h.direction, h.origin, s.state",
        peer,
    )
    found = {(way, origin, state): (8 * int(n), 8 * int(ready)) for way, origin, state, n, ready in rows}
    counts = []
    for way, origin, n_bytes in made:
        bits = {
            state: found.get((way, origin, state), (0, 0))
            for state in ("available", "reserved", "delivered", "expired", "void")
        }
        others = (bits[state][0] for state in ("reserved", "delivered", "expired", "void"))
        counts.append(Count(way, origin, 8 * int(n_bytes), *bits["available"], *others))
    return tuple(counts)


def _common_counts(desk: Desk, peer: str) -> tuple[Count, ...]:
    secret: dict[Origin, int] = {}
    total: dict[Origin, int] = {}
    rows = desk.tx.all(
        "SELECT k.origin, k.n_bits, k.state, (SELECT COALESCE(SUM(h.n_bytes), 0) FROM shares h"
        " WHERE h.key_id = k.key_id) FROM keys k WHERE k.peer = ? AND k.state <> 'pending'",
        peer,
    )
    for origin, n_bits, state, n_bytes in rows:
        total[origin] = total.get(origin, 0) + n_bits - 8 * int(n_bytes)
        if state == "available":
            secret[origin] = secret.get(origin, 0) + 8 * layout(n_bits).secret
    return tuple(
        Count("common", origin, bits, 0, 0, secret.get(origin, 0), 0, 0, bits - secret.get(origin, 0))
        for origin, bits in sorted(total.items())
    )


def expire(desk: Desk, max_age_s: float, collect_s: float) -> int:
    """End what is too old, by the time at which its block was made, and return the bits.

    A master gets no key that is older than `max_age_s`; a slave has `collect_s` longer, so that what was taken at the
    last moment can be collected. A copy has `collect_s` from when it was made.
    """
    check_range("max_age_s", max_age_s, 0.0)
    check_range("collect_s", collect_s, 0.0)
    now = datetime.fromisoformat(desk.now_utc)
    limits = {"out": now - timedelta(seconds=max_age_s), "in": now - timedelta(seconds=max_age_s + collect_s)}
    bits = sum(_expire_shares(desk, direction, limits[direction]) for direction in DIRECTIONS)
    oldest = (now - timedelta(seconds=collect_s)).isoformat()
    copies.give_up(desk, "direction = 'out' AND created_utc < ?", oldest)
    bits += copies.expire_held(desk, oldest)
    if bits:
        desk.tx.note("expired", bits=bits)
    return bits


def _expire_shares(desk: Desk, direction: Literal["out", "in"], limit: datetime) -> int:
    bits = 0
    rows = desk.tx.all(
        "SELECT h.key_id, h.created_utc FROM shares h JOIN keys k ON k.key_id = h.key_id"
        " WHERE h.direction = ? AND k.state = 'available' AND EXISTS (SELECT 1 FROM spans s"
        " WHERE s.key_id = h.key_id AND s.direction = h.direction AND s.state = 'available')",
        direction,
    )
    for key_id, created_utc in rows:
        created = datetime.fromisoformat(created_utc)
        if created.replace(tzinfo=created.tzinfo or limit.tzinfo) >= limit:
            continue
        block = desk.block(key_id)
        if block is None:
            continue
        share = block.out if direction == "out" else block.into
        end = share.spans[-1].stop
        new = sweep(share.spans, 0, end, ["available"], "expired")
        bits += 8 * sum(span.stop - span.start for span in share.spans if span.state == "available")
        desk.put_share(key_id, direction, share.spans, new)
    return bits


def key_count(desk: Desk, peer: str, size_bits: int, allow_simulated: bool) -> int:
    """Keys of a size that are in open shares."""
    check_range("size_bits", size_bits, 8.0)
    return usable_bits(desk, peer, size_bits // 8, allow_simulated) // (8 * (size_bits // 8))
