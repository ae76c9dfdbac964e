"""Callers share commits, and no failure of one reaches another."""

import sqlite3
import threading

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.sqlite import SqliteStore


def test_exact_waiting_callers_share_one_commit(bench):
    """40 works that are handed in while a commit is held up need at most two more."""
    alice, _ = bench.pair(blocks=2)
    before = alice._commits
    hold, held = threading.Event(), threading.Event()

    def slow(desk):
        held.set()
        hold.wait(10)

    first = alice.submit(slow)
    held.wait(10)
    waiting = [alice.take_soon("app a", bench.to_bob, 1, 64) for _ in range(40)]
    hold.set()
    first.result(10)
    keys = [future.result(10)[0] for future in waiting]
    assert len({key.material for key in keys}) == 40
    assert 1 <= alice._commits - before <= 2


def test_exact_a_failure_leaves_no_trace_and_harms_no_other(bench):
    alice, _ = bench.pair()
    hold, held = threading.Event(), threading.Event()
    first = alice.submit(lambda desk: (held.set(), hold.wait(10)))
    held.wait(10)
    good = [alice.take_soon("app a", bench.to_bob, 1, 256) for _ in range(3)]
    bad = alice.take_soon("app a", bench.to_bob, 100, 256)
    more = alice.take_soon("app a", bench.to_bob, 1, 256)
    hold.set()
    first.result(10)
    with pytest.raises(RunError, match="were requested"):
        bad.result(10)
    keys = [future.result(10)[0] for future in (*good, more)]
    assert b"".join(key.material for key in keys) == bench.material(0, 1032)[32:160]
    assert alice.status("bob").available_bits() == 4000 - 4 * 256
    assert len([line for line in alice.audit() if '"taken"' in line]) == 4


def test_attack_no_commit_no_key(bench):
    """If the commit fails, no caller of it gets a key, and the bits are still there."""
    alice, _ = bench.pair()

    class Refusing:
        def __init__(self, real):
            self.real = real

        def execute(self, sql, *values):
            if sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return self.real.execute(sql, *values)

        def close(self):
            self.real.close()

    real = alice._connection
    alice._connection = Refusing(real)
    with pytest.raises(RunError, match="Could not write to the key store"):
        alice.take("app a", bench.to_bob, 1, 256)
    alice._connection = real
    assert alice.status("bob").available_bits() == 4000
    assert alice.take("app a", bench.to_bob, 1, 256)[0].material == bench.material(0, 1032)[32:64]


def test_limit_a_closed_store_says_so(bench, tmp_path):
    alice, _ = bench.pair()
    alice.close()
    alice.close()
    with pytest.raises(RunError, match="closed"):
        alice.take("app a", bench.to_bob, 1, 256)
    with pytest.raises(InputError, match="`user`"):
        SqliteStore(tmp_path / "x.sqlite", "")
