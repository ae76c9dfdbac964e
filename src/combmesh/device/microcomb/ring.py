r"""A microring and its pump in laboratory units, and what they are in the units of the Lugiato-Lefever equation.

`tau = kappa t / 2`, `zeta = 2 (w0 - wp) / kappa`, `d2 = D2 / kappa`, `D2 = -(c / n_g) beta2 D1^2`,
`F^2 = 8 g eta P / (kappa^2 hbar w0)` with `g = hbar w0 gamma v_g D1 / 2 pi` and `gamma = 2 pi n2 / (lambda A_eff)`.
Source: Herr et al., Nature Photonics 8, 145 (2014), reference 31 of the paper. The paper prints the repetition rate
and the pump line only; everything else of the preset is a high-index doped silica ring from memory (`MARKS`).
"""

from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt
from typing import ClassVar

from combmesh.device.microcomb.lle import Cavity
from combmesh.ground.constants import RUBIDIUM_PUMP_THZ, SPEED_OF_LIGHT_M_S
from combmesh.ground.errors import InputError, check_positive, check_range

PLANCK_J_S = 6.626_070_15e-34

MARKS = {
    "fsr_ghz": "printed: section 2.1, about 49 GHz",
    "pump_thz": "printed: section 2.1, half the frequency of the 87Rb D2 line",
    "intrinsic_q": "assumed: loaded Q of 1.7e6, critically coupled",
    "coupling_q": "assumed: loaded Q of 1.7e6, critically coupled",
    "beta2_ps2_km": "assumed: high-index doped silica",
    "group_index": "assumed: high-index doped silica",
    "n2_m2_w": "assumed: high-index doped silica",
    "area_um2": "assumed: gives gamma = 0.233 /W/m",
    "heat_shift": "assumed: two poles",
    "heat_time_us": "assumed: shortened from milliseconds to what the equation can follow",
    "tuning_ghz_k": "assumed: 9e-6 /K of doped silica",
    "power_w": "assumed: the comb's width does not depend on it, only the existence limit does",
    "aux_power_w": "fitted: survival over 2 K, section 2.1, at this offset",
    "aux_offset_mhz": "assumed: from 900 MHz on; usual acousto-optic shifts reach it with a mode offset only",
}
"""Where the numbers of the preset come from."""


@dataclass(frozen=True)
class Ring:
    """A microring; without arguments the preset.

    Attributes:
        fsr_ghz: free spectral range `D1 / 2 pi`, GHz.
        intrinsic_q, coupling_q: quality factors of the loss within and of the coupling to the bus.
        beta2_ps2_km: group-velocity dispersion, ps^2/km; below 0, or there is no bright soliton.
        group_index: n_g.
        n2_m2_w: Kerr coefficient, m^2/W.
        area_um2: effective mode area, um^2.
        pump_thz: frequency of the pumped resonance, THz.
        heat_shift: K of each thermal pole, detuning for a unit of mean power (normalised).
        heat_time_us: time constant of each thermal pole, us.
        tuning_ghz_k: how far a kelvin moves the pumped resonance to the red, GHz.
    """

    fsr_ghz: float = 49.0
    intrinsic_q: float = 3.4e6
    coupling_q: float = 3.4e6
    beta2_ps2_km: float = -10.0
    group_index: float = 1.645
    n2_m2_w: float = 1.15e-19
    area_um2: float = 1.988
    pump_thz: float = RUBIDIUM_PUMP_THZ
    heat_shift: tuple[float, ...] = (2.0, 1.0)
    heat_time_us: tuple[float, ...] = (0.42, 1.97)
    tuning_ghz_k: float = 1.73

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("fsr_ghz", "intrinsic_q", "coupling_q", "n2_m2_w", "area_um2", "pump_thz", "tuning_ghz_k"):
            check_positive(name, getattr(self, name))
        check_range("group_index", self.group_index, 1.0)
        check_range("beta2_ps2_km", self.beta2_ps2_km)
        if self.beta2_ps2_km >= 0.0:
            raise InputError(
                f"`beta2_ps2_km` must be below 0 (anomalous dispersion), but is {self.beta2_ps2_km:g}: "
                "no bright soliton exists."
            )
        if len(self.heat_shift) != len(self.heat_time_us):
            raise InputError(
                f"`heat_shift` has {len(self.heat_shift)} poles, but `heat_time_us` has {len(self.heat_time_us)}."
            )
        for shift, time in zip(self.heat_shift, self.heat_time_us, strict=True):
            check_range("heat_shift", shift, 0.0)
            check_positive("heat_time_us", time)

    @cached_property
    def loaded_q(self) -> float:
        return 1.0 / (1.0 / self.intrinsic_q + 1.0 / self.coupling_q)

    @cached_property
    def coupling(self) -> float:
        """`eta = kappa_ex / kappa`; 1/2 is critical."""
        return self.loaded_q / self.coupling_q

    @cached_property
    def kappa_rad_s(self) -> float:
        """Linewidth of the loaded resonance."""
        return 2.0 * pi * self.pump_thz * 1e12 / self.loaded_q

    @cached_property
    def dispersion_rad_s(self) -> float:
        """`D2 = -(c / n_g) beta2 D1^2`."""
        D1 = 2.0 * pi * self.fsr_ghz * 1e9
        return -SPEED_OF_LIGHT_M_S / self.group_index * self.beta2_ps2_km * 1e-27 * D1**2

    @cached_property
    def d2(self) -> float:
        return self.dispersion_rad_s / self.kappa_rad_s

    @cached_property
    def gamma_w_m(self) -> float:
        """`gamma = 2 pi n2 / (lambda A_eff)`, 1/(W m)."""
        wavelength_m = SPEED_OF_LIGHT_M_S / (self.pump_thz * 1e12)
        return 2.0 * pi * self.n2_m2_w / (wavelength_m * self.area_um2 * 1e-12)

    @cached_property
    def power_scale_w(self) -> float:
        """Pump power on the chip at which F^2 = 1: `kappa^2 hbar w0 / 8 g eta`, the threshold-scale power."""
        return self.kappa_rad_s**2 / (8.0 * self.coupling * self._kerr_rate_w_s)

    @cached_property
    def line_scale_w(self) -> float:
        """Power in the bus for a unit of |psi_mu|^2: `eta kappa hbar w0 kappa / 2 g`."""
        return self.coupling * self.kappa_rad_s**2 / (2.0 * self._kerr_rate_w_s)

    @cached_property
    def _kerr_rate_w_s(self) -> float:
        """`g / hbar w0 = gamma v_g D1 / 2 pi`, 1/(W s^2)."""
        return self.gamma_w_m * SPEED_OF_LIGHT_M_S / self.group_index * self.fsr_ghz * 1e9

    @property
    def linewidth_mhz(self) -> float:
        return self.kappa_rad_s / (2.0 * pi) * 1e-6

    @property
    def tau_s(self) -> float:
        """One unit of tau in seconds: twice the photon lifetime."""
        return 2.0 / self.kappa_rad_s

    @property
    def round_trip_tau(self) -> float:
        """One round trip in units of tau."""
        return 1.0 / (self.fsr_ghz * 1e9) / self.tau_s

    @property
    def kelvin_per_zeta(self) -> float:
        """Change of temperature that moves the detuning by one; a *warmer* ring has a *smaller* zeta."""
        return self.linewidth_mhz / 2.0 / (self.tuning_ghz_k * 1e3)

    def offset_mhz(self, zeta: float) -> float:
        """How far the pump lies to the red of the resonance, MHz."""
        return zeta * self.linewidth_mhz / 2.0


@dataclass(frozen=True)
class Pump:
    """The pump, locked to rubidium, and the auxiliary laser: a frequency-shifted part of it.

    Attributes:
        power_w: pump power in the bus on the chip, W.
        aux_power_w: power of the auxiliary laser, W; 0 is off.
        aux_offset_mhz: how far the auxiliary laser lies to the blue of the pump, MHz, with its own resonance's offset.
    """

    power_w: float = 2.0
    aux_power_w: float = 0.65
    aux_offset_mhz: float = 1695.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("power_w", self.power_w)
        check_range("aux_power_w", self.aux_power_w, 0.0)
        check_range("aux_offset_mhz", self.aux_offset_mhz)


def cavity(ring: Ring, pump: Pump, modes: int = 1024, round_trips: float = 1.0) -> Cavity:
    """Ring and pump in the equation's units, with a step of `round_trips`.

    A pump below the threshold of parametric oscillation, F^2 = 1, makes no comb and is refused.

    >>> round(cavity(Ring(), Pump()).pump ** 2, 1)
    33.0
    """
    check_positive("round_trips", round_trips)
    f2 = pump.power_w / ring.power_scale_w
    if f2 <= 1.0:
        raise InputError(
            f"`power_w` must exceed the threshold of {ring.power_scale_w:.3g} W, but is {pump.power_w:g}: "
            "no sideband grows and there is no comb."
        )
    return Cavity(
        d2=ring.d2,
        pump=sqrt(f2),
        heat_shift=ring.heat_shift,
        heat_time=tuple(time * 1e-6 / ring.tau_s for time in ring.heat_time_us),
        aux_pump=sqrt(pump.aux_power_w / ring.power_scale_w),
        aux_offset=pump.aux_offset_mhz / (ring.linewidth_mhz / 2.0),
        modes=modes,
        h=round_trips * ring.round_trip_tau,
    )
