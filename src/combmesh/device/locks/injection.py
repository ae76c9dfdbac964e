"""Microwave injection: the alternative to the temperature lock that the paper compares with (2.1), and its cost.

The seed is phase modulated at the reference's frequency. Inside the ring its side bands modulate the background
on which the soliton rides; the soliton drifts to the crest of the phase and sits there (Jang et al., Nat. Commun. 6,
7370, 2015): by :math:`2 d_2\\,\\partial\\phi/\\partial\\theta` in a unit of :math:`\\tau = \\kappa t/2`.
For :math:`\\phi = \\beta\\sin\\theta` this is an Adler equation,

.. math:: \\dot\\theta = 2\\pi\\,\\Delta f - D_2\\,\\beta\\sin\\theta,

with the free spacing's distance :math:`\\Delta f` from the reference. It holds while
:math:`|\\Delta f| \\le \\beta D_2/2\\pi`, and then the spacing *is* the reference's: no gate, no residue. Valid for a
modulation that the soliton feels as slow, and for a steady soliton.

The cost: light in the side bands, which is background and not pump, and a range of tens of kHz, which is tens of mK.
"""

from dataclasses import dataclass
from math import asin, copysign, log10, pi, sqrt
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks.repetition import Ring
from combmesh.ground.errors import check_positive, check_range

LARGEST_DEPTH = 1.43
"""Radians; beyond, each side band outshines the carrier."""


@dataclass(frozen=True)
class Injection:
    """A phase-modulated seed.

    Attributes:
        depth_rad: depth of the phase modulation inside the ring, beta, rad.
        dispersion_hz: D2/2pi of the ring, Hz (assumed: 27 kHz for doped silica at 49 GHz).
    """

    depth_rad: float = 1.0
    dispersion_hz: float = 27e3

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("depth_rad", self.depth_rad, 0.0, LARGEST_DEPTH)
        check_positive("depth_rad", self.depth_rad)
        check_positive("dispersion_hz", self.dispersion_hz)

    @property
    def range_hz(self) -> float:
        """Largest distance of the free spacing from the reference that is held, to either side, Hz."""
        return self.depth_rad * self.dispersion_hz


class InjectionState(NamedTuple):
    """Where the soliton sits on the modulation."""

    phase_rad: float
    slipped: float  # turns by which it has run through, ever


class InjectionReading(NamedTuple):
    """What one step shows."""

    error_hz: float  # mean spacing less the reference
    phase_rad: float
    status: str


def init(injection: Injection) -> InjectionState:
    """A soliton on the crest."""
    return InjectionState(0.0, 0.0)


def step(
    injection: Injection, state: InjectionState, disturbance_hz: float, dt_s: float
) -> tuple[InjectionState, InjectionReading]:
    """One step with the free spacing `disturbance_hz` from the reference.

    The Adler equation settles in 1/(D2 beta), some microseconds; a step is at least a thousand of these, so that
    it is solved at rest. Beyond the range the mean slip is :math:`\\sqrt{\\Delta f^2 - (\\beta D_2/2\\pi)^2}`.
    """
    check_range("dt_s", dt_s, 1e3 / (2.0 * pi * injection.range_hz))
    check_range("disturbance_hz", disturbance_hz)
    most = injection.range_hz
    if abs(disturbance_hz) <= most:
        phase = asin(disturbance_hz / most)
        error = (phase - state.phase_rad) / (2.0 * pi * dt_s)  # the soliton moves to its new place
        return InjectionState(phase, state.slipped), InjectionReading(error, phase, "locked")
    error = copysign(sqrt(disturbance_hz**2 - most**2), disturbance_hz)
    phase = copysign(pi / 2.0, disturbance_hz)
    return InjectionState(phase, state.slipped + abs(error) * dt_s), InjectionReading(error, phase, "lost")


class InjectionTrace(NamedTuple):
    """A whole record, one value a step, `(step,)`."""

    error_hz: NDArray[np.float64]  # mean spacing less the reference; NaN without a soliton
    held: NDArray[np.bool_]


def run(injection: Injection, disturbance_hz: NDArray[np.float64], dt_s: float) -> InjectionTrace:
    """`step` over the free spacing's distances from the reference `(step,)`, NaN where there is no soliton."""
    check_range("dt_s", dt_s, 1e3 / (2.0 * pi * injection.range_hz))
    most = injection.range_hz
    phase = np.arcsin(np.clip(disturbance_hz / most, -1.0, 1.0))
    moved = np.diff(phase, prepend=0.0) / (2.0 * pi * dt_s)
    beyond = np.sqrt(np.maximum(disturbance_hz**2 - most**2, 0.0))
    held = np.abs(disturbance_hz) <= most
    return InjectionTrace(np.where(held, moved, np.copysign(beyond, disturbance_hz)), held)


class InjectionCost(NamedTuple):
    """What injection takes, beside a lock by temperature."""

    sideband_share: float  # of the light sent in, that is in side bands and not in the pump
    background_db: float  # first side band in the background, against the background at the pump
    range_hz: float  # held to either side of the reference
    range_k: float  # the same as a change of temperature


def cost(injection: Injection, ring: Ring | None = None) -> InjectionCost:
    """Light lost to the side bands, the background they make on lines 1 and -1, and how far the lock reaches."""
    from scipy.special import jv

    J0, J1 = (float(jv(n, injection.depth_rad)) for n in (0, 1))
    slope = abs((ring or Ring()).slope_hz_k)
    return InjectionCost(1.0 - J0**2, 20.0 * log10(J1 / J0), injection.range_hz, injection.range_hz / slope)


def depth_for_rad(range_k: float, ring: Ring | None = None, dispersion_hz: float = 27e3) -> float:
    """Depth of modulation that holds a temperature of `range_k` peak to peak, rad; above `LARGEST_DEPTH` none does.

    >>> round(depth_for_rad(0.150), 2)
    1.22
    """
    check_positive("range_k", range_k)
    check_positive("dispersion_hz", dispersion_hz)
    return 0.5 * range_k * abs((ring or Ring()).slope_hz_k) / dispersion_hz
