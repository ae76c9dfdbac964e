r"""The rows that coefficients must obey, one for each pair of photon numbers and label, and why a finite set is enough.

For photon numbers (n, m) of the two users and a label

.. math:: \sum_i c_i p_i P_i(n, m) \le r(n, m),

where a class of right counts enters the rows labelled good, one of wrong counts those labelled bad, an unsplit one
both; with a vacuum (n or m = 0) the error is a fair coin and half of each split class enters one row. r is 0 but for
r(1,1,good) = q (1 - e^{-t g})/t and r(1,1,bad) = q (1 - e^{-t w})/t, q = p_z^A p_z^B P_z(1) P_z(1).

A row is linear in each user's vector (P_o(n), P_x(n), P_y(n)). Divided by P_y(n) the vectors of n >= 2 are
((o/y)^n e^{y-o}, (x/y)^n e^{y-x}, 1), which lie in the triangle of n = 2, the same without o, and infinity; a row is
greatest at a corner. So n in {0, 1, 2, 2 without o, infinity}, and for o = 0 {0, 1, 2, infinity}.
Intensities anywhere within +-delta: a row is linear in each P_u(n), which for means up to 1 rises or falls all the way,
so the corners of the box are enough.
"""

from math import exp, expm1

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.protocol.mdi.bounds import OO, OX, OY, XO, XX, XY, YO, YX, YY

CLASSES = (
    *("xx_right", "xx_wrong", "xy_right", "xy_wrong", "yx_right", "yx_wrong", "yy_right", "yy_wrong"),
    *("xo", "ox", "yo", "oy", "oo"),
)
N_CLASSES = len(CLASSES)

_SPLIT = (XX, XY, YX, YY)
_UNSPLIT = (XO, OX, YO, OY, OO)
_SOURCE_A = np.array([1, 1, 1, 1, 2, 2, 2, 2, 1, 0, 2, 0, 0])  # o, x, y of the classes
_SOURCE_B = np.array([1, 1, 2, 2, 1, 1, 2, 2, 0, 1, 0, 2, 0])


@kernel
def class_counts(detected: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(class,)` counts of the classes from those of the pairs.

    A pair that is not known is NaN. Where only its errors are not known (NaN), all counts stand in its right class, and
    -1 in its wrong class says that both have one coefficient.
    """
    counts = np.empty(N_CLASSES)
    for k in range(4):
        pair = _SPLIT[k]
        known = errors[pair] >= 0.0
        counts[2 * k] = detected[pair] - errors[pair] if known else detected[pair]
        counts[2 * k + 1] = errors[pair] if known else -1.0 if detected[pair] >= 0.0 else np.nan
    for k in range(5):
        counts[8 + k] = detected[_UNSPLIT[k]]
    return counts


@kernel
def class_probabilities(a: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(class,)` probability that the users choose the sources of each class."""
    p_a = np.array([1.0 - a[3] - a[4] - a[5], a[3], a[4]])
    p_c = np.array([1.0 - c[3] - c[4] - c[5], c[3], c[4]])
    chances: NDArray[np.float64] = p_a[_SOURCE_A] * p_c[_SOURCE_B]
    return chances


@kernel
def photon_vectors(user: NDArray[np.float64], delta: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(photon number of each row, `(row, source)` its probability from o, x and y); from 2 on divided by that of y.

    Photon number 3 stands for 2 without light from o, 4 for infinity.
    """
    x, y, o = user[0], user[1], user[6]
    corners = 1 if delta == 0.0 else 4 if o == 0.0 else 8
    numbers = np.empty(5 * corners, np.int64)
    vectors = np.zeros((len(numbers), 3))
    k = 0
    for corner in range(corners):
        x_c = x * (1.0 + delta * (1.0 - 2.0 * (corner & 1)))
        y_c = y * (1.0 + delta * (1.0 - 2.0 * ((corner >> 1) & 1)))
        o_c = o * (1.0 + delta * (1.0 - 2.0 * ((corner >> 2) & 1)))
        e_o, e_x, e_y = exp(-o_c), exp(-x_c), exp(-y_c)
        ratio_x, ratio_o = x_c / y_c, o_c / y_c
        rows = np.array(
            [
                [e_o, e_x, e_y],
                [o_c * e_o, x_c * e_x, y_c * e_y],
                [ratio_o * ratio_o * e_o / e_y, ratio_x * ratio_x * e_x / e_y, 1.0],
                [0.0, ratio_x * ratio_x * e_x / e_y, 1.0],
                [0.0, 0.0, 1.0],
            ]
        )
        for n in range(5):
            if (n == 3 and o == 0.0) or (n == 4 and corner > 0):
                continue
            numbers[k] = n
            vectors[k] = rows[n]
            k += 1
    return numbers[:k], vectors[:k]


@kernel
def signal_range(z: float, delta: float) -> tuple[float, float]:
    """The least and the greatest probability of one photon from a mean within +-delta of z."""
    low, high = z * (1.0 - delta), z * (1.0 + delta)
    at_low, at_high = low * exp(-low), high * exp(-high)
    return min(at_low, at_high), exp(-1.0) if low <= 1.0 <= high else max(at_low, at_high)


@kernel
def _worths(
    a: NDArray[np.float64], c: NDArray[np.float64], t: float, g: float, w: float, delta: float
) -> tuple[float, float]:
    """t r(1,1,good) and t r(1,1,bad), at the least favourable signals within +-delta."""
    least_a, most_a = signal_range(a[2], delta)
    least_c, most_c = signal_range(c[2], delta)
    p_zz = a[5] * c[5]
    return -p_zz * least_a * least_c * expm1(-t * g), -p_zz * most_a * most_c * expm1(-t * w)


@kernel
def photon_rows(
    a: NDArray[np.float64], c: NDArray[np.float64], t: float, g: float, w: float, delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(`(row, class)` coefficients of t c_i, `(row,)` right sides t r); every row adds up to 1.

    Args:
        a, c: settings (x, y, z, p_x, p_y, p_z, o) of the two users.
        t: exponent of the statistic, 1/bit.
        g, w: bits that a single-photon pair without and with a phase error is worth.
        delta: intensities are known to this share of themselves.
    """
    n_a, v_a = photon_vectors(a, delta)
    n_c, v_c = photon_vectors(c, delta)
    chances = class_probabilities(a, c)
    worths = _worths(a, c, t, g, w, delta)
    rows = np.zeros((2 * len(n_a) * len(n_c), N_CLASSES))
    right_sides = np.zeros(len(rows))
    k = 0
    for i in range(len(n_a)):
        for j in range(len(n_c)):
            seen = chances * v_a[i][_SOURCE_A] * v_c[j][_SOURCE_B]
            if n_a[i] == 0 or n_c[j] == 0:
                rows[k, :8] = 0.5 * seen[:8]
                rows[k, 8:] = seen[8:]
                k += 1
                continue
            for label in range(2):
                rows[k, label:8:2] = seen[label:8:2]
                rows[k, 8:] = seen[8:]
                if n_a[i] == 1 and n_c[j] == 1:
                    right_sides[k] = worths[label]
                k += 1
    for row in range(k):
        scale = rows[row].sum()
        rows[row] /= scale
        right_sides[row] /= scale
    return rows[:k], right_sides[:k]
