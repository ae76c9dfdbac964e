r"""`PulseSpec`: what leaves a transmitter, as the link takes it, and what of the proof it breaks.

**Chirp.** The field is :math:`\exp[-(1+iC)\,t^2/4\sigma^2]` with :math:`\sigma` of the intensity, so that two pulses of
one width overlap as :math:`M = [1+(C_1-C_2)^2/4]^{-1/2}`. The carrier is :math:`e^{-i\omega t}`: with C > 0 the
frequency rises (Agrawal's sign, so that a fibre of :math:`\beta_2 < 0` first compresses it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import hypot

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_positive, check_range

Floats = NDArray[np.float64]
Fields = NDArray[np.complex128]

STATES = ("H", "V", "D", "A")
SOURCES = ("o", "x", "y", "z")
"""Vacuum, weaker decoy, stronger decoy (X basis: D, A) and signal (Z basis: H, V)."""

IDEAL: Fields = np.array([[1.0, 0.0], [0.0, 1.0], [0.5**0.5, 0.5**0.5], [0.5**0.5, -(0.5**0.5)]], dtype=complex)
"""`(state, polarization)` Jones vectors that are wanted."""

NOTICED = 1e-4
"""Smallest share that counts as breaking an assumption of the proof."""


@dataclass(frozen=True, eq=False)
class PulseSpec:
    """The light of one user on one line.

    Attributes:
        optical_fwhm_ps: width of the optical pulse, for interference, ps.
        jitter_fwhm_ps: of the detector that sees it, ps.
        chirp: C of the module's convention.
        shift_mhz: mean instantaneous frequency of the pulse against the line, MHz.
        jones: `(state, polarization)` unit vectors of H, V, D, A in the chip's frame.
        brightness: `(state,)` light of each state over the mean of its basis.
        intensities: mean photon number of each source, that of its basis' two states.
        outside_share: light outside the pulse: the level midway between two pulses over the period less the FWHM.
        extinction_db: peak over that level, dB.
        pattern: `(source, previous source)` relative deviation of the intensity from that after the same source.
        state_pattern: `(state, previous state)` share of the light that is orthogonal to the settled state.
        period_ps: from pulse to pulse, ps.
        phase_randomised: whether each pulse has a random phase (assumed: the paper prints no randomiser).
    """

    optical_fwhm_ps: float
    jitter_fwhm_ps: float
    chirp: float
    shift_mhz: float
    jones: Fields
    brightness: Floats
    intensities: Mapping[str, float]
    outside_share: float
    extinction_db: float
    pattern: Floats
    state_pattern: Floats
    period_ps: float
    phase_randomised: bool = True

    def __post_init__(self) -> None:
        check_positive("period_ps", self.period_ps)
        check_positive("optical_fwhm_ps", self.optical_fwhm_ps)
        if self.optical_fwhm_ps >= self.period_ps:
            limit = f"the period of {self.period_ps:g} ps"
            raise InputError(f"`optical_fwhm_ps` must be below {limit}, but is {self.optical_fwhm_ps:g}.")
        check_range("jitter_fwhm_ps", self.jitter_fwhm_ps, 0.0)
        check_range("chirp", self.chirp)
        check_range("shift_mhz", self.shift_mhz)
        check_range("outside_share", self.outside_share, 0.0, 1.0)
        check_range("extinction_db", self.extinction_db, 0.0)
        for name, shape in (("jones", (4, 2)), ("brightness", (4,)), ("pattern", (4, 4)), ("state_pattern", (4, 4))):
            if getattr(self, name).shape != shape:
                raise InputError(f"`{name}` must have shape {shape}, but has {getattr(self, name).shape}.")
        norms = np.linalg.norm(self.jones, axis=1)
        if not np.allclose(norms, 1.0, atol=1e-9):
            raise InputError(f"`jones` must be unit vectors, but their norms are {', '.join(f'{x:g}' for x in norms)}.")
        if tuple(self.intensities) != SOURCES:
            raise InputError(
                f"`intensities` must be of {', '.join(SOURCES)}, but are of {', '.join(self.intensities)}."
            )
        for source, value in self.intensities.items():
            check_range(f"intensities.{source}", value, 0.0)

    @property
    def sigma_ps(self) -> float:
        """Standard deviation of the optical intensity, taken as Gaussian, ps."""
        return self.optical_fwhm_ps / FWHM_PER_SIGMA

    @property
    def seen_fwhm_ps(self) -> float:
        """Width as a histogram of clicks shows it, for the gate, ps: Gaussian pulse and jitter."""
        return hypot(self.optical_fwhm_ps, self.jitter_fwhm_ps)

    @property
    def errors(self) -> Floats:
        """`(state,)` share of a state's light that is orthogonal to the ideal state, in the chip's frame."""
        return np.asarray(1.0 - np.abs((IDEAL.conj() * self.jones).sum(axis=1)) ** 2)

    @property
    def residual_errors(self) -> Floats:
        """`(state,)` the same behind the one rotation that makes their sum least: what no controller takes away."""
        return np.asarray(0.5 - 0.5 * (stokes(IDEAL) * best_stokes(self)).sum(axis=1))

    @property
    def vacuum_share(self) -> float:
        """Light of the vacuum over that of the signal."""
        return self.intensities["o"] / self.intensities["z"] if self.intensities["z"] > 0.0 else 0.0

    @property
    def pattern_effect(self) -> float:
        """Largest deviation of a decoy's or the signal's intensity by the previous pulse; `pattern` has the vacuum."""
        return float(np.abs(self.pattern[1:]).max())

    @property
    def basis_difference(self) -> float:
        """Trace distance of the mean single photons of Z and X."""
        rho = self.jones[:, :, None] * self.jones[:, None, :].conj()
        return float(0.5 * np.abs(np.linalg.eigvalsh(0.5 * (rho[0] + rho[1] - rho[2] - rho[3]))).sum())

    @property
    def assumptions_broken(self) -> tuple[str, ...]:
        """One sentence for each assumption of the proof that this light breaks by more than `NOTICED`."""
        uneven = float(np.abs(self.brightness - 1.0).max())
        turned = float(self.state_pattern.max())
        found = (
            (not self.phase_randomised, "Phases are not random: pulses cut from one laser are coherent."),
            (
                self.basis_difference > NOTICED,
                f"Single photons differ between Z and X: trace distance {self.basis_difference:.2g}.",
            ),
            (uneven > NOTICED, f"The two states of a basis differ in intensity by up to {uneven:.2g} of their mean."),
            (
                self.pattern_effect > NOTICED,
                f"Pulses are not independent: the previous source changes an intensity by {self.pattern_effect:.2g}.",
            ),
            (
                turned > NOTICED,
                f"Pulses are not independent: the previous state turns {turned:.2g} of a state's light.",
            ),
            (
                self.outside_share > NOTICED,
                f"Pulses are not one mode each: {self.outside_share:.2g} of the light lies outside the pulse.",
            ),
            (
                self.vacuum_share > NOTICED,
                f"The vacuum is not vacuum: {self.intensities['o']:.2g} photons, {self.vacuum_share:.2g} of the "
                "signal; bounds must hold for o > 0.",
            ),
        )
        return tuple(sentence for broken, sentence in found if broken)

    def as_json(self) -> dict[str, object]:
        """Everything as numbers, lists and sentences; a Jones vector is ((re, im), (re, im))."""
        shown: dict[str, object] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            shown[name] = value.tolist() if isinstance(value, np.ndarray) else value
        shown["jones"] = [[[float(z.real), float(z.imag)] for z in state] for state in self.jones]
        shown["intensities"] = dict(self.intensities)
        for name in ("errors", "residual_errors"):
            shown[name] = getattr(self, name).tolist()
        for name in ("seen_fwhm_ps", "pattern_effect", "basis_difference", "vacuum_share"):
            shown[name] = getattr(self, name)
        shown["assumptions_broken"] = list(self.assumptions_broken)
        return shown


def stokes(jones: Fields) -> Floats:
    """`(state, 3)` unit Stokes vectors (H-V, D-A, circular) of unit Jones vectors `(state, 2)`."""
    cross = 2.0 * jones[:, 0].conj() * jones[:, 1]
    s1 = np.abs(jones[:, 0]) ** 2 - np.abs(jones[:, 1]) ** 2
    return np.stack([s1, cross.real, cross.imag], axis=1)


def best_stokes(spec: PulseSpec) -> Floats:
    """`(state, 3)` Stokes vectors behind the rotation that makes the sum of errors least (Kabsch 1976)."""
    s, ideal = stokes(spec.jones), stokes(IDEAL)
    u, _, v = np.linalg.svd(ideal.T @ s)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return np.asarray(s @ rotation.T)
