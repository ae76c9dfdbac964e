"""How two terminals compare their marks before they hand out anything, and open their shares.

`meet` lets two stores of one process do it; the words (`Hello`, `Answer`, `Opening`, `Opened`) may as well go over a
connection, on which both ends are authenticated. A word that is lost is said again; one of another session is refused.
"""

from typing import TYPE_CHECKING

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore import copies
from combmesh.keystore.desk import Desk
from combmesh.keystore.pool import check_met
from combmesh.keystore.reservation import (
    CLOSED,
    Answer,
    Hello,
    Mark,
    Opened,
    Opening,
    Session,
    allowed,
    is_older,
    mark_of,
    opened,
    settled,
)

if TYPE_CHECKING:
    from combmesh.keystore.store import KeyStore

MOST_ROUNDS = 4


def meet(a: "KeyStore", b: "KeyStore", ahead_bits: int = 2**20) -> None:
    """Let two terminals meet and open what each wants to hand out next; doing it again is harmless.

    Args:
        a, b: stores of the two users.
        ahead_bits: bits that each wants in open shares.
    """
    for _ in range(MOST_ROUNDS):
        answers = b.answer(a.hello(b.user)), a.answer(b.hello(a.user))
        a.settle(answers[0])
        b.settle(answers[1])
        if not (answers[0].restored or answers[1].restored):
            break
    else:
        raise RunError(f"The terminals of {a.user!r} and {b.user!r} do not agree which of them was restored.")
    for one, other in ((a, b), (b, a)):
        one.opened(other.allow(one.wanted(other.user, ahead_bits)))


def session_of(desk: Desk) -> Session:
    """The session that this store is in."""
    return Session(int(desk.meta("epoch")), desk.nonce)


def begin(desk: Desk, nonce: str, restored: bool) -> None:
    """Start a session: no peer is met, and if the store is an older copy every pair has to settle that first."""
    copied = desk.meta("copy") == "yes"
    desk.set_meta("epoch", str(int(desk.meta("epoch")) + 1))
    desk.set_meta("nonce", nonce)
    desk.set_meta("copy", "")
    desk.tx.run("UPDATE peers SET met = '', heard = ''")
    if restored or copied:
        _all_restored(desk)
    desk.tx.note("session", epoch=int(desk.meta("epoch")), restored=restored or copied)


def _all_restored(desk: Desk) -> None:
    desk.tx.run("INSERT INTO peers (peer) SELECT DISTINCT peer FROM keys WHERE true ON CONFLICT (peer) DO NOTHING")
    desk.tx.run("UPDATE peers SET self_restored = 1, met = ''")
    copies.give_up(desk, "direction = 'in'")


def hello(desk: Desk, peer: str) -> Hello:
    _know(desk, peer)
    rows = desk.tx.all(
        "SELECT key_id FROM keys WHERE peer = ? AND state IN ('pending', 'available') ORDER BY created_utc, key_id",
        peer,
    )
    self_restored, _ = _flags(desk, peer)
    return Hello(desk.user, peer, session_of(desk), self_restored, tuple(key_id for (key_id,) in rows))


def answer(desk: Desk, word: Hello) -> Answer:
    _check_for(desk, word.user, word.peer)
    _know(desk, word.user)
    row = desk.tx.one("SELECT seen_epoch, seen_nonce FROM peers WHERE peer = ?", word.user)
    seen = Session(*row) if row and row[0] else None
    restored = word.restored or is_older(seen, word.session)
    if restored:
        copies.give_up(desk, "direction = 'out' AND peer = ?", word.user)
        desk.tx.run("UPDATE peers SET heard = ?, peer_restored = 1 WHERE peer = ?", word.session.nonce, word.user)
        desk.tx.note("peer restored", peer=word.user, epoch=word.session.epoch)
    else:
        desk.tx.run(
            "UPDATE peers SET heard = ?, seen_epoch = ?, seen_nonce = ? WHERE peer = ?",
            *(word.session.nonce, *word.session, word.user),
        )
        desk.tx.note("heard", peer=word.user, epoch=word.session.epoch)
    marks = tuple(_mark(desk, word.user, key_id) for key_id in word.holds)
    epoch = max(seen.epoch if seen else 0, 0)
    return Answer(desk.user, word.user, session_of(desk), word.session.nonce, restored, epoch, marks)


def _mark(desk: Desk, peer: str, key_id: str) -> Mark:
    row = desk.tx.one("SELECT peer FROM keys WHERE key_id = ?", key_id)
    return mark_of(desk.block(key_id) if row == (peer,) else None, key_id)


def settle(desk: Desk, word: Answer) -> None:
    """Void what the marks of a peer tell to; from then on keys may leave, unless this store was restored."""
    _check_for(desk, word.user, word.peer)
    session = session_of(desk)
    row = desk.tx.one("SELECT heard FROM peers WHERE peer = ?", word.user)
    if word.nonce != session.nonce:
        raise RunError(f"The answer of {word.user!r} is to an earlier session of {desk.user!r}.")
    if row != (word.session.nonce,):
        raise RunError(f"{desk.user!r} has to answer {word.user!r} before it can settle with it.")
    self_restored, peer_restored = _flags(desk, word.user)
    if word.restored and not self_restored:
        _all_restored(desk)
    for mark in word.marks:
        _settle_block(desk, word.user, mark, word.restored, peer_restored)
    if not word.restored:
        desk.tx.run("UPDATE peers SET met = ?, peer_restored = 0 WHERE peer = ?", session.nonce, word.user)
        desk.tx.note("met", peer=word.user, epoch=session.epoch)
        return
    desk.tx.run("UPDATE peers SET self_restored = 0 WHERE peer = ?", word.user)
    desk.set_meta("epoch", str(max(session.epoch, word.seen_epoch + 1)))
    desk.tx.note("settled", peer=word.user, epoch=max(session.epoch, word.seen_epoch + 1))


def _settle_block(desk: Desk, peer: str, mark: Mark, self_restored: bool, peer_restored: bool) -> None:
    if mark.known and not (self_restored or peer_restored):
        return
    block = desk.block(mark.key_id)
    if block is None or block.state == "spent":
        return
    new = settled(block, mark, self_restored, peer_restored)
    if new != block:
        desk.put_block(block, new)
        desk.tx.note("void", block=mark.key_id, peer=peer)


def wanted(desk: Desk, peer: str, ahead_bits: int) -> Opening:
    """The oldest shut shares that are needed to have `ahead_bits` in open ones."""
    row = desk.tx.one(
        "SELECT SUM(s.stop - s.start) FROM shares h JOIN spans s ON s.key_id = h.key_id AND s.direction = h.direction"
        " WHERE h.peer = ? AND h.direction = 'out' AND h.opened = 'yes' AND s.state = 'available'",
        peer,
    )
    missing = ahead_bits - 8 * int((row and row[0]) or 0)
    chosen = []
    for key_id, n_bytes in desk.tx.all(
        "SELECT h.key_id, h.n_bytes FROM shares h JOIN keys k ON k.key_id = h.key_id WHERE h.peer = ?"
        " AND h.direction = 'out' AND h.opened = ? AND k.state = 'available'"
        " AND EXISTS (SELECT 1 FROM spans s WHERE s.key_id = h.key_id AND s.direction = 'out'"
        " AND s.state = 'available')"
        " ORDER BY h.created_utc, h.key_id",
        *(peer, CLOSED),
    ):
        if missing <= 0:
            break
        chosen.append(key_id)
        missing -= 8 * n_bytes
    return Opening(desk.user, peer, desk.nonce, tuple(chosen))


def allow(desk: Desk, word: Opening) -> Opened:
    """Record that a peer's shares are open; from then on this store can resolve their keys."""
    _check_for(desk, word.user, word.peer)
    check_met(desk, word.user)
    row = desk.tx.one("SELECT heard FROM peers WHERE peer = ?", word.user)
    if row != (word.nonce,):
        raise RunError(f"The wish of {word.user!r} to open shares is not of the session that {desk.user!r} has met.")
    verdicts: dict[str, list[str]] = {"allowed": [], "refused": [], "later": []}
    for key_id in word.key_ids:
        owner = desk.tx.one("SELECT peer FROM keys WHERE key_id = ?", key_id)
        block = desk.block(key_id) if owner == (word.user,) else None
        new, verdict = allowed(block, word.nonce)
        if block is not None and new is not None and new != block:
            desk.put_block(block, new)
            desk.tx.note("peer opens", block=key_id, peer=word.user)
        verdicts[verdict].append(key_id)
    return Opened(desk.user, word.user, desk.nonce, word.nonce, tuple(verdicts["allowed"]), tuple(verdicts["refused"]))


def open_shares(desk: Desk, word: Opened) -> None:
    """Open the own shares that a peer has recorded, and void those that it refuses."""
    _check_for(desk, word.user, word.peer)
    check_met(desk, word.user)
    row = desk.tx.one("SELECT heard FROM peers WHERE peer = ?", word.user)
    if word.nonce != desk.nonce or row != (word.recorded_in,):
        raise RunError(f"The word of {word.user!r} about open shares is of an earlier session.")
    for key_ids, verdict in ((word.allowed, "allowed"), (word.refused, "refused")):
        for key_id in key_ids:
            block = desk.block(key_id)
            new = opened(block, "allowed" if verdict == "allowed" else "refused") if block else None
            if block is not None and new is not None and new != block:
                desk.put_block(block, new)
                desk.tx.note("opened" if verdict == "allowed" else "void", block=key_id, peer=word.user)


def _check_for(desk: Desk, speaker: str, listener: str) -> None:
    if listener != desk.user or speaker == desk.user:
        raise InputError(f"A word of {speaker!r} to {listener!r} came to the store of {desk.user!r}.")


def _know(desk: Desk, peer: str) -> None:
    if peer == desk.user or not peer:
        raise InputError(f"`peer` must be another user than {desk.user!r}, but is {peer!r}.")
    desk.tx.run("INSERT INTO peers (peer) VALUES (?) ON CONFLICT (peer) DO NOTHING", peer)


def _flags(desk: Desk, peer: str) -> tuple[bool, bool]:
    row = desk.tx.one("SELECT self_restored, peer_restored FROM peers WHERE peer = ?", peer)
    return (bool(row[0]), bool(row[1])) if row else (False, False)


def declare_restored(desk: Desk) -> None:
    """Treat this store as an older copy from now on."""
    _all_restored(desk)
    desk.tx.note("declared restored")
