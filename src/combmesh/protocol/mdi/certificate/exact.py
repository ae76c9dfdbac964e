r"""Whether coefficients obey every row, for all photon numbers, in decimal arithmetic of 60 digits.

The rows of `rows.py` once more, by other means: nothing here is shared with the solver. exp and ln of Python's decimal
numbers are correctly rounded; each sum is taken as wrong by 10^-40 of its terms, 10^17 times what rounding does.
"""

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal, localcontext
from itertools import product

from combmesh.protocol.mdi.certificate.rows import CLASSES
from combmesh.protocol.mdi.settings import Settings

_DIGITS = Context(prec=60)
_AGAINST_US = Decimal("1e-40")
_ONE = Decimal(1)
_ZERO = Decimal(0)
_LETTERS = "oxy"

_Vector = tuple[int, tuple[Decimal, ...]]


def obeys_all_rows(
    scaled: Sequence[float], t: float, e0: float, alice: Settings, bob: Settings, delta: float = 0.0
) -> bool:
    """Whether sum_i t c_i p_i P_i(n, m) <= t r(n, m) for all photon numbers and labels, without any tolerance.

    Args:
        scaled: t c_i of each class, in the order of `CLASSES`.
        t, e0: exponent (1/bit) and reference phase error of the statistic.
        alice, bob: the settings.
        delta: intensities are known to this share of themselves.
    """
    with localcontext(_DIGITS):
        v = [Decimal(number) for number in scaled]
        if min(v) <= -1 or not 0 < e0 < 0.5 or t <= 0:
            return False
        if not all(_box_has_its_greatest_at_corners(user, Decimal(delta)) for user in (alice, bob)):
            return False
        chances = [_probabilities(alice), _probabilities(bob)]
        worths = _worths(Decimal(t), Decimal(e0), alice, bob, Decimal(delta))
        vectors = [list(_photon_vectors(user, Decimal(delta))) for user in (alice, bob)]
        return all(_obeys(v, chances, at_a, at_b, worths) for at_a, at_b in product(*vectors))


def _box_has_its_greatest_at_corners(user: Settings, delta: Decimal) -> bool:
    """Whether within +-delta the sources keep their order, and each P(n) rises or falls all the way."""
    if not delta:
        return True
    o, x, y = (Decimal(mu) for mu in (user.o, user.x, user.y))
    ordered = x * (1 + delta) < y * (1 - delta) and o * (1 + delta) < x * (1 - delta)
    return ordered and y * (1 + delta) <= 1


def _probabilities(user: Settings) -> dict[str, Decimal]:
    p_x, p_y, p_z = Decimal(user.p_x), Decimal(user.p_y), Decimal(user.p_z)
    return {"o": _ONE - p_x - p_y - p_z, "x": p_x, "y": p_y}


def _worths(t: Decimal, e0: Decimal, alice: Settings, bob: Settings, delta: Decimal) -> tuple[Decimal, Decimal]:
    """t r(1,1,good) and t r(1,1,bad), at the least favourable signals within +-delta.

    A signal of one photon is most likely at the mean 1, or at the end of the interval that is nearest to it.
    """
    log2 = Decimal(2).ln()
    signals = []
    for ends in zip(*(_signal_ends(Decimal(user.z), delta) for user in (alice, bob)), strict=True):
        signals.append(Decimal(alice.p_z) * Decimal(bob.p_z) * ends[0] * ends[1])
    worths = []
    for error in (1 - e0, e0):
        factor = (-t * (1 + error.ln() / log2)).exp()
        worth = 1 - factor - _AGAINST_US * (1 + factor)
        worths.append(min(signal * worth for signal in signals))
    return worths[0], worths[1]


def _signal_ends(z: Decimal, delta: Decimal) -> tuple[Decimal, Decimal]:
    """The least and the greatest probability of one photon from a mean within +-delta of z."""
    low, high = z * (1 - delta), z * (1 + delta)
    ends = [low * (-low).exp(), high * (-high).exp()]
    return min(ends), (-_ONE).exp() if low <= 1 <= high else max(ends)


def _photon_vectors(user: Settings, delta: Decimal) -> Iterator[_Vector]:
    """(photon number, probabilities of it from o, x and y), from 2 on divided by that of y; 3 and 4 as in `rows.py`."""
    spread = (-delta, delta) if delta else (_ZERO,)
    spread_o = spread if user.o else (_ZERO,)
    for s_o, s_x, s_y in product(spread_o, spread, spread):
        o, x, y = Decimal(user.o) * (1 + s_o), Decimal(user.x) * (1 + s_x), Decimal(user.y) * (1 + s_y)
        empty = ((-o).exp(), (-x).exp(), (-y).exp())
        yield 0, empty
        yield 1, (o * empty[0], x * empty[1], y * empty[2])
        two = ((o / y) ** 2 * (y - o).exp(), (x / y) ** 2 * (y - x).exp(), _ONE)
        yield 2, two
        if user.o:
            yield 3, (_ZERO, two[1], _ONE)
    yield 4, (_ZERO, _ZERO, _ONE)


def _obeys(
    v: list[Decimal],
    chances: list[dict[str, Decimal]],
    at_a: _Vector,
    at_b: _Vector,
    worths: tuple[Decimal, Decimal],
) -> bool:
    vacuum = at_a[0] == 0 or at_b[0] == 0
    singles = at_a[0] == 1 and at_b[0] == 1
    for label, right_side in zip(("right", "wrong"), worths if singles else (_ZERO, _ZERO), strict=True):
        total = size = _ZERO
        for coefficient, name in zip(v, CLASSES, strict=True):
            pair, _, kind = name.partition("_")
            if not vacuum and kind not in ("", label):
                continue
            p = chances[0][pair[0]] * chances[1][pair[1]]
            seen = at_a[1][_LETTERS.index(pair[0])] * at_b[1][_LETTERS.index(pair[1])]
            term = coefficient * p * seen / (2 if vacuum and kind else 1)
            total += term
            size += abs(term)
        if total + _AGAINST_US * size > right_side - _AGAINST_US * abs(right_side):
            return False
    return True
