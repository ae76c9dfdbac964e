"""The state machine of a pair: every interleaving of a small one, with crashes, lost words and old backups put back.

The small pair has one block, of which each may hand out one or two bytes. A state of the search is both terminals, the
words under way, the backups, and what has left so far. From each state every step is taken that is possible.
"""

import random
from collections import deque
from dataclasses import dataclass, replace

import pytest

from combmesh.ground.errors import InputError
from combmesh.keystore import reservation
from combmesh.keystore.reservation import (
    BIT_STEPS,
    CLOSED,
    Block,
    Hello,
    Session,
    Share,
    Span,
    allowed,
    change,
    collect,
    is_older,
    mark_of,
    opened,
    settled,
    sweep,
    take,
)

OTHER = {"ann": "bob", "bob": "ann"}


@dataclass(frozen=True)
class End:
    """What is on the disk of a terminal; the fields of `peers` are those of `combmesh.keystore.meeting`."""

    block: Block
    session: Session
    commits: int = 0
    seen: Session | None = None
    heard: str = ""
    met: str = ""
    self_restored: bool = False
    peer_restored: bool = False


@dataclass(frozen=True)
class World:
    ann: End
    bob: End
    answers: tuple = (None, None)
    openings: tuple = (None, None)
    backups: tuple = (None, None)
    anchors: tuple = (0, 0)
    sizes: tuple = (1, 1)
    sessions: int = 2
    taken: frozenset = frozenset()
    collected: frozenset = frozenset()


def fresh(user, state, sizes):
    shares = [Share((Span(0, of(sizes, owner), "available"),)) for owner in (user, OTHER[user])]
    return End(Block("k", state, *shares), Session(1, f"{user}1"))


def wrote(end, **fields):
    return replace(end, commits=end.commits + 1, **fields)


def settle_state(block):
    return replace(block, state=block.settled_state)


def hello(world, user):
    end = getattr(world, user)
    holds = ("k",) if end.block.state in ("pending", "available") else ()
    return Hello(user, OTHER[user], end.session, end.self_restored, holds)


def answer(end, word):
    """As `meeting.answer`."""
    restored = word.restored or is_older(end.seen, word.session)
    seen_epoch = end.seen.epoch if end.seen else 0
    mark = mark_of(end.block, "k") if word.holds else None
    if restored:
        end = wrote(end, heard=word.session.nonce, peer_restored=True)
    else:
        end = wrote(end, heard=word.session.nonce, seen=word.session)
    return end, (word.session.nonce, end.session.nonce, restored, seen_epoch, mark)


def settle(end, word):
    """As `meeting.settle`; None where it refuses."""
    nonce, peer_nonce, restored, seen_epoch, mark = word
    if nonce != end.session.nonce or end.heard != peer_nonce:
        return None
    block = end.block
    if mark is not None and block.state != "spent" and (not mark.known or restored or end.peer_restored):
        block = settle_state(settled(block, mark, restored, end.peer_restored))
    if restored:
        session = Session(max(end.session.epoch, seen_epoch + 1), nonce)
        return wrote(end, block=block, session=session, self_restored=False, met="")
    return wrote(end, block=block, met=nonce, peer_restored=False)


def put(pair, user, value):
    return (value, pair[1]) if user == "ann" else (pair[0], value)


def of(pair, user):
    return pair[0] if user == "ann" else pair[1]


def steps(world, limits):
    for user in ("ann", "bob"):
        yield from meeting_steps(world, user)
        yield from key_steps(world, user)
        yield from failure_steps(world, user, limits)


def with_end(world, user, end, **fields):
    """The world after a step on a user's disk; the anchor follows each commit."""
    return replace(world, **{user: end}, anchors=put(world.anchors, user, end.commits), **fields)


def meeting_steps(world, user):
    peer = OTHER[user]
    end, other = getattr(world, user), getattr(world, peer)
    if not (end.met and other.heard == end.session.nonce):
        new, word = answer(other, hello(world, user))
        yield f"{peer} answers", with_end(world, peer, new, answers=put(world.answers, user, word))
    if of(world.answers, user) is not None:
        new = settle(end, of(world.answers, user))
        if new is not None:
            yield f"{user} settles", with_end(world, user, new, answers=put(world.answers, user, None))
    wants = end.block.state == "available" and end.block.out.opened == CLOSED and end.block.out.live
    if wants and other.met == other.session.nonce and other.heard == end.session.nonce:
        block, verdict = allowed(other.block, end.session.nonce)
        word = (end.session.nonce, other.session.nonce, verdict)
        yield (
            f"{peer} allows",
            with_end(world, peer, wrote(other, block=block), openings=put(world.openings, user, word)),
        )
    if of(world.openings, user) is not None and end.met == end.session.nonce:
        nonce, recorded_in, verdict = of(world.openings, user)
        if nonce == end.session.nonce and recorded_in == end.heard:
            new = wrote(end, block=settle_state(opened(end.block, verdict)))
            yield f"{user} opens", with_end(world, user, new, openings=put(world.openings, user, None))


def key_steps(world, user):
    end = getattr(world, user)
    if end.block.state == "pending":
        yield f"{user} promotes", with_end(world, user, wrote(end, block=replace(end.block, state="available")))
        return
    if end.met != end.session.nonce or end.block.state != "available":
        return
    found = take(end.block.out, 1)
    if found:
        share, start = found
        assert (user, start) not in world.taken, "a byte was handed out twice"
        new = wrote(end, block=settle_state(replace(end.block, out=share)))
        yield f"{user} takes {start}", with_end(world, user, new, taken=world.taken | {(user, start)})
    for owner, start in world.taken:
        share = collect(end.block.into, start, 1) if owner != user else None
        if share:
            assert (owner, start) not in world.collected, "a byte was collected twice"
            new = wrote(end, block=settle_state(replace(end.block, into=share)))
            yield f"{user} collects {start}", with_end(world, user, new, collected=world.collected | {(owner, start)})


def failure_steps(world, user, limits):
    end, backup = getattr(world, user), of(world.backups, user)
    if user in limits.backups and backup is None:
        yield f"backup of {user}", replace(world, backups=put(world.backups, user, end))
    if world.sessions < limits.sessions:
        if limits.kills:
            yield f"{user} is killed", started(world, user, end, restored=False)
        if backup is not None and backup != "used":
            after = replace(world, backups=put(world.backups, user, "used"))
            if limits.anchor:
                yield f"{user} is put back", started(after, user, backup, backup.commits < of(world.anchors, user))
            elif getattr(world, OTHER[user]).seen and getattr(world, OTHER[user]).seen.epoch > backup.session.epoch:
                yield f"{user} is put back", started(after, user, backup, restored=False)


def started(world, user, end, restored):
    """As `meeting.begin`; words to the old session stay under way."""
    number = world.sessions + 1
    session = Session(end.session.epoch + 1, f"{user}{number}")
    commits = max(end.commits, of(world.anchors, user)) if restored else end.commits
    end = replace(end, commits=commits)
    new = wrote(end, session=session, heard="", met="", self_restored=end.self_restored or restored)
    return with_end(replace(world, sessions=number), user, new)


def check_accounts(world):
    """All bytes are in one state each, and what has left is delivered or, after a restore, void."""
    for user in ("ann", "bob"):
        block = getattr(world, user).block
        for owner, share in ((user, block.out), (OTHER[user], block.into)):
            assert share.spans[0].start == 0
            assert share.spans[-1].stop == of(world.sizes, owner)
            assert all(a.stop == b.start for a, b in zip(share.spans, share.spans[1:], strict=False))
        assert (block.state == "spent") <= (not block.out.live and not block.into.live)
    assert world.collected <= world.taken
    if not any(backup == "used" for backup in world.backups):
        for user in ("ann", "bob"):
            delivered = {
                (user, i)
                for span in getattr(world, user).block.out.spans
                if span.state == "delivered"
                for i in range(span.start, span.stop)
            }
            assert delivered == {byte for byte in world.taken if byte[0] == user}


@dataclass(frozen=True)
class Limits:
    """Of a search: how many sessions are begun in all, whose backup is put back, and whether there is an anchor.

    Without an anchor only backups from before a session that the peer has seen are put back; that is what the peer's
    memory alone can tell.
    """

    sessions: int
    backups: tuple
    anchor: bool
    kills: bool = True


def search(limits, sizes, states=("available", "available")):
    ends = (fresh("ann", states[0], sizes), fresh("bob", states[1], sizes))
    start = canonical(World(*ends, sizes=sizes))
    seen = {start}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        check_accounts(world)
        for _, after in steps(world, limits):
            after = canonical(after)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return seen


def canonical(world):
    """Commits count only as far as a backup is older than the anchor."""
    ends = {}
    for user in ("ann", "bob"):
        backup, end = of(world.backups, user), getattr(world, user)
        behind = isinstance(backup, End) and backup.commits < of(world.anchors, user)
        ends[user] = replace(end, commits=1 if behind else 0)
        if isinstance(backup, End):
            world = replace(world, backups=put(world.backups, user, replace(backup, commits=0)))
        world = replace(world, anchors=put(world.anchors, user, 1 if behind else 0))
    return replace(world, **ends)


ANCHORED, ALONE = Limits(3, ("ann",), True), Limits(4, ("ann",), False)
BOTH = Limits(4, ("ann", "bob"), True, kills=False)


@pytest.mark.parametrize(
    ("limits", "sizes", "states"),
    [
        (Limits(3, (), True), (2, 1), ("available", "pending")),
        (ANCHORED, (1, 1), ("available", "available")),
        (Limits(3, ("bob",), True), (1, 1), ("available", "pending")),
        pytest.param(Limits(4, (), True), (2, 2), ("available", "pending"), marks=pytest.mark.verify),
        pytest.param(ANCHORED, (2, 1), ("available", "available"), marks=pytest.mark.verify),
        pytest.param(ALONE, (2, 1), ("available", "available"), marks=pytest.mark.verify),
        pytest.param(BOTH, (1, 1), ("available", "available"), marks=pytest.mark.verify),
    ],
)
def test_exact_no_byte_leaves_twice_in_any_order_of_events(limits, sizes, states):
    seen = search(limits, sizes, states)
    everything = sum(sizes)
    assert any(len(world.collected) == everything for world in seen)
    if limits.backups:
        assert any("used" in world.backups and len(world.collected) == everything for world in seen)


@pytest.mark.parametrize(
    ("name", "broken", "limits"),
    [
        ("settled", lambda block, mark, mine, theirs: block, ANCHORED),
        pytest.param("is_older", lambda seen, session: False, ALONE, marks=pytest.mark.verify),
        ("mark_of", lambda block, key_id: reservation.Mark(key_id, known=True), ANCHORED),
    ],
)
def test_attack_the_search_finds_a_broken_rule(name, broken, limits, monkeypatch):
    """Without one of the rules, a byte leaves twice somewhere: the search is not blind."""
    monkeypatch.setitem(globals(), name, broken)
    with pytest.raises(AssertionError, match=r"(handed out|collected) twice"):
        search(limits, (1, 1))


def test_exact_states_and_their_steps():
    """Every step between states of bits is allowed or refused as the table says; the three last are final."""
    for before, after in ((before, after) for before in BIT_STEPS for after in BIT_STEPS):
        spans = (Span(0, 8, before),)
        if after in BIT_STEPS[before]:
            assert [*change(spans, 2, 4, before, after)][1] == (2, 4, after)
        else:
            with pytest.raises(InputError, match=f"{before} cannot become {after}"):
                change(spans, 2, 4, before, after)
    assert {state for state, steps in BIT_STEPS.items() if not steps} == {"delivered", "expired", "void"}


def test_exact_spans_cover_the_same_bytes():
    spans = (Span(0, 3, "delivered"), Span(3, 8, "available"), Span(8, 9, "reserved"))
    assert change(spans, 3, 5, "available", "delivered") == (
        Span(0, 5, "delivered"),
        *(Span(5, 8, "available"),),
        spans[2],
    )
    assert sweep(spans, 0, 9, ["available", "reserved"], "void") == (spans[0], Span(3, 9, "void"))
    with pytest.raises(InputError, match="Bytes 2 to 4 of the share are not all available"):
        change(spans, 2, 4, "available", "delivered")
    assert take(Share(spans), 1) is None  # not open
    assert take(Share(spans, "yes"), 6) is None
    assert take(Share(spans, "yes"), 5)[1] == 3
    assert collect(Share(spans), 3, 1) is None
    assert collect(Share(spans, "done"), 3, 1) is None


@pytest.mark.parametrize("walks", [150, pytest.param(5000, marks=pytest.mark.verify)])
def test_exact_long_walks_with_many_backups(walks):
    """Up to twelve sessions and any number of backups of both ends, at random: longer than the search can go."""
    draw = random.Random(3)
    limits = Limits(12, ("ann", "bob"), True)
    restores = 0
    for _ in range(walks):
        sizes = (draw.randint(1, 3), draw.randint(1, 3))
        states = draw.choice([("available", "available"), ("available", "pending"), ("pending", "available")])
        world = World(fresh("ann", states[0], sizes), fresh("bob", states[1], sizes), sizes=sizes)
        for _ in range(70):
            if draw.random() < 0.3:  # backups are thrown away, so that new ones are made
                kept = (None if backup == "used" or draw.random() < 0.3 else backup for backup in world.backups)
                world = replace(world, backups=tuple(kept))
            options = list(steps(world, limits))
            if not options:
                break
            rare = [0.25 if "killed" in name or "ack" in name else 1.0 for name, _ in options]
            name, world = draw.choices(options, rare)[0]
            restores += "put back" in name
    assert restores > walks
