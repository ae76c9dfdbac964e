"""One reader for every file of time tags: the format is recognised by what the file holds."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from combmesh.ground.errors import InputError
from combmesh.link.timetags import hdf5, ptu_header, qutag, sfifteen
from combmesh.link.timetags.files import read_bytes
from combmesh.link.timetags.hdf5 import read_hdf5
from combmesh.link.timetags.ptu import read_ptu
from combmesh.link.timetags.qutag import read_qutag
from combmesh.link.timetags.sfifteen import read_stamps
from combmesh.link.timetags.tags import TimeTags
from combmesh.link.timetags.text import read_text_tags

_HEAD_BYTES = 40_000
_ENDINGS = {".a1": "a1", ".ts": "a1", ".qutag": "qutag", ".bin": "qutag"}
_TEXT = frozenset(range(32, 127)) | {9, 10, 13} | set(range(128, 256))
_READERS: dict[str, Callable[[Path, float | None], TimeTags]] = {
    "ptu": lambda path, step_ps: read_ptu(path),
    "hdf5": lambda path, step_ps: read_hdf5(path),
    "csv": read_text_tags,
    "a1": lambda path, step_ps: read_stamps(path, "a1"),
    "a1x": lambda path, step_ps: read_stamps(path, "a1x"),
    "a0": lambda path, step_ps: read_stamps(path, "a0"),
    "a2": lambda path, step_ps: read_stamps(path, "a2"),
    "qutag": lambda path, step_ps: read_qutag(path, qutag.HEADER_BYTES, step_ps),
    "qutag-raw": lambda path, step_ps: read_qutag(path, 0, step_ps),
    "qutag-ascii": lambda path, step_ps: read_text_tags(path, step_ps, qutag=True),
}
_STEPPED = ("csv", "qutag", "qutag-raw", "qutag-ascii")


def read_tags(path: Path | str, format: str | None = None, step_ps: float | None = None) -> TimeTags:
    """Clicks of a file of time tags, in the order of time, with what the file says of itself.

    Channels are numbered as the file numbers them, times are whole ps on the instrument's clock. What was not as it
    should be but could be read is stated in `about`; see the reader of each format for its entries.

    Args:
        path: the file.
        format: `ptu`, `hdf5`, `csv`, `a1`, `a1x`, `a0`, `a2`, `qutag`, `qutag-raw` or `qutag-ascii`; recognised by
            what the file holds if it is not given. The ending of the name decides only where a binary file without a
            header is too short to tell.
        step_ps: step of the clock, ps, for quTAG's files, which do not say it.

    Raises InputError, one sentence that names the file and what is wrong with it.
    """
    path = Path(path)
    if format is not None and format not in _READERS:
        near = get_close_matches(format, _READERS, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else f" Known are {', '.join(_READERS)}."
        raise InputError(f"`format` cannot be `{format}`.{hint}")
    if not path.is_file():
        raise InputError(f"`{path}` is not a file." if path.exists() else f"`{path}` does not exist.")
    format = format or recognise(path)
    if step_ps is not None and (format not in _STEPPED or not 0 < step_ps < 1e12):
        why = "must be above 0" if format in _STEPPED else f"cannot be given: a file of format `{format}` says it"
        raise InputError(f"`step_ps` is {step_ps} for `{path}`, but {why}.")
    return _READERS[format](path, step_ps)


def recognise(path: Path) -> str:
    """Name of the format of a file by its first bytes; raises InputError if it is none or could be several."""
    head = read_bytes(path, _HEAD_BYTES)
    if not head:
        raise InputError(f"`{path}` is empty.")
    if head.startswith(b"PQTTTR") or ptu_header.MAGIC.startswith(head):
        return "ptu"
    if head.startswith(hdf5.SIGNATURE):
        return "hdf5"
    if head.startswith(b"PQ") and head[6:8] in (b"O\0", b"T\0", b"K\0", b"\0\0"):
        raise InputError(f"`{path}` is a file of PicoQuant, {head[:8]!r}, but not one of time tags (PQTTTR).")
    if head.startswith((b"PicoHarp 300\0", b"HydraHarp 400\0", b"TimeHarp 260\0")):
        raise InputError(f"`{path}` is in a format of PicoQuant from before PTU; their software converts it.")
    if _TEXT.issuperset(head):
        return _recognise_text(head)
    return _recognise_binary(path, head)


def _recognise_text(head: bytes) -> str:
    lines = [line.strip() for line in head.splitlines()]
    whole = lines[:-1] if len(lines) > 1 else lines
    for kind, digits in (("a0", 8), ("a2", 16)):
        if all(len(line) == digits and not line.strip(b"0123456789abcdefABCDEF") for line in whole):
            return kind
    return "csv"


def _recognise_binary(path: Path, head: bytes) -> str:
    found = [kind for kind in (sfifteen.looks_like(head), qutag.looks_like(head)) if kind]
    by_name = _ENDINGS.get(path.suffix.lower())
    if len(found) == 1:
        return found[0]
    if len(found) == 2:
        same = [kind for kind in found if by_name and kind.startswith(by_name)]
        if same:
            return same[0]
        raise InputError(f"`{path}` could be `{found[0]}` or `{found[1]}`; say which with `format`.")
    short = len(head) < 4 * 8 if by_name == "a1" else len(head) < qutag.HEADER_BYTES + 20
    if by_name and short:
        return by_name
    raise InputError(f"`{path}` is not a file of time tags that is known: it begins with {head[:8]!r}.")
