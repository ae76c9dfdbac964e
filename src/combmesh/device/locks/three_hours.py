"""Three hours of Fig. 2: what is fitted to a printed value, what is then predicted, what the printed values exclude.

Fitted, one number each: the disturbance to the 215 Hz of the repetition rate, the rubidium noise to the 30.7 kHz of
CH0. Predicted: peak to peak, beats away from CH0, tuning range. Loops that do not saturate are linear, so a fit is one
ratio; it is made on other seeds than the prediction.
"""

from dataclasses import dataclass, replace
from math import exp, pi, sqrt
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.device.locks import beat
from combmesh.device.locks.noise import Flicker, Noise, OrnsteinUhlenbeck, Ramp, RandomWalk, Scaled, Sine, Total, White
from combmesh.device.locks.repetition import RepetitionLock, gated, run
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.provenance import Mark
from combmesh.ground.rng import stream

PRINTED_STD_HZ, PRINTED_PEAK_TO_PEAK_HZ, PRINTED_RANGE_MK, PRINTED_BEAT_KHZ = 215.0, 1442.0, 150.0, 30.7
"""Over 3 h (paper 2.1; Fig. 2c, 2g; the range is an upper bound)."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """How a record was taken.

    Attributes:
        hours: its length, h (printed: 3).
        gate_s: gate of the counter whose values are reported, s (assumed).
        dt_s: step of the simulation, s.
        warm_up_s: time before it, in which the locks settle, s (assumed).
    """

    hours: float = 3.0
    gate_s: float = 10.0
    dt_s: float = 0.1
    warm_up_s: float = 300.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("hours", "gate_s", "dt_s"):
            check_positive(name, getattr(self, name))
        check_range("warm_up_s", self.warm_up_s, 0.0)

    @property
    def steps(self) -> int:
        """Steps of the simulation, with the warm-up."""
        return round((self.hours * 3600 + self.warm_up_s) / self.dt_s)


class Figures(NamedTuple):
    """The printed figures, one value a seed, `(seed,)`."""

    std_hz: Values
    peak_to_peak_hz: Values
    range_mk: Values
    losses: NDArray[np.int64]


def figures(lock: RepetitionLock, noise: Noise, seeds: range, record: Record | None = None) -> Figures:
    """Spread, peak to peak and tuning range of the repetition rate over independent records.

    Gates without a soliton are left out; `losses` counts the locks lost.
    """
    record = record or Record()
    rows = []
    for seed in seeds:
        trace = run(lock, noise.draw(stream(seed, "repetition rate"), record.steps, record.dt_s), record.dt_s)
        begin = round(record.warm_up_s / lock.period_s)
        error = gated(trace.error_hz[begin:], lock.period_s, record.gate_s)
        seen = error[np.isfinite(error)]
        if seen.size == 0:
            raise InputError(f"A record must have a soliton in some gate, but that of seed {seed} has none.")
        rows.append((seen.std(), np.ptp(seen), 1e3 * np.ptp(trace.temperature_k[begin:]), trace.losses))
    std, peak, span, losses = np.array(rows).T
    return Figures(std, peak, span, losses.astype(np.int64))


class Fitted(NamedTuple):
    """A disturbance with one number adjusted to a printed value. Never shown as a prediction."""

    noise: Noise
    factor: float
    mark: Mark


def fit_disturbance(
    lock: RepetitionLock,
    noise: Noise,
    fixed: Noise | None = None,
    target_hz: float = PRINTED_STD_HZ,
    seeds: range = range(10_000, 10_060),
    record: Record | None = None,
) -> Fitted:
    """Scale `noise` until the mean standard deviation is `target_hz`, beside a `fixed` disturbance left as it is."""
    check_positive("target_hz", target_hz)
    check_range("seeds", len(seeds), 1)
    with_fixed = float(figures(lock, fixed, seeds, record).std_hz.mean()) if fixed else 0.0
    rest_hz = sqrt(max(target_hz**2 - with_fixed**2, 0.0))
    unit = _small_signal(lock, noise, seeds, record)
    if rest_hz == 0.0 or unit == 0.0:
        raise InputError(
            f"`noise` must be able to make {target_hz:g} Hz, but gives {unit:g} Hz beside {with_fixed:g} Hz."
        )
    factor = rest_hz / unit
    scaled: Noise = Scaled(noise, factor)
    mark = Mark("fitted", f"to the {target_hz:g} Hz of the repetition rate (paper 2.1, Fig. 2c)")
    return Fitted(Total((scaled, fixed)) if fixed else scaled, factor, mark)


def _small_signal(lock: RepetitionLock, noise: Noise, seeds: range, record: Record | None) -> float:
    """Mean standard deviation a unit of `noise`, at a tenth of a hertz, where nothing saturates or folds."""
    first = float(figures(lock, Scaled(noise, 1e-6), seeds[:1], record).std_hz[0])
    if first == 0.0:
        return 0.0
    small = 1e-6 * 0.1 / first
    return float(figures(lock, Scaled(noise, small), seeds, record).std_hz.mean()) / small


def fit_line_noise(
    terminal: beat.Terminal,
    target_khz: float = PRINTED_BEAT_KHZ,
    seeds: range = range(10_000, 10_030),
    record: Record | None = None,
) -> tuple[beat.Terminal, Fitted]:
    """Scale a terminal's rubidium noise until the mean standard deviation of CH0's beat of two such is `target_khz`."""
    check_positive("target_khz", target_khz)
    quiet = replace(terminal, line_noise=Scaled(terminal.line_noise, 0.0))
    own = _mean_beat(quiet, seeds, record)
    now = _mean_beat(terminal, seeds, record)
    rest, line = 1e6 * target_khz**2 - own**2, now**2 - own**2
    if rest <= 0.0 or line <= 0.0:
        raise InputError(f"`target_khz` must be above what the lasers leave, {own / 1e3:g}, but is {target_khz:g}.")
    factor = sqrt(rest / line)
    noise = Scaled(terminal.line_noise, factor)
    mark = Mark("fitted", f"to the {target_khz:g} kHz of the beat at CH0 (paper 2.1, Fig. 2f)")
    return replace(terminal, line_noise=noise), Fitted(noise, factor, mark)


def _mean_beat(terminal: beat.Terminal, seeds: range, record: Record | None) -> float:
    return float(beats(terminal, (0,), seeds, record).mean())


def beats(terminal: beat.Terminal, lines: tuple[int, ...], seeds: range, record: Record | None = None) -> Values:
    """`(seed, line)` standard deviations of the beats of two like, independent terminals, Hz."""
    record = record or Record()
    out = np.empty((len(seeds), len(lines)))
    for row, seed in zip(out, seeds, strict=True):
        one, other = (
            beat.run(terminal, stream(seed, "terminal", name), record.hours, record.dt_s, record.warm_up_s)
            for name in ("A", "B")
        )
        row[:] = [np.nanstd(beat.beat_hz(one, other, line)) for line in lines]
    return out


def theory_std_hz(rate_hz_sqrt_s: float, crossover_rad_s: float, gate_s: float = 0.0) -> float:
    """Standard deviation of a locked repetition rate under a random walk.

    .. math:: \\sigma = \\frac{q}{\\sqrt{2\\omega_c}}\\sqrt{\\frac{2}{x^2}(x - 1 + e^{-x})},\\quad x = \\omega_c G

    for an open loop :math:`\\omega_c/s` without delay; one period's delay adds some percent. Derived: the error is an
    Ornstein-Uhlenbeck process, averaged over the gate G.
    """
    check_positive("crossover_rad_s", crossover_rad_s)
    check_range("gate_s", gate_s, 0.0)
    x = crossover_rad_s * gate_s
    share = 2.0 / x**2 * (x - 1.0 + exp(-x)) if x > 1e-4 else 1.0
    return rate_hz_sqrt_s / sqrt(2.0 * crossover_rad_s) * sqrt(share)


def theory_range_k(rate_hz_sqrt_s: float, hours: float, slope_hz_k: float) -> float:
    """Mean range of a temperature that compensates a random walk: :math:`\\sqrt{8T/\\pi}\\,q/K` (Feller 1951).

    >>> round(1e3 * theory_range_k(175.0, 3.0, 0.44e6))
    66
    """
    check_positive("hours", hours)
    return sqrt(8.0 * hours * 3600.0 / pi) * rate_hz_sqrt_s / abs(slope_hz_k)


CANDIDATES: dict[str, tuple[Noise, Noise | None]] = {
    "random walk": (RandomWalk(175.0), None),
    "Ornstein-Uhlenbeck, 10 s": (OrnsteinUhlenbeck(300.0, 10.0), None),
    "Ornstein-Uhlenbeck, 1000 s": (OrnsteinUhlenbeck(3000.0, 1000.0), None),
    "white": (White(700.0), None),
    "flicker": (Flicker(200.0), None),
    "white and a ramp of 60 kHz": (White(700.0), Ramp(60e3 / 10_800)),
    "sine of 600 s": (Sine(3000.0, 600.0), None),
    "ramp of 60 kHz and a sine of 600 s": (Sine(3000.0, 600.0), Ramp(60e3 / 10_800)),
}
"""Disturbances to be scaled, and what goes with them unscaled (all assumed)."""


class Verdict(NamedTuple):
    """What the printed numbers say of one disturbance, its size fitted to 215 Hz."""

    name: str
    fitted: Fitted
    std_hz: float  # fitted
    peak_to_peak_hz: float  # predicted: mean over seeds
    peak_to_peak_spread_hz: float
    range_mk: float  # predicted
    range_spread_mk: float
    range_share: float  # of seeds below 150 mK
    peak_to_peak_allowed: bool  # the mean within 30 % of 1442 Hz
    range_allowed: bool  # below 150 mK in at least 5 % of seeds
    range_near: bool  # 100 to 150 mK in at least 5 % of seeds: the printed bound would be tight
    losses: int

    @property
    def allowed(self) -> bool:
        """Whether the printed numbers allow it."""
        return self.peak_to_peak_allowed and self.range_allowed


def verdict(
    name: str,
    lock: RepetitionLock,
    noise: Noise,
    fixed: Noise | None = None,
    seeds: range = range(100),
    record: Record | None = None,
) -> Verdict:
    """Fit a disturbance to the 215 Hz, predict the rest, compare."""
    fitted = fit_disturbance(lock, noise, fixed, record=record)
    found = figures(lock, fitted.noise, seeds, record)
    peak, span = found.peak_to_peak_hz, found.range_mk
    near = (span >= 100.0) & (span < PRINTED_RANGE_MK)
    return Verdict(
        name,
        fitted,
        float(found.std_hz.mean()),
        float(peak.mean()),
        float(peak.std()),
        float(span.mean()),
        float(span.std()),
        float((span < PRINTED_RANGE_MK).mean()),
        bool(abs(peak.mean() / PRINTED_PEAK_TO_PEAK_HZ - 1.0) <= 0.3),
        bool((span < PRINTED_RANGE_MK).mean() >= 0.05),
        bool(near.mean() >= 0.05),
        int(found.losses.sum()),
    )


def candidate(name: str, lock: RepetitionLock, seeds: range, record: Record | None = None) -> Verdict:
    """The verdict on one of `CANDIDATES`."""
    if name not in CANDIDATES:
        raise InputError(f"`name` must be one of {', '.join(CANDIDATES)}, but is {name!r}.")
    return verdict(name, lock, *CANDIDATES[name], seeds=seeds, record=record)
