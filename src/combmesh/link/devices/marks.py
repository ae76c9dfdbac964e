"""Where the default values of devices come from, by class and field, and by path below `[devices]`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from combmesh.device import demux
from combmesh.device.chip.marks import MARKS as CHIP_MARKS
from combmesh.device.microcomb.ring import MARKS as RING_MARKS
from combmesh.device.transmitter.marks import MARKS as TRANSMITTER_MARKS
from combmesh.ground.provenance import Mark, parse_mark
from combmesh.link.devices.tables import Devices
from combmesh.link.fibre import MARKS as FIBRE_MARKS

_HELD = "SPGD holds 200 arms of 100 km for 1000 s each in the model (docs/compensation.md)"

MARKS: dict[str, Mark] = {
    "UserDevices.name": Mark("default", "everybody's"),
    "UserDevices.zeta": Mark("assumed", "278 lines of 110 nm, the printed span"),
    "UserDevices.optical_fwhm_ps": TRANSMITTER_MARKS["calibrate.optical_fwhm_ps"],
    "UserDevices.drive": TRANSMITTER_MARKS["calibrate.kind"],
    "UserDevices.line_power_uw": TRANSMITTER_MARKS["Transmitter.line_power_uw"],
    "UserDevices.phase_randomised": TRANSMITTER_MARKS["Transmitter.phase_randomised"],
    "LineAmplifier.loss_db": Mark("fitted", "more than 200 lines above 20 dB (section 2.1)"),
    "LineAmplifier.n_sp": Mark("assumed", "usual for erbium amplifiers"),
    "LineAmplifier.bandwidth_ghz": Mark("assumed", "0.1 nm, in which spectra are usually compared"),
    "Control.error_z": Mark("assumed", _HELD),
    "Control.error_x": Mark("assumed", _HELD),
    "Control.error_rms": Mark("assumed", _HELD),
    "Control.timing_rms_ps": Mark("assumed", "the model's loop (docs/compensation.md); Fig. 3e prints about 2 ps"),
    "Control.seed_rms_khz": Mark("fitted", "beat of CH0, 30.7 kHz (section 2.1), of two independent seeds"),
    "Control.rep_rate_rms_hz": Mark("printed", "section 2.1"),
    "Control.reference_error": Mark("assumed", "one reference or two that agree; 1e-9 are 4.9 kHz at line 100"),
    "RelayDevices.jitter_fwhm_ps": TRANSMITTER_MARKS["Transmitter.jitter_fwhm_ps"],
    "RelayDevices.all_lines_lit": Mark("assumed", "pairs of lines were measured one after the other"),
    "Rest.overlap": Mark("default", "nothing is left unexplained"),
    "Rest.error_z": Mark("default", "nothing is left unexplained"),
    "Rest.error_x": Mark("default", "nothing is left unexplained"),
    "Devices.beta2_ps2_km": FIBRE_MARKS["FibreArm.beta2_ps2_km"],
}


def default_marks() -> dict[str, Mark]:
    """The mark of each default by its path below `[devices]`, such as `users.mzi.half_wave_v`."""
    known: dict[str, Mark] = {**CHIP_MARKS, **MARKS}
    for owner in ("Ring", "Pump"):
        known |= {f"{owner}.{name}": parse_mark(text) for name, text in RING_MARKS.items()}
    known |= {f"Demultiplexer.{name}": mark for name, mark in demux.PRESETS["matched_80"][1].items()}
    return _below(Devices, "", known)


def _below(owner: Any, path: str, known: Mapping[str, Mark]) -> dict[str, Mark]:
    hints = get_type_hints(owner)
    found: dict[str, Mark] = {}
    for field in fields(owner):
        parts = (hints[field.name], *get_args(hints[field.name]))
        table = next((part for part in parts if is_dataclass(part)), None)
        if table is not None:
            found |= _below(table, f"{path}{field.name}.", known)
        else:
            found[path + field.name] = known[f"{owner.__name__}.{field.name}"]
    return found
