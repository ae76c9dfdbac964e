r"""The comb lines by number, and the arrayed-waveguide grating that parts them. A label is a name, never an identity.

A line at distance :math:`\Delta` from a port's centre passes with

.. math:: T = L_p\,\max\left[\exp\left(-\ln 2\,|2\Delta/B|^{2m}\right),\ X_n\right]

B the full width at half power, m the order (1 is Gaussian, 2 and more flat-top), X_n the crosstalk n ports away, n
being the distance in pitches, rounded: none in the own port, then the adjacent one, the next one, and the floor beyond.
The loss L_p of a port grows with the square of its distance from the middle: the far field of the waveguides is
Gaussian (Smit and van Dam, IEEE J. Sel. Top. Quantum Electron. 2, 236 (1996)).
Assumed: the grating's orders lie farther apart than the comb is wide, so that every line has one port at most.
"""

from dataclasses import dataclass
from math import floor, gamma, log
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import RUBIDIUM_PUMP_THZ
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.provenance import Mark

if TYPE_CHECKING:
    from combmesh.device.microcomb.spectrum import CombSpectrum

Floats = NDArray[np.float64]

GRID_GHZ = 50.0
FAR_GHZ = 20.0
"""Beyond it a line counts as far off the centre of its bin: four fifths of the way to the next."""


@dataclass(frozen=True)
class CombLines:
    """The comb lines that every user's box can use, numbered as in the paper: CH+n lies n lines to the *red*.

    Attributes:
        first_line: lowest line number (the bluest line).
        last_line: highest line number (the reddest line).
        rep_rate_ghz: line spacing, GHz.
        pump_thz: frequency of line 0, THz.
    """

    first_line: int = -60
    last_line: int = 19
    rep_rate_ghz: float = 49.0
    pump_thz: float = RUBIDIUM_PUMP_THZ

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("rep_rate_ghz", self.rep_rate_ghz)
        check_positive("pump_thz", self.pump_thz)
        if self.last_line < self.first_line:
            raise InputError(f"`last_line` must be at least `first_line`, but is {self.last_line} < {self.first_line}.")

    @property
    def count(self) -> int:
        return self.last_line - self.first_line + 1

    def nearest_to_pump(self, count: int) -> tuple[int, ...]:
        """The `count` lines nearest to the pump, where a soliton comb is strongest, in ascending order."""
        if count > self.count:
            raise InputError(
                f"The plan needs {count} lines, but `comb` has only {self.count}, "
                f"{self.first_line} to {self.last_line}."
            )
        ranked = sorted(range(self.first_line, self.last_line + 1), key=lambda line: (abs(line), line))
        return tuple(sorted(ranked[:count]))


def line_frequency_thz(comb: CombLines, line: int) -> float:
    """Frequency of a comb line, THz: `f = f_pump - n f_rep` (paper 2.1).

    >>> round(line_frequency_thz(CombLines(), 15), 4)
    191.3802
    """
    return comb.pump_thz - line * comb.rep_rate_ghz * 1e-3


def itu_label(frequency_thz: float) -> str:
    """The nearest bin of the 50 GHz grid: Cn = 190.0 + n/10 THz, Hn = Cn + 50 GHz. Labels repeat along a 49 GHz comb.

    >>> [itu_label(line_frequency_thz(CombLines(), line)) for line in (0, -15, -60, 15, 19)]
    ['C21', 'H28', 'H50', 'C14', 'C12']
    """
    half_channels = floor((frequency_thz - 190.0) * 1e3 / GRID_GHZ + 0.5)
    return f"{'H' if half_channels % 2 else 'C'}{half_channels // 2}"


class GridWalk(NamedTuple):
    """How a comb walks against the 50 GHz grid, arrays of shape (line,)."""

    line: NDArray[np.int64]
    itu_label: tuple[str, ...]
    off_centre_ghz: Floats  # above 0 the line is bluer than its bin's centre

    @property
    def bins(self) -> int:
        """Bins that hold a line."""
        return len(set(self.itu_label))

    @property
    def far(self) -> int:
        """Lines more than 20 GHz off centre."""
        return int(np.count_nonzero(np.abs(self.off_centre_ghz) > FAR_GHZ))


def grid_walk(comb: CombLines) -> GridWalk:
    """Each line beside the bin nearest to it: 49 GHz against 50 GHz walk by 1 GHz a line.

    >>> walk = grid_walk(CombLines())
    >>> walk.line.size, walk.bins, walk.far
    (80, 78, 20)
    """
    line = np.arange(comb.first_line, comb.last_line + 1)
    thz = [line_frequency_thz(comb, int(number)) for number in line]
    bins = [(hertz - 190.0) * 1e3 / GRID_GHZ for hertz in thz]
    off = np.array([GRID_GHZ * (place - floor(place + 0.5)) for place in bins])
    return GridWalk(line, tuple(itu_label(hertz) for hertz in thz), off)


@dataclass(frozen=True)
class Demultiplexer:
    """An arrayed-waveguide grating and the notch at the pump in front of the amplifier; ports go from blue to red.

    Attributes:
        ports: how many.
        bluest_thz: centre of port 0, THz.
        pitch_ghz: from port to port, GHz.
        width_ghz: full width of a passband at half power, GHz.
        order: of the passband: 1 is Gaussian, 2 and more are flat-top.
        loss_db: of the middle port at its centre, dB.
        edge_loss_db: what the first and the last port lose beyond it, dB.
        adjacent_db, next_db, floor_db: how far a line lies below its own port's, one port, two ports and more away, dB.
        notch_db: what the pump line loses before the amplifier; behind the ring it outshines its neighbours by 54 dB.
    """

    ports: int = 80
    bluest_thz: float = RUBIDIUM_PUMP_THZ + 60 * 0.049
    pitch_ghz: float = 49.0
    width_ghz: float = 24.5
    order: int = 1
    loss_db: float = 4.0
    edge_loss_db: float = 1.5
    adjacent_db: float = 30.0
    next_db: float = 40.0
    floor_db: float = 50.0
    notch_db: float = 54.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("ports", self.ports, 1)
        check_range("order", self.order, 1)
        for name in ("bluest_thz", "pitch_ghz", "width_ghz"):
            check_positive(name, getattr(self, name))
        for name in ("loss_db", "edge_loss_db", "adjacent_db", "notch_db"):
            check_range(name, getattr(self, name), 0.0)
        check_range("next_db", self.next_db, self.adjacent_db)
        check_range("floor_db", self.floor_db, self.next_db)
        if self.width_ghz > 2.0 * self.pitch_ghz:
            raise InputError(
                f"`width_ghz` must be at most twice the pitch of {self.pitch_ghz:g} GHz, but is {self.width_ghz:g}: "
                "the ports would not part the lines."
            )
        if self.bluest_thz * 1e3 <= (self.ports - 1) * self.pitch_ghz:
            raise InputError(f"`ports` must end above 0 THz, but {self.ports} of {self.pitch_ghz:g} GHz do not.")

    @property
    def centre_hz(self) -> Floats:
        """Centre of each port, shape (port,)."""
        return np.asarray(self.bluest_thz * 1e12 - self.pitch_ghz * 1e9 * np.arange(self.ports), dtype=np.float64)

    @property
    def port_loss_db(self) -> Floats:
        """Loss of each port at its centre, shape (port,)."""
        middle = (self.ports - 1) / 2.0
        distance = (np.arange(self.ports) - middle) / max(middle, 0.5)
        return np.asarray(self.loss_db + self.edge_loss_db * distance**2, dtype=np.float64)

    @property
    def noise_width_ghz(self) -> float:
        r"""Width of a rectangle as high and with the same area: :math:`B\,\Gamma(1 + 1/2m) / (\ln 2)^{1/2m}`, GHz."""
        return self.width_ghz * gamma(1.0 + 0.5 / self.order) / float(log(2.0) ** (0.5 / self.order))

    def passband(self, detuning_ghz: Floats) -> Floats:
        """Transmission against that at the centre, without crosstalk, in the shape of `detuning_ghz`."""
        shape: Floats = np.exp(-log(2.0) * np.abs(2.0 * detuning_ghz / self.width_ghz) ** (2 * self.order))
        return shape

    def transmission(self, frequency_hz: Floats) -> Floats:
        """From each frequency (line,) to each port, loss and crosstalk included, shape (line, port)."""
        detuning_ghz = (frequency_hz[:, None] - self.centre_hz) * 1e-9
        away = np.minimum(np.rint(np.abs(detuning_ghz) / self.pitch_ghz).astype(np.int64), 3)
        crosstalk = _ratio(np.array([np.inf, self.adjacent_db, self.next_db, self.floor_db]))[away]
        reached: Floats = _ratio(self.port_loss_db) * np.maximum(self.passband(detuning_ghz), crosstalk)
        return reached


_COMMON = {
    "pitch_ghz": Mark("assumed", "matched to the comb; the paper prints neither pitch nor maker"),
    "width_ghz": Mark("assumed", "half the pitch, as usual for a Gaussian passband"),
    "order": Mark("assumed", "Gaussian: flat-top gratings lose more"),
    "loss_db": Mark("assumed", "3 to 5 dB are usual"),
    "edge_loss_db": Mark("assumed", "1 to 2 dB are usual"),
    "adjacent_db": Mark("assumed", "25 to 30 dB are usual"),
    "next_db": Mark("assumed", "ten below the adjacent port"),
    "floor_db": Mark("assumed", "phase errors of the waveguides; counts once for every other line"),
    "notch_db": Mark("assumed", "brings the pump line down to its neighbours; the paper uses CH0 and prints no notch"),
}
_ALIGNED = Mark("assumed", "line 0 at the centre of a port; the rubidium frequency is printed")

PRESETS: dict[str, tuple[Demultiplexer, dict[str, Mark]]] = {
    "matched_80": (
        Demultiplexer(),
        _COMMON
        | {"ports": Mark("printed", "Fig. 3h: 80 channels, H50 to C12, lines -60 to 19"), "bluest_thz": _ALIGNED},
    ),
    "matched_80_flat": (
        Demultiplexer(width_ghz=34.3, order=3, loss_db=6.0),
        _COMMON
        | {
            "ports": Mark("printed", "Fig. 3h: 80 channels, H50 to C12, lines -60 to 19"),
            "bluest_thz": _ALIGNED,
            "width_ghz": Mark("assumed", "seven tenths of the pitch, as usual for flat-top"),
            "order": Mark("assumed", "flat-top"),
            "loss_db": Mark("assumed", "2 dB more than Gaussian, as usual"),
        },
    ),
    "matched_200": (
        Demultiplexer(200, RUBIDIUM_PUMP_THZ + 100 * 0.049, loss_db=6.0, edge_loss_db=3.0),
        _COMMON
        | {
            "ports": Mark("printed", "section 2.1: more than 200 channels; lines -100 to 99 are assumed"),
            "bluest_thz": _ALIGNED,
            "loss_db": Mark("assumed", "more ports, more loss"),
            "edge_loss_db": Mark("assumed", "more ports, wider far field: 3 dB"),
        },
    ),
    "grid_78": (
        Demultiplexer(78, 195.05, 50.0, 25.0),
        _COMMON
        | {
            "ports": Mark("assumed", "the bins H50 to C12, which the 80 lines of the paper fill"),
            "bluest_thz": Mark("given", "ITU-T G.694.1, H50"),
            "pitch_ghz": Mark("given", "ITU-T G.694.1"),
        },
    ),
}
"""Gratings by name, with the mark of every value; `grid_78` is the standard grid, which a 49 GHz comb does not fit."""


@dataclass(frozen=True, eq=False)
class PortLines:
    """The lines that have a port, from blue to red; every array has shape (line,).

    Attributes:
        line: number, the line's identity.
        itu_label: nearest bin of the 50 GHz grid; labels repeat.
        port: number of the port that it leaves by; on a grid that does not fit, two lines may share one.
        detuning_ghz: of the line from the port's centre.
        loss_db: of the line from the grating's input to the port; without the notch.
        power_w: power from the bus that leaves the port, before any gain.
        crosstalk_w: power of all other lines at that port.
        neighbours_w: the part of it that the two nearest lines bring.
        snr_db: against the amplifier's noise that passes the port.
    """

    line: NDArray[np.int64]
    itu_label: tuple[str, ...]
    port: NDArray[np.int64]
    detuning_ghz: Floats
    loss_db: Floats
    power_w: Floats
    crosstalk_w: Floats
    neighbours_w: Floats
    snr_db: Floats

    @property
    def crosstalk_db(self) -> Floats:
        """Power of all other lines over the line's own at its port."""
        ratio: Floats = 10.0 * np.log10(np.maximum(self.crosstalk_w, 1e-300) / np.maximum(self.power_w, 1e-300))
        return ratio


def demultiplex(grating: Demultiplexer, spectrum: "CombSpectrum", snr_bandwidth_ghz: float = 12.5) -> PortLines:
    """Which line of a comb leaves by which port, and what comes with it.

    A line's port is the one whose centre is nearest, within half a pitch; other lines have none but leak all the same.
    `snr_bandwidth_ghz` is the bandwidth for which the spectrum states its SNR.
    """
    check_positive("snr_bandwidth_ghz", snr_bandwidth_ghz)
    frequency_hz = spectrum.frequency_hz
    notch = np.where(spectrum.line == 0, _ratio(np.array(grating.notch_db)), 1.0)
    power_w = spectrum.power_w * notch
    nearest = np.rint((grating.centre_hz[0] - frequency_hz) / (grating.pitch_ghz * 1e9)).astype(np.int64)
    some = np.flatnonzero((nearest >= 0) & (nearest < grating.ports))
    port = nearest[some]
    transmission = grating.transmission(frequency_hz)
    at_port = transmission[:, port] * power_w[:, None]
    own = transmission[some, port]
    leaving = at_port[some, np.arange(some.size)]
    detuning_ghz = (frequency_hz[some] - grating.centre_hz[port]) * 1e-9
    noise = _ratio(grating.port_loss_db)[port] * grating.noise_width_ghz / snr_bandwidth_ghz
    return PortLines(
        line=spectrum.line[some],
        itu_label=tuple(spectrum.itu_label[place] for place in some),
        port=port,
        detuning_ghz=detuning_ghz,
        loss_db=-10.0 * np.log10(own),
        power_w=leaving,
        crosstalk_w=np.maximum(at_port.sum(axis=0) - leaving, 0.0),
        neighbours_w=_beside(at_port, some),
        snr_db=spectrum.snr_db[some] + 10.0 * np.log10(notch[some] * own / noise),
    )


def _beside(at_port: Floats, some: NDArray[np.int64]) -> Floats:
    """What the next bluer and the next redder line bring to each line's port, shape (line,)."""
    column = np.arange(some.size)
    padded = np.vstack([np.zeros(some.size), at_port, np.zeros(some.size)])
    both: Floats = padded[some, column] + padded[some + 2, column]
    return both


def _ratio(loss_db: Floats) -> Floats:
    ratio: Floats = 10.0 ** (-loss_db / 10.0)
    return ratio
