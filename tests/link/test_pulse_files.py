"""Files of a simulated night: records, tags, and a tally to go on from."""

import json
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.pulses import engine
from combmesh.link.pulses.checkpoint import load, save
from combmesh.link.pulses.detectors import Clicks
from combmesh.link.pulses.emission import BLOCK
from combmesh.link.pulses.engine import Simulation, simulate
from combmesh.link.pulses.instrument import Tagger, TagStream
from combmesh.link.pulses.light import Light
from combmesh.link.pulses.record_file import RecordHead, RecordReader, RecordWriter, SourceKind
from combmesh.link.pulses.to_files import simulate_to_files
from combmesh.link.relay import Link, Relay
from combmesh.link.timetags.reading import read_tags

HEAD = RecordHead(2.5e9, {"o": SourceKind(0.0, 0.4, "X"), "z": SourceKind(0.5, 0.6, "Z")}, "simulated")
LIGHT = Light(np.array([[0.0, 0.5], [0.0, 0.5]]), np.array([[0.4, 0.6], [0.4, 0.6]]), np.array([False, True]))
LINK = Link(0.1, 0.05, Relay(dead_time_ns=20.0, jitter_fwhm_ps=60.0), 2.5e9)


FOUR_SOURCES = RecordHead(2.5e9, {letter: SourceKind(0.1, 0.25, "X") for letter in "oxyz"})


@pytest.mark.parametrize("pulses", [0, 1, 7, 8, 1003])
def test_exact_records_come_back_as_written(tmp_path, pulses):
    rng = np.random.default_rng(1)
    source, bit = rng.integers(0, 4, pulses).astype(np.uint8), rng.integers(0, 2, pulses).astype(np.uint8)
    cuts = sorted(rng.integers(0, pulses + 1, 4))
    with RecordWriter(tmp_path / "user.h5", FOUR_SOURCES) as writer:
        for begin, end in zip([0, *cuts], [*cuts, pulses], strict=True):
            writer.append(source[begin:end], bit[begin:end])
    with RecordReader(tmp_path / "user.h5") as reader:
        assert reader.pulses == pulses
        assert reader.head == FOUR_SOURCES
        for first in range(0, pulses, 104):
            for mine, theirs in zip(reader.piece(first, 104), (source, bit), strict=True):
                assert np.array_equal(mine, theirs[first : first + 104])


def test_bad_records_get_a_sentence(tmp_path):
    whole = tmp_path / "user.h5"
    with RecordWriter(whole, HEAD) as writer:
        writer.append(np.zeros(80, np.uint8), np.zeros(80, np.uint8))

    def spoilt(name, change):
        path = tmp_path / name
        path.write_bytes(whole.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def shortened(file):
        file["bit"].resize((3,))

    def nested(file):
        del file["bit"]
        file.create_group("bit")

    cases = {
        spoilt("many.h5", lambda file: file["source"].write_direct(np.full(20, 255, np.uint8))): None,
        spoilt("word.h5", lambda file: file.attrs.update(version="new")): "has version new",
        spoilt("list.h5", lambda file: file.attrs.update(sources="[1]")): "is damaged",
        spoilt("minus.h5", lambda file: file.attrs.update(pulses=-5)): "is damaged",
        spoilt("group.h5", nested): "is damaged",
        tmp_path / "none.h5": "does not exist",
        tmp_path: "is not a file",
        spoilt("foreign.h5", lambda file: file.attrs.update(format="x")): "not a record of a user",
        spoilt("later.h5", lambda file: file.attrs.update(version=9)): "has version 9",
        spoilt("half.h5", lambda file: file.attrs.__delitem__("whole")): "was not written to its end",
        spoilt("letters.h5", lambda file: file.attrs.update(sources="{")): "is damaged",
        spoilt("short.h5", shortened): "says 80 pulses, but its columns have sizes",
    }
    (tmp_path / "text.h5").write_text("hello")
    cases[tmp_path / "text.h5"] = "is not a record of a user, or is damaged"
    cases.pop(tmp_path / "many.h5")
    with (
        RecordReader(tmp_path / "many.h5") as reader,
        pytest.raises(InputError, match="a source that it does not name"),
    ):
        reader.piece(0, 80)
    for path, sentence in cases.items():
        with pytest.raises(InputError, match=sentence), RecordReader(path):
            pass


def test_attack_nobody_else_reads_a_record_at_any_moment(tmp_path):
    mask = os.umask(0)
    try:
        with RecordWriter(tmp_path / "user.h5", HEAD) as writer:
            writer.append(np.zeros(80, np.uint8), np.zeros(80, np.uint8))
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        assert (tmp_path / "user.h5").stat().st_mode & 0o777 == 0o600
        simulation = Simulation(LIGHT, LINK, 1000, 1, tags=True, records=True)
        simulate_to_files(simulation, tmp_path, (HEAD, HEAD), Tagger())
    finally:
        os.umask(mask)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("alice.h5", "bob.h5")} == {0o600}


def test_bad_codes_are_not_written(tmp_path):
    with (
        pytest.raises(InputError, match="takes sources below 2 and bits 0 and 1"),
        RecordWriter(tmp_path / "user.h5", HEAD) as writer,
    ):
        writer.append(np.full(8, 2, np.uint8), np.zeros(8, np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_exact_a_failed_writer_leaves_no_record(tmp_path):
    def write():
        with RecordWriter(tmp_path / "user.h5", HEAD) as writer:
            writer.append(np.zeros(800, np.uint8), np.zeros(800, np.uint8))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_exact_tagger_shifts_stretches_and_keeps_the_order():
    """Tags written out one by one: start + t (1 + offset + drift t / 2) + delay, sorted over all parts."""
    tagger = Tagger((0, 5000, -700, 60_000), 1_000_000, 20.0, 500.0)
    rng = np.random.default_rng(2)
    time_ps = np.sort(rng.integers(0, 10**9, 3000))
    detector = rng.integers(0, 4, 3000).astype(np.uint8)
    stream, parts = TagStream(tagger), []
    for begin in range(0, 3000, 500):
        piece = Clicks(time_ps[begin : begin + 500], detector[begin : begin + 500])
        parts.append(stream.tag(piece, last=begin == 2500))
    seconds = time_ps * 1e-12
    plain = 1_000_000 + time_ps + np.rint(time_ps * (20e-6 + 250e-9 * seconds)).astype(int)
    plain = plain + np.array(tagger.delays_ps)[detector]
    order = np.argsort(plain, kind="stable")
    assert np.array_equal(np.concatenate([part.time_ps for part in parts]), plain[order])
    assert np.array_equal(np.concatenate([part.detector for part in parts]), detector[order])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"delays_ps": (0, 0, 0)}, "`delays_ps` must be four"),
        ({"delays_ps": (0, 0, 0, -2_000_000)}, "`start_ps` must make up for the delay -2000000 ps"),
        ({"offset_ppm": 5000.0}, "`offset_ppm` must be at most 1000"),
    ],
)
def test_bad_tagger_gets_a_sentence(more, sentence):
    with pytest.raises(InputError, match=sentence):
        Tagger(**more)


def test_exact_files_hold_what_the_engine_counted(tmp_path):
    simulation = Simulation(LIGHT, LINK, 3 * BLOCK + 77, 3, tags=True, records=True)
    tally = simulate_to_files(simulation, tmp_path, (HEAD, HEAD), Tagger((0, 100, 200, -300)))
    tags = read_tags(tmp_path / "relay.h5")
    assert np.array_equal(np.bincount(tags.channel, minlength=4), tally.clicks)
    assert tags.origin == "simulated"
    source, bit = [], []
    for name in ("alice.h5", "bob.h5"):
        with RecordReader(tmp_path / name) as reader:
            own = reader.piece(0, reader.pulses)
        source.append(own[0])
        bit.append(own[1])
    sent = np.bincount(2 * source[0].astype(int) + source[1], minlength=4).reshape(2, 2)
    assert np.array_equal(sent, tally.sent)


def test_exact_seed_fixes_tags_and_sources_but_no_bits(tmp_path):
    """Two runs with one seed: equal tags and tallies, equal agreement of the users' bits, other bits."""
    simulation = Simulation(LIGHT, LINK, 2 * BLOCK, 4, tags=True, records=True)
    bits, tags = [], []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        simulate_to_files(simulation, tmp_path / name, (HEAD, HEAD), Tagger())
        tags.append(read_tags(tmp_path / name / "relay.h5"))
        for user in ("alice.h5", "bob.h5"):
            with RecordReader(tmp_path / name / user) as reader:
                bits.append(reader.piece(0, reader.pulses)[1])
    assert np.array_equal(tags[0].time_ps, tags[1].time_ps)
    assert np.array_equal(bits[0] ^ bits[1], bits[2] ^ bits[3])
    assert np.mean(bits[0] == bits[2]) == pytest.approx(0.5, abs=0.01)


def test_exact_a_stopped_simulation_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "BLOCKS_AT_ONCE", 2)
    simulation, path = Simulation(LIGHT, LINK, 7 * BLOCK, 5), tmp_path / "kept.json"
    whole = simulate(simulation)
    assert load(path, simulation) is None
    parts = []
    simulate(simulation, on_part=parts.append)
    save(path, simulation, parts[0].tally + parts[1].tally)
    seen = []
    rest = simulate(simulation, 1, seen.append, load(path, simulation))
    assert len(seen) == 2
    for name in ("sent", "detected", "errors", "clicks"):
        assert np.array_equal(getattr(rest, name), getattr(whole, name))
    save(path, simulation, whole)
    assert np.array_equal(simulate(simulation, 1, None, load(path, simulation)).sent, whole.sent)


def test_bad_checkpoint_gets_a_sentence(tmp_path):
    simulation, path = Simulation(LIGHT, LINK, 1000, 6), tmp_path / "kept.json"
    save(path, simulation, simulate(simulation))
    with pytest.raises(InputError, match="belongs to another simulation"):
        load(path, replace(simulation, seed=7))
    kept = json.loads(path.read_text())
    for spoilt in (
        {"pulses": 7},
        {"pulses": -BLOCK},
        {"sent": [[1]]},
        {"sent": (2 * simulate(simulation).sent).tolist()},
    ):
        path.write_text(json.dumps(kept | spoilt))
        with pytest.raises(InputError, match="or is damaged"):
            load(path, simulation)
    for text in ("", "[]", json.dumps({"format": "combmesh pulses"})):
        path.write_text(text)
        with pytest.raises(InputError, match="is not the tally of a stopped simulation"):
            load(path, simulation)
