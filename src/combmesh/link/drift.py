r"""How fibres drift: polarization as a random walk on SU(2), delay with temperature. Many arms at once, `(...)`.

.. math:: J_{k+1} = e^{-i\boldsymbol\alpha\cdot\boldsymbol\sigma} J_k, \qquad \alpha_j \sim N(0, s_p^2)

forgets a polarization's Stokes vector as :math:`\langle \mathbf s\cdot\mathbf s_0\rangle = e^{-4 s_p^2 k}` to second
order in :math:`s_p`, exactly with :math:`\tfrac13[1+2(1-4s_p^2)e^{-2s_p^2}]` in place of :math:`e^{-4s_p^2}` (own
derivation). Temperature: the room's is an Ornstein-Uhlenbeck process, and the spool follows it through one pole, so
that a delay is smooth.
"""

from dataclasses import dataclass
from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_positive, check_range
from combmesh.link.fibre import FibreArm

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

_EYE = np.eye(2, dtype=np.complex128)


class DriftState(NamedTuple):
    """Where arms have drifted to, `(...)` each."""

    jones: Complexes  # (..., 2, 2) of the fibre, without loss
    room_k: Floats  # the room from its mean
    fibre_k: Floats  # the fibre from its mean


class Drift(NamedTuple):
    """What light meets."""

    jones: Complexes  # (..., 2, 2)
    delay_ps: Floats  # from the delay at the mean temperature


@dataclass(frozen=True)
class _Temperature:
    """Both poles of an arm over one step."""

    room_rms_k: float
    room_keeps: float
    fibre_keeps: float


def init(arm: FibreArm, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> DriftState:
    """Arms of `shape` at any polarization (Haar), and with temperatures as they are at any time."""
    if arm.length_km == 0.0:
        return DriftState(np.broadcast_to(_EYE, (*shape, 2, 2)).copy(), np.zeros(shape), np.zeros(shape))
    memory, lag = arm.room_memory_s, arm.spool_lag_s
    room_rms_k = arm.temperature_rms_k * sqrt((memory + lag) / memory)
    share = memory / (memory + lag)  # of the room's temperature in the fibre's, and of its variance
    room_k = room_rms_k * rng.standard_normal(shape)
    rest_k = room_rms_k * sqrt(share * (1.0 - share)) * rng.standard_normal(shape)
    return DriftState(random_jones(rng, shape), np.asarray(room_k), np.asarray(share * room_k + rest_k))


def step(arm: FibreArm, state: DriftState, dt_s: float, rng: np.random.Generator) -> tuple[DriftState, Drift]:
    """Arms `dt_s` later."""
    check_positive("dt_s", dt_s)
    if arm.length_km == 0.0:
        return state, Drift(state.jones, np.zeros(state.room_k.shape))
    shape = state.room_k.shape
    pole = _poles(arm, dt_s)
    fresh = pole.room_rms_k * sqrt(1.0 - pole.room_keeps**2)
    room_k = pole.room_keeps * state.room_k + fresh * rng.standard_normal(shape)
    fibre_k = room_k + pole.fibre_keeps * (state.fibre_k - room_k)
    sigma = arm.polarization_rad_sqrt_km_s * sqrt(arm.length_km * dt_s)
    jones = walk(state.jones, sigma, rng)
    state = DriftState(jones, np.asarray(room_k), np.asarray(fibre_k))
    return state, Drift(jones, np.asarray(arm.delay_ps_k * fibre_k))


def walk(jones: Complexes, sigma_rad: float, rng: np.random.Generator) -> Complexes:
    """One step of the random walk, `(..., 2, 2)`; `sigma_rad` is s_p."""
    check_range("sigma_rad", sigma_rad, 0.0)
    alpha = rng.normal(0.0, sigma_rad, (*jones.shape[:-2], 3))
    return np.asarray(rotation(alpha) @ jones)


def rotation(alpha: Floats) -> Complexes:
    r""":math:`e^{-i\alpha\cdot\sigma}`, `(..., 3)` to `(..., 2, 2)`; it turns the Stokes vector by twice
    :math:`|\alpha|`.

    :math:`e^{-i\alpha\cdot\sigma} = \cos|\alpha| - i\,\hat\alpha\cdot\sigma\sin|\alpha|`
    """
    length = np.linalg.norm(alpha, axis=-1)
    c, s = np.cos(length), np.sinc(length / np.pi)  # sin|alpha|/|alpha|
    x, y, z = s * alpha[..., 0], s * alpha[..., 1], s * alpha[..., 2]
    rows = [np.stack([c - 1j * z, -1j * x - y], axis=-1), np.stack([-1j * x + y, c + 1j * z], axis=-1)]
    return np.stack(rows, axis=-2)


def random_jones(rng: np.random.Generator, shape: tuple[int, ...] = ()) -> Complexes:
    """Matrices of SU(2) without any preference (Haar), `(*shape, 2, 2)`."""
    v = rng.standard_normal((*shape, 4))
    v = v / np.linalg.norm(v, axis=-1, keepdims=True)
    one, other = v[..., 0] + 1j * v[..., 1], v[..., 2] + 1j * v[..., 3]
    rows = [np.stack([one, -other.conj()], axis=-1), np.stack([other, one.conj()], axis=-1)]
    return np.stack(rows, axis=-2)


def _poles(arm: FibreArm, dt_s: float) -> _Temperature:
    rms_k = arm.temperature_rms_k * sqrt((arm.room_memory_s + arm.spool_lag_s) / arm.room_memory_s)
    keeps = exp(-dt_s / arm.spool_lag_s) if arm.spool_lag_s > 0.0 else 0.0
    return _Temperature(rms_k, exp(-dt_s / arm.room_memory_s), keeps)
