"""`combmesh distill` and `combmesh secret` as two users type them."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from combmesh.keystore.sqlite import SqliteStore
from combmesh.protocol.mdi.sifted_file import SiftedBits, announcement_digest, write_sifted

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]
N_BITS, ERRORS = 400_000, 1_200
COUNTS = f"""
schema_version = 1
pulses = 1e10
clock_hz = 1e9
[alice]
intensity = {{ x = 0.07, y = 0.28, z = 0.4 }}
probability = {{ x = 0.3, y = 0.08, z = 0.5 }}
[bob]
intensity = {{ x = 0.07, y = 0.28, z = 0.4 }}
probability = {{ x = 0.3, y = 0.08, z = 0.5 }}
[counts.X]
xx = {{ detected = %d, errors = %d }}
xo = {{ detected = %d, errors = %d }}
ox = {{ detected = %d, errors = %d }}
yy = {{ detected = %d, errors = %d }}
yo = {{ detected = %d, errors = %d }}
oy = {{ detected = %d, errors = %d }}
oo = {{ detected = 0, errors = 0 }}
[counts.Z]
zz = {{ detected = {N_BITS}, errors = {ERRORS} }}
"""


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def counts_text():
    """Expected counts of a link whose zz has about `N_BITS`."""
    from combmesh.link.relay import Link, Relay
    from combmesh.protocol.mdi.settings import Settings
    from combmesh.protocol.mdi.tally import PAIRS, expected_tally

    user = Settings(0.07, 0.28, 0.4, 0.3, 0.08, 0.5)
    tally = expected_tally(Link(0.04533, 0.04533, Relay(1.0, 1e-8, 0.003, 0.01, 0.5), 1e9), user, user, 1e10)
    rows = {pair: (round(tally.detected[k]), round(tally.errors[k])) for k, pair in enumerate(PAIRS)}
    assert rows["zz"][0] == pytest.approx(N_BITS, rel=0.01)
    numbers = [number for pair in ("xx", "xo", "ox", "yy", "yo", "oy") for number in rows[pair]]
    return COUNTS % tuple(numbers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two users")
    rng = np.random.default_rng(1)
    alice = rng.integers(0, 2, N_BITS).astype(np.uint8)
    bob = alice.copy()
    bob[rng.choice(N_BITS, ERRORS, replace=False)] ^= 1
    rounds = np.arange(N_BITS) * 7
    digests = [announcement_digest(rounds, np.full(N_BITS, state, np.int8)) for state in (0, 1)]
    write_sifted(folder / "alice.bits", SiftedBits(alice, rounds, digests[0], "measured"))
    write_sifted(folder / "bob.bits", SiftedBits(bob, rounds, digests[0], "measured"))
    write_sifted(folder / "other.bits", SiftedBits(bob, rounds, digests[1], "measured"))
    (folder / "counts.toml").write_text(counts_text())
    assert combmesh("secret", "new", folder / "alice.pads", folder / "bob.pads", "--blocks", 2).returncode == 0
    return folder


def end(folder, role, where, block=0, bits=None, pads=None, wait_s=60):
    files = [folder / (bits or f"{role}.bits"), folder / "counts.toml", "--pads", folder / (pads or f"{role}.pads")]
    rest = ["-o", folder / f"{role}.sqlite", *where, "--block", block, "--wait", wait_s, "--json"]
    return [*COMMAND, *map(str, ["distill", role, *files, *rest])]


def both(folder, **bobs):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    block = bobs.pop("block", 0)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ends = [
        subprocess.Popen(end(folder, "alice", ["--listen", port], block), **pipes),
        subprocess.Popen(end(folder, "bob", ["--connect", f"127.0.0.1:{port}"], block, **bobs), **pipes),
    ]
    found = [process.communicate(timeout=300) for process in ends]
    assert [err for _, err in found] == ["", ""]
    return [process.returncode for process in ends], [json.loads(out) for out, _ in found]


def test_exact_two_processes_end_with_the_same_key(folder):
    codes, (alice, bob) = both(folder)
    assert codes == [0, 0]
    assert alice["key_id"] == bob["key_id"]
    assert alice["key_bits"] == bob["key_bits"] > 1000
    assert alice["confirmed"]
    assert bob["confirmed"]
    assert alice["errors"] == ERRORS
    assert 1.0 < alice["f"] < 1.1
    assert alice["pads_left"] == 2  # one pair was used, the key brought another
    assert alice["epsilon"]["total"] == pytest.approx(1e-10 + 1e-15, rel=1e-6)
    keys = []
    for name in ("alice", "bob"):
        with SqliteStore(folder / f"{name}.sqlite", name) as store:
            keys.append(store.available_keys()[0])
    assert keys[0].material == keys[1].material
    assert keys[0].origin == "measured"
    assert len(keys[0].material) == (alice["key_bits"] + 7) // 8
    shown = combmesh("secret", "count", folder / "alice.pads")
    assert "enough for 2 blocks" in shown.stdout
    assert "Spent by 1 blocks: 1e-10 secrecy" in shown.stdout


def available(folder, name):
    with SqliteStore(folder / f"{name}.sqlite", name) as store:
        return {key.key_id: key.material for key in store.available_keys()}


@pytest.mark.verify
def test_exact_kills_at_any_moment_lose_no_key_and_give_none_twice(folder, tmp_path):
    """40 blocks, in each of which one end is killed at a random moment; then one in peace, after which both agree."""
    rng = np.random.default_rng(2)
    for name in ("alice.bits", "bob.bits", "counts.toml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    combmesh("secret", "new", tmp_path / "alice.pads", tmp_path / "bob.pads", "--blocks", 60)
    for block in range(40):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        ends = [
            subprocess.Popen(end(tmp_path, "alice", ["--listen", port], block, wait_s=4), **quiet),
            subprocess.Popen(end(tmp_path, "bob", ["--connect", f"127.0.0.1:{port}"], block, wait_s=4), **quiet),
        ]
        time.sleep(rng.uniform(0.8, 3.2))
        ends[int(rng.integers(2))].kill()
        for process in ends:
            process.wait(120)
        alice, bob = available(tmp_path, "alice"), available(tmp_path, "bob")
        assert bob.items() <= alice.items()
    codes, _ = both(tmp_path, block=40)
    assert codes == [0, 0]
    assert available(tmp_path, "alice") == available(tmp_path, "bob")


def test_attack_other_announcements_or_pads_give_no_key(folder):
    codes, documents = both(folder, block=1, bits="other.bits")
    assert codes == [3, 3]
    assert any("`announcements`" in document["outcome"] for document in documents)
    combmesh("secret", "new", folder / "x.pads", folder / "y.pads", "--blocks", 1)
    codes, documents = both(folder, block=2, pads="x.pads")
    assert codes == [3, 3]
    assert all(document["key_id"] is None for document in documents)


def test_exact_secret_from_another_source(tmp_path):
    (tmp_path / "raw").write_bytes(os.urandom(16 + 32 * 5))
    done = combmesh("secret", "import", tmp_path / "a.pads", tmp_path / "raw")
    assert "enough for 5 blocks" in done.stdout
    (tmp_path / "raw").write_bytes(os.urandom(16 + 33))
    done = combmesh("secret", "import", tmp_path / "b.pads", tmp_path / "raw")
    assert done.returncode == 2
    assert "must have 16 bytes and 32 for each block, but has 49" in done.stderr


def test_bad_input_gets_a_sentence_and_exit_code_2(folder, tmp_path):
    bits, counts, pads = (folder / name for name in ("alice.bits", "counts.toml", "alice.pads"))
    rest = ["--pads", pads, "-o", tmp_path / "keys.sqlite"]
    short = tmp_path / "short.bits"
    write_sifted(short, SiftedBits(np.zeros(5, np.uint8), np.arange(5), "", "measured"))
    cases = [
        (["carol", bits, counts, *rest, "--listen", "1"], "The role must be alice or bob, but is 'carol'"),
        (["alice", bits, counts, *rest], "Give one of `--listen` and `--connect`"),
        (["alice", bits, counts, *rest, "--listen", "x"], "An address must be host:port"),
        (["alice", counts, counts, *rest, "--listen", "1"], "is not a file of sifted bits"),
        (["alice", short, counts, *rest, "--listen", "1"], f"is {N_BITS}, but there are 5 sifted bits"),
        (["alice", bits, counts, *rest, "--listen", "1", "--accounting", "none"], "`--accounting` must be one of"),
        (["alice", bits, counts, "--pads", bits, "-o", tmp_path / "k", "--listen", "1"], "holds no pads"),
    ]
    for arguments, sentence in cases:
        done = combmesh("distill", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert sentence in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    done = combmesh("secret", "new", folder / "alice.pads", tmp_path / "z.pads")
    assert done.returncode == 2
    assert not (tmp_path / "z.pads").exists()
