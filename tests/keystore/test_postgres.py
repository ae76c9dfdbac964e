"""What is particular to PostgreSQL; the other tests run on both. Skipped unless `COMBMESH_TEST_POSTGRES` is set."""

import json
import threading

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.meeting import meet
from combmesh.keystore.opening import open_store
from combmesh.keystore.postgres import PostgresStore
from combmesh.keystore.requests import NotMetError
from combmesh.keystore.sealing import Keyring
from combmesh.keystore.sqlite import SqliteStore

KEYRING = Keyring((bytes(range(32)),))
DROP_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def second(postgres, clock):
    return PostgresStore(postgres, "alice", keyring=KEYRING, clock=clock)


def test_exact_two_processes_share_a_session_and_no_key(served):
    """Two stores on one schema, as two processes have them, take at the same time."""
    alice, bob = served.pair(blocks=6)
    twin = second(served.address, served.clock)
    twin.start()
    taken = []

    def caller(store):
        for _ in range(15):
            taken.extend(store.take("app a", served.to_bob, 2, 128))

    threads = [threading.Thread(target=caller, args=(store,)) for store in (alice, twin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    twin.close()
    assert len(taken) == len({key.key_id for key in taken}) == len({key.material for key in taken}) == 120
    for key in taken:
        assert bob.collect("app b", "app a", "alice", [key.key_id]) == (key,)
    assert alice.status("bob").available_bits() == 6 * 4000 - 120 * 128


def test_attack_the_server_drops_its_connections_under_load(served):
    """As a killed server does: callers get errors or keys, never a key twice, and every bit is accounted for."""
    import psycopg

    alice, bob = served.pair(blocks=6)
    taken, refused, done = [], [], threading.Event()

    def caller():
        while not done.is_set():
            try:
                taken.extend(alice.take("app a", served.to_bob, 1, 64))
            except NotMetError:
                meet(alice, bob)
            except RunError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    with psycopg.connect(served.address, autocommit=True) as killer:
        for _ in range(10):
            done.wait(0.05)
            killer.execute(DROP_OTHERS)
    done.set()
    for thread in threads:
        thread.join()
    alice, bob = served.open("alice"), served.open("bob")
    meet(alice, bob)
    assert refused
    assert all("PostgreSQL" in text and "host" not in text for text in refused if "requested" not in text)
    assert len(taken) == len({key.key_id for key in taken}) == len({key.material for key in taken})
    recorded = [name for line in alice.audit() if '"taken"' in line for name in json.loads(line)["keys"]]
    assert {key.key_id for key in taken} <= set(recorded)
    out = next(count for count in alice.status("bob").counts if count.direction == "out")
    assert out.delivered == 64 * len(recorded)


def test_attack_a_database_put_back_under_a_running_terminal(served):
    """The count of commits has gone back: the session ends, and the next meeting voids what was open."""
    alice, bob = served.pair()
    alice.take("app a", served.to_bob, 1, 256)
    tables = ("meta", "keys", "shares", "spans", "cells", "peers", "copies", "audit")
    with alice._connect() as other:
        for table in tables:
            other.execute(f"CREATE TABLE old_{table} AS TABLE {table}")
        alice.take("app a", served.to_bob, 1, 256)
        for table in tables:
            other.execute(f"TRUNCATE {table}")
            other.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")
        other.execute(DROP_OTHERS)
    for _ in range(2):
        with pytest.raises(RunError):
            alice.take("app a", served.to_bob, 1, 256)
    for _ in range(3):
        try:
            meet(alice, bob)
            break
        except RunError:
            continue
    assert alice.status("bob").available_bits() == 0


def test_exact_addresses(served, tmp_path):
    with open_store(served.address, "dora", KEYRING) as store:
        assert repr(store) == "PostgresStore(user='dora')"
        assert store.key_index() == {}
    with open_store(tmp_path / "x.sqlite", "dora", KEYRING) as store:
        assert isinstance(store, SqliteStore)
    served.open("alice").put_pending(served.key(1, "alice", "bob"))
    with pytest.raises(InputError, match="needs the key-encryption key"):
        PostgresStore(served.address, "alice", keyring=Keyring((bytes(32),)))
    with pytest.raises(RunError, match="Could not open the key store in PostgreSQL") as caught:
        PostgresStore("postgresql://nobody:SECRET@127.0.0.1:1/x", "dora", keyring=KEYRING)
    assert "SECRET" not in str(caught.value)
