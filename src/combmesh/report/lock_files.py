"""The record of two locked terminals as files: CSV for any table, netCDF for xarray and its kin."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from combmesh import __version__
from combmesh.device.locks.repetition import gated
from combmesh.ground.control import STATUSES
from combmesh.report.export import json_text, write_atomic
from combmesh.report.lock_report import LockReport, line_name

_TRACES = {
    "rep_rate_hz": ("Hz", "spacing from its nominal value, mean over a gate"),
    "seed_hz": ("Hz", "seed from half the rubidium line, mean over a gate"),
    "temperature_k": ("K", "ring from its working point"),
    "power_w": ("W", "heater or cooler"),
    "rep_rate_status": ("1", "lock of the spacing"),
    "seed_status": ("1", "lock of the seed"),
}
"""Fields of a terminal's trace, with unit and meaning."""


def write_lock_csv(report: LockReport, path: Path | str) -> None:
    """One line for each gate of the beats' counter; a column for each terminal's trace and each line's beat.

    Missing values are empty; a status is 0 (acquiring), 1 (locked) or 2 (lost).
    """
    columns = {"time_s": report.traces[0].time_s}
    for name, trace in zip(report.pair.names, report.traces, strict=True):
        columns |= {f"{name}.{field}": getattr(trace, field) for field in _TRACES}
    columns |= {f"beat_{line_name(note.line)}_hz": note.trace_hz for note in report.beats}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in zip(*columns.values(), strict=True))
    write_atomic(text.getvalue().encode(), path)


def _cell(value: Any) -> str:
    number = value.item()
    return "" if isinstance(number, float) and math.isnan(number) else repr(number)


def write_lock_netcdf(report: LockReport, path: Path | str) -> None:
    """The record as netCDF 3 (64-bit offsets): `xarray.open_dataset` reads it, with names, units and provenance.

    Variables have the dimensions (terminal, time), (line, time), (terminal, gate_time) and (line, allan_time).
    """
    from scipy.io import netcdf_file

    buffer = io.BytesIO()
    file = netcdf_file(buffer, "w", version=2)
    for name, value in _attributes(report).items():
        setattr(file, name, value)
    _coordinates(file, report)
    for field, (unit, meaning) in _TRACES.items():
        values = np.array([getattr(trace, field) for trace in report.traces])
        variable = _variable(file, field, values, ("terminal", "time"), unit, meaning)
        if field.endswith("status"):
            variable.flag_values = np.arange(len(STATUSES), dtype=np.int8)
            variable.flag_meanings = " ".join(STATUSES)
    spacings = [gated(trace.rep_rate_hz, trace.gate_s, report.pair.record.gate_s) for trace in report.traces]
    meaning = f"spacing from its nominal value, mean over {report.pair.record.gate_s:g} s"
    _variable(file, "rep_rate_gated_hz", np.array(spacings), ("terminal", "gate_time"), "Hz", meaning)
    beats = np.array([note.trace_hz for note in report.beats])
    _variable(file, "beat_hz", beats, ("line", "time"), "Hz", "beat of a line of both terminals")
    allan = np.array([note.allan_hz for note in report.beats])
    _variable(file, "allan_hz", allan, ("line", "allan_time"), "Hz", "overlapping Allan deviation of a beat")
    file.flush()
    write_atomic(buffer.getvalue(), path)
    file.close()


def _attributes(report: LockReport) -> dict[str, Any]:
    document = report.document()
    return {
        "Conventions": "CF-1.11",
        "title": f"Locks of {' and '.join(report.pair.names)}, simulated",
        "source": f"combmesh {__version__}",
        "origin": document["origin"],
        "loops": document["loops"],
        "seed": np.int32(report.seed) if report.seed < 2**31 else str(report.seed),
        "hours": report.pair.record.hours,
        "provenance": json.dumps(document["provenance"], ensure_ascii=True),
        "report": json_text({key: value for key, value in document.items() if key != "provenance"}),
    }


def _coordinates(file: Any, report: LockReport) -> None:
    record, period_s = report.pair.record, report.pair.period_s
    names = np.array([name.encode() for name in report.pair.names])
    letters = names.view("S1").reshape(names.size, -1)
    gates = report.traces[0].time_s.size // round(record.gate_s / period_s)
    file.createDimension("terminal", names.size)
    file.createDimension("name_length", letters.shape[1])
    variable = file.createVariable("terminal", "c", ("terminal", "name_length"))
    variable[:] = letters
    variable._Encoding = "utf-8"
    axes = {
        "time": (report.traces[0].time_s, "end of a gate of the beats' counter"),
        "gate_time": (record.gate_s * np.arange(1, gates + 1), "end of a gate of the spacing's counter"),
        "allan_time": (report.beats[0].allan_times_s, "averaging time"),
    }
    for name, (values, meaning) in axes.items():
        file.createDimension(name, values.size)
        _variable(file, name, values, (name,), "s", meaning)
    file.createDimension("line", len(report.pair.lines))
    lines = np.array(report.pair.lines, np.int32)
    _variable(file, "line", lines, ("line",), "1", "CH+n lies n lines to the red of the seed")


def _variable(file: Any, name: str, values: Any, dimensions: tuple[str, ...], unit: str, meaning: str) -> Any:
    variable = file.createVariable(name, values.dtype, dimensions)
    variable[:] = values
    variable.units = unit
    variable.long_name = meaning
    return variable
