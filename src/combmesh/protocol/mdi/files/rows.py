"""What count tables of all protocols refuse, in the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from combmesh.ground.errors import InputError, check_range

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class CountLike(Protocol):
    """A row of a table."""

    @property
    def errors(self) -> float | None: ...


def given(printed: "DataclassInstance") -> dict[str, float]:
    """The results that a file prints, by name."""
    return {name: value for name, value in asdict(printed).items() if value is not None}


def check_count(detected: float, errors: float | None) -> None:
    """Refuse counts below 0, and more errors than counts."""
    check_range("detected", detected, 0.0)
    if errors is None:
        return
    check_range("errors", errors, 0.0)
    if errors > detected:
        raise InputError(f"`errors` must be at most `detected` = {detected:.15g}, but is {errors:.15g}.")


def check_rows(
    counts: Mapping[str, Mapping[str, CountLike]],
    known: Sequence[str],
    needed: Sequence[str],
    with_errors: Sequence[str],
) -> None:
    """Refuse rows that are not known, and name those that are missing.

    Args:
        counts: rows by basis and pair.
        known, needed, with_errors: rows that may be there, that must, and that need their errors, as "Z.zz".
    """
    for basis, rows in counts.items():
        here = [name[2:] for name in known if name[0] == basis]
        for pair, count in rows.items():
            if pair not in here:
                raise InputError(f"`counts.{basis}` has no row {pair!r}; its rows are {', '.join(here)}.")
            if f"{basis}.{pair}" in with_errors and count.errors is None:
                raise InputError(f"`counts.{basis}.{pair}.errors` is missing.")
    missing = [f"`counts.{name}`" for name in needed if name[2:] not in counts[name[0]]]
    if missing:
        raise InputError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")
