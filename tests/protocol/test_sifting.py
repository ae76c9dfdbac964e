"""From the engine to tags and records and back: the same counts."""

import numpy as np
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.pulses.engine import Simulation
from combmesh.link.pulses.instrument import Tagger
from combmesh.link.pulses.record_file import RecordHead, RecordReader, RecordWriter, SourceKind
from combmesh.link.pulses.to_files import simulate_to_files
from combmesh.link.relay import Link, Relay
from combmesh.link.timetags.reading import read_tags
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.writing import write_tags
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.sifted_file import SiftedBits, announcement_digest, read_sifted, write_sifted
from combmesh.protocol.mdi.sifting import settings_of, sift
from combmesh.protocol.mdi.single_pulses import light_of, record_head, tally_of

ALICE = Settings(0.06, 0.25, 0.45, 0.24, 0.06, 0.6, o=0.0005)
BOB = Settings(0.08, 0.3, 0.5, 0.2, 0.1, 0.5)
PULSES = 4_000_000


def night(folder, relay, tagger, seed=1, pulses=PULSES, arms=(0.1, 0.05)):
    """Simulate to files; the engine's own tally."""
    link = Link(*arms, relay, 2.5e9)
    simulation = Simulation(light_of(ALICE, BOB), link, pulses, seed, tags=True, records=True)
    heads = (record_head(ALICE, 2.5e9, "simulated"), record_head(BOB, 2.5e9, "simulated"))
    return tally_of(simulate_to_files(simulation, folder, heads, tagger))


def sifted(folder, **more):
    tags = more.pop("tags", None) or read_tags(folder / "relay.h5")
    more = {"search_pulses": 20_000} | more
    with RecordReader(folder / "alice.h5") as alice, RecordReader(folder / "bob.h5") as bob:
        return sift(tags, alice, bob, **more)


def assert_same(tally, engine):
    for name in ("sent", "detected", "errors"):
        assert np.array_equal(getattr(tally, name), getattr(engine, name)), name


@pytest.mark.parametrize(
    ("relay", "tagger", "more"),
    [
        (Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger(), {}),
        (
            Relay(1.0, 1e-5, 0.015, 0.03, 0.48, dead_time_ns=20.0, jitter_fwhm_ps=60.0),
            Tagger((0, 1234, -777, 45_678), 1_000_000, 3.5, 50.0),
            {},
        ),
        (
            Relay(1.0, 1e-5, 0.015, 0.03, 0.48, bell_states=1, jitter_fwhm_ps=40.0),
            Tagger((-9_876, 200, 250_000, 50), 400_000_000, -60.0, -900.0),
            {"bell_states": 1, "search_pulses": 2_500_000},
        ),
    ],
)
def test_exact_round_trip_with_unknown_delays_and_a_drifting_clock(tmp_path, relay, tagger, more):
    """Tags written, read back and sifted give the engine's tally, cell by cell."""
    engine = night(tmp_path, relay, tagger)
    found = sifted(tmp_path, **more)
    assert engine.detected.sum() > 100
    assert_same(found.tally, engine)
    delays = found.clicks.offset * found.clicks.clock.period_ps + found.clicks.clock.delay_ps
    assert delays - delays[0] == pytest.approx(np.array(tagger.delays_ps) - tagger.delays_ps[0], abs=2.0)
    assert np.mean(found.alice != found.bob) == pytest.approx(found.tally.qber_z, abs=1e-12)
    assert found.alice.size == found.tally.detected[9]


def test_exact_round_trip_with_a_gate(tmp_path):
    """A gate that cuts off nothing but dark counts: its edges lie five standard deviations of the jitter away."""
    relay = Relay(1.0, 1e-5, 0.015, 0.03, 0.48, jitter_fwhm_ps=45.0, gate_ps=200.0)
    engine = night(tmp_path, relay, Tagger((0, 310, 620, 930), 5_000_000, 1.0))
    assert_same(sifted(tmp_path, gate_ps=200.0).tally, engine)


def test_exact_round_trip_through_the_format_of_an_instrument(tmp_path):
    """PicoQuant's T2 records of 1 ps and other channel numbers."""
    engine = night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger((0, 5, 10, 15)))
    tags = read_tags(tmp_path / "relay.h5")
    numbers = np.array([7, 2, 4, 1], np.uint8)
    write_tags(tmp_path / "relay.ptu", TimeTags(numbers[tags.channel], tags.time_ps, "example"), "ptu")
    found = sifted(tmp_path, tags=read_tags(tmp_path / "relay.ptu"), channels=(7, 2, 4, 1))
    assert_same(found.tally, engine)


def test_exact_a_record_that_begins_later(tmp_path):
    """Bob's record lacks its first 1000 pulses: what both have is counted."""
    night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger())
    whole = sifted(tmp_path)
    with RecordReader(tmp_path / "bob.h5") as bob:
        source, bit = bob.piece(0, PULSES)
        head = bob.head
    with RecordWriter(tmp_path / "bob.h5", head) as writer:
        writer.append(source[1000:], bit[1000:])
    late = sifted(tmp_path)
    assert late.bob_offset == 1000
    assert late.tally.pulses == PULSES - 1000
    assert np.array_equal(late.rounds, whole.rounds[whole.rounds >= 1000])
    assert np.array_equal(late.alice, whole.alice[whole.rounds >= 1000])


def test_exact_a_record_that_begins_earlier_and_one_that_ends_earlier(tmp_path):
    """Bob's record has 90,000 pulses before the relay's first and Alice's ends early."""
    night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger())
    whole = sifted(tmp_path)
    with RecordReader(tmp_path / "bob.h5") as bob, RecordReader(tmp_path / "alice.h5") as alice:
        his, hers, head = bob.piece(0, PULSES), alice.piece(0, 3_000_001), bob.head
    with RecordWriter(tmp_path / "bob.h5", head) as writer:
        writer.append(*(column[7:90_007] for column in his))
        writer.append(*his)
    with RecordWriter(tmp_path / "alice.h5", head) as writer:
        writer.append(*hers)
    found = sifted(tmp_path, search_pulses=100_000)
    assert found.bob_offset == -90_000
    assert found.tally.pulses == 3_000_001
    assert np.array_equal(found.rounds, whole.rounds[whole.rounds < 3_000_001])


def test_exact_a_tagger_that_starts_long_before_the_light(tmp_path):
    """Dark counts of 50 ms before the first pulse, and after the last, change nothing."""
    engine = night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger())
    tags, rng = read_tags(tmp_path / "relay.h5"), np.random.default_rng(5)
    before, after = (np.sort(rng.integers(0, 5 * 10**10, 450)) for _ in range(2))
    time_ps = tags.time_ps + 5 * 10**10
    time_ps = np.concatenate([before, time_ps, time_ps[-1] + 1 + after])
    channel = [rng.integers(0, 4, 450).astype(np.uint8) for _ in range(2)]
    longer = TimeTags(np.concatenate([channel[0], tags.channel, channel[1]]), time_ps, "example")
    assert_same(sifted(tmp_path, tags=longer).tally, engine)


@pytest.mark.parametrize(
    ("channels", "what"),
    [((1, 0, 2, 3), "Z announced as psi-minus"), ((0, 2, 1, 3), "Z announced as psi-plus"), ((0, 3, 2, 1), "X")],
)
def test_bad_order_of_channels_is_seen_in_the_bits(tmp_path, channels, what):
    """Two exchanged detectors turn one Bell state into the other, or into none: most of its bits are wrong."""
    night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger(), arms=(0.3, 0.3))
    sifted(tmp_path)
    sifted(tmp_path, channels=(2, 3, 0, 1))  # outputs 1 and 2 exchanged: the same states
    with pytest.raises(InputError, match=f"bits in {what}.*are the channels"):
        sifted(tmp_path, channels=channels)


def test_bad_nights_get_a_sentence(tmp_path):
    night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger(), pulses=2_000_000)
    tags = read_tags(tmp_path / "relay.h5")
    with pytest.raises(InputError, match="must be at most 8257535 pulses either way, but is 8257536"):
        sifted(tmp_path, search_pulses=8_257_536)
    with RecordWriter(tmp_path / "none.h5", record_head(BOB, 2.5e9, "measured")):
        pass
    with (
        RecordReader(tmp_path / "alice.h5") as alice,
        RecordReader(tmp_path / "none.h5") as none,
        pytest.raises(InputError, match="has 0 pulses, all alike"),
    ):
        sift(tags, alice, none)
    rng = np.random.default_rng(3)
    noise = TimeTags(tags.channel, np.sort(rng.integers(0, tags.time_ps[-1], tags.time_ps.size)), "noise")
    with pytest.raises(InputError, match="No clock is seen"):
        sifted(tmp_path, tags=noise)
    with pytest.raises(InputError, match="Channel 9, which should be 2V, has no clicks"):
        sifted(tmp_path, channels=(0, 1, 2, 9))
    other = tmp_path / "other"
    other.mkdir()
    night(other, Relay(), Tagger(), seed=99, pulses=2_000_000)
    (tmp_path / "alice.h5").write_bytes((other / "alice.h5").read_bytes())
    with pytest.raises(InputError, match=r"Channel 0 \(1H\) does not follow the user's light"):
        sifted(tmp_path)


def test_bad_sources_get_a_sentence(tmp_path):
    head = RecordHead(2.5e9, {"x": SourceKind(0.1, 1.0, "X")})
    with RecordWriter(tmp_path / "user.h5", head) as writer:
        writer.append(np.zeros(8, np.uint8), np.zeros(8, np.uint8))
    with RecordReader(tmp_path / "user.h5") as reader, pytest.raises(InputError, match="must have the sources o, x, y"):
        settings_of(reader)


def test_exact_settings_come_back_from_a_record(tmp_path):
    with RecordWriter(tmp_path / "user.h5", record_head(ALICE, 1e9, "measured")) as writer:
        writer.append(np.zeros(8, np.uint8), np.zeros(8, np.uint8))
    with RecordReader(tmp_path / "user.h5") as reader:
        assert settings_of(reader) == ALICE


def test_exact_sifted_bits_come_back_and_only_their_user_reads_them(tmp_path):
    rng = np.random.default_rng(4)
    bits, rounds = rng.integers(0, 2, 1001).astype(np.uint8), np.sort(rng.integers(0, 10**12, 1001))
    path = tmp_path / "alice.bits"
    digest = announcement_digest(rounds, np.ones(1001, np.int8))
    write_sifted(path, SiftedBits(bits, rounds, digest, "simulated"))
    assert list(tmp_path.iterdir()) == [path]
    back = read_sifted(path)
    assert np.array_equal(back.bits, bits)
    assert np.array_equal(back.rounds, rounds)
    assert (back.announcements, back.origin) == (digest, "simulated")
    assert "[" not in repr(back).partition("rounds")[0]
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="is not a file of sifted bits, or is damaged"):
        read_sifted(path)
    write_tags(path, TimeTags(np.zeros(1, np.uint8), np.zeros(1, np.int64), "x"), "hdf5")
    with pytest.raises(InputError, match="is not a file of sifted bits"):
        read_sifted(path)


def test_secret_bits_have_no_repr(tmp_path):
    night(tmp_path, Relay(1.0, 1e-6, 0.015, 0.03, 0.48), Tagger(), pulses=2_000_000)
    text = repr(sifted(tmp_path))
    assert "array" not in text
    assert text.startswith("Sifted(")
