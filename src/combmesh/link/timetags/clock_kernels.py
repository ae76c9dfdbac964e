"""The loops of clock recovery: tracking piece by piece, smoothing, placing clicks."""

from math import atan2, cos, floor, log, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

DARK_POWER = 20.0  # |S|^2 / m of a piece without light exceeds it with probability e^-20
SIGMAS = 7.0  # an innovation of a piece of this strength exceeds them with probability 4e-10
STRAIGHT = 0.1  # pulses that the rate's error may smear a piece


@kernel
def track(
    time_ps: Times,
    place: NDArray[np.uint8],
    phases: Floats,
    m: int,
    rate: float,
    rate_error: float,
    q: float,
    times: Times,
    pulse: Times,
    fraction: Floats,
    variance: Floats,
) -> tuple[int, int, float]:
    """(pieces, stop, wrong): fills `(piece,)` time, phase and its variance; stops at a click where a slip may be.

    State: phase n + x in pulses, and rate f, with covariance p00, p01, p11.
    """
    n, x, f = 0, 0.0, rate
    p00, p01, p11 = 1.0, 0.0, rate_error * rate_error
    seen, begin, before = 0, 0, time_ps[0]
    while begin < time_ps.size:
        end = begin + m if begin + 2 * m <= time_ps.size else time_ps.size
        past = 0.0
        for i in range(begin, end):
            past += float(time_ps[i] - time_ps[begin])
        middle = time_ps[begin] + int(past / (end - begin))
        dt = float(middle - before)
        x_new = x + f * dt - floor(f * dt)
        v00 = p00 + 2.0 * dt * p01 + dt * dt * p11 + q * dt**3 / 3.0
        v01 = p01 + dt * p11 + 0.5 * q * dt * dt
        v11 = p11 + q * dt
        smear = sqrt(v11) * float(time_ps[end - 1] - time_ps[begin])
        if (seen and SIGMAS * sqrt(v00) > 0.5) or smear > STRAIGHT:
            return seen, begin, 0.0
        power, angle, R = piece_phase(time_ps, place, phases, begin, end, middle, x_new, f)
        if power >= DARK_POWER:
            wrong = -angle if seen else 0.0
            s = v00 + R
            if seen and SIGMAS * sqrt(s) > 0.5:
                return seen, begin, 0.0
            if seen and abs(wrong) > SIGMAS * sqrt(s):
                return seen, begin, wrong
            if not seen:
                x_new, v00, v01, s = x_new - angle, 0.0, 0.0, R
            n += floor(f * dt)
            times[seen], pulse[seen], fraction[seen], variance[seen] = middle, n, x_new + wrong, R
            seen += 1
            x, f, before = x_new + v00 / s * wrong, f + v01 / s * wrong, middle
            p00, p01, p11 = v00 - v00 * v00 / s, v01 - v00 * v01 / s, v11 - v01 * v01 / s
            if seen == 1:
                p00 = R
        begin = end
    return seen, -1, 0.0


@kernel
def piece_phase(
    time_ps: Times, place: NDArray[np.uint8], phases: Floats, begin: int, end: int, middle: int, x: float, f: float
) -> tuple[float, float, float]:
    """(power, angle, R): |S|^2 / m of a piece, the phase of its clicks less the prediction, and that one's variance."""
    c1 = s1 = c2 = s2 = 0.0
    for i in range(begin, end):
        turns = x + f * float(time_ps[i] - middle) - phases[place[i]]
        c, s = cos(2.0 * pi * turns), sin(2.0 * pi * turns)
        c1 += c
        s1 += s
        c2 += c * c - s * s
        s2 += 2.0 * s * c
    m, square = end - begin, c1 * c1 + s1 * s1
    if square == 0.0:
        return 0.0, 0.0, 1.0
    along = (c2 * (c1 * c1 - s1 * s1) + s2 * 2.0 * s1 * c1) / square  # second harmonic turned by twice the angle
    R = max(0.5 * (m - along), 0.01 * m) / square / (4.0 * pi * pi)  # mean square of the sine over the slope
    return square / m, atan2(s1, c1) / (2.0 * pi), R


@kernel
def kalman(dt: Floats, phase: Floats, R: Floats, q: float, rate_variance: float) -> tuple[float, Floats, Floats]:
    """(log likelihood, `(piece, 2)` smoothed phase and rate, `(piece,)` variance of the phase); Rauch-Tung-Striebel."""
    K = phase.size
    mean, cov = np.zeros((K, 2)), np.zeros((K, 3))
    mean[0, 0], cov[0, 0], cov[0, 2] = phase[0], R[0], rate_variance
    likelihood = 0.0
    for k in range(1, K):
        x, f = mean[k - 1, 0] + dt[k - 1] * mean[k - 1, 1], mean[k - 1, 1]
        v00, v01, v11 = spread(cov[k - 1], dt[k - 1], q)
        s, wrong = v00 + R[k], phase[k] - x
        likelihood -= 0.5 * (log(2.0 * pi * s) + wrong * wrong / s)
        mean[k, 0], mean[k, 1] = x + v00 / s * wrong, f + v01 / s * wrong
        cov[k, 0], cov[k, 1], cov[k, 2] = v00 * R[k] / s, v01 * R[k] / s, v11 - v01 * v01 / s
    for k in range(K - 2, -1, -1):
        h = dt[k]
        v00, v01, v11 = spread(cov[k], h, q)
        det = v00 * v11 - v01 * v01
        a0, a1 = cov[k, 0] + h * cov[k, 1], cov[k, 1]  # rows of P F^T
        b0, b1 = cov[k, 1] + h * cov[k, 2], cov[k, 2]
        g00, g01 = (a0 * v11 - a1 * v01) / det, (a1 * v00 - a0 * v01) / det
        g10, g11 = (b0 * v11 - b1 * v01) / det, (b1 * v00 - b0 * v01) / det
        d0, d1 = mean[k + 1, 0] - mean[k, 0] - h * mean[k, 1], mean[k + 1, 1] - mean[k, 1]
        mean[k, 0] += g00 * d0 + g01 * d1
        mean[k, 1] += g10 * d0 + g11 * d1
        w0, w1, w2 = cov[k + 1, 0] - v00, cov[k + 1, 1] - v01, cov[k + 1, 2] - v11
        cov[k, 0] += g00 * (g00 * w0 + g01 * w1) + g01 * (g00 * w1 + g01 * w2)
        cov[k, 1] += g10 * (g00 * w0 + g01 * w1) + g11 * (g00 * w1 + g01 * w2)
        cov[k, 2] += g10 * (g10 * w0 + g11 * w1) + g11 * (g10 * w1 + g11 * w2)
    return likelihood, mean, cov[:, 0].copy()


@kernel
def spread(cov: Floats, h: float, q: float) -> tuple[float, float, float]:
    """Covariance (phase, both, rate) of an integrated random walk after a time h."""
    v00 = cov[0] + 2.0 * h * cov[1] + h * h * cov[2] + q * h**3 / 3.0
    return v00, cov[1] + h * cov[2] + 0.5 * q * h * h, cov[2] + q * h


@kernel
def place_clicks(
    time_ps: Times,
    place: NDArray[np.uint8],
    shift: Floats,
    knot_ps: Times,
    knot_pulse: Times,
    knot_fraction: Floats,
    knot_rate: Floats,
) -> tuple[Times, Floats]:
    """(pulse, residual_ps), `(event,)` each: cubic between knots, a line beyond them."""
    pulse, residual_ps = np.empty(time_ps.size, np.int64), np.empty(time_ps.size)
    last = knot_ps.size - 1
    k = 0
    for i in range(time_ps.size):
        while k < last and time_ps[i] >= knot_ps[k + 1]:
            k += 1
        while k > 0 and time_ps[i] < knot_ps[k]:
            k -= 1
        t, f = float(time_ps[i] - knot_ps[k]) - shift[place[i]], knot_rate[k]
        phase = f * t
        if k < last and time_ps[i] >= knot_ps[0]:
            H = float(knot_ps[k + 1] - knot_ps[k])
            u = t / H
            bow = float(knot_pulse[k + 1] - knot_pulse[k]) + knot_fraction[k + 1] - knot_fraction[k] - f * H
            phase += u * u * (bow * (3.0 - 2.0 * u) + (u - 1.0) * (knot_rate[k + 1] - f) * H)  # Hermite's cubic
        phase += knot_fraction[k]
        whole = floor(phase + 0.5)
        pulse[i] = knot_pulse[k] + int(whole)
        residual_ps[i] = (phase - whole) / f
    return pulse, residual_ps
