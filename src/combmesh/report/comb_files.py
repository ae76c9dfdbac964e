"""A comb's lines as files: CSV for any table, netCDF for xarray and its kin."""

import csv
import io
import json
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from combmesh import __version__
from combmesh.report.comb_report import CombReport, LineRow
from combmesh.report.export import json_text, write_atomic

_TRACES = {
    "zeta_laser": ("1", "detuning of the cold ring, half linewidths"),
    "zeta": ("1", "detuning that the light feels, half linewidths"),
    "power": ("1", "mean |psi|^2 round the ring, normalised"),
    "aux_power": ("1", "|a|^2 of the auxiliary laser, normalised"),
    "peak": ("1", "largest |psi|^2, normalised"),
}
"""Columns of the access, with unit and meaning."""


def write_comb_csv(report: CombReport, path: Path | str) -> None:
    """One row for each line; a missing value is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(LineRow)])
    writer.writerows([_cell(value) for value in astuple(row)] for row in report.rows())
    write_atomic(text.getvalue().encode(), path)


def _cell(value: object) -> object:
    return "" if value is None or value != value else value  # NaN is not itself


def write_comb_netcdf(report: CombReport, path: Path | str) -> None:
    """Lines and access as netCDF 3 (64-bit offsets): `xarray.open_dataset` reads it, with units and provenance.

    Dimensions: `line` (its coordinate is the line's number) and `time` (of the access, us of light).
    """
    from scipy.io import netcdf_file

    buffer = io.BytesIO()
    file = netcdf_file(buffer, "w", version=2)
    document = report.document()
    for name in ("lines", "provenance"):
        document.pop(name)
    file.Conventions, file.title = "CF-1.11", f"{report.name}: comb of one soliton"
    file.source, file.origin = f"combmesh {__version__}", "simulated"
    marks = {at: f"{mark.kind}: {mark.note}".rstrip(": ") for at, mark in sorted(report.marks.items())}
    file.provenance, file.report = json.dumps(marks, ensure_ascii=True), json_text(document)
    _lines(file, report)
    _access(file, report)
    file.flush()
    write_atomic(buffer.getvalue(), path)
    file.close()


def _lines(file: Any, report: CombReport) -> None:
    rows = report.rows()
    file.createDimension("line", len(rows))
    file.createDimension("label_length", max(len(row.itu_label) for row in rows))
    columns = {
        "line": (np.int32, "1", "number: CH+n lies n lines to the red of the pump"),
        "frequency_thz": (np.float64, "THz", "frequency"),
        "power_dbm": (np.float64, "dBm", "power in the bus on the chip"),
        "snr_db": (np.float64, "dB", "against the amplifier's noise"),
        "port_dbm": (np.float64, "dBm", "power at the demultiplexer's port, without gain"),
        "crosstalk_db": (np.float64, "dB", "all other lines at that port over the line"),
        "usable": (np.int8, "1", "1 if the SNR is above 20 dB and the line has a port"),
    }
    for name, (kind, unit, meaning) in columns.items():
        _variable(file, name, np.array([getattr(row, name) for row in rows], kind), "line", unit, meaning)
    ports = np.array([-1 if row.port is None else row.port for row in rows], np.int32)
    _variable(file, "port", ports, "line", "1", "port of the demultiplexer, from the bluest; -1 without one")
    labels = np.array([row.itu_label.encode() for row in rows])
    variable = file.createVariable("itu_label", "c", ("line", "label_length"))
    variable[:] = labels.view("S1").reshape(labels.size, -1)
    variable._Encoding = "utf-8"
    variable.long_name = "nearest bin of the 50 GHz grid; labels repeat"


def _access(file: Any, report: CombReport) -> None:
    attempt, tau_us = report.run.attempt, report.run.file.ring.tau_s * 1e6
    file.createDimension("time", attempt.time.size)
    _variable(file, "time", attempt.time * tau_us, "time", "us", "light time of the access")
    for name, (unit, meaning) in _TRACES.items():
        _variable(file, f"access_{name}", getattr(attempt.trace, name), "time", unit, meaning)


def _variable(file: Any, name: str, values: Any, dimension: str, unit: str, meaning: str) -> None:
    variable = file.createVariable(name, values.dtype, (dimension,))
    variable[:] = values
    variable.units = unit
    variable.long_name = meaning
