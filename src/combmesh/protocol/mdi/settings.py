"""What a user's box sends: four intensities and how often."""

from dataclasses import asdict, astuple, dataclass
from typing import ClassVar

from combmesh.ground.errors import InputError, check_range

SOURCES = ("o", "x", "y", "z")


@dataclass(frozen=True)
class Settings:
    """One user's sources: vacuum `o`, decoys `x < y` in the X basis, signal `z` in the Z basis.

    Attributes:
        x, y, z: mean photon numbers of the decoys and of the signal.
        p_x, p_y, p_z: probabilities of the sources; vacuum takes the rest.
        o: mean photon number of the vacuum, below `x`; its light carries a random bit in the X basis.
    """

    x: float
    y: float
    z: float
    p_x: float
    p_y: float
    p_z: float
    o: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("o", "x", "y", "z"):
            check_range(name, getattr(self, name), 0.0)
        for name in ("p_x", "p_y", "p_z"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        if self.x >= self.y:
            raise InputError(f"`x` must be below `y`, but x = {self.x:g} and y = {self.y:g}.")
        if self.o >= self.x:
            raise InputError(f"`o` must be below `x`, but o = {self.o:g} and x = {self.x:g}.")
        if self.p_x + self.p_y + self.p_z > 1.0:
            total = self.p_x + self.p_y + self.p_z
            raise InputError(f"`p_x` + `p_y` + `p_z` must be at most 1, but is {total:g}.")

    @property
    def p_o(self) -> float:
        return 1.0 - self.p_x - self.p_y - self.p_z

    def as_tuple(self) -> tuple[float, ...]:
        return astuple(self)

    def shown(self) -> dict[str, float]:
        """Every number by its name, the vacuum's probability too."""
        return {**asdict(self), "p_o": self.p_o}
