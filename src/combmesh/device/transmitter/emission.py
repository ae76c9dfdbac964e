r"""The field of one period, sample by sample, and what is read from it.

Chirp and frequency shift are those of a parabola through the phase, weighted with the intensity above a hundredth of
the peak: :math:`\varphi = \varphi_0 - 2\pi\,\delta f\,t - C t^2/4\sigma^2`. Fields go as :math:`e^{-i\omega t}`:
depletion raises the index and the phase, a falling phase is a higher frequency, a pulse with C > 0 rises in frequency.
"""

from dataclasses import dataclass
from math import log10, pi

import numpy as np

from combmesh.device.chip import mzi as interferometer
from combmesh.device.chip.mzi import Fields, Floats
from combmesh.device.chip.waveform import driven, sample_times_ps, width_ps
from combmesh.device.transmitter.box import Drives, Transmitter
from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_range

_SHOULDER = 0.01
"""Share of the peak above which the phase has weight."""


@dataclass(frozen=True, eq=False)
class Emission:
    """What MZI-1 cuts from the line in one period.

    Attributes:
        times_ps: `(sample,)` from the middle of the pulse's FWHM, ascending, ps.
        field: `(sample,)` over that of the line.
        period_ps: ps.
        fwhm_ps: of the power, ps.
        delay_ps: of that middle behind the middle of the driver's pulse, ps.
    """

    times_ps: Floats
    field: Fields
    period_ps: float
    fwhm_ps: float
    delay_ps: float

    @property
    def power(self) -> Floats:
        """`(sample,)` transmittance."""
        return np.asarray(np.abs(self.field) ** 2)

    @property
    def energy_ps(self) -> float:
        """Transmittance integrated over the period, ps."""
        return self.period_ps * float(self.power.mean())

    @property
    def midway(self) -> float:
        """Transmittance midway between two pulses."""
        power = self.power
        return float(0.5 * (power[0] + power[-1]))

    @property
    def extinction_db(self) -> float:
        """Peak over the level midway between two pulses, dB; at most 200."""
        return 10.0 * log10(float(self.power.max()) / max(self.midway, 1e-20 * float(self.power.max())))

    @property
    def outside_share(self) -> float:
        """The level midway between two pulses over the period less the FWHM, as a share of all light."""
        return self.midway * (self.period_ps - self.fwhm_ps) / self.energy_ps

    @property
    def chirp(self) -> float:
        """C of `PulseSpec`."""
        sigma = self.fwhm_ps / FWHM_PER_SIGMA
        return -4.0 * sigma**2 * self._phase_fit()[2]

    @property
    def shift_mhz(self) -> float:
        """Mean instantaneous frequency of the pulse against the line, MHz."""
        return -self._phase_fit()[1] / (2.0 * pi) * 1e6

    def _phase_fit(self) -> tuple[float, float, float]:
        """Coefficients of 1, t and t^2 of the phase, t in ps."""
        power = self.power
        on = power > _SHOULDER * power.max()
        weight = np.sqrt(power[on] - _SHOULDER * power.max())
        phase = np.unwrap(np.angle(self.field[on]))
        fit = np.polynomial.polynomial.polyfit(self.times_ps[on], phase, 2, w=weight)
        return float(fit[0]), float(fit[1]), float(fit[2])


def emit(box: Transmitter, drives: Drives, samples: int | None = None) -> Emission:
    """Drive MZI-1 with its waveform."""
    carver, period = box.chip.carver, box.period_ps
    for name in ("carve_v", "source_v", "state_v"):
        for volts in np.atleast_1d(getattr(drives, name)):
            check_range(name, float(volts), -box.most_drive_v, box.most_drive_v)

    def field(delay_ps: float) -> Fields:
        pulse = driven(drives.waveform, period, carver.bandwidth_ghz, samples, delay_ps)
        return interferometer.fields(carver, drives.carve_v * pulse, drives.bias_rad[0])[0]

    _, delay_ps = width_ps(np.abs(field(0.0)) ** 2, period)
    centred = field(-delay_ps)
    fwhm_ps, _ = width_ps(np.abs(centred) ** 2, period)
    return Emission(sample_times_ps(period, samples), centred, period, fwhm_ps, delay_ps)


def mode_overlap(one: Emission, other: Emission) -> float:
    r"""Overlap M of two users' modes over the whole period, pulses aligned, light outside the pulses included.

    :math:`M = |\int E_1E_2^*dt|^2 / \int|E_1|^2dt\int|E_2|^2dt`, for lines of one frequency; both carry their own
    `shift_mhz`.
    """
    if one.field.size != other.field.size or one.period_ps != other.period_ps:
        raise InputError("Two emissions must have one period and one number of samples, but have different ones.")
    inner = np.vdot(other.field, one.field)
    return float(abs(inner) ** 2 / (np.vdot(one.field, one.field).real * np.vdot(other.field, other.field).real))
