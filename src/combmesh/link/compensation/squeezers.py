r"""An electrically driven polarization controller: fibre squeezers, each a retarder.

Squeezed along 0 or 45 degrees, a fibre is :math:`e^{-iu\sigma_z/2}` or :math:`e^{-iu\sigma_x/2}`; u is the retardance.
A full wave, :math:`2\pi`, changes the sign of the field and nothing else, so that a setting that reaches its limit goes
back by one.
"""

from dataclasses import dataclass
from math import inf, pi

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

FULL_WAVE = 2.0 * pi
_SIGN = np.array([[1.0], [-1.0]])


@dataclass(frozen=True)
class Squeezers:
    """Squeezers one after the other.

    Attributes:
        axes_deg: axis of each, in the order of the light, 0 or 45 degrees.
        lowest_rad, highest_rad: range of each retardance, rad; at least a full wave wide.
        rad_per_volt: retardance for each volt, for an instrument that takes volts.
    """

    axes_deg: tuple[int, ...] = (0, 45, 0, 45)
    lowest_rad: float = -FULL_WAVE
    highest_rad: float = FULL_WAVE
    rad_per_volt: float = pi / 35.0

    def __post_init__(self) -> None:
        if not self.axes_deg or set(self.axes_deg) - {0, 45}:
            raise InputError(f"`axes_deg` must be of 0 and 45 degrees, but is {self.axes_deg}.")
        check_range("lowest_rad", self.lowest_rad)
        check_range("highest_rad", self.highest_rad)
        check_positive("rad_per_volt", self.rad_per_volt)
        if self.highest_rad - self.lowest_rad < FULL_WAVE:
            raise InputError(
                f"`highest_rad` must be at least a full wave, {FULL_WAVE:.4g}, above `lowest_rad`, but is "
                f"{self.highest_rad - self.lowest_rad:.4g} above it."
            )

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.axes_deg)

    def through(self, setting_rad: Floats, jones: Complexes) -> Complexes:
        """`(..., 2, 2)` fibre and squeezers, from the fibre's matrix and `(..., squeezer)` retardances."""
        out = jones
        for k, axis in enumerate(self.axes_deg):
            half = 0.5 * np.asarray(setting_rad)[..., k, None, None]
            turned = out * _SIGN if axis == 0 else out[..., ::-1, :]  # sigma_z or sigma_x on the left
            out = np.cos(half) * out - 1j * np.sin(half) * turned
        return np.asarray(out)

    def within(self, setting_rad: Floats) -> Floats:
        """The same polarization with every retardance in its range."""
        waves = np.ceil((setting_rad - self.highest_rad) / FULL_WAVE)
        down = setting_rad - FULL_WAVE * np.maximum(waves, 0.0)
        waves = np.ceil((self.lowest_rad - down) / FULL_WAVE)
        return np.asarray(down + FULL_WAVE * np.maximum(waves, 0.0))

    def volts(self, setting_rad: Floats) -> Floats:
        """`(..., squeezer)` volts."""
        return np.asarray(setting_rad / self.rad_per_volt)


def check_setting(name: str, setting_rad: Floats, squeezers: Squeezers) -> None:
    """Refuse retardances of the wrong shape or out of range."""
    if np.ndim(setting_rad) < 1 or np.shape(setting_rad)[-1] != squeezers.count:
        raise InputError(f"`{name}` must have shape (..., {squeezers.count}), but has {np.shape(setting_rad)}.")
    for end in (float(np.min(setting_rad, initial=inf)), float(np.max(setting_rad, initial=-inf))):
        check_range(name, end, squeezers.lowest_rad, squeezers.highest_rad)
