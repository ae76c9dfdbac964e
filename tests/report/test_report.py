import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.report.export import write_csv, write_json
from combmesh.report.plots import heat_map
from combmesh.report.rows import FIELDS
from combmesh.report.table import pair_table, summary_text


@dataclass(frozen=True)
class Row:
    user_a: str = "[red]"  # looks like markup
    user_b: str = "bob, jr"  # wants quoting in CSV
    distance_km: float | None = 20.0
    line: int = 3
    itu_label: str = "C33"
    qber_z: float = 0.0051
    qber_x: float = 0.268
    s11_lower: float = 2.5e-5
    phase_error_upper: float = 0.0812
    f_ec: float | None = 1.16
    key_bits: int = 123456
    light_s: float = 100.0
    skr_bps: float = 1234.56
    outcome: str = "key"


KEYLESS = replace(
    Row(), user_b="carol", phase_error_upper=float("nan"), f_ec=None, key_bits=0, skr_bps=0.0, outcome="s"
)


def text_of(table):
    from rich.console import Console

    console = Console(width=160, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


def test_exact_table_cells():
    text = text_of(pair_table([Row(), KEYLESS]))
    for cell in ("[red] – bob, jr", "20.0", "C33", "0.510", "26.80", "2.50e-05", "8.12", "1.160", "123,456", "1,235"):
        assert cell in text
    assert "nan" not in text


def test_limit_of_table_counts_the_rest():
    table = pair_table([Row()] * 5, limit=2)
    assert table.row_count == 2
    assert table.caption == "and 3 pairs more"
    with pytest.raises(InputError, match="-1"):
        pair_table([], limit=-1)


def test_exact_summary():
    text = summary_text([Row(), replace(Row(), skr_bps=1000.0), KEYLESS])
    assert text.splitlines() == [
        "2 of 3 pairs have a key, 246,912 bits together.",
        "Key rate of a pair with key: 1,000 to 1,235 bit/s of light time, 1,117 on average.",
        "No key for 1 pair: s.",
    ]
    assert summary_text([]) == "0 of 0 pairs have a key, 0 bits together."


def test_exact_csv_round_trip(tmp_path):
    write_csv([Row(), KEYLESS], tmp_path / "pairs.csv")
    with open(tmp_path / "pairs.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == FIELDS
    assert first["user_b"] == "bob, jr"
    assert float(first["skr_bps"]) == 1234.56
    assert (second["phase_error_upper"], second["f_ec"]) == ("", "")
    assert os.listdir(tmp_path) == ["pairs.csv"]


def test_exact_json_has_no_nan(tmp_path):
    path = tmp_path / "run.json"
    document = {"a": float("nan"), "b": [np.float64("inf"), np.int64(3), True], "c": {"d": None, "é": (1.5,)}}
    write_json(document, path)
    assert json.loads(path.read_text()) == {"a": None, "b": [None, 3, True], "c": {"d": None, "é": [1.5]}}


def test_attack_secret_bytes_do_not_become_json(tmp_path):
    with pytest.raises(InputError, match=r"`document\.keys\[0\]`.*bytes") as caught:
        write_json({"keys": [b"SECRET"]}, tmp_path / "run.json")
    assert "SECRET" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_limit_unwritable_folder_is_a_sentence(tmp_path):
    with pytest.raises(RunError, match=r"Could not write .*No such file or directory"):
        write_json({}, tmp_path / "nowhere" / "run.json")


def test_exact_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_json({"old": 1}, tmp_path / "run.json")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        write_json({"new": 1}, tmp_path / "run.json")
    assert os.listdir(tmp_path) == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text()) == {"old": 1}


def rates(n):
    loss = np.linspace(1, 30, n)
    return 1e5 * 10 ** (-(loss[:, None] + loss) / 10)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_exact_heat_map_is_reproducible(tmp_path, suffix):
    matrix = rates(5)
    matrix[0, 1] = matrix[1, 0] = np.nan
    users = ["$a_1", "b", "c", "d", "é"]  # the first looks like mathematics
    for name in ("one", "two"):
        heat_map(users, matrix, tmp_path / f"{name}.{suffix}", "Five users $")
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_exact_heat_map_words(tmp_path):
    matrix = rates(5)
    matrix[0, 1] = matrix[1, 0] = 0
    heat_map(list("abcde"), matrix, tmp_path / "map.svg", "Five users")
    text = (tmp_path / "map.svg").read_text()
    for words in ("simulated light", "Five users", "9 of 10 pairs", "no key (1 pair)", "bit/s of light time"):
        assert words in text


def test_limit_heat_map_without_any_key_and_with_one_rate(tmp_path):
    heat_map(["a", "b"], np.zeros((2, 2)), tmp_path / "none.png", "None")
    heat_map(["a", "b"], np.ones((2, 2)), tmp_path / "one.png", "One")
    assert (tmp_path / "none.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("users", "matrix", "name", "words"),
    [
        ("ab", np.ones((3, 3)), "a.png", r"\(2, 2\), but has \(3, 3\)"),
        ("ab", [[0, 1], [2, 0]], "a.png", "symmetric, but has 1 at"),
        ("ab", [[0, -1], [-1, 0]], "a.png", "-1"),
        ("a", [[0]], "a.png", "at least 2"),
        ("ab", np.ones((2, 2)), "a.gif", r"a\.gif"),
    ],
)
def test_limit_heat_map_refuses_with_a_sentence(tmp_path, users, matrix, name, words):
    with pytest.raises(InputError, match=words):
        heat_map(list(users), matrix, tmp_path / name, "t")


def test_exact_no_pyplot_and_no_lasting_change(tmp_path):
    code = (
        "import sys, combmesh.report.plots as p, combmesh.report.table\n"
        "assert 'matplotlib' not in sys.modules and 'rich' not in sys.modules\n"
        "from matplotlib import rcParams\n"
        "def state(): return {name: rcParams[name] for name in rcParams if name != 'backend'}\n"  # backend loads pyplot
        "before = state()\n"
        f"p.heat_map(['a', 'b'], [[0, 1], [1, 0]], {str(tmp_path / 'a.png')!r}, 't')\n"
        "assert state() == before and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
