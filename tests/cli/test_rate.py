"""`combmesh rate` as a user types it, and the way from a plan to a certified key."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from combmesh.config.counts import load_counts, load_link
from combmesh.protocol.mdi.bounds import PAIRS
from combmesh.protocol.mdi.tally import expected_tally

LINK = Path(__file__).parents[2] / "examples" / "link.toml"
COMMAND = [sys.executable, "-c", "from combmesh.cli.main import main; main()"]
METHODS = ["no-scan", "single-scan", "double-scan", "certificate", "certificate-renyi", "asymptotic"]


def combmesh(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def rates(*arguments):
    done = combmesh("rate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_paper_link_at_200_km():
    """Paper: 58 to 64 bit/s; notes: double scan 70, single 37, none about 1, certificate 170 and 254, endless 2150."""
    found = {row["method"]: row for row in rates(LINK, "--optimise")}
    assert list(found) == METHODS
    expected = {"double-scan": 70, "certificate": 170, "certificate-renyi": 254, "asymptotic": 2150}
    for method, rate_bps in expected.items():
        assert found[method]["skr_bps"] == pytest.approx(rate_bps, rel=0.01)
        assert found[method]["length_bits"] == pytest.approx(1000 * found[method]["skr_bps"], abs=1)
        assert found[method]["distance_km"] == 200
    assert found["single-scan"]["skr_bps"] == pytest.approx(37.6, rel=0.01)
    assert found["no-scan"]["skr_bps"] == pytest.approx(1.4, rel=0.1)
    assert found["certificate"]["settings"]["alice"]["p_z"] == pytest.approx(0.61, abs=0.02)
    assert found["certificate"]["repeaterless_bps"] == pytest.approx(2.5e9 * 1e-4 / 0.6931, rel=1e-3)


def test_limit_rates_fall_over_distance_and_keep_their_order(tmp_path):
    """Endless data are above every finite key, the repeaterless bound above all, a certificate above the scans."""
    picture = tmp_path / "rates.png"
    rows = rates(LINK, "--optimise", "--distance", "0:300:50", "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [row["distance_km"] for row in rows[:: len(METHODS)]] == [0, 50, 100, 150, 200, 250, 300]
    by_method = {method: [row["skr_bps"] for row in rows if row["method"] == method] for method in METHODS}
    for found in by_method.values():
        assert all(far <= near for near, far in pairwise(found))
    for looser, tighter in pairwise(METHODS):
        pairs = zip(by_method[looser], by_method[tighter], strict=True)
        assert all(less <= more for less, more in pairs)
    assert all(row["repeaterless_bps"] is None or row["repeaterless_bps"] > row["skr_bps"] for row in rows)


def test_exact_given_settings_give_no_more_than_the_best(tmp_path):
    users = "".join(
        f"[{name}]\nintensity = {{ x = 0.053, y = 0.25, z = 0.33 }}\nprobability = {{ x = 0.28, y = 0.03, z = 0.65 }}\n"
        for name in ("alice", "bob")
    )
    (tmp_path / "link.toml").write_text(LINK.read_text().replace("[arm.alice]", users + "[arm.alice]"))
    given = rates(tmp_path / "link.toml")
    best = rates(LINK, "--optimise")
    for one, other in zip(given, best, strict=True):
        assert one["skr_bps"] <= other["skr_bps"]
    assert given[3]["skr_bps"] > 0.9 * best[3]["skr_bps"]
    assert given[0]["settings"]["alice"]["x"] == 0.053


def test_exact_a_plan_is_filled_in_and_gives_a_certified_key(tmp_path):
    """The counts that were planned give the key that was planned, by the certificate that the plan has fixed."""
    plan = tmp_path / "plan.toml"
    planned = {row["method"]: row for row in rates(LINK, "--optimise", "--plan", plan)}
    refused = combmesh("key", plan)
    assert refused.returncode == 2
    assert "`counts.X.xx`" in refused.stderr
    text = plan.read_text()
    counts = re.sub(r"# (\w\w) = \{ detected = 0, errors = 0 \}", r"\1 = { detected = @\1, errors = !\1 }", text)
    plain = re.sub(r"[@!]\w\w", "0", counts)
    (tmp_path / "zero.toml").write_text(plain)
    table = load_counts(tmp_path / "zero.toml")
    file = load_link(LINK)[0]
    link = file.task(file.arm, optimised=True).link
    tally = expected_tally(link, table.alice.settings(), table.bob.settings(), table.pulses)
    for k, pair in enumerate(PAIRS):
        counts = counts.replace(f"@{pair}", repr(float(tally.detected[k])))
        counts = counts.replace(f"!{pair}", repr(float(tally.errors[k])))
    (tmp_path / "filled.toml").write_text(counts)
    done = combmesh("key", tmp_path / "filled.toml", "--json")
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["method"] == "certificate"
    assert document["valid"]
    assert "not the paper's analysis" in document["note"]
    assert document["length_bits"] == pytest.approx(planned["certificate"]["length_bits"], rel=1e-4)
    moved = re.sub(r"xx_right = [0-9.e-]+", "xx_right = 0.1", counts)
    (tmp_path / "moved.toml").write_text(moved)
    document = json.loads(combmesh("key", tmp_path / "moved.toml", "--json").stdout)
    assert document["method"] == "double-scan"
    certificate = next(method for method in document["methods"] if method["method"] == "certificate")
    assert not certificate["valid"]
    assert "do not obey the rows" in certificate["note"]


def test_limit_links_without_light_or_decoys_have_no_key(tmp_path):
    """No light, no clicks at all, a decoy that is never sent: a rate of 0, not a traceback."""
    user = "intensity = { x = 0.053, y = 0.25, z = 0.33 }\nprobability = { x = 0.28, y = 0.03, z = 0.65 }\n"
    users = f"[alice]\n{user}[bob]\n{user}"
    head = "schema_version = 1\npulses = 1e12\nclock_hz = 1e9\n"
    arms = "[arm.alice]\nefficiency = 0.0\n[arm.bob]\nefficiency = 0.0\n"
    (tmp_path / "link.toml").write_text(head + users + arms)
    assert [row["skr_bps"] for row in rates(tmp_path / "link.toml")] == [0.0] * len(METHODS)
    lit = arms.replace("0.0", "0.01")
    (tmp_path / "link.toml").write_text(head + users.replace("y = 0.03", "y = 0.0") + lit)
    assert all(row["skr_bps"] == 0.0 for row in rates(tmp_path / "link.toml") if row["method"] != "asymptotic")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--distance", "0:300"), "FROM:TO:STEP"),
        (("--distance", "300:0:10"), "FROM:TO:STEP"),
        (("--distance", "far"), "FROM:TO:STEP"),
        (("--distance", "nan"), "FROM:TO:STEP"),
        (("--distance", ""), "FROM:TO:STEP"),
        (("--distance", "0:1e9:1"), "at most 10000 distances"),
        (("--distance", "100", "--plot", "a.png"), "`--plot` draws a sweep"),
        (("--distance", "0:100:50", "--plan", "a.toml"), "`--plan` is for one distance"),
        ((), "no `alice` and `bob`"),
    ],
)
def test_exact_a_mistake_is_one_sentence(arguments, words):
    done = combmesh("rate", LINK, *arguments, *(("--optimise",) if arguments else ()))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
