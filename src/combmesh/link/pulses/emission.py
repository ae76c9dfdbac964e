r"""What leaves the beam splitter: photons and dark counts of the pulses that give any.

Exact thinning. The four outputs hold all light that arrives, so the number of photons and dark counts of a pulse does
not depend on its phase, bits and polarization: for Poissonian light it is Poissonian with mean
:math:`L=a+b+4\lambda`. Hence (1) the pulses with any are found by geometric steps; (2) their sources are drawn in
proportion to :math:`p_{ij}(1-e^{-L_{ij}})`; (3) their number K is a Poisson number above 0; (4) each of the K is a dark
count with probability :math:`4\lambda/L`, or falls on detector d with :math:`I_d/L`, independently (the parts of a
Poisson number are Poisson numbers). Nothing is neglected: the joint distribution is that of the plain loop,
`every_pulse`, which the tests compare it with.
"""

from collections.abc import Callable
from math import exp, expm1, floor, log, log1p, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.link.pulses.interference import number_state_outcome, outputs, polarization
from combmesh.link.pulses.light import Bench, mean_clicks
from combmesh.link.pulses.periods import pulse_start

BLOCK = 1 << 18
"""Pulses with a random stream of their own."""

_MOST_PHOTONS = 256  # of one pulse at one detector; light of a mean of 50 gives it once in 1e90 pulses


class Emission(NamedTuple):
    """Pulses of a block with any photon or dark count (events), and each of these (clicks), in the order of pulses."""

    pulse: NDArray[np.int64]  # (event,)
    pair: NDArray[np.uint8]  # (event,)
    bits: NDArray[np.uint8]  # (event,) Alice's + 2 x Bob's, as they record them
    number: NDArray[np.uint8]  # (user, event) photons sent, where they are kept
    time_ps: NDArray[np.int64]  # (click,)
    detector: NDArray[np.uint8]  # (click,)


class Walk(NamedTuple):
    """Relative phase of two lasers over `BLOCK` pulses: it diffuses from one end to the other, which are given."""

    start: float
    end: float


class Choice(NamedTuple):
    """Which pulses give anything, and from which sources they come."""

    any_click: float
    cumulative: NDArray[np.float64]  # (pair,) of the pulses that give anything
    load: NDArray[np.float64]  # (pair,)


def choice_of(bench: Bench) -> Choice:
    """The chances of the pulses that give anything."""
    clicking = bench.chance * bench.any_click
    return Choice(float(clicking.sum()), shares(clicking), mean_clicks(bench))


def shares(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(pair,)` cumulative shares; the last pair with any weight has exactly 1, so that no later one is ever drawn."""
    cumulative = np.cumsum(weight)
    return cumulative / (cumulative[-1] or 1.0)


def emit(bench: Bench, choice: Choice, rng: np.random.Generator, first: int, pulses: int, walk: Walk) -> Emission:
    """Photons and dark counts of the pulses from `first` on."""
    return _fill(lambda out: clicking_pulses(rng, bench, choice, first, pulses, walk, out), rng, bench, choice, pulses)


def emit_plain(bench: Bench, choice: Choice, rng: np.random.Generator, first: int, pulses: int, walk: Walk) -> Emission:
    """The same without thinning: every pulse is drawn and interferes."""
    chance = shares(bench.chance)
    return _fill(lambda out: every_pulse(rng, bench, chance, first, pulses, walk, out), rng, bench, choice, pulses)


def _fill(
    draw: Callable[[Emission], tuple[int, int]], rng: np.random.Generator, bench: Bench, choice: Choice, pulses: int
) -> Emission:
    """What `draw` writes; where there is no room, it draws the same again into more."""
    begin, scale = rng.bit_generator.state, 1
    while True:
        out = _room(bench, choice, pulses, scale)
        events, clicks = draw(out)
        if events >= 0:
            return _cut(out, events, clicks)
        rng.bit_generator.state = begin
        scale *= 4


def _room(bench: Bench, choice: Choice, pulses: int, scale: int) -> Emission:
    """Arrays for six standard deviations above the mean, times `scale`."""
    load = bench.number.sum(axis=0) + 4.0 * bench.dark if bench.is_fock else choice.load
    mean = float(bench.chance @ load)
    spread = float(bench.chance @ (load + load**2))
    clicks = scale * (int(pulses * mean + 6.0 * sqrt(pulses * spread)) + 64)
    events = min(clicks, pulses)
    return Emission(
        np.empty(events, np.int64),
        np.empty(events, np.uint8),
        np.empty(events, np.uint8),
        np.zeros((2, events if bench.keeps_photons else 0), np.uint8),
        np.empty(clicks, np.int64),
        np.empty(clicks, np.uint8),
    )


def _cut(out: Emission, events: int, clicks: int) -> Emission:
    return Emission(
        out.pulse[:events],
        out.pair[:events],
        out.bits[:events],
        out.number[:, :events],
        out.time_ps[:clicks],
        out.detector[:clicks],
    )


@kernel
def clicking_pulses(
    rng: np.random.Generator, bench: Bench, choice: Choice, first: int, pulses: int, walk: Walk, out: Emission
) -> tuple[int, int]:
    """Only the pulses that give anything; numbers of events and clicks, (-1, -1) where `out` is too small."""
    events, clicks, at, phase = 0, 0, first - 1, walk.start
    step = -1.0 / log1p(-choice.any_click) if choice.any_click < 1.0 else 0.0
    outcome = np.empty(2 * _MOST_PHOTONS, np.int64)
    while choice.any_click > 0.0:
        skipped = -log(1.0 - rng.random()) * step
        if skipped >= first + pulses - 1 - at:
            break
        gap = 1 + int(skipped)
        if bench.is_laser:
            phase = _later(rng, bench, phase, float(gap), walk.end, float(first + BLOCK - 1 - at))
        at += gap
        pair, bits, wrong = _prepare(rng, bench, choice.cumulative)
        m_a, m_b, darks = _numbers(rng, bench, choice.load[pair], pair, True)
        if events == out.pulse.size or clicks + m_a + m_b + darks > out.time_ps.size:
            return -1, -1
        _to_detectors(rng, bench, pair, bits ^ wrong, m_a, m_b, _phase(rng, bench, phase, at), outcome)
        clicks = _write_clicks(rng, bench, at, outcome[: m_a + m_b], darks, out, clicks)
        _write_event(rng, bench, pair, bits, at, m_a, m_b, out, events)
        events += 1
    return events, clicks


@kernel
def _phase(rng: np.random.Generator, bench: Bench, phase: float, at: int) -> float:
    return phase + bench.drift * at if bench.is_laser else 2.0 * pi * rng.random()


@kernel
def _later(rng: np.random.Generator, bench: Bench, phase: float, gap: float, end: float, left: float) -> float:
    """A Brownian bridge: the phase `gap` pulses on, when it is `end` after `left` of them."""
    spread = bench.diffusion * sqrt(gap * (left - gap) / left)
    return phase + (end - phase) * gap / left + spread * rng.standard_normal()


@kernel
def _prepare(rng: np.random.Generator, bench: Bench, cumulative: NDArray[np.float64]) -> tuple[int, int, int]:
    """Pair of sources, the bits that the users record, and whether Alice's is prepared wrongly."""
    draw = rng.random()
    pair = 0
    while pair < cumulative.size - 1 and cumulative[pair] <= draw:
        pair += 1
    four = 4.0 * rng.random()
    bits = int(four)
    return pair, bits, int(four - bits < bench.flip[pair])


@kernel
def _numbers(rng: np.random.Generator, bench: Bench, load: float, pair: int, above_0: bool) -> tuple[int, int, int]:
    """Photons detected from Alice and from Bob, and dark counts; together above 0 where asked."""
    if bench.is_fock:
        return _numbers_of_fock(rng, bench, pair, above_0)
    a, b = bench.arriving[0, pair], bench.arriving[1, pair]
    total = _poisson(rng, load, above_0)
    m_a, m_b, darks = 0, 0, 0
    for _ in range(total):
        draw = rng.random() * load
        m_a += draw < a
        m_b += a <= draw < a + b
        darks += draw >= a + b
    return m_a, m_b, darks


@kernel
def _numbers_of_fock(rng: np.random.Generator, bench: Bench, pair: int, above_0: bool) -> tuple[int, int, int]:
    while True:
        m_a = _binomial(rng, bench.number[0, pair], bench.efficiency[0])
        m_b = _binomial(rng, bench.number[1, pair], bench.efficiency[1])
        darks = _poisson(rng, 4.0 * bench.dark, False)
        if not above_0 or m_a + m_b + darks > 0:
            return m_a, m_b, darks


@kernel
def _binomial(rng: np.random.Generator, n: int, p: float) -> int:
    count = 0
    for _ in range(n):
        count += rng.random() < p
    return count


@kernel
def _poisson(rng: np.random.Generator, mean: float, above_0: bool) -> int:
    """A Poisson number by inversion, above 0 where asked; a small mean loses no digits then."""
    k, term, draw = 0, exp(-mean), rng.random()
    if above_0:
        k, term, draw = 1, mean * term, -draw * expm1(-mean)
    while draw >= term and k < _MOST_PHOTONS:
        draw -= term
        k += 1
        term *= mean / k
    return k


@kernel
def _to_detectors(
    rng: np.random.Generator,
    bench: Bench,
    pair: int,
    prepared: int,
    m_a: int,
    m_b: int,
    phase: float,
    outcome: NDArray[np.int64],
) -> None:
    """The detector of each photon into `outcome`."""
    e_a = polarization(bench.in_z[0, pair], prepared & 1)
    e_b = polarization(bench.in_z[1, pair], prepared >> 1)
    if bench.keeps_photons:
        number_state_outcome(rng, m_a, m_b, e_a, e_b, bench.overlap, outcome)
        return
    a, b = bench.arriving[0, pair], bench.arriving[1, pair]
    mean = outputs(a, b, e_a, e_b, bench.overlap, phase)
    for photon in range(m_a + m_b):
        draw = rng.random() * (a + b)
        detector = 0
        for d in range(4):  # the last with any light where rounding has left a rest
            if mean[d] > 0.0:
                detector = d
                draw -= mean[d]
                if draw < 0.0:
                    break
        outcome[photon] = detector


@kernel
def _write_clicks(
    rng: np.random.Generator, bench: Bench, at: int, photons: NDArray[np.int64], darks: int, out: Emission, clicks: int
) -> int:
    """Times: photons about the middle of the period, dark counts anywhere in it."""
    start, rest = pulse_start(at, bench.period_ps)
    for detector in photons:
        delay = bench.sigma_ps * rng.standard_normal() if bench.sigma_ps > 0.0 else 0.0
        out.time_ps[clicks] = start + floor(rest + 0.5 * bench.period_ps + delay)
        out.detector[clicks] = detector
        clicks += 1
    for _ in range(darks):
        place = 4.0 * rng.random()
        out.detector[clicks] = int(place)
        past = floor(rest + (place - int(place)) * bench.period_ps)
        past += past + 0.5 < rest  # whole ps at the period's edges stay inside it
        past -= past + 0.5 - rest >= bench.period_ps
        out.time_ps[clicks] = start + past
        clicks += 1
    return clicks


@kernel
def _write_event(
    rng: np.random.Generator,
    bench: Bench,
    pair: int,
    bits: int,
    at: int,
    m_a: int,
    m_b: int,
    out: Emission,
    event: int,
) -> None:
    out.pulse[event], out.pair[event], out.bits[event] = at, pair, bits
    if bench.is_fock:
        out.number[0, event], out.number[1, event] = bench.number[0, pair], bench.number[1, pair]
    elif bench.keeps_photons:
        out.number[0, event] = m_a + _poisson(rng, bench.lost[0, pair], False)
        out.number[1, event] = m_b + _poisson(rng, bench.lost[1, pair], False)


@kernel
def every_pulse(
    rng: np.random.Generator,
    bench: Bench,
    cumulative: NDArray[np.float64],
    first: int,
    pulses: int,
    walk: Walk,
    out: Emission,
) -> tuple[int, int]:
    """The plain loop: sources, bits, phase and detectors of every pulse; numbers of events and clicks."""
    events, clicks, phase = 0, 0, walk.start
    outcome = np.empty(4 * _MOST_PHOTONS, np.int64)
    for at in range(first, first + pulses):
        pair, bits, wrong = _prepare(rng, bench, cumulative)
        if bench.is_laser:
            phase = _later(rng, bench, phase, 1.0, walk.end, float(first + BLOCK - at))
        angle = _phase(rng, bench, phase, at)
        if bench.keeps_photons:
            load = bench.arriving[0, pair] + bench.arriving[1, pair] + 4.0 * bench.dark
            m_a, m_b, darks = _numbers(rng, bench, load, pair, False)
            photons = m_a + m_b
            if photons > 0:
                _to_detectors(rng, bench, pair, bits ^ wrong, m_a, m_b, angle, outcome)
        else:
            m_a, m_b = 0, 0
            photons = _detected(rng, bench, pair, bits ^ wrong, angle, outcome)
            darks = _poisson(rng, 4.0 * bench.dark, False)
        if photons + darks == 0:
            continue
        if events == out.pulse.size or clicks + photons + darks > out.time_ps.size:
            return -1, -1
        clicks = _write_clicks(rng, bench, at, outcome[:photons], darks, out, clicks)
        _write_event(rng, bench, pair, bits, at, m_a, m_b, out, events)
        events += 1
    return events, clicks


@kernel
def _detected(
    rng: np.random.Generator, bench: Bench, pair: int, prepared: int, phase: float, outcome: NDArray[np.int64]
) -> int:
    """Each detector's own Poisson number of photons."""
    e_a = polarization(bench.in_z[0, pair], prepared & 1)
    e_b = polarization(bench.in_z[1, pair], prepared >> 1)
    mean = outputs(bench.arriving[0, pair], bench.arriving[1, pair], e_a, e_b, bench.overlap, phase)
    photons = 0
    for detector in range(4):
        for _ in range(_poisson(rng, max(mean[detector], 0.0), False)):
            outcome[photons] = detector
            photons += 1
    return photons
