"""What every message checks of its fields: they come from someone else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError

MOST_TEXT = 4000


def check_int(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        shown = repr(value) if isinstance(value, (int, float, bool)) else f"of type {type(value).__name__}"
        raise InputError(f"`{name}` must be a whole number from {low} to {high}, but is {shown}.")


def check_text(name: str, value: object) -> None:
    """Refuse what is no text of a few thousand characters at most."""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise InputError(f"`{name}` must be a text of at most {MOST_TEXT} characters.")


def freeze(message: object, name: str, dtype: type[np.generic]) -> None:
    """Refuse a field that is no array `(n,)` of `dtype`, and make it one that cannot be written to."""
    array: NDArray[Any] = getattr(message, name)
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"`{name}` must be an array {dtype.__name__} (n,), but is {kind}.")
    array = array.view()
    array.setflags(write=False)
    object.__setattr__(message, name, array)
