"""Files that are cut, damaged, foreign or empty: read with the fact stated, or refused in one sentence."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combmesh.ground.errors import InputError
from combmesh.link.timetags.reading import read_tags
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.writing import write_tags

_SPEC = importlib.util.spec_from_file_location("tagfiles", Path(__file__).with_name("tagfiles.py"))
files = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(files)

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + np.random.default_rng(0).bytes(5000)
NOISE = np.random.default_rng(1).bytes(16_000)
STAMPS = [files.stamp(1000 * k + 1000, 1) for k in range(6)]
EVENTS = [(10, 0), (20, 1), (2**26, 2), (2**26 + 5, 0)]
RECORDS = files.t2_records(0x00010207, EVENTS)
HEADER = len(files.ptu(0x00010207, []))


def saved(tmp_path, content, name="tags.dat"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def without(name):
    """A PTU file that lacks a tag of its header."""
    content = files.ptu(0x00010207, RECORDS)
    at = content.index(name.encode())
    return content[:at] + content[at + 48 :]


REFUSED = {
    "empty": (b"", "is empty"),
    "png": (PNG, "is not a file of time tags that is known: it begins with b'.x89PNG"),
    "noise": (NOISE, "is not a file of time tags that is known"),
    "zeros": (bytes(8000), "is not a file of time tags that is known"),
    "numbers of a program": (np.arange(0, 10**9, 10**5).tobytes(), "is not a file of time tags that is known"),
    "noisy times of a program": (
        np.cumsum(np.random.default_rng(4).integers(0, 10**6, 2000)).tobytes(),
        "is not a file of time tags that is known",
    ),
    "numpy file": (b"\x93NUMPY\1\0v\0" + b" " * 118 + np.arange(500).tobytes(), "is not a file of time tags"),
    "prose": (b"Dear Eve,\nnothing to see here.\n", "must name `channel` and one of `time_ps`"),
    "html": (b"<!DOCTYPE html>\n<html></html>\n", "must name `channel`"),
    "no time": (b"channel,counts\n1,5\n", "must name `channel` and one of `time_ps`"),
    "unknown unit": (b"channel,time_fs\n1,5\n", "must name `channel` and one of `time_ps`"),
    "word in text": (b"channel,time_ps\n1,5\n1,six\n1,7\n", "Line 3 of .* must have a channel and a time"),
    "short line": (b"channel,time_ps\n1,5\n1\n1,7\n", "Line 3 of .* must have a channel and a time"),
    "not a number": (b"channel,time_ns\n1,nan\n", "must have a channel and a time"),
    "channel 256": (b"channel,time_ps\n256,5\n", "names the channel 256; channels are 0 to 255"),
    "channel -1": (b"channel,time_ps\n-1,5\n", "names the channel -1"),
    "channel 1.5": (b"channel,time_ps\n1.5,5\n", "names the channel 1.5; channels are whole"),
    "beyond 2^62": (b"channel,time_ps\n1,4611686018427387905\n", "has times beyond 2.62 ps"),
    "beyond 2^63": (b"channel,time_ps\n1,9223372036854775809\n", "has times beyond 2.62 ps"),
    "beyond 2^62 in ns": (b"channel,time_ns\n1,4611686018427388\n", "has times beyond 2.62 ps"),
    "which column": (b"1,2\n2,3\n3,3\n", "does not show which column is the channel"),
    "three columns": (b"1,2,3\n2,3,4\n", "has no header; its lines must then be two whole numbers"),
    "a decimal late": (b"500 1\n" * 2000 + b"600.5 1\n", "has no header; its lines must then be whole numbers"),
    "ptu magic cut": (b"PQTT", "is not a PTU file|is cut"),
    "ptu header cut in a tag": (files.ptu(0x00010207, RECORDS)[:70], "The header of .* is cut in the tag `File_GUID`"),
    "ptu header cut": (files.ptu(0x00010207, RECORDS)[: HEADER - 60], "header of .* is cut .* `Header_End` is missing"),
    "ptu header alone": (b"PQTTTR\0\x001.0.00\0\0", "is cut after 16 bytes"),
    "ptu record type": (files.ptu(0x00010208, RECORDS), "records of the type 0x00010208, which is not known"),
    "ptu tag type": (files.ptu(0x00010207, RECORDS, files.tag("Odd", 1, 0x13000008)), "`Odd` has the unknown type"),
    "ptu no type": (without("TTResultFormat_TTTRRecType"), "does not say `TTResultFormat_TTTRRecType`"),
    "ptu no step": (without("MeasDesc_GlobalResolution"), "does not say `MeasDesc_GlobalResolution`"),
    "ptu zero step": (
        files.ptu(0x00010207, RECORDS, step_s=0.0),
        "`MeasDesc_GlobalResolution` must be between 0 and 1",
    ),
    "ptu nan step": (files.ptu(0x00010207, RECORDS, step_s=float("nan")), "must be between 0 and 1 s, but is nan"),
    "ptu whole step": (
        files.ptu(0x00010207, [], files.tag("x", 1)).replace(
            struct.pack("<Id", 0x20000008, 1e-12), struct.pack("<Iq", 0x10000008, 1)
        ),
        "must be between 0 and 1 s, but is 1",
    ),
    "ptu bits": (
        files.ptu(0x00010207, RECORDS).replace(struct.pack("<Iq", 0x10000008, 32), struct.pack("<Iq", 0x10000008, 64)),
        "has records of 64 bits; those of 32 bits are known",
    ),
    "ptu times": (files.ptu(0x00010207, [0xFFFFFFFF] * 5000), "is beyond 2.62 ps"),
    "histogram": (b"PQHISTO\0" + bytes(500), "is a file of PicoQuant, .* but not one of time tags"),
    "old picoquant": (b"PicoHarp 300\0\0\0\x002.0\0\0\0" + bytes(700), "in a format of PicoQuant from before PTU"),
    "old hydraharp": (b"HydraHarp 400\0\0\x001.0" + bytes(700), "in a format of PicoQuant from before PTU"),
    "stamps in text": (b"0000000000000001\n" * 3 + b"00000000000000\n" * 3, "Line 4 of .* must have 16 digits|header"),
    "hdf5 damaged": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is a damaged HDF5 file"),
    "hdf5 cut": (b"\x89HDF\r\n\x1a\n", "is a damaged HDF5 file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_limit_refused_in_one_sentence(name, tmp_path):
    content, sentence = REFUSED[name]
    path = saved(tmp_path, content)
    with pytest.raises(InputError, match=sentence) as refusal:
        read_tags(path)
    assert str(path) in str(refusal.value)
    assert str(refusal.value).endswith((".", ")."))
    assert "\n" not in str(refusal.value)


def test_limit_no_file(tmp_path):
    with pytest.raises(InputError, match=r"does not exist\.$"):
        read_tags(tmp_path / "none.ptu")
    with pytest.raises(InputError, match=r"is not a file\.$"):
        read_tags(tmp_path)


def test_limit_arguments(tmp_path):
    path = saved(tmp_path, b"channel,time_ps\n1,5\n")
    with pytest.raises(InputError, match=r"`format` cannot be `qtag`. Did you mean `qutag`\?"):
        read_tags(path, format="qtag")
    with pytest.raises(InputError, match=r"names the unit of its times in its header"):
        read_tags(path, step_ps=81.0)
    with pytest.raises(InputError, match=r"`step_ps` is 81.0 .* a file of format `a1` says it"):
        read_tags(path, format="a1", step_ps=81.0)
    with pytest.raises(InputError, match=r"`step_ps` is -1 .* must be above 0"):
        read_tags(path, format="qutag", step_ps=-1)
    with pytest.raises(InputError, match=r"is not a PTU file: it begins with b'channel,'"):
        read_tags(path, format="ptu")
    with pytest.raises(InputError, match=r"The header of .* is cut: it has 20 bytes instead of 40"):
        read_tags(path, format="qutag")
    with pytest.raises(InputError, match=r"names the channel \d+, which no quTAG has"):
        read_tags(path, format="qutag-raw")
    with pytest.raises(InputError, match=r"Line 1 of .* must have 16 digits"):
        read_tags(path, format="a2")


@pytest.mark.parametrize(
    ("content", "events", "said"),
    [
        (files.ptu(0x00010207, RECORDS)[:-1], 3, {"truncated_bytes": 3, "missing_records": 1}),
        (files.ptu(0x00010207, RECORDS)[:-4], 3, {"missing_records": 1}),
        (files.ptu(0x00010207, RECORDS, declared=0), 4, {"undeclared_records": len(RECORDS)}),
        (files.ptu(0x00010207, RECORDS, declared=2), 4, {"undeclared_records": len(RECORDS) - 2}),
        (files.ptu(0x00010207, RECORDS, declared=-1), 4, {}),
        (without("TTResult_NumberOfRecords"), 4, {}),
        (files.ptu(0x00010207, []), 0, {"records": 0}),
        (files.ptu(0x00010207, [], declared=7), 0, {"missing_records": 7}),
        (files.ptu(0x00010207, [1, 0xC0000000, 2]), 2, {"unknown_records": 1}),
        (files.ptu(0x00010203, [0x00000005, 0x60000006]), 1, {"unknown_records": 1}),
        (files.ptu(0x00010303, [0x10010005, 0x00010006, 0x50010006]), 1, {"unknown_records": 2}),
        (files.ptu(0x00010207, [9, 3, 5]), 3, {"unsorted_events": 1}),
        (files.a1(STAMPS)[:-3], 5, {"truncated_bytes": 5}),
        (files.a2(STAMPS)[:-5], 5, {"truncated_lines": 1}),
        (files.a0(STAMPS)[:-9], 5, {"truncated_lines": 1}),
        (files.a0(STAMPS)[:-5], 5, {"truncated_lines": 2}),
        (files.qutag([(k, 1) for k in range(6)])[:-4], 5, {"truncated_bytes": 6}),
        (b"channel,time_ps\n", 0, {}),
        (b"channel,time_ps", 0, {}),
        (b"# no click\n", 0, {}),
    ],
)
def test_limit_read_with_the_fact_stated(content, events, said, tmp_path):
    tags = read_tags(saved(tmp_path, content))
    assert len(tags.channel) == events
    named = ("truncated", "missing", "undeclared", "unknown", "unsorted", "unended")
    found = {name: value for name, value in tags.about.items() if name.startswith(named)}
    assert found == {name: value for name, value in said.items() if name.startswith(named)}
    assert all(tags.about[name] == value for name, value in said.items())


def test_limit_a_cut_file_is_as_long_as_its_records(tmp_path):
    """The header's time of the whole measurement holds for the whole only."""
    content = files.ptu(0x00010207, RECORDS, files.tag("TTResult_StopAfter", 5000))
    assert read_tags(saved(tmp_path, content)).duration_s == 5.0
    assert read_tags(saved(tmp_path, content[:-4])).duration_s == pytest.approx(2**26 * 1e-12)


def test_limit_the_name_decides_only_where_the_content_cannot(tmp_path):
    two = files.a1(STAMPS[:2])
    assert read_tags(saved(tmp_path, two, "short.ts")).origin == "a1"
    with pytest.raises(InputError, match="is not a file of time tags that is known"):
        read_tags(saved(tmp_path, two, "short.dat"))
    assert read_tags(saved(tmp_path, files.qutag([(5, 1)]), "one.bin")).about["assumed"]
    assert read_tags(saved(tmp_path, files.ptu(0x00010207, RECORDS), "wrong.csv")).origin == "ptu"
    assert read_tags(saved(tmp_path, files.a1(STAMPS), "wrong.ptu")).origin == "a1"
    with pytest.raises(InputError, match="is not a file of time tags that is known"):
        read_tags(saved(tmp_path, NOISE, "noise.ts"))


@pytest.mark.parametrize("kind", ["a1", "a1x", "a0", "a2", "qutag-raw", "csv"])
def test_limit_an_empty_file_may_be_read_when_the_format_is_given(kind, tmp_path):
    tags = read_tags(saved(tmp_path, b""), format=kind)
    assert (len(tags.channel), tags.duration_s) == (0, 0.0)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """A file of each format that can be written, and some more."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(8)
    time_ps = np.cumsum(rng.integers(0, 10**8, 200))
    tags = TimeTags(rng.integers(0, 4, 200).astype(np.uint8), time_ps, "simulated")
    contents = {}
    for kind in ("hdf5", "ptu", "csv", "a1", "a1x", "a0", "a2"):
        write_tags(folder / kind, tags, kind)
        contents[kind] = (folder / kind).read_bytes()
    contents["qutag"] = files.qutag([(int(t), int(c)) for t, c in zip(time_ps, tags.channel, strict=True)])
    contents["t3"] = files.ptu(0x01010304, files.t3_records(0x01010304, [(k * 100, k % 4, k) for k in range(200)]))
    return contents


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_limit_damage_never_breaks_the_reader(data, whole_files, tmp_path_factory):
    """Any file cut anywhere, with any bytes changed: clicks in the order of time or one sentence."""
    content = bytearray(whole_files[data.draw(st.sampled_from(sorted(whole_files)))])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.dat"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        tags = read_tags(path)
    except InputError:
        return
    assert (np.diff(tags.time_ps) >= 0).all()
    assert (tags.channel.dtype, tags.time_ps.dtype) == (np.uint8, np.int64)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=2000), kind=st.sampled_from(["a1", "a1x", "a0", "a2", "qutag", "qutag-raw", "csv"]))
def test_limit_a_forced_format_never_breaks_the_reader(content, kind, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "forced.dat"
    path.write_bytes(content)
    try:
        tags = read_tags(path, format=kind)
    except InputError:
        return
    assert (np.diff(tags.time_ps) >= 0).all()


@settings(max_examples=200, deadline=None)
@given(content=st.binary(min_size=40, max_size=3000))
def test_attack_random_bytes_are_no_time_tags(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "random.dat"
    path.write_bytes(bytes(b ^ k for b, k in zip(content, NOISE, strict=False)))
    with pytest.raises(InputError):
        read_tags(path)
