"""One user's light on every line that has a port at both ends, as it reaches the relay's receivers."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines, Demultiplexer, PortLines, demultiplex
from combmesh.device.microcomb.ring import cavity
from combmesh.device.microcomb.soliton import soliton_field
from combmesh.device.microcomb.spectrum import spectrum_of
from combmesh.device.transmitter.box import PAPER_INTENSITIES, Transmitter, calibrate, mean_coupling
from combmesh.device.transmitter.box import photons_before_attenuator as photons_before
from combmesh.device.transmitter.emission import emit
from combmesh.device.transmitter.output import pulse_spec
from combmesh.device.transmitter.spec import PulseSpec
from combmesh.ground.errors import InputError
from combmesh.link.devices.tables import RelayDevices, UserDevices

Floats = NDArray[np.float64]

POLARIZED = 2.0
"""The chip's couplers take one polarization: of the amplifier's noise, which has two, one half."""

_PASSBAND_POINTS = 4001


@dataclass(frozen=True, eq=False)
class UserLight:
    """A user's light; every array has shape (line,).

    Attributes:
        spec: pulses of a chip; all lines have chips alike.
        line: number.
        itu_label: nearest bin of the 50 GHz grid; labels repeat.
        snr: of the line against the amplifier's noise that passes the chip and both demultiplexers, a ratio.
        detuning_ghz: from the centre of the user's port.
        port_share: what the relay's port passes, over its middle port.
        crosstalk: light of all other lines at that port over the line's own; 0 where they are dark.
        most_photons: a pulse, of the brightest source.
    """

    spec: PulseSpec
    line: NDArray[np.int64]
    itu_label: tuple[str, ...]
    snr: Floats
    detuning_ghz: Floats
    port_share: Floats
    crosstalk: Floats
    most_photons: Floats

    def places(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of lines in the arrays; refuses a line that has no port, or too little light."""
        place = np.searchsorted(self.line, lines)
        found = self.line[np.minimum(place, self.line.size - 1)] == lines
        if not found.all():
            first, last = int(self.line[0]), int(self.line[-1])
            missing = int(lines[~found][0])
            raise InputError(f"`line` must have a port at user and relay, {first} to {last}, but is {missing}.")
        brightest, most = max(PAPER_INTENSITIES.values()), self.most_photons[place]
        if (dim := most < brightest).any():
            raise InputError(
                f"`line_power_uw` gives line {int(lines[dim][0])} at most {float(most[dim][0]):.3g} photons a pulse, "
                f"but {brightest:g} are wanted."
            )
        return np.asarray(place, np.int64)


@lru_cache(maxsize=64)
def user_light(box: UserDevices, relay: RelayDevices, comb: CombLines, clock_hz: float) -> UserLight:
    """The light of a box behind the relay's demultiplexer."""
    ports = _ports(box, comb)
    through = _relay_ports(box.demultiplexer, relay.demultiplexer, comb, ports)
    seen = np.flatnonzero(np.isfinite(through.share))
    if not seen.size:
        raise InputError("`demultiplexer` must have a port for one line of the comb at least, but has none.")
    noise = 10.0 ** (-0.1 * ports.snr_db) / POLARIZED * through.noise_kept
    spec, most_photons = _pulses(box, relay.jitter_fwhm_ps, clock_hz, comb, ports)
    return UserLight(
        spec=spec,
        line=ports.line[seen],
        itu_label=tuple(ports.itu_label[i] for i in seen),
        snr=1.0 / noise[seen],
        detuning_ghz=ports.detuning_ghz[seen],
        port_share=through.share[seen],
        crosstalk=through.crosstalk[seen] if relay.all_lines_lit else np.zeros(seen.size),
        most_photons=most_photons[seen],
    )


@dataclass(frozen=True, eq=False)
class _RelayPorts:
    """What the relay's demultiplexer does to each line, NaN without a port, (line,)."""

    share: Floats
    noise_kept: Floats  # of the noise that left the user's port, over what is kept of the line
    crosstalk: Floats


def _ports(box: UserDevices, comb: CombLines) -> PortLines:
    if box.ring.pump_thz != comb.pump_thz:
        wanted, found = f"{comb.pump_thz:.8g}", f"{box.ring.pump_thz:.8g}"
        raise InputError(f"`ring.pump_thz` must be that of `comb`, {wanted}, but is {found}.")
    field = soliton_field(cavity(box.ring, box.pump), box.zeta)
    spectrum = spectrum_of(box.ring, box.pump, field, box.amplifier, None, comb.rep_rate_ghz)
    return demultiplex(box.demultiplexer, spectrum, box.amplifier.bandwidth_ghz)


def _relay_ports(own: Demultiplexer, relay: Demultiplexer, comb: CombLines, ports: PortLines) -> _RelayPorts:
    numbers = np.arange(comb.first_line, comb.last_line + 1)
    transmission = relay.transmission(_frequency_hz(comb, numbers))
    frequency_hz = _frequency_hz(comb, ports.line)
    port = np.rint((relay.centre_hz[0] - frequency_hz) / (relay.pitch_ghz * 1e9)).astype(np.int64)
    inside = np.flatnonzero((port >= 0) & (port < relay.ports) & np.isin(ports.line, numbers))
    at_port = transmission[:, port[inside]]  # (comb line, line)
    line_passes = at_port[ports.line[inside] - comb.first_line, np.arange(inside.size)]
    detuning_ghz = (frequency_hz - relay.centre_hz[np.clip(port, 0, relay.ports - 1)]) * 1e-9
    share, kept, crosstalk = (np.full(port.size, np.nan) for _ in range(3))
    share[inside] = line_passes / float(10.0 ** (-0.1 * relay.port_loss_db.min()))
    kept[inside] = _noise_kept(own, relay, ports.detuning_ghz[inside], detuning_ghz[inside])
    crosstalk[inside] = (at_port.sum(axis=0) - line_passes) / line_passes
    return _RelayPorts(share, kept, crosstalk)


def _frequency_hz(comb: CombLines, line: NDArray[np.int64]) -> Floats:
    return np.asarray(1e12 * comb.pump_thz - 1e9 * comb.rep_rate_ghz * line)


def _noise_kept(own: Demultiplexer, relay: Demultiplexer, off_own_ghz: Floats, off_relay_ghz: Floats) -> Floats:
    r"""`(line,)` :math:`\int P_1P_2\,df / P_2(f_n)\int P_1\,df` of the two passbands about a line."""
    reach_ghz = 3.0 * own.width_ghz
    f = np.linspace(-reach_ghz, reach_ghz, _PASSBAND_POINTS)  # from the user's port
    first = own.passband(f)
    second = relay.passband(f - off_own_ghz[:, None] + off_relay_ghz[:, None])
    return np.asarray((second @ first) / first.sum() / relay.passband(off_relay_ghz))


def _pulses(
    box: UserDevices, jitter_fwhm_ps: float, clock_hz: float, comb: CombLines, ports: PortLines
) -> tuple[PulseSpec, Floats]:
    """The pulses of one chip, and the most photons of each line, (line,)."""
    thz = 1e-12 * _frequency_hz(comb, ports.line)
    power_uw = box.line_power_uw * ports.power_w / ports.power_w.max()
    brightest = int(power_uw.argmax())
    sender = Transmitter(
        box.chip,
        float(power_uw[brightest]),
        float(thz[brightest]),
        clock_hz,
        jitter_fwhm_ps,
        phase_randomised=box.phase_randomised,
    )
    drives = calibrate(sender, box.optical_fwhm_ps, PAPER_INTENSITIES, box.drive)
    energy_ps = emit(sender, drives).energy_ps
    at_line = [
        replace(sender, line_power_uw=float(uw), frequency_thz=float(at)) for uw, at in zip(power_uw, thz, strict=True)
    ]
    most = [photons_before(line, energy_ps) * mean_coupling(line) for line in at_line]
    return pulse_spec(sender, drives), np.array(most)
