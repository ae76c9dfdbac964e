r"""Decoy bounds on pairs in which each user sent one photon.

With :math:`G_{ab} = e^{a+b} \langle n_{ab}\rangle / w_{ab}` (weights :math:`w` of `tally`), :math:`x=\nu` and
:math:`y=\mu` (Zhou, Yu, Wang 2016, for the classes of Z; Zeng 2022, Suppl. Note 3, for their use in mode pairing)

.. math::
   M_{11} \ge \frac{y_A^2 y_B (G_{xx}-G_{xo}-G_{ox}+G_{oo}) - x_A^2 x_B (G_{yy}-G_{yo}-G_{oy}+G_{oo})}
                   {x_A x_B y_A y_B (y_A-x_A)},

valid for :math:`y_A/x_A \le y_B/x_B` (otherwise the users change places), and from the weak pairs of X, whose total
intensities are :math:`2\nu`,

.. math::
   M_{11}^{\mathrm{wrong}} \le
   \frac{G^{\mathrm{wrong}}_{2\nu,2\nu} - (G_{2\nu,o} + G_{o,2\nu} - G_{oo})/2}{4\nu_A\nu_B}.

What is assumed: Poissonian light of random phase in every round, vacuum that is vacuum, and sources chosen
independently. Two facts carry the bounds from one basis to the other. (1) One photon of each user in two paired rounds
is the same state in Z and in the kept part of X (in both the two qubits are fully mixed: in X the relative phase is
uniform, and differences 0 and pi are kept alike), so both share :math:`M_{11}`. Two and more photons of a user are not
the same in both, so each basis has its own counts for them; besides :math:`M_{11}` only oo is taken over. (2) If a
user's part of a weak pair held no photon, its phase, and with it the bit, is a fair coin; so half the vacuum part is
wrong, whatever error the experiment assigned to pairs with a vacuum (Zhu 2023 prints 0.51 of them as wrong at 101 km;
those counts are not read).
"""

import numpy as np
from numpy.typing import NDArray

from combmesh.protocol.mdi.bounds import joint_lower, joint_upper
from combmesh.protocol.mode_pairing.settings import Settings
from combmesh.protocol.mode_pairing.tally import MU, NU, O


def pairs_11_lower(
    z_pairs: NDArray[np.float64],
    weights: NDArray[np.float64],
    alice: Settings,
    bob: Settings,
    b: float,
    tail: int,
) -> float:
    """Lower bound on M11, the expected single-photon pairs for each unit of weight; negative if nothing is certain.

    Args:
        z_pairs: `(alice, bob)` counts of Z.
        weights: `(alice, bob)` weights of the classes of Z, above 0.
        alice, bob: intensities of the users.
        b: ln(1/eps) of each one-sided bound.
        tail: EXACT or SIMPLE.
    """
    if alice.mu * bob.nu > bob.mu * alice.nu:  # y_A/x_A > y_B/x_B: the users change places
        return pairs_11_lower(z_pairs.T, weights.T, bob, alice, b, tail)
    xa, ya, xb, yb = alice.nu, alice.mu, bob.nu, bob.mu
    g = np.outer(np.exp([0.0, xa, ya]), np.exp([0.0, xb, yb])) / weights
    up, down = ya * ya * yb, xa * xa * xb
    plus = joint_lower(
        np.array([up * g[NU, NU], down * g[O, MU], down * g[MU, O], (up - down) * g[O, O]]),
        np.array([z_pairs[NU, NU], z_pairs[O, MU], z_pairs[MU, O], z_pairs[O, O]]),
        b,
        tail,
    )
    minus = joint_upper(
        np.array([up * g[O, NU], up * g[NU, O], down * g[MU, MU]]),
        np.array([z_pairs[O, NU], z_pairs[NU, O], z_pairs[MU, MU]]),
        b,
        tail,
    )
    return float((plus - minus) / (xa * xb * ya * yb * (ya - xa)))  # Zhou 2016, s11


def wrong_11_upper(
    x_pairs: NDArray[np.float64],
    wrong: float,
    oo: float,
    weights: NDArray[np.float64],
    alice: Settings,
    bob: Settings,
    b: float,
    tail: int,
) -> float:
    """Upper bound on the expected wrong single-photon pairs of X for each unit of weight, at least 0.

    Args:
        x_pairs: `(alice, bob)` kept pairs of X.
        wrong: wrong ones among `x_pairs[NU, NU]`.
        oo: pairs with vacuum in all four places.
        weights: `(alice, bob)` weights of the classes of X, above 0.
        alice, bob, b, tail: as in `pairs_11_lower`.
    """
    return max(weak_11_upper(x_pairs, wrong, 0.5, oo, weights, alice, bob, b, tail), 0.0)


def weak_11_upper(
    x_pairs: NDArray[np.float64],
    part: float,
    vacuum_share: float,
    oo: float,
    weights: NDArray[np.float64],
    alice: Settings,
    bob: Settings,
    b: float,
    tail: int,
) -> float:
    """As `wrong_11_upper` for any part of the weak pairs of X that holds this share of those with a vacuum.

    Below 0 where so few pairs cannot be: the vacuum alone gives more.
    """
    xa, xb, share = 2.0 * alice.nu, 2.0 * bob.nu, vacuum_share
    plus = joint_upper(
        np.array([np.exp(xa + xb) / weights[NU, NU], share / weights[O, O]]), np.array([part, oo]), b, tail
    )
    minus = joint_lower(
        np.array([share * np.exp(xa) / weights[NU, O], share * np.exp(xb) / weights[O, NU]]),
        np.array([x_pairs[NU, O], x_pairs[O, NU]]),
        b,
        tail,
    )
    return float((plus - minus) / (xa * xb))  # Zhou 2016, e11, with half of H wrong
