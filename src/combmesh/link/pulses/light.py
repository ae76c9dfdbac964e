"""What two users send, as the pulses engine takes it, and the tables that its kernels read."""

from dataclasses import dataclass
from math import inf, log1p, pi
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_range
from combmesh.link.relay import Link

DETECTORS = ("1H", "1V", "2H", "2V")
"""Output of the beam splitter and polarization of each detector, in the order of every array."""

BRIGHTEST = 50.0
"""Most photons of a pulse, and most dark counts of a period, that the engine takes on average: it counts each one."""

MOST_SOURCES = 16
"""Of a user: a pair of them is a byte."""


@dataclass(frozen=True)
class Phase:
    """What the relative phase of two users' pulses does.

    Attributes:
        kind: "randomised" for each pulse, as the proof needs, or "laser": pulses cut from two continuous lasers, whose
            relative phase drifts. The proof does not cover that.
        beat_hz: difference of the lasers' frequencies, Hz.
        linewidth_hz: sum of their Lorentzian linewidths (full width at half maximum), Hz.
    """

    kind: Literal["randomised", "laser"] = "randomised"
    beat_hz: float = 0.0
    linewidth_hz: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("beat_hz", self.beat_hz, -1e12, 1e12)
        check_range("linewidth_hz", self.linewidth_hz, 0.0, 1e12)
        if self.kind == "randomised" and (self.beat_hz or self.linewidth_hz):
            raise InputError("`beat_hz` and `linewidth_hz` are for the phase of `kind` laser, but it is randomised.")


@dataclass(frozen=True)
class Light:
    """The sources of two users, and what their phases do.

    Attributes:
        intensity: `(user, source)` mean photon numbers; photon numbers if `statistics` is "fock".
        probability: `(user, source)` how often each is sent.
        in_z: `(source,)` whether it is prepared in the Z basis; the others are in X.
        phase: what their relative phase does.
        statistics: "poisson", or "fock": exactly `intensity` photons in each pulse.
        photons: keep each pulse's photon numbers; interference is then that of number states.
    """

    intensity: NDArray[np.float64]
    probability: NDArray[np.float64]
    in_z: NDArray[np.bool_]
    phase: Phase = Phase()
    statistics: Literal["poisson", "fock"] = "poisson"
    photons: bool = False

    def __post_init__(self) -> None:
        sources = self.in_z.shape[0]
        check_range("sources", sources, 1, MOST_SOURCES)
        for name in ("intensity", "probability"):
            if getattr(self, name).shape != (2, sources):
                shape = getattr(self, name).shape
                raise InputError(f"`{name}` must have shape (user, source) = (2, {sources}), but has {shape}.")
            for value in getattr(self, name).flat:
                check_range(name, float(value), 0.0)
        for total in self.probability.sum(axis=1):
            if abs(total - 1.0) > 1e-9:
                raise InputError(f"`probability` of a user must sum to 1, but sums to {total:g}.")
        if self.phase.kind == "laser" and (self.photons or self.statistics == "fock"):
            raise InputError("`phase` must be randomised where photon numbers are kept, but is that of a laser.")
        if self.statistics == "fock" and np.any(self.intensity != np.floor(self.intensity)):
            raise InputError('`intensity` must be whole photon numbers where `statistics` is "fock".')

    @property
    def outside_proof(self) -> bool:
        """Whether this light breaks what the security proof assumes of it."""
        return self.phase.kind == "laser" or self.statistics == "fock"


class Bench(NamedTuple):
    """All that the kernels need of light and link; a pair of sources is `a * sources + b`."""

    sources: int
    chance: NDArray[np.float64]  # (pair,) probability that the users send it
    arriving: NDArray[np.float64]  # (user, pair) mean photons that are detected, inside the gate or not
    lost: NDArray[np.float64]  # (user, pair) mean photons that are not
    number: NDArray[np.int64]  # (user, pair) photons of a number state
    efficiency: NDArray[np.float64]  # (user,) probability that a photon is detected
    dark: float  # mean dark counts of one detector in a period
    any_click: NDArray[np.float64]  # (pair,) probability that its pulse gives a photon or a dark count
    silent: NDArray[np.float64]  # (pair,) probability that it is sent and gives neither
    in_z: NDArray[np.bool_]  # (user, pair)
    flip: NDArray[np.float64]  # (pair,) probability that Alice's bit is prepared wrongly
    overlap: float  # gamma, amplitude of the overlap of the users' modes
    drift: float  # mean change of the relative phase from pulse to pulse, rad
    diffusion: float  # its standard deviation over one pulse, rad
    is_laser: bool
    keeps_photons: bool
    is_fock: bool
    period_ps: float
    sigma_ps: float


def bench_of(light: Light, link: Link) -> Bench:
    """The tables of one light on one link."""
    sources, relay = light.in_z.shape[0], link.relay
    pair = np.arange(sources * sources)
    of_user = np.stack([pair // sources, pair % sources])
    sent = np.stack([light.intensity[user, of_user[user]] for user in (0, 1)])
    efficiency = np.array([link.efficiency_a, link.efficiency_b])
    check_range("intensity", float(sent.max()), 0.0, BRIGHTEST)
    dark = _mean_darks(link)
    in_z = light.in_z[of_user]
    chance = np.prod([light.probability[user, of_user[user]] for user in (0, 1)], axis=0)
    numbers = sent.astype(np.int64)
    empty = _log_empty(numbers if light.statistics == "fock" else sent, efficiency, light.statistics) - 4.0 * dark
    return Bench(
        sources,
        chance,
        sent * efficiency[:, None],
        sent * (1.0 - efficiency[:, None]),
        numbers,
        efficiency,
        dark,
        -np.expm1(empty),
        chance * np.exp(empty),
        in_z,
        np.where(in_z.any(axis=0), relay.misalignment_z, relay.misalignment_x),
        (relay.visibility / 0.5) ** 0.5,
        2.0 * pi * (light.phase.beat_hz / link.clock_hz % 1.0),
        (2.0 * pi * light.phase.linewidth_hz / link.clock_hz) ** 0.5,
        light.phase.kind == "laser",
        light.photons or light.statistics == "fock",
        light.statistics == "fock",
        link.period_ps,
        relay.jitter_fwhm_ps / FWHM_PER_SIGMA,
    )


def mean_clicks(bench: Bench) -> NDArray[np.float64]:
    """`(pair,)` mean number of photons detected and dark counts in a period, all detectors."""
    loads: NDArray[np.float64] = bench.arriving.sum(axis=0) + 4.0 * bench.dark
    return loads


def _mean_darks(link: Link) -> float:
    """Mean dark counts of one detector in a period, so that a gate has any with the given probability."""
    p_d = link.relay.dark_count_probability
    dark = -log1p(-p_d) * link.period_ps / link.gate_ps if p_d < 1.0 else inf
    if 4.0 * dark > BRIGHTEST:
        raise InputError(
            f"`dark_count_probability` must give at most {BRIGHTEST:g} dark counts of four detectors in a period, "
            f"but {p_d:g} in a gate of {link.gate_ps:g} ps gives {4.0 * dark:g}."
        )
    return dark


def _log_empty(
    sent: NDArray[np.float64] | NDArray[np.int64], efficiency: NDArray[np.float64], statistics: str
) -> NDArray[np.float64]:
    """`(pair,)` logarithm of the probability that no photon is detected.

    The four outputs together hold all light that arrives, whatever its phase and polarization: for Poissonian light
    :math:`e^{-(a+b)}`, for number states :math:`(1-\\eta_A)^{n_A}(1-\\eta_B)^{n_B}`.
    """
    if statistics == "poisson":
        return np.asarray(-(sent * efficiency[:, None]).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        of_user = np.where(sent > 0, sent * np.log1p(-efficiency)[:, None], 0.0)
    return np.asarray(of_user.sum(axis=0))
