"""Disturbances as inputs: each draws a trace of a frequency in Hz, or of anything else in its unit.

A loop that does not saturate is linear in them, so that one factor fits a model (`Scaled`).
"""

from dataclasses import dataclass
from math import exp, log, pi
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_positive, check_range
from combmesh.ground.kernels import kernel

Trace = NDArray[np.float64]


class Noise(Protocol):
    """A disturbance."""

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        """`(step,)` values, `dt_s` apart."""


@dataclass(frozen=True)
class White:
    """Independent values: the mean over a gate of G s has the standard deviation `density / sqrt(G)`.

    Attributes:
        density_hz_sqrt_s: root of the two-sided spectral density, Hz sqrt(s).
    """

    density_hz_sqrt_s: float

    def __post_init__(self) -> None:
        check_range("density_hz_sqrt_s", self.density_hz_sqrt_s, 0.0)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        return rng.normal(0.0, self.density_hz_sqrt_s / dt_s**0.5, steps)


@dataclass(frozen=True)
class RandomWalk:
    """:math:`\\langle (x(t)-x(0))^2\\rangle = q^2 t`, from 0.

    Attributes:
        rate_hz_sqrt_s: q, Hz per sqrt(s).
    """

    rate_hz_sqrt_s: float

    def __post_init__(self) -> None:
        check_range("rate_hz_sqrt_s", self.rate_hz_sqrt_s, 0.0)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        return np.cumsum(rng.normal(0.0, self.rate_hz_sqrt_s * dt_s**0.5, steps))


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """A stationary walk that is pulled back: :math:`\\langle x(t) x(0)\\rangle = \\sigma^2 e^{-t/\\tau_c}`.

    Attributes:
        sigma_hz: its standard deviation, Hz.
        correlation_s: tau_c, s.
    """

    sigma_hz: float
    correlation_s: float

    def __post_init__(self) -> None:
        check_range("sigma_hz", self.sigma_hz, 0.0)
        check_positive("correlation_s", self.correlation_s)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        kicks = rng.normal(0.0, self.sigma_hz, steps)
        return _remembered(kicks, exp(-dt_s / self.correlation_s))


@dataclass(frozen=True)
class Flicker:
    """One-sided spectral density :math:`h/f`: the Allan deviation is the same at all times, :math:`\\sqrt{2 h \\ln 2}`.

    The trace holds frequencies from one over its own length, and has mean 0.

    Attributes:
        floor_hz: that Allan deviation, Hz.
    """

    floor_hz: float

    def __post_init__(self) -> None:
        check_range("floor_hz", self.floor_hz, 0.0)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        h = self.floor_hz**2 / (2.0 * log(2.0))
        f = np.fft.rfftfreq(steps, dt_s)[1:]
        spectrum = np.zeros(f.size + 1, np.complex128)
        parts = rng.normal(size=(2, f.size))
        spectrum[1:] = (parts[0] + 1j * parts[1]) * np.sqrt(h / f * steps / dt_s) / 2.0
        trace: Trace = np.fft.irfft(spectrum, steps)
        return trace


@dataclass(frozen=True)
class Ramp:
    """A steady drift from 0.

    Attributes:
        rate_hz_s: Hz per second.
    """

    rate_hz_s: float

    def __post_init__(self) -> None:
        check_range("rate_hz_s", self.rate_hz_s)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        trace: Trace = self.rate_hz_s * dt_s * np.arange(1, steps + 1, dtype=np.float64)
        return trace


@dataclass(frozen=True)
class Sine:
    """An air conditioner: a sine of random phase.

    Attributes:
        amplitude_hz: its amplitude, Hz.
        period_s: its period, s.
    """

    amplitude_hz: float
    period_s: float

    def __post_init__(self) -> None:
        check_range("amplitude_hz", self.amplitude_hz, 0.0)
        check_positive("period_s", self.period_s)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        phase = rng.uniform(0.0, 2.0 * pi)
        trace: Trace = self.amplitude_hz * np.sin(2.0 * pi * dt_s / self.period_s * np.arange(steps) + phase)
        return trace


@dataclass(frozen=True)
class Jolt:
    """Another value from one time to another, as a door that stands open.

    Attributes:
        height_hz: the value in between; 0 before and after.
        from_s, until_s: when, s from the trace's beginning.
    """

    height_hz: float
    from_s: float
    until_s: float

    def __post_init__(self) -> None:
        check_range("height_hz", self.height_hz)
        check_range("from_s", self.from_s, 0.0)
        check_range("until_s", self.until_s, self.from_s)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        trace = np.zeros(steps)
        trace[round(self.from_s / dt_s) : round(self.until_s / dt_s)] = self.height_hz
        return trace


@dataclass(frozen=True)
class Total:
    """The sum of independent disturbances.

    Attributes:
        parts: the disturbances.
    """

    parts: tuple[Noise, ...]

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        trace: Trace = np.sum([part.draw(rng, steps, dt_s) for part in self.parts], axis=0)
        return trace


@dataclass(frozen=True)
class Scaled:
    """A disturbance times a factor: how a model is fitted.

    Attributes:
        noise: the disturbance.
        factor: what multiplies it.
    """

    noise: Noise
    factor: float

    def __post_init__(self) -> None:
        check_range("factor", self.factor, 0.0)

    def draw(self, rng: np.random.Generator, steps: int, dt_s: float) -> Trace:
        return self.factor * self.noise.draw(rng, steps, dt_s)


@kernel
def _remembered(kicks: Trace, share: float) -> Trace:
    """A first-order autoregression with the kicks' own variance."""
    out = np.empty_like(kicks)
    fresh = np.sqrt(1.0 - share * share)
    value = kicks[0] if kicks.size else 0.0
    for i in range(kicks.size):
        if i:
            value = share * value + fresh * kicks[i]
        out[i] = value
    return out
