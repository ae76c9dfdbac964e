"""The certificate: coefficients of one table, and a link planned from nothing."""

import numpy as np

from bench.engine import PAPER
from bench.timing import Row, best_s, row
from combmesh.link.relay import Link
from combmesh.protocol.mdi.certificate.certificate import Certificate
from combmesh.protocol.mdi.certificate.plan import plan_certificate
from combmesh.protocol.mdi.certificate.rows import class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients, log_statistic
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import optimise
from combmesh.protocol.mdi.rules import BlockRule
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import expected_tally, settings_array

CHECK_POINT = Settings(0.05299, 0.24985, 0.33288, 0.27771, 0.02821, 0.655)
T, G, W = 2.1e-4, 1.0 + np.log2(1 - 0.14236), 1.0 + np.log2(0.14236)


def coefficients() -> list[Row]:
    """The concave problem of 13 unknowns and 25 rows, beside SciPy's general method for such problems."""
    from scipy.optimize import LinearConstraint, minimize

    tally = expected_tally(PAPER, CHECK_POINT, CHECK_POINT, 2.5e12)
    counts = np.maximum(class_counts(tally.detected, tally.errors), 0.3)
    a = settings_array(CHECK_POINT)
    rows, right_sides = photon_rows(a, a, T, G, W, 0.0)
    v, _, _ = best_coefficients(counts, rows, right_sides)

    def peer() -> None:
        found = minimize(
            lambda u: -log_statistic(counts, u),
            np.where(np.arange(13) % 2 == 1, -0.1, -0.01),
            jac=lambda u: -counts / (1 + u),
            hess=lambda u: np.diag(counts / (1 + u) ** 2),
            bounds=[(-0.999, 10.0)] * 13,
            constraints=[LinearConstraint(rows, -np.inf, right_sides)],
            method="trust-constr",
            options={"maxiter": 500},
        )
        assert abs(-found.fun - log_statistic(counts, v)) < 0.1

    def ours() -> None:
        for _ in range(1000):
            best_coefficients(counts, rows, right_sides)

    return [
        row(
            "certificate: coefficients of a table",
            1e3 * best_s(ours),
            "us",
            "SciPy trust-constr",
            1e6 * best_s(peer, 1),
        )
    ]


def plans() -> list[Row]:
    """Settings, t, e0 and coefficients of a link; and the proof in exact arithmetic that all rows hold."""
    block, budget = BlockRule(1000, 1e12), EpsilonBudget()
    unequal = Link(0.12, 0.012, PAPER.relay, 2.5e9)

    def fresh(link: Link) -> Certificate | None:
        plan_certificate.cache_clear()
        return plan_certificate(link, 1.16, block, budget).certificate

    certified_bps = 2.5e9 * plan_certificate(PAPER, 1.16, block, budget).rate_per_pulse
    scanned_bps = 2.5e9 * optimise(PAPER, Analysis(), 1.16, block).rate_per_pulse
    return [
        row("certificate: plan of a link, equal arms", 1e3 * best_s(lambda: fresh(PAPER)), "ms"),
        row("certificate: plan of a link, unequal arms", 1e3 * best_s(lambda: fresh(unequal)), "ms"),
        row("certificate: key rate at the paper's point", certified_bps, "bit/s", "double scan", scanned_bps),
    ]


BENCHMARKS = (coefficients, plans)
