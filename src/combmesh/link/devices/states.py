r"""What wrong polarizations do at a relay with polarizing beam splitters, for weak coherent pulses.

With Stokes vectors :math:`s, s'` of both users' light (H-V, D-A, circular) and equal means m, the four detectors give

.. math:: Q_{\psi^\pm} \propto A_H A_V \pm \tfrac{\gamma^2}{2} bb'\,(s_2 s_2' + s_3 s_3'), \qquad
    A_{H,V} = \tfrac12[b(1\pm s_1) + b'(1\pm s_1')]

in the mean over the relative phase (own derivation; b is a state's brightness). So a share e of each user's light in
the wrong polarization costs 4e in Z, twice what it costs single photons: one user's two photons in H and V look like
one photon of each. Errors are given as a factor of :math:`1-2E`, which is the product of all factors of its basis.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.transmitter.spec import PulseSpec, best_stokes

Floats = NDArray[np.float64]


class Both(NamedTuple):
    """A factor of 1 - 2E in each basis."""

    z: Floats
    x: Floats


def state_factors(alice: PulseSpec, bob: PulseSpec) -> Both:
    """What the four states of both users leave, each behind its best rotation, without pattern effect.

    >>> from combmesh.device.transmitter import paper_pulse_spec
    >>> factors = state_factors(paper_pulse_spec("alice"), paper_pulse_spec("bob"))
    >>> round(0.5 - 0.5 * float(factors.z), 4)  # of 0.33 % wrong light in each state
    0.0135
    """
    z = _contrast(alice, bob, slice(0, 2), in_z=True)
    x = _contrast(alice, bob, slice(2, 4), in_z=False) / 0.5
    return Both(np.asarray(z), np.asarray(x))


def pattern_factors(alice: PulseSpec, bob: PulseSpec) -> Both:
    """What is left of the previous pulse's state: its share of light counts as wrong polarization."""
    shares = [[float(spec.state_pattern[rows].mean()) for spec in (alice, bob)] for rows in (slice(0, 2), slice(2, 4))]
    return Both(wrong_light_z(*map(np.asarray, shares[0])), wrong_light_x(*map(np.asarray, shares[1])))


def wrong_light_z(e_a: Floats, e_b: Floats) -> Floats:
    """Factor of 1 - 2E in Z of shares of wrong light `(...)` of both users, in random directions."""
    wrong = (2.0 - e_a - e_b) * (e_a + e_b)  # A_H A_V of equal bits, in units of m^2
    right = 1.0 - (e_a - e_b) ** 2  # and of unequal bits
    return np.asarray((right - wrong) / (right + wrong))


def wrong_light_x(e_a: Floats, e_b: Floats) -> Floats:
    """Factor of 1 - 2E in X of shares of wrong light `(...)` of both users, in random directions."""
    return np.asarray((1.0 - 2.0 * e_a) * (1.0 - 2.0 * e_b) / (1.0 - 0.5 * (e_a + e_b)))


def _contrast(alice: PulseSpec, bob: PulseSpec, rows: slice, in_z: bool) -> float:
    """(right - wrong)/(right + wrong) of the four pairs of states of a basis, gamma 1."""
    s, t = best_stokes(alice)[rows, None, :], best_stokes(bob)[None, rows, :]
    b, c = alice.brightness[rows, None], bob.brightness[None, rows]
    A_H = 0.5 * (b * (1.0 + s[..., 0]) + c * (1.0 + t[..., 0]))
    both = A_H * (b + c - A_H)
    cross = 0.5 * b * c * (s[..., 1] * t[..., 1] + s[..., 2] * t[..., 2])
    equal = np.where(np.eye(2, dtype=bool), 1.0, -1.0)
    difference = -equal * both if in_z else equal * cross
    return float(difference.sum() / both.sum())
