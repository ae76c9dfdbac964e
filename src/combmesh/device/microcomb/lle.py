r"""The Lugiato-Lefever equation with heat and an auxiliary laser: tier 1, for transients up to milliseconds.

`d psi/d tau = -(1 + i zeta) psi + i |psi|^2 psi + i d2 d^2 psi/d theta^2 + F`, with `tau = kappa t / 2`,
`zeta = zeta_laser - Theta - 2 |a|^2` (Godey et al. 2014 for the equation; heat and auxiliary laser as in
Zhang et al. 2019). Everything here is normalised; `ring` brings the units. A cavity is driven by `init` and `step`.

A soliton needs two points to its width at half intensity, `grid.points_to_a_width`: 2048 modes at the preset's
dispersion. On half of them its width, its power, and where it breathes and vanishes are the grid's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from math import ceil, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.device.microcomb import split_step
from combmesh.device.microcomb.transform import SIZES, product_rows, twiddles
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]
Field = NDArray[np.complex128]


@dataclass(frozen=True)
class Cavity:
    """A pumped ring in the units of the equation.

    Attributes:
        d2: dispersion `D2 / kappa`; above 0 (anomalous), or there is no bright soliton.
        pump: F, at least 0.
        heat_shift: K of each thermal pole: detuning for a unit of mean power.
        heat_time: time constant of each pole, tau.
        aux_pump: F_a of the auxiliary laser; 0 is off.
        aux_offset: Delta, by which the auxiliary laser's detuning lies below the pump's.
        modes: points on the ring; `SIZES` are fast.
        h: step, tau; at most the step at which dispersion turns the outermost mode by half a turn.
    """

    d2: float
    pump: float
    heat_shift: tuple[float, ...] = ()
    heat_time: tuple[float, ...] = ()
    aux_pump: float = 0.0
    aux_offset: float = 0.0
    modes: int = 1024
    h: float = 0.007

    def __post_init__(self) -> None:
        if not self.d2 > 0.0:
            raise InputError(
                f"`d2` must be above 0 (anomalous dispersion), but is {self.d2:g}: no bright soliton exists."
            )
        for name in ("d2", "h"):
            check_positive(name, getattr(self, name))
        for name in ("pump", "aux_pump"):
            check_range(name, getattr(self, name), 0.0)
        check_range("aux_offset", self.aux_offset)
        if len(self.heat_shift) != len(self.heat_time):
            raise InputError(
                f"`heat_shift` has {len(self.heat_shift)} poles, but `heat_time` has {len(self.heat_time)}."
            )
        for shift, time in zip(self.heat_shift, self.heat_time, strict=True):
            check_range("heat_shift", shift, 0.0)
            check_positive("heat_time", time)
        if self.modes < 16 or self.modes % 2:
            raise InputError(f"`modes` must be even and at least 16, but is {self.modes}.")
        if self.h > self.largest_h:
            raise InputError(
                f"`h` must be at most {self.largest_h:.3g} with {self.modes} modes, but is {self.h:g}: "
                "a longer step makes the outer modes grow."
            )

    @property
    def largest_h(self) -> float:
        """Longest step, tau: the dispersion of the outermost mode turns by pi, and a decay time takes ten steps."""
        return min(pi / (self.d2 * (self.modes / 2) ** 2), 0.1)


@dataclass(frozen=True, eq=False)
class State:
    """Light and heat in the ring.

    Attributes:
        field: psi over theta, shape (mode,).
        aux: field of the auxiliary laser.
        heat: Theta of each pole, shape (pole,).
    """

    field: Field
    aux: complex
    heat: Floats

    @property
    def power(self) -> float:
        """Mean |psi|^2 over theta."""
        return float(np.mean(np.abs(self.field) ** 2))


@dataclass(frozen=True, eq=False)
class Trace:
    """What a detector behind the ring sees, shape (row,) each; the rows are equally spaced in time.

    Attributes:
        zeta_laser: detuning of the cold ring.
        zeta: detuning that the light feels.
        power, aux_power: mean |psi|^2, and |a|^2.
        peak: largest |psi|^2.
        maxima: local maxima of |psi|^2 above max(zeta, 2): the number of solitons, once there are solitons.
    """

    zeta_laser: Floats
    zeta: Floats
    power: Floats
    aux_power: Floats
    peak: Floats
    maxima: NDArray[np.int64]


def theta(modes: int) -> Floats:
    """Angle round the ring, -pi to pi, shape (mode,)."""
    return np.linspace(-pi, pi, modes, endpoint=False)


def mode_numbers(modes: int) -> NDArray[np.int64]:
    """Mode numbers in the order of `numpy.fft`; above 0 is blue; shape (mode,)."""
    return np.fft.ifftshift(np.arange(-modes // 2, modes // 2))


def init(cavity: Cavity, rng: np.random.Generator, noise: float = 1e-4) -> State:
    """A cold, dark ring with complex Gaussian noise of mean power `noise`^2."""
    check_range("noise", noise, 0.0)
    parts = rng.normal(scale=noise / np.sqrt(2.0), size=(2, cavity.modes))
    return State(parts[0] + 1j * parts[1], 0j, np.zeros(len(cavity.heat_shift)))


def step(
    cavity: Cavity, state: State, zeta: float, span: float, zeta_end: float | None = None, rows: int = 1
) -> tuple[State, Trace]:
    """Advance by `span` tau while the cold ring's detuning goes from `zeta` to `zeta_end` (as it is, if None).

    The trace has `rows` rows; a span that is no multiple of `rows` steps is lengthened to one.
    """
    check_range("zeta", zeta)
    check_positive("span", span)
    if state.field.shape != (cavity.modes,) or state.heat.shape != (len(cavity.heat_shift),):
        raise InputError(
            f"The state must have shapes ({cavity.modes},) and ({len(cavity.heat_shift)},), "
            f"but has {state.field.shape} and {state.heat.shape}."
        )
    every = max(ceil(span / cavity.h / rows - 1e-9), 1)
    table = np.empty((rows, len(split_step.COLUMNS)))
    heat = state.heat.copy()
    end = zeta if zeta_end is None else zeta_end
    road = _compiled if cavity.modes in SIZES else _plain
    field, aux = road(cavity, state, heat, (float(zeta), float(end)), every, table)
    if not np.isfinite(field).all():
        raise InputError(f"The field has grown beyond all bounds at `h` = {cavity.h:g}; take a shorter step.")
    zeta_laser, zeta_felt, power, aux_power, peak, maxima = table.T
    trace = Trace(zeta_laser, zeta_felt, power, aux_power, peak, maxima.astype(np.int64))
    return State(field, aux, heat), trace


def linear_flow(cavity: Cavity, span: float) -> tuple[Field, float]:
    """Damping and dispersion over `span` for each mode, shape (mode,), and what the pump adds to the field."""
    rate = 1.0 + 1j * cavity.d2 * mode_numbers(cavity.modes) ** 2
    return np.exp(-rate * span), cavity.pump * -np.expm1(-span)


@lru_cache(8)
def _tables(cavity: Cavity) -> tuple[tuple[Floats, Floats, float], ...]:
    flows = (linear_flow(cavity, span) for span in (cavity.h, cavity.h / 2))
    return tuple((*product_rows(product), push) for product, push in flows)


def _slow(cavity: Cavity) -> tuple[Floats, Floats, Floats]:
    times = np.array(cavity.heat_time, dtype=np.float64)
    constants = np.array([cavity.aux_pump, cavity.aux_offset])
    return constants, np.array(cavity.heat_shift, dtype=np.float64), np.exp(-cavity.h / times)


def _compiled(
    cavity: Cavity, state: State, heat: Floats, zetas: tuple[float, float], every: int, table: Floats
) -> tuple[Field, complex]:
    re, im = state.field.real.copy(), state.field.imag.copy()
    whole, half = _tables(cavity)
    slow = _slow(cavity)
    aux = split_step.advance(
        re, im, complex(state.aux), heat, zetas, cavity.h, *slow, twiddles(cavity.modes), whole, half, every, table
    )
    return re + 1j * im, aux


def _plain(
    cavity: Cavity, state: State, heat: Floats, zetas: tuple[float, float], every: int, table: Floats
) -> tuple[Field, complex]:
    """The same on SciPy's transform, for every other number of modes."""
    half, half_push = linear_flow(cavity, cavity.h / 2)
    whole, push = linear_flow(cavity, cavity.h)
    multiply = _multiplier()
    slow, steps = _slow(cavity), every * len(table)
    psi, aux = multiply(state.field, half) + half_push, complex(state.aux)
    for k in range(steps):
        zeta_laser = zetas[0] + (zetas[1] - zetas[0]) * (k + 0.5) / steps
        zeta = zeta_laser - heat.sum() - 2.0 * abs(aux) ** 2
        intensity = psi.real**2 + psi.imag**2
        psi *= np.exp(1j * cavity.h * (intensity - zeta))
        power = float(intensity.mean())
        aux = split_step.advance_slow(aux, heat, power, zeta_laser, cavity.h, *slow)
        if (k + 1) % every == 0:
            peak, maxima = split_step.peak_and_maxima(psi.real.copy(), psi.imag.copy(), max(zeta, 2.0))
            table[k // every] = zeta_laser, zeta, power, abs(aux) ** 2, peak, maxima
        psi = multiply(psi, whole) + push if k + 1 < steps else multiply(psi, half) + half_push
    return psi, aux


def _multiplier() -> Callable[[Field, Field], Field]:
    from scipy.fft import fft, ifft

    forward: Any = partial(fft, overwrite_x=True)
    back: Any = partial(ifft, overwrite_x=True)

    def multiply(psi: Field, product: Field) -> Field:
        result: Field = back(forward(psi.copy()) * product)
        return result

    return multiply
