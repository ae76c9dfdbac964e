"""`combmesh key` as a user types it."""

import json
import subprocess
import sys

import pytest

from combmesh.config.template import counts_template
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.bounds import PAIRS
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally

COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def table(alice, bob, rows, head=""):
    """A count table in the form of `combmesh key --template`."""
    users = "".join(
        f"[{name}]\nintensity = {{ o = {u.o!r}, x = {u.x!r}, y = {u.y!r}, z = {u.z!r} }}\n"
        f"probability = {{ x = {u.p_x!r}, y = {u.p_y!r}, z = {u.p_z!r} }}\n"
        for name, u in (("alice", alice), ("bob", bob))
    )
    bases = {basis: [row for row in rows if ("z" in row[0]) == (basis == "Z")] for basis in "XZ"}
    counts = ""
    for basis, found in bases.items():
        counts += f"[counts.{basis}]\n"
        for pair, detected, errors in found:
            wrong = "" if errors is None else f", errors = {errors!r}"
            counts += f"{pair} = {{ detected = {detected!r}{wrong} }}\n"
    return f"schema_version = 1\n{head}\n{users}{counts}"


def expected_table(eta_a, eta_b, alice, bob, pulses=1e10, tail="simple"):
    link = Link(eta_a, eta_b, Relay(1.0, 1e-7, 0.015, 0.015, 0.5), 1e9)
    tally = expected_tally(link, alice, bob, pulses)
    rows = [(pair, float(tally.detected[k]), float(tally.errors[k])) for k, pair in enumerate(PAIRS)]
    head = f'pulses = {pulses!r}\nf_ec = 1.1\n[epsilon]\nbound = 1e-10\ntail = "{tail}"\n'
    return table(alice, bob, rows, head)


WEI = table(  # Wei et al., PRX 10 031030 (2020), Table II at 28 dB; mu = y, nu = x, s = z; errors of yy are not printed
    Settings(0.035, 0.197, 0.207, 0.267, 0.03, 0.607),
    Settings(0.035, 0.197, 0.207, 0.267, 0.03, 0.607),
    [
        *(("zz", 67610084, 1851744), ("yy", 258557, None), ("xx", 606196, 160177), ("yo", 49091, None)),
        *(("oy", 102736, None), ("xo", 69561, 34705), ("ox", 47406, 23637), ("oo", 6, 4)),
    ],
    "pulses = 3e13\nclock_hz = 1.25e9\nf_ec = 1.16\n[epsilon]\ntotal = 1e-10\n",
)


@pytest.mark.parametrize(
    ("length_km", "settings", "bits", "phase_error", "single", "none"),
    [
        (0, Settings(0.06, 0.25, 0.45, 0.24, 0.06, 0.6), 9263559.996, 0.06873187103, 8793228.4, 7226495.56),
        (50, Settings(0.07, 0.28, 0.4, 0.3, 0.08, 0.5), 261239.8601, 0.1244029145, 202908.39, 7045.18),
    ],
)
def test_exact_published_key_from_a_file(tmp_path, length_km, settings, bits, phase_error, single, none):
    """github Jungling-White/MDI-QKD (reproduction of Jiang 2021); the looser methods by an independent program."""
    eta = 0.4 * 10 ** (-0.2 * length_km / 20)
    (tmp_path / "counts.toml").write_text(expected_table(eta, eta, settings, settings))
    done = combmesh("key", tmp_path / "counts.toml", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["method"] == "double-scan"
    assert document["signed_bits"] == pytest.approx(bits, rel=1e-6)
    assert document["length_bits"] == int(bits)
    assert document["phase_error_upper"] == pytest.approx(phase_error, rel=1e-6)
    assert document["consistency"]["verdict"] == "consistent"
    methods = {method["method"]: method for method in document["methods"]}
    assert methods["single-scan"]["signed_bits"] == pytest.approx(single, rel=1e-6)
    assert methods["no-scan"]["signed_bits"] == pytest.approx(none, rel=1e-6)
    assert methods["certificate"]["length_bits"] > document["length_bits"]
    assert not methods["certificate"]["valid"]
    assert methods["asymptotic"]["length_bits"] > methods["certificate-renyi"]["length_bits"]
    keys = {"method", "length_bits", "s11_lower", "phase_error_upper", "vacuum_bits", "leak_ec_bits", "qber_z"}
    assert keys | {"outcome", "consistency"} <= set(document)
    assert all(keys <= set(method) for method in document["methods"])


def test_paper_wei_2020_does_not_close(tmp_path):
    """The length is computed, but is no key: exit code 3, and the verdict names the rows that are too low."""
    (tmp_path / "wei.toml").write_text(WEI)
    done = combmesh("key", tmp_path / "wei.toml", "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["length_bits"] > 0
    assert not any(method["valid"] for method in [document, *document["methods"]])
    assert document["outcome"] == "no key: the counts are impossible"
    assert document["s11_lower"] < 7.83e-5  # what the counts give without fluctuation (cases)
    named = {row for finding in document["consistency"]["findings"] for row in finding["rows"]}
    assert {"X.yo", "X.oy"} & named


def test_paper_wei_2020_printed_results_do_not_follow(tmp_path):
    """Printed: s11 = 8.98e-5, above what the counts allow, and 268 bit/s beside 1.29e-7 for each of 1.25e9 pulses."""
    printed = "[printed]\ns11_lower = 8.98e-5\nrate_per_pulse = 1.29e-7\nskr_bps = 268\n"
    (tmp_path / "wei.toml").write_text(WEI + printed)
    done = combmesh("key", tmp_path / "wei.toml")
    assert done.returncode == 3
    assert "8.98e-05" in done.stdout
    assert "268" in done.stdout


def test_exact_template_gives_a_key(tmp_path):
    for form, name in (((), "counts.toml"), (("--csv",), "counts.csv")):
        shown = combmesh("key", "--template", *form)
        assert shown.returncode == 0
        assert shown.stdout == counts_template(bool(form))
        (tmp_path / name).write_text(shown.stdout)
        done = combmesh("key", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "Key by double-scan: 277,834 bits" in done.stdout
        assert "consistent" in done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("zz = { detected = 2963504, errors = 44139 }", "zz = { detected = 2963504, errors = 4000000 }"),
        ("xx = { detected = 69480", "xx = { detected = 6948000000"),
        ("xo = { detected = 7112, errors = 3513 }", ""),
        ("zz = { detected = 2963504", 'zz = { detected = "2963504"'),
    ],
)
def test_exact_impossible_table_is_refused(tmp_path, old, new):
    (tmp_path / "counts.toml").write_text(counts_template(False).replace(old, new, 1))
    done = combmesh("key", tmp_path / "counts.toml", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "`counts." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("change", ["all zero", "1e18 pulses", "1e18 pulses, sent given", "no errors in x"])
def test_limit_strange_tables_give_a_verdict_and_no_traceback(tmp_path, change):
    text = counts_template(False)
    if change == "all zero":
        text = "\n".join(
            line.split("=")[0] + "= { detected = 0, errors = 0 }" if "detected =" in line else line
            for line in text.splitlines()
        )
    elif change.startswith("1e18"):
        text = text.replace("pulses   = 1e10", "pulses = 1e18")
    else:
        text = text.replace("errors = 17805", "errors = 0")
    if change.endswith("given"):
        text = text.replace("zz = { detected", "zz = { sent = 2.5e9, detected")
    (tmp_path / "counts.toml").write_text(text)
    done = combmesh("key", tmp_path / "counts.toml", "--json")
    assert done.returncode in (0, 3), done.stderr
    document = json.loads(done.stdout)
    if change == "all zero":
        assert document["length_bits"] == 0
        assert document["outcome"].startswith("no key")
    if change == "no errors in x":
        assert done.returncode == 3
        assert "X.xx" in str(document["consistency"]["findings"])


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ("zz = { detected = 2963504, errors = 44139 }", "zz = { detected = 1000, errors = 0 }", "Z.zz"),
        ("xx = { detected = 69480, errors = 17805 }", "xx = { detected = 69480, errors = 0 }", "X.xx"),
        ("zz = { detected", "zz = { sent = 5e9, detected", "Z.zz: 5000000000 pulses were sent"),
        ("xx = { detected", "xx = { sent = 1e5, detected", "X.xx: 100000 pulses were sent"),
        ("oo = { detected", "oo = { sent = 1e-300, detected", "X.oo"),
        ("o = 0.0, x = 0.07", "o = 0.0699999999, x = 0.07", "X."),
    ],
)
def test_attack_impossible_counts_are_no_key(tmp_path, old, new, row):
    """More single photons than bits, no errors of weak light, pulses that were not sent: exit code 3, no key."""
    (tmp_path / "counts.toml").write_text(counts_template(False).replace(old, new, 1))
    done = combmesh("key", tmp_path / "counts.toml", "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert not any(method["valid"] for method in [document, *document["methods"]])
    assert document["outcome"] == "no key: the counts are impossible"
    assert row in str(document["consistency"]["findings"])


def test_limit_a_pair_that_was_never_sent_is_no_key(tmp_path):
    text = counts_template(False).replace(
        "xx = { detected = 69480, errors = 17805", "xx = { sent = 0, detected = 0, errors = 0"
    )
    (tmp_path / "counts.toml").write_text(text)
    done = combmesh("key", tmp_path / "counts.toml")
    assert done.returncode == 0, done.stderr
    assert "Key by double-scan: 0 bits" in done.stdout
    assert "never sent" in done.stdout


def test_exact_exchanged_users_with_the_owner_of_the_key(tmp_path):
    near, far = Settings(0.03, 0.15, 0.3, 0.27, 0.08, 0.55), Settings(0.06, 0.3, 0.6, 0.27, 0.08, 0.55)
    eta_near, eta_far = 0.4 * 10 ** (-0.2), 0.4 * 10 ** (-0.8)
    found = []
    for text in (
        expected_table(eta_near, eta_far, near, far),
        expected_table(eta_far, eta_near, far, near).replace("f_ec = 1.1", 'f_ec = 1.1\nraw_key = "bob"'),
    ):
        (tmp_path / "counts.toml").write_text(text)
        found.append(json.loads(combmesh("key", tmp_path / "counts.toml", "--json").stdout))
    for one, other in zip(found[0]["methods"], found[1]["methods"], strict=True):
        tolerance = 1e-4 if one["method"].startswith("certificate") else 1e-9
        assert one["signed_bits"] == pytest.approx(other["signed_bits"], rel=tolerance)
    assert found[0]["signed_bits"] == pytest.approx(128324.755653, rel=1e-6)


def test_exact_no_file_is_a_sentence():
    done = combmesh("key")
    assert done.returncode == 2
    assert "--template" in done.stderr
    assert "Traceback" not in done.stderr
