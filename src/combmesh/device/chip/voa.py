r"""The thermal attenuator behind the intensity modulator: a heated interferometer, dark at :math:`P_\pi`.

.. math:: T = \epsilon + (1-\epsilon)\cos^2\frac{\pi P}{2P_\pi}, \qquad \tau\,\dot P_{eff} = P - P_{eff}.
"""

from dataclasses import dataclass
from math import acos, cos, exp, log10, pi, sqrt
from typing import ClassVar, NamedTuple

from combmesh.ground.errors import InputError, check_positive, check_range


@dataclass(frozen=True)
class Voa:
    """A thermal attenuator.

    Attributes:
        half_wave_mw: P_pi, heater power from bright to dark, mW.
        time_constant_us: of the heater, us.
        extinction_db: most attenuation, dB.
        loss_db: with no heat, dB.
        most_mw: what the heater stands, mW.
    """

    half_wave_mw: float = 25.0
    time_constant_us: float = 20.0
    extinction_db: float = 30.0
    loss_db: float = 0.5
    most_mw: float = 50.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("half_wave_mw", self.half_wave_mw)
        check_positive("time_constant_us", self.time_constant_us)
        check_positive("extinction_db", self.extinction_db)
        check_range("extinction_db", self.extinction_db, high=200.0)
        check_range("loss_db", self.loss_db, 0.0)
        check_range("most_mw", self.most_mw, self.half_wave_mw)


class VoaReading(NamedTuple):
    """What one step shows."""

    heat_mw: float  # power at which the waveguide stands
    transmittance: float  # without `loss_db`


def transmittance(voa: Voa, heat_mw: float) -> float:
    """At a settled heater power, without `loss_db`.

    >>> transmittance(Voa(), 0.0), round(transmittance(Voa(), 25.0), 9)
    (1.0, 0.001)
    """
    check_range("heat_mw", heat_mw, 0.0, voa.most_mw)
    floor = 10.0 ** (-0.1 * voa.extinction_db)
    return float(floor + (1.0 - floor) * cos(0.5 * pi * heat_mw / voa.half_wave_mw) ** 2)  # cos^2(pi P / 2 P_pi)


def heat_for(voa: Voa, share: float) -> float:
    """Least heater power for a transmittance, mW."""
    floor = 10.0 ** (-0.1 * voa.extinction_db)
    if not floor <= share <= 1.0:
        wanted = f"{-10.0 * log10(share):.4g} dB" if share > 0.0 else f"a transmittance of {share:g}"
        raise InputError(f"The attenuator must take 0 to {voa.extinction_db:g} dB, but {wanted} is wanted of it.")
    return 2.0 * voa.half_wave_mw / pi * acos(sqrt(min((share - floor) / (1.0 - floor), 1.0)))


def init(voa: Voa) -> float:
    """A cold heater; the state is the power at which the waveguide stands, mW."""
    return 0.0


def step(voa: Voa, state: float, heater_mw: float, dt_s: float) -> tuple[float, VoaReading]:
    """Heat for `dt_s`, exactly for a constant power.

    >>> voa = Voa(time_constant_us=20.0)
    >>> state, reading = step(voa, init(voa), 10.0, 20e-6)
    >>> round(state, 3)  # 1 - 1/e of 10 mW
    6.321
    """
    check_range("heater_mw", heater_mw, 0.0, voa.most_mw)
    check_positive("dt_s", dt_s)
    state = heater_mw + (state - heater_mw) * exp(-dt_s * 1e6 / voa.time_constant_us)
    return state, VoaReading(state, transmittance(voa, state))
