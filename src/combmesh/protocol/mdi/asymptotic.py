r"""The limit of endless data and decoys, and the bound that no link without a repeater passes.

.. math:: R = p_z^Ap_z^B\{z_Az_Be^{-z_A-z_B}Y_{11}[1-h(e_{11})] - fQ_{zz}h(E_{zz})\}

(Lo, Curty, Qi, PRL 108 130503 (2012)), with the yield and the phase error of single photons as they are.
"""

from functools import lru_cache
from math import exp, inf, log, log1p

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_range
from combmesh.link.gains import gain_z, yield_11
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import ZZ, binary_entropy
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import link_array, pair_gains, settings_array

_DIM = (1e-9, 1e-8)  # decoys that are never sent


def phase_error_11(link: Link) -> float:
    r"""Error of a pair of single photons in X, dark counts included.

    Right and wrong yields differ by :math:`(1-p_d)^2\gamma^2\eta_A\eta_B/2`, the term of first order in both
    intensities of the closed-form gains.
    """
    relay = link.relay
    p_d, visibility = relay.dark_count_probability, relay.visibility
    apart = (1.0 - p_d) ** 2 * (visibility / 0.5) * link.efficiency_a * link.efficiency_b / 2.0
    y11 = yield_11(link.efficiency_a, link.efficiency_b, p_d)
    return 0.5 * (1.0 - (1.0 - 2.0 * relay.misalignment_x) * apart / y11) if y11 > 0.0 else 0.5


def asymptotic_rate(link: Link, alice: Settings, bob: Settings, f_ec: float) -> float:
    """Secret bits for each pulse with endless data and decoys at given settings; below 0 where there is no key."""
    return _rate(link, settings_array(alice), settings_array(bob), f_ec)


def _rate(link: Link, a: NDArray[np.float64], c: NDArray[np.float64], f_ec: float) -> float:
    relay = link.relay
    gains, wrong = pair_gains(a, c, link_array(link))
    if gains[ZZ] <= 0.0:
        return 0.0
    gamma = (relay.visibility / 0.5) ** 0.5
    arrived = (a[2] * link.efficiency_a, c[2] * link.efficiency_b)
    announced = gains[ZZ] / sum(gain_z(*arrived, relay.dark_count_probability, gamma))  # live and of a Bell state
    q_11 = (
        a[2] * c[2] * exp(-a[2] - c[2]) * yield_11(link.efficiency_a, link.efficiency_b, relay.dark_count_probability)
    )
    private = announced * q_11 * (1.0 - binary_entropy(phase_error_11(link)))
    return float(a[5] * c[5] * (private - f_ec * gains[ZZ] * binary_entropy(wrong[ZZ] / gains[ZZ])))


@lru_cache(maxsize=4096)
def best_asymptotic(link: Link, f_ec: float) -> tuple[float, Settings, Settings]:
    """(secret bits for each pulse, settings of Alice and Bob) at the best signals, when nothing else is sent."""
    from scipy.optimize import minimize

    def user(log_z: float) -> NDArray[np.float64]:
        return np.array([*_DIM, min(exp(log_z), 5.0), 0.0, 0.0, 1.0, 0.0])

    def loss(point: NDArray[np.float64]) -> float:
        return -_rate(link, user(point[0]), user(point[1]), f_ec)

    starts = [np.full(2, log(z)) for z in (0.5, 0.05)]
    runs = [minimize(loss, start, method="Nelder-Mead") for start in starts]
    best = min(runs, key=lambda run: float(run.fun))
    alice, bob = (Settings(*map(float, user(log_z))) for log_z in best.x)
    return -float(best.fun), alice, bob


def repeaterless_bound(transmission: float) -> float:
    """-log2(1 - eta), bits for each pulse (Pirandola, Laurenza, Ottaviani, Banchi, Nat. Commun. 8 15043 (2017)).

    >>> round(repeaterless_bound(0.5), 12)
    1.0
    """
    check_range("transmission", transmission, 0.0, 1.0)
    return inf if transmission == 1.0 else -log1p(-transmission) / log(2.0)
