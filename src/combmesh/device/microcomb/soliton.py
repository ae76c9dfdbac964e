r"""The soliton in closed form, and its drift with heat: tier 2, for seconds.

`psi = psi_0 + sqrt(2 zeta) e^{i phi} sech(theta / theta_w)`, `theta_w = sqrt(d2 / zeta)`,
`cos phi = sqrt(8 zeta) / (pi F)`, `zeta_max = pi^2 F^2 / 8`; psi_0 is the lower branch of the continuous wave
(Herr et al., Nature Photonics 8, 145 (2014), and its supplement). Valid for well separated solitons and
zeta well above 1: at F^2 = 33 the full equation gives 1 to 4 % more lines between half powers, and 14, 6, 1 and -3 %
more power near the centre at zeta = 15, 20, 25 and 30. Light follows the detuning at once, and heat is all
that remembers: hence steps of heat's time constants instead of round trips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, ceil, cosh, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.device.microcomb.lle import Cavity, Field, State, theta
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]

FWHM_LINES = 4.0 / pi * float(np.arccosh(np.sqrt(2.0)))
"""Full width of the spectrum at half its power, in lines, times theta_w: `sech^2(pi mu theta_w / 2) = 1/2`; 1.122."""
BREATHER_ZETA = 11.5
"""Below it solitons breathe, and here count as lost. From the full equation at F^2 = 33: they begin to at 11.7 on 4096
points of the ring, at 12.1 on 2048; no closed form is known."""


def zeta_max(pump: float) -> float:
    """Largest detuning at which a soliton exists: `pi^2 F^2 / 8`.

    >>> round(zeta_max(33**0.5), 1)
    40.7
    """
    return pi**2 * pump**2 / 8.0


def background(pump: float, zeta: float) -> complex:
    """The continuous wave on its lower branch: `psi_0 = F / (1 + i (zeta - |psi_0|^2))`."""
    roots = _bistable(pump**2, zeta)
    return complex(pump / (1.0 + 1j * (zeta - roots[0])))


def _bistable(f2: float, zeta: float) -> Floats:
    """Real roots rho of `rho (1 + (zeta - rho)^2) = F^2`, ascending: one or three."""
    roots = np.roots([1.0, -2.0 * zeta, 1.0 + zeta**2, -f2])
    real: Floats = np.sort(roots.real[np.abs(roots.imag) < 1e-7 * (1.0 + np.abs(roots))])
    return real


def _phase(pump: float, zeta: float) -> float:
    limit = zeta_max(pump)
    if not 0.0 < zeta <= limit:
        raise InputError(f"A soliton needs a detuning above 0 and at most {limit:.4g}, but `zeta` is {zeta:g}.")
    return acos(sqrt(8.0 * zeta) / (pi * pump))


def width_rad(cavity: Cavity, zeta: float) -> float:
    """theta_w, rad; the intensity's full width at half maximum is 1.763 times that."""
    check_positive("zeta", zeta)
    return sqrt(cavity.d2 / zeta)


def fwhm_lines(cavity: Cavity, zeta: float) -> float:
    """Lines between the half-power points of the spectrum: `1.122 / theta_w`."""
    return FWHM_LINES / width_rad(cavity, zeta)


def soliton_field(cavity: Cavity, zeta: float, places_rad: Sequence[float] = (0.0,)) -> Field:
    """The field with a soliton at each of `places_rad`, shape (mode,)."""
    phase, width, angle = _phase(cavity.pump, zeta), width_rad(cavity, zeta), theta(cavity.modes)
    field = np.full(cavity.modes, background(cavity.pump, zeta))
    for place in places_rad:
        distance = np.minimum(np.abs((angle - place + pi) % (2.0 * pi) - pi) / width, 300.0)
        field += sqrt(2.0 * zeta) * np.exp(1j * phase) / np.cosh(distance)
    return field


def mean_power(cavity: Cavity, zeta: float, solitons: int = 1) -> float:
    """Mean |psi|^2: background, solitons, and their interference, `sqrt(2 d2) Re(psi_0^* e^{i phi})` each."""
    wave = background(cavity.pump, zeta)
    if solitons == 0:
        return abs(wave) ** 2
    phase = _phase(cavity.pump, zeta)
    cross = sqrt(2.0 * cavity.d2) * (wave.conjugate() * complex(np.exp(1j * phase))).real
    return abs(wave) ** 2 + solitons * (2.0 / pi * sqrt(zeta * cavity.d2) + cross)


def line_power(cavity: Cavity, zeta: float, mode: int) -> float:
    """|psi_mu|^2 of one soliton, mu not 0: `d2 / 2 sech^2(pi mu theta_w / 2)`."""
    return cavity.d2 / 2.0 / cosh(pi * mode * width_rad(cavity, zeta) / 2.0) ** 2


@dataclass(frozen=True, eq=False)
class Drift:
    """A soliton state that heat carries along.

    Attributes:
        solitons: how many; 0 once they are lost.
        zeta: the detuning that the light feels.
        aux_power: |a|^2.
        heat: Theta of each pole, shape (pole,).
    """

    solitons: int
    zeta: float
    aux_power: float
    heat: Floats


def init(cavity: Cavity, zeta: float, solitons: int = 1, aux_branch: int = 0) -> tuple[Drift, float]:
    """The state in thermal balance at `zeta`, and the cold ring's detuning that holds it.

    `aux_branch` counts the auxiliary laser's balances at this zeta, the weakest first; there are one or three.
    """
    power = mean_power(cavity, zeta, solitons)
    # z_a = zeta_laser - Delta - Theta - 2 P - |a|^2 with zeta_laser = zeta + Theta + 2 |a|^2
    branches = _bistable(cavity.aux_pump**2, -(zeta - cavity.aux_offset - 2.0 * power))
    aux_power = max(float(branches[min(aux_branch, branches.size - 1)]), 0.0)
    heat = np.array(cavity.heat_shift, dtype=np.float64) * (power + aux_power)
    return Drift(solitons, zeta, aux_power, heat), zeta + float(heat.sum()) + 2.0 * aux_power


def state(cavity: Cavity, drift: Drift, zeta_laser: float, places_rad: Sequence[float] = (0.0,)) -> State:
    """The same as a state of the full equation: how tier 1 takes over from tier 2."""
    power = mean_power(cavity, drift.zeta, len(places_rad))
    zeta_aux = zeta_laser - cavity.aux_offset - float(drift.heat.sum()) - 2.0 * power - drift.aux_power
    aux = cavity.aux_pump / (1.0 + 1j * zeta_aux)
    return State(soliton_field(cavity, drift.zeta, places_rad), aux, drift.heat.copy())


def step(cavity: Cavity, drift: Drift, zeta_laser: float, span: float) -> tuple[Drift, float]:
    """Advance by `span` tau at the cold ring's detuning `zeta_laser`; the reading is the mean power.

    Heat by the exponential midpoint rule with twenty steps to the shortest time constant. Beyond `zeta_max` and below
    `BREATHER_ZETA` all solitons are lost.
    """
    check_range("zeta_laser", zeta_laser)
    check_positive("span", span)
    steps = ceil(span / min(cavity.heat_time) * 20.0) if cavity.heat_time else 1
    h = span / steps
    for _ in range(steps):
        drift = _light(cavity, drift, zeta_laser)
        middle = _light(cavity, _heated(cavity, drift, drift, h / 2.0), zeta_laser)
        drift = _heated(cavity, drift, middle, h)
    drift = _light(cavity, drift, zeta_laser)
    return drift, mean_power(cavity, drift.zeta, drift.solitons)


def _heated(cavity: Cavity, drift: Drift, light: Drift, h: float) -> Drift:
    """`drift` with heat after h in the light of `light`."""
    power = mean_power(cavity, light.zeta, light.solitons) + light.aux_power
    pairs = zip(cavity.heat_shift, cavity.heat_time, drift.heat, strict=True)
    heat = np.array([shift * power + (theta_j - shift * power) * exp(-h / time) for shift, time, theta_j in pairs])
    return Drift(light.solitons, light.zeta, light.aux_power, heat)


def _light(cavity: Cavity, drift: Drift, zeta_laser: float) -> Drift:
    """Detuning and auxiliary laser in balance with the heat, on the branch nearest to the one before."""
    cold, aux_power, zeta = zeta_laser - float(drift.heat.sum()), drift.aux_power, drift.zeta
    solitons = drift.solitons
    for _ in range(60):
        before = zeta
        zeta = cold - 2.0 * aux_power
        if solitons and not BREATHER_ZETA <= zeta <= zeta_max(cavity.pump):
            solitons = 0
        power = mean_power(cavity, zeta, solitons)
        roots = _bistable(cavity.aux_pump**2, cold - cavity.aux_offset - 2.0 * power)[::2]  # the middle is unstable
        aux_power = float(roots[np.argmin(np.abs(roots - aux_power))])
        if abs(zeta - before) < 1e-12 * (1.0 + abs(zeta)):
            break
    return Drift(solitons, cold - 2.0 * aux_power, aux_power, drift.heat)
