r"""From two users' devices, fibres and residuals to `Link`: each line with its own visibility and misalignment.

.. math:: V = \tfrac12\prod_i M_i, \qquad 1-2e_Z = \prod_i z_i, \qquad 1-2e_X = \prod_i x_i.

The factors are kept by name, so that a budget can list them and take one away. Intensities, brightness and dark counts
are in the closed form already and not in these factors; polarization is misalignment and not in the visibility.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import hypot

import numpy as np
from numpy.typing import NDArray

from combmesh.device.demux import CombLines
from combmesh.ground.errors import check_positive
from combmesh.link.devices.light import UserLight, user_light
from combmesh.link.devices.residuals import Residuals, held
from combmesh.link.devices.states import pattern_factors, state_factors, wrong_light_x, wrong_light_z
from combmesh.link.devices.tables import Devices, UserDevices
from combmesh.link.fibre import FibreArm, broadened_fwhm_ps, check_pulse
from combmesh.link.interference.overlap import Terms, Wave, overlap_terms
from combmesh.link.relay import Link, Relay

Floats = NDArray[np.float64]

OVERLAP = ("timing", "detuning", "width", "chirp", "dispersion", "interplay", "snr", "outside")
"""Terms of `interference.Terms` that are in the visibility of the closed form."""


@dataclass(frozen=True)
class Pair:
    """Two users at a relay, and what their links are made of.

    Attributes:
        boxes: of both users.
        arms: their fibres.
        efficiencies: probability that a photon sent is detected, of each arm, through the relay's middle port.
        devices: control, relay and the rest.
        relay: the receivers; visibility, misalignment and spread of clicks are not read.
        comb: the comb lines of all users.
        clock_hz: pulse rate, Hz.
    """

    boxes: tuple[UserDevices, UserDevices]
    arms: tuple[FibreArm, FibreArm]
    efficiencies: tuple[float, float]
    devices: Devices
    relay: Relay
    comb: CombLines
    clock_hz: float

    def __post_init__(self) -> None:
        check_positive("clock_hz", self.clock_hz)

    def lights(self) -> tuple[UserLight, UserLight]:
        """The light of both users on every line."""
        alice, bob = (user_light(box, self.devices.relay, self.comb, self.clock_hz) for box in self.boxes)
        return alice, bob

    def lines(self) -> tuple[int, ...]:
        """Lines that have a port at both users and at the relay."""
        alice, bob = self.lights()
        return tuple(int(line) for line in np.intersect1d(alice.line, bob.line))


@dataclass(frozen=True, eq=False)
class LineTerms:
    """What the devices make of some lines; every array broadcasts to `(..., line)`.

    Attributes:
        line: number, (line,).
        efficiency_a, efficiency_b: of the arms through each line's ports.
        overlap: factors of the visibility by name.
        z, x: factors of 1 - 2e in each basis by name.
        dip: further factors of the visibility of a dip at detectors without polarizers.
        seen_fwhm_ps: spread of clicks about their pulse's centre, ps.
    """

    line: NDArray[np.int64]
    efficiency_a: Floats
    efficiency_b: Floats
    overlap: Mapping[str, Floats]
    z: Mapping[str, Floats]
    x: Mapping[str, Floats]
    dip: Mapping[str, Floats]
    seen_fwhm_ps: float

    @property
    def visibility(self) -> Floats:
        """V of `Relay`."""
        return 0.5 * product(self.overlap)

    @property
    def dip_visibility(self) -> Floats:
        """V that a scan of the delay shows."""
        return self.visibility * product(self.dip)

    @property
    def misalignment_z(self) -> Floats:
        return 0.5 - 0.5 * product(self.z)

    @property
    def misalignment_x(self) -> Floats:
        return 0.5 - 0.5 * product(self.x)

    def without(self, *causes: str) -> "LineTerms":
        """The same with these causes perfect."""
        kept = [{k: v for k, v in part.items() if k not in causes} for part in (self.overlap, self.z, self.x, self.dip)]
        return replace(self, overlap=kept[0], z=kept[1], x=kept[2], dip=kept[3])


def line_terms(pair: Pair, lines: Sequence[int], residuals: tuple[Residuals, Residuals] | None = None) -> LineTerms:
    """Every factor of some lines.

    Args:
        pair: the users and their devices.
        lines: line numbers.
        residuals: what is left of both users' drifts; None takes the rms values of `Control`.
    """
    line = np.asarray(lines, np.int64)
    lights = pair.lights()
    places = [light.places(line) for light in lights]
    left = residuals or held(pair.devices.control, pair.comb, line)
    seen_fwhm_ps = _seen_fwhm_ps(pair, lights)
    share = _outside_in_gate(pair, lights, seen_fwhm_ps)
    waves = [
        _wave(light, place, arm, own, outside)
        for light, place, arm, own, outside in zip(lights, places, pair.arms, left, share, strict=True)
    ]
    found = overlap_terms(waves[0], waves[1], pair.relay.dark_count_probability)
    other = [light.crosstalk[place] for light, place in zip(lights, places, strict=True)]
    eta_a, eta_b = (
        eta * light.port_share[place] for eta, light, place in zip(pair.efficiencies, lights, places, strict=True)
    )
    z, x = _misalignment(pair, lights, left, other)
    return LineTerms(line, eta_a, eta_b, _overlap(found, other, pair), z, x, _dip(found, left), seen_fwhm_ps)


def links_from_devices(
    pair: Pair, lines: Sequence[int], residuals: tuple[Residuals, Residuals] | None = None
) -> list[Link]:
    """A link for each line, in their order; `residuals` as of `line_terms`, of shape (line,)."""
    return links_of(pair, line_terms(pair, lines, residuals))


def link_from_devices(pair: Pair, line: int, residuals: tuple[Residuals, Residuals] | None = None) -> Link:
    """The link on one line; `residuals` as of `line_terms`, each a number. Equal held links are computed once."""
    return _held_link(pair, line) if residuals is None else links_from_devices(pair, [line], residuals)[0]


@lru_cache(maxsize=4096)
def _held_link(pair: Pair, line: int) -> Link:
    return links_from_devices(pair, [line])[0]


def links_of(pair: Pair, terms: LineTerms) -> list[Link]:
    """The links that terms make: one for each line, or for each line at each time, the line running fastest."""
    columns = (terms.efficiency_a, terms.efficiency_b, terms.visibility, terms.misalignment_z, terms.misalignment_x)
    return [
        Link(float(eta_a), float(eta_b), _relay(pair.relay, terms, float(V), float(e_z), float(e_x)), pair.clock_hz)
        for eta_a, eta_b, V, e_z, e_x in zip(*(c.ravel() for c in np.broadcast_arrays(*columns)), strict=True)
    ]


def product(factors: Mapping[str, Floats]) -> Floats:
    """Of all of them, 1 without any."""
    total = np.asarray(1.0)
    for factor in factors.values():
        total = total * factor
    return np.asarray(total)


def _relay(relay: Relay, terms: LineTerms, V: float, e_z: float, e_x: float) -> Relay:
    return replace(
        relay,
        visibility=min(V, 0.5),
        misalignment_z=min(max(e_z, 0.0), 0.5),
        misalignment_x=min(max(e_x, 0.0), 0.5),
        jitter_fwhm_ps=terms.seen_fwhm_ps,
    )


def _wave(light: UserLight, place: NDArray[np.int64], arm: FibreArm, left: Residuals, outside_share: float) -> Wave:
    spec = light.spec
    return Wave(
        fwhm_ps=spec.optical_fwhm_ps,
        chirp=spec.chirp,
        dispersion_ps2=arm.dispersion_ps2,
        delay_ps=left.delay_ps,
        detuning_hz=spec.shift_mhz * 1e6 + np.asarray(left.detuning_hz),
        snr=light.snr[place],
        outside_share=outside_share,
    )


def _seen_fwhm_ps(pair: Pair, lights: tuple[UserLight, UserLight]) -> float:
    """Mean of both users; refuses pulses that leave their fibre longer than the period."""
    widths = []
    for light, arm in zip(lights, pair.arms, strict=True):
        spec = light.spec
        check_pulse(spec.optical_fwhm_ps, spec.period_ps, arm, spec.chirp)
        arrives = broadened_fwhm_ps(spec.optical_fwhm_ps, arm.dispersion_ps2, spec.chirp)
        widths.append(hypot(arrives, spec.jitter_fwhm_ps))
    return 0.5 * (widths[0] + widths[1])


def _outside_in_gate(pair: Pair, lights: tuple[UserLight, UserLight], seen_fwhm_ps: float) -> list[float]:
    """Share of the light in the gate that is outside the pulse; `PulseSpec` has it for the whole period."""
    link = Link(1.0, 1.0, replace(pair.relay, jitter_fwhm_ps=seen_fwhm_ps), pair.clock_hz)
    in_gate = link.gate_ps / link.period_ps
    shares = [light.spec.outside_share for light in lights]
    return [share * in_gate / (share * in_gate + (1.0 - share) * link.gate_share) for share in shares]


def _overlap(found: Terms, other: list[Floats], pair: Pair) -> dict[str, Floats]:
    """Light of other lines is background that meets nothing like itself."""
    factors = {name: getattr(found, name) for name in OVERLAP}
    factors["crosstalk"] = 1.0 / ((1.0 + other[0]) * (1.0 + other[1]))
    factors["fitted overlap"] = np.asarray(pair.devices.rest.overlap)
    return factors


def _dip(found: Terms, left: tuple[Residuals, Residuals]) -> dict[str, Floats]:
    e_a, e_b = (0.5 * (np.asarray(own.error_z) + np.asarray(own.error_x)) for own in left)
    polarization = 1.0 - e_a - e_b + 2.0 * e_a * e_b  # of two states that err in random directions
    return {
        "polarization": polarization,
        "intensity": found.intensity,
        "brightness": found.brightness,
        "dark": found.dark,
    }


def _misalignment(
    pair: Pair, lights: tuple[UserLight, UserLight], left: tuple[Residuals, Residuals], other: list[Floats]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    specs = lights[0].spec, lights[1].spec
    states, pattern, rest = state_factors(*specs), pattern_factors(*specs), pair.devices.rest
    stray = [0.5 * c / (1.0 + c) for c in other]  # half of unpolarized light is in the wrong polarization
    z = {
        "states": states.z,
        "pattern": pattern.z,
        "polarization": wrong_light_z(*(np.asarray(own.error_z) for own in left)),
        "crosstalk": wrong_light_z(*stray),
        "fitted error Z": np.asarray(1.0 - 2.0 * rest.error_z),
    }
    x = {
        "states": states.x,
        "pattern": pattern.x,
        "polarization": wrong_light_x(*(np.asarray(own.error_x) for own in left)),
        "fitted error X": np.asarray(1.0 - 2.0 * rest.error_x),
    }
    return z, x
