"""`combmesh pulses`, `tags` and `sift` as a user types them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from combmesh.config.counts import load_counts
from combmesh.link.gains import gain, yield_11
from combmesh.link.timetags.reading import read_tags
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.writing import write_tags

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]
CASES = Path(__file__).parents[3] / "shared" / "cases" / "timetags"
LINK = """
schema_version = 1
pulses   = 4e6
clock_hz = 1e8
[arm.alice]
efficiency = 0.3
[arm.bob]
efficiency = 0.2
[relay]
dark_count_probability = 1e-6
misalignment_z = 0.01
dead_time_ns = 18
jitter_fwhm_ps = 60
gate_ps = 400
[alice]
intensity   = { x = 0.1, y = 0.3, z = 0.5 }
probability = { x = 0.3, y = 0.1, z = 0.55 }
[bob]
intensity   = { x = 0.1, y = 0.3, z = 0.5 }
probability = { x = 0.3, y = 0.1, z = 0.55 }
[tagger]
delays_ps = [0, 1234, -777, 45678]
offset_ppm = 3.5
"""


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def document(*arguments):
    done = combmesh(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    (folder / "link.toml").write_text(LINK)
    found = document("pulses", folder / "link.toml", "--folder", folder, "--seed", 3)
    return folder, found


def test_exact_pulses_beside_the_other_engines(night):
    _, found = night
    assert found["origin"] == "simulated"
    assert found["pulses"] == 4_000_000
    assert found["p_value"] > 1e-4
    zz = next(row for row in found["rows"] if row["pair"] == "zz")
    assert zz["detected"] == pytest.approx(zz["expected_detected"], rel=0.03)
    assert zz["drawn_detected"] == pytest.approx(zz["expected_detected"], rel=0.03)
    assert set(found["clicks"]) == {"1H", "1V", "2H", "2V"}


def test_exact_sift_gives_the_engines_own_counts(night):
    folder, found = night
    files = [folder / name for name in ("relay.h5", "alice.h5", "bob.h5")]
    table, bits = folder / "counts.toml", folder / "bits"
    sifted = document("sift", *files, "-o", table, "--gate-ps", 400, "--bits", bits)
    for row in found["rows"]:
        assert sifted["counts"][row["pair"]] == {name: row[name] for name in ("sent", "detected", "errors")}
    assert sifted["delays_ps"]["2V"] == pytest.approx(45_678, abs=1)
    assert sifted["clock"]["offset_ppm"] == pytest.approx(3.5, abs=0.01)
    loaded = load_counts(table)
    assert loaded.pulses == 4e6
    assert loaded.counts.Z["zz"].detected == sifted["counts"]["zz"]["detected"]
    assert {path.name for path in bits.iterdir()} == {"alice.bits", "bob.bits"}
    assert combmesh("key", table).returncode == 0
    shown = combmesh("sift", *files, "-o", table)
    assert "Delays behind 1H" in shown.stdout


def test_exact_tags_say_what_the_file_holds(night, tmp_path):
    folder, found = night
    seen = document("tags", folder / "relay.h5", "--pair", "0,2", "--plot", tmp_path / "plot.png")
    assert seen["format"] == "simulated"
    assert seen["events"] == {str(k): n for k, n in enumerate(found["clicks"].values())}
    assert seen["duration_s"] == pytest.approx(0.04, rel=1e-3)
    assert seen["histogram"]["channels"] == [0, 2]
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    shown = combmesh("tags", folder / "relay.h5", "--export", tmp_path / "tags.ptu", "--to", "ptu")
    assert "Channels" in shown.stdout
    again, first = read_tags(tmp_path / "tags.ptu"), read_tags(folder / "relay.h5")
    assert np.array_equal(again.time_ps, first.time_ps)
    assert document("tags", tmp_path / "tags.ptu")["format"] == "ptu"


def test_limit_g2_of_a_single_photon_source(tmp_path):
    """Photons of a pulsed single-photon source on two detectors: no pairs at the delay, equal peaks beside it."""
    rng = np.random.default_rng(1)
    pulse = np.flatnonzero(rng.random(4_000_000) < 0.02)
    channel = rng.integers(0, 2, pulse.size).astype(np.uint8)
    time_ps = pulse * 3128 + rng.normal(0, 60, pulse.size).astype(int) + channel.astype(int) * 6256 + 10_000
    order = np.argsort(time_ps)
    write_tags(tmp_path / "tags.csv", TimeTags(channel[order], time_ps[order], "example"), "csv")
    g2 = document("tags", tmp_path / "tags.csv", "--period-ps", 3125)["g2"]
    assert g2["g2"] == 0
    assert g2["centre_ps"] == pytest.approx(6256, abs=20)
    assert g2["period_ps"] == pytest.approx(3128, abs=0.1)


def test_exact_photon_numbers_are_kept_on_request(tmp_path):
    """Every announced and wrong pulse once; single photons at the yield of Ma & Razavi 2012 (`yield_11`)."""
    (tmp_path / "link.toml").write_text(LINK)
    command = ("pulses", tmp_path / "link.toml", "--photons", "--workers", 1)
    found = document(*command)
    assert found["p_value"] > 1e-4
    assert len(found["by_number"]) == 16
    for row in found["rows"]:
        by_number = found["by_number"][row["pair"]]
        assert np.shape(by_number["announced"]) == np.shape(by_number["wrong"]) == (8, 8)
        assert np.sum(by_number["announced"]) == row["detected"]
        assert np.sum(by_number["wrong"]) == row["errors"]
    zz = next(row for row in found["rows"] if row["pair"] == "zz")
    singles = yield_11(0.3, 0.2, 1e-6) * zz["sent"] * (0.5 * np.exp(-0.5)) ** 2
    live = zz["expected_detected"] / (zz["sent"] * sum(gain(0.15, 0.1, True, True, 1e-6, 1.0)))  # of the dead time
    assert found["by_number"]["zz"]["announced"][1][1] == pytest.approx(live * singles, abs=5 * singles**0.5)
    assert "had one photon from each user" in combmesh(*command, "-n", "1e6").stdout
    assert "by_number" not in document(*command[:2], "-n", "1e5")
    (tmp_path / "laser.toml").write_text(LINK + '[phase]\nkind = "laser"\n')
    refused = combmesh("pulses", tmp_path / "laser.toml", "--photons")
    assert refused.returncode == 2
    assert "`phase` must be randomised where photon numbers are kept" in refused.stderr


def test_exact_keep_goes_on_after_a_stop(tmp_path):
    """Stopped in the middle and started again, the tally is that of one run."""
    (tmp_path / "link.toml").write_text(LINK)
    command = ["pulses", tmp_path / "link.toml", "-n", "1.5e8", "--workers", 1, "--json"]
    whole = json.loads(combmesh(*command).stdout)
    kept = tmp_path / "kept.json"
    running = subprocess.Popen([*COMMAND, *map(str, command), "--keep", str(kept)], stderr=subprocess.PIPE)
    for _ in range(600):
        if running.poll() is not None or (kept.exists() and json.loads(kept.read_text())["pulses"]):
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    running.wait(60)
    again = json.loads(combmesh(*command, "--keep", kept).stdout)
    assert 0 < again["kept_pulses"] < again["pulses"] == 1.5e8
    assert json.loads(combmesh(*command, "--keep", kept).stdout)["kept_pulses"] == 1.5e8
    assert again["rows"] == whole["rows"]
    assert again["clicks"] == whole["clicks"]


def test_bad_input_gets_a_sentence_and_exit_code_2(night, tmp_path):
    folder, _ = night
    link, relay, alice, bob = (folder / name for name in ("link.toml", "relay.h5", "alice.h5", "bob.h5"))
    (tmp_path / "bare.toml").write_text(LINK.partition("[alice]")[0])
    (tmp_path / "laser.toml").write_text(LINK + '[phase]\nkind = "random"\n')
    (tmp_path / "empty.h5").write_bytes(b"")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    table = tmp_path / "counts.toml"
    cases = [
        (("pulses", link, "-n", "0"), "`pulses` must be at least 1, but is 0"),
        (("pulses", link, "-n", "1.5"), "`--pulses` must be a whole number, but is 1.5"),
        (("pulses", link, "-n", "nan"), "`--pulses` must be a whole number, but is nan"),
        (("pulses", tmp_path / "bare.toml"), "has no `alice` and `bob`"),
        (("pulses", tmp_path / "laser.toml"), "phase.kind"),
        (("pulses", link, "--folder", tmp_path, "--keep", tmp_path / "k"), "cannot stand beside `--folder`"),
        (("pulses", link, "--folder", relay), "cannot be made"),
        (("pulses", link, "--keep", tmp_path / "no" / "kept"), "cannot be written: No such file or directory"),
        (("tags", tmp_path / "none.ptu"), "does not exist"),
        (("tags", relay, "--export", tmp_path), "cannot be written: it is a folder"),
        (("tags", relay, "--plot", tmp_path / "no" / "x.png"), "cannot be written: there is no folder"),
        (("tags", relay, "--period-ps", "10000", "--window-ps", "0"), "`window_ps` must be at least"),
        (("sift", relay, alice, bob, "-o", tmp_path / "no" / "x.toml"), "cannot be written: there is no folder"),
        (("sift", relay, alice, bob, "-o", table, "--search-ms", "100"), "`--search-ms` must be at most 82.5"),
        (("sift", relay, alice, bob, "-o", table, "--channels", "1,0,2,3"), "are the channels those of 1H, 1V, 2H, 2V"),
        (("tags", tmp_path / "empty.h5"), "is empty"),
        (("tags", relay, "--pair", "0"), "`--pair` must be two channels"),
        (("tags", relay, "--pair", "0,9"), "`--pair` names channel 9"),
        (("tags", relay, "--format", "ptv"), "Did you mean `ptu`?"),
        (("tags", relay, "--plot", tmp_path / "x.bmp"), "must end in"),
        (("sift", relay, alice, tmp_path / "foreign.h5", "-o", table), "not a record of a user"),
        (
            ("sift", relay, alice, bob, "-o", table, "--channels", "0,1,2"),
            "`--channels` must be four different numbers",
        ),
        (("sift", relay, alice, bob, "-o", table, "--bell-states", "3"), "`--bell-states` must be 1 or 2"),
        (("sift", relay, alice, bob, "-o", table, "--gate-ps", "20000"), "`--gate-ps` must be at most 10000"),
        (("sift", alice, alice, bob, "-o", table), "its attribute `format` does not say so"),
    ]
    for arguments, sentence in cases:
        done = combmesh(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert sentence in " ".join(done.stderr.split()), (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert not table.exists()


@pytest.mark.skipif(not CASES.exists(), reason="the folder with real files is not here")
def test_published_files_of_instruments():
    """SOURCES of the cases: 159,298 and 224,721 clicks, g2(0) near 0.002 at 23.975 ns; 2000 events of an a1 file."""
    ptu = document("tags", next(CASES.glob("*.timeres")), "--period-ps", 3125)
    assert ptu["format"] == "ptu"
    assert ptu["events"] == {"0": 159_298, "1": 224_721}
    assert ptu["duration_s"] == pytest.approx(1.0)
    assert ptu["g2"]["g2"] == pytest.approx(0.002, abs=0.0005)
    assert ptu["g2"]["centre_ps"] == pytest.approx(23_975, abs=60)
    stamps = document("tags", next(CASES.glob("*.ts")))
    assert stamps["format"] == "a1"
    assert sum(stamps["events"].values()) == 2000
