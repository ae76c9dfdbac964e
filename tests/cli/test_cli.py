"""The command as a user types it: exit codes, one sentence, nothing written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]

SMALL = """
schema_version = 1
name = "small"
blocks = {blocks}
[[users]]
name = "U"
count = {count}
fibre_km = 25
[relay]
detector_efficiency = 0.75
dark_count_probability = 4e-8
misalignment_z = 0.017
misalignment_x = 0.034
visibility = 0.485
[block]
sifted_bits = {bits}
"""


def combmesh(*arguments, cwd=None):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=cwd)


def network(tmp_path, count=3, blocks=1, bits="2e5"):
    path = tmp_path / "small.toml"
    path.write_text(SMALL.format(count=count, blocks=blocks, bits=bits))
    return path


def test_exact_run_prints_one_document_and_writes_the_report(tmp_path):
    done = combmesh("run", network(tmp_path), "--json", "--workers", 1, "-o", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["users"], document["pairs"], document["pairs_with_key"]) == (3, 3, 3)
    assert document["mismatched_pairs"] == 0
    assert document["mean_skr_bps"] > 0
    assert document["origin"] == "simulated"
    assert document["provenance"]["users.fibre_km"] == "given"
    store = Path(document["store"])
    assert sorted(path.name for path in store.glob("*.sqlite")) == ["U1.sqlite", "U2.sqlite", "U3.sqlite"]
    made = {path.name for path in store.parent.iterdir()}
    assert {"journal.jsonl", "report.json", "pairs.csv", "pairs.png"} <= made
    again = json.loads(combmesh("run", tmp_path / "small.toml", "--json", "-o", tmp_path / "runs").stdout)
    assert again["new_blocks"] == 0
    assert again["total_key_bits"] == document["total_key_bits"]
    text = combmesh("run", tmp_path / "small.toml", "-o", tmp_path / "runs").stdout
    assert "3 of 3 pairs have a key" in text
    assert "Simulated light" in text


def test_paper_network_keys_all_pairs_at_the_printed_rate(tmp_path):
    """58 to 64 bit/s are printed; the acceptance is 60 to 80 with f = 1.16 (notes: 70)."""
    done = combmesh("run", EXAMPLES / "paper.toml", "--no-bits", "--json", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["users"], document["pairs"], document["pairs_with_key"]) == (200, 19_900, 19_900)
    assert 60 < document["mean_skr_bps"] < 80
    assert document["store"] is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fibre_km = 25", 'fibre_km = "25"', "`users[0].fibre_km` must be a number"),
        ("count = 3", "count = 100", "needs 99 lines, but `comb` has only 80"),
        ("[block]", "[blocks]", "Cannot"),
    ],
)
def test_limit_bad_input_is_one_sentence_exit_2_and_nothing_written(tmp_path, old, new, words):
    path = network(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    done = combmesh("run", path, "-o", tmp_path / "runs")
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr or "is not a TOML file" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_limit_folder_that_cannot_be_written_is_exit_2(tmp_path):
    done = combmesh("run", network(tmp_path), "-o", tmp_path / "small.toml" / "runs")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_limit_unknown_verb_and_missing_file_are_exit_2(tmp_path):
    assert combmesh("rnu").returncode == 2
    missing = combmesh("run", tmp_path / "nowhere.toml")
    assert missing.returncode == 2
    assert "nowhere.toml" in missing.stderr
    assert combmesh("--version").stdout.startswith("combmesh ")


def test_exact_explain_and_schema():
    rows = json.loads(combmesh("explain", EXAMPLES / "paper.toml", "--json").stdout)
    assert any(row["path"] == "users[0].arm_efficiency" and row["mark"] == "assumed" for row in rows)
    assert "assumed" in combmesh("explain", EXAMPLES / "paper.toml").stdout
    assert json.loads(combmesh("schema").stdout)["title"] == "combmesh network file"


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_attack_a_stopped_run_goes_on(tmp_path, stop, code):
    path = network(tmp_path, count=6, blocks=4)
    arguments = ["run", str(path), "--workers", "2", "--json", "-o", str(tmp_path / "runs")]
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = None
    end = time.monotonic() + 120
    while time.monotonic() < end and not (journal and journal.stat().st_size):
        journal = next(iter((tmp_path / "runs").glob("*/journal.jsonl")), None)
        time.sleep(0.02)
    process.send_signal(stop)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code
    if stop != signal.SIGKILL:
        assert "Traceback" not in complaint
        assert complaint.rstrip().endswith("the same command goes on from there.\nStopped.")
    finished = combmesh(*arguments)
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert document["pairs_with_key"] == document["pairs"] == 15
    assert document["mismatched_pairs"] == 0
    assert 0 < document["new_blocks"] < 60
    assert not os.path.exists(f"/proc/{process.pid}")


def test_attack_an_interrupt_waits_while_compiled_code_calls_python():
    """An exception there would end the process by a segmentation fault."""
    code = """if True:
        import signal, time, types
        from combmesh.cli import main
        signal.signal(signal.SIGINT, main._interrupt)
        place = types.SimpleNamespace(co_filename="/x/numba/core/serialize.py")
        main._interrupt(signal.SIGINT, types.SimpleNamespace(f_code=place))
        print("not yet", flush=True)
        try:
            time.sleep(20.0)
        except KeyboardInterrupt:
            print("now", flush=True)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["not yet", "now"], done.stderr


def test_exact_imports_are_light():
    """`import combmesh` and the command line load none of the heavy libraries."""
    code = "import sys, combmesh.cli.main; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "scipy", "matplotlib", "pydantic"} & set(modules)


def test_attack_a_disk_that_fills_up_is_exit_1_and_the_run_goes_on(tmp_path):
    """A limit on the size of files stands for a full disk."""
    path = network(tmp_path, count=4, blocks=2)
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY));"
        "from combmesh.cli.main import main; main()"
    )
    arguments = ["run", str(path), "--workers", "1", "--json", "-o", str(tmp_path / "runs")]
    full = subprocess.run([sys.executable, "-c", limited, *arguments], capture_output=True, text=True, timeout=300)
    assert full.returncode == 1, full.stderr
    assert full.stderr.startswith("Could not write")
    assert "Traceback" not in full.stderr
    document = json.loads(combmesh(*arguments).stdout)
    assert document["pairs_with_key"] == document["pairs"] == 6
    assert document["mismatched_pairs"] == 0
