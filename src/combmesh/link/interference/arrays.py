"""Numbers that may be arrays: checks that name the offending one."""

from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]
Number = float | Floats


def check_all(name: str, values: Any, low: float = -inf, high: float = inf) -> None:
    """Refuse an array with any value that is not a finite number in [low, high]."""
    flat = np.asarray(values, np.float64).ravel()
    wrong = ~np.isfinite(flat) | (flat < low) | (flat > high)
    if wrong.any():
        check_range(name, float(flat[wrong.argmax()]), low, high)


def check_all_positive(name: str, values: Any) -> None:
    """Refuse an array with any value that is not a finite number above 0."""
    flat = np.asarray(values, np.float64).ravel()
    wrong = ~np.isfinite(flat) | (flat <= 0.0)
    if wrong.any():
        check_positive(name, float(flat[wrong.argmax()]))


def check_fits_period(name: str, width_ps: Any, period_ps: float) -> None:
    """Refuse a pulse that is longer than the period.

    >>> check_fits_period("fwhm_ps", 500.0, 400.0)
    Traceback (most recent call last):
    combmesh.ground.errors.InputError: `fwhm_ps` must be at most the period of 400 ps, but is 500.
    """
    widest = float(np.max(width_ps))
    if widest > period_ps:
        raise InputError(f"`{name}` must be at most the period of {period_ps:g} ps, but is {widest:g}.")
