"""The one decorator that compiles; modules that use it are imported only where they are needed."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_NUMBA_SETTINGS: Any = numba.config  # numba makes its settings' names at run time

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _cache_folder() -> str | None:
    """The compiled kernels' own folder, None if none can be written.

    It is named by the sources: numba alone misses changes in other files.
    """
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(package.rglob("*.py")):
        digest.update(source.read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "combmesh" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` without fast maths and without parallel sums: the order of a sum is part of its result."""
    folder = _cache_folder()
    previous = _NUMBA_SETTINGS.CACHE_DIR
    _NUMBA_SETTINGS.CACHE_DIR = folder or ""
    try:
        compiled: Callable[P, R] = numba.njit(cache=folder is not None, error_model="numpy")(function)
    finally:
        _NUMBA_SETTINGS.CACHE_DIR = previous
    return compiled
