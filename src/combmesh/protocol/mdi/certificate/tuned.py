"""What a certificate would have given for counts at hand: for planning and comparison, never for a key."""

from math import exp, log, log2

import numpy as np
from numpy.typing import NDArray

from combmesh.protocol.mdi.certificate.certificate import Certificate, certificate_for, largest_t, log_inverse_eps
from combmesh.protocol.mdi.certificate.rows import class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients, log_statistic
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, settings_array

_LOWEST_LOG_T = -30.0


def tuned_certificate(
    expected: Tally, alice: Settings, bob: Settings, budget: EpsilonBudget, method: str = "certificate"
) -> Certificate | None:
    """The certificate with the most key for given counts, t and e0 included; None if there is none.

    It is a valid plan for another block. For the block that the counts come from it is not: its coefficients were not
    fixed before.
    """
    from scipy.optimize import minimize

    a, c = settings_array(alice), settings_array(bob)
    counts = class_counts(expected.detected, expected.errors)
    b, top = log_inverse_eps(method, budget.secrecy), log(largest_t(method))

    def loss_bits(point: NDArray[np.float64]) -> float:
        log_t, logit = float(point[0]), float(point[1])
        if not _LOWEST_LOG_T < log_t <= top or abs(logit) > 30:
            return np.inf
        t, e0 = exp(log_t), 0.5 / (1.0 + exp(-logit))
        rows, right_sides = photon_rows(a, c, t, 1.0 + log2(1.0 - e0), 1.0 + log2(e0), 0.0)
        v, _, possible = best_coefficients(counts, rows, right_sides)
        return (b - log_statistic(counts, v)) / t if possible else np.inf

    grid = [(log(t), logit) for t in np.geomspace(1e-12, 0.3, 28) for logit in (-2.2, -0.94, 0.4)]
    best = min(grid, key=lambda point: loss_bits(np.array(point)))
    found = minimize(loss_bits, np.array(best), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-2})
    t, e0 = min(exp(float(found.x[0])), largest_t(method)), 0.5 / (1.0 + exp(-float(found.x[1])))
    return certificate_for(expected, alice, bob, t, e0)
