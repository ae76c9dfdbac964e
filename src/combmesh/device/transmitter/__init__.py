"""A user's transmitter: line + chip + drives -> `PulseSpec`."""

from combmesh.device.transmitter.box import Drives, Transmitter, calibrate, paper_transmitter
from combmesh.device.transmitter.emission import Emission, emit, mode_overlap
from combmesh.device.transmitter.output import paper_pulse_spec, pulse_spec
from combmesh.device.transmitter.spec import SOURCES, STATES, PulseSpec

__all__ = [
    "SOURCES",
    "STATES",
    "Drives",
    "Emission",
    "PulseSpec",
    "Transmitter",
    "calibrate",
    "emit",
    "mode_overlap",
    "paper_pulse_spec",
    "paper_transmitter",
    "pulse_spec",
]
