"""What a comb gives, as numbers: one row for each line, and the document of `--json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log10, nan
from typing import Any

import numpy as np

from combmesh.device.comb_run import CombRun
from combmesh.device.microcomb.spectrum import USABLE_SNR_DB
from combmesh.ground.provenance import Mark

USABLE, WEAK, NO_PORT = "usable", "SNR below 20 dB", "no port"
PRINTED_LINES, PRINTED_SPAN_NM = 200, 100.0
"""Section 2.1 of the paper: more than 200 lines over 20 dB, over more than 100 nm."""
ANCHORS = (0, 15, -15, -60, 19)
"""Lines whose labels the paper prints."""


@dataclass(frozen=True)
class LineRow:
    """One line.

    Attributes:
        line: number, the line's identity.
        frequency_thz: frequency.
        itu_label: nearest bin of the 50 GHz grid, no identity: labels repeat.
        power_dbm: in the bus; of the pump line what passes the ring.
        snr_db: against the amplifier's noise.
        port: of the demultiplexer, None if it has none.
        port_dbm: power at that port without gain, behind the notch; NaN without a port.
        crosstalk_db: all other lines at that port over the line; NaN without a port.
        usable: SNR above 20 dB, and a port.
        why: "usable", or what is missing.
    """

    line: int
    frequency_thz: float
    itu_label: str
    power_dbm: float
    snr_db: float
    port: int | None
    port_dbm: float
    crosstalk_db: float
    usable: bool
    why: str


@dataclass(frozen=True, eq=False)
class CombReport:
    """A run, with where its inputs come from.

    Attributes:
        run: what was run.
        name: of the file.
        marks: mark of each input by its path.
        wall_s: time it took.
    """

    run: CombRun
    name: str
    marks: Mapping[str, Mark]
    wall_s: float = 0.0

    def rows(self) -> list[LineRow]:
        """All lines that have a port or an SNR above 0 dB, from blue to red."""
        spectrum, ports = self.run.spectrum, self.run.ports
        place_at_port = {int(line): place for place, line in enumerate(ports.line)}
        crosstalk_db = ports.crosstalk_db
        rows = []
        for place in range(spectrum.line.size):
            line = int(spectrum.line[place])
            at = place_at_port.get(line)
            if at is None and not spectrum.snr_db[place] > 0.0:
                continue
            rows.append(
                LineRow(
                    line=line,
                    frequency_thz=float(spectrum.frequency_hz[place]) * 1e-12,
                    itu_label=spectrum.itu_label[place],
                    power_dbm=_dbm(float(spectrum.power_w[place])),
                    snr_db=float(spectrum.snr_db[place]),
                    port=None if at is None else int(ports.port[at]),
                    port_dbm=nan if at is None else _dbm(float(ports.power_w[at])),
                    crosstalk_db=nan if at is None else float(crosstalk_db[at]),
                    usable=bool(spectrum.usable[place]),
                    why=_why(float(spectrum.snr_db[place]), at is not None),
                )
            )
        return rows

    def labels(self) -> dict[str, str]:
        """ITU labels of the lines that the paper names."""
        spectrum = self.run.spectrum
        shown = [line for line in ANCHORS if abs(line) < spectrum.line.size // 2]
        return {f"CH{line:+d}" if line else "CH0": spectrum.itu_label[spectrum.at(line)] for line in shown}

    def document(self) -> dict[str, Any]:
        """Everything but the traces, for JSON."""
        run, file = self.run, self.run.file
        cavity, power_w = file.cavity(), run.spectrum.power_w
        comb_w = float(power_w.sum() - power_w[run.spectrum.at(0)])
        return {
            "lines_over_20db": run.spectrum.lines_over_20db,
            "span_nm": run.spectrum.span_nm,
            "usable_lines": int(np.count_nonzero(run.spectrum.usable)),
            "rep_rate_ghz": file.ring.fsr_ghz,
            "origin": "simulated",
            "seed": run.seed,
            "attempts": run.attempts,
            "solitons": run.attempt.solitons,
            "ratchet": list(run.attempt.losses),
            "access_us": float(run.attempt.time[-1]) * file.ring.tau_s * 1e6,
            "zeta": run.zeta,
            "zeta_max": run.zeta_max,
            "f2": cavity.pump**2,
            "threshold_w": file.ring.power_scale_w,
            "fwhm_lines_closed_form": run.fwhm_lines,
            "comb_power_w": comb_w,
            "grid_difference_db": run.grid_db,
            "grid_resolved": file.resolved,
            "labels": self.labels(),
            "lines": [asdict(row) for row in self.rows()],
            "provenance": {path: f"{mark.kind}: {mark.note}".rstrip(": ") for path, mark in sorted(self.marks.items())},
            "wall_s": self.wall_s,
        }


def _why(snr_db: float, has_port: bool) -> str:
    reasons = [WEAK] * (snr_db <= USABLE_SNR_DB) + [NO_PORT] * (not has_port)
    return ", ".join(reasons) or USABLE


def _dbm(power_w: float) -> float:
    return 10.0 * log10(max(power_w, 1e-30)) + 30.0
