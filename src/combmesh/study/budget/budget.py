r"""The budget of a link: factors of the dip's visibility and of 1 - 2E in each basis, and the key each would gain.

.. math:: V = \tfrac12\prod f_i, \qquad 1-2E_Z = \prod z_i, \qquad 1-2E_X = \tfrac12\prod x_i

so that :math:`\ln` of each adds up. The floor of X, 25 %, is that of weak coherent pulses: with a visibility V it is
(1 - V)/2. A cause's points are its share of the logarithm, times what separates the total from its ideal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

import numpy as np

from combmesh.ground.errors import check_positive
from combmesh.link.devices.build import LineTerms, Pair, line_terms, links_of, product
from combmesh.link.devices.residuals import Residuals
from combmesh.link.relay import Link
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.budget.causes import CAUSES, IDEAL
from combmesh.study.budget.rates import KeyRule, Plans, kept_rates_bps, plans_for, plans_with_vacuum, without_dark

DIP, Z, X = "dip", "z", "x"
QUANTITIES = (DIP, Z, X)
COHERENT_FLOOR_X = 0.25
EVERYTHING = "everything"

NOTHING_LEFT = 1e-12
"""A contrast below is rounding: everything is lost."""


@dataclass(frozen=True)
class Term:
    """What one cause does.

    Attributes:
        name: of `CAUSES`, or `EVERYTHING` for all that devices could improve.
        factors: of the dip's visibility, of 1 - 2E in Z and in X, by `QUANTITIES`.
        points: what it takes of the visibility, what it adds to the QBERs.
        planned_bps: key rate of each method if it were perfect, planned anew; None if it cannot be made perfect.
        kept_bps: the same with the plan of the link as it is.
    """

    name: str
    factors: Mapping[str, float]
    points: Mapping[str, float]
    planned_bps: Mapping[str, float] | None
    kept_bps: Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class Budget:
    """A link's budget.

    Attributes:
        line, itu_label: the comb line.
        dip_visibility: that a scan shows.
        qber_z, qber_x: expected.
        visibility_x: of the mode overlap, whose floor of X is (1 - V)/2.
        terms: by cause, the largest harm first.
        all_perfect: everything that devices could improve, at once.
        not_closed: sum of the terms' shares of the total's logarithm, less 1, by `QUANTITIES`.
        plans: of the link as it is.
        rates_bps: key rate of each method.
        link: as the devices make it.
        broken: a sentence for each assumption of the proof that the light breaks.
    """

    line: int
    itu_label: str
    dip_visibility: float
    qber_z: float
    qber_x: float
    visibility_x: float
    terms: tuple[Term, ...]
    all_perfect: Term
    not_closed: Mapping[str, float]
    plans: Plans
    rates_bps: Mapping[str, float]
    link: Link
    broken: tuple[str, ...]

    @property
    def devices_alone(self) -> dict[str, float]:
        """Visibility and QBERs without what is fitted, by `QUANTITIES`."""
        devices = [term.factors for term in self.terms if not CAUSES[term.name].fitted]
        dip, z, x = (float(np.prod([factors[q] for factors in devices])) for q in QUANTITIES)
        return {DIP: 0.5 * dip, Z: 0.5 - 0.5 * z, X: 0.5 - 0.25 * x}

    @property
    def floor_x(self) -> float:
        """QBER of X that follows from the mode overlap alone."""
        return 0.5 * (1.0 - self.visibility_x)


def link_budget(
    pair: Pair,
    line: int,
    rule: KeyRule,
    names: tuple[str, str] = ("Alice", "Bob"),
    residuals: tuple[Residuals, Residuals] | None = None,
) -> Budget:
    """The budget of a pair's link on one line.

    Args:
        pair: the users and their devices.
        line: the comb line.
        rule: how a block becomes key.
        names: of the users.
        residuals: what is left of both users' drifts; None takes the rms values of `Control`.
    """
    for efficiency in pair.efficiencies:
        check_positive("arm_efficiency", efficiency)
    terms = line_terms(pair, [line], residuals)
    (link,) = links_of(pair, terms)
    lights = pair.lights()
    plans = plans_with_vacuum(link, rule, (lights[0].spec, lights[1].spec))
    tally = expected_tally(link, plans.scan.alice, plans.scan.bob, plans.scan.pulses)
    totals = {DIP: 2.0 * float(terms.dip_visibility[0]), Z: 1.0 - 2.0 * tally.qber_z, X: 2.0 - 4.0 * tally.qber_x}
    factors = _factors(terms, link, plans)
    rows = [_term(name, pair, terms, rule, plans, factors, totals) for name in CAUSES if name in factors]
    place = int(lights[0].places(terms.line)[0])
    return Budget(
        line=line,
        itu_label=lights[0].itu_label[place],
        dip_visibility=float(terms.dip_visibility[0]),
        qber_z=tally.qber_z,
        qber_x=tally.qber_x,
        visibility_x=float(terms.visibility[0]),
        terms=tuple(sorted(rows, key=_harm, reverse=True)),
        all_perfect=_term(EVERYTHING, pair, terms, rule, plans, factors, totals),
        not_closed={name: _not_closed([row.factors[name] for row in rows], totals[name]) for name in QUANTITIES},
        plans=plans,
        rates_bps=plans.rates_bps(link.clock_hz),
        link=link,
        broken=broken_by(pair, names),
    )


def _factors(terms: LineTerms, link: Link, plans: Plans) -> dict[str, dict[str, float]]:
    """Factors by cause and quantity; what is not there is 1."""
    found: dict[str, dict[str, float]] = {}
    parts = ((DIP, terms.overlap), (DIP, terms.dip), (X, terms.overlap), (X, terms.x), (Z, terms.z))
    for quantity, part in parts:
        for name, value in part.items():
            found.setdefault(name, dict.fromkeys(QUANTITIES, 1.0))[quantity] *= float(value.ravel()[0])
    for name, (z, x) in _light_factors(link, plans, float(product(terms.overlap).ravel()[0])).items():
        found.setdefault(name, dict.fromkeys(QUANTITIES, 1.0)).update({Z: z, X: x})
    found["vacuum"] = dict.fromkeys(QUANTITIES, 1.0)
    return found


def _light_factors(link: Link, plans: Plans, M: float) -> dict[str, tuple[float, float]]:
    """(Z, X) factors of 1 - 2E that the closed form has of its own: intensities, brightness, dark counts."""
    alice, bob = plans.scan.alice, plans.scan.bob
    aligned = replace(link, relay=replace(link.relay, misalignment_z=0.0, misalignment_x=0.0))
    lit, seen = (expected_tally(one, alice, bob, plans.scan.pulses) for one in (without_dark(aligned), aligned))
    a, b = alice.x * link.efficiency_a, bob.x * link.efficiency_b
    equal = 4.0 * a * b / (a + b) ** 2
    bright_x = _ratio(2.0 - 4.0 * lit.qber_x, M * equal)
    dark_x = _ratio(1.0 - 2.0 * seen.qber_x, 1.0 - 2.0 * lit.qber_x)
    bright_z = 1.0 - 2.0 * lit.qber_z
    return {
        "intensity": (1.0, equal),
        "brightness": (bright_z, bright_x),
        "dark": ((1.0 - 2.0 * seen.qber_z) / bright_z, dark_x),
    }


def _ratio(above: float, below: float) -> float:
    """Their ratio, 1 where nothing is left."""
    return above / below if below > NOTHING_LEFT else 1.0


def _term(
    name: str,
    pair: Pair,
    terms: LineTerms,
    rule: KeyRule,
    plans: Plans,
    factors: Mapping[str, Mapping[str, float]],
    totals: Mapping[str, float],
) -> Term:
    causes = [cause for cause in factors if cause not in IDEAL] if name == EVERYTHING else [name]
    own = {q: float(np.prod([factors[cause][q] for cause in causes])) for q in QUANTITIES}
    losses = {DIP: 0.5 * (1.0 - totals[DIP]), Z: 0.5 * (1.0 - totals[Z]), X: 0.25 * (1.0 - totals[X])}
    points = {q: losses[q] * _log_share(own[q], totals[q]) for q in QUANTITIES}
    if name in IDEAL:
        return Term(name, own, points, None, None)
    (link,) = links_of(pair, terms.without(*causes))
    link = without_dark(link) if "dark" in causes else link
    vacuum = (0.0, 0.0) if "vacuum" in causes else plans.vacuum
    kept = kept_rates_bps(link, rule, plans)
    return Term(name, own, points, plans_for(link, rule, vacuum).rates_bps(link.clock_hz), kept)


def _harm(term: Term) -> float:
    """What the table is sorted by: points of all three quantities."""
    return sum(abs(points) for points in term.points.values())


def _log_share(factor: float, total: float) -> float:
    """ln of a factor over that of the total; where nothing is left, all of it is what leaves nothing."""
    if total == 1.0 or factor == 1.0:
        return 0.0
    if min(factor, total) < NOTHING_LEFT:
        return float(factor < NOTHING_LEFT)
    return log(factor) / log(total)


def _not_closed(factors: list[float], total: float) -> float:
    """Sum of the terms' shares, less 1."""
    return sum(_log_share(factor, total) for factor in factors) - 1.0 if total != 1.0 else 0.0


def broken_by(pair: Pair, names: tuple[str, str]) -> tuple[str, ...]:
    """A sentence for each assumption of the proof that a pair's light breaks, once where it is that of both users."""
    lights = pair.lights()
    if lights[0].spec.assumptions_broken == lights[1].spec.assumptions_broken:
        return tuple(f"Both users: {sentence}" for sentence in lights[0].spec.assumptions_broken)
    return tuple(
        f"{name}: {sentence}"
        for name, light in zip(names, lights, strict=True)
        for sentence in light.spec.assumptions_broken
    )
