r"""The channel that fits a count table best, so that rows which no such channel gives stand out.

The closed-form gains (Ma & Razavi 2012, `link.gains`) with eight free numbers: efficiencies of the arms, dark counts,
misalignments, visibility, a common share (one Bell state of two, dead time), and a leak: real light in Z reaches both
polarizations, so that the light of one user alone makes coincidences, which the closed form leaves out,

.. math::
   Q_{oz} = Q_{oz}^{\mathrm{model}} + \kappa\,(\eta_B z_B)^2, \qquad
   Q_{zo} = Q_{zo}^{\mathrm{model}} + \kappa\,(\eta_A z_A)^2.

A row weighs by its Poisson error and 10 % for the model; deviations count linearly once they are large (soft L1), so
a few wrong rows do not pull the channel.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import OX, OY, OZ, PAIRS, XO, XX, XY, YO, YX, YY, ZO, ZZ
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import link_array, pair_gains, settings_array

MODEL_ERROR = 0.1
"""Relative error of the model in a row, one standard deviation of the fit."""

ERROR_PAIRS = (XX, YY, XY, YX, ZZ)
"""Pairs whose wrong counts say something: the others hold a vacuum, whose error is a coin."""

_DIM = (OX, XO, OY, YO)
_FREE = 8
_LOW = np.array([-18.0, -18.0, -25.0, 0.0, 0.0, 0.2, -18.0, -30.0])
_HIGH = np.array([0.0, 0.0, -3.0, 0.5, 0.5, 1.0, 0.0, -0.7])
_PRIOR = np.array([-6.0, -6.0, -16.0, 0.02, 0.02, 1.0, 0.0, -6.0])
_PRIOR_WIDTH = np.array([30.0, 30.0, 10.0, 0.2, 0.1, 0.3, 10.0, 20.0])
_STEP = np.array([1.0, 1.0, 1.0, 0.05, 0.05, 0.1, 1.0, 1.0])


@dataclass(frozen=True)
class Channel:
    """A channel, fitted or given, and what it expects of a table.

    Attributes:
        efficiency_a, efficiency_b, dark_count_probability, misalignment_z, misalignment_x, visibility: as in `Link`
            and `Relay`.
        share: common factor of all gains (Bell states, dead time).
        leak_z: kappa above.
        detected, errors: `(pair,)` expected counts.
        fitted: whether the numbers come from the counts.
    """

    efficiency_a: float
    efficiency_b: float
    dark_count_probability: float
    misalignment_z: float
    misalignment_x: float
    visibility: float
    share: float
    leak_z: float
    detected: NDArray[np.float64]
    errors: NDArray[np.float64]
    fitted: bool


def _counts(
    link: NDArray[np.float64], kappa: float, users: NDArray[np.float64], sent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(pair,)` expected coincidences and wrong ones."""
    a, c = users
    gains, wrong = pair_gains(a, c, link)
    gains[OZ] += kappa * (link[1] * c[2]) ** 2
    gains[ZO] += kappa * (link[0] * a[2]) ** 2
    return sent * gains, sent * wrong


def _link_of(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The link as the kernels take it, from (ln eta_a, ln eta_b, ln p_d, e_z, e_x, gamma, ln share, ln kappa)."""
    eta_a, eta_b, p_d, share = np.exp(point[[0, 1, 2, 6]])
    return np.array([eta_a, eta_b, p_d, point[3], point[4], point[5], share, 0.0, 1.0])


def _starts(residuals_at: "_Residuals") -> list[NDArray[np.float64]]:
    """The best points of a coarse grid over arms, dark counts and share: one without a leak, one with."""
    starts = []
    for leak in (-25.0, -5.0):
        least = np.inf
        for arm, tilt, dark, share in product(
            np.linspace(-12.0, -0.5, 24), (-1.2, 0.0, 1.2), (-20.0, -15.0, -11.0), (0.0, -4.0)
        ):
            point = _PRIOR.copy()
            point[[0, 1, 2, 6, 7]] = min(arm + tilt, 0.0), min(arm - tilt, 0.0), dark, share, leak
            cost = float(np.sqrt(1.0 + residuals_at(point) ** 2).sum())
            if cost < least:
                best, least = point, cost
        starts.append(best)
    return starts


@dataclass(frozen=True)
class _Residuals:
    """Weighted log ratios of the known rows, then the weak priors that keep free what no row sees."""

    users: NDArray[np.float64]
    sent: NDArray[np.float64]
    gains_seen: NDArray[np.bool_]
    errors_seen: NDArray[np.bool_]
    counts: NDArray[np.float64]  # (row,)

    def __call__(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        detected, wrong = _counts(_link_of(point), float(np.exp(point[7])), self.users, self.sent)
        model = np.concatenate([detected[self.gains_seen], wrong[self.errors_seen]])
        spread = np.sqrt(1.0 / (self.counts + 1.0) + MODEL_ERROR**2)
        ratios: NDArray[np.float64] = np.log((self.counts + 0.5) / (model + 0.5)) / spread
        return np.concatenate([ratios, (point - _PRIOR) / _PRIOR_WIDTH])


def fit_channel(
    sent: NDArray[np.float64],
    detected: NDArray[np.float64],
    errors: NDArray[np.float64],
    alice: Settings,
    bob: Settings,
) -> Channel | None:
    """The channel nearest to the known rows; None where they are fewer than its free numbers.

    Args:
        sent, detected, errors: `(pair,)`, NaN where a count is not known.
        alice, bob: settings of the users.
    """
    from scipy.optimize import least_squares

    gains_seen = (sent > 0) & np.isfinite(detected)
    errors_seen = gains_seen & np.isfinite(errors) & np.isin(np.arange(len(PAIRS)), ERROR_PAIRS)
    counts = np.concatenate([detected[gains_seen], errors[errors_seen]])
    if len(counts) <= _FREE or not gains_seen[[*_DIM]].any():
        return None
    users = np.array([settings_array(alice), settings_array(bob)])
    residuals = _Residuals(users, np.where(gains_seen, sent, 0.0), gains_seen, errors_seen, counts)
    fits = [
        least_squares(residuals, start, bounds=(_LOW, _HIGH), loss="soft_l1", x_scale=_STEP, max_nfev=200)
        for start in _starts(residuals)
    ]
    found = min(fits, key=lambda fit: float(fit.cost))
    return _channel(_link_of(found.x), float(np.exp(found.x[7])), users, sent, True)


def given_channel(link: Link, sent: NDArray[np.float64], alice: Settings, bob: Settings) -> Channel:
    """What a known link expects of the pulses sent."""
    users = np.array([settings_array(alice), settings_array(bob)])
    return _channel(link_array(link), 0.0, users, sent, False)


def _channel(
    link: NDArray[np.float64], kappa: float, users: NDArray[np.float64], sent: NDArray[np.float64], fitted: bool
) -> Channel:
    detected, wrong = _counts(link, kappa, users, sent)
    eta_a, eta_b, p_d, e_z, e_x, gamma, share = map(float, link[:7])
    return Channel(eta_a, eta_b, p_d, e_z, e_x, 0.5 * gamma**2, share, kappa, detected, wrong, fitted)
