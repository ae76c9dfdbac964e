"""Frames on a stream: four bytes of length (big-endian), then so many bytes."""

import struct

from combmesh.ground.errors import RunError

HEADER_BYTES = 4


def framed(frame: bytes) -> bytes:
    """A frame as it goes on the stream."""
    return struct.pack(">I", len(frame)) + frame


class FrameReader:
    """Cuts what arrives into frames, however it was broken up.

    >>> reader = FrameReader(100)
    >>> reader.feed(framed(b"one") + framed(b"two")[:5])
    [b'one']
    >>> reader.feed(framed(b"two")[5:])
    [b'two']
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes; raises RunError for one that is announced as too long."""
        self._buffer += data
        frames, at = [], 0
        while len(self._buffer) - at >= HEADER_BYTES:
            (size,) = struct.unpack_from(">I", self._buffer, at)
            if size > self._largest:
                raise RunError(f"A frame may have {self._largest} bytes, but one of {size} is announced.")
            end = at + HEADER_BYTES + size
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[at + HEADER_BYTES : end]))
            at = end
        del self._buffer[:at]
        return frames
