"""Stops in the middle of writing: SIGKILL, and a file that may not grow."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from combmesh.keystore.sqlite import SqliteStore

WRITER = """
import resource, signal, sys
from uuid import UUID
from combmesh.ground.errors import RunError
from combmesh.keystore.model import StoredKey
from combmesh.keystore.sqlite import SqliteStore
path, first, limit_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if limit_bytes:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
try:
    with SqliteStore(path, "alice") as store:
        for block in range(first, first + 100_000):
            material = b"SECRET" + block.to_bytes(4, "big") * 500
            created = "2025-01-01T00:00:00Z"
            key = StoredKey(str(UUID(int=block)), "alice", "bob", 4, block, "simulated", 16048, material, created)
            store.put_pending(key)
            store.make_available(key.key_id)
            print(block, flush=True)
except RunError as error:
    print(error, flush=True)
"""


def writer(path, first, limit_bytes=0):
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(limit_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check_whole(store, path, n_acknowledged):
    """Every acknowledged key is there and whole; at most one more was under way."""
    keys = store.available_keys()
    assert [key.block for key in keys] == list(range(len(keys)))
    assert all(key.material == b"SECRET" + key.block.to_bytes(4, "big") * 500 for key in keys)
    assert n_acknowledged <= len(keys) <= n_acknowledged + 1
    assert len(keys) <= len(store.key_index()) <= len(keys) + 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return len(keys)


def test_attack_kill_while_writing(tmp_path):
    path = tmp_path / "alice.sqlite"
    moment = random.Random(7)
    n_keys = 0
    for _ in range(15):
        process = writer(path, n_keys)
        lines = [process.stdout.readline()]  # it writes by now
        time.sleep(moment.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        lines += process.communicate(timeout=30)[0].splitlines(keepends=True)
        assert process.returncode == -signal.SIGKILL
        n_acknowledged = int([line for line in lines if line.endswith("\n")][-1]) + 1
        assert n_acknowledged > n_keys
        with SqliteStore(path, "alice") as store:
            n_keys = check_whole(store, path, n_acknowledged)
            for address, (_, state) in store.key_index().items():
                if state == "pending":
                    assert store.discard_pending(*address)


def test_attack_file_may_not_grow(tmp_path):
    path = tmp_path / "alice.sqlite"
    process = writer(path, 0, limit_bytes=300_000)
    *acknowledged, sentence = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 0
    assert sentence.startswith(f"Could not write to the key store `{path}`: ")
    assert "full" in sentence
    assert sentence.endswith(".")
    assert "SECRET" not in sentence
    with SqliteStore(path, "alice") as store:
        n_keys = check_whole(store, path, len(acknowledged))
        assert n_keys > 0
