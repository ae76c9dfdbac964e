"""`combmesh budget` as a user types it: numbers, files, mistakes, and `run`, `rate`, `explain` with devices."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from combmesh.config.load import load_network

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "devices.toml"
DOCS = ROOT / "docs" / "budget.md"
COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]


def combmesh(*arguments, **options):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)


def document(*arguments):
    done = combmesh(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def edited(tmp_path, *changes, name="devices.toml"):
    text = (ROOT / "examples" / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_paper_budget_of_h28(tmp_path):
    """The printed 48.9 +- 1.4, 1.7 and 27.4 %; three of the terms are fitted; the terms add up; files are written."""
    table, picture = tmp_path / "terms.csv", tmp_path / "terms.svg"
    found = document("budget", EXAMPLE, "--line", -15, "--csv", table, "--plot", picture)
    assert found["itu_label"] == "H28"
    assert abs(found["dip_visibility"] - 0.489) < 0.014
    assert found["qber_z"] == pytest.approx(0.017, abs=5e-4)
    assert found["qber_x"] == pytest.approx(0.274, abs=5e-4)
    points = [term["points"] for term in found["terms"]]
    assert sum(p["z"] for p in points) == pytest.approx(found["qber_z"], rel=0.01)
    assert sum(p["x"] for p in points) == pytest.approx(found["qber_x"] - found["coherent_floor_x"], rel=0.01)
    assert sum(p["dip"] for p in points) == pytest.approx(0.5 - found["dip_visibility"], rel=0.01)
    assert sum(bool(term["fitted_to"]) for term in found["terms"]) == 3
    assert found["provenance"]["devices.rest.error_x"].startswith("fitted: ")
    assert found["provenance"]["devices.users.amplifier.n_sp"].startswith("assumed: ")
    assert any("vacuum is not vacuum" in sentence for sentence in found["assumptions_broken"])
    rows = list(csv.DictReader(table.open()))
    assert [row["cause"] for row in rows] == [term["name"] for term in found["terms"]]
    assert float(rows[0]["points_x"]) == pytest.approx(points[0]["x"])
    assert picture.read_text().startswith("<?xml")


def test_exact_table_says_what_is_fitted_and_what_breaks_the_proof():
    done = combmesh("budget", EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert "Line 0 (C21)" in done.stdout  # the channel plan's
    assert "devices alone" in done.stdout
    text = " ".join(done.stdout.split())
    assert "unexplained, X (fitted)" in text
    assert "It could be polarizing beam splitters of 30 dB" in text
    assert "The proof does not cover this light" in text
    assert "the printed 48.5 % give 25.75 %" in text


def test_paper_some_lines_at_once(tmp_path):
    table, picture = tmp_path / "lines.csv", tmp_path / "lines.png"
    found = document("budget", EXAMPLE, "--lines", "-18:-12", "--seed", 3, "--csv", table, "--plot", picture)
    assert [line["line"] for line in found["lines"]] == list(range(-18, -11))
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["visibility of H28"]["printed"] == 0.489
    assert figures["double-scan"]["kind"] == "prediction"
    assert figures["QBER X"]["kind"] == "fitted mean"
    assert figures["QBER X"]["deviation"] == pytest.approx(figures["QBER X"]["mean"] - 0.274)
    assert (found["seed"], found["origin"]) == (3, "simulated")
    assert len(list(csv.DictReader(table.open()))) == 7
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_exact_progress_goes_to_the_error_stream():
    done = combmesh("budget", EXAMPLE, "--lines", "-1:1")
    assert done.returncode == 0
    assert "lines" in done.stderr
    assert "mean less the paper's" in done.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("half_wave_v = 3.47", "half_wave_v = 0")], "`half_wave_v` must be a finite number above 0, but is 0"),
        ([("extinction_db = 30.0", "extinction_db = -30.0")], "`extinction_db` must be"),
        ([("optical_fwhm_ps = 90.0", "optical_fwhm_ps = 500.0")], "must be below the period of 400 ps, but is 500"),
        ([("fibre_km = 100", "fibre_km = -3")], "`fibre_km` must be at least 0, but is -3"),
        ([("fibre_km = 100", "fibre_km = 3000")], "within the period of 400 ps"),
        ([("crosstalk_db", "crosstalk_dB")], "`devices.users[0].coupler_out.crosstalk_dB` is not known. Did you mean"),
        ([("\n[devices.rest]", "\n[devices.remainder]")], "`devices.remainder` is not known"),
        ([("detector_efficiency = 0.75", "visibility = 0.485")], "`relay.visibility` comes from `devices`"),
        ([("line_power_uw = 10.0", "line_power_uw = 1e-9")], "photons a pulse, but 0.54"),
        ([("zeta = 15.0", "zeta = 90.0")], "`zeta` is 90"),
        (
            [("arm_efficiency = 7.5e-3", "arm_efficiency = 0")],
            "`arm_efficiency` must be a finite number above 0, but is 0",
        ),
    ],
)
def test_attack_wrong_devices_get_a_sentence(tmp_path, changes, words):
    if words.startswith("`relay.visibility`"):
        changes = [*changes, ('"relay.detector_efficiency"', '"relay.visibility"')]
    done = combmesh("budget", edited(tmp_path, *changes))
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pair", "Alice,Eve"], "`--pair` must be two of Alice, Bob"),
        (["--line", "40"], "`line` must have a port at user and relay, -60 to 19, but is 40"),
        (["--line", "3", "--all-lines"], "leave out `--all-lines`"),
        (["--lines", "5:90"], "`--lines` must lie in -60:19"),
        (["--lines", "some"], "`--lines` must be FROM:TO"),
        (["--plot", "nowhere/terms.png"], "there is no folder `nowhere`"),
        (["--plot", "terms.gif"], "must end in .png, .pdf, .svg"),
    ],
)
def test_attack_mistakes_on_the_command_line(tmp_path, arguments, words):
    done = combmesh("budget", EXAMPLE, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


def test_attack_network_without_devices():
    done = combmesh("budget", ROOT / "examples" / "paper.toml")
    assert done.returncode == 2
    assert done.stderr.strip() == "The network file needs a table `devices` for this, but has none."


def test_paper_run_takes_visibility_and_misalignment_from_devices(tmp_path):
    """QBERs of one drawn block within 0.03 and 1.2 points of the printed ones: five counting errors and the scatter."""
    found = document("run", EXAMPLE, "--no-bits", "--workers", 1, "-o", tmp_path)
    (folder,) = tmp_path.iterdir()
    rows = list(csv.DictReader((folder / "pairs.csv").open()))
    assert float(rows[0]["qber_z"]) == pytest.approx(0.017, abs=3e-4)
    assert float(rows[0]["qber_x"]) == pytest.approx(0.274, abs=0.012)
    assert any("vacuum is not vacuum" in sentence for sentence in found["assumptions_broken"])
    again = document("run", EXAMPLE, "--no-bits", "--workers", 1, "-o", tmp_path)
    assert (found["new_blocks"], again["new_blocks"]) == (1, 0)


def test_exact_lines_of_one_length_have_plans_of_their_own(tmp_path):
    """Three users with equal arms on three lines: three plans, as many as there are relays from devices."""
    more = ("[relay]", '[[users]]\nname = "Carol"\nfibre_km = 100\narm_efficiency = 7.5e-3\n\n[relay]')
    file = edited(tmp_path, more)
    document("run", file, "--no-bits", "--workers", 1, "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    plans = [json.loads(line) for line in (folder / "plans.jsonl").read_text().splitlines()]
    assert len({tuple(plan["arms"]) for plan in plans}) == 3


def test_exact_files_without_devices_keep_their_name():
    """The hash of a file that has no `devices` is that of before there were any: the README's runs go on."""
    assert load_network(ROOT / "examples" / "netherlands.toml").config_hash.startswith("ea723771b4")


def test_exact_rate_takes_devices_too(tmp_path):
    """The same link by `rate` and by `budget`, without light in the vacuum: equal to 1 %."""
    text = (ROOT / "examples" / "link.toml").read_text().partition("[provenance]")[0]
    plain = [row for row in text.splitlines() if not row.startswith(("misalignment", "visibility"))]
    devices = EXAMPLE.read_text().partition("\n[devices]")[2].partition("[provenance]")[0]
    file = tmp_path / "link.toml"
    file.write_text("\n".join(["line = -15", *plain, "[devices]", devices]))
    rates = {row["method"]: row["skr_bps"] for row in document("rate", file, "--optimise")}
    budget = document("budget", EXAMPLE, "--line", -15)
    (vacuum,) = [term["planned_bps"] for term in budget["terms"] if term["name"] == "vacuum"]
    assert rates["certificate"] == pytest.approx(vacuum["certificate"], rel=0.01)
    wrong = file.read_text().replace("dark_count_probability = 4e-8", "visibility = 0.4\ndark_count_probability = 4e-8")
    file.write_text(wrong)
    done = combmesh("rate", file, "--optimise")
    assert done.returncode == 2
    assert "`relay.visibility` comes from `devices`" in done.stderr


def test_exact_explain_shows_each_device_with_its_mark():
    rows = json.loads(combmesh("explain", EXAMPLE, "--json").stdout)
    devices = {row["path"]: row for row in rows if row["path"].startswith("devices.")}
    assert devices["devices.users[1].mzi.half_wave_v"]["mark"] == "printed"
    assert devices["devices.users[0].demultiplexer.width_ghz"]["mark"] == "assumed"
    assert {row["mark"] for row in devices.values()} <= {"printed", "assumed", "fitted", "given", "default"}
    assert all(row["meaning"] for row in devices.values())
    schema = json.loads(combmesh("schema").stdout)
    assert schema["$defs"]["Mzi"]["properties"]["half_wave_v"]["unit"] == "V"


@pytest.mark.parametrize("command", re.findall(r"^\$ (combmesh .*)", DOCS.read_text(), re.MULTILINE))
def test_exact_commands_of_the_documentation_run(command, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = combmesh(*shlex.split(command)[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
