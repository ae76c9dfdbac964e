"""Files of what one user sent: the source and the bit of every pulse.

HDF5 with the attributes `format` ("combmesh user record"), `version` (1), `clock_hz`, `pulses`, `sources` (JSON: the
letter, intensity, probability and basis of each), `origin` and, set last, `whole`; and the datasets `source` (four
pulses a byte, the first in the highest bits) and `bit` (eight pulses a byte). It is secret: only its owner may read it.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.pulses.secret_file import secret_file

FORMAT = "combmesh user record"
VERSION = 1
_PIECE = 1 << 16  # bytes of a chunk
_PULSES_A_BYTE = 8


@dataclass(frozen=True)
class SourceKind:
    """One source of a user.

    Attributes:
        intensity: mean photon number.
        probability: how often it is chosen.
        basis: "X" or "Z".
    """

    intensity: float
    probability: float
    basis: str

    def __post_init__(self) -> None:
        check_range("intensity", self.intensity, 0.0)
        check_range("probability", self.probability, 0.0, 1.0)
        if self.basis not in ("X", "Z"):
            raise InputError(f'`basis` must be "X" or "Z", but is {self.basis!r}.')


@dataclass(frozen=True)
class RecordHead:
    """What a record says of itself.

    Attributes:
        clock_hz: the user's pulse rate, Hz.
        sources: by letter, in the order of their codes 0, 1, ...
        origin: "measured", or "simulated".
    """

    clock_hz: float
    sources: dict[str, SourceKind]
    origin: str = "measured"

    def __post_init__(self) -> None:
        check_positive("clock_hz", self.clock_hz)
        if not 1 <= len(self.sources) <= 4:
            raise InputError(f"`sources` must be 1 to 4, but are {len(self.sources)}.")


class RecordWriter:
    """Writes a record piece by piece; the file gets its name when the `with` block ends well."""

    def __init__(self, path: Path | str, head: RecordHead) -> None:
        self.path, self._head = Path(path), head
        self._pulses = 0
        self._rest: tuple[NDArray[np.uint8], NDArray[np.uint8]] = (np.empty(0, np.uint8), np.empty(0, np.uint8))

    def __enter__(self) -> "RecordWriter":
        import h5py

        with ExitStack() as stack:
            part = stack.enter_context(secret_file(self.path))
            file = stack.enter_context(h5py.File(part, "w"))
            sources = json.dumps({letter: asdict(kind) for letter, kind in self._head.sources.items()})
            file.attrs.update(
                format=FORMAT,
                version=VERSION,
                clock_hz=self._head.clock_hz,
                origin=self._head.origin,
                sources=sources,
            )
            for name in ("source", "bit"):
                file.create_dataset(name, (0,), np.uint8, maxshape=(None,), chunks=(_PIECE,))
            self._file, self._stack = file, stack.pop_all()
        return self

    def append(self, source: NDArray[np.uint8], bit: NDArray[np.uint8]) -> None:
        """Add pulses: `(pulse,)` code of the source and bit of each."""
        codes = len(self._head.sources)
        if source.size and (source.max() >= codes or bit.max() > 1):
            raise InputError(f"`{self.path}` takes sources below {codes} and bits 0 and 1, but was given others.")
        source, bit = np.concatenate([self._rest[0], source]), np.concatenate([self._rest[1], bit])
        whole = source.size // _PULSES_A_BYTE * _PULSES_A_BYTE
        self._write(source[:whole], bit[:whole])
        self._rest = (source[whole:], bit[whole:])

    def _write(self, source: NDArray[np.uint8], bit: NDArray[np.uint8]) -> None:
        self._pulses += source.size
        fill = -source.size % _PULSES_A_BYTE
        source, bit = np.pad(source, (0, fill)), np.pad(bit, (0, fill))
        four = source.reshape(-1, 4) << np.array([6, 4, 2, 0], np.uint8)
        for name, packed in (("source", np.bitwise_or.reduce(four, axis=1)), ("bit", np.packbits(bit))):
            dataset = self._file[name]
            end = dataset.shape[0]
            dataset.resize((end + packed.size,))
            dataset[end:] = packed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None:
                raise error
            self._write(*self._rest)
            self._file.attrs.update(pulses=self._pulses, whole=True)


class RecordReader:
    """A record opened for reading, piece by piece.

    Raises InputError, one sentence that names the file, where it is none, damaged or not whole.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __enter__(self) -> "RecordReader":
        import h5py

        if not self.path.is_file():
            raise InputError(
                f"`{self.path}` is not a file." if self.path.exists() else f"`{self.path}` does not exist."
            )
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise InputError(f"`{self.path}` is not a record of a user, or is damaged: {error}.") from error
        try:
            self.head, self.pulses = self._read_head(self._file)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self._file.close()

    def _read_head(self, file: Any) -> tuple[RecordHead, int]:
        attributes = dict(file.attrs)
        if attributes.get("format") != FORMAT:
            raise InputError(f"`{self.path}` is an HDF5 file, but not a record of a user.")
        try:
            version = int(attributes.get("version", 0))
        except (TypeError, ValueError):
            version = 0
        if not 1 <= version <= VERSION:
            raise InputError(
                f"`{self.path}` has version {attributes.get('version')}; versions up to {VERSION} are known."
            )
        if "whole" not in attributes:
            raise InputError(f"`{self.path}` was not written to its end.")
        try:
            kinds = {letter: SourceKind(**kind) for letter, kind in json.loads(attributes["sources"]).items()}
            head = RecordHead(float(attributes["clock_hz"]), kinds, str(attributes["origin"]))
            pulses = int(attributes["pulses"])
            sizes = [file[name].shape for name in ("source", "bit")]
            if pulses < 0 or any(file[name].dtype != np.uint8 for name in ("source", "bit")):
                raise ValueError("its pulses are not bytes")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"`{self.path}` is damaged: {str(error).rstrip('.')}.") from error
        eights = -(-pulses // _PULSES_A_BYTE)
        if sizes != [(2 * eights,), (eights,)]:
            raise InputError(f"`{self.path}` is damaged: it says {pulses} pulses, but its columns have sizes {sizes}.")
        return head, pulses

    def piece(self, first: int, pulses: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(source, bit) of up to `pulses` pulses from `first` on, which is a multiple of 8."""
        end = min(first + pulses, self.pulses)
        byte, last = first // _PULSES_A_BYTE, -(-end // _PULSES_A_BYTE)
        try:
            four, eight = self._file["source"][2 * byte : 2 * last], self._file["bit"][byte:last]
        except OSError as error:
            raise InputError(f"`{self.path}` is damaged: {error}.") from error
        source = (four[:, None] >> np.array([6, 4, 2, 0], np.uint8) & 3).ravel()[: end - first]
        if source.size and source.max() >= len(self.head.sources):
            raise InputError(f"`{self.path}` is damaged: a pulse has a source that it does not name.")
        return source, np.unpackbits(eight)[: end - first]
