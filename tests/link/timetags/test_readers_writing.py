"""Time tags written and read again; our own files, which are whole or are not there."""

import json
import subprocess
import sys
import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combmesh.ground.errors import InputError
from combmesh.link.timetags.hdf5 import TagWriter
from combmesh.link.timetags.reading import read_tags
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.writing import write_tags

STEP_PS = 1000 / 256


def tags_of(times_ps, channels, **more):
    return TimeTags(np.array(channels, np.uint8), np.array(times_ps, np.int64), "simulated", **more)


@settings(max_examples=150, deadline=None)
@given(
    times_ps=st.lists(st.one_of(st.integers(0, 10**7), st.integers(0, 2**61)), max_size=40),
    kind=st.sampled_from(["hdf5", "ptu", "csv", "a1", "a1x", "a0", "a2"]),
    data=st.data(),
)
def test_exact_round_trip(times_ps, kind, data, tmp_path_factory):
    """Stamps lose up to half a step of 1/256 ns, and what is beyond 2^54 of them."""
    times_ps = sorted(times_ps)
    highest = {"hdf5": 255, "csv": 255, "ptu": 62}.get(kind, 3)
    channels = data.draw(st.lists(st.integers(0, highest), min_size=len(times_ps), max_size=len(times_ps)))
    path = tmp_path_factory.getbasetemp() / f"round.{kind}"
    if kind.startswith("a"):
        times_ps = [time for time in times_ps if time < 2**54 * 125 // 32 - 4]
        channels = channels[: len(times_ps)]
    write_tags(path, tags_of(times_ps, channels), kind)
    if not times_ps and kind.startswith("a"):
        return  # an empty file
    back = read_tags(path, format=kind)
    assert back.channel.tolist() == channels
    off = STEP_PS / 2 + 0.5 if kind.startswith("a") else 0
    assert all(abs(time - truth) <= off for time, truth in zip(back.time_ps.tolist(), times_ps, strict=True))


def test_exact_everything_is_kept_by_our_own_format(tmp_path):
    about = {"markers": {"1": 3}, "comment": "Müller", "numbers": [1, 2.5, None, True]}
    tags = tags_of([-5, 7, 7, 2**62], [0, 255, 3, 1], resolution_ps=3.90625, duration_s=12.5, about=about)
    write_tags(tmp_path / "tags.h5", tags)
    back = read_tags(tmp_path / "tags.h5")
    assert (back.channel.tolist(), back.time_ps.tolist()) == (tags.channel.tolist(), tags.time_ps.tolist())
    assert (back.origin, back.resolution_ps, back.duration_s, back.about) == ("simulated", 3.90625, 12.5, about)
    with h5py.File(tmp_path / "tags.h5") as file:
        assert (file.attrs["format"], file.attrs["version"], file.attrs["clicks"]) == ("combmesh time tags", 1, 4)


def test_exact_pieces_make_the_same_file(tmp_path):
    rng = np.random.default_rng(1)
    time_ps = np.cumsum(rng.integers(0, 10**6, 200_000))
    channel = rng.integers(0, 8, 200_000).astype(np.uint8)
    with TagWriter(tmp_path / "pieces.h5", "simulated") as writer:
        for start in range(0, 200_000, 70_001):
            writer.append(channel[start : start + 70_001], time_ps[start : start + 70_001])
        writer.append(channel[:0], time_ps[:0])
        writer.about["seed"] = 1
    back = read_tags(tmp_path / "pieces.h5")
    assert (back.channel == channel).all()
    assert (back.time_ps == time_ps).all()
    assert (back.about, back.duration_s) == ({"seed": 1}, pytest.approx((time_ps[-1] - time_ps[0]) * 1e-12))


def test_limit_memory_does_not_grow_with_the_clicks(tmp_path):
    """4 million clicks are 36 MB; the pieces are 0.9 MB each."""
    channel = np.zeros(100_000, np.uint8)
    with TagWriter(tmp_path / "long.h5", "simulated") as writer:
        tracemalloc.start()
        for piece in range(40):
            writer.append(channel, np.arange(piece * 100_000, (piece + 1) * 100_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000
    assert len(read_tags(tmp_path / "long.h5").channel) == 4_000_000


def test_limit_an_error_leaves_no_file_and_the_old_one_as_it_was(tmp_path):
    write_tags(tmp_path / "tags.h5", tags_of([1], [0]))

    def fail():
        with TagWriter(tmp_path / "tags.h5", "simulated") as writer:
            writer.append(np.zeros(3, np.uint8), np.arange(3))
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["tags.h5"]
    assert read_tags(tmp_path / "tags.h5").time_ps.tolist() == [1]


def test_limit_about_that_is_no_json_leaves_no_file(tmp_path):
    circle = {}
    circle["self"] = circle
    with pytest.raises(ValueError, match="Circular"):
        write_tags(tmp_path / "tags.h5", tags_of([1], [0], about=circle))
    assert list(tmp_path.iterdir()) == []


def test_attack_a_killed_writer_leaves_nothing_that_is_read(tmp_path):
    program = f"""
import os, numpy as np
from combmesh.link.timetags.hdf5 import TagWriter
with TagWriter({str(tmp_path / "tags.h5")!r}, "simulated") as writer:
    for k in range(10):
        writer.append(np.zeros(70_000, np.uint8), np.arange(k * 70_000, (k + 1) * 70_000))
    writer._file.flush()
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".part"
    with pytest.raises(InputError, match=r"damaged|was not written to its end"):
        read_tags(left)


def test_limit_pieces_out_of_order_are_refused(tmp_path):
    def write(*pieces):
        with TagWriter(tmp_path / "tags.h5", "simulated") as writer:
            for channel, time_ps in pieces:
                writer.append(channel, np.array(time_ps))

    one, two = np.zeros(1, np.uint8), np.zeros(2, np.uint8)
    with pytest.raises(InputError, match="in the order of time"):
        write((two, [5, 6]), (one, [5]))
    with pytest.raises(InputError, match="in the order of time"):
        write((two, [6, 5]))
    with pytest.raises(InputError, match="must be uint8"):
        write((np.array([300]), [5]))
    assert list(tmp_path.iterdir()) == []


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file.attrs.update(format="photon-hdf5"), "is an HDF5 file, but not one of combmesh time tags"),
        (lambda file: file.attrs.pop("format"), "is an HDF5 file, but not one of combmesh time tags"),
        (lambda file: file.attrs.update(version=2), "has version 2 of combmesh time tags; versions up to 1 are known"),
        (lambda file: file.attrs.pop("clicks"), "was not written to its end"),
        (lambda file: file.attrs.update(clicks=3), "it says 3 clicks, but its columns have shapes"),
        (lambda file: file["time_ps"].resize((1,)), "it says 2 clicks, but its columns have shapes"),
        (lambda file: file.pop("channel"), "it has no `channel`"),
        (lambda file: (file.pop("channel"), file.create_dataset("channel", data=[1, 300])), "`channel` must be uint8"),
        (lambda file: (file.pop("about"), file.create_dataset("about", data="{")), "is a damaged HDF5 file"),
        (lambda file: file.attrs.pop("origin"), "is a damaged HDF5 file"),
    ],
)
def test_limit_own_files_that_are_not_right(change, sentence, tmp_path):
    write_tags(tmp_path / "tags.h5", tags_of([1, 2], [0, 1]))
    with pytest.raises(InputError, match=sentence):
        read_tags(changed(tmp_path / "tags.h5", change))


def test_exact_own_file_out_of_order_is_sorted_and_stated(tmp_path):
    write_tags(tmp_path / "tags.h5", tags_of([1, 2, 3], [0, 1, 2]))

    def swap(file):
        file["time_ps"][:] = [3, 1, 2]

    back = read_tags(changed(tmp_path / "tags.h5", swap))
    assert (back.time_ps.tolist(), back.channel.tolist(), back.about) == ([1, 2, 3], [1, 2, 0], {"unsorted_events": 1})


def test_exact_a_stamp_file_goes_on_after_its_rollover(tmp_path):
    """Times beyond 2^54 steps, 19.5 hours, come back less 2^54 steps where no click was before, and whole otherwise."""
    turn_ps = 2**54 * 125 // 32
    times_ps = [turn_ps // 3, turn_ps * 2 // 3, turn_ps + 1000, turn_ps + 2000]
    write_tags(tmp_path / "tags.ts", tags_of(times_ps, [0, 1, 2, 3]), "a1")
    assert np.abs(read_tags(tmp_path / "tags.ts").time_ps - times_ps).max() <= 2


@pytest.mark.parametrize(
    ("kind", "times_ps", "channels", "sentence"),
    [
        ("ptu", [-1], [0], "cannot hold the time -1 ps"),
        ("ptu", [1], [63], "cannot hold the channel 63"),
        ("a1", [-1], [0], "cannot hold the time -1 ps"),
        ("a2", [1], [4], "cannot hold the channel 4"),
        ("ptuu", [1], [0], "`format` cannot be `ptuu`. Did you mean `ptu`"),
    ],
)
def test_limit_clicks_that_do_not_fit(kind, times_ps, channels, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        write_tags(tmp_path / "tags", tags_of(times_ps, channels), kind)
    assert list(tmp_path.iterdir()) == []


def test_limit_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"none/tags` cannot be written: No such file"):
        write_tags(tmp_path / "none" / "tags", tags_of([1], [0]))


def test_exact_sync_clicks_are_written(tmp_path):
    write_tags(tmp_path / "tags.ptu", tags_of([1, 2**60], [64, 62]), "ptu")
    back = read_tags(tmp_path / "tags.ptu")
    assert (back.time_ps.tolist(), back.channel.tolist()) == ([1, 2**60], [64, 62])
    assert json.dumps(back.about)
