"""What locks and compensation leave of each user's drifts: the defaults of `Control`, or values over time."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines
from combmesh.link.devices.tables import Control
from combmesh.link.interference.arrays import Number, check_all

LineNumbers = NDArray[np.int64]


@dataclass(frozen=True)
class Residuals:
    """What is left of one user's drifts. Each a number, or an array that broadcasts against the lines, `(..., line)`.

    Attributes:
        error_z, error_x: share of the arm's light in the wrong polarization, as `PolarizationTrace` has it, 0 to 0.5.
        delay_ps: arrival, ps from where it should be.
        detuning_hz: of the line from its nominal frequency, Hz.
    """

    error_z: Number = 0.0
    error_x: Number = 0.0
    delay_ps: Number = 0.0
    detuning_hz: Number = 0.0

    def __post_init__(self) -> None:
        check_all("error_z", self.error_z, 0.0, 0.5)
        check_all("error_x", self.error_x, 0.0, 0.5)
        check_all("delay_ps", self.delay_ps)
        check_all("detuning_hz", self.detuning_hz)


def held(control: Control, comb: CombLines, lines: LineNumbers) -> tuple[Residuals, Residuals]:
    """Both users at their rms values, in opposite directions, so that they differ by what two independent ones do."""
    wander_hz = 1e3 * control.seed_rms_khz, control.rep_rate_rms_hz * np.abs(lines)
    rms_hz = np.hypot(*wander_hz)
    reference_hz = control.reference_error * comb.rep_rate_ghz * 1e9 * lines
    sides = []
    for side in (-1.0, 1.0):
        detuning_hz = side * (rms_hz / sqrt(2.0) + reference_hz)
        sides.append(Residuals(control.error_z, control.error_x, side * control.timing_rms_ps / sqrt(2.0), detuning_hz))
    return sides[0], sides[1]
