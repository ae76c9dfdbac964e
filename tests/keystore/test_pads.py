"""Pads in a file: used once, also over a kill, and read by their owner alone."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from combmesh.distill.authentication import PAIR_BYTES
from combmesh.ground.errors import InputError
from combmesh.keystore.pads import INITIAL, PadFile, create_pads, new_secret


@pytest.fixture
def path(tmp_path):
    create_pads(tmp_path / "alice.pads", new_secret(3))
    return tmp_path / "alice.pads"


def test_exact_pads_are_used_once_and_overwritten(tmp_path):
    secret = new_secret(3)
    path = tmp_path / "alice.pads"
    create_pads(path, secret)
    with PadFile(path) as pads:
        assert pads.point == secret[:16]
        assert pads.offers() == [(INITIAL, 0)]
        assert b"".join(pads.take(INITIAL, 1)) == secret[16 + PAIR_BYTES : 16 + 2 * PAIR_BYTES]
    with PadFile(path) as pads:
        assert pads.offers() == [(INITIAL, 2)]
        assert pads.unused_pairs() == 1
        with pytest.raises(InputError, match="Pair 1 of pads `initial` cannot be used: 2 of 3 are used"):
            pads.take(INITIAL, 1)
    assert secret[16 : 16 + 2 * PAIR_BYTES] not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_exact_new_pads_are_kept_once(path):
    with PadFile(path) as pads:
        pads.add("key", bytes(range(32)))
        pads.take("key", 0)
        pads.add("key", bytes(32))
        assert pads.unused_pairs() == 3
        assert pads.pairs("key") == 1
        assert pads.pairs("unknown") == 0


def test_exact_a_kill_after_a_pair_was_given_out_does_not_give_it_again(path):
    """The pair is printed by a process that kills itself at once; the file knows that it was used."""
    code = (
        "import os, signal, sys; from combmesh.keystore.pads import PadFile;"
        f"pads = PadFile({str(path)!r}); sys.stdout.write(pads.take('initial', 0)[0].hex()); sys.stdout.flush();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout) == 32
    with PadFile(path) as pads:
        assert pads.offers() == [(INITIAL, 1)]


def test_bad_files_get_a_sentence(path, tmp_path):
    with pytest.raises(InputError, match="exists; pads are never written over"):
        create_pads(path, new_secret(1))
    with pytest.raises(InputError, match="does not exist"):
        PadFile(tmp_path / "none.pads")
    (tmp_path / "text.pads").write_text("hello, this is no database at all, but a text")
    with pytest.raises(InputError, match="holds no pads, or is damaged"):
        PadFile(tmp_path / "text.pads")
    sqlite3.connect(tmp_path / "other.pads").execute("CREATE TABLE meta (name TEXT, value BLOB)").connection.close()
    with pytest.raises(InputError, match="is a database, but holds no pads"):
        PadFile(tmp_path / "other.pads")
    with pytest.raises(InputError, match="must be a whole number of 32 bytes"):
        create_pads(tmp_path / "short.pads", os.urandom(40))
    assert not (tmp_path / "short.pads").exists()


def test_secret_pads_have_no_repr(path):
    with PadFile(path) as pads:
        assert repr(pads) == f"PadFile({str(path)!r})"
