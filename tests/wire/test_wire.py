"""Frames over a stream and over TCP."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combmesh.ground.errors import InputError, RunError
from combmesh.wire.framing import FrameReader, framed
from combmesh.wire.tcp import connected, drive, listening, parse_address


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_exact_frames_come_whole_however_the_stream_is_cut(frames, data):
    stream = b"".join(framed(frame) for frame in frames)
    reader, found = FrameReader(40), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == frames


def test_bad_frames_that_are_too_long_are_refused_by_their_header():
    with pytest.raises(RunError, match="may have 10 bytes, but one of 11 is announced"):
        FrameReader(10).feed(framed(bytes(11))[:4])


class Echo:
    """Counts down from a number, each end in turn."""

    def __init__(self, first=None):
        self.first, self.seen, self.reason = first, [], None

    @property
    def ended(self):
        return 0 in self.seen or self.reason is not None

    def start(self):
        return () if self.first is None else (bytes([self.first]),)

    def receive(self, frame):
        self.seen.append(frame[0])
        return () if frame[0] == 0 else (bytes([frame[0] - 1]),)

    def lost(self, reason):
        self.reason = reason


def test_exact_two_ends_talk_over_tcp():
    port = free_port()
    one, two = Echo(), Echo(9)

    def listen():
        with listening(("127.0.0.1", port), 20.0) as connection:
            drive(one, connection, 10, 20.0)

    thread = threading.Thread(target=listen)
    thread.start()
    with connected(("127.0.0.1", port), 20.0) as connection:
        drive(two, connection, 10, 20.0)
    thread.join(20)
    assert sorted(one.seen + two.seen) == list(range(10))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(b"", "the other end has left"), (framed(bytes(11)), "A frame may have 10 bytes"), (None, "silent for 0.2 s")],
)
def test_exact_a_peer_that_leaves_or_is_silent_loses_the_talk(sent, reason):
    ours, theirs = socket.socketpair()
    end = Echo()
    with ours, theirs:
        if sent is not None:
            theirs.sendall(sent)
            theirs.shutdown(socket.SHUT_WR)
        ours_tcp = _Plain(ours)
        drive(end, ours_tcp, 10, 0.2)
    assert reason in end.reason


class _Plain:
    """A socket pair has no TCP options."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return (lambda *_: None) if name == "setsockopt" else getattr(self.inner, name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_bad_addresses_and_absent_peers_get_a_sentence():
    for text in ("", "host", "host:", "host:x", "host:70000"):
        with pytest.raises(InputError, match="An address must be host:port"):
            parse_address(text)
    assert parse_address("[::1]:80") == ("::1", 80)
    with pytest.raises(RunError, match="Nobody connected to"), listening(("127.0.0.1", free_port()), 0.1):
        pass
    with pytest.raises(RunError, match="cannot be reached"), connected(("127.0.0.1", free_port()), 0.2):
        pass
