r"""How alike two users' pulses are: the Hong-Ou-Mandel overlap M, as a product of terms that a budget can list.

A pulse's field is :math:`A(t) \propto e^{-p(t-\tau)^2 - i\omega t}`, :math:`p = (1+iC)/4\sigma^2` as it is emitted
(Agrawal, Nonlinear Fiber Optics, chirped Gaussian pulses; :math:`T_0^2 = 2\sigma^2`), and a fibre adds
:math:`1/p \to 1/p - 2i\beta_2 L`. Then

.. math:: M_t = |\langle A|B\rangle|^2 = \frac{2\sqrt{\Re p_A \Re p_B}}{|p_A^*+p_B|}
    \exp\left\{2\Re\left[\frac{(2 p_B\tau - i\omega)^2}{4(p_A^*+p_B)} - p_B\tau^2\right]\right\}

is exact for Gaussian pulses (own derivation; the tests integrate sampled fields). What a common fibre does to both
pulses is unitary, so only the difference of the two dispersions counts, and the dip is as wide as the emitted pulses.
"""

from dataclasses import dataclass, field
from math import pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError
from combmesh.link.interference.arrays import Floats, Number, check_all, check_all_positive
from combmesh.link.interference.visibility import visibility, weak_visibility

Complexes = NDArray[np.complex128]


@dataclass(frozen=True)
class Wave:
    """One user's light where it meets the other's. Every field is a number, or an array that broadcasts, `(...)`.

    Attributes:
        fwhm_ps: optical width as emitted (full width at half maximum), without any detector's jitter, ps.
        chirp: C of the emitted pulse.
        dispersion_ps2: beta2 L of its fibre, ps^2.
        delay_ps: arrival at the beam splitter, ps.
        detuning_hz: frequency from the nominal one of the line, Hz.
        jones: `(..., 2)` polarization vector; its length does not matter.
        snr: power of the line over that of the background inside the passband, a ratio; `inf` is none.
        outside_share: share of the light in the gate that is outside the pulse, 0 to 1.
        photons: mean photons a pulse that are detected, by both detectors together.
    """

    fwhm_ps: Number = 95.0
    chirp: Number = 0.0
    dispersion_ps2: Number = 0.0
    delay_ps: Number = 0.0
    detuning_hz: Number = 0.0
    jones: Complexes = field(default_factory=lambda: np.array([1.0, 0.0], np.complex128))
    snr: Number = np.inf
    outside_share: Number = 0.0
    photons: Number = 4e-4

    def __post_init__(self) -> None:
        check_all_positive("fwhm_ps", self.fwhm_ps)
        check_all_positive("photons", self.photons)
        for name in ("chirp", "dispersion_ps2", "delay_ps", "detuning_hz"):
            check_all(name, getattr(self, name))
        check_all("outside_share", self.outside_share, 0.0, 1.0)
        check_all("snr", np.minimum(np.asarray(self.snr, np.float64), 1e300), 0.0)
        shape, length = np.shape(self.jones), np.linalg.norm(self.jones, axis=-1)
        if not shape or shape[-1] != 2:
            raise InputError(f"`jones` must have shape (..., 2), but has {shape}.")
        check_all_positive("length of `jones`", length)

    @property
    def sigma_ps(self) -> Floats:
        """Standard deviation of the emitted intensity, ps."""
        return np.asarray(self.fwhm_ps, np.float64) / FWHM_PER_SIGMA


class Terms(NamedTuple):
    """Factors of the visibility, each 1 if perfect; together they are exact: V = 1/2 times all of them.

    Each of the first five is what its mismatch alone would leave. `interplay` is what these do to each other, for
    example a common chirp that turns a delay into a detuning; it may exceed 1.
    """

    timing: Floats
    detuning: Floats
    width: Floats
    chirp: Floats
    dispersion: Floats
    interplay: Floats
    polarization: Floats
    snr: Floats
    outside: Floats
    intensity: Floats  # unequal light
    brightness: Floats  # more than two photons
    dark: Floats  # dark counts

    @property
    def mode_overlap(self) -> Floats:
        r"""Overlap in time and frequency: the square of gamma in the closed form and in the pulses.

        It leaves polarization out: a relay with polarizing beam splitters sends wrongly polarized light to a wrong
        detector, where it counts as misalignment.
        """
        return _product(self[:6] + self[7:9])

    @property
    def overlap(self) -> Floats:
        """M: mode overlap and polarization, as the dip of detectors without polarizers has it."""
        return self.mode_overlap * self.polarization

    @property
    def visibility(self) -> Floats:
        """V of phase-randomised weak coherent pulses at threshold detectors, at most 1/2."""
        return 0.5 * _product(self)


def overlap_terms(a: Wave, b: Wave, dark_count_probability: float = 0.0) -> Terms:
    r"""Every term of two users' light, `(...)` each.

    With :math:`\sigma_1, \sigma_2` the widths, :math:`\tau` the delay, :math:`\omega = 2\pi\Delta f`,
    :math:`D = \beta_2\Delta L`:

    .. math::
        e^{-\tau^2/2(\sigma_1^2+\sigma_2^2)},\quad
        e^{-2\omega^2\sigma_1^2\sigma_2^2/(\sigma_1^2+\sigma_2^2)},\quad
        \frac{2\sigma_1\sigma_2}{\sigma_1^2+\sigma_2^2},\quad
        [1+(C_1-C_2)^2/4]^{-1/2},\quad
        [1+(D/2(\sigma_1^2+\sigma_2^2))^2]^{-1/2}.

    The background of a line, and light outside the pulse, are taken as light that meets nothing like itself: each
    user's share of it is lost to interference (an upper bound on its harm).
    """
    s1, s2 = a.sigma_ps, b.sigma_ps
    squares = s1**2 + s2**2
    tau = np.asarray(b.delay_ps, np.float64) - a.delay_ps
    omega = 2e-12 * pi * (np.asarray(b.detuning_hz, np.float64) - a.detuning_hz)  # rad/ps
    D = np.asarray(b.dispersion_ps2, np.float64) - a.dispersion_ps2
    C = np.asarray(a.chirp, np.float64) - b.chirp
    alone = (
        np.exp(-(tau**2) / (2.0 * squares)),
        np.exp(-2.0 * (omega * s1 * s2) ** 2 / squares),
        2.0 * s1 * s2 / squares,
        1.0 / np.sqrt(1.0 + C**2 / 4.0),
        1.0 / np.sqrt(1.0 + (D / (2.0 * squares)) ** 2),
    )
    product = _product(alone)
    interplay = np.divide(temporal_overlap(a, b), product, out=np.ones_like(product), where=product > 0.0)
    polarization, snr = jones_overlap(a.jones, b.jones), _signal_share(a.snr) * _signal_share(b.snr)
    outside = (1.0 - np.asarray(a.outside_share)) * (1.0 - np.asarray(b.outside_share))
    M = product * interplay * polarization * snr * outside
    weak = weak_visibility(a.photons, b.photons, M)
    bright = visibility(a.photons, b.photons, M)
    seen = visibility(a.photons, b.photons, M, dark_count_probability)
    return Terms(
        *alone,
        interplay,
        polarization,
        snr,
        outside,
        2.0 * weak_visibility(a.photons, b.photons),
        _ratio(bright, weak),
        _ratio(seen, bright),
    )


def temporal_overlap(a: Wave, b: Wave) -> Floats:
    """M_t, `(...)`: the exact overlap of the two pulses in time and frequency."""
    p_a, p_b = _curvature(a), _curvature(b)
    tau = np.asarray(b.delay_ps, np.float64) - a.delay_ps
    omega = 2e-12 * pi * (np.asarray(b.detuning_hz, np.float64) - a.detuning_hz)  # rad/ps
    A = p_a.conj() + p_b
    exponent = (2.0 * p_b * tau - 1j * omega) ** 2 / (4.0 * A) - p_b * tau**2
    M_t = 2.0 * np.sqrt(p_a.real * p_b.real) / np.abs(A) * np.exp(2.0 * exponent.real)  # the module's equation
    return np.asarray(M_t, np.float64)


def jones_overlap(one: Complexes, other: Complexes) -> Floats:
    r""":math:`|\langle e_A|e_B\rangle|^2`, `(...)`, of polarization vectors `(..., 2)` of any length.

    >>> float(jones_overlap(np.array([1.0, 1.0j]), np.array([1.0, -1.0j])))
    0.0
    """
    inner = np.sum(np.conj(one) * other, axis=-1)
    lengths = np.sum(np.abs(one) ** 2, axis=-1) * np.sum(np.abs(other) ** 2, axis=-1)
    return np.asarray(np.abs(inner) ** 2 / lengths, np.float64)


def linear_jones(angle_deg: float) -> Complexes:
    """`(2,)` linear polarization at an angle to the horizontal.

    >>> round(float(jones_overlap(linear_jones(0.0), linear_jones(5.0))), 4)
    0.9924
    """
    phi = angle_deg * pi / 180.0
    return np.array([np.cos(phi), np.sin(phi)], np.complex128)


def snr_from_db(snr_db: float) -> float:
    """A ratio from dB.

    >>> snr_from_db(20.0)
    100.0
    """
    return float(10.0 ** (snr_db / 10.0))


def _curvature(wave: Wave) -> Complexes:
    """p at the beam splitter, 1/ps^2."""
    p = (1.0 + 1j * np.asarray(wave.chirp)) / (4.0 * wave.sigma_ps**2)
    return np.asarray(1.0 / (1.0 / p - 2j * np.asarray(wave.dispersion_ps2)))


def _signal_share(snr: Number) -> Floats:
    """s/(1+s)."""
    return np.asarray(1.0 - 1.0 / (1.0 + np.asarray(snr, np.float64)))


def _product(factors: tuple[Floats, ...]) -> Floats:
    total = np.asarray(1.0)
    for factor in factors:
        total = total * factor
    return np.asarray(total)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Their ratio, 1 where both vanish."""
    return np.divide(above, below, out=np.ones_like(below), where=below > 0.0)
