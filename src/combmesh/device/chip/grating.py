r"""Grating couplers: one-dimensional in, two-dimensional out, where two waveguides become two polarizations.

Both have a Gaussian passband, :math:`T = T_0\,2^{-(2(\lambda-\lambda_0)/\Delta\lambda)^2}`. The two-dimensional one is
symmetric about the diagonal between its waveguides, so that each leaks by the same angle into the other's
polarization: upper (lower) guide to :math:`(\cos\beta,\sin\beta)` (:math:`(\sin\beta,\cos\beta)`), crosstalk
:math:`\tan^2\beta`. That is no rotation: H and V are left with the overlap :math:`\sin2\beta`, which no polarization
controller takes away. With the leak a quarter wave out of phase it is a rotation, and harmless.
"""

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import SPEED_OF_LIGHT_M_S
from combmesh.ground.errors import InputError, check_positive, check_range


@dataclass(frozen=True)
class GratingCoupler1D:
    """From fibre to chip, one polarization.

    Attributes:
        loss_db: at the centre, dB.
        centre_nm: wavelength of least loss, nm.
        width_nm: full width of the passband at half power, nm.
    """

    loss_db: float = 4.0
    centre_nm: float = 1550.0
    width_nm: float = 65.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class GratingCoupler2D:
    """From chip to fibre, upper guide to H, lower guide to V.

    Attributes:
        loss_db: of the upper guide at the centre, dB.
        centre_nm: wavelength of least loss, nm.
        width_nm: full width of the passband at half power, nm.
        pdl_db: how much more the lower guide loses than the upper one, dB; negative if less.
        crosstalk_db: power of a guide that ends in its own over that in the other polarization, dB.
        crosstalk_phase_rad: of the leak against the light that does not leak, rad.
    """

    loss_db: float = 5.0
    centre_nm: float = 1550.0
    width_nm: float = 65.0
    pdl_db: float = 0.5
    crosstalk_db: float = 25.0
    crosstalk_phase_rad: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        _check(self)
        check_range("pdl_db", self.pdl_db)
        check_range("crosstalk_db", self.crosstalk_db, 0.0)
        check_range("crosstalk_phase_rad", self.crosstalk_phase_rad)
        strongest = float(np.linalg.norm(_jones(self), 2)) ** 2
        if strongest > 1.0 + 1e-9:
            raise InputError(
                f"`loss_db`, `pdl_db` and `crosstalk_db` must leave no polarization with more light than went in, "
                f"but {self.loss_db:g}, {self.pdl_db:g} and {self.crosstalk_db:g} dB give one {strongest:.4g} of it."
            )


def transmittance(coupler: GratingCoupler1D | GratingCoupler2D, frequency_thz: float) -> float:
    """Of a line, the loss at the centre included.

    >>> round(transmittance(GratingCoupler1D(loss_db=0.0, centre_nm=1560.0, width_nm=65.0), 192.174652), 4)
    1.0
    """
    check_positive("frequency_thz", frequency_thz)
    detuning = 1e-3 * SPEED_OF_LIGHT_M_S / frequency_thz - coupler.centre_nm
    return float(10.0 ** (-0.1 * coupler.loss_db) * 2.0 ** -((2.0 * detuning / coupler.width_nm) ** 2))


def jones_matrix(coupler: GratingCoupler2D, frequency_thz: float) -> NDArray[np.complex128]:
    """`(polarization, guide)` amplitudes from the guides (upper, lower) to (H, V), loss included."""
    passband = transmittance(coupler, frequency_thz) * 10.0 ** (0.1 * coupler.loss_db)
    return np.asarray(sqrt(passband) * _jones(coupler))


def _jones(coupler: GratingCoupler2D) -> NDArray[np.complex128]:
    upper = 10.0 ** (-0.05 * coupler.loss_db)
    lower = upper * 10.0 ** (-0.05 * coupler.pdl_db)
    share = 10.0 ** (-0.1 * coupler.crosstalk_db)
    kept, leak = sqrt(1.0 / (1.0 + share)), sqrt(share / (1.0 + share)) * np.exp(1j * coupler.crosstalk_phase_rad)
    return np.array([[upper * kept, lower * leak], [upper * leak, lower * kept]])


def _check(coupler: GratingCoupler1D | GratingCoupler2D) -> None:
    check_range("loss_db", coupler.loss_db, 0.0)
    check_positive("centre_nm", coupler.centre_nm)
    check_positive("width_nm", coupler.width_nm)
