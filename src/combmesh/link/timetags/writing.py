"""Time tags written in one of the formats that can be."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from combmesh.ground.errors import InputError
from combmesh.link.timetags.hdf5 import write_hdf5
from combmesh.link.timetags.ptu import write_ptu
from combmesh.link.timetags.sfifteen import write_stamps
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.text import write_csv

_WRITERS: dict[str, Callable[[Path, TimeTags], None]] = {
    "hdf5": write_hdf5,
    "ptu": write_ptu,
    "csv": write_csv,
    "a1": write_stamps,
    "a1x": lambda path, tags: write_stamps(path, tags, "a1x"),
    "a0": lambda path, tags: write_stamps(path, tags, "a0"),
    "a2": lambda path, tags: write_stamps(path, tags, "a2"),
}


def write_tags(path: Path | str, tags: TimeTags, format: str = "hdf5") -> None:
    """Write clicks to a file that gets its name only when it is whole.

    Only `hdf5` keeps everything. `ptu` (T2, steps of 1 ps) and `csv` keep channels and times, `a1`, `a1x`, `a0` and
    `a2` round times to 1/256 ns and begin again after 2^54 of them.

    Raises InputError for a format that is not known, for clicks that do not fit it and for a place that cannot be
    written.
    """
    if format not in _WRITERS:
        near = get_close_matches(format, _WRITERS, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else f" Known are {', '.join(_WRITERS)}."
        raise InputError(f"`format` cannot be `{format}`.{hint}")
    _WRITERS[format](Path(path), tags)
