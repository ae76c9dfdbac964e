"""Old backups, restarts and meetings with the real stores: nothing is revived, and nothing leaves before a meeting."""

import json
import random
import shutil
from dataclasses import replace

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.meeting import meet
from combmesh.keystore.requests import (
    ExhaustedError,
    NotMetError,
    Recipient,
    UnknownKeyError,
)
from combmesh.keystore.reservation import Opened, Session
from combmesh.keystore.sealing import Keyring
from combmesh.keystore.sqlite import SqliteStore

KEYRING = Keyring((bytes(range(32)),))  # of the bench


def names(keys):
    return [key.key_id for key in keys]


def copy_of(bench, user):
    """The files of a running store as a careless backup would take them."""
    source = bench.folder / f"{user}.sqlite"
    for suffix in ("", "-wal"):
        shutil.copy(f"{source}{suffix}", f"{source}.old{suffix}")


def put_back(bench, user, with_anchor=True):
    bench.stores[user].close()
    path = bench.folder / f"{user}.sqlite"
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}.old{suffix}", f"{path}{suffix}")
    if not with_anchor:
        path.with_name(f"{path.name}.anchor").unlink()
    return bench.open(user)


def test_exact_nothing_leaves_before_a_meeting(any_bench):
    alice, bob = any_bench.pair()
    (key,) = alice.take("app a", any_bench.to_bob, 1, 256)
    alice, bob = any_bench.open("alice"), any_bench.open("bob")
    with pytest.raises(NotMetError):
        alice.take("app a", any_bench.to_bob, 1, 256)
    with pytest.raises(NotMetError):
        bob.collect("app b", "app a", "alice", [key.key_id])
    meet(alice, bob)
    meet(bob, alice)
    assert bob.collect("app b", "app a", "alice", [key.key_id]) == (key,)  # a restart burns nothing
    (second,) = alice.take("app a", any_bench.to_bob, 1, 256)
    assert second.material == any_bench.material(0, 1032)[64:96]
    assert alice.status("bob").available_bits() == 4000 - 512


@pytest.mark.parametrize("with_anchor", [True, False])
def test_attack_an_old_backup_of_the_master_revives_nothing(bench, with_anchor):
    alice, bob = bench.pair(blocks=2)
    alice.take("app a", bench.to_bob, 2, 256)
    copy_of(bench, "alice")
    if not with_anchor:  # then the peer's memory of a later session tells
        alice = bench.open("alice")
        meet(alice, bob)
    taken = alice.take("app a", bench.to_bob, 14, 256)  # into the second block
    alice = put_back(bench, "alice", with_anchor)
    with pytest.raises(NotMetError):
        alice.take("app a", bench.to_bob, 1, 8)
    meet(alice, bob)
    with pytest.raises(ExhaustedError):
        alice.take("app a", bench.to_bob, 1, 8)  # both shares were open: void to their ends
    counts = {count.direction: count for count in alice.status("bob").counts}
    assert (counts["out"].delivered, counts["out"].void) == (512, 8000 - 512)
    assert bob.collect("app b", "app a", "alice", names(taken)) == taken  # what had left before is still good
    back = bob.take("app b", [Recipient("app a", "alice")], 2, 256)
    assert alice.collect("app a", "app b", "bob", names(back)) == back
    bench.give(7)
    meet(alice, bob)
    assert alice.take("app a", bench.to_bob, 1, 256)[0].material == bench.material(7, 1032)[32:64]


@pytest.mark.parametrize("with_anchor", [True, False])
def test_attack_an_old_backup_of_the_slave_revives_nothing(bench, with_anchor):
    alice, bob = bench.pair()
    taken = alice.take("app a", [*bench.to_bob, Recipient("app b2", "bob")], 2, 256)
    for copy in alice.outgoing("bob"):
        bob.accept(copy)
    copy_of(bench, "bob")
    if not with_anchor:
        bob = bench.open("bob")
        meet(alice, bob)
    bob.collect("app b", "app a", "alice", names(taken)[:1])
    bob.collect("app b2", "app a", "alice", names(taken)[:1])
    bob = put_back(bench, "bob", with_anchor)
    meet(alice, bob)
    for name in names(taken):
        for slave in ("app b", "app b2"):
            with pytest.raises(UnknownKeyError):
                bob.collect(slave, "app a", "alice", [name])
    after = alice.take("app a", bench.to_bob, 1, 256)
    assert bob.collect("app b", "app a", "alice", names(after)) == after
    assert bob.status("alice").copies[0].void == 2 * 256


def test_attack_blocks_made_after_the_backup_are_void_at_both_ends(bench):
    alice, bob = bench.pair()
    copy_of(bench, "bob")
    bench.give(1)
    bob = put_back(bench, "bob")
    meet(alice, bob)
    out = next(count for count in alice.status("bob").counts if count.direction == "out")
    assert (out.made, out.void, out.available) == (8000, 4000, 4000)
    assert alice.status("bob").available_bits("in") == 4000
    assert json.loads(alice.audit()[-1])["event"] in ("void", "met", "opened")


def test_attack_both_ends_put_back_void_everything(bench):
    alice, bob = bench.pair()
    copy_of(bench, "alice")
    copy_of(bench, "bob")
    taken = alice.take("app a", bench.to_bob, 1, 256)
    bob.collect("app b", "app a", "alice", names(taken))
    alice, bob = put_back(bench, "alice"), put_back(bench, "bob")
    meet(alice, bob)
    for store, peer in ((alice, "bob"), (bob, "alice")):
        assert store.status(peer).available_bits("out") == 0
        assert store.status(peer).available_bits("in") == 0


def test_attack_a_copy_made_by_back_up_knows_that_it_is_one(bench):
    """Also where the anchor is put back with it."""
    alice, bob = bench.pair()
    anchor = bench.folder / "alice.sqlite.anchor"
    alice.back_up(bench.folder / "alice.bak")
    kept = anchor.read_bytes()
    alice.take("app a", bench.to_bob, 1, 256)
    alice.close()
    for suffix in ("-wal", "-shm"):
        (bench.folder / f"alice.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(bench.folder / "alice.bak", bench.folder / "alice.sqlite")
    anchor.write_bytes(kept)
    alice = bench.open("alice")
    meet(alice, bob)
    assert alice.status("bob").available_bits() == 0


def test_attack_a_declared_restore_voids_what_may_have_left(any_bench):
    alice, bob = any_bench.pair(blocks=2)
    alice.declare_restored()
    with pytest.raises(NotMetError):
        alice.take("app a", any_bench.to_bob, 1, 256)
    meet(alice, bob)
    assert alice.status("bob").available_bits() == 0
    assert alice.status("bob").available_bits("in") == 8000  # Bob's marks say that nothing of it has left


def test_attack_words_of_other_sessions_and_pairs_are_refused(any_bench):
    alice, bob = any_bench.pair()
    old = bob.answer(alice.hello("bob"))
    opening = alice.wanted("bob", 10**9)
    alice = any_bench.open("alice")
    any_bench.give(1)
    hello = alice.hello("bob")
    with pytest.raises(RunError, match="earlier session"):
        alice.settle(old)
    with pytest.raises(RunError, match="has to answer"):
        alice.settle(bob.answer(hello))
    with pytest.raises(RunError, match="not of the session"):
        bob.allow(opening)
    with pytest.raises(RunError, match="about open shares is of an earlier session"):
        bob.opened(Opened("alice", "bob", "a session that is over", bob.hello("alice").session.nonce, (), ()))
    with pytest.raises(InputError, match="came to the store of 'alice'"):
        alice.answer(hello)
    forged = replace(hello, session=Session(hello.session.epoch, "another"))
    assert bob.answer(forged).restored  # one epoch, two sessions: one of them is a copy
    meet(alice, bob)
    assert alice.take("app a", any_bench.to_bob, 1, 256)


def test_limit_one_process_hands_out_keys(bench):
    alice, _ = bench.pair()
    with SqliteStore(bench.folder / "alice.sqlite", "alice", keyring=KEYRING) as second:
        second.put_pending(bench.key(5, "alice", "bob"))  # keys may come in
        with pytest.raises(RunError, match="Another process hands out keys"):
            second.hello("bob")
    assert alice.key_index()["bob", 0, 5][1] == "pending"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exact_random_walk_of_two_stores(bench, seed):
    """Takes, collects, restarts, meetings, lost words, new blocks and old backups in any order, on files."""
    draw = random.Random(seed)
    alice, bob = bench.pair()
    stores = {"alice": alice, "bob": bob}
    other = {"alice": "bob", "bob": "alice"}
    app = {"alice": "app a", "bob": "app b"}
    left, collected, blocks, backed_up = {}, set(), 1, set()
    for _ in range(150):
        user = draw.choice(["alice", "bob"])
        store, peer = stores[user], other[user]
        step = draw.choices(
            ["take", "collect", "meet", "hello", "answer", "restart", "block", "backup", "restore"],
            [30, 30, 10, 3, 3, 3, 4, 3, 2],
        )[0]
        try:
            if step == "take":
                for key in store.take(app[user], [Recipient(app[peer], peer)], draw.randint(1, 3), 256):
                    assert key.key_id not in left
                    assert all(key.material != old.material for old, _ in left.values())
                    left[key.key_id] = key, peer
            elif step == "collect" and (mine := [name for name, (_, to) in left.items() if to == user]):
                name = draw.choice(mine)
                (key,) = store.collect(app[user], app[peer], peer, [name])
                assert name not in collected
                assert key == left[name][0]
                collected.add(name)
            elif step == "meet":
                meet(stores[user], stores[peer])
            elif step == "hello":
                stores[peer].answer(store.hello(peer))
            elif step == "answer":
                store.answer(stores[peer].hello(user))
                store.settle(stores[peer].answer(store.hello(peer)))
            elif step == "restart":
                stores[user] = bench.open(user)
            elif step == "block":
                bench.give(blocks)
                blocks += 1
            elif step == "backup":
                copy_of(bench, user)
                backed_up.add(user)
            elif step == "restore" and user in backed_up:
                stores[user] = put_back(bench, user)
        except (NotMetError, UnknownKeyError, ExhaustedError):
            pass
        for owner in stores:
            assert all(count.balanced for count in stores[owner].status(other[owner]).counts)
    assert len(collected) > 10
