"""Which bits of a block are whose, as a pure state machine; both kinds of store and the exhaustive tests run on it.

A block that both users of a pair hold is cut into two shares. Each user hands out keys from one of them only, its
`out` share, as the master's terminal; the same bytes are the other user's `in` share, from which it answers the slave.
So no byte can be handed out by both, and a request needs no word with the other terminal.

Bytes: available -> reserved | delivered | expired | void, and reserved -> delivered | void; the last three are final.
Blocks: pending -> available -> spent (no byte is left that may still leave); a pending one may be discarded.

An out share is opened before its first byte leaves: the peer records that it is open, then says so. That record is the
high-water mark which a peer keeps for a user: what the user can have handed out lies in shares that the peer knows as
open. The user's own mark, how far each open share is used, is what it tells a peer that has lost its memory.

Each run of a terminal is a session with the next epoch and a random nonce. Peers remember the last of them. A store
that comes with an epoch that is not above it has been put back from a backup: it is told so, and voids what lies below
the marks, before it hands out anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from combmesh.ground.errors import InputError

BitState = Literal["available", "reserved", "delivered", "expired", "void"]
BlockState = Literal["pending", "available", "spent"]
Direction = Literal["out", "in"]
Verdict = Literal["allowed", "refused", "later"]

BIT_STEPS: dict[BitState, frozenset[BitState]] = {
    "available": frozenset({"reserved", "delivered", "expired", "void"}),
    "reserved": frozenset({"delivered", "void"}),
    "delivered": frozenset(),
    "expired": frozenset(),
    "void": frozenset(),
}
LIVE: frozenset[BitState] = frozenset({"available", "reserved"})

CLOSED, OPEN, DONE = "", "yes", "done"
"""`Share.opened` of an out share; of an in share, the nonce of the session that opened it stands for OPEN."""


class Span(NamedTuple):
    """Bytes from `start` to before `stop`, all in one state."""

    start: int
    stop: int
    state: BitState


@dataclass(frozen=True)
class Share:
    """One direction of a block at one user: its bytes, and whether it is open."""

    spans: tuple[Span, ...]
    opened: str = CLOSED

    @property
    def used(self) -> int:
        """Bytes from the start that may have left, or are promised; what is void may have left before a restore."""
        gone = ("reserved", "delivered", "void")
        return max((span.stop for span in self.spans if span.state in gone), default=0)

    @property
    def live(self) -> bool:
        """Whether a byte may still leave."""
        return any(span.state in LIVE for span in self.spans)


@dataclass(frozen=True)
class Block:
    """A block as one user holds it."""

    key_id: str
    state: BlockState
    out: Share
    into: Share

    @property
    def settled_state(self) -> BlockState:
        """`spent` once no byte of an available block may still leave."""
        return "spent" if self.state == "available" and not (self.out.live or self.into.live) else self.state


class Session(NamedTuple):
    """One run of a terminal."""

    epoch: int
    nonce: str


@dataclass(frozen=True)
class Hello:
    """First word of a meeting.

    Attributes:
        user, peer: who speaks, and to whom.
        session: of the speaker.
        restored: whether the speaker knows that its store was put back from a backup.
        holds: blocks of the pair that are pending or available at the speaker.
    """

    user: str
    peer: str
    session: Session
    restored: bool
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """What one user knows of a block that the other holds.

    Attributes:
        known: whether there is a trace of it, a tombstone included.
        pending: whether it is pending here.
        in_open: whether the other's out share was ever opened.
        out_open: whether this user's own out share was ever opened.
        out_used: bytes from the start of that share that may have left.
    """

    key_id: str
    known: bool
    pending: bool = False
    in_open: bool = False
    out_open: bool = False
    out_used: int = 0


@dataclass(frozen=True)
class Answer:
    """Second word of a meeting: the marks that `user` keeps for `peer`.

    Attributes:
        session: of the speaker.
        nonce: of the session that is answered.
        restored: whether that session's store is older than what the speaker remembers.
        seen_epoch: the latest epoch of it that the speaker remembers.
        marks: for each block that the other said it holds.
    """

    user: str
    peer: str
    session: Session
    nonce: str
    restored: bool
    seen_epoch: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Opening:
    """Third word: blocks whose out share `user` wants to open."""

    user: str
    peer: str
    nonce: str
    key_ids: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """Last word: what `user` recorded as open, and what it refuses for good.

    Attributes:
        recorded_in: nonce of the speaker's session; a peer that has heard a later one does not open by it, for the
            record may be gone.
        nonce: of the session that is answered.
    """

    user: str
    peer: str
    recorded_in: str
    nonce: str
    allowed: tuple[str, ...]
    refused: tuple[str, ...]


def check_step(before: BitState, after: BitState) -> None:
    """Refuse a change of state that is not in `BIT_STEPS`."""
    if after not in BIT_STEPS[before]:
        raise InputError(f"Bits that are {before} cannot become {after}.")


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same bytes in as few spans as possible, in order."""
    result: list[Span] = []
    for span in spans:
        if result and result[-1].state == span.state and result[-1].stop == span.start:
            result[-1] = Span(result[-1].start, span.stop, span.state)
        elif span.stop > span.start:
            result.append(span)
    return tuple(result)


def sweep(
    spans: Sequence[Span], start: int, stop: int, before: Iterable[BitState], after: BitState
) -> tuple[Span, ...]:
    """Move every byte of [start, stop) that is in one of the states `before` to `after`; others stay.

    >>> spans = sweep([Span(0, 4, "delivered"), Span(4, 9, "available")], 2, 6, ["available"], "void")
    >>> [tuple(span) for span in spans]
    [(0, 4, 'delivered'), (4, 6, 'void'), (6, 9, 'available')]
    """
    states = frozenset(before)
    for state in states:
        check_step(state, after)
    pieces = []
    for span in spans:
        low, high = max(span.start, start), min(span.stop, stop)
        if span.state not in states or low >= high:
            pieces.append(span)
            continue
        pieces += [Span(span.start, low, span.state), Span(low, high, after), Span(high, span.stop, span.state)]
    return merged(piece for piece in pieces if piece.stop > piece.start)


def covered(spans: Sequence[Span], start: int, stop: int, state: BitState) -> bool:
    """Whether every byte of [start, stop) is in `state`."""
    return start < stop and any(span.start <= start and stop <= span.stop and span.state == state for span in spans)


def change(spans: Sequence[Span], start: int, stop: int, before: BitState, after: BitState) -> tuple[Span, ...]:
    """Move [start, stop) from `before` to `after`; all of it must be in `before`."""
    if not covered(spans, start, stop, before):
        raise InputError(f"Bytes {start} to {stop} of the share are not all {before}.")
    return sweep(spans, start, stop, [before], after)


def take(share: Share, n_bytes: int) -> tuple[Share, int] | None:
    """Deliver the first `n_bytes` that are available in a row in an open out share, and say where they start."""
    if share.opened != OPEN:
        return None
    for span in share.spans:
        if span.state == "available" and span.stop - span.start >= n_bytes:
            spans = change(share.spans, span.start, span.start + n_bytes, "available", "delivered")
            return replace(share, spans=spans), span.start
    return None


def collect(share: Share, start: int, n_bytes: int) -> Share | None:
    """Deliver these bytes of an open in share; None if they are gone or were never there."""
    if share.opened in (CLOSED, DONE) or not covered(share.spans, start, start + n_bytes, "available"):
        return None
    return replace(share, spans=change(share.spans, start, start + n_bytes, "available", "delivered"))


def is_older(seen: Session | None, session: Session) -> bool:
    """Whether a session comes from a store that is older than the last session that was seen of it."""
    if seen is None:
        return False
    return session.epoch < seen.epoch or (session.epoch == seen.epoch and session.nonce != seen.nonce)


def mark_of(block: Block | None, key_id: str) -> Mark:
    """What this user tells a peer of a block."""
    if block is None:
        return Mark(key_id, known=False)
    into, out = block.into.opened != CLOSED, block.out.opened != CLOSED
    return Mark(key_id, True, block.state == "pending", into, out, block.out.used)


def voided(share: Share, below: int, states: Iterable[BitState] = LIVE) -> Share:
    """The share with all live bytes below a mark void."""
    return replace(share, spans=sweep(share.spans, 0, below, states, "void"))


def _all_void(share: Share) -> Share:
    return voided(share, max((span.stop for span in share.spans), default=0))


def settled(block: Block, mark: Mark, self_restored: bool, peer_restored: bool) -> Block:
    """The block after a meeting: what the other cannot have, or what may have left before, is void.

    Args:
        block: as this user holds it.
        mark: the peer's.
        self_restored: whether this user's store is an older copy.
        peer_restored: the same of the peer; if both are, neither's marks can be trusted and all is void.
    """
    lost = not mark.known or (self_restored and peer_restored)
    if lost or (self_restored and block.state == "pending" and not mark.pending):
        void = replace(block, state="spent", out=_all_void(block.out), into=_all_void(block.into))
        return void if block.state == "pending" else replace(void, state="available")
    out, into = block.out, block.into
    if self_restored:
        out = _all_void(out) if mark.in_open else out
        into = voided(into, mark.out_used)
        into = replace(into, opened="earlier") if mark.out_open and into.opened == CLOSED else into
    if peer_restored:
        out = replace(out, spans=sweep(out.spans, 0, out.used, ["reserved"], "void"))
    return replace(block, out=out, into=into)


def allowed(block: Block | None, nonce: str) -> tuple[Block | None, Verdict]:
    """Record that the session `nonce` of the peer opens its share; an earlier session's share stays shut for it."""
    if block is None or block.state == "spent":
        return block, "refused"
    if block.state == "pending":
        return block, "later"
    if block.into.opened == nonce:
        return block, "allowed"
    if block.into.opened != CLOSED or not block.into.live:
        return block, "refused"
    return replace(block, into=replace(block.into, opened=nonce)), "allowed"


def opened(block: Block, verdict: Verdict) -> Block:
    """Open the own share as the peer allowed it, or give it up."""
    if block.state != "available" or block.out.opened != CLOSED or verdict == "later":
        return block
    if verdict == "allowed":
        return replace(block, out=replace(block.out, opened=OPEN))
    return replace(block, out=_all_void(block.out))
