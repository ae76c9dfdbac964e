"""Keys leave once for each recipient, at the right place, and every bit is accounted for; in both kinds of store."""

import json
import logging
import re
import threading
import traceback
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore import audit
from combmesh.keystore.agreement import mismatched_pairs
from combmesh.keystore.meeting import meet
from combmesh.keystore.requests import (
    ExhaustedError,
    NotEntitledError,
    NotMetError,
    Recipient,
    SimulatedKeyError,
    UnknownKeyError,
)
from combmesh.keystore.sqlite import SqliteStore


def names(keys):
    return [key.key_id for key in keys]


def test_exact_both_ends_have_the_same_key_once(any_bench):
    alice, bob = any_bench.pair()
    taken = alice.take("app a", any_bench.to_bob, 3, 128)
    # 32 bytes name, then 500 are Alice's (her name comes first) and 500 Bob's
    assert b"".join(key.material for key in taken) == any_bench.material(0, 1032)[32 : 32 + 48]
    collected = bob.collect("app b", "app a", "alice", names(taken)[::-1])
    assert collected == taken[::-1]
    back = bob.take("app b", [Recipient("app a", "alice")], 1, 128)
    assert back[0].material == any_bench.material(0, 1032)[532 : 532 + 16]
    assert alice.collect("app a", "app b", "bob", names(back)) == back
    with pytest.raises(UnknownKeyError):
        bob.collect("app b", "app a", "alice", names(taken)[:1])
    assert len(set(names(taken + back))) == 4


def test_exact_counts_in_bits(any_bench):
    alice, bob = any_bench.pair(blocks=2)
    taken = alice.take("app a", any_bench.to_bob, 5, 256)
    bob.collect("app b", "app a", "alice", names(taken)[:2])
    for store, direction, used in ((alice, "out", 5 * 256), (bob, "in", 2 * 256)):
        status = store.status({"alice": "bob", "bob": "alice"}[store.user])
        counts = {count.direction: count for count in status.counts}
        assert all(count.balanced for count in status.counts)
        assert counts[direction].made == 2 * 4000
        assert (counts[direction].available, counts[direction].delivered) == (8000 - used, used)
        assert (counts["common"].made, counts["common"].reserved) == (2 * 256, 2 * 256)
        assert sum(count.made for count in status.counts) == 2 * 8 * 1032
    assert alice.key_count("bob", 256) == (500 - 160) // 32 + 500 // 32


def test_exact_all_or_nothing(any_bench):
    alice, bob = any_bench.pair()
    with pytest.raises(ExhaustedError, match=r"4096 bits .* but 3840 can be handed out") as caught:
        alice.take("app a", any_bench.to_bob, 16, 256)  # 500 bytes are 15 keys of 32 and 20 bytes
    assert (caught.value.requested_bits, caught.value.available_bits) == (4096, 3840)
    assert alice.status("bob").available_bits() == 4000
    taken = alice.take("app a", any_bench.to_bob, 15, 256)
    with pytest.raises(UnknownKeyError):
        bob.collect("app b", "app a", "alice", [*names(taken), "00000000-0000-4000-8000-000000000000"])
    assert bob.collect("app b", "app a", "alice", names(taken)) == taken
    assert alice.take("app a", any_bench.to_bob, 20, 8)  # the last 20 bytes
    assert alice.status("bob").available_bits() == 0


def test_exact_keys_go_on_in_the_next_block(any_bench):
    alice, bob = any_bench.pair(blocks=3)
    taken = alice.take("app a", any_bench.to_bob, 40, 256)  # 15 fit in a block
    assert bob.collect("app b", "app a", "alice", names(taken)) == taken
    material = [any_bench.material(number, 1032)[32:512] for number in range(3)]
    assert b"".join(key.material for key in taken) == b"".join(material)[: 40 * 32]


def test_attack_names_of_others(any_bench):
    alice, bob = any_bench.pair()
    (key,) = alice.take("app a", any_bench.to_bob, 1, 256)
    with pytest.raises(NotEntitledError, match="'eve'"):
        bob.collect("eve", "app a", "alice", [key.key_id])
    with pytest.raises(NotEntitledError):
        bob.collect("app b", "app x", "alice", [key.key_id])
    with pytest.raises(UnknownKeyError):
        alice.collect("app b", "app a", "bob", [key.key_id])  # the master's own terminal
    for wrong in ("7", "", "x" * 36, key.key_id[:-1], "{" + key.key_id + "}"):
        with pytest.raises(UnknownKeyError):
            bob.collect("app b", "app a", "alice", [wrong])
    with pytest.raises(InputError, match="`slave_sae`"):
        bob.collect("\ud800", "app a", "alice", [key.key_id])
    with pytest.raises(UnknownKeyError):
        bob.collect("app b", "app a", "alice", ["\ud800" + key.key_id])
    with pytest.raises(InputError, match="`sae`"):
        Recipient("a\0b", "bob")
    assert bob.collect("app b", "app a", "alice", [key.key_id.upper()]) == (key,)


def test_limit_requests_that_nobody_can_meet(any_bench):
    alice, bob = any_bench.pair()
    to_bob = any_bench.to_bob
    for arguments, words in [
        (("app a", to_bob, 0, 256), "`number`.*0"),
        (("app a", to_bob, 1, 12), "`size_bits`.*12"),
        (("app a", to_bob, 1, 8 * 65536), "`size_bits`"),
        (("app a", [], 1, 256), "`recipients`"),
        (("app a", [*to_bob, *to_bob], 1, 256), "`recipients`"),
        (("app b", to_bob, 1, 256), "`recipients`"),
        (("app a", [Recipient("app c", "alice")], 1, 256), "`recipients`"),
        (("", to_bob, 1, 256), "`master_sae`"),
    ]:
        with pytest.raises(InputError, match=words):
            alice.take(*arguments)
    with pytest.raises(InputError, match="there twice"):
        bob.collect("app b", "app a", "alice", 2 * ["00000000-0000-4000-8000-000000000000"])
    with pytest.raises(NotMetError, match="'alice' has not met that of 'carol'"):
        alice.take("app a", [Recipient("app c", "carol")], 1, 256)


def test_exact_simulated_keys_only_where_allowed(any_bench):
    alice, bob = any_bench.pair(origin="simulated")
    with pytest.raises(ExhaustedError, match="simulated keys, which are not allowed") as caught:
        alice.take("app a", any_bench.to_bob, 1, 256)
    assert caught.value.available_bits == 0
    assert alice.key_count("bob", 256) == 0
    assert alice.status("bob").available_bits(allow_simulated=False) == 0
    taken = alice.take("app a", any_bench.to_bob, 1, 256, allow_simulated=True)
    assert taken[0].origin == "simulated"
    with pytest.raises(SimulatedKeyError):
        bob.collect("app b", "app a", "alice", names(taken))
    assert bob.collect("app b", "app a", "alice", names(taken), allow_simulated=True) == taken
    any_bench.give(1, origin="measured")
    with pytest.raises(ExhaustedError, match="the next meeting opens more"):
        alice.take("app a", any_bench.to_bob, 100, 256, allow_simulated=True)
    meet(alice, bob)
    (key,) = alice.take("app a", any_bench.to_bob, 1, 256)
    assert key.origin == "measured"
    assert {count.origin for count in alice.status("bob").counts} == {"simulated", "measured"}


def test_exact_many_callers_share_and_none_gets_the_same(any_bench):
    alice, bob = any_bench.pair(blocks=8)
    taken, collected = [], []

    def caller():
        for _ in range(10):
            keys = alice.take("app a", any_bench.to_bob, 1, 128)
            taken.extend(keys)
            collected.extend(bob.collect("app b", "app a", "alice", names(keys)))

    threads = [threading.Thread(target=caller) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len({key.key_id for key in taken}) == len({key.material for key in taken}) == 120
    assert sorted(collected, key=str) == sorted(taken, key=str)
    assert alice.status("bob").available_bits() == 8 * 4000 - 120 * 128


def test_exact_further_slaves_get_the_same_key_once_each(any_bench):
    alice, bob = any_bench.pair()
    carol = any_bench.open("carol")
    any_bench.give(5, "alice", "carol")
    meet(alice, carol)
    slaves = [Recipient("app a2", "alice"), *any_bench.to_bob, Recipient("app c", "carol")]
    taken = alice.take("app a", slaves, 2, 256)
    assert bob.collect("app b", "app a", "alice", names(taken)) == taken
    assert alice.collect("app a2", "app a", "alice", names(taken)) == taken
    copies = alice.outgoing("carol")
    assert sorted(copy.key_id for copy in copies) == sorted(names(taken))
    assert alice.outgoing("bob") == ()
    out = next(count for count in alice.status("carol").counts if count.direction == "out")
    assert (out.reserved, out.delivered) == (2 * (256 + 256), 0)
    with pytest.raises(RunError, match="tag does not fit"):
        carol.accept(replace(copies[0], cipher=bytes(32)))
    with pytest.raises(RunError, match="tag does not fit"):
        carol.accept(replace(copies[0], slave_sae="eve"))
    for copy in (*copies, *copies):  # the same again changes nothing
        carol.accept(copy)
    for copy in copies:
        alice.accepted(copy.key_id, copy.slave_sae)
        alice.accepted(copy.key_id, copy.slave_sae)
    assert alice.outgoing("carol") == ()
    with pytest.raises(NotEntitledError):
        carol.collect("eve", "app a", "alice", names(taken))
    assert carol.collect("app c", "app a", "alice", names(taken)) == taken
    for store, slave, peer in ((carol, "app c", "alice"), (alice, "app a2", "alice"), (bob, "app b", "alice")):
        with pytest.raises(UnknownKeyError):
            store.collect(slave, "app a", peer, names(taken))
    with pytest.raises(RunError, match="Another copy"):
        carol.accept(replace(copies[0], pad_start=400))
    for store, peer, way in ((alice, "carol", "out"), (carol, "alice", "in")):
        count = next(count for count in store.status(peer).counts if count.direction == way)
        assert (count.reserved, count.delivered) == (0, 2 * (256 + 256))
        (copied,) = store.status(peer).copies
        assert (copied.direction, copied.delivered) == (way, 512)


def test_exact_a_copy_that_cannot_be_paid_takes_nothing(any_bench):
    alice, bob = any_bench.pair()
    any_bench.open("carol")
    any_bench.give(5, "alice", "carol", n_bytes=60)
    meet(alice, any_bench.stores["carol"])
    with pytest.raises(ExhaustedError, match="'carol'"):
        alice.take("app a", [*any_bench.to_bob, Recipient("app c", "carol")], 1, 256)
    assert alice.status("bob").available_bits() == 4000
    assert bob.status("alice").available_bits("in") == 4000


def test_exact_old_bits_expire(any_bench):
    alice, bob = any_bench.pair(blocks=2)
    taken = alice.take("app a", any_bench.to_bob, 2, 256)
    any_bench.clock.now += timedelta(seconds=90.5)  # block 0 is 100.5 s old, block 1 99.5 s
    assert alice.expire(100.0, 30.0) == 4000 - 512
    assert bob.expire(100.0, 30.0) == 4000
    assert bob.collect("app b", "app a", "alice", names(taken)[:1]) == taken[:1]  # has 30 s more
    any_bench.clock.now += timedelta(seconds=30)
    assert bob.expire(100.0, 30.0) == 4000 - 256 + 4000
    with pytest.raises(UnknownKeyError):
        bob.collect("app b", "app a", "alice", names(taken)[1:])
    alice.expire(100.0, 30.0)
    for store, peer in ((alice, "bob"), (bob, "alice")):
        assert all(count.balanced for count in store.status(peer).counts)
    any_bench.clock.now += timedelta(seconds=60)
    alice.expire(100.0, 30.0)
    counts = {count.direction: count for count in alice.status("bob").counts}
    assert (counts["common"].reserved, counts["common"].void) == (0, 512)  # both blocks are spent
    assert len(alice.key_index()) == 2  # their tombstones stay
    assert mismatched_pairs({"alice": alice, "bob": bob}) == []


def test_exact_uncollected_copies_expire(any_bench):
    alice, _ = any_bench.pair()
    taken = alice.take("app a", [*any_bench.to_bob, Recipient("app a2", "alice")], 1, 256)
    any_bench.clock.now += timedelta(seconds=31)
    assert alice.expire(1e6, 30.0) == 256
    with pytest.raises(UnknownKeyError):
        alice.collect("app a2", "app a", "alice", names(taken))
    (copies,) = alice.status("alice").copies
    assert copies.expired == 256


def test_exact_stores_agree_while_keys_leave(any_bench):
    alice, bob = any_bench.pair(blocks=2)
    alice.take("app a", any_bench.to_bob, 1, 256)
    assert mismatched_pairs({"alice": alice, "bob": bob}) == []
    with pytest.raises(InputError, match="refuses key"):
        alice.put_pending(replace(any_bench.key(9, "alice", "bob"), block=0))
    alice.put_pending(any_bench.key(0, "alice", "bob"))  # known: changes nothing
    with pytest.raises(InputError, match="names another key"):
        alice.put_pending(replace(any_bench.key(0, "alice", "bob"), material=bytes(1032)))


def test_exact_the_audit_is_a_chain_without_key(any_bench):
    alice, bob = any_bench.pair()
    taken = alice.take("app a", any_bench.to_bob, 2, 256)
    bob.collect("app b", "app a", "alice", names(taken))
    lines = alice.audit()
    head = audit.verify(lines)
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events][-1] == "taken"
    assert [*events[-1]["keys"]] == names(taken)
    assert json.loads(bob.audit()[-1])["event"] == "collected"
    alice.take("app a", any_bench.to_bob, 1, 256)
    assert audit.verify(alice.audit(events[-1]["seq"]), head) != head
    for bad in (lines[:3] + lines[4:], [lines[0].replace("made", "fake"), *lines[1:]], lines[1:]):
        with pytest.raises(InputError, match="does not follow"):
            audit.verify(bad)
    assert alice.forget_audit(events[-1]["seq"]) == len(lines)
    audit.verify(alice.audit(), head)


def test_secret_a_canary_is_nowhere(any_bench, caplog):
    """No 8 bytes of any key, raw or as hex or base64, in reprs, logs, errors with their causes, audit, status."""
    caplog.set_level(logging.DEBUG)
    alice, bob = any_bench.pair()
    shown = [repr(alice), repr(any_bench.key(0, "alice", "bob"))]
    taken = alice.take("app a", [*any_bench.to_bob, Recipient("app a2", "alice")], 1, 256)
    shown += [repr(taken), repr(alice.__dict__), repr(alice.status("bob")), repr(alice.outgoing("bob"))]
    for fail in (
        lambda: alice.take("app a", any_bench.to_bob, 4000, 256),
        lambda: bob.collect("eve", "app a", "alice", names(taken)),
        lambda: alice.put_pending(replace(any_bench.key(0, "alice", "bob"), n_bits=80)),
        lambda: alice.put_pending(replace(any_bench.key(0, "alice", "bob"), line=7)),
    ):
        with pytest.raises((RunError, InputError)) as caught:
            fail()
        shown += traceback.format_exception(caught.value)
    bob.collect("app b", "app a", "alice", names(taken))
    shown += [*alice.audit(), *bob.audit(), caplog.text]
    text = "\n".join(shown)
    material = any_bench.material(0, 1032)
    for start in range(0, 1024, 4):
        piece = material[start : start + 8]
        assert piece.hex() not in text
        assert repr(piece)[2:-1] not in text


def test_exact_the_example_of_the_documentation_runs(bench, monkeypatch, tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "keystore.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name in ("COMBMESH_KEK", "COMBMESH_KEK_FILE", "COMBMESH_KEK_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stores").mkdir()
    for user, peer in (("Alice", "Bob"), ("Bob", "Alice")):
        with SqliteStore(tmp_path / "stores" / f"{user}.sqlite", user) as store:
            store.put_pending(bench.key(0, user, peer))
            store.make_available(bench.key(0, user, peer).key_id)
    names = {}
    exec(code, names)
    assert names["same"] == names["keys"]
    names["alice"].close()
    names["bob"].close()
