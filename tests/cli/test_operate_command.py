"""`combmesh operate` as a user types it: numbers, files, mistakes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "devices.toml"
COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]


def combmesh(*arguments, **options):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)


def test_exact_json_csv_and_picture_of_one_block(tmp_path):
    """QBERs of one block within 0.4 and 1.2 points of the printed means: 5 standard deviations of search and counts."""
    table, picture = tmp_path / "blocks.csv", tmp_path / "blocks.png"
    options = ("--line", -15, "--hours", 0.28, "--seed", 5, "--csv", table, "--plot", picture, "--json")
    done = combmesh("operate", EXAMPLE, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert [case["case"] for case in found["cases"]] == ["fibre", "equivalent loss"]
    for case in found["cases"]:
        (block,) = case["blocks"]
        assert block["counted_qber_z"] == pytest.approx(0.017, abs=4e-3)
        assert block["counted_qber_x"] == pytest.approx(0.274, abs=0.012)
        assert block["skr_bps"]["double-scan"] == block["key_bits"]["double-scan"] / 1000.0
        assert 0.0 < case["planned_bps"]["double-scan"] < case["unpaid_bps"]["double-scan"]
    assert (found["seed"], found["origin"]) == (5, "simulated")
    assert found["provenance"]["Controls.disclosure"].startswith("assumed: ")
    rows = list(csv.DictReader(table.open()))
    assert [row["case"] for row in rows] == ["fibre", "equivalent loss"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_exact_table_without_control():
    done = combmesh("operate", EXAMPLE, "--hours", 0.56, "--no-control")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "fibre, line 0 (C21), without control" in text
    assert "equivalent loss, line 0 (C21), without control" in text
    assert "no light is disclosed" in text
    assert "The proof does not cover this light" in text
    assert "probes" in done.stderr
    assert "left" in done.stderr


def test_exact_attenuators_alone():
    done = combmesh("operate", EXAMPLE, "--hours", 0.28, "--equivalent-loss", "--no-control", "--json")
    assert [case["case"] for case in json.loads(done.stdout)["cases"]] == ["equivalent loss"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hours", "0.1"], "`hours` must hold one block of 1000 s at least, but is 0.1"),
        (["--pair", "Alice,Eve"], "`--pair` must be two of Alice, Bob"),
        (["--line", "40"], "`line` must have a port at user and relay, -60 to 19, but is 40"),
        (["--plot", "nowhere/blocks.png"], "there is no folder `nowhere`"),
        (["--plot", "blocks.gif"], "must end in .png, .pdf, .svg"),
    ],
)
def test_attack_mistakes_on_the_command_line(tmp_path, arguments, words):
    done = combmesh("operate", EXAMPLE, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr


def test_attack_network_without_devices():
    done = combmesh("operate", ROOT / "examples" / "paper.toml")
    assert done.returncode == 2
    assert done.stderr.strip() == "The network file needs a table `devices` for this, but has none."
