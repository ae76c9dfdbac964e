r"""Comb lines as a user's box gets them: `CombSpectrum`, the border between the microcomb and the rest of the device.

Line n of the paper's numbering lies n lines to the *red* of the pump: `f_n = f_pump - n f_rep`, mode `mu = -n`. Powers
are those in the bus: `P_mu = (eta kappa^2 hbar w0 / 2 g) |psi_mu|^2`; the pump line is what passes the ring. Behind a
loss T an amplifier adds spontaneous emission, `SNR = P_mu T / (2 n_sp h nu B)` (high gain).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines, itu_label
from combmesh.device.microcomb.lle import Cavity, Field, mode_numbers
from combmesh.device.microcomb.ring import PLANCK_J_S, Pump, Ring
from combmesh.device.microcomb.soliton import soliton_field
from combmesh.ground.constants import SPEED_OF_LIGHT_M_S
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]

USABLE_SNR_DB = 20.0
"""Section 2.1 of the paper."""


@dataclass(frozen=True)
class LineAmplifier:
    """What stands between ring and demultiplexer.

    Attributes:
        loss_db: from the ring to the amplifier, dB; fitted to the printed "more than 200 lines", so that the number of
            lines is no prediction.
        n_sp: spontaneous-emission factor (assumed).
        bandwidth_ghz: optical bandwidth in which a line is compared with the noise, GHz (assumed: 0.1 nm).
    """

    loss_db: float = 9.0
    n_sp: float = 1.6
    bandwidth_ghz: float = 12.5

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("loss_db", self.loss_db, 0.0)
        check_range("n_sp", self.n_sp, 1.0)
        check_positive("bandwidth_ghz", self.bandwidth_ghz)


@dataclass(frozen=True, eq=False)
class CombSpectrum:
    """The lines of a comb, from blue to red: line numbers ascend. Every array has shape (line,).

    Attributes:
        line: number, the line's identity.
        frequency_hz: frequency.
        power_w: power in the bus.
        snr_db: against the amplifier's noise.
        itu_label: nearest bin of the 50 GHz grid, no identity: labels repeat.
        usable: SNR above 20 dB and inside the passband.
    """

    line: NDArray[np.int64]
    frequency_hz: Floats
    power_w: Floats
    snr_db: Floats
    itu_label: tuple[str, ...]
    usable: NDArray[np.bool_]

    @property
    def lines_over_20db(self) -> int:
        """Lines with an SNR above 20 dB, in the passband or not."""
        return int(np.count_nonzero(self.snr_db > USABLE_SNR_DB))

    @property
    def span_nm(self) -> float:
        """Wavelength from the bluest to the reddest line above 20 dB, nm; 0 without any."""
        some = self.frequency_hz[self.snr_db > USABLE_SNR_DB]
        return float(SPEED_OF_LIGHT_M_S * (1.0 / some.min() - 1.0 / some.max()) * 1e9) if some.size else 0.0

    def at(self, line: int) -> int:
        """Place of a line in the arrays."""
        place = line - int(self.line[0])
        if not 0 <= place < self.line.size:
            raise InputError(f"`line` must lie in {self.line[0]} to {self.line[-1]}, but is {line}.")
        return place


def spectrum_of(
    ring: Ring,
    pump: Pump,
    field: Field,
    amplifier: LineAmplifier | None = None,
    passband: CombLines | None = None,
    rep_rate_ghz: float | None = None,
) -> CombSpectrum:
    """The lines of a field in the ring, shape (mode,); without a passband every line passes.

    The repetition rate is the ring's free spectral range unless a lock says otherwise.
    """
    amplifier = amplifier or LineAmplifier()
    rep_rate_hz = (ring.fsr_ghz if rep_rate_ghz is None else rep_rate_ghz) * 1e9
    check_positive("rep_rate_ghz", rep_rate_hz)
    order = np.argsort(-mode_numbers(field.size))
    line = -mode_numbers(field.size)[order]
    psi = (np.fft.fft(field) / field.size)[order]
    frequency_hz = np.asarray(ring.pump_thz * 1e12 - line * rep_rate_hz, dtype=np.float64)
    if frequency_hz.min() <= 0.0:
        raise InputError(f"{field.size} lines at {rep_rate_hz * 1e-9:g} GHz reach below 0 Hz; take fewer modes.")
    power_w = np.asarray(ring.line_scale_w * np.abs(psi) ** 2, dtype=np.float64)
    centre = int(np.flatnonzero(line == 0)[0])
    power_w[centre] = pump.power_w * _passed(ring, pump, complex(psi[centre]))
    noise_w = 2.0 * amplifier.n_sp * PLANCK_J_S * frequency_hz * amplifier.bandwidth_ghz * 1e9
    snr_db = 10.0 * np.log10(np.maximum(power_w / noise_w, 1e-30)) - amplifier.loss_db
    usable = snr_db > USABLE_SNR_DB
    if passband is not None:
        usable &= (line >= passband.first_line) & (line <= passband.last_line)
    labels = tuple(itu_label(hertz * 1e-12) for hertz in frequency_hz)
    return CombSpectrum(line, frequency_hz, power_w, snr_db, labels, usable)


def _passed(ring: Ring, pump: Pump, psi_0: complex) -> float:
    """Share of the pump that passes the ring: `|1 - 2 eta psi_0 / F|^2`."""
    drive = (pump.power_w / ring.power_scale_w) ** 0.5
    return float(abs(1.0 - 2.0 * ring.coupling * psi_0 / drive) ** 2)


def soliton_spectrum(
    ring: Ring,
    pump: Pump,
    cavity: Cavity,
    zeta: float,
    amplifier: LineAmplifier | None = None,
    passband: CombLines | None = None,
) -> CombSpectrum:
    """The lines of one soliton in closed form, at the detuning that the light feels."""
    return spectrum_of(ring, pump, soliton_field(cavity, zeta), amplifier, passband)
