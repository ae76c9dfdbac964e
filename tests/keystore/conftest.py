"""Two terminals with the same keys, in SQLite and, where `COMBMESH_TEST_POSTGRES` gives an address, in PostgreSQL."""

import hashlib
import os
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from combmesh.keystore.meeting import meet
from combmesh.keystore.model import StoredKey
from combmesh.keystore.postgres import PostgresStore
from combmesh.keystore.requests import Recipient
from combmesh.keystore.sealing import Keyring
from combmesh.keystore.sqlite import SqliteStore

POSTGRES = "COMBMESH_TEST_POSTGRES"
MADE = datetime(2025, 1, 1, tzinfo=UTC)
KEYRING = Keyring((bytes(range(32)),))


class Clock:
    def __init__(self):
        self.now = MADE + timedelta(seconds=10)

    def __call__(self):
        return self.now


class Bench:
    """Makes stores, and gives them keys whose bytes follow from the number of the block."""

    material = staticmethod(lambda number, n_bytes: hashlib.shake_256(f"canary {number}".encode()).digest(n_bytes))
    to_bob = (Recipient("app b", "bob"),)

    def __init__(self, open_one):
        self.clock = Clock()
        self.stores = {}
        self._open_one = open_one

    def open(self, user, **options):
        if user in self.stores:
            self.stores[user].close()
        self.stores[user] = self._open_one(user, keyring=options.pop("keyring", KEYRING), clock=self.clock, **options)
        return self.stores[user]

    def key(self, number, user, peer, n_bytes=1032, origin="measured"):
        key_id = str(UUID(int=4 << 76 | 2 << 62 | number))
        made = (MADE + timedelta(seconds=number)).isoformat()
        material = self.material(number, n_bytes)
        return StoredKey(key_id, user, peer, 0, number, origin, 8 * n_bytes, material, made)

    def give(self, number, a="alice", b="bob", **how):
        for user, peer in ((a, b), (b, a)):
            self.stores[user].put_pending(self.key(number, user, peer, **how))
        for user in (a, b):
            self.stores[user].make_available(self.key(number, a, b).key_id)

    def pair(self, blocks=1, **how):
        """Alice and Bob with some blocks, who have met."""
        alice, bob = self.open("alice"), self.open("bob")
        for number in range(blocks):
            self.give(number, **how)
        meet(alice, bob)
        return alice, bob

    def close(self):
        for store in self.stores.values():
            store.close()


@pytest.fixture
def bench(tmp_path):
    """A bench of SQLite stores."""
    made = Bench(lambda user, **options: SqliteStore(tmp_path / f"{user}.sqlite", user, **options))
    made.folder = tmp_path
    yield made
    made.close()


@pytest.fixture
def postgres():
    """The address of an empty database, which is dropped at the end."""
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"{POSTGRES} gives no address")
    psycopg = pytest.importorskip("psycopg")
    name = f"combmesh_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.rpartition("/")[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def served(postgres):
    """A bench of stores in PostgreSQL, with its address."""
    made = Bench(lambda user, **options: PostgresStore(postgres, user, **options))
    made.address = postgres
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def any_bench(request):
    """A bench of either kind of store."""
    return request.getfixturevalue("bench" if request.param == "sqlite" else "served")
