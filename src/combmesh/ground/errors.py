"""The one tree of errors; each message is a sentence with the offending name and value."""

import math


class CombmeshError(Exception):
    """Everything that combmesh raises on purpose."""


class InputError(CombmeshError, ValueError):
    """What the user gave cannot be used (exit code 2)."""


class RunError(CombmeshError):
    """Something failed while running (exit code 1)."""


def check_range(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> None:
    """Refuse a value that is not a finite number in [low, high].

    >>> check_range("length_km", 3.0, low=0.0)
    >>> check_range("length_km", -3, low=0)
    Traceback (most recent call last):
    combmesh.ground.errors.InputError: `length_km` must be at least 0, but is -3.
    """
    if not math.isfinite(value):
        raise InputError(f"`{name}` must be a finite number, but is {value}.")
    if value < low:
        raise InputError(f"`{name}` must be at least {low:g}, but is {value:g}.")
    if value > high:
        raise InputError(f"`{name}` must be at most {high:g}, but is {value:g}.")


def check_positive(name: str, value: float) -> None:
    """Refuse a value that is not a finite number above 0."""
    if not math.isfinite(value) or value <= 0:
        raise InputError(f"`{name}` must be a finite number above 0, but is {value:g}.")
