"""From a file of a comb to its lines: access to one soliton, the final spectrum, the ports of the demultiplexer."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from combmesh.device.comb_file import CombFile
from combmesh.device.demux import PortLines, demultiplex
from combmesh.device.microcomb import soliton
from combmesh.device.microcomb.access import Attempt, OnPart, access
from combmesh.device.microcomb.grid import settled_on
from combmesh.device.microcomb.lle import Field
from combmesh.device.microcomb.looking import SOLITON, Log
from combmesh.device.microcomb.spectrum import USABLE_SNR_DB, CombSpectrum, spectrum_of
from combmesh.ground.errors import RunError
from combmesh.ground.rng import stream

CLOSED_FORM_ZETA = 20.0
"""Where a closed-form soliton settles; at 30 it fails."""
SETTLE_TIME = 20.0
"""Rest on each grid before the spectrum is taken, tau: twenty photon lifetimes."""


@dataclass(frozen=True, eq=False)
class CombRun:
    """One soliton and what comes of it.

    Attributes:
        file: what was run.
        seed: of the access.
        attempt: the attempt that ended in one soliton; without access the ramp alone.
        attempts: attempts taken; 0 without access.
        zeta: detuning that the light feels in the end.
        spectrum: the lines, on `spectrum_modes`; usable are those over 20 dB with a port.
        ports: the lines at the demultiplexer's ports.
        grid_db: largest difference from the spectrum on `modes`, over the lines above 20 dB, dB.
        fwhm_lines: lines between the half-power points, in closed form at `zeta`.
        zeta_max: largest detuning at which a soliton exists, in closed form.
    """

    file: CombFile
    seed: int
    attempt: Attempt
    attempts: int
    zeta: float
    spectrum: CombSpectrum
    ports: PortLines
    grid_db: float
    fwhm_lines: float
    zeta_max: float


def run_comb(file: CombFile, seed: int, closed_form: bool = False, on_part: OnPart | None = None) -> CombRun:
    """Reach one soliton, ramp to the final detuning and take the spectrum.

    With `closed_form` the closed-form soliton takes the place of the access, and ramps to the final detuning.
    """
    cavity, recipe = file.cavity(), file.recipe
    if closed_form:
        found, attempts = _ramped(file, on_part), 0
    else:
        found, attempts = access(
            cavity, lambda number: stream(seed, "access", number), recipe, file.grid.attempts_most, on_part
        )
    if on_part is not None:
        on_part("spectrum", 0.99)
    _, coarse, trace = settled_on(cavity, found.state, recipe.final, file.grid.modes, SETTLE_TIME)
    _, fine, fine_trace = settled_on(cavity, found.state, recipe.final, file.grid.spectrum_modes, SETTLE_TIME)
    if trace.maxima[-1] != 1 or fine_trace.maxima[-1] != 1:
        raise RunError(
            f"The soliton was lost on {file.grid.spectrum_modes} modes: {file.grid.modes} modes are too few for it."
        )
    zeta = float(fine_trace.zeta[-1])
    spectrum, ports = _lines(file, fine.field)
    return CombRun(
        file, seed, found, attempts, zeta, spectrum, ports, _difference_db(spectrum, _lines(file, coarse.field)[0]),
        soliton.fwhm_lines(cavity, zeta), soliton.zeta_max(cavity.pump),
    )  # fmt: skip


def _ramped(file: CombFile, on_part: OnPart | None) -> Attempt:
    """The closed-form soliton in balance, ramped to the recipe's final detuning."""
    cavity, recipe = file.cavity(), file.recipe
    start = min(CLOSED_FORM_ZETA, 0.6 * soliton.zeta_max(cavity.pump))
    drift, zeta_laser = soliton.init(cavity, start)
    report = (lambda time: None) if on_part is None else (lambda time: on_part("ramp", 0.5))
    log = Log(cavity, soliton.state(cavity, drift, zeta_laser), zeta_laser, recipe.look_time, report)
    log.go(zeta_laser, SETTLE_TIME)
    log.go(recipe.final, recipe.final_time)
    kind, number = log.end(recipe.rest_time)
    if kind != SOLITON:
        raise RunError(
            f"The closed-form soliton did not survive the ramp to `recipe.final` = {recipe.final:g}: {kind}."
        )
    return Attempt(log.state, log.zeta, kind, number, (1,), (0.0,), log.trace, log.times)


def _lines(file: CombFile, field: Field) -> tuple[CombSpectrum, PortLines]:
    spectrum = spectrum_of(file.ring, file.pump, field, file.amplifier)
    ports = demultiplex(file.demultiplexer, spectrum, file.amplifier.bandwidth_ghz)
    return replace(spectrum, usable=spectrum.usable & np.isin(spectrum.line, ports.line)), ports


def _difference_db(fine: CombSpectrum, coarse: CombSpectrum) -> float:
    """Over the lines that both have and that the finer one has above 20 dB."""
    both = np.isin(fine.line, coarse.line) & (fine.snr_db > USABLE_SNR_DB)
    places = np.searchsorted(coarse.line, fine.line[both])
    away: NDArray[np.float64] = fine.snr_db[both] - coarse.snr_db[places]
    return float(np.max(np.abs(away), initial=0.0))
