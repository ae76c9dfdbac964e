import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from uuid import UUID

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.agreement import mismatched_pairs
from combmesh.keystore.model import StoredKey
from combmesh.keystore.schema import MIGRATIONS, SCHEMA_VERSION
from combmesh.keystore.sqlite import SqliteStore


def key(number, user="alice", peer="bob", block=0, material=b"SECRETxy"):
    return StoredKey(
        key_id=str(UUID(int=number)),
        user=user,
        peer=peer,
        line=4,
        block=block,
        origin="simulated",
        n_bits=8 * len(material),
        material=material,
        created_utc="2025-01-01T00:00:00+00:00",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alice.sqlite"


def make_version_1(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in MIGRATIONS[1]:
            connection.execute(statement)
        meta = [("schema_version", "1"), ("user", "alice"), ("store_id", "5")]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        old = key(1)
        row = (old.key_id, old.peer, old.line, old.block, old.n_bits, old.material, old.created_utc, "available")
        connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def set_version(path, version):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (version,))


def test_exact_two_phases(path):
    with SqliteStore(path, "alice") as store:
        store.put_pending(key(1))
        store.put_pending(key(1))
        assert store.available_keys() == []
        assert store.key_index() == {("bob", 4, 0): (key(1).key_id, "pending")}
        store.make_available(key(1).key_id)
        store.make_available(key(1).key_id)
        store.put_pending(key(1))  # does not take it back
        assert store.available_keys() == [key(1)]
        assert store.discard_pending("bob", 4, 0) is False
        store_id = store.store_id
    with SqliteStore(path, "alice") as store:
        assert store.store_id == store_id
        assert store.available_keys() == [key(1)]


def test_exact_pending_gives_way_and_available_does_not(path):
    with SqliteStore(path, "alice") as store:
        store.put_pending(key(1))
        store.put_pending(key(2, material=b"other"))
        assert store.key_index() == {("bob", 4, 0): (key(2).key_id, "pending")}
        store.make_available(key(2).key_id)
        with pytest.raises(InputError, match="'bob', line 4, block 0"):
            store.put_pending(key(3))
        with pytest.raises(InputError, match="names another key"):
            store.put_pending(key(2, material=b"third"))
        assert store.available_keys() == [key(2, material=b"other")]


def test_exact_discard_and_unknown_key(path):
    with SqliteStore(path, "alice") as store:
        store.put_pending(key(1))
        assert store.discard_pending("bob", 4, 0) is True
        assert store.key_index() == {}
        with pytest.raises(InputError, match=key(1).key_id):
            store.make_available(key(1).key_id)
        with pytest.raises(InputError, match="'carol'"):
            store.put_pending(key(1, user="carol"))


def test_exact_only_the_owner_reads_the_files(path):
    with SqliteStore(path, "alice") as store:
        store.put_pending(key(1))
        modes = {name: (path.parent / name).stat().st_mode & 0o777 for name in os.listdir(path.parent)}
        assert "alice.sqlite-wal" in modes
        assert set(modes.values()) == {0o600}
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # 2 is FULL


def test_exact_version_1_is_backed_up_and_migrated(path):
    make_version_1(path)
    with SqliteStore(path, "alice") as store:
        assert store.available_keys() == [key(1)]
        assert store.store_id == "5"
        store.put_pending(replace(key(2, block=1), origin="measured"))
    backup = path.with_name("alice.sqlite.v1.bak")
    assert backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone() == ("1",)
        columns = [row[1] for row in connection.execute("PRAGMA table_info(keys)")]
        assert "origin" not in columns
        assert connection.execute("SELECT material FROM keys").fetchall() == [(b"SECRETxy",)]
    names = sorted(os.listdir(path.parent))
    assert names == ["alice.sqlite", "alice.sqlite.v1.bak", "combmesh.kek"]


def test_exact_failed_migration_leaves_the_old_version(path, monkeypatch):
    make_version_1(path)
    with monkeypatch.context() as patch:
        patch.setitem(MIGRATIONS, 2, (*MIGRATIONS[2], "INSERT INTO nowhere VALUES (1)"))
        with pytest.raises(RunError, match="Could not open"):
            SqliteStore(path, "alice")
    with closing(sqlite3.connect(path)) as connection:
        assert "origin" not in [row[1] for row in connection.execute("PRAGMA table_info(keys)")]
    with SqliteStore(path, "alice") as store:
        assert store.available_keys() == [key(1)]


def test_limit_newer_schema_is_refused_and_untouched(path):
    with SqliteStore(path, "alice"):
        pass
    set_version(path, str(SCHEMA_VERSION + 1))
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"schema version {SCHEMA_VERSION + 1}"):
        SqliteStore(path, "alice")
    assert path.read_bytes() == before


def test_limit_another_users_store_is_refused(path):
    with SqliteStore(path, "alice"):
        pass
    with pytest.raises(InputError, match="belongs to user 'alice', not to 'bob'"):
        SqliteStore(path, "bob")


def test_limit_not_a_key_store(path):
    path.write_text("Dear diary, " * 100)
    with pytest.raises(InputError, match="not a database"):
        SqliteStore(path, "alice")
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(InputError, match="not a key store"):
        SqliteStore(path, "alice")


def test_limit_missing_folder_and_lock_are_sentences(path):
    with pytest.raises(RunError, match=r"Could not open the key store .*No such file"):
        SqliteStore(path.parent / "nowhere" / "a.sqlite", "alice")
    with SqliteStore(path, "alice", busy_timeout_s=0.05) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match=r"Could not write to the key store .*locked") as caught:
            store.put_pending(key(1))
        assert "SECRET" not in str(caught.value)
        other.execute("ROLLBACK")
        store.put_pending(key(1))


def test_exact_mismatched_pairs(tmp_path):
    names = ("alice", "bob", "carol")
    stores = {name: SqliteStore(tmp_path / name, name) for name in names}

    def give(number, a, b, block=0, material_b=b"SECRETxy"):
        stores[a].put_pending(key(number, a, b, block))
        stores[b].put_pending(key(number, b, a, block, material_b))
        stores[a].make_available(key(number).key_id)

    assert mismatched_pairs(stores) == []
    give(1, "bob", "alice")
    assert mismatched_pairs(stores) == [("alice", "bob")]  # available at one end only
    stores["alice"].make_available(key(1).key_id)
    assert mismatched_pairs(stores) == []
    give(2, "alice", "carol", material_b=b"SECRETxz")  # one bit differs
    stores["carol"].make_available(key(2).key_id)
    assert mismatched_pairs(stores) == [("alice", "carol")]
    with pytest.raises(InputError, match="'bob'"):
        mismatched_pairs({"bob": stores["alice"]})
    for store in stores.values():
        store.close()
