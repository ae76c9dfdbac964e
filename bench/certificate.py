"""The certificate: coefficients of one table, and a link planned from nothing."""

import time
from functools import partial
from itertools import combinations

import numpy as np

from bench.engine import PAPER
from bench.timing import Row, best_s, row
from combmesh.ground.parallel import map_batches, processors
from combmesh.link.relay import Link
from combmesh.network.block import Rules, plan_link
from combmesh.network.campaign import MANY_BATCH
from combmesh.protocol.mdi.block_plan import Judgement, known_nearby, plan_block
from combmesh.protocol.mdi.certificate.certificate import Certificate
from combmesh.protocol.mdi.certificate.plan import plan_certificate
from combmesh.protocol.mdi.certificate.rows import class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients, log_statistic
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis
from combmesh.protocol.mdi.optimise import optimise
from combmesh.protocol.mdi.rules import BlockRule, Reconciliation
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


def many_plans() -> list[Row]:
    """The 19,900 links of 200 users who all differ, as a campaign plans them; and 100 of them beside planning alone."""
    rng = np.random.default_rng(2)
    arms = 10 ** (-0.02 * rng.uniform(20, 130, 200))
    links = [Link(a, b, PAPER.relay, 2.5e9) for a, b in combinations(map(float, arms), 2)]
    rules = Rules(Judgement("certificate"), Reconciliation(), BlockRule(), None, seed=1, with_bits=False)
    rule = rules.judgement, rules.reconciliation.planned_f_ec, rules.block
    began = time.perf_counter()
    tasks = list(zip(links, known_nearby(links, *rule, processors()), strict=True))
    planned = dict(
        pair for pairs in map_batches(partial(plan_link, rules), tasks, processors(), MANY_BATCH) for pair in pairs
    )
    many_s = time.perf_counter() - began
    worst = 0.0
    for k in rng.choice(len(links), 100, replace=False):
        alone = plan_block(links[k], *rule).rate_per_pulse
        if alone > 0.0:
            worst = max(worst, 1.0 - planned[links[k]].rate_per_pulse / alone)
    return [
        row(f"certificate: plans of {len(links)} unequal links, {processors()} processors", many_s, "s"),
        row("certificate: most that 100 of them lose beside planning alone", 100 * worst, "%"),
    ]


BENCHMARKS = (coefficients, plans, many_plans)
