"""Charlie's station: a beam splitter, two polarizing beam splitters, four threshold detectors."""

from dataclasses import dataclass
from math import ceil, erf, erfc, floor, sqrt
from typing import ClassVar

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_positive, check_range

MOST_JITTER_PERIODS = 1000.0
LONGEST_DEAD_NS = 1e9
NARROWEST_GATE_PS = 2.0
"""Clicks have times in whole ps."""


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
        jitter_fwhm_ps: spread of a click about the centre of its pulse, the pulse's width and the detector's jitter
            together (Gaussian, full width at half maximum), ps.
        gate_ps: width of the gate about the centre of a pulse, ps; None is the whole period.
    """

    detector_efficiency: float = 1.0
    dark_count_probability: float = 0.0
    misalignment_z: float = 0.0
    misalignment_x: float = 0.0
    visibility: float = 0.5
    dead_time_ns: float = 0.0
    max_count_rate_hz: float | None = None
    bell_states: int = 2
    jitter_fwhm_ps: float = 0.0
    gate_ps: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("detector_efficiency", self.detector_efficiency, 0.0, 1.0)
        check_range("dark_count_probability", self.dark_count_probability, 0.0, 1.0)
        check_range("misalignment_z", self.misalignment_z, 0.0, 0.5)
        check_range("misalignment_x", self.misalignment_x, 0.0, 0.5)
        check_range("visibility", self.visibility, 0.0, 0.5)
        check_range("dead_time_ns", self.dead_time_ns, 0.0, LONGEST_DEAD_NS)
        if self.max_count_rate_hz is not None:
            check_positive("max_count_rate_hz", self.max_count_rate_hz)
        check_range("jitter_fwhm_ps", self.jitter_fwhm_ps, 0.0)
        if self.gate_ps is not None:
            check_range("gate_ps", self.gate_ps, NARROWEST_GATE_PS)
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
        if self.relay.gate_ps is not None and self.relay.gate_ps > self.period_ps:
            limit = f"the period of {self.period_ps:g} ps"
            raise InputError(f"`gate_ps` must be at most {limit}, but is {self.relay.gate_ps:g}.")
        if self.relay.jitter_fwhm_ps > MOST_JITTER_PERIODS * self.period_ps:
            limit = f"{MOST_JITTER_PERIODS:g} periods of {self.period_ps:g} ps"
            raise InputError(f"`jitter_fwhm_ps` must be at most {limit}, but is {self.relay.jitter_fwhm_ps:g}.")

    @property
    def period_ps(self) -> float:
        """Time from pulse to pulse, ps."""
        return 1e12 / self.clock_hz

    @property
    def gate_ps(self) -> float:
        """Width of the gate, ps."""
        return self.period_ps if self.relay.gate_ps is None else self.relay.gate_ps

    @property
    def gate_share(self) -> float:
        """Share of a pulse's clicks that fall into its own gate."""
        sigma_ps = self.relay.jitter_fwhm_ps / FWHM_PER_SIGMA
        return erf(0.5 * self.gate_ps / (sqrt(2.0) * sigma_ps)) if sigma_ps > 0 else 1.0

    def as_array(self) -> tuple[float, ...]:
        """The link as the kernels take it.

        (eta_a, eta_b, p_d, e_dz, e_dx, gamma, share of the Bell states, dead time in gates, most clicks a gate), all of
        them for clicks inside the gate. Those outside count for the dead time as well; of the dark counts there, a
        millionth of a click a pulse, the closed form knows nothing.
        """
        relay, inside = self.relay, self.gate_share
        ceiling = inside * relay.max_count_rate_hz / self.clock_hz if relay.max_count_rate_hz else 1.0
        return (
            inside * self.efficiency_a,
            inside * self.efficiency_b,
            relay.dark_count_probability,
            relay.misalignment_z,
            relay.misalignment_x,
            (relay.visibility / 0.5) ** 0.5,
            relay.bell_states / 2,
            self._dead_gates() / inside,
            ceiling,
        )

    def _dead_gates(self) -> float:
        """Mean number of later gates whose pulse falls into a detector's dead time.

        A click blinds the gates k = 1, 2, ... with k T + Delta < tau; Delta is the difference of two clicks' jitter.
        """
        gates = self.relay.dead_time_ns * 1e3 / self.period_ps
        spread = sqrt(2.0) * self.relay.jitter_fwhm_ps / FWHM_PER_SIGMA / self.period_ps
        if spread == 0.0:
            return max(ceil(gates - 1e-9) - 1.0, 0.0)
        surely = max(floor(gates - 8.0 * spread), 0)
        perhaps = range(surely + 1, ceil(gates + 8.0 * spread) + 1)
        return surely + sum(0.5 * erfc((k - gates) / (sqrt(2.0) * spread)) for k in perhaps)
