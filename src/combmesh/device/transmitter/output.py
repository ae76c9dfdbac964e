"""From drives to `PulseSpec`: the sources' intensities, the polarization states, and what the previous pulse leaves."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from combmesh.device.chip import grating, voa
from combmesh.device.chip import mzi as interferometer
from combmesh.device.chip.mzi import Fields, Floats
from combmesh.device.chip.waveform import stepped
from combmesh.device.transmitter.box import (
    PAPER_FWHM_PS,
    PAPER_INTENSITIES,
    Drives,
    Transmitter,
    calibrate,
    paper_transmitter,
    photons_before_attenuator,
)
from combmesh.device.transmitter.emission import Emission, emit
from combmesh.device.transmitter.spec import IDEAL, SOURCES, PulseSpec

_IN_Z = np.array([False, False, False, True])  # of SOURCES


def pulse_spec(box: Transmitter, drives: Drives, samples: int | None = None) -> PulseSpec:
    """The light of these drives."""
    pulse = emit(box, drives, samples)
    vectors = _settled_states(box, drives)
    light = (np.abs(vectors) ** 2).sum(axis=1)
    of_basis = np.repeat([light[:2].mean(), light[2:].mean()], 2)
    levels, pattern = _levels(box, drives, pulse)
    photons = photons_before_attenuator(box, pulse.energy_ps) * voa.transmittance(box.chip.voa, drives.voa_mw)
    means = photons * levels * np.where(_IN_Z, light[:2].mean(), light[2:].mean())
    return PulseSpec(
        optical_fwhm_ps=pulse.fwhm_ps,
        jitter_fwhm_ps=box.jitter_fwhm_ps,
        chirp=pulse.chirp,
        shift_mhz=pulse.shift_mhz,
        jones=_unit(vectors),
        brightness=light / of_basis,
        intensities={source: float(mean) for source, mean in zip(SOURCES, means, strict=True)},
        outside_share=pulse.outside_share,
        extinction_db=pulse.extinction_db,
        pattern=pattern,
        state_pattern=_state_pattern(box, drives, pulse),
        period_ps=box.period_ps,
        phase_randomised=box.phase_randomised,
    )


def paper_pulse_spec(
    user: Literal["alice", "bob"] = "alice",
    optical_fwhm_ps: float = PAPER_FWHM_PS["Fig. 3g"],
    intensities: Mapping[str, float] = PAPER_INTENSITIES,
) -> PulseSpec:
    """The light of this user's printed chip, calibrated.

    >>> spec = paper_pulse_spec("alice")
    >>> round(spec.optical_fwhm_ps, 3), round(spec.seen_fwhm_ps, 3), round(spec.intensities["z"], 3)
    (90.0, 95.0, 0.54)
    """
    box = paper_transmitter(user)
    return pulse_spec(box, calibrate(box, optical_fwhm_ps, intensities))


def _since_ps(box: Transmitter, pulse: Emission) -> Floats:
    """`(sample,)` time since MZI-2 and MZI-4 were switched, ps; negative before."""
    return np.asarray(pulse.times_ps + 0.5 * box.period_ps - box.switch_delay_ps)


def _levels(box: Transmitter, drives: Drives, pulse: Emission) -> tuple[Floats, Floats]:
    """`(source,)` settled transmittance of MZI-2 and `(source, previous)` its relative deviation over the pulse."""
    mzi, weight = box.chip.levels, pulse.power / pulse.power.sum()
    volts = np.array(drives.source_v)
    settled = interferometer.transmittance(mzi, volts, drives.bias_rad[1])
    since = _since_ps(box, pulse)
    after = stepped(volts[None, :, None], volts[:, None, None], since, mzi.time_constant_ps)
    passed = interferometer.transmittance(mzi, after, drives.bias_rad[1]) @ weight
    return settled, np.asarray(passed / settled[:, None] - 1.0)


def _states(box: Transmitter, drives: Drives, volts: Floats) -> Fields:
    """`(..., polarization)` behind the 2D coupler for voltages `(...)` of MZI-4, unit light into MZI-3."""
    feed = interferometer.matrix(box.chip.feed, 0.0, drives.bias_rad[2])[:, 0]
    bar, cross = interferometer.fields(box.chip.polarizer, volts, drives.bias_rad[3])
    common = np.exp(2j * interferometer.phases_rad(box.chip.polarizer, volts)[1])
    upper = bar * feed[0] - common * cross.conj() * feed[1]
    lower = cross * feed[0] + common * bar.conj() * feed[1]
    guides = np.stack([upper, lower], axis=-1)
    return np.asarray(guides @ grating.jones_matrix(box.chip.coupler_out, box.frequency_thz).T)


def _settled_states(box: Transmitter, drives: Drives) -> Fields:
    return _states(box, drives, np.array(drives.state_v))


def _state_pattern(box: Transmitter, drives: Drives, pulse: Emission) -> Floats:
    """`(state, previous)` share of the light that is orthogonal to the settled state."""
    volts = np.array(drives.state_v)
    tau_ps = box.chip.polarizer.time_constant_ps
    after = stepped(volts[None, :, None], volts[:, None, None], _since_ps(box, pulse), tau_ps)
    fields = _states(box, drives, after)  # (state, previous, sample, polarization)
    settled = _unit(_settled_states(box, drives))
    orthogonal = np.stack([-settled[:, 1].conj(), settled[:, 0].conj()], axis=1)
    wrong = np.abs(np.einsum("sp,sjtp->sjt", orthogonal.conj(), fields)) ** 2 @ pulse.power
    return np.asarray(wrong / ((np.abs(fields) ** 2).sum(axis=-1) @ pulse.power))


def _unit(vectors: Fields) -> Fields:
    """`(state, polarization)` unit vectors, each in phase with its ideal state where they have anything in common."""
    inner = (IDEAL.conj() * vectors).sum(axis=1)
    turn = np.where(np.abs(inner) > 0.0, inner.conj(), 1.0)
    return np.asarray(vectors * (turn / np.abs(turn) / np.linalg.norm(vectors, axis=1))[:, None])
