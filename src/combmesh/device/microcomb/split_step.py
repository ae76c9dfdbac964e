r"""The compiled split step: Kerr rotation, heat, auxiliary laser; the transform is in `transform`.

A step of length h is Strang's: half a linear flow, the Kerr flow, half a linear flow, where neighbouring halves are
joined. Every flow is exact: the linear one (damping, dispersion, pump) mode by mode, the Kerr one (with the detuning)
as a rotation. Heat and auxiliary laser are advanced once a step at the power of the middle: first order in h.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.device.microcomb.transform import multiply_modes
from combmesh.ground.kernels import kernel

Floats = NDArray[np.float64]

COLUMNS = ("zeta_laser", "zeta", "power", "aux_power", "peak", "maxima")
"""What a row of the trace holds; powers are means over theta, the peak is the largest |psi|^2."""
_TURN = 1.0 / (2.0 * np.pi)
_PI2_HIGH = 6.283185307179586
_PI2_LOW = 2.4492935982947064e-16
_ROUND = 6755399441055744.0


@kernel
def _cos_sin(angle: float) -> tuple[float, float]:
    """Cosine and sine to 1e-15, without branches: whole turns off, Taylor at a quarter of the rest, doubled twice."""
    turns = (angle * _TURN + _ROUND) - _ROUND
    x = 0.25 * ((angle - turns * _PI2_HIGH) - turns * _PI2_LOW)
    y = x * x
    s = -1 / 1307674368000.0
    s = s * y + 1 / 6227020800.0
    s = s * y - 1 / 39916800.0
    s = s * y + 1 / 362880.0
    s = s * y - 1 / 5040.0
    s = s * y + 1 / 120.0
    s = s * y - 1 / 6.0
    s = x + x * y * s
    c = sqrt(1.0 - s * s)  # at most an eighth of a turn: s^2 is at most 1/2
    s, c = 2.0 * s * c, 1.0 - 2.0 * s * s
    return 1.0 - 2.0 * s * s, 2.0 * s * c


@kernel
def _rotate(re: Floats, im: Floats, light: Floats, n: int, push: float, zeta: float, h: float) -> None:
    """Add the pump of the linear flow, then the Kerr flow: `psi <- (psi + f) exp(i h (|psi + f|^2 - zeta))`.

    `light` receives |psi|^2, shape (mode,).
    """
    for i in range(n):
        x, y = re[i] + push, im[i]
        light[i] = x * x + y * y
        c, s = _cos_sin(h * (light[i] - zeta))
        re[i], im[i] = x * c - y * s, x * s + y * c


@kernel
def _mean(light: Floats, n: int) -> float:
    """Mean in four sums side by side, which fill a vector; `n` is a multiple of 8."""
    a = b = c = d = 0.0
    q = n // 2
    for k in range(n // 8):
        i = 4 * k
        a += light[i] + light[i + q]
        b += light[i + 1] + light[i + q + 1]
        c += light[i + 2] + light[i + q + 2]
        d += light[i + 3] + light[i + q + 3]
    return ((a + b) + (c + d)) / n


@kernel
def peak_and_maxima(re: Floats, im: Floats, floor: float) -> tuple[float, int]:
    """Largest |psi|^2 and the number of its local maxima above `floor`, round the ring."""
    n, count, peak = re.size, 0, 0.0
    before = re[n - 1] * re[n - 1] + im[n - 1] * im[n - 1]
    here = re[0] * re[0] + im[0] * im[0]
    for i in range(n):
        k = i + 1 if i + 1 < n else 0
        after = re[k] * re[k] + im[k] * im[k]
        if here > floor and here > before and here >= after:
            count += 1
        peak = max(peak, here)
        before, here = here, after
    return peak, count


@kernel
def advance_slow(
    aux: complex, heat: Floats, power: float, zeta_laser: float, h: float, slow: Floats, shift: Floats, decay: Floats
) -> complex:
    """Heat (in place) and auxiliary laser over one step at the mean power `power`; `slow`: aux pump, aux offset.

    Heat: `dTheta_j/dtau = (K_j (P + |a|^2) - Theta_j) / t_j`, solved exactly. Auxiliary laser: the linear flow at its
    present detuning, exactly.
    """
    light = power + aux.real * aux.real + aux.imag * aux.imag
    for j in range(heat.size):
        heat[j] = shift[j] * light + (heat[j] - shift[j] * light) * decay[j]
    if slow[0] == 0.0:
        return aux
    zeta_aux = zeta_laser - slow[1] - heat.sum() - 2.0 * power - (aux.real * aux.real + aux.imag * aux.imag)
    rest = slow[0] / (1.0 + 1j * zeta_aux)
    c, s = _cos_sin(-zeta_aux * h)
    return complex(rest + (aux - rest) * np.exp(-h) * (c + 1j * s))


@kernel
def advance(
    re: Floats,
    im: Floats,
    aux: complex,
    heat: Floats,
    zetas: tuple[float, float],
    h: float,
    slow: Floats,
    shift: Floats,
    decay: Floats,
    table: Floats,
    whole: tuple[Floats, Floats, float],
    half: tuple[Floats, Floats, float],
    every: int,
    trace: Floats,
) -> complex:
    """`every` x rows of `trace` steps from zetas[0] towards zetas[1], in place; returns the auxiliary field.

    `whole`, `half`: the linear flow over h and h/2, from `product_rows`, and the pump that it adds.
    """
    n, steps = re.size, every * trace.shape[0]
    spare_re, spare_im = np.empty(n), np.empty(n)
    multiply_modes(re, im, spare_re, spare_im, table, half[0], half[1], n)
    push = half[2]
    for step in range(steps):
        zeta_laser = zetas[0] + (zetas[1] - zetas[0]) * (step + 0.5) / steps
        zeta = zeta_laser - heat.sum() - 2.0 * (aux.real * aux.real + aux.imag * aux.imag)
        _rotate(re, im, spare_re, n, push, zeta, h)
        power = _mean(spare_re, n)
        aux = advance_slow(aux, heat, power, zeta_laser, h, slow, shift, decay)
        if (step + 1) % every == 0:
            peak, maxima = peak_and_maxima(re, im, max(zeta, 2.0))
            row = trace[step // every]
            row[0], row[1], row[2] = zeta_laser, zeta, power
            row[3], row[4], row[5] = aux.real * aux.real + aux.imag * aux.imag, peak, maxima
        if step + 1 < steps:
            multiply_modes(re, im, spare_re, spare_im, table, whole[0], whole[1], n)
            push = whole[2]
    multiply_modes(re, im, spare_re, spare_im, table, half[0], half[1], n)
    for i in range(n):
        re[i] += half[2]
    return aux
