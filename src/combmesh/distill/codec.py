"""Messages as bytes and back: a code for the kind, then its fields in order, each with its type and length.

Little-endian throughout. What does not decode to a message that its own checks accept, has bytes left over, or is
longer than its kind may be, is refused with a sentence; no field makes room for more than the frame holds.
"""

import struct
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import ldpc
from combmesh.distill import messages as say
from combmesh.distill import session_messages as around
from combmesh.ground.errors import InputError

KINDS: dict[int, type] = {
    1: around.Hello,
    2: say.CascadeSetup,
    3: say.ParityRequest,
    4: say.ParityReply,
    5: say.Corrected,
    6: say.Verify,
    7: say.Verified,
    8: say.Amplify,
    9: say.Amplified,
    10: around.Seal,
    11: around.Released,
    12: say.Abort,
    13: ldpc.LdpcSetup,
    14: ldpc.SyndromeRequest,
    15: ldpc.SyndromeReply,
    16: ldpc.RevealRequest,
    17: ldpc.RevealReply,
}
_CODES = {kind: code for code, kind in KINDS.items()}
_FIELDS = {kind: tuple(entry.name for entry in fields(kind)) for kind in _CODES}
MOST_REASON = 500
"""Characters of the reason that an end gives."""

_SMALL = 4096
_BYTES_A_BIT: dict[type, float] = {
    say.ParityRequest: 8.0,
    say.ParityReply: 0.5,
    say.Amplify: 0.5,
    ldpc.SyndromeReply: 0.5,
    ldpc.RevealReply: 0.5,
}
"""Longest frame of a kind: a small number of bytes, and so many for each sifted bit."""

_DTYPES: dict[int, np.dtype[Any]] = {
    ord("b"): np.dtype("u1"),
    ord("h"): np.dtype("<u2"),
    ord("i"): np.dtype("<i4"),
    ord("q"): np.dtype("<i8"),
}
_DTYPE_CODES = {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}
_INT, _TRUE, _FALSE, _TEXT, _BYTES, _TUPLE = (ord(letter) for letter in "ntfsBT")


def frame_limit(kind: type, n_bits: int) -> int:
    """Bytes that a message of this kind may have for a block of `n_bits`."""
    return _SMALL + int(_BYTES_A_BIT.get(kind, 0.0) * n_bits)


def largest_frame(n_bits: int) -> int:
    """Bytes of the longest frame for a block of `n_bits`."""
    return max(frame_limit(kind, n_bits) for kind in _CODES)


def encode(message: object) -> bytes:
    """A message as bytes."""
    kind = type(message)
    parts = [bytes([_CODES[kind]])]
    for name in _FIELDS[kind]:
        parts += _encoded(getattr(message, name))
    return b"".join(parts)


def decode(frame: bytes, n_bits: int) -> Any:
    """The message in a frame; raises InputError for what is none, and for one that is too long for its kind."""
    if not frame:
        raise InputError("A frame must have at least one byte, but is empty.")
    kind = KINDS.get(frame[0])
    if kind is None:
        raise InputError(f"A frame must begin with a known kind, but begins with {frame[0]}.")
    if len(frame) > frame_limit(kind, n_bits):
        raise InputError(f"{kind.__name__} may have {frame_limit(kind, n_bits)} bytes, but has {len(frame)}.")
    reader = _Reader(frame)
    try:
        values = [reader.value() for _ in _FIELDS[kind]]
        if reader.at != len(frame):
            raise InputError(f"{kind.__name__} has {len(frame) - reader.at} bytes too many.")
        return kind(*values)
    except InputError:
        raise
    except (struct.error, UnicodeDecodeError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{kind.__name__} cannot be read: {error}.") from error


def _encoded(value: Any) -> Iterator[bytes]:
    if isinstance(value, bool):
        yield bytes([_TRUE if value else _FALSE])
    elif isinstance(value, int):
        size = (value.bit_length() + 7) // 8
        yield bytes([_INT, size]) + value.to_bytes(size, "little")
    elif isinstance(value, str):
        yield from _sized(_TEXT, value.encode())
    elif isinstance(value, bytes):
        yield from _sized(_BYTES, value)
    elif isinstance(value, tuple):
        yield struct.pack("<BI", _TUPLE, len(value))
        for item in value:
            yield from _encoded(item)
    elif isinstance(value, np.ndarray) and value.ndim == 1:
        dtype = _DTYPES[_DTYPE_CODES[value.dtype.newbyteorder("=")]]
        yield from _sized(_DTYPE_CODES[value.dtype.newbyteorder("=")], value.astype(dtype, copy=False).tobytes())
    else:
        raise InputError(f"A message cannot hold a value of type {type(value).__name__}.")


def _sized(code: int, content: bytes) -> Iterator[bytes]:
    yield struct.pack("<BI", code, len(content))
    yield content


class _Reader:
    """Takes one value after the other out of a frame."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.at = 1

    def value(self, depth: int = 0) -> Any:
        code = self._take(1)[0]
        if code in _DTYPES:
            return self._array(_DTYPES[code])
        if code in (_TRUE, _FALSE):
            return code == _TRUE
        if code == _INT:
            return self._whole()
        if code == _BYTES:
            return self._take(self._length())
        if code == _TEXT:
            return self._take(self._length()).decode()
        if code == _TUPLE and not depth:
            return self._tuple()
        raise InputError(f"A value of the unknown type {code} is in a message.")

    def _take(self, size: int) -> bytes:
        if size > len(self.frame) - self.at:
            raise InputError(f"A message is cut: {size} bytes are missing from {len(self.frame) - self.at}.")
        self.at += size
        return self.frame[self.at - size : self.at]

    def _length(self) -> int:
        return int(struct.unpack("<I", self._take(4))[0])

    def _whole(self) -> int:
        content = self._take(self._take(1)[0])
        if content.endswith(b"\0"):
            raise InputError("A whole number in a message has a zero byte too many.")
        return int.from_bytes(content, "little")

    def _array(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        content = self._take(self._length())
        if len(content) % dtype.itemsize:
            raise InputError(f"An array of {dtype.itemsize} bytes an entry has {len(content)} bytes.")
        return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))

    def _tuple(self) -> tuple[Any, ...]:
        length = self._length()
        if length > len(self.frame) - self.at:
            raise InputError(f"A message is cut: {length} values are announced.")
        return tuple(self.value(1) for _ in range(length))
