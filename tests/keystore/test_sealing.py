"""Encryption at rest: nothing in clear on the disk, nothing in the wrong place, and the key of keys can be changed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore import kek
from combmesh.keystore.meeting import meet
from combmesh.keystore.model import StoredKey
from combmesh.keystore.requests import Recipient
from combmesh.keystore.schema import MIGRATIONS
from combmesh.keystore.sealing import Keyring, Vault, Wrapped
from combmesh.keystore.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("COMBMESH_KEK", "COMBMESH_KEK_FILE", "COMBMESH_KEK_COMMAND"):
        monkeypatch.delenv(name, raising=False)


def files_of(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def block(number, material):
    key_id = f"c0ffee00-0000-4000-8000-{number:012d}"
    return StoredKey(key_id, "alice", "bob", 3, number, "measured", 8 * len(material), material, "2025-01-01")


def pieces(material):
    return [material[start : start + 16] for start in range(0, len(material), 16)]


def test_secret_no_key_is_in_the_files(bench):
    alice, bob = bench.pair()
    taken = alice.take("app a", bench.to_bob, 3, 256)
    bob.collect("app b", "app a", "alice", [key.key_id for key in taken[:1]])
    alice.put_pending(bench.key(8, "alice", "bob"))
    content = files_of(bench.folder)
    for number in (0, 8):
        assert not any(piece in content for piece in pieces(bench.material(number, 1032)))


def test_exact_what_has_left_is_not_even_sealed_any_more(bench):
    alice, _ = bench.pair()
    (key,) = alice.take("app a", bench.to_bob, 1, 256)

    def first_bytes(desk):
        block = bench.key(0, "alice", "bob").key_id
        return desk.read_bytes(block, "out", desk.sealer(block), 0, 64)

    assert alice.read(first_bytes) == bytes(32) + bench.material(0, 1032)[64:96]
    assert key.material == bench.material(0, 1032)[32:64]


def test_secret_a_migrated_store_holds_nothing_in_clear(tmp_path):
    path = tmp_path / "alice.sqlite"
    material = os.urandom(5000)
    key = replace(block(0, material), origin="simulated")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for version in (1, 2):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
        meta = [("schema_version", "2"), ("user", "alice"), ("store_id", "5")]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        row = (key.key_id, "bob", 3, 0, 40_000, material, key.created_utc, "available", "simulated")
        connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    with SqliteStore(path, "alice") as store:
        assert store.available_keys() == [key]
        assert store.store_id == "5"
        content = b"".join(path.with_name(f"alice.sqlite{end}").read_bytes() for end in ("", "-wal"))
        assert not any(piece in content for piece in pieces(material)[:-1])
    assert pieces(material)[3] in path.with_name("alice.sqlite.v2.bak").read_bytes()


def test_attack_a_moved_or_changed_cell_is_refused(bench):
    alice, bob = bench.pair(blocks=2)
    taken = alice.take("app a", bench.to_bob, 1, 256)
    bob.close()
    with closing(sqlite3.connect(bench.folder / "bob.sqlite")) as connection, connection:
        (sealed,) = connection.execute("SELECT sealed FROM cells WHERE direction = 'out' LIMIT 1").fetchone()
        connection.execute("UPDATE cells SET sealed = ? WHERE direction = 'in'", (sealed,))
    bob = bench.open("bob")
    meet(alice, bob)
    with pytest.raises(RunError, match="damaged, or lies in the wrong place"):
        bob.collect("app b", "app a", "alice", [taken[0].key_id])


def test_exact_sources_of_the_key_of_keys(tmp_path, monkeypatch):
    store = tmp_path / "alice.sqlite"
    made = kek.keyring_for(store)
    file = tmp_path / kek.FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert kek.keyring_for(store) == made
    monkeypatch.setenv("COMBMESH_KEK", "11" * 32 + "\n" + "22" * 32)
    assert kek.keyring_for(store).keys == (b"\x11" * 32, b"\x22" * 32)
    monkeypatch.setenv("COMBMESH_KEK_COMMAND", f"cat {file}")
    assert kek.keyring_for(store) == made
    monkeypatch.setenv("COMBMESH_KEK_FILE", str(file))
    file.chmod(0o640)
    with pytest.raises(InputError, match="mode 600"):
        kek.keyring_for(store)
    monkeypatch.delenv("COMBMESH_KEK_FILE")
    monkeypatch.setenv("COMBMESH_KEK_COMMAND", "false")
    with pytest.raises(InputError, match="failed with CalledProcessError"):
        kek.keyring_for(store)
    monkeypatch.delenv("COMBMESH_KEK_COMMAND")
    monkeypatch.setenv("COMBMESH_KEK", "SECRET")
    with pytest.raises(InputError, match="64 hexadecimal digits") as caught:
        kek.keyring_for(store)
    assert "SECRET" not in str(caught.value)


def test_limit_without_its_key_of_keys_a_store_stays_shut(tmp_path):
    path = tmp_path / "alice.sqlite"
    with SqliteStore(path, "alice") as store:
        store.put_pending(block(0, b"x"))
    with pytest.raises(InputError, match="needs the key-encryption key"):
        SqliteStore(path, "alice", keyring=Keyring((bytes(32),)))
    (tmp_path / kek.FILE_NAME).unlink()
    with pytest.raises(InputError, match=r"combmesh.kek.* cannot be read"):
        SqliteStore(path, "alice")
    assert not (tmp_path / kek.FILE_NAME).exists()


def test_secret_rings_and_vaults_have_no_repr():
    ring = Keyring((b"K" * 32,))
    vault = Vault(ring)
    wrapped, sealer = vault.new("a")
    assert "KKKK" not in repr(ring) + repr(vault) + repr(sealer) + repr(wrapped)
    assert isinstance(wrapped, Wrapped)
    with pytest.raises(RunError, match="damaged"):
        vault.sealer(wrapped, "b")


def fill(folder, count):
    with SqliteStore(folder / "alice.sqlite", "alice") as store:
        for number in range(count):
            key = block(number, bytes([number]) * 100)
            store.put_pending(key)
            if number % 2:
                store.make_available(key.key_id)


ROTATE = """
import sys
from combmesh.keystore.sqlite import SqliteStore
with SqliteStore(sys.argv[1], "alice") as store:
    print("ready", flush=True)
    print(store.rewrap(batch=1), flush=True)
"""


def test_attack_a_killed_change_of_the_key_of_keys_goes_on(tmp_path):
    fill(tmp_path, 40)
    file, path = tmp_path / kek.FILE_NAME, tmp_path / "alice.sqlite"
    kek.rotate(file)
    process = subprocess.Popen([sys.executable, "-c", ROTATE, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.03)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    with SqliteStore(path, "alice") as store:
        before = store.former_wraps()
        assert store.rewrap(batch=7) == before
        assert store.former_wraps() == 0
    kek.retire(file)
    assert len(file.read_text().split()) == 1
    with SqliteStore(path, "alice") as store:
        assert [key.material for key in store.available_keys()] == [bytes([number]) * 100 for number in range(1, 40, 2)]
        assert len(store.key_index()) == 40


def test_exact_copies_are_wrapped_anew_too(bench):
    alice, _ = bench.pair()
    taken = alice.take("app a", [*bench.to_bob, Recipient("app a2", "alice"), Recipient("app b2", "bob")], 1, 256)
    new = Keyring((b"n" * 32, bytes(range(32))))
    alice = bench.open("alice", keyring=new)
    assert alice.former_wraps() == 3  # the block and two copies
    assert alice.rewrap() == 3
    alice = bench.open("alice", keyring=Keyring((b"n" * 32,)))
    meet(alice, bench.stores["bob"])
    assert alice.collect("app a2", "app a", "alice", [taken[0].key_id]) == taken
    assert len(alice.outgoing("bob")) == 1


def test_exact_an_old_key_of_keys_opens_no_copy_of_the_new_store(tmp_path):
    """After the change, a stolen database and the old key give nothing."""
    fill(tmp_path, 4)
    file, path = tmp_path / kek.FILE_NAME, tmp_path / "alice.sqlite"
    shutil.copy(file, tmp_path / "old.kek")
    kek.rotate(file)
    with SqliteStore(path, "alice") as store:
        store.rewrap()
    with pytest.raises(InputError, match="needs the key-encryption key"):
        SqliteStore(path, "alice", keyring=kek.read_keyring(tmp_path / "old.kek"))
