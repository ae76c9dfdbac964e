"""Two processes over TCP: one listens, one connects, and each drives its end of a talk."""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from combmesh.ground.errors import InputError, RunError
from combmesh.wire.framing import FrameReader, framed

_PIECE = 1 << 18
_BETWEEN_TRIES_S = 0.1


class Talk(Protocol):
    """One end of a talk in frames."""

    def start(self) -> Sequence[bytes]:
        """The first frames to send."""

    def receive(self, frame: bytes) -> Sequence[bytes]:
        """Take a frame and return the answers."""

    def lost(self, reason: str) -> None:
        """The connection has broken."""

    @property
    def ended(self) -> bool:
        """Whether this end waits for nothing more."""


def parse_address(text: str) -> tuple[str, int]:
    """`host:port`, or a port of this machine alone.

    >>> parse_address("10.0.0.7:7000"), parse_address("7000")
    (('10.0.0.7', 7000), ('127.0.0.1', 7000))
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InputError(f"An address must be host:port, such as 127.0.0.1:7000, but is {text!r}.")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextlib.contextmanager
def listening(address: tuple[str, int], wait_s: float) -> Iterator[socket.socket]:
    """The first connection that comes to an address within `wait_s`, s."""
    try:
        with socket.create_server(address) as server:
            server.settimeout(wait_s)
            connection, _ = server.accept()
    except TimeoutError:
        raise RunError(f"Nobody connected to {_named(address)} within {wait_s:g} s.") from None
    except OSError as error:
        raise RunError(f"{_named(address)} cannot be listened to: {error.strerror}.") from error
    with connection:
        yield connection


@contextlib.contextmanager
def connected(address: tuple[str, int], wait_s: float) -> Iterator[socket.socket]:
    """A connection to an address, tried again until `wait_s` is over, s."""
    until = time.monotonic() + wait_s
    while True:
        try:
            connection = socket.create_connection(address, timeout=wait_s)
            break
        except OSError as error:
            if time.monotonic() > until or isinstance(error, socket.gaierror):
                reason = error.strerror or error
                raise RunError(f"{_named(address)} cannot be reached: {reason}.") from error
            time.sleep(_BETWEEN_TRIES_S)
    with connection:
        yield connection


def drive(talk: Talk, connection: socket.socket, largest_frame: int, silence_s: float) -> None:
    """Carry one end of a talk over a connection until it has ended.

    A peer that leaves, sends a frame that is too long, or is silent for `silence_s` loses the talk, without an error.
    """
    connection.settimeout(silence_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = FrameReader(largest_frame)
    try:
        _send(connection, talk.start())
        while not talk.ended:
            data = connection.recv(_PIECE)
            if not data:
                talk.lost("the other end has left")
                return
            for frame in reader.feed(data):
                _send(connection, talk.receive(frame))
    except TimeoutError:
        talk.lost(f"the other end was silent for {silence_s:g} s")
    except OSError as error:
        talk.lost(f"the connection broke: {error.strerror}")
    except RunError as error:
        talk.lost(str(error))


def _send(connection: socket.socket, frames: Sequence[bytes]) -> None:
    if frames:
        connection.sendall(b"".join(framed(frame) for frame in frames))


def _named(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
