"""What the paper prints of visibility, errors and rates, and the three numbers of `Rest` that are fitted to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from combmesh.link.devices.build import Pair, line_terms, links_of
from combmesh.link.devices.tables import Rest
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.budget.rates import KeyRule, plans_with_vacuum

PRINTED_DIP = 0.485
"""Mean visibility of 80 pairs of lines, H50 to C12 (Fig. 3h)."""
PRINTED_DIP_LINES = range(-60, 20)
PRINTED_H28, PRINTED_H28_STD, H28 = 0.489, 0.014, -15
"""Visibility of one pair and its error (Fig. 3g)."""
PRINTED_QBER_Z, PRINTED_QBER_Z_STD = 0.017, 0.002
PRINTED_QBER_X, PRINTED_QBER_X_STD = 0.274, 0.003
"""Mean and spread of 76 lines, H50 to C14 (Fig. 4a, section 2.3)."""
PRINTED_KEY_LINES = range(-60, 16)
PRINTED_SKR_BPS = (58.0, 62.0, 64.0)
"""Of 1000 s in section 2.3, the introduction and the outlook, which contradict one another."""


def floor_x(visibility: float) -> float:
    r"""QBER of X of weak coherent pulses that interfere with a visibility V.

    Right and wrong coincidences are as :math:`1 \pm \gamma^2/2` with :math:`\gamma^2 = V/0.5`, so
    :math:`E = (1-V)/2` (weak limit of Ma & Razavi, PRA 86, 062319).

    >>> floor_x(0.5), round(floor_x(0.485), 4)
    (0.25, 0.2575)
    """
    return 0.5 * (1.0 - visibility)


@dataclass(frozen=True)
class Fit:
    """What was left unexplained.

    Attributes:
        rest: fitted.
        dip_before, qber_z_before, qber_x_before: what the devices predict with nothing fitted.
    """

    rest: Rest
    dip_before: float
    qber_z_before: float
    qber_x_before: float


def fit_rest(pair: Pair, rule: KeyRule, lines: Sequence[int] | None = None, rounds: int = 3) -> Fit:
    """`Rest` that brings mean visibility and mean QBERs of lines to the printed ones.

    The QBERs are of the line that is the median in visibility; where the devices alone are worse than what is printed
    nothing is left to fit, and the rest is 1 or 0.
    """
    lines = list(PRINTED_DIP_LINES if lines is None else lines)
    bare = _with(pair, Rest())
    found = line_terms(bare, lines)
    dip = float(found.dip_visibility.mean())
    middle = lines[int(np.argsort(found.dip_visibility)[len(lines) // 2])]
    before = _qbers(bare, middle, rule)
    rest = Rest(overlap=min(PRINTED_DIP / dip, 1.0))
    for _ in range(rounds):
        z, x = _qbers(_with(pair, rest), middle, rule)
        rest = replace(
            rest,
            error_z=_more(rest.error_z, z, PRINTED_QBER_Z),
            error_x=_more(rest.error_x, x, PRINTED_QBER_X),
        )
    return Fit(rest, dip, *before)


def _with(pair: Pair, rest: Rest) -> Pair:
    return replace(pair, devices=replace(pair.devices, rest=rest))


def _qbers(pair: Pair, line: int, rule: KeyRule) -> tuple[float, float]:
    (link,) = links_of(pair, line_terms(pair, [line]))
    alice, bob = pair.lights()
    scan = plans_with_vacuum(link, rule, (alice.spec, bob.spec)).scan
    tally = expected_tally(link, scan.alice, scan.bob, scan.pulses)
    return tally.qber_z, tally.qber_x


def _more(error: float, qber: float, printed: float) -> float:
    """The error that brings 1 - 2E to the printed one."""
    return min(max(0.5 - 0.5 * (1.0 - 2.0 * error) * (1.0 - 2.0 * printed) / (1.0 - 2.0 * qber), 0.0), 0.5)
