"""`combmesh attack` as a user types it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from combmesh.cli import attack
from combmesh.study.attacks import verdict
from combmesh.study.attacks.catalogue import ATTACKS

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()", "attack"]
LINK = """
schema_version = 1
pulses   = 1e8
clock_hz = 1e8
[arm.alice]
efficiency = 0.5
[arm.bob]
efficiency = 0.5
[relay]
dark_count_probability = 1e-7
[alice]
intensity   = { x = 0.096, y = 0.30, z = 0.54 }
probability = { x = 0.32, y = 0.11, z = 0.54 }
[bob]
intensity   = { x = 0.096, y = 0.30, z = 0.54 }
probability = { x = 0.32, y = 0.11, z = 0.54 }
"""


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    path = tmp_path_factory.mktemp("attack") / "link.toml"
    path.write_text(LINK)
    return path


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def test_exact_attacks_are_listed():
    for arguments in ((), ("--list",)):
        done = combmesh(*arguments)
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines()] == list(ATTACKS)
    listed = json.loads(combmesh("--list", "--json").stdout)
    assert [one["name"] for one in listed if not one["inside_proof"]] == ["known-phase"]


def test_exact_exit_code_3_if_the_proof_failed(link, monkeypatch, capsys):
    """Only with a verdict that is made up: inside the proof it is a finding, outside it is not."""
    monkeypatch.setattr(verdict, "verdict_of", lambda *numbers: verdict.BROKEN)
    arguments = {"number": 1e6, "seed": 1, "share": 1.0, "listed": False, "as_json": True}
    assert attack.attack("split", link, **arguments) == 3
    assert attack.attack("known-phase", link, **arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["verdict"] == "the attack succeeds"


def test_exact_page_of_attacks_names_them_all_and_its_link_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text()
    for name in ATTACKS:
        assert f"`{name}`" in page, name
    (text,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "far.toml").write_text(text)
    done = combmesh("intercept-z", tmp_path / "far.toml", "--pulses", "1e9", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unknown_bits"] == 0


def test_exact_one_attack_as_json(link):
    done = combmesh("intercept-z", link, "--pulses", "1e7", "--seed", 3, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["origin"] == "simulated"
    assert (result["name"], result["pulses"], result["seed"]) == ("intercept-z", 10_000_000, 3)
    assert (result["key_bits"], result["unknown_bits"], result["verdict"]) == (0, 0, "no key")
    assert result["qber_z"] == 0
    assert result["qber_x"] == pytest.approx(0.5, abs=0.02)


def test_exact_all_attacks_in_words(link):
    done = combmesh("all", link, "--pulses", "3e6")
    assert done.returncode == 0, done.stderr
    for name in ATTACKS:
        assert name in done.stdout
    assert "outside the proof" in done.stdout
    assert "the attack succeeds" not in done.stdout
    assert "repeated ones ignored" in done.stdout


def test_exact_a_part_of_the_pulses_is_attacked(link):
    done = combmesh("intercept-z", link, "--share", "0.1", "--pulses", "6e7", "--json")
    result = json.loads(done.stdout)
    assert result["verdict"] == "the key is safe"
    assert 0 < result["key_bits"] + result["leak_bits"] <= result["unknown_bits"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("intercept-y", "LINK"), "did you mean `intercept-z`"),
        (("split",), "needs a link file"),
        (("split", "LINK", "--share", "2"), "`--share` must be at most 1"),
        (("split", "LINK", "--pulses", "0.5"), "whole number"),
        (("split", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_exact_what_cannot_be_used_is_said_in_a_sentence(link, arguments, word):
    done = combmesh(*[link if argument == "LINK" else argument for argument in arguments])
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
