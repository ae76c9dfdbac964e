r"""Can any photon-number yields give these counts? A linear programme and a proof that needs no solver.

Unknowns are the right and the wrong yield of each pair of photon numbers (n, m), between 0 and 1:

.. math:: \langle n_{uv}^{\mathrm{right}}\rangle = N_{uv}\sum_{nm} P_u(n)P_v(m)\,g_{nm},\qquad
          \langle n_{uv}^{\mathrm{wrong}}\rangle = N_{uv}\sum_{nm} P_u(n)P_v(m)\,w_{nm}.

What physics adds: whoever sends no photon has a fair coin for a bit, so g = w where n or m is 0; a vacuum and a single
photon, averaged over the bit, are the same in both bases, so the yields g + w of (0,0), (0,1), (1,0), (1,1) are shared
by X and Z. Light in o carries X bits: in oz and zo it shares the yields of Z where it is at most one photon, and has no
error to speak of. Photon numbers above a cut-off give a row anything between nothing and everything.

Every row is divided by its upper bound and every yield by the most that a row allows for it, so that all numbers lie
in [0, 1] whatever the distance. A slack for each row, counted in standard deviations, makes the programme solvable; its
multipliers are then a proof of impossibility that `proof_gap` evaluates by itself.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.statistics import expectation_lower, expectation_upper

_CUT_MIN, _CUT_MAX = 4, 20
_NEGLIGIBLE = 0.03  # of a standard deviation: what photon numbers above the cut-off may add to a row
_LARGEST = 1e6  # of a yield's unit, in the programme with slack only
_TAIL_ERROR, _SUM_ERROR = 1e-9, 1e-12  # relative errors of the tail bounds and of sums, taken against the proof
_LEAST_SLACK = 1e-3  # standard deviations
_LEAST_ERROR = 1e-5


@dataclass(frozen=True)
class CountRow:
    """One observed class of counts: `part` is "right", "wrong" or "all" of a pair."""

    pair: str
    part: str
    sent: float
    count: float
    lower: float
    upper: float

    @property
    def name(self) -> str:
        return row_name(self.pair)


@dataclass(frozen=True)
class Slack:
    """How far the expectation behind a row must lie outside its tails: `sigmas` standard deviations, + is above."""

    row: CountRow
    sigmas: float


@dataclass(frozen=True)
class YieldsVerdict:
    """Whether yields exist.

    Attributes:
        impossible: no yields give the counts, and `proof_gap` says so without the solver.
        slacks: the least shifts that would make the counts possible, largest first.
        conflict: rows that cannot hold together, none of which can be spared.
        gap: by how much the proof's sum misses, standard deviations; above 0 it is a proof.
        closing_error: relative error that every row must be granted besides its tails before yields exist.
    """

    impossible: bool
    slacks: tuple[Slack, ...]
    conflict: tuple[CountRow, ...]
    gap: float
    closing_error: float


_POSSIBLE = YieldsVerdict(False, (), (), 0.0, 0.0)


@dataclass(frozen=True)
class _Programme:
    """`low <= matrix @ v <= 1` for yields v in units of `unit`, each at most 1 by the rows alone; `equal @ v = 0`."""

    matrix: NDArray[np.float64]  # (row, yield)
    equal: NDArray[np.float64]  # (yield,)
    low: NDArray[np.float64]  # (row,)
    sigma: NDArray[np.float64]  # (row,)
    unit: NDArray[np.float64]  # (yield,)
    single: NDArray[np.float64]  # (yield,), s11 in units of single_unit
    single_unit: float


def row_name(pair: str) -> str:
    """The basis and the pair, Alice's source first: "X.xo", "Z.zz"."""
    return f"{'Z' if 'z' in pair else 'X'}.{pair}"


def count_row(pair: str, part: str, sent: float, count: float, b: float, tail: int) -> CountRow:
    """A row with the tails of the expectation behind its count; b = ln(1/eps)."""
    return CountRow(
        pair, part, sent, count, float(expectation_lower(count, b, tail)), float(expectation_upper(count, b, tail))
    )


def widened(row: CountRow, error: float) -> CountRow:
    """The row with a relative error besides its tails, as of intensities that are not quite what they should be."""
    return replace(row, lower=row.lower * (1.0 - error), upper=row.upper * (1.0 + error))


def check_yields(rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> YieldsVerdict:
    """Whether any yields give expectations within the tails of every row.

    Args:
        rows: the known rows; every `sent` above 0.
        alice, bob: intensities of the users.
    """
    first = _Solved.of(rows, alice, bob)
    if not first.proven:
        return _POSSIBLE
    slacks = [Slack(row, float(sigmas)) for row, sigmas in zip(rows, first.sigmas, strict=True)]
    slacks = sorted((s for s in slacks if abs(s.sigmas) > _LEAST_SLACK), key=lambda s: -abs(s.sigmas))
    return YieldsVerdict(
        True, tuple(slacks), _conflict(rows, first.weights, alice, bob), first.gap, _closing_error(rows, alice, bob)
    )


def _conflict(
    rows: tuple[CountRow, ...], weights: NDArray[np.float64], alice: Settings, bob: Settings
) -> tuple[CountRow, ...]:
    """Rows that cannot hold together although any of them left out could: those with least weight go first."""
    kept = [k for k in np.argsort(weights) if weights[k] > 0.0]
    for k in tuple(kept):
        fewer = [i for i in kept if i != k]
        if _Solved.of(tuple(rows[i] for i in fewer), alice, bob).proven:
            kept = fewer
    return tuple(rows[i] for i in sorted(kept))


def _closing_error(rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> float:
    """The relative error that every row must be granted besides its tails before yields exist, to 1 %."""
    low, high = _LEAST_ERROR, 1.0
    for _ in range(10):
        middle = sqrt(low * high)
        proven = _Solved.of(tuple(widened(row, middle) for row in rows), alice, bob).proven
        low, high = (middle, high) if proven else (low, middle)
    return high


@dataclass(frozen=True)
class _Solved:
    """The programme with slack: shifts of the rows in standard deviations, weights of the proof, its gap."""

    sigmas: NDArray[np.float64]  # (row,)
    weights: NDArray[np.float64]  # (row,)
    gap: float

    @property
    def proven(self) -> bool:
        return self.gap > 0.0

    @classmethod
    def of(cls, rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> "_Solved":
        from scipy.optimize import linprog

        nothing = cls(np.zeros(len(rows)), np.zeros(len(rows)), 0.0)
        if not rows:
            return nothing
        problem = _programme(rows, alice, bob)
        n, n_yields = problem.matrix.shape
        shift, none = np.diag(problem.sigma), np.zeros((n, n))
        top = np.concatenate([np.minimum(1.0 / problem.unit, _LARGEST), np.full(2 * n, np.inf)])
        found = linprog(
            np.concatenate([np.zeros(n_yields), np.ones(2 * n)]),
            A_ub=np.block([[problem.matrix, -shift, none], [-problem.matrix, none, -shift]]),
            b_ub=np.concatenate([np.ones(n), -problem.low]),
            A_eq=np.concatenate([problem.equal, np.zeros(2 * n)])[None, :],
            b_eq=[0.0],
            bounds=np.column_stack([np.zeros(n_yields + 2 * n), top]),
            method="highs",
            options={"time_limit": 5.0},
        )
        if found.status != 0 or found.fun < _LEAST_SLACK:
            return nothing
        weight = np.maximum(-found.ineqlin.marginals, 0.0).reshape(2, n)
        gap = proof_gap(problem, weight[1], weight[0], float(found.eqlin.marginals[0]))
        return cls(found.x[n_yields : n_yields + n] - found.x[n_yields + n :], weight.sum(axis=0), gap)


def proof_gap(
    problem: _Programme, weight_low: NDArray[np.float64], weight_high: NDArray[np.float64], weight_equal: float
) -> float:
    """Above 0: no yields meet the rows, whatever weights >= 0 came from where (Farkas).

    `sum (w_low - w_high) row` is at least `sum w_low low - w_high` by the rows, and at most the sum of its positive
    coefficients since every yield is at most 1 in its unit. All rounding is taken against the proof.
    """
    terms = (weight_low - weight_high)[:, None] * problem.matrix
    coefficients = terms.sum(axis=0) + weight_equal * problem.equal
    doubt = _SUM_ERROR * (np.abs(terms).sum(axis=0) + abs(weight_equal * problem.equal))
    most = np.maximum(coefficients + doubt, 0.0).sum()
    least = (weight_low * problem.low).sum() * (1.0 - _TAIL_ERROR) - weight_high.sum() * (1.0 + _TAIL_ERROR)
    return float(least - most * (1.0 + _SUM_ERROR))


def _poisson(mu: float, cut: int) -> NDArray[np.float64]:
    """`(cut + 1,)` probabilities of 0 to `cut` photons."""
    n = np.arange(1, cut + 1)
    chances: NDArray[np.float64] = np.exp(-mu) * np.concatenate([[1.0], np.cumprod(mu / n)])
    return chances


def _above(mu: float, cut: int) -> float:
    """Probability of more than `cut` photons, at most; summed directly, as a difference from 1 would cancel."""
    term = np.exp(-mu) * np.prod(mu / np.arange(1, cut + 2))
    return float(min(term / (1.0 - mu / (cut + 2)), 1.0)) if mu < cut + 2 else 1.0


def _cut(rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> int:
    """The least photon number above which no row gets more than a small part of its standard deviation."""
    for cut in range(_CUT_MIN, _CUT_MAX):
        if all(
            row.sent * sum(_above(mu, cut) for mu in _intensities(row.pair, alice, bob))
            < _NEGLIGIBLE * sqrt(row.count + 1.0)
            for row in rows
        ):
            return cut
    return _CUT_MAX


def _intensities(pair: str, alice: Settings, bob: Settings) -> tuple[float, float]:
    return float(getattr(alice, pair[0])), float(getattr(bob, pair[1]))


def _programme(rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> _Programme:
    """The scaled programme. Yields: (basis, n, m, right or wrong), then one remainder for each row."""
    cut = _cut(rows, alice, bob)
    size = cut + 1
    index = np.arange(4 * size * size).reshape(2, size, size, 2)  # X, Z; right, wrong
    index[:, 0, :, 1], index[:, :, 0, 1] = index[:, 0, :, 0], index[:, :, 0, 0]  # a vacuum's bit is a coin
    for n, m in ((0, 0), (0, 1), (1, 0)):
        index[1, n, m] = index[0, n, m]  # the same light in both bases
    matrix = np.zeros((len(rows), 4 * size * size + len(rows)))
    for i, row in enumerate(rows):
        mu, nu = _intensities(row.pair, alice, bob)
        chance = np.outer(_poisson(mu, cut), _poisson(nu, cut))
        rest = _above(mu, cut) + _above(nu, cut)
        if row.pair in ("oz", "zo"):  # light in o that is not in Z
            first, mean = (0, mu) if row.pair == "oz" else (1, nu)
            chance[(slice(2, None), slice(None)) if first == 0 else (slice(None), slice(2, None))] = 0.0
            rest += _above(mean, 1)
        place = index[1 if "z" in row.pair else 0]
        for part in (0, 1) if row.part == "all" else (("right", "wrong").index(row.part),):
            np.add.at(matrix[i], place[:, :, part], row.sent * chance)
        matrix[i, 4 * size * size + i] = row.sent * min(rest, 1.0)
    used = matrix.max(axis=0) > 0.0
    equal = np.zeros(matrix.shape[1])
    equal[index[0, 1, 1]], equal[index[1, 1, 1]] = 1.0, -1.0
    used[np.flatnonzero(equal)] = True
    return _scaled(matrix[:, used], equal[used], rows)


def _scaled(matrix: NDArray[np.float64], equal: NDArray[np.float64], rows: tuple[CountRow, ...]) -> _Programme:
    """Rows by their upper bounds, yields by the least upper bound that a row sets for them."""
    upper = np.array([row.upper for row in rows])
    lower = np.array([row.lower for row in rows])
    sigma = np.sqrt(np.array([row.count for row in rows]) + 1.0)
    matrix = matrix / upper[:, None]
    unit = 1.0 / np.maximum(matrix.max(axis=0), 1.0)
    balance = equal * unit
    single_unit = np.abs(balance).max()
    balance /= single_unit
    return _Programme(
        matrix * unit, balance, lower / upper, sigma / upper, unit, np.maximum(balance, 0.0), float(single_unit)
    )


def least_single_photon_yield(rows: tuple[CountRow, ...], alice: Settings, bob: Settings) -> float:
    """The least s11 that yields within the rows' bounds can have; NaN where the programme finds none."""
    from scipy.optimize import linprog

    problem = _programme(rows, alice, bob)
    found = linprog(
        problem.single,
        A_ub=np.vstack([problem.matrix, -problem.matrix]),
        b_ub=np.concatenate([np.ones(len(rows)), -problem.low]),
        A_eq=problem.equal[None, :],
        b_eq=[0.0],
        bounds=(0.0, 1.0),
        method="highs",
        options={"time_limit": 5.0},
    )
    return float(found.fun * problem.single_unit) if found.status == 0 else float("nan")
