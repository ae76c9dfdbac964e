r"""An electro-optic Mach-Zehnder interferometer in push-pull: volts to fields of both outputs.

Between two equal couplers of amplitudes t, k (:math:`t^2+k^2=1`) the arms differ by the phase :math:`\Delta`. From the
upper input

.. math:: b = t^2 e^{i\Delta/2} + k^2 e^{-i\Delta/2}, \qquad c = 2tk\sin(\Delta/2).

The bar output's power is :math:`|1+a e^{i\Delta}|^2/(1+a)^2` with :math:`a = k^2/t^2`: finite extinction comes from
couplers that are not 50:50, and no light is lost (:math:`|b|^2+|c|^2=1`). The cross output goes fully dark.

**Phase.** Carrier depletion: an arm at the reverse voltage U turns it by
:math:`\kappa(\sqrt{U+V_{bi}}-\sqrt{V_{bi}})`, as the depletion width of an abrupt junction. In push-pull the arms stand
at :math:`U_b \pm V(1\pm\delta)/2`. The difference of both phases switches; their mean is left, and is the chirp.
Without `built_in_v` the phase is linear, and only :math:`\delta` chirps. Absorption that follows the carriers is not
modelled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]
Fields = NDArray[np.complex128]

MOST_VOLTS = 1e3


@dataclass(frozen=True)
class Mzi:
    """One interferometer.

    Attributes:
        half_wave_v: voltage that takes the bar output from bright to dark, V.
        extinction_db: of the bar output, power bright over dark, dB.
        loss_db: of the light on its way, dB.
        bandwidth_ghz: half-power bandwidth of driver and electrodes together, one pole, GHz.
        built_in_v: built-in potential of the junctions, V; None takes the phase as linear in the voltage.
        reverse_bias_v: standing reverse voltage of both arms, V.
        drive_imbalance: delta; the upper arm gets (1+delta)/2 of the voltage, the lower one (1-delta)/2.
        brighter_arm: which arm gets more light, 1 the upper, 2 the lower; sets the sign of the dark light's
            phase.
    """

    half_wave_v: float = 3.47
    extinction_db: float = 30.0
    loss_db: float = 1.0
    bandwidth_ghz: float = 10.0
    built_in_v: float | None = 0.8
    reverse_bias_v: float = 3.0
    drive_imbalance: float = 0.0
    brighter_arm: Literal[1, 2] = 1

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("half_wave_v", self.half_wave_v)
        check_positive("extinction_db", self.extinction_db)
        check_range("extinction_db", self.extinction_db, high=200.0)
        check_range("loss_db", self.loss_db, 0.0)
        check_positive("bandwidth_ghz", self.bandwidth_ghz)
        check_range("reverse_bias_v", self.reverse_bias_v, 0.0, MOST_VOLTS)
        check_range("drive_imbalance", self.drive_imbalance, -1.0, 1.0)
        if self.brighter_arm not in (1, 2):
            raise InputError(f"`brighter_arm` must be 1 or 2, but is {self.brighter_arm}.")
        if self.built_in_v is not None:
            check_positive("built_in_v", self.built_in_v)
            if self.half_wave_v > self.most_v:
                raise InputError(
                    f"`reverse_bias_v` must keep both arms in reverse up to the half-wave voltage of "
                    f"{self.half_wave_v:g} V, so at least {self.half_wave_v * self._larger_share:g}, "
                    f"but is {self.reverse_bias_v:g}."
                )

    @property
    def _larger_share(self) -> float:
        return 0.5 * (1.0 + abs(self.drive_imbalance))

    @property
    def most_v(self) -> float:
        """Largest voltage that leaves both junctions in reverse, V."""
        return MOST_VOLTS if self.built_in_v is None else self.reverse_bias_v / self._larger_share

    @property
    def floor(self) -> float:
        """Dark over bright power of the bar output."""
        return float(10.0 ** (-0.1 * self.extinction_db))

    @property
    def arm_ratio(self) -> float:
        r"""a, amplitude of the weaker over the stronger path: :math:`(1-\sqrt\epsilon)/(1+\sqrt\epsilon)`.

        >>> round(Mzi(extinction_db=30.0).arm_ratio, 3)
        0.939
        """
        root = sqrt(self.floor)
        return (1.0 - root) / (1.0 + root)

    @property
    def time_constant_ps(self) -> float:
        """Of the one pole, ps."""
        return 1e3 / (2.0 * pi * self.bandwidth_ghz)


def phases_rad(mzi: Mzi, volts: Floats | float) -> tuple[Floats, Floats]:
    """Difference of the arms' phases, upper less lower, and their mean, rad; both 0 at 0 V. Shape as `volts`."""
    V = np.asarray(volts, dtype=np.float64)
    worst = float(np.abs(V).max(initial=0.0))
    if not worst <= mzi.most_v:
        raise InputError(f"`volts` must be within {mzi.most_v:g} V, for both junctions stay in reverse, but {worst:g}.")
    upper, lower = 0.5 * (1.0 + mzi.drive_imbalance), -0.5 * (1.0 - mzi.drive_imbalance)
    if mzi.built_in_v is None:
        one, two = pi * upper * V / mzi.half_wave_v, pi * lower * V / mzi.half_wave_v
        return one - two, 0.5 * (one + two)
    U = mzi.reverse_bias_v + mzi.built_in_v
    kappa = pi / (sqrt(U + upper * mzi.half_wave_v) - sqrt(U + lower * mzi.half_wave_v))
    one = kappa * (np.sqrt(U + upper * V) - sqrt(U))  # depletion width of an abrupt junction: phase ~ sqrt(U + V_bi)
    two = kappa * (np.sqrt(U + lower * V) - sqrt(U))
    return one - two, 0.5 * (one + two)


def volts_for(mzi: Mzi, phase_rad: float) -> float:
    """The voltage that gives this difference of phases, V."""
    check_range("phase_rad", phase_rad, -1e6, 1e6)
    if mzi.built_in_v is None or phase_rad == 0.0:
        return phase_rad * mzi.half_wave_v / pi
    return bisect(lambda v: float(phases_rad(mzi, v)[0]) - phase_rad, -mzi.most_v, mzi.most_v, "phase_rad")


def fields(mzi: Mzi, volts: Floats | float, bias_rad: float = 0.0) -> tuple[Fields, Fields]:
    """Fields of the bar and the cross output, from the upper input and without `loss_db`. Shape as `volts`."""
    check_range("bias_rad", bias_rad, -1e6, 1e6)
    difference, mean = phases_rad(mzi, volts)
    half = 0.5 * (difference + bias_rad)
    t2, k2 = _split(mzi)
    common = np.exp(1j * mean)
    bar = common * (t2 * np.exp(1j * half) + k2 * np.exp(-1j * half))
    cross = common * 2.0 * sqrt(t2 * k2) * np.sin(half)
    return np.asarray(bar), np.asarray(cross)


def matrix(mzi: Mzi, volts: float, bias_rad: float = 0.0) -> Fields:
    """`(output, input)` from upper and lower input to bar and cross output, without `loss_db`: unitary."""
    bar, cross = fields(mzi, volts, bias_rad)
    turn = np.exp(2j * phases_rad(mzi, volts)[1])
    return np.array([[bar, -turn * cross.conj()], [cross, turn * bar.conj()]])


def transmittance(mzi: Mzi, volts: Floats | float, bias_rad: float = 0.0) -> Floats:
    """Power of the bar output over its maximum: 1 where voltage and bias cancel, the floor half a wave away (Fig. 3c).

    >>> float(transmittance(Mzi(), 0.0)), round(float(transmittance(Mzi(), 3.47)), 6)
    (1.0, 0.001)
    """
    power: Floats = np.abs(fields(mzi, volts, bias_rad)[0]) ** 2
    return power


def volts_for_transmittance(mzi: Mzi, share: float) -> float:
    r"""Voltage between 0 and half-wave for a transmittance, in an interferometer that is dark at 0 V (bias -pi), V.

    From :math:`T = \epsilon + (1-\epsilon)\cos^2(\Delta/2)`.
    """
    check_range("transmittance", share, mzi.floor, 1.0)
    cosine = sqrt(min((share - mzi.floor) / (1.0 - mzi.floor), 1.0))
    return volts_for(mzi, 2.0 * float(np.arcsin(cosine)))


def _split(mzi: Mzi) -> tuple[float, float]:
    a = mzi.arm_ratio
    strong, weak = 1.0 / (1.0 + a), a / (1.0 + a)
    return (strong, weak) if mzi.brighter_arm == 1 else (weak, strong)


def bisect(difference: Callable[[float], float], low: float, high: float, name: str) -> float:
    """Where a rising difference of wanted and reached is 0."""
    if difference(low) > 0.0 or difference(high) < 0.0:
        raise InputError(f"`{name}` is out of reach: nothing from {low:g} to {high:g} gives it.")
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if difference(middle) < 0.0 else (low, middle)
    return 0.5 * (low + high)
