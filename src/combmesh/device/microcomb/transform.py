r"""A complex Fourier transform for the split step: forward, a product for each mode, and back.

Passes of radix 4 in constant geometry (Pease 1968): each reads x[i + k n/4] and writes y[4 i + j], so that every pass
runs through long vectors. The last pass down (radix 4 or 8), the product and the first pass up stay in registers.
Modes are never sorted (`mode_order`); the product absorbs their order and the 1/n. Real and imaginary parts lie in
arrays of their own and every distance is a literal: only so does the compiler vectorise.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

Floats = NDArray[np.float64]
Four = tuple[float, float, float, float]

SIZES = (256, 512, 1024, 2048)
"""Numbers of modes that the passes cover; other numbers take SciPy's transform."""
_PASSES = {256: 3, 512: 3, 1024: 4, 2048: 4}
_ROOT_HALF = 0.7071067811865476


def _middle(modes: int) -> int:
    """Radix of the pass in the middle."""
    return int(modes // 4 ** _PASSES[modes])


def mode_order(modes: int) -> NDArray[np.int64]:
    """Mode index, as `numpy.fft` counts, that is output j of butterfly i of the middle pass, at j n/r + i."""
    radix, passes = _middle(modes), _PASSES[modes]
    index = np.arange(modes // radix)
    order = np.zeros_like(index)
    for k in range(passes):  # the first pass gives the highest digit of the place and the lowest of the mode
        order += 4**k * (index // 4 ** (passes - 1 - k) % 4)
    return np.concatenate([order + 4**passes * j for j in range(radix)])


@lru_cache
def twiddles(modes: int) -> Floats:
    """Shape (pass, 6 n/4): cosines and sines of `-2 pi j floor(i / 4^pass) 4^pass / n` for j = 1, 2, 3."""
    q = modes // 4
    rows = []
    for k in range(_PASSES[modes]):
        angle = -2.0 * np.pi * (np.arange(q) // 4**k * 4**k) / modes
        rows.append(np.concatenate([f(j * angle) for j in (1, 2, 3) for f in (np.cos, np.sin)]))
    table = np.array(rows)
    table.setflags(write=False)
    return table


def product_rows(product: NDArray[np.complex128]) -> tuple[Floats, Floats]:
    """A product over modes, shape (mode,) in `numpy.fft` order, as `multiply_modes` reads it, with the 1/n."""
    ordered = product[mode_order(product.size)] / product.size
    return np.ascontiguousarray(ordered.real), np.ascontiguousarray(ordered.imag)


@kernel
def _four(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float) -> tuple[Four, Four]:
    """Transform of a + ie, b + if, c + ig, d + ih. With the parts exchanged on both sides it is the inverse."""
    s, t, u, v = a + c, a - c, b + d, b - d
    w, x, y, z = e + g, e - g, f + h, f - h
    return (s + u, t + z, s - u, t - z), (w + y, x - v, w - y, x + v)


@kernel
def _down(re: Floats, im: Floats, to_re: Floats, to_im: Floats, t: Floats, q: int) -> None:
    for i in range(q):
        x, y = _four(re[i], re[i + q], re[i + 2 * q], re[i + 3 * q], im[i], im[i + q], im[i + 2 * q], im[i + 3 * q])
        to_re[4 * i], to_im[4 * i] = x[0], y[0]
        c, s = t[i], t[i + q]
        to_re[4 * i + 1], to_im[4 * i + 1] = x[1] * c - y[1] * s, x[1] * s + y[1] * c
        c, s = t[i + 2 * q], t[i + 3 * q]
        to_re[4 * i + 2], to_im[4 * i + 2] = x[2] * c - y[2] * s, x[2] * s + y[2] * c
        c, s = t[i + 4 * q], t[i + 5 * q]
        to_re[4 * i + 3], to_im[4 * i + 3] = x[3] * c - y[3] * s, x[3] * s + y[3] * c


@kernel
def _up(re: Floats, im: Floats, to_re: Floats, to_im: Floats, t: Floats, q: int) -> None:
    for i in range(q):
        c, s, x, y = t[i], t[i + q], re[4 * i + 1], im[4 * i + 1]
        x1, y1 = x * c + y * s, y * c - x * s
        c, s, x, y = t[i + 2 * q], t[i + 3 * q], re[4 * i + 2], im[4 * i + 2]
        x2, y2 = x * c + y * s, y * c - x * s
        c, s, x, y = t[i + 4 * q], t[i + 5 * q], re[4 * i + 3], im[4 * i + 3]
        x3, y3 = x * c + y * s, y * c - x * s
        v, u = _four(im[4 * i], y1, y2, y3, re[4 * i], x1, x2, x3)
        to_re[i], to_re[i + q], to_re[i + 2 * q], to_re[i + 3 * q] = u
        to_im[i], to_im[i + q], to_im[i + 2 * q], to_im[i + 3 * q] = v


@kernel
def _middle4(re: Floats, im: Floats, p: Floats, o: Floats, m: int) -> None:
    """Radix 4 down, times p + i o, and up again."""
    for i in range(m):
        x, y = _four(re[i], re[i + m], re[i + 2 * m], re[i + 3 * m], im[i], im[i + m], im[i + 2 * m], im[i + 3 * m])
        y, x = _four(
            x[0] * o[i] + y[0] * p[i], x[1] * o[m + i] + y[1] * p[m + i],
            x[2] * o[2 * m + i] + y[2] * p[2 * m + i], x[3] * o[3 * m + i] + y[3] * p[3 * m + i],
            x[0] * p[i] - y[0] * o[i], x[1] * p[m + i] - y[1] * o[m + i],
            x[2] * p[2 * m + i] - y[2] * o[2 * m + i], x[3] * p[3 * m + i] - y[3] * o[3 * m + i],
        )  # fmt: skip
        re[i], re[i + m], re[i + 2 * m], re[i + 3 * m] = x
        im[i], im[i + m], im[i + 2 * m], im[i + 3 * m] = y


@kernel
def _middle8(re: Floats, im: Floats, p: Floats, o: Floats, m: int) -> None:
    """Radix 8 down, times p + i o, and up again; even outputs in x + iy, odd ones in u + iv."""
    for i in range(m):
        a1, a3, a5, a7 = re[i + m], re[i + 3 * m], re[i + 5 * m], re[i + 7 * m]
        b1, b3, b5, b7 = im[i + m], im[i + 3 * m], im[i + 5 * m], im[i + 7 * m]
        a0, a2, a4, a6 = re[i], re[i + 2 * m], re[i + 4 * m], re[i + 6 * m]
        b0, b2, b4, b6 = im[i], im[i + 2 * m], im[i + 4 * m], im[i + 6 * m]
        x, y = _four(a0 + a4, a1 + a5, a2 + a6, a3 + a7, b0 + b4, b1 + b5, b2 + b6, b3 + b7)
        r1, r3, s1, s3 = a1 - a5, a3 - a7, b1 - b5, b3 - b7
        u, v = _four(
            a0 - a4, (r1 + s1) * _ROOT_HALF, b2 - b6, (s3 - r3) * _ROOT_HALF,
            b0 - b4, (s1 - r1) * _ROOT_HALF, a6 - a2, -(r3 + s3) * _ROOT_HALF,
        )  # fmt: skip
        y, x = _four(
            x[0] * o[i] + y[0] * p[i], x[1] * o[2 * m + i] + y[1] * p[2 * m + i],
            x[2] * o[4 * m + i] + y[2] * p[4 * m + i], x[3] * o[6 * m + i] + y[3] * p[6 * m + i],
            x[0] * p[i] - y[0] * o[i], x[1] * p[2 * m + i] - y[1] * o[2 * m + i],
            x[2] * p[4 * m + i] - y[2] * o[4 * m + i], x[3] * p[6 * m + i] - y[3] * o[6 * m + i],
        )  # fmt: skip
        v, u = _four(
            u[0] * o[m + i] + v[0] * p[m + i], u[1] * o[3 * m + i] + v[1] * p[3 * m + i],
            u[2] * o[5 * m + i] + v[2] * p[5 * m + i], u[3] * o[7 * m + i] + v[3] * p[7 * m + i],
            u[0] * p[m + i] - v[0] * o[m + i], u[1] * p[3 * m + i] - v[1] * o[3 * m + i],
            u[2] * p[5 * m + i] - v[2] * o[5 * m + i], u[3] * p[7 * m + i] - v[3] * o[7 * m + i],
        )  # fmt: skip
        c1, d1 = (u[1] - v[1]) * _ROOT_HALF, (v[1] + u[1]) * _ROOT_HALF
        c3, d3 = -(u[3] + v[3]) * _ROOT_HALF, (u[3] - v[3]) * _ROOT_HALF
        re[i], re[i + m], re[i + 2 * m], re[i + 3 * m] = x[0] + u[0], x[1] + c1, x[2] - v[2], x[3] + c3
        im[i], im[i + m], im[i + 2 * m], im[i + 3 * m] = y[0] + v[0], y[1] + d1, y[2] + u[2], y[3] + d3
        re[i + 4 * m], re[i + 5 * m], re[i + 6 * m], re[i + 7 * m] = x[0] - u[0], x[1] - c1, x[2] + v[2], x[3] - c3
        im[i + 4 * m], im[i + 5 * m], im[i + 6 * m], im[i + 7 * m] = y[0] - v[0], y[1] - d1, y[2] - u[2], y[3] - d3


@kernel
def multiply_modes(
    re: Floats, im: Floats, spare_re: Floats, spare_im: Floats, t: Floats, p: Floats, o: Floats, n: int
) -> None:
    """Transform re + i im, multiply it by p + i o (`product_rows`), transform back in place; `n` is one of `SIZES`."""
    a, b, c, d = re, im, spare_re, spare_im
    for k in range(t.shape[0]):
        if n == 256:
            _down(a, b, c, d, t[k], 64)
        elif n == 512:
            _down(a, b, c, d, t[k], 128)
        elif n == 1024:
            _down(a, b, c, d, t[k], 256)
        else:
            _down(a, b, c, d, t[k], 512)
        a, b, c, d = c, d, a, b
    if n == 256:
        _middle4(a, b, p, o, 64)
    elif n == 512:
        _middle8(a, b, p, o, 64)
    elif n == 1024:
        _middle4(a, b, p, o, 256)
    else:
        _middle8(a, b, p, o, 256)
    for k in range(t.shape[0] - 1, -1, -1):
        if n == 256:
            _up(a, b, c, d, t[k], 64)
        elif n == 512:
            _up(a, b, c, d, t[k], 128)
        elif n == 1024:
            _up(a, b, c, d, t[k], 256)
        else:
            _up(a, b, c, d, t[k], 512)
        a, b, c, d = c, d, a, b
