"""A process that hands out keys under load is killed at random moments; what it said and what is on the disk agree."""

import json
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from combmesh.keystore import audit
from combmesh.keystore.meeting import meet
from combmesh.keystore.requests import UnknownKeyError

WORKER = """
import os, sys, threading
from combmesh.keystore.meeting import meet
from combmesh.keystore.requests import ExhaustedError, Recipient, UnknownKeyError
from combmesh.keystore.sealing import Keyring
from combmesh.keystore.sqlite import SqliteStore

folder, callers = sys.argv[1], 6
ring = Keyring((bytes(range(32)),))
stores = [SqliteStore(f"{folder}/{user}.sqlite", user, keyring=ring) for user in ("alice", "bob")]
meet(*stores)

def say(word, key):
    os.write(1, f"{word} {key.key_id} {key.material.hex()}\\n".encode())  # one write: never torn

def call(master, slave, names):
    while True:
        try:
            keys = master.take(names[0], [Recipient(names[1], slave.user)], 2, 64)
            for key in keys:
                say("taken", key)
            for key in slave.collect(names[1], names[0], master.user, [keys[0].key_id]):
                say("collected", key)
        except ExhaustedError:
            os._exit(3)

os.write(1, b"ready - -\\n")
for _ in range(callers):
    for a, b, names in ((0, 1, ("app a", "app b")), (1, 0, ("app b", "app a"))):
        threading.Thread(target=call, args=(stores[a], stores[b], names)).start()
"""

PEER = {"alice": "bob", "bob": "alice"}


def run_and_kill(folder, after_s):
    command = [sys.executable, "-c", WORKER, str(folder)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, bufsize=0, stdout=pipe, stderr=pipe)  # what follows "ready" stays in the pipe
    assert process.stdout.readline() == b"ready - -\n"
    time.sleep(after_s)
    process.kill()
    out, errors = process.communicate(timeout=30)
    assert process.returncode == -9, errors.decode()
    return [line.split() for line in out.decode().splitlines()]


def audited(store, event):
    """Every key of an event, with its place or size."""
    lines = store.audit()
    audit.verify(lines)
    entries = [json.loads(line) for line in lines]
    return {name: place for entry in entries if entry["event"] == event for name, place in entry["keys"].items()}


def check_agreement(bench, said):
    """After a restart: nothing left twice, what was said is on the disk, all bits are in one place, both ends agree."""
    alice, bob = bench.open("alice"), bench.open("bob")
    meet(alice, bob)
    for word in ("taken", "collected"):
        assert max(Counter(name for kind, name, _ in said if kind == word).values(), default=0) <= 1
    taken = {name: material for kind, name, material in said if kind == "taken"}
    assert len(set(taken.values())) == len(taken)
    for master, slave in ((alice, bob), (bob, alice)):
        left, fetched = audited(master, "taken"), audited(slave, "collected")
        assert fetched.keys() <= left.keys()
        out = next(count for count in master.status(slave.user).counts if count.direction == "out")
        into = next(count for count in slave.status(master.user).counts if count.direction == "in")
        assert out.balanced
        assert into.balanced
        assert (out.made, out.delivered, out.void) == (into.made, 64 * len(left), 0)
        assert (into.delivered, into.void) == (64 * len(fetched), 0)
        assert len(set(left.values())) == len(left)
    everything = audited(alice, "taken") | audited(bob, "taken")
    assert taken.keys() <= everything.keys()
    gone = {name for kind, name, _ in said if kind == "collected"}
    assert gone <= (audited(alice, "collected") | audited(bob, "collected")).keys()
    return alice, bob, taken, gone


def kill_often(bench, times, seed):
    moment = random.Random(seed)
    bench.open("alice")
    bench.open("bob")
    said, blocks = [], 0
    for _ in range(times):
        for _ in range(3):
            bench.give(blocks, n_bytes=40_032)
            blocks += 1
        bench.close()
        said += run_and_kill(bench.folder, moment.uniform(0.0, 0.3))
        alice, bob, taken, gone = check_agreement(bench, said)
        late = [name for name in taken if name not in gone][-3:]
        for name in late:  # what was not collected can be, unless its reply was lost
            stores = {"app a": (bob, "app b", "alice"), "app b": (alice, "app a", "bob")}
            master = "app a" if name in audited(alice, "taken") else "app b"
            store, slave, peer = stores[master]
            try:
                (key,) = store.collect(slave, master, peer, [name])
                assert key.material.hex() == taken[name]
                said.append(["collected", name, key.material.hex()])
            except UnknownKeyError:
                assert name in audited(store, "collected")
    for kind, name, material in said:
        assert kind != "collected" or taken[name] == material
    assert len(said) > 20 * times


def test_attack_kill_while_keys_leave(bench):
    kill_often(bench, 10, seed=11)


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(10))
def test_attack_kill_200_times(bench, seed):
    """20 kills with each of ten seeds; the audit, which is read after each, grows with them."""
    kill_often(bench, 20, seed)
