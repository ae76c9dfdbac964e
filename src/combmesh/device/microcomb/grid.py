"""A field on another number of modes, and what a number of modes resolves."""

from dataclasses import replace
from math import pi

import numpy as np

from combmesh.device.microcomb.lle import Cavity, Field, State, Trace, step
from combmesh.device.microcomb.soliton import width_rad
from combmesh.ground.errors import InputError

RESOLVED = 2.0
"""Points to a soliton's full width at half its intensity from which on breathing and loss are those of the equation."""
_FULL_WIDTH = 2.0 * float(np.arccosh(np.sqrt(2.0)))


def points_to_a_width(cavity: Cavity, zeta: float) -> float:
    """Points within the full width at half the intensity of a soliton: `1.763 theta_w N / 2 pi`."""
    return _FULL_WIDTH * width_rad(cavity, zeta) * cavity.modes / (2.0 * pi)


def on_modes(field: Field, modes: int) -> Field:
    """The same field on more points: outer modes are empty; or on fewer, which must hold all but 1e-3 of its power."""
    old = field.size
    spectrum = np.fft.fftshift(np.fft.fft(field)) / old
    new = np.zeros(modes, dtype=np.complex128)
    kept = min(old, modes)
    new[(modes - kept) // 2 : (modes + kept) // 2] = spectrum[(old - kept) // 2 : (old + kept) // 2]
    lost = 1.0 - float(np.sum(np.abs(new) ** 2) / np.sum(np.abs(spectrum) ** 2))
    if lost > 1e-3:
        raise InputError(f"`modes` = {modes} cannot hold the field: {lost:.2g} of its power lies outside.")
    # theta begins at -pi on every grid: no shift
    result: Field = np.fft.ifft(np.fft.ifftshift(new)) * modes
    return result


def settled_on(cavity: Cavity, state: State, zeta_laser: float, modes: int, span: float) -> tuple[Cavity, State, Trace]:
    """The ring on `modes` modes with its step as long as these allow, `span` tau later, and how it got there."""
    fine = replace(cavity, modes=modes, h=min(cavity.h, 0.98 * pi / (cavity.d2 * (modes / 2) ** 2)))
    moved = State(on_modes(state.field, modes), state.aux, state.heat)
    return fine, *step(fine, moved, zeta_laser, span, rows=8)
