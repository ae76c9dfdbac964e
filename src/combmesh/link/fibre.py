r"""What a fibre does to the light: loss, dispersion, and the arm that it makes.

Dispersion leaves the spectrum of a pulse and turns its phase by :math:`\beta_2 L\omega^2/2`; a Gaussian pulse stays
one. What drifts in a fibre is in `drift`.
"""

from dataclasses import dataclass, replace
from math import hypot, pi

from combmesh.ground.constants import FWHM_PER_SIGMA
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.provenance import Mark

STANDARD_BETA2_PS2_KM = -21.7
"""Standard single-mode fibre at 1550 nm, 17 ps/(nm km)."""

LONGEST_KM = 1e5
SPEED_OF_LIGHT_NM_PS = 299_792.458

MARKS = {
    "FibreArm.length_km": Mark("printed", "100 km from a user to the relay (section 2.1)"),
    "FibreArm.attenuation_db_km": Mark("assumed", "standard single-mode fibre; the paper prints no loss"),
    "FibreArm.loss_db": Mark("default", "no other loss"),
    "FibreArm.beta2_ps2_km": Mark("assumed", "standard single-mode fibre at 1550 nm, 17 ps/(nm km)"),
    "FibreArm.delay_ps_km_k": Mark("assumed", "38 ps/(km K), recalled for coated silica fibre"),
    "FibreArm.temperature_rms_k": Mark("fitted", "to some 200 ps of drift about its mean in 3 h over 100 km (Fig. 3f)"),
    "FibreArm.room_memory_s": Mark("assumed", "a laboratory's temperature wanders within an hour"),
    "FibreArm.spool_lag_s": Mark("assumed", "a spool follows its room within ten minutes"),
    "FibreArm.polarization_rad_sqrt_km_s": Mark("assumed", "3e-3 rad a second over 100 km; the paper prints no drift"),
}


@dataclass(frozen=True)
class FibreArm:
    """A fibre from a user to the relay, and how it drifts.

    Attributes:
        length_km: length, km; 0 is no fibre, which neither drifts nor disperses.
        attenuation_db_km: its loss, dB/km.
        loss_db: every other loss, dB.
        beta2_ps2_km: dispersion of its group velocity, ps^2/km.
        delay_ps_km_k: change of its delay with temperature, ps/(km K).
        temperature_rms_k: standard deviation of its temperature, K.
        room_memory_s: correlation time of the room's temperature, s.
        spool_lag_s: time in which the fibre follows its room, s.
        polarization_rad_sqrt_km_s: each component of its polarization's random walk, rad per sqrt(km s).
    """

    length_km: float = 100.0
    attenuation_db_km: float = 0.2
    loss_db: float = 0.0
    beta2_ps2_km: float = STANDARD_BETA2_PS2_KM
    delay_ps_km_k: float = 38.0
    temperature_rms_k: float = 0.07
    room_memory_s: float = 3600.0
    spool_lag_s: float = 600.0
    polarization_rad_sqrt_km_s: float = 3e-4

    def __post_init__(self) -> None:
        check_range("length_km", self.length_km, 0.0, LONGEST_KM)
        check_range("attenuation_db_km", self.attenuation_db_km, 0.0)
        check_range("loss_db", self.loss_db, 0.0)
        check_range("beta2_ps2_km", self.beta2_ps2_km)
        check_range("delay_ps_km_k", self.delay_ps_km_k)
        check_range("temperature_rms_k", self.temperature_rms_k, 0.0)
        check_positive("room_memory_s", self.room_memory_s)
        check_range("spool_lag_s", self.spool_lag_s, 0.0)
        check_range("polarization_rad_sqrt_km_s", self.polarization_rad_sqrt_km_s, 0.0)

    @property
    def total_loss_db(self) -> float:
        """Loss of the fibre and everything else, dB."""
        return self.loss_db + fibre_loss_db(self.length_km, self.attenuation_db_km)

    @property
    def dispersion_ps2(self) -> float:
        """beta2 L, ps^2."""
        return self.beta2_ps2_km * self.length_km

    @property
    def delay_ps_k(self) -> float:
        """Change of the arm's delay with temperature, ps/K.

        >>> FibreArm().delay_ps_k
        3800.0
        """
        return self.delay_ps_km_k * self.length_km


def equivalent_loss(arm: FibreArm) -> FibreArm:
    """The attenuator that an experiment runs beside the fibre: the same loss, no length, no drift, no dispersion.

    >>> equivalent_loss(FibreArm(100.0)).total_loss_db
    20.0
    """
    return replace(arm, length_km=0.0, loss_db=arm.total_loss_db)


def transmission(loss_db: float) -> float:
    """Share of the light that passes a loss of `loss_db` dB.

    >>> transmission(20.0)
    0.01
    """
    check_range("loss_db", loss_db, 0.0)
    return float(10.0 ** (-loss_db / 10.0))


def fibre_loss_db(length_km: float, attenuation_db_km: float) -> float:
    """Loss of a fibre, dB.

    >>> fibre_loss_db(100.0, 0.2)
    20.0
    """
    check_range("length_km", length_km, 0.0)
    check_range("attenuation_db_km", attenuation_db_km, 0.0)
    return length_km * attenuation_db_km


def broadened_fwhm_ps(fwhm_ps: float, dispersion_ps2: float, chirp: float = 0.0) -> float:
    r"""Width of a Gaussian pulse after a dispersion of :math:`D = \beta_2 L`, ps.

    .. math:: T_1 = T_0\sqrt{(1 + C D/T_0^2)^2 + (D/T_0^2)^2}, \qquad T_0^2 = 2\sigma^2

    (Agrawal, Nonlinear Fiber Optics, broadening of chirped Gaussian pulses; exact without third-order dispersion).

    >>> round(broadened_fwhm_ps(95.0, -21.7 * 100))
    114
    """
    d = _normalised(fwhm_ps, dispersion_ps2, chirp)
    return fwhm_ps * hypot(1.0 + chirp * d, d)  # Agrawal, T1/T0 of a chirped Gaussian


def dispersed_chirp(fwhm_ps: float, dispersion_ps2: float, chirp: float = 0.0) -> float:
    """Chirp after the fibre: :math:`C_1 = C + (1+C^2) D/T_0^2` (Agrawal, as above)."""
    return chirp + (1.0 + chirp * chirp) * _normalised(fwhm_ps, dispersion_ps2, chirp)


def seen_fwhm_ps(optical_fwhm_ps: float, jitter_fwhm_ps: float) -> float:
    """Width of the clicks of a pulse, the detector's jitter folded in (both Gaussian), ps.

    >>> seen_fwhm_ps(90.0, 30.0) == hypot(90.0, 30.0)
    True
    """
    check_positive("optical_fwhm_ps", optical_fwhm_ps)
    check_range("jitter_fwhm_ps", jitter_fwhm_ps, 0.0)
    return hypot(optical_fwhm_ps, jitter_fwhm_ps)


def check_pulse(fwhm_ps: float, period_ps: float, arm: FibreArm, chirp: float = 0.0) -> None:
    """Refuse a pulse that is longer than the period when it leaves the fibre."""
    check_positive("period_ps", period_ps)
    if (arrives := broadened_fwhm_ps(fwhm_ps, arm.dispersion_ps2, chirp)) > period_ps:
        raise InputError(
            f"`fwhm_ps` must leave pulses within the period of {period_ps:g} ps, but {fwhm_ps:g} becomes {arrives:.4g} "
            f"after {arm.length_km:g} km."
        )


def beta2_from_dispersion(d_ps_nm_km: float, wavelength_nm: float = 1550.0) -> float:
    r""":math:`\beta_2 = -D\lambda^2/2\pi c`, ps^2/km.

    >>> round(beta2_from_dispersion(17.0), 1)
    -21.7
    """
    check_range("d_ps_nm_km", d_ps_nm_km)
    check_positive("wavelength_nm", wavelength_nm)
    return -d_ps_nm_km * wavelength_nm**2 / (2.0 * pi * SPEED_OF_LIGHT_NM_PS)


def _normalised(fwhm_ps: float, dispersion_ps2: float, chirp: float) -> float:
    """D/T_0^2."""
    check_positive("fwhm_ps", fwhm_ps)
    check_range("dispersion_ps2", dispersion_ps2)
    check_range("chirp", chirp)
    return dispersion_ps2 / (2.0 * (fwhm_ps / FWHM_PER_SIGMA) ** 2)
