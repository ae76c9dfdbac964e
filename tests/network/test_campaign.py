"""The whole road on a small network: counts, keys, stores; stopped and gone on with."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.sqlite import SqliteStore
from combmesh.network import campaign
from combmesh.network.block import sifted_pair
from combmesh.network.campaign import run_campaign
from combmesh.network.journal import Journal
from combmesh.network.summary import link_reports, summary_document, tally_hash
from combmesh.network.topology import User
from combmesh.protocol.mdi.rules import AnalysisRule


def keys_of(folder, user="U1"):
    with SqliteStore(folder / "stores" / f"{user}.sqlite", user) as store:
        return {(key.peer, key.line, key.block): key.material for key in store.available_keys()}


def test_exact_every_pair_holds_one_key_at_both_ends(small, tmp_path):
    result = run_campaign(small(), tmp_path / "run", with_bits=True, workers=1)
    assert len(result.reports) == 6
    assert result.mismatched == ()
    assert [report.outcome for report in result.reports] == ["key"] * 6
    ours = keys_of(tmp_path / "run", "U1")
    for report in result.reports:
        if report.alice == "U1":
            theirs = keys_of(tmp_path / "run", report.bob)
            assert ours[report.bob, report.line, 0] == theirs["U1", report.line, 0]
            assert len(ours[report.bob, report.line, 0]) == (report.key_bits + 7) // 8
    links = link_reports(small(), result)
    document = summary_document(small(), "hash", result, links, 1.0)
    assert (document["users"], document["pairs"], document["pairs_with_key"]) == (4, 6, 6)
    assert document["total_key_bits"] == sum(report.key_bits for report in result.reports)
    assert document["mismatched_pairs"] == 0
    json.dumps(document)


def test_exact_seed_fixes_tallies_and_never_keys(small, tmp_path):
    one = run_campaign(small(), tmp_path / "one", with_bits=True, workers=1)
    two = run_campaign(small(), tmp_path / "two", with_bits=True, workers=2)
    other = run_campaign(small(seed=2), tmp_path / "other", with_bits=False, workers=1)
    lengths = run_campaign(small(), tmp_path / "lengths", with_bits=False, workers=1)
    assert tally_hash(one.reports) == tally_hash(two.reports) == tally_hash(lengths.reports)
    assert tally_hash(one.reports) != tally_hash(other.reports)
    ours, again = keys_of(tmp_path / "one"), keys_of(tmp_path / "two")
    assert ours.keys() == again.keys()
    assert not set(ours.values()) & set(again.values())


def test_exact_twice_adds_nothing_and_a_stopped_run_goes_on(small, tmp_path):
    class StoppedError(Exception):
        pass

    def stop_after_two(done, total, bits):
        if done == 2:
            raise StoppedError

    folder = tmp_path / "run"
    with pytest.raises(StoppedError):
        run_campaign(small(blocks=2), folder, with_bits=True, workers=1, on_progress=stop_after_two)
    first = keys_of(folder)
    assert len(first) == 2
    rest = run_campaign(small(blocks=2), folder, with_bits=True, workers=1)
    assert rest.new_blocks == 10
    assert rest.mismatched == ()
    keys = keys_of(folder)
    assert first.items() <= keys.items()
    assert run_campaign(small(blocks=2), folder, with_bits=True, workers=1).new_blocks == 0
    assert keys_of(folder) == keys


@pytest.mark.parametrize("in_journal", [True, False])
def test_attack_stop_between_the_two_phases(small, tmp_path, in_journal):
    """Keys pending at both ends are promoted if the journal has their line, and made anew if not."""
    folder = tmp_path / "run"
    run_campaign(small(), folder, with_bits=True, workers=1)
    before = keys_of(folder)
    for user in ("U1", "U2", "U3", "U4"):
        with closing(sqlite3.connect(folder / "stores" / f"{user}.sqlite")) as connection, connection:
            connection.execute("UPDATE keys SET state = 'pending'")
    if not in_journal:
        (folder / "journal.jsonl").write_text("")
    result = run_campaign(small(), folder, with_bits=True, workers=1)
    assert result.mismatched == ()
    assert result.new_blocks == (0 if in_journal else 6)
    assert (keys_of(folder) == before) is in_journal


def test_attack_torn_last_line_is_cut_off(small, tmp_path):
    folder = tmp_path / "run"
    run_campaign(small(), folder, with_bits=False, workers=1)
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[:100])
    assert run_campaign(small(), folder, with_bits=False, workers=1).new_blocks == 0
    assert journal.read_bytes() == whole
    journal.write_bytes(b'{"alice": 1}\n' + whole)
    with pytest.raises(RunError, match=r"Line 1 of .*journal.jsonl` is damaged"):
        run_campaign(small(), folder, with_bits=False, workers=1)


def test_attack_a_lost_store_is_a_finding(small, tmp_path):
    folder = tmp_path / "run"
    run_campaign(small(), folder, with_bits=True, workers=1)
    (folder / "stores" / "U3.sqlite").unlink()
    result = run_campaign(small(), folder, with_bits=True, workers=1)
    assert set(result.mismatched) == {("U1", "U3"), ("U2", "U3"), ("U3", "U4")}


def test_limit_one_run_at_a_time(small, tmp_path):
    (tmp_path / "run").mkdir()
    with Journal(tmp_path / "run" / "journal.jsonl"), pytest.raises(RunError, match="Another process is running"):
        run_campaign(small(), tmp_path / "run", with_bits=False, workers=1)


def test_limit_a_folder_that_cannot_be_written(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run_campaign(small(), tmp_path / "file" / "run", with_bits=False, workers=1)


@pytest.mark.parametrize(("n_bits", "n_errors"), [(1, 0), (1, 1), (1000, 17), (1001, 1001)])
def test_exact_sifted_bits_have_the_tallys_errors(n_bits, n_errors):
    alice, bob = sifted_pair(n_bits, n_errors, np.random.default_rng(1))
    assert len(alice) == n_bits
    assert np.count_nonzero(alice != bob) == n_errors


@pytest.mark.parametrize("method", ["double-scan", "certificate"])
def test_exact_links_planned_together_have_the_plans_of_single_ones(small, tmp_path, monkeypatch, method):
    """Eight users at different distances, with and without the way for many links; the planned keys agree to 0.5 %."""
    users = tuple(User(f"U{i}", fibre_km=20.0 + 3.7 * i) for i in range(8))
    network = replace(small(), users=users, analysis=AnalysisRule(method))
    alone = run_campaign(network, tmp_path / "alone", with_bits=False, workers=1)
    monkeypatch.setattr(campaign, "MANY_LINKS", 2)
    together = run_campaign(network, tmp_path / "together", with_bits=False, workers=1)
    for one, other in zip(alone.reports, together.reports, strict=True):
        assert one.method == other.method == method
        assert other.planned_bits / other.pulses == pytest.approx(one.planned_bits / one.pulses, rel=5e-3)


def test_exact_plans_depend_on_neither_workers_nor_stops(small, tmp_path, monkeypatch):
    """28 links planned from their neighbours; two workers; planning that was stopped after ten plans."""
    monkeypatch.setattr(campaign, "MANY_LINKS", 2)
    monkeypatch.setattr(campaign, "MANY_BATCH", 5)
    users = tuple(User(f"U{i}", fibre_km=20.0 + 3.7 * i) for i in range(8))
    network = replace(small(), users=users, analysis=AnalysisRule("certificate"))
    run_campaign(network, tmp_path / "one", with_bits=False, workers=1)
    run_campaign(network, tmp_path / "two", with_bits=False, workers=2)
    lines = (tmp_path / "one" / "plans.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / "plans.jsonl").write_text("".join(lines[:10]))
    run_campaign(network, tmp_path / "stopped", with_bits=False, workers=1)
    digests = [
        {(*entry["arms"], entry["digest"]) for entry in map(json.loads, (tmp_path / run / "plans.jsonl").open())}
        for run in ("one", "two", "stopped")
    ]
    assert len(lines) == len(digests[0]) == 28
    assert digests[0] == digests[1] == digests[2]


def test_exact_plans_are_recorded_before_their_light(small, tmp_path):
    """Each report names a plan that stands in the book; a changed plan is found."""
    network = replace(small(), analysis=AnalysisRule("certificate"))
    result = run_campaign(network, tmp_path / "run", with_bits=False, workers=1)
    book = tmp_path / "run" / "plans.jsonl"
    entries = [json.loads(line) for line in book.read_text().splitlines()]
    assert {report.plan_digest for report in result.reports} == {entry["digest"] for entry in entries}
    assert entries[0]["plan"]["certificate"]["t"] > 0
    assert book.stat().st_mtime_ns <= (tmp_path / "run" / "journal.jsonl").stat().st_mtime_ns
    book.write_text(book.read_text().replace('"pulses": ', '"pulses": 1'))
    with pytest.raises(RunError, match=r"Line 1 of .*plans.jsonl` is damaged"):
        run_campaign(network, tmp_path / "run", with_bits=False, workers=1)
