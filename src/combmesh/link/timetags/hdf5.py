"""Our own files of time tags: HDF5 with two compressed columns, written in pieces.

A file has the attributes `format` ("combmesh time tags"), `version` (1), `origin`, `resolution_ps`, `duration_s` and,
set last, `clicks`, their number; and the datasets `channel` (uint8), `time_ps` (int64), each `(event,)`, and `about`
(JSON).
"""

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import clicks, replaced
from combmesh.link.timetags.tags import TimeTags

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FORMAT = "combmesh time tags"
VERSION = 1
_CHUNK = 1 << 16
_COLUMNS = {"channel": np.dtype(np.uint8), "time_ps": np.dtype(np.int64)}


class TagWriter:
    """Writes clicks piece by piece in the order of time; memory does not grow with their number.

    The file gets its name when the `with` block ends well; until then it has another, and after an error there is none.

    Attributes:
        about: what else the file shall say of itself, as JSON knows it; may be filled until the end.
        duration_s: length of the record, s; from first to last click where it is left at 0.
    """

    def __init__(self, path: Path | str, origin: str, resolution_ps: float = 1.0, duration_s: float = 0.0) -> None:
        self.path = Path(path)
        self.about: dict[str, Any] = {}
        self.duration_s = duration_s
        self._origin, self._resolution_ps = origin, resolution_ps
        self._clicks, self._first_ps, self._last_ps = 0, 0, 0

    def __enter__(self) -> "TagWriter":
        import h5py

        with ExitStack() as stack:
            part = stack.enter_context(replaced(self.path))
            file = stack.enter_context(h5py.File(part, "w"))
            file.attrs.update(format=FORMAT, version=VERSION, origin=self._origin, resolution_ps=self._resolution_ps)
            for name, dtype in _COLUMNS.items():
                file.create_dataset(
                    name,
                    (0,),
                    dtype,
                    maxshape=(None,),
                    chunks=(_CHUNK,),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                )
            self._file, self._stack = file, stack.pop_all()
        return self

    def append(self, channel: NDArray[np.uint8], time_ps: NDArray[np.int64]) -> None:
        """Add clicks `(event,)` that are not earlier than those before; raises InputError otherwise."""
        if not len(time_ps):
            return
        TimeTags(channel, time_ps, self._origin)  # checks the shapes
        if (dtypes := (channel.dtype, time_ps.dtype)) != tuple(_COLUMNS.values()):
            raise InputError(f"Channels must be uint8 and times int64, but are {dtypes[0]} and {dtypes[1]}.")
        if (time_ps[1:] < time_ps[:-1]).any() or (self._clicks and time_ps[0] < self._last_ps):
            raise InputError(f"Clicks must be added to `{self.path}` in the order of time, but some are earlier.")
        if not self._clicks:
            self._first_ps = int(time_ps[0])
        self._last_ps = int(time_ps[-1])
        end = self._clicks + len(time_ps)
        for name, column in (("channel", channel), ("time_ps", time_ps)):
            self._file[name].resize((end,))
            self._file[name][self._clicks : end] = column
        self._clicks = end

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None:
                raise error
            span_s = (self._last_ps - self._first_ps) * 1e-12
            self._file.create_dataset("about", data=json.dumps(self.about, default=str))
            self._file.attrs.update(duration_s=self.duration_s or span_s, clicks=self._clicks)


def write_hdf5(path: Path, tags: TimeTags) -> None:
    """Write time tags in our own format."""
    with TagWriter(path, tags.origin, tags.resolution_ps, tags.duration_s) as writer:
        writer.about = tags.about
        writer.append(tags.channel, tags.time_ps)


def read_hdf5(path: Path) -> TimeTags:
    """Time tags of a file in our own format.

    Raises InputError for a file that is damaged, not ours, of a later version or not written to its end.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check(path, file)
            channel, time_ps = file["channel"][:], file["time_ps"][:]
            about = dict(json.loads(file["about"][()]))
            origin = str(file.attrs["origin"])
            resolution_ps, duration_s = float(file.attrs["resolution_ps"]), float(file.attrs["duration_s"])
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"`{path}` is a damaged HDF5 file: {error}.") from error
    return clicks(channel, time_ps, origin, about, resolution_ps=resolution_ps, duration_s=duration_s)


def _check(path: Path, file: Any) -> None:
    if file.attrs.get("format") != FORMAT:
        raise InputError(f"`{path}` is an HDF5 file, but not one of {FORMAT}: its attribute `format` does not say so.")
    version = int(file.attrs.get("version", 0))
    if not 1 <= version <= VERSION:
        raise InputError(f"`{path}` has version {version} of {FORMAT}; versions up to {VERSION} are known.")
    if "clicks" not in file.attrs:
        raise InputError(f"`{path}` was not written to its end: it does not say its number of clicks.")
    if missing := [name for name in ("channel", "time_ps", "about") if name not in file]:
        raise InputError(f"`{path}` is a damaged file of {FORMAT}: it has no `{missing[0]}`.")
    if bad := [name for name, dtype in _COLUMNS.items() if file[name].dtype != dtype]:
        raise InputError(f"`{path}` is damaged: `{bad[0]}` must be {_COLUMNS[bad[0]]}, but is {file[bad[0]].dtype}.")
    shapes, number = {file[name].shape for name in ("channel", "time_ps")}, int(file.attrs["clicks"])
    if shapes != {(number,)}:
        raise InputError(f"`{path}` is damaged: it says {number} clicks, but its columns have shapes {sorted(shapes)}.")
