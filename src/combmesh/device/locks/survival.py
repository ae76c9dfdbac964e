r"""How far the ring's temperature may move before the soliton is lost, and the lock's ring that follows from it.

In balance (light and heat at rest, `soliton`) the detuning z_a of the auxiliary laser orders the states of a ring:

.. math:: |a|^2 = \frac{F_a^2}{1 + z_a^2},\quad \zeta = \Delta + 2P(\zeta) + z_a - |a|^2,\quad
   \zeta_L = \zeta + K(P + |a|^2) + 2|a|^2

with P the mean power of the soliton and its background, K the sum of the thermal poles and zeta_L the cold ring's
detuning, which temperature moves. A balance holds where zeta_L rises with z_a, and bears a soliton while zeta lies
between breathing and the existence limit. Temperature moves slowly against heat's poles, so that these drop out.

Without auxiliary laser zeta follows zeta_L and the range is that of zeta. With one on its blue side, cooling brings
the auxiliary laser nearer to its resonance, its heat undoes the cooling, and zeta stays; at its peak (z_a = 0) the
auxiliary laser falls out of resonance, zeta leaps by (K + 2) F_a^2, and the soliton is lost beyond the existence limit.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks import repetition
from combmesh.device.microcomb import ring as comb_ring
from combmesh.device.microcomb import soliton
from combmesh.device.microcomb.lle import Cavity
from combmesh.device.microcomb.soliton import BREATHER_ZETA, Drift, mean_power, zeta_max
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]

VANISHING_ZETA = 8.1
"""Where a breathing soliton vanishes at F^2 = 33: the full equation on 4096 points of the ring; 8.6 on 2048, 11.4 on
1024. Steady solitons end at `BREATHER_ZETA`."""
PRINTED_RANGE_K = 2.0
"""Section 2.1 of the paper: the survival range of the ring's temperature, from its reference 36."""

BEND_POINTS = 1025
"""Temperatures at which the lock's ring knows the soliton's answer: 2 mK apart in 2 K."""

BREATHES, EXISTENCE, AUXILIARY = "breathes", "existence limit", "auxiliary laser leaves its resonance"


class Balances(NamedTuple):
    """States with one soliton in which light and heat rest, ordered by the auxiliary laser's detuning; (point,)."""

    zeta_aux: Floats
    aux_power: Floats
    zeta: Floats  # what the light feels; outside the soliton's limits its power is that of the limit
    zeta_laser: Floats  # of the cold ring

    @property
    def pull(self) -> Floats:
        """Change of the felt detuning with the cold ring's: 1 without heat, near 0 where the auxiliary laser works."""
        slope: Floats = np.gradient(self.zeta) / np.gradient(self.zeta_laser)
        return slope


def balances(cavity: Cavity, lowest_zeta: float = BREATHER_ZETA, step: float = 0.002) -> Balances:
    """All balances with a soliton, and some beyond its limits."""
    check_positive("step", step)
    limit = zeta_max(cavity.pump)
    check_range("lowest_zeta", lowest_zeta, 1.0, limit - 0.1)
    nodes = np.linspace(lowest_zeta, limit, 300)
    P_nodes = np.array([mean_power(cavity, float(node)) for node in nodes])
    Delta, F_a2, K = cavity.aux_offset, cavity.aux_pump**2, sum(cavity.heat_shift)
    z_a = np.arange(lowest_zeta - Delta - 2.0 * P_nodes.max() - 2.0, limit - Delta + F_a2 + 2.0, step)
    a2 = F_a2 / (1.0 + z_a**2)
    zeta = Delta + z_a - a2
    for _ in range(60):  # contracts by 2 |dP/dzeta|, some tenths
        zeta = Delta + 2.0 * np.interp(zeta, nodes, P_nodes) + z_a - a2
    P = np.interp(zeta, nodes, P_nodes)
    return Balances(z_a, a2, zeta, zeta + K * (P + a2) + 2.0 * a2)


class Window(NamedTuple):
    """Cold detunings between which a soliton survives slow changes of temperature; cooling raises the detuning."""

    warmest_zeta: float
    coldest_zeta: float
    warm_end: str  # why it ends there
    cold_end: str

    @property
    def width(self) -> float:
        """Units of zeta; `Ring.kelvin_per_zeta` makes kelvins of them."""
        return self.coldest_zeta - self.warmest_zeta

    @property
    def middle_zeta(self) -> float:
        """Cold detuning as far from either end."""
        return 0.5 * (self.warmest_zeta + self.coldest_zeta)


def window(cavity: Cavity, zeta_laser: float | None = None, lowest_zeta: float = BREATHER_ZETA) -> Window:
    """Where the soliton survives, from the balances; about the cold detuning `zeta_laser`, else the widest window.

    Of two balances at `zeta_laser` the one with the auxiliary laser on the bluer side counts. A leap of the auxiliary
    laser that ends in another balance with a soliton does not end the window. `lowest_zeta` is the felt detuning below
    which a soliton counts as lost: `BREATHER_ZETA` while it shall be steady, `VANISHING_ZETA` while it shall be there.
    Both belong to F^2 = 33; no closed form is known for another pump.
    """
    some = balances(cavity, lowest_zeta)
    pieces = _pieces(cavity, some, lowest_zeta)
    if not pieces:
        raise InputError("Pump and auxiliary laser must bear a soliton in balance somewhere, but bear none.")
    if zeta_laser is None:
        first = max(pieces, key=lambda piece: piece.width)
    else:
        within = [piece for piece in pieces if piece.warmest_zeta <= zeta_laser <= piece.coldest_zeta]
        if not within:
            raise InputError(f"`zeta_laser` must be where a soliton is in balance, but is {zeta_laser:g}.")
        first = within[0]
    return _extended(first, pieces)


def _stretches(cavity: Cavity, some: Balances, lowest_zeta: float) -> list[tuple[int, int]]:
    """First and last balances of stretches that hold and bear a soliton, the auxiliary laser's bluer side first."""
    good = _alive(cavity, some, lowest_zeta) & (np.gradient(some.zeta_laser) > 0.0)
    edges = np.flatnonzero(np.diff(good, prepend=False, append=False))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _alive(cavity: Cavity, some: Balances, lowest_zeta: float) -> NDArray[np.bool_]:
    alive: NDArray[np.bool_] = (some.zeta >= lowest_zeta) & (some.zeta <= zeta_max(cavity.pump))
    return alive


def _pieces(cavity: Cavity, some: Balances, lowest_zeta: float) -> list[Window]:
    """The same stretches, and why they end."""
    alive = _alive(cavity, some, lowest_zeta)

    def why(beyond: int) -> str:
        if alive[beyond]:
            return AUXILIARY
        return BREATHES if some.zeta[beyond] < lowest_zeta else EXISTENCE

    return [
        Window(float(some.zeta_laser[first]), float(some.zeta_laser[last]), why(first - 1), why(last + 1))
        for first, last in _stretches(cavity, some, lowest_zeta)
    ]


def _extended(one: Window, pieces: list[Window]) -> Window:
    """`one` with the windows into which the auxiliary laser leaps without loss of the soliton."""
    for other in pieces:
        if one.cold_end == AUXILIARY and other.warmest_zeta < one.coldest_zeta < other.coldest_zeta:
            one = one._replace(coldest_zeta=other.coldest_zeta, cold_end=other.cold_end)
        if one.warm_end == AUXILIARY and other.warmest_zeta < one.warmest_zeta < other.coldest_zeta:
            one = one._replace(warmest_zeta=other.warmest_zeta, warm_end=other.warm_end)
    return one


def closed_form_width(cavity: Cavity) -> float:
    """Width of the window in units of zeta: `max(Delta + (K + 1) F_a^2, zeta_max) - 11.5`.

    From the balances with P = 0: the cold end is z_a = 0, or the existence limit if the soliton outlives it; the warm
    end is the onset of breathing, far from the auxiliary laser's resonance. Valid for Delta - F_a^2 in 11 to 36, where
    the soliton lives as far as that resonance, and without auxiliary laser.
    """
    Delta, F_a2, K = cavity.aux_offset, cavity.aux_pump**2, sum(cavity.heat_shift)
    if F_a2 == 0.0:
        return zeta_max(cavity.pump) - BREATHER_ZETA
    check_range("aux_offset - aux_pump^2", Delta - F_a2, 11.0, 36.0)
    return max(Delta + (K + 1.0) * F_a2, zeta_max(cavity.pump)) - BREATHER_ZETA


def aux_power_for_w(ring: comb_ring.Ring, range_k: float, aux_offset_mhz: float) -> float:
    """Power of the auxiliary laser that widens the window to `range_k` at a given offset, W, by the closed form.

    >>> round(aux_power_for_w(comb_ring.Ring(), 2.0, 1695.0), 2)
    0.65
    """
    check_positive("range_k", range_k)
    Delta, K = aux_offset_mhz / (ring.linewidth_mhz / 2.0), sum(ring.heat_shift)
    F_a2 = (range_k / ring.kelvin_per_zeta + BREATHER_ZETA - Delta) / (K + 1.0)
    if not 11.0 <= Delta - F_a2 <= 36.0 or F_a2 <= 0.0:
        raise InputError(
            f"`aux_offset_mhz` must lie where the closed form holds, but at {aux_offset_mhz:g} MHz {range_k:g} K need "
            f"F_a^2 = {F_a2:.3g}, and Delta - F_a^2 = {Delta - F_a2:.3g} is not in 11 to 36."
        )
    return F_a2 * ring.power_scale_w


def drift_at(cavity: Cavity, zeta_laser: float) -> Drift:
    """The balance at a cold detuning, the auxiliary laser on the bluer side, as a state of the second tier."""
    some = balances(cavity)
    limits = (some.zeta >= BREATHER_ZETA) & (some.zeta <= zeta_max(cavity.pump))
    rising = (some.zeta_laser[:-1] <= zeta_laser) & (zeta_laser < some.zeta_laser[1:]) & limits[:-1]
    if not rising.any():
        raise InputError(f"`zeta_laser` must be where a soliton is in balance, but is {zeta_laser:g}.")
    k = int(np.argmax(rising))
    share = (zeta_laser - some.zeta_laser[k]) / (some.zeta_laser[k + 1] - some.zeta_laser[k])
    zeta, aux_power = (float(curve[k] + share * (curve[k + 1] - curve[k])) for curve in (some.zeta, some.aux_power))
    heat = np.array(cavity.heat_shift, dtype=np.float64) * (mean_power(cavity, zeta) + aux_power)
    return Drift(1, zeta, aux_power, heat)


def loss_by_drift(cavity: Cavity, zeta_laser: float, zeta_end: float, pole_zeta: float = 0.2) -> float:
    """Cold detuning at which heat's own equation loses the soliton on the way to `zeta_end`; NaN if it does not.

    `pole_zeta` is how far the cold detuning moves during the slowest thermal pole.
    """
    check_positive("pole_zeta", pole_zeta)
    drift, slowest = drift_at(cavity, zeta_laser), max(cavity.heat_time, default=1.0)
    part = 0.25
    for at in np.linspace(zeta_laser, zeta_end, int(abs(zeta_end - zeta_laser) / (part * pole_zeta)) + 2)[1:]:
        drift, _ = soliton.step(cavity, drift, float(at), part * slowest)
        if drift.solitons == 0:
            return float(at)
    return float("nan")


def one_pole(cavity: Cavity) -> Cavity:
    """The same ring with all its heat in one pole: equal in balance, and quicker to follow."""
    return replace(cavity, heat_shift=(sum(cavity.heat_shift),), heat_time=(1.0,))


@cache
def lock_ring(
    ring: comb_ring.Ring,
    pump: comb_ring.Pump,
    zeta_laser: float | None = None,
    lowest_zeta: float = BREATHER_ZETA,
    assumed: repetition.Ring | None = None,
) -> repetition.Ring:
    r"""The repetition-rate lock's ring with all that the comb's own ring decides; the middle of the window if None.

    Limits of survival from `window`. Heat and cross-phase modulation move the spacing as they move the resonance
    (assumed), so that the spacing follows the felt detuning, :math:`u\,(\zeta(T) - \zeta(0))` with
    :math:`u = (f_{rep}/f_{pump})\,\kappa/4\pi`. This is the ring's own line, the pull
    :math:`u\,(\partial\zeta/\partial\zeta_L - 1)` and a bend. Package values come from `assumed`.
    """
    cavity = comb_ring.cavity(ring, pump)
    limits = window(cavity, zeta_laser, lowest_zeta)
    at = limits.middle_zeta if zeta_laser is None else zeta_laser
    kelvin, share = ring.kelvin_per_zeta, ring.fsr_ghz / (ring.pump_thz * 1e3)
    unit_hz, pull = share * ring.linewidth_mhz * 0.5e6, pull_at(cavity, at) - 1.0
    cold = np.linspace(limits.coldest_zeta, limits.warmest_zeta, BEND_POINTS)
    felt = felt_at(cavity, np.append(cold, at), lowest_zeta)
    bend_hz = unit_hz * (felt[:-1] - felt[-1] - (1.0 + pull) * (cold - at))
    bend_hz -= np.interp(at, cold[::-1], bend_hz[::-1])  # 0 at the working point, between two values as well
    return replace(
        assumed or repetition.Ring(),
        rep_rate_hz_k=-share * ring.tuning_ghz_k * 1e9,
        resonance_hz_k=-ring.tuning_ghz_k * 1e9,
        linewidth_hz=ring.linewidth_mhz * 1e6,
        zeta=at,
        pull_hz_zeta=unit_hz * pull,
        coldest_k=-(limits.coldest_zeta - at) * kelvin,
        warmest_k=(at - limits.warmest_zeta) * kelvin,
        bend_hz=tuple(bend_hz.tolist()),
    )


def felt_at(cavity: Cavity, zeta_laser: Floats, lowest_zeta: float = BREATHER_ZETA) -> Floats:
    """Detunings that the soliton feels at cold detunings `(...,)`, as `drift_at`; NaN where it is not in balance."""
    some = balances(cavity, lowest_zeta)
    felt = np.full(zeta_laser.shape, np.nan)
    for first, last in _stretches(cavity, some, lowest_zeta):
        part = slice(first, last + 1)
        low, high = some.zeta_laser[first] - 1e-9, some.zeta_laser[last] + 1e-9
        here = np.isnan(felt) & (zeta_laser >= low) & (zeta_laser <= high)
        felt[here] = np.interp(zeta_laser[here], some.zeta_laser[part], some.zeta[part])
    return felt


class WorkingPoint(NamedTuple):
    """A comb where its lock works, and how far temperature may move it."""

    zeta_laser: float  # of laser and cold ring
    zeta: float  # what the soliton feels
    lines: float  # between the half powers of the spectrum
    handle: float  # share of the ring's own slope that is left to the lock; below 0 of the other sign
    turn_k: float  # temperature nearest to the working point at which the slope is 0; NaN if there is none
    range_k: float  # over which the soliton survives
    range_without_aux_k: float


@cache
def working_point(ring: comb_ring.Ring, pump: comb_ring.Pump, zeta_laser: float) -> WorkingPoint:
    """Of a comb at a cold detuning; without auxiliary laser the window is the widest there is."""
    cavity, kelvin = comb_ring.cavity(ring, pump), ring.kelvin_per_zeta
    bare = comb_ring.cavity(ring, replace(pump, aux_power_w=0.0))
    limits, zeta = window(cavity, zeta_laser), drift_at(cavity, zeta_laser).zeta
    cold = np.linspace(limits.warmest_zeta, limits.coldest_zeta, BEND_POINTS)
    felt = felt_at(cavity, cold)
    turns = cold[1:-1][(felt[1:-1] - felt[:-2]) * (felt[2:] - felt[1:-1]) < 0.0]
    away_k = -kelvin * (turns - zeta_laser)
    turn_k = float(away_k[np.argmin(np.abs(away_k))]) if turns.size else np.nan
    handle, lines = pull_at(cavity, zeta_laser), soliton.fwhm_lines(cavity, zeta)
    ranges_k = (some.width * kelvin for some in (limits, window(bare)))
    return WorkingPoint(zeta_laser, zeta, lines, handle, turn_k, *ranges_k)


def preset_ring() -> repetition.Ring:
    """The lock's ring on the comb's preset, at the cold detuning where the comb's recipe leaves its soliton."""
    return lock_ring(comb_ring.Ring(), comb_ring.Pump(), repetition.Ring().zeta)


def pull_at(cavity: Cavity, zeta_laser: float) -> float:
    """Change of the felt detuning with the cold ring's at a balance, the auxiliary laser on the bluer side."""
    some = balances(cavity)
    felt = drift_at(cavity, zeta_laser)
    distance = np.hypot(some.zeta - felt.zeta, some.aux_power - felt.aux_power)
    return float(some.pull[np.argmin(distance)])
