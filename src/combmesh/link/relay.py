"""Charlie's station: a beam splitter, two polarizing beam splitters, four threshold detectors."""

from dataclasses import dataclass
from typing import ClassVar

from combmesh.ground.errors import InputError, check_positive, check_range


@dataclass(frozen=True)
class Relay:
    """An untrusted relay with one four-detector receiver for each pair (paper, Fig. 1c).

    Attributes:
        detector_efficiency: efficiency of each detector, 0 to 1.
        dark_count_probability: dark counts per detector and gate, 0 to 1.
        misalignment_z, misalignment_x: share of wrong outcomes in each basis, 0 to 0.5.
        visibility: Hong-Ou-Mandel visibility of weak coherent pulses, 0 to 0.5 (0.5 is ideal).
        dead_time_ns: a detector's dead time after a click, ns.
        max_count_rate_hz: ceiling of one detector's registered count rate, 1/s; None means none.
        bell_states: announced Bell states, 1 (psi-minus) or 2 (both).
    """

    detector_efficiency: float = 1.0
    dark_count_probability: float = 0.0
    misalignment_z: float = 0.0
    misalignment_x: float = 0.0
    visibility: float = 0.5
    dead_time_ns: float = 0.0
    max_count_rate_hz: float | None = None
    bell_states: int = 2

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("detector_efficiency", self.detector_efficiency, 0.0, 1.0)
        check_range("dark_count_probability", self.dark_count_probability, 0.0, 1.0)
        check_range("misalignment_z", self.misalignment_z, 0.0, 0.5)
        check_range("misalignment_x", self.misalignment_x, 0.0, 0.5)
        check_range("visibility", self.visibility, 0.0, 0.5)
        check_range("dead_time_ns", self.dead_time_ns, 0.0)
        if self.max_count_rate_hz is not None:
            check_positive("max_count_rate_hz", self.max_count_rate_hz)
        if self.bell_states not in (1, 2):
            raise InputError(f"`bell_states` must be 1 or 2, but is {self.bell_states}.")


@dataclass(frozen=True)
class Link:
    """Two arms that meet at a relay.

    Attributes:
        efficiency_a, efficiency_b: probability that a photon sent by the user is detected, 0 to 1.
        relay: the relay.
        clock_hz: pulse rate, Hz.
    """

    efficiency_a: float
    efficiency_b: float
    relay: Relay
    clock_hz: float

    def __post_init__(self) -> None:
        check_range("efficiency_a", self.efficiency_a, 0.0, 1.0)
        check_range("efficiency_b", self.efficiency_b, 0.0, 1.0)
        check_positive("clock_hz", self.clock_hz)

    def as_array(self) -> tuple[float, ...]:
        """The link as the kernels take it.

        (eta_a, eta_b, p_d, e_dz, e_dx, gamma, share of the Bell states, dead time in gates, most clicks a gate).
        """
        relay = self.relay
        ceiling = relay.max_count_rate_hz / self.clock_hz if relay.max_count_rate_hz else 1.0
        return (
            self.efficiency_a,
            self.efficiency_b,
            relay.dark_count_probability,
            relay.misalignment_z,
            relay.misalignment_x,
            (relay.visibility / 0.5) ** 0.5,
            relay.bell_states / 2,
            relay.dead_time_ns * 1e-9 * self.clock_hz,
            ceiling,
        )
