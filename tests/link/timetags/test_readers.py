"""Readers of time tags against files made record by record, another package and real instruments."""

import importlib.util
from fractions import Fraction
from pathlib import Path

import numpy as np
import ptufile
import pytest

from combmesh.ground.errors import InputError
from combmesh.link.timetags.ptu_records import SYNC_CHANNEL
from combmesh.link.timetags.reading import read_tags

_SPEC = importlib.util.spec_from_file_location("tagfiles", Path(__file__).with_name("tagfiles.py"))
files = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(files)

CASES = Path(__file__).parents[4] / "shared" / "cases" / "timetags"
real = pytest.mark.skipif(not CASES.is_dir(), reason="the real files are not here")


def saved(tmp_path, content, name="tags.dat"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def pairs(tags):
    return list(zip(tags.time_ps.tolist(), tags.channel.tolist(), strict=True))


def random_events(rng, channels, longest, number=400):
    """Steps and what happened: clicks of these channels, some markers, pauses of many overflows."""
    gaps = np.where(rng.random(number) < 0.1, rng.integers(0, longest, number), rng.integers(0, 3000, number))
    what = [channels[k] for k in rng.integers(0, len(channels), number)]
    for place in np.flatnonzero(rng.random(number) < 0.1):
        what[place] = ("marker", int(rng.integers(1, 16)))
    return list(zip(np.cumsum(gaps).tolist(), what, strict=True))


def counted_markers(events):
    lines = [line + 1 for _, what, *_ in events if isinstance(what, tuple) for line in range(4) if what[1] >> line & 1]
    return {str(line): lines.count(line) for line in sorted(set(lines))}


def theirs(path):
    """Clicks and number of marker records by PyPI ptufile: (step, channel, dtime)."""
    with ptufile.PtuFile(path) as file:
        decoded = file.decode_records()
    click = decoded["channel"] >= 0
    dtime = decoded["dtime"][click].tolist() if "dtime" in decoded.dtype.names else [0] * int(click.sum())
    clicks = zip(decoded["time"][click].tolist(), decoded["channel"][click].tolist(), dtime, strict=True)
    return list(clicks), int(np.count_nonzero(decoded["marker"]))


@pytest.mark.parametrize("kind", files.T2_TYPES)
def test_exact_t2_of_every_instrument(kind, tmp_path):
    """Also against ptufile, which gives a click of the sync input the channel 0."""
    rng = np.random.default_rng(kind)
    channels = [0, 1, 4] if kind in files.PICOHARP else [0, 1, 7, 62, "sync"]
    events = random_events(rng, channels, 2_000_000_000)
    path = saved(tmp_path, files.ptu(kind, files.t2_records(kind, events), step_s=4e-12))
    tags = read_tags(path)
    expected = [
        (step, SYNC_CHANNEL if what == "sync" else what) for step, what in events if not isinstance(what, tuple)
    ]
    assert pairs(tags) == [(4 * step, channel) for step, channel in expected]
    assert (tags.origin, tags.resolution_ps, tags.about["markers"]) == ("ptu", 4.0, counted_markers(events))
    clicks, markers = theirs(path)
    assert clicks == [(step, 0 if channel == SYNC_CHANNEL else channel, 0) for step, channel in expected]
    assert markers == sum(isinstance(what, tuple) for _, what in events)


@pytest.mark.parametrize("kind", files.T3_TYPES)
@pytest.mark.parametrize("period_s", [12.5e-9, 1 / 76.1e6])
def test_exact_t3_of_every_instrument(kind, period_s, tmp_path):
    """t = n T + d delta in exact fractions, to half a ps. ptufile counts PicoHarp's channels from 0."""
    rng = np.random.default_rng(kind + 1)
    picoharp = kind in files.PICOHARP
    channels = [1, 2, 4] if picoharp else [0, 1, 5, 63]
    rows = random_events(rng, channels, 300_000)
    events = [(step, what, int(rng.integers(1, 3000))) for step, what in rows]
    content = files.ptu(kind, files.t3_records(kind, events), step_s=period_s, dtime_s=4e-12)
    tags = read_tags(path := saved(tmp_path, content))
    kept = [event for event in events if not isinstance(event[1], tuple)]
    exact = sorted(Fraction(period_s) * 10**12 * step + 4 * dtime for step, _, dtime in kept)
    assert all(abs(time - truth) <= Fraction(51, 100) for time, truth in zip(tags.time_ps.tolist(), exact, strict=True))
    assert (tags.resolution_ps, tags.about["markers"]) == (4.0, counted_markers(events))
    assert "unsorted_events" not in tags.about
    clicks, _ = theirs(path)
    assert clicks == [(step, channel - picoharp, dtime) for step, channel, dtime in kept]


def test_exact_t3_clicks_of_one_sync_period_are_sorted(tmp_path):
    events = [(5, 1, 900), (5, 0, 100), (6, 2, 0), (6, 3, 0)]
    content = files.ptu(0x01010304, files.t3_records(0x01010304, events), step_s=1e-8, dtime_s=16e-12)
    tags = read_tags(saved(tmp_path, content))
    assert pairs(tags) == [(51600, 0), (60000, 2), (60000, 3), (64400, 1)]
    assert "unsorted_events" not in tags.about


def test_exact_overflow_records_of_one_and_of_none(tmp_path):
    """Version 2 writes a single overflow as 1 or, the old way, as 0."""
    tags = read_tags(saved(tmp_path, files.ptu(0x01010204, [0xFE000000, 7, 0xFE000001, 0x02000009])))
    assert pairs(tags) == [(2**25 + 7, 0), (2**26 + 9, 1)]


def test_exact_pieces_carry_their_overflows(tmp_path, monkeypatch):
    monkeypatch.setattr("combmesh.link.timetags.ptu._PIECE", 7)
    events = random_events(np.random.default_rng(3), [0, 1, "sync"], 2_000_000_000)
    tags = read_tags(saved(tmp_path, files.ptu(0x00010207, files.t2_records(0x00010207, events))))
    assert tags.time_ps.tolist() == [step for step, what in events if not isinstance(what, tuple)]


@pytest.mark.parametrize("step_s", [0.25e-12, 25e-12, 81.25e-12])
def test_exact_steps_that_are_no_whole_ps(step_s, tmp_path):
    steps = [3, 4, 10**9 + 1]
    events = [(step, 0) for step in steps]
    tags = read_tags(saved(tmp_path, files.ptu(0x00010206, files.t2_records(0x00010206, events), step_s=step_s)))
    assert tags.time_ps.tolist() == [round(step * Fraction(round(step_s * 1e14), 100)) for step in steps]


def test_exact_every_type_of_tag(tmp_path):
    extra = (
        files.tag("Empty", 0, 0xFFFF0008),
        files.tag("Flag", -1, 0x00000008),
        files.tag("Bits", -1, 0x11000008),
        files.tag("Colour", 255, 0x12000008),
        files.tag("Day", 43865.5, 0x21000008),
        files.tag("Curve", np.array([1.5, 2.5]).tobytes(), 0x2001FFFF, index=3),
        files.tag("Wide", "Müller\0".encode("utf-16-le"), 0x4002FFFF),
        files.tag("Blob", b"\x01\xff", 0xFFFFFFFF),
        files.tag("Negative", -5),
    )
    about = read_tags(saved(tmp_path, files.ptu(0x00010207, [1], *extra))).about
    assert (about["Empty"], about["Flag"], about["Bits"], about["Colour"]) == (None, True, 2**64 - 1, 255)
    assert (about["Day"], about["Curve(3)"]) == ("2020-02-04T12:00:00.000", [1.5, 2.5])
    assert (about["Wide"], about["Blob"], about["Negative"]) == ("Müller", "01ff", -5)


def test_exact_duration_is_the_headers(tmp_path):
    tags = read_tags(saved(tmp_path, files.ptu(0x00010207, [5, 9], files.tag("TTResult_StopAfter", 2500))))
    assert tags.duration_s == 2.5
    assert read_tags(saved(tmp_path, files.ptu(0x00010207, [0xFE000001, 9]))).duration_s == pytest.approx(33554441e-12)


BOTH = [(0, 1), (256, 2), (300, 8), (300, 4), (512, 0b1011)]
BOTH_PS = [(0, 0), (1000, 1), (1172, 3), (1172, 2), (2000, 0), (2000, 1), (2000, 3)]


@pytest.mark.parametrize("kind", ["a1", "a1x", "a0", "a2"])
def test_exact_stamps_of_every_order(kind, tmp_path):
    """300 steps of 1/256 ns are 1171.875 ps; a stamp of three detectors is three clicks."""
    start = 3_600_000_000_000 * 256
    stamps = [files.stamp(start + count, pattern, 0x300) for count, pattern in BOTH]
    tags = read_tags(saved(tmp_path, getattr(files, kind)(stamps)))
    assert [(time - 3_600_000_000_000_000, channel) for time, channel in pairs(tags)] == BOTH_PS
    assert (tags.origin, tags.resolution_ps, tags.about["stamps"]) == (kind, 3.90625, 5)


@pytest.mark.parametrize("kind", ["a1", "a1x"])
def test_exact_order_of_words_is_told_within_one_high_word(kind, tmp_path):
    """A few stamps whose high half never changes rise in both orders."""
    stamps = [files.stamp((7 << 22) + 1000 * k, 1) for k in range(8)]
    assert read_tags(saved(tmp_path, getattr(files, kind)(stamps))).origin == kind


def test_exact_rollover_of_54_bits_with_a_late_stamp(tmp_path):
    counts = [2**54 - 300, 2**54 + 50, 2**54 - 20, 2**54 + 60]
    stamps = [files.stamp(count, 1 << k, 0x300) for k, count in enumerate(counts)]
    tags = read_tags(saved(tmp_path, files.a1(stamps)))
    expected = sorted((round(Fraction(count * 125, 32)), k) for k, count in enumerate(counts))
    assert pairs(tags) == expected
    assert tags.about["unsorted_events"] == 1


def test_exact_many_rollovers_by_dummies(tmp_path):
    """A dummy each quarter of the range carries the count over pauses; 10 ranges are 7 x 10^17 ps."""
    stamps = [files.stamp(k * 2**52, 8, 0x310) for k in range(1, 40)]
    stamps = [files.stamp(5, 1, 0x300), *stamps, files.stamp(10 * 2**54 + 64, 2, 0x320)]
    tags = read_tags(saved(tmp_path, files.a1(stamps)))
    assert pairs(tags) == [(20, 0), (10 * 2**54 * 125 // 32 + 250, 1)]
    assert tags.about["dummy_stamps"] == 39


def test_exact_void_and_empty_stamps_are_counted(tmp_path):
    stamps = [files.stamp(1000 * k + 1000, 1) for k in range(6)]
    tags = read_tags(saved(tmp_path, files.a1([*stamps, 0, files.stamp(9000, 0), files.stamp(9100, 4)])))
    assert tags.events == {0: 6, 2: 1}
    assert (tags.about["void_stamps"], tags.about["stamps_without_detector"]) == (1, 1)


def test_exact_third_series_has_49_bits_and_a_phase(tmp_path):
    """The bits 4 to 12 are no time and no dummy there."""
    rng = np.random.default_rng(5)
    stamps = [files.stamp(32 * 10 * k, 1 << k % 4) | int(rng.integers(0, 512)) << 4 for k in range(100)]
    tags = read_tags(saved(tmp_path, files.a1x(stamps)))
    assert pairs(tags) == [(1250 * k, k % 4) for k in range(100)]
    assert tags.resolution_ps == 125.0


def test_exact_short_mode_is_known_by_its_steps(tmp_path):
    tags = read_tags(saved(tmp_path, files.a1([files.stamp(32 * k, 1, 0x300) for k in range(1, 9)])))
    assert tags.resolution_ps == 125.0


QUTAG = [(100, 0), (150, 104), (180, 3), (180, 1), (190, 203), (10**15, 4)]


@pytest.mark.parametrize(("name", "header"), [("qutag", files.QUTAG_HEADER), ("qutag-raw", b"")])
def test_exact_qutag_binary(name, header, tmp_path):
    path = saved(tmp_path, files.qutag(QUTAG, header))
    tags = read_tags(path)
    assert pairs(tags) == [(100, 0), (180, 3), (180, 1), (10**15, 4)]
    assert (tags.about["markers"], tags.origin) == ({"104": 1, "203": 1}, "qutag")
    assert "1 ps" in tags.about["assumed"]
    stepped = read_tags(path, format=name, step_ps=81.0)
    assert (stepped.time_ps.tolist()[0], stepped.resolution_ps) == (8100, 81.0)
    assert "assumed" not in stepped.about


def test_exact_qutag_header_of_zeros(tmp_path):
    assert len(read_tags(saved(tmp_path, files.qutag(QUTAG, bytes(40)))).channel) == 4


def test_exact_qutag_text_counts_from_one(tmp_path):
    """The maker's own numbers stay as they are in each of its formats."""
    tags = read_tags(saved(tmp_path, b"# quTAG\n100, 1\n150, 104\n180, 4\n180, 2\n"))
    assert pairs(tags) == [(100, 1), (180, 4), (180, 2)]
    assert (tags.origin, tags.about["markers"]) == ("qutag-ascii", {"104": 1})
    assert pairs(read_tags(tmp_path / "tags.dat", format="qutag-ascii", step_ps=81.25))[0] == (8125, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"channel,time_ps\n1,5\n0,4611686018427387904\n",
        b"time_ps;channel\r\n5;1\r\n4611686018427387904;0\r\n",
        b'"Time_ps"\t"extra"\t"Channel"\n5\tx\t1\n4611686018427387904\ty\t0\n',
        b"\xef\xbb\xbf# made by hand\n\nchannel time_ps\n1 5\n\n0 4611686018427387904 # the last\n",
    ],
)
def test_exact_text_to_the_last_digit(content, tmp_path):
    """2^62 has 19 digits; as a float it would lose the last three."""
    tags = read_tags(saved(tmp_path, content.replace(b"387904", b"387903")))
    assert pairs(tags) == [(5, 1), (2**62 - 1, 0)]


@pytest.mark.parametrize(
    ("unit", "value", "time_ps"),
    [
        ("ps", "12.5", 12),
        ("ns", "12", 12_000),
        ("ns", "0.0015", 2),
        ("ns", "1e3", 10**6),
        ("us", "1234567890123.000001", 1234567890123000001),
        ("ms", "7", 7 * 10**9),
        ("s", "4611686.018427387903", 2**62 - 1),
        ("s", "-0.5", -5 * 10**11),
    ],
)
def test_exact_units_of_text(unit, value, time_ps, tmp_path):
    """Decimal numbers are rounded to the nearest ps, halves to the even one, also beyond the digits of a float."""
    tags = read_tags(saved(tmp_path, f"time_{unit},channel\n{value},3\n".encode()))
    assert pairs(tags) == [(time_ps, 3)]


def test_exact_text_without_a_header(tmp_path):
    for content in (b"0 500\n3 700\n", b"500 0\n700 3\n"):
        tags = read_tags(saved(tmp_path, content))
        assert (pairs(tags), tags.origin) == ([(500, 0), (700, 3)], "csv")
        assert "1 ps" in tags.about["assumed"]


@pytest.mark.parametrize(
    ("end", "events", "said"),
    [
        (b"1,700\n", 3, None),
        (b"1,700", 3, "kept"),
        (b"1,7", 2, "left out"),
        (b"1,", 2, "left out"),
        (b"1", 2, "left out"),
    ],
)
def test_limit_text_cut_in_its_last_line(end, events, said, tmp_path):
    tags = read_tags(saved(tmp_path, b"channel,time_ps\n0,500\n2,600\n" + end))
    assert (len(tags.channel), tags.about.get("unended_line")) == (events, said)


def test_exact_unsorted_clicks_are_sorted_and_stated(tmp_path):
    """Equal times stay in the file's order; disorder near by and far away."""
    rng = np.random.default_rng(2)
    time_ps = np.concatenate([np.arange(0, 3000, 3) + rng.integers(0, 30, 1000), rng.integers(0, 3000, 1000)])
    channel = rng.integers(0, 200, 2000)
    lines = "".join(f"{c},{t}\n" for c, t in zip(channel, time_ps, strict=True))
    tags = read_tags(saved(tmp_path, f"channel,time_ps\n{lines}".encode()))
    expected = sorted(zip(time_ps.tolist(), channel.tolist(), strict=True), key=lambda pair: pair[0])
    assert pairs(tags) == expected
    assert tags.about["unsorted_events"] == np.count_nonzero(np.diff(time_ps) < 0)


@real
def test_exact_real_hydraharp_file():
    """Numbers of clicks by ETA (github timetag/ETA), every click by ptufile."""
    path = CASES / "eta_200204_HH400_T2_320MHz_HBT.timeres"
    tags = read_tags(path)
    assert tags.events == {0: 159298, 1: 224721}
    assert (tags.about["records"], tags.duration_s, tags.resolution_ps) == (409482, 1.0, 1.0)
    assert not {"unsorted_events", "unknown_records", "missing_records", "truncated_bytes"} & set(tags.about)
    assert [(step, channel) for step, channel, _ in theirs(path)[0]] == pairs(tags)


@real
def test_exact_real_s_fifteen_file():
    """2000 stamps, 12 of them of two detectors, at about 2.1 million a second."""
    path = CASES / "fpfind_timestamp7_c1234.Aa1.ts"
    tags = read_tags(path)
    words = [int.from_bytes(path.read_bytes()[at : at + 8], "little") for at in range(0, 16000, 8)]
    slow = [(((w >> 10) * 125 + 16) // 32, bit) for w in words for bit in range(4) if w >> bit & 1]
    assert pairs(tags) == slow
    assert (tags.about["stamps"], len(tags.channel), tags.origin) == (2000, 2012, "a1")
    assert sum(tags.about["events"].values()) == 2000
    assert sum(number for detectors, number in tags.about["events"].items() if "+" in detectors) == 12
    assert 2000 / tags.duration_s == pytest.approx(2.1e6, rel=0.05)


@real
def test_exact_real_file_that_is_none():
    with pytest.raises(InputError, match=r"is not a file of time tags that is known"):
        read_tags(CASES / "eta_200204_HH400_T2_320MHz_HBT_g2.npz")
