r"""Two users' light on Charlie's beam splitter: mean photons of coherent states, outcomes of number states.

With real polarization vectors :math:`e_A, e_B` the outputs of polarization p see
:math:`I_{1p}, I_{2p} = (a\,e_{Ap}^2 + b\,e_{Bp}^2)/2 \pm \gamma\sqrt{ab}\,e_{Ap}e_{Bp}\cos\varphi`;
:math:`\gamma` is the overlap of the two modes in time and frequency.
"""

from math import cos, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

_DIAGONAL = sqrt(0.5)


@kernel
def polarization(in_z: bool, bit: int) -> tuple[float, float]:
    """(H, V) amplitudes: H and V for bits 0 and 1 of Z, D and A for those of X."""
    if in_z:
        return 1.0 - bit, float(bit)
    return _DIAGONAL, _DIAGONAL * (1 - 2 * bit)


@kernel
def outputs(
    a: float, b: float, e_a: tuple[float, float], e_b: tuple[float, float], overlap: float, phase: float
) -> tuple[float, float, float, float]:
    """Mean photons at 1H, 1V, 2H, 2V; `a`, `b` arrive with the relative phase `phase` in rad."""
    cross = overlap * sqrt(a * b) * cos(phase)
    half_h = 0.5 * (a * e_a[0] ** 2 + b * e_b[0] ** 2)
    half_v = 0.5 * (a * e_a[1] ** 2 + b * e_b[1] ** 2)
    cross_h, cross_v = cross * e_a[0] * e_b[0], cross * e_a[1] * e_b[1]
    return half_h + cross_h, half_v + cross_v, half_h - cross_h, half_v - cross_v


@kernel
def number_state_outcome(
    rng: np.random.Generator,
    m_a: int,
    m_b: int,
    e_a: tuple[float, float],
    e_b: tuple[float, float],
    overlap: float,
    outcome: NDArray[np.int64],
) -> None:
    r"""Detectors of the photons of :math:`|m_A\rangle|m_B\rangle`, one after the other, into `outcome[: m_a + m_b]`.

    The photons are absorbed one by one. After l of them the state is :math:`\sum_k c_k |m_A-k, m_B-l+k\rangle`; one in
    mode d, whose annihilation operator is :math:`u_d a + v_d b`, leaves
    :math:`c'_{k+1} \mathrel{+}= u_d\sqrt{m_A-k}\,c_k` and :math:`c'_k \mathrel{+}= v_d\sqrt{m_B-l+k}\,c_k`, and does so
    with the probability :math:`|c'|^2/(m_A+m_B-l)`. Each detector sees two modes: the one that Alice's light has, and
    one orthogonal to it that holds the share :math:`1-\gamma^2` of Bob's.
    """
    total = m_a + m_b
    state, after = np.zeros(total + 2), np.zeros(total + 2)
    state[0] = 1.0
    apart = sqrt(max(1.0 - overlap * overlap, 0.0))
    for taken in range(total):
        left = rng.random() * (total - taken)
        chosen_u, chosen_v = 0.0, 0.0
        for mode in range(8):
            detector = mode % 4
            u = _DIAGONAL * e_a[detector % 2] if mode < 4 else 0.0
            v = _DIAGONAL * e_b[detector % 2] * (overlap if mode < 4 else apart) * (1.0 if detector < 2 else -1.0)
            weight = _absorb(state, after, u, v, m_a, m_b, taken)
            if weight > 0.0:
                outcome[taken], chosen_u, chosen_v = detector, u, v
                left -= weight
                if left <= 0.0:
                    break
        scale = 1.0 / sqrt(_absorb(state, after, chosen_u, chosen_v, m_a, m_b, taken))
        for k in range(taken + 2):
            state[k] = after[k] * scale


@kernel
def _absorb(
    state: NDArray[np.float64], after: NDArray[np.float64], u: float, v: float, m_a: int, m_b: int, taken: int
) -> float:
    """The state after one more photon, into `after[: taken + 2]`; its squared norm."""
    for k in range(taken + 2):
        after[k] = 0.0
    for k in range(taken + 1):
        if k <= m_a and taken - k <= m_b:
            after[k + 1] += u * sqrt(m_a - k) * state[k]
            after[k] += v * sqrt(m_b - taken + k) * state[k]
    weight = 0.0
    for k in range(taken + 2):
        weight += after[k] ** 2
    return weight
