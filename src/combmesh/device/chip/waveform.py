r"""Electrical waveforms: a pulse a period behind one pole, and steps between levels.

The pulse repeats, so the pole acts on its Fourier series: :math:`V_n \to V_n/(1+i n f_c/f_{3dB})`. All shapes are
smooth, and the result does not depend on the sampling once a pulse has some tens of samples. A level that changes at
the instant 0 is passed as :math:`V_2 + (V_1-V_2)e^{-2\pi f_{3dB}t}`.
"""

from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]


FEWEST_SAMPLES, MOST_SAMPLES = 2048, 2**17
FINEST_PS = 0.25
"""Samples of a period unless told: within these bounds so many that they are no further apart."""

FEWEST_OF_A_PULSE = 8
"""Samples within the FWHM of a pulse."""

_RISE_PER_SIGMA = 2.5631031310892007  # 10 to 90 % of an error function, in standard deviations


@dataclass(frozen=True)
class Waveform:
    """The pulse that the driver gives the carver, once a period, peak 1 and 0 between pulses.

    Attributes:
        fwhm_ps: full width at half maximum, ps; without meaning for "sine".
        kind: "gaussian"; "flat" with edges; "sine": (1 + cos)/2 of the clock.
        edge_ps: rise time of "flat", 10 to 90 %, ps.
    """

    fwhm_ps: float
    kind: Literal["gaussian", "flat", "sine"] = "gaussian"
    edge_ps: float = 15.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("fwhm_ps", self.fwhm_ps)
        check_positive("edge_ps", self.edge_ps)
        if self.kind not in ("gaussian", "flat", "sine"):
            raise InputError(f"`kind` must be gaussian, flat or sine, but is {self.kind!r}.")


def samples_for(period_ps: float) -> int:
    """Samples of a period unless told, a power of 2.

    >>> samples_for(400.0), samples_for(1e4)
    (2048, 65536)
    """
    check_positive("period_ps", period_ps)
    wanted = min(max(period_ps / FINEST_PS, FEWEST_SAMPLES), MOST_SAMPLES)
    return int(2 ** ceil(log2(wanted)))


def sample_times_ps(period_ps: float, samples: int | None = None) -> Floats:
    """`(sample,)` middles of equal parts of one period, about 0, ps."""
    check_positive("period_ps", period_ps)
    samples = samples_for(period_ps) if samples is None else samples
    check_range("samples", samples, 64, 2**20)
    return np.asarray((np.arange(samples) + 0.5 - 0.5 * samples) * (period_ps / samples))


def driven(
    waveform: Waveform, period_ps: float, bandwidth_ghz: float, samples: int | None = None, delay_ps: float = 0.0
) -> Floats:
    """`(sample,)` of what arrives behind the pole, at `sample_times_ps`; the driver's pulse is centred at the delay."""
    check_positive("bandwidth_ghz", bandwidth_ghz)
    if waveform.kind != "sine" and waveform.fwhm_ps >= period_ps:
        raise InputError(f"`fwhm_ps` must be below the period of {period_ps:g} ps, but is {waveform.fwhm_ps:g}.")
    times = sample_times_ps(period_ps, samples)
    step_ps = period_ps / times.size
    if waveform.kind != "sine" and waveform.fwhm_ps < FEWEST_OF_A_PULSE * step_ps:
        limit = f"{FEWEST_OF_A_PULSE} samples of {step_ps:.3g} ps"
        raise InputError(f"`fwhm_ps` must be at least {limit}, but is {waveform.fwhm_ps:.3g}.")
    pulse = _shape(waveform, times, period_ps)
    harmonics = np.fft.rfftfreq(times.size, step_ps * 1e-3)  # GHz
    response = np.exp(-2j * np.pi * harmonics * 1e-3 * delay_ps) / (1.0 + 1j * harmonics / bandwidth_ghz)
    return np.asarray(np.fft.irfft(np.fft.rfft(pulse) * response, times.size))


def stepped(before: Floats | float, after: Floats | float, since_ps: Floats, time_constant_ps: float) -> Floats:
    """A level `since_ps` after it was switched, before which it was settled; shapes are broadcast."""
    return np.asarray(after + (before - after) * np.exp(-np.maximum(since_ps, 0.0) / time_constant_ps))


def width_ps(power: Floats, period_ps: float) -> tuple[float, float]:
    """Full width at half maximum of a pulse `(sample,)` in its period, and the middle between both halves, ps."""
    n = power.size
    top = int(np.argmax(power))
    left, middle, right = power[top - 1], power[top], power[(top + 1) % n]
    curvature = left - 2.0 * middle + right
    half = 0.5 * (middle - 0.125 * (left - right) ** 2 / curvature if curvature else middle)  # top of a parabola
    around = np.roll(power, n // 2 - top)
    below = np.flatnonzero(around < half)
    before, after = below[below < n // 2], below[below > n // 2]
    if before.size == 0 or after.size == 0:
        raise InputError(f"The optical pulse must fall to half within the period of {period_ps:g} ps, but does not.")
    i, j = int(before[-1]), int(after[0])
    start = i + (half - around[i]) / (around[i + 1] - around[i])
    end = j - (half - around[j]) / (around[j - 1] - around[j])
    step = period_ps / n
    return float((end - start) * step), float((0.5 * (start + end) + top - n // 2 + 0.5 - 0.5 * n) * step)


def _shape(waveform: Waveform, t: Floats, period_ps: float) -> Floats:
    if waveform.kind == "sine":
        return np.asarray(0.5 + 0.5 * np.cos(2.0 * np.pi * t / period_ps))
    periods = period_ps * np.arange(-3, 4)[:, None]  # tails of the neighbours
    if waveform.kind == "gaussian":
        sigma = waveform.fwhm_ps / FWHM_PER_SIGMA
        return np.asarray(np.exp(-0.5 * ((t - periods) / sigma) ** 2).sum(axis=0))
    from scipy.special import erf

    scale = sqrt(2.0) * waveform.edge_ps / _RISE_PER_SIGMA
    half = 0.5 * waveform.fwhm_ps
    edges = erf((t - periods + half) / scale) - erf((t - periods - half) / scale)
    return np.asarray(0.5 * edges.sum(axis=0))
