"""`combmesh comb` as a user types it: lines, files, mistakes."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from combmesh.config.comb import load_comb
from combmesh.device.comb_file import CombFile
from combmesh.device.microcomb.ring import MARKS, Pump, Ring
from combmesh.ground.errors import InputError

RING = Path(__file__).parents[2] / "examples" / "ring.toml"
COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]
QUICK = {
    "beta2_ps2_km": "-160.0", "heat_time_us": "[0.105, 0.4925]", "modes": "512", "spectrum_modes": "1024",
    "cool_time": "500.0", "hold_time": "50.0", "warm_time": "150.0", "final_time": "75.0", "speed": "8e-3",
    "rest_time": "20.0",
}  # fmt: skip
"""A quarter of the ring (the same equation), four times as fast: one attempt takes a second or two."""


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=600)


def changed(folder, changes, base=RING):
    text = base.read_text()
    for name, value in changes.items():
        text, count = re.subn(rf"^({name}\s*=) .*$", rf"\1 {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    path = folder / "ring.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The preset from the closed-form soliton, with every file that the command writes."""
    folder = tmp_path_factory.mktemp("comb")
    files = [folder / f"comb.{suffix}" for suffix in ("png", "csv", "nc")]
    done = combmesh(
        "comb", RING, "--closed-form", "--json", "--plot", files[0], "--csv", files[1], "--netcdf", files[2]
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout), *files


def test_exact_the_example_is_the_preset():
    file, marks = load_comb(RING)
    preset = CombFile(1, Ring(), Pump())
    assert replace(file, demultiplexer=preset.demultiplexer) == preset
    assert asdict(file.demultiplexer) == pytest.approx(asdict(preset.demultiplexer), rel=1e-12)
    assert {mark.kind for mark in marks.values()} == {"printed", "assumed", "fitted", "given"}
    for path, mark in marks.items():
        assert mark.kind == "given" or mark.note, path
    for name, text in MARKS.items():
        (mark,) = [marks[path] for path in marks if path in (f"ring.{name}", f"pump.{name}")]
        assert text.startswith(mark.kind), name


def test_paper_more_than_200_lines_and_100_nm(run):
    """Section 2.1: more than 200 lines over 20 dB, more than 100 nm, 49 GHz; Fig. 3h: 80 channels. The number of lines
    is fitted (the loss before the amplifier); the width follows from the detuning."""
    document = run[0]
    assert 200 < document["lines_over_20db"] < 350
    assert 100 < document["span_nm"] < 150
    assert document["usable_lines"] == 80
    assert document["rep_rate_ghz"] == 49.0
    assert document["provenance"]["amplifier.loss_db"].startswith("fitted: more than 200 lines")
    assert document["grid_resolved"]
    assert document["grid_difference_db"] < 0.02
    assert document["zeta"] == pytest.approx(20.1, abs=0.1)


def test_paper_labels_as_printed(run):
    """Fig. 3 and section 2.1; CH+n lies n lines to the red."""
    assert run[0]["labels"] == {"CH0": "C21", "CH+15": "C14", "CH-15": "H28", "CH-60": "H50", "CH+19": "C12"}


def test_exact_each_line_says_why(run):
    rows = {row["line"]: row for row in run[0]["lines"]}
    usable = [line for line, row in rows.items() if row["usable"]]
    assert usable == list(range(-60, 20))
    assert rows[-61]["why"] == rows[20]["why"] == "no port"
    assert rows[-400]["why"] == "SNR below 20 dB, no port"
    assert rows[5]["why"] == "usable"
    assert (rows[-60]["port"], rows[19]["port"], rows[20]["port"]) == (0, 79, None)
    assert rows[20]["port_dbm"] is None
    assert rows[5]["frequency_thz"] == pytest.approx(192.1152 - 5 * 0.049)
    assert rows[5]["power_dbm"] == pytest.approx(-21.0, abs=0.2)


def test_exact_files_hold_the_same_lines(run):
    """CSV by its columns; netCDF by SciPy's reader, which xarray uses too."""
    from scipy.io import netcdf_file

    document, picture, table, netcdf = run
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = list(csv.DictReader(table.open()))
    assert [int(line["line"]) for line in lines] == [row["line"] for row in document["lines"]]
    assert [line["itu_label"] for line in lines] == [row["itu_label"] for row in document["lines"]]
    assert lines[0]["port"] == lines[0]["port_dbm"] == ""
    with netcdf_file(netcdf, mmap=False) as file:
        frequency = file.variables["frequency_thz"]
        assert frequency.dimensions == ("line",)
        assert frequency.units == b"THz"
        assert frequency[:] == pytest.approx([row["frequency_thz"] for row in document["lines"]])
        labels = ["".join(letter.decode() for letter in row).strip("\0") for row in file.variables["itu_label"][:]]
        assert labels == [row["itu_label"] for row in document["lines"]]
        assert file.variables["usable"][:].sum() == 80
        assert np.all(np.diff(file.variables["time"][:]) > 0.0)
        assert json.loads(file.provenance)["ring.fsr_ghz"].startswith("printed")
        assert json.loads(file.report)["span_nm"] == document["span_nm"]


def test_limit_access_to_one_soliton_by_the_ratchet(tmp_path):
    """A quarter of the ring has a quarter of the lines. The seed decides; the progress bar is no part of the output."""
    path = changed(tmp_path, QUICK)
    done = combmesh("comb", path, "--seed", 1, "--plot", tmp_path / "comb.svg")
    assert done.returncode == 0, done.stderr
    assert "one soliton" in done.stderr
    assert "left" in done.stderr
    for words in ("One soliton: attempt", "usable", "no port", "Fitted: pump.aux_power_w", "CH-15 H28", "Written:"):
        assert words in done.stdout, words
    assert "ratchet" in (tmp_path / "comb.svg").read_text()
    first, second = (json.loads(combmesh("comb", path, "--seed", 1, "--json").stdout) for _ in range(2))
    assert first["ratchet"][0] > 1
    assert first["ratchet"][-1] == first["solitons"] == 1
    assert first["fwhm_lines_closed_form"] == pytest.approx(80, abs=1)
    assert {**first, "wall_s": 0} == {**second, "wall_s": 0}
    other = json.loads(combmesh("comb", path, "--seed", 2, "--json").stdout)
    assert other["ratchet"] != first["ratchet"]
    assert other["lines_over_20db"] == pytest.approx(first["lines_over_20db"], abs=3)


def test_limit_a_coarse_grid_is_told(tmp_path):
    path = changed(tmp_path, {"modes": "1024", "round_trips": "3.0"})
    done = combmesh("comb", path, "--closed-form")
    assert done.returncode == 0, done.stderr
    assert "1024 modes are less than two points to a soliton's width" in done.stdout


def test_limit_a_survey_is_a_table_of_shares(tmp_path):
    path = changed(tmp_path, QUICK)
    done = combmesh("comb", path, "--survey", "--seeds", 2, "--stops", "14,60", "--workers", 1, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [(row["stop_zeta"], row["auxiliary"], row["with_solitons"]) for row in rows] == [
        (14.0, False, 0),
        (60.0, False, 0),
        (14.0, True, 0),
        (60.0, True, 2),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intrinsic_q": "-3.4e6"}, "`intrinsic_q` must be a finite number above 0, but is -3.4e+06."),
        ({"beta2_ps2_km": "10.0"}, "`beta2_ps2_km` must be below 0 (anomalous dispersion), but is 10"),
        ({"power_w": "0.05"}, "`power_w` must exceed the threshold of 0.0606 W, but is 0.05: no sideband grows"),
        ({"power_w": "0.6"}, "bears solitons up to zeta 12.2 only"),
        ({"round_trips": "3.0"}, "`grid.round_trips` must be at most 1.7 with 2048 modes, but is 3"),
        ({"spectrum_modes": "1024"}, "`spectrum_modes` must be at least 2048, but is 1024"),
        ({"schema_version": "2"}, "`schema_version` must be 1, but is 2."),
        ({"final": "-3.0"}, "`recipe.final` must be above 0"),
        ({"fsr_ghz": '"wide"'}, '`ring.fsr_ghz` must be a number, but is "wide".'),
        ({"notch_db": "nan"}, "`notch_db` must be a finite number"),
    ],
)
def test_exact_an_unphysical_ring_gets_a_sentence(tmp_path, changes, words):
    with pytest.raises(InputError) as caught:
        load_comb(changed(tmp_path, changes))
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2  # the file, and what is wrong with it


def test_exact_mistakes_leave_with_code_2(tmp_path):
    """Bad values, unknown names, a folder that is not there, options that exclude each other."""
    bad = changed(tmp_path, {"intrinsic_q": "-1.0"})
    (tmp_path / "typo.toml").write_text(RING.read_text().replace("intrinsic_q  =", "intrinsicq   ="))
    for arguments, words in (
        ((bad,), "`intrinsic_q`"),
        ((tmp_path / "typo.toml",), "`ring.intrinsicq` is not known. Did you mean `intrinsic_q`?"),
        ((RING, "--plot", tmp_path / "no" / "a.png"), "there is no folder"),
        ((RING, "--survey", "--closed-form"), "`--survey` prints a table"),
        ((RING, "--survey", "--stops", "30,20"), "`--stops` must be ascending"),
        ((RING, "--survey", "--stops", "30,inf"), "`--stops` must be ascending"),
        ((RING, "--survey", "--stops", "nan"), "`--stops` must be ascending"),
        ((RING, "--survey", "--seeds", "0"), "`--seeds` must be at least 1"),
        ((RING.with_name("link.toml"),), "is a link file and no file of a comb; `combmesh rate` reads it."),
        ((RING, "--closed-form", "--plot", tmp_path / "a.txt"), "must end in .png, .pdf, .svg"),
    ):
        done = combmesh("comb", *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def console(block):
    text = (RING.parents[1] / "docs" / "comb.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line[2:].split() for line in blocks[block].splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("block", [0, pytest.param(1, marks=pytest.mark.verify)])
def test_exact_commands_of_the_page_run(block, tmp_path, monkeypatch):
    """Block 1, an access and a survey, takes minutes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(RING.parent)
    for program, *arguments in console(block):
        assert program == "combmesh"
        done = combmesh(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout
