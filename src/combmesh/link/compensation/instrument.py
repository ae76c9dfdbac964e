"""A polarization controller and its counters on the bench, over TCP, driven by the searches that drive the model.

`MEAS?` is answered by four whole numbers, the wrong clicks and all clicks of disclosed states in Z and in X;
`SET v1 v2 v3 v4`, in volts, by `OK`. A late or garbled answer is a missing measurement: the search repeats its setting.
The arrival-time control needs nothing more: its `Regulator` drives a `LineInstrument` whose `MEAS?` is a centroid.
"""

import numpy as np

from combmesh.device.locks.instrument import LineInstrument
from combmesh.link.compensation.disclosed import Floats, Probe
from combmesh.link.compensation.squeezers import Squeezers, check_setting


class LinePolarization:
    """A `PolarizationDevice` behind a socket.

    Attributes:
        garbled: answers that were no counts, so far.
    """

    def __init__(self, line: LineInstrument, squeezers: Squeezers) -> None:
        self.garbled = 0
        self._line, self._squeezers = line, squeezers

    def measure(self) -> Probe | None:
        answer = self._line.ask("MEAS?")
        if answer is None:
            return None
        try:
            errors_z, counts_z, errors_x, counts_x = (int(word) for word in answer.split())
        except ValueError:
            self.garbled += 1
            return None
        if not (0 <= errors_z <= counts_z and 0 <= errors_x <= counts_x and counts_z and counts_x):
            self.garbled += 1
            return None
        return Probe(*(np.asarray(count) for count in (errors_z, counts_z, errors_x, counts_x)))

    def actuate(self, setting_rad: Floats) -> None:
        check_setting("setting_rad", setting_rad, self._squeezers)
        volts = self._squeezers.volts(setting_rad)
        self._line.ask("SET " + " ".join(f"{volt:.6f}" for volt in volts))
