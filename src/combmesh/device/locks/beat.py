"""Beat notes between lines of two terminals that share nothing but the atoms and their references' accuracy.

CH+n lies n lines to the red: :math:`f_n = f_0 - n f_{rep}`, so a beat is that of the seeds less n times that of the
spacings. A beat here has a sign; on the bench a frequency shifter gives it one.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks import repetition, rubidium
from combmesh.device.locks.noise import Noise, OrnsteinUhlenbeck, RandomWalk, White
from combmesh.device.locks.repetition import RepetitionLock, temperature_lock
from combmesh.device.locks.rubidium import SeedLock
from combmesh.device.locks.survival import preset_ring
from combmesh.ground.errors import InputError, check_positive, check_range

Trace = NDArray[np.float64]

REP_RATE_HZ = 49e9
"""Section 2.1 of the paper."""


@dataclass(frozen=True)
class Terminal:
    """The locks of one user's comb and what disturbs them.

    Attributes:
        seed: the seed's lock.
        rep_rate: the spacing's lock.
        line_noise: wander of half the rubidium line in this cell (sigma fitted: 30.7 kHz at CH0; memory assumed).
        laser_drift: the free-running seed (assumed).
        disturbance: of the spacing (fitted: 215 Hz with a gate of 10 s).
        ambient: of the temperature around the ring, K (assumed: none).
        reference_error: relative inaccuracy of the radio-frequency reference; 1e-9 is 4.9 kHz at line 100.
        rep_rate_hz: the reference's nominal frequency, Hz.
    """

    seed: SeedLock = field(default_factory=SeedLock)
    rep_rate: RepetitionLock = field(default_factory=lambda: temperature_lock(preset_ring()))
    line_noise: Noise = field(default_factory=lambda: OrnsteinUhlenbeck(22.25e3, 10.0))
    laser_drift: Noise = field(default_factory=lambda: RandomWalk(3e3))
    disturbance: Noise = field(default_factory=lambda: RandomWalk(175.6))
    ambient: Noise = field(default_factory=lambda: White(0.0))
    reference_error: float = 0.0
    rep_rate_hz: float = REP_RATE_HZ

    def __post_init__(self) -> None:
        check_positive("rep_rate_hz", self.rep_rate_hz)
        check_range("reference_error", self.reference_error, -1e-3, 1e-3)


class TerminalTrace(NamedTuple):
    """What two locks did, one value a counter gate, `(gate,)`."""

    gate_s: float
    seed_hz: Trace  # seed from its nominal frequency
    rep_rate_hz: Trace  # spacing from its nominal value, the reference's inaccuracy included
    temperature_k: Trace
    power_w: Trace
    seed_status: NDArray[np.int8]
    rep_rate_status: NDArray[np.int8]
    losses: int  # of both locks, the warm-up included

    @property
    def time_s(self) -> Trace:
        """When each gate closes, s."""
        time_s: Trace = self.gate_s * np.arange(1, self.seed_hz.size + 1, dtype=np.float64)
        return time_s


class Drawn(NamedTuple):
    """What disturbs a terminal, one value a step, `(step,)`, from the beginning of its warm-up."""

    line_hz: Trace
    laser_hz: Trace
    rep_rate_hz: Trace
    ambient_k: Trace


def draw(terminal: Terminal, rng: np.random.Generator, hours: float, dt_s: float, warm_up_s: float) -> Drawn:
    """Warm-up and record of everything that disturbs a terminal."""
    check_positive("hours", hours)
    check_positive("dt_s", dt_s)
    check_range("warm_up_s", warm_up_s, 0.0)
    gate_s = terminal.rep_rate.period_s
    steps = (round(warm_up_s / gate_s) + round(hours * 3600 / gate_s)) * round(gate_s / dt_s)
    noises = terminal.line_noise, terminal.laser_drift, terminal.disturbance, terminal.ambient
    return Drawn(*(noise.draw(rng, steps, dt_s) for noise in noises))


def run(
    terminal: Terminal, rng: np.random.Generator, hours: float = 3.0, dt_s: float = 0.1, warm_up_s: float = 300.0
) -> TerminalTrace:
    """A terminal's record after a warm-up, counted with the period of its repetition-rate lock (1 s)."""
    drawn = draw(terminal, rng, hours, dt_s, warm_up_s)
    gate_s = terminal.rep_rate.period_s
    begin = round(warm_up_s / gate_s)
    seed = rubidium.run(terminal.seed, drawn.laser_hz, drawn.line_hz, dt_s, gate_s)
    comb = repetition.run(terminal.rep_rate, drawn.rep_rate_hz, dt_s, drawn.ambient_k)
    return TerminalTrace(
        gate_s,
        seed.offset_hz[begin:],
        comb.error_hz[begin:] + terminal.reference_error * terminal.rep_rate_hz,
        comb.temperature_k[begin:],
        comb.power_w[begin:],
        seed.status[begin:],
        comb.status[begin:],
        seed.losses + comb.losses,
    )


def beat_hz(one: TerminalTrace, other: TerminalTrace, line: int) -> Trace:
    """`(gate,)` beat of line `line` of two terminals, Hz."""
    if one.seed_hz.shape != other.seed_hz.shape or one.gate_s != other.gate_s:
        raise InputError("The two terminals must have records of one length and one gate, but these differ.")
    beat: Trace = one.seed_hz - other.seed_hz - line * (one.rep_rate_hz - other.rep_rate_hz)
    return beat


def allan_deviation_hz(values: Trace, gate_s: float, times_s: Trace) -> Trace:
    """Overlapping Allan deviation of `(gate,)` mean frequencies, `(time,)`, Hz.

    .. math:: \\sigma^2(m\\tau_0) = \\frac{1}{2 (m\\tau_0)^2 (N-2m+1)} \\sum_k (x_{k+2m} - 2 x_{k+m} + x_k)^2

    with the phase :math:`x_k = \\tau_0\\sum_{i<k} y_i` (Riley, NIST SP 1065, overlapping Allan variance). A time
    must be a multiple of the gate and at most half the record.
    """
    check_positive("gate_s", gate_s)
    N = values.size
    x = np.concatenate([[0.0], np.cumsum(values - values.mean())]) * gate_s
    out = np.empty(len(times_s))
    for i, time_s in enumerate(times_s):
        m = round(float(time_s) / gate_s)
        if m < 1 or 2 * m > N or abs(m * gate_s - time_s) > 1e-6 * gate_s:
            raise InputError(
                f"`times_s` must be multiples of the gate of {gate_s:g} s and at most half the record of "
                f"{N * gate_s:g} s, but has {time_s:g}."
            )
        second = x[2 * m :] - 2.0 * x[m:-m] + x[: -2 * m]
        out[i] = np.sqrt(np.square(second).sum() / (2.0 * (m * gate_s) ** 2 * second.size))  # NIST SP 1065, overlapping
    return out


class Histogram(NamedTuple):
    """A distribution as the paper draws it."""

    edges: Trace  # (bin + 1,)
    counts: NDArray[np.int64]  # (bin,)


def histogram(values: Trace, bins: int = 40) -> Histogram:
    """`values` without what is missing, in bins of equal width."""
    check_range("bins", bins, 1)
    counts, edges = np.histogram(values[np.isfinite(values)], bins)
    return Histogram(edges.astype(np.float64), counts.astype(np.int64))


class Beat(NamedTuple):
    """The record of one pair of lines."""

    line: int
    trace_hz: Trace
    mean_hz: float
    std_hz: float
    allan_times_s: Trace
    allan_hz: Trace
    distribution: Histogram


def beat(one: TerminalTrace, other: TerminalTrace, line: int) -> Beat:
    """Trace, mean, standard deviation, Allan deviation at decades and histogram of one pair of lines."""
    trace = beat_hz(one, other, line)
    seen = trace[np.isfinite(trace)]
    if seen.size < 2:
        raise InputError(f"Line {line} must have a beat in at least 2 gates, but has one in {seen.size}.")
    decades = 10.0 ** np.arange(int(np.log10(max(seen.size // 2, 1))) + 1, dtype=np.float64)
    times_s = one.gate_s * decades
    allan = allan_deviation_hz(seen, one.gate_s, times_s)
    return Beat(line, trace, float(seen.mean()), float(seen.std()), times_s, allan, histogram(trace))


class Homogeneity(NamedTuple):
    """Whether lines differ: the probability of differences at least as large, were there none."""

    p_spread: float  # of the standard deviations
    p_mean: float  # of the means

    def significant(self, false_alarm: float = 0.01) -> bool:
        """Whether either differs, with the false-alarm rate shared between the two (Bonferroni)."""
        return min(self.p_spread, self.p_mean) < false_alarm / 2.0


def homogeneity(beats: Trace, gate_s: float, block_s: float, concurrent: bool) -> Homogeneity:
    """Test "no significant difference" among lines, `(line, gate)`.

    Samples remember, so records are cut into blocks that are long beside the noise's memory (ten times; for flicker no
    length is enough and the test is too eager): each gives a line one mean and one log variance. Lines sampled at the
    same instants share the seeds' noise, and Friedman's test ranks them within each block; lines sampled one after the
    other are independent, and Kruskal and Wallis rank all blocks. Both tests hold for any distribution.
    """
    from scipy.stats import friedmanchisquare, kruskal

    check_positive("gate_s", gate_s)
    if beats.ndim != 2 or beats.shape[0] < 3:
        raise InputError(f"`beats` must have shape (line, gate) with at least 3 lines, but has {beats.shape}.")
    if not np.isfinite(beats).all():
        raise InputError("`beats` must be finite numbers, but some are missing: cut the record before.")
    per = round(block_s / gate_s)
    blocks = beats.shape[1] // per if per >= 2 else 0
    if blocks < 8:
        raise InputError(f"`block_s` must leave 8 blocks of at least 2 gates, but {block_s:g} leaves {blocks}.")
    cut = beats[:, : blocks * per].reshape(beats.shape[0], blocks, per)
    test = friedmanchisquare if concurrent else kruskal
    return Homogeneity(float(test(*np.log(cut.var(axis=2))).pvalue), float(test(*cut.mean(axis=2)).pvalue))
