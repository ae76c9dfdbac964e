"""The one decorator that compiles; modules that use it are imported only where they are needed."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_NUMBA_SETTINGS: Any = numba.config  # numba makes its settings' names at run time
_PACKAGE = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(r"^\s*from combmesh\.([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _imported(source: Path) -> tuple[Path, ...]:
    """The files of the package that a file of it imports from."""
    found = []
    for module, names in _IMPORT.findall(source.read_text(encoding="utf-8")):
        place = _PACKAGE.joinpath(*module.split("."))
        for path in (place, *(place / name for name in re.findall(r"\w+", names))):
            found += [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    return tuple(found)


def _sources(source: Path) -> Iterator[Path]:
    """A file and all that it imports from, directly or not, each once."""
    seen, left = {source}, [source]
    while left:
        file = left.pop()
        yield file
        new = set(_imported(file)) - seen
        seen |= new
        left += new


@cache
def _cache_folder(source: Path) -> str | None:
    """The folder of a file's compiled kernels, None if none can be written.

    It is named by the sources that the kernels can depend on: numba alone misses changes in other files.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(_sources(source)):
        digest.update(file.read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "combmesh" / f"{source.stem}-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` without fast maths and without parallel sums: the order of a sum is part of its result."""
    folder = _cache_folder(Path(function.__code__.co_filename).resolve())
    previous = _NUMBA_SETTINGS.CACHE_DIR
    _NUMBA_SETTINGS.CACHE_DIR = folder or ""
    try:
        compiled: Callable[P, R] = numba.njit(cache=folder is not None, error_model="numpy")(function)
    finally:
        _NUMBA_SETTINGS.CACHE_DIR = previous
    return compiled
