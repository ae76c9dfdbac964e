"""The arrayed-waveguide grating's view of the comb: a line number is an identity, an ITU label only a name."""

from dataclasses import dataclass
from math import floor
from typing import ClassVar

from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
from combmesh.ground.errors import InputError, check_positive

GRID_GHZ = 50.0


@dataclass(frozen=True)
class CombLines:
    """The comb lines that every user's box can use, numbered as in the paper: CH+n lies n lines to the *red*.

    Attributes:
        first_line: lowest line number (the bluest line).
        last_line: highest line number (the reddest line).
        rep_rate_ghz: line spacing, GHz.
        pump_thz: frequency of line 0, THz.
    """

    first_line: int = -60
    last_line: int = 19
    rep_rate_ghz: float = 49.0
    pump_thz: float = RUBIDIUM_PUMP_THZ

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("rep_rate_ghz", self.rep_rate_ghz)
        check_positive("pump_thz", self.pump_thz)
        if self.last_line < self.first_line:
            raise InputError(f"`last_line` must be at least `first_line`, but is {self.last_line} < {self.first_line}.")

    @property
    def count(self) -> int:
        return self.last_line - self.first_line + 1

    def nearest_to_pump(self, count: int) -> tuple[int, ...]:
        """The `count` lines nearest to the pump, where a soliton comb is strongest, in ascending order."""
        if count > self.count:
            raise InputError(
                f"The plan needs {count} lines, but `comb` has only {self.count}, "
                f"{self.first_line} to {self.last_line}."
            )
        ranked = sorted(range(self.first_line, self.last_line + 1), key=lambda line: (abs(line), line))
        return tuple(sorted(ranked[:count]))


def line_frequency_thz(comb: CombLines, line: int) -> float:
    """Frequency of a comb line, THz: `f = f_pump - n f_rep` (paper 2.1).

    >>> round(line_frequency_thz(CombLines(), 15), 4)
    191.3802
    """
    return comb.pump_thz - line * comb.rep_rate_ghz * 1e-3


def itu_label(frequency_thz: float) -> str:
    """The nearest bin of the 50 GHz grid: Cn = 190.0 + n/10 THz, Hn = Cn + 50 GHz. Labels repeat along a 49 GHz comb.

    >>> [itu_label(line_frequency_thz(CombLines(), line)) for line in (0, -15, -60, 15, 19)]
    ['C21', 'H28', 'H50', 'C14', 'C12']
    """
    half_channels = floor((frequency_thz - 190.0) * 1e3 / GRID_GHZ + 0.5)
    return f"{'H' if half_channels % 2 else 'C'}{half_channels // 2}"
