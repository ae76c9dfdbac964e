r"""Which clicks become pairs, how many, and what the wait between two paired rounds costs in phase.

The phase that matters in X is the change of the users' optical phase difference between the paired rounds,

.. math::
   \delta(\tau) = 2\pi\,\Delta f\,\tau + \text{noise}, \qquad
   \langle\cos\delta\rangle = e^{-D(\tau)/2}\cos(2\pi\,\Delta f\,\tau), \qquad
   D(\tau) = 2\pi(\Delta\nu_A+\Delta\nu_B)\tau + (2\pi\sigma_f\tau)^2 + (\sigma_L\tau)^2

with Lorentzian linewidths (Zhang 2025, Eq. 3, for two equal lasers), a residual beat note of mean :math:`\Delta f`
(Zhou 2023, Eq. 2) that scatters by :math:`\sigma_f` from pair to pair but not within one, and fibre drift
:math:`\sigma_L` (Zhang 2025, Eq. 3). Everything that scatters is Gaussian.
"""

from dataclasses import dataclass
from math import ceil, exp, expm1, log, log1p, pi, sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import check_positive, check_range
from combmesh.ground.kernels import kernel
from combmesh.protocol.mode_pairing.settings import PairingRule

_SUMMED_SLOTS = 4096  # more gaps than these are integrated
_NEGLIGIBLE = 40.0  # e^-40: such gaps, or such contrasts, do not count
_PANELS = 32
_MOST_PANELS = 100_000
_FASTEST = 1e15  # Hz or rad/s: faster than light itself


@dataclass(frozen=True)
class Coherence:
    """How the users' phase difference moves between two rounds.

    Attributes:
        linewidth_a_hz, linewidth_b_hz: Lorentzian linewidths (full width at half maximum), Hz.
        beat_offset_hz: mean residual difference of the users' frequencies after all correction, Hz; any sign.
        beat_std_hz: standard deviation of that difference, constant over one pair, Hz.
        fibre_drift_rad_s: standard deviation of the fibres' phase drift, rad/s.
    """

    linewidth_a_hz: float = 0.0
    linewidth_b_hz: float = 0.0
    beat_offset_hz: float = 0.0
    beat_std_hz: float = 0.0
    fibre_drift_rad_s: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("linewidth_a_hz", "linewidth_b_hz", "beat_std_hz", "fibre_drift_rad_s"):
            check_range(name, getattr(self, name), 0.0, _FASTEST)
        check_range("beat_offset_hz", self.beat_offset_hz, -_FASTEST, _FASTEST)

    def phase_variance(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(...,)` variance D of the phase change over `time_s`, rad^2."""
        t = np.asarray(time_s, dtype=float)
        walk = 2.0 * pi * (self.linewidth_a_hz + self.linewidth_b_hz) * t
        drift = ((2.0 * pi * self.beat_std_hz) ** 2 + self.fibre_drift_rad_s**2) * t * t
        variance: NDArray[np.float64] = walk + drift  # Zhang 2025, Eq. (3), with the beat note
        return variance

    def contrast(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(...,)` mean cosine of the phase change over `time_s`, -1 to 1."""
        t = np.asarray(time_s, dtype=float)
        mean: NDArray[np.float64] = np.exp(-0.5 * self.phase_variance(t)) * np.cos(2.0 * pi * self.beat_offset_hz * t)
        return mean  # Zhou 2023, Eq. (2)

    def memory_s(self) -> float:
        """Time after which e^{-D/2} is below e^-40, s; infinite without noise."""
        walk = 2.0 * pi * (self.linewidth_a_hz + self.linewidth_b_hz)
        drift = (2.0 * pi * self.beat_std_hz) ** 2 + self.fibre_drift_rad_s**2
        by_walk = 2.0 * _NEGLIGIBLE / walk if walk > 0.0 else float("inf")
        by_drift = sqrt(2.0 * _NEGLIGIBLE / drift) if drift > 0.0 else float("inf")
        return min(by_walk, by_drift)


@kernel
def pair_rounds(clicks: NDArray[np.int64], shortest: int, longest: int) -> NDArray[np.int64]:
    """`(pair, 2)` positions in `clicks` of the paired rounds, front and rear.

    Args:
        clicks: `(click,)` numbers of the rounds that clicked, ascending.
        shortest, longest: least and largest distance of a pair, slots.
    """
    pairs = np.empty((len(clicks) // 2, 2), dtype=np.int64)
    n = 0
    front = 0
    while front + 1 < len(clicks):
        gap = clicks[front + 1] - clicks[front]
        if shortest <= gap <= longest:  # Zeng 2022, Box 2; Zhu 2023, Algorithm 1
            pairs[n, 0], pairs[n, 1] = front, front + 1
            n += 1
            front += 1
        front += 1
    return pairs[:n]


def _success(click: float, shortest: int, longest: int) -> float:
    """Probability that the next click comes after `shortest` to `longest` slots."""
    if click >= 1.0:
        return 1.0 if shortest == 1 else 0.0
    none = log1p(-click)
    return -exp((shortest - 1) * none) * expm1((longest - shortest + 1) * none)


def pairing_rate(click: float, rule: PairingRule) -> float:
    r"""Pairs for each round, 0 to 1/2.

    .. math:: r_p = \left[\frac{1}{p\,s} + \frac{1}{p}\right]^{-1}, \qquad s = (1-p)^{m-1} - (1-p)^l

    (Zeng 2022, Eq. 4, where the least length m is 1; with it, derived here: a front click waits 1/p rounds for the next
    one and is used with probability s; then 1/p rounds pass to the next front. It agrees with Zhu 2023, Table VI.)

    Args:
        click: probability p that a round clicks, 0 to 1, independent from round to round.
        rule: least and maximal pairing length.

    Raises:
        InputError: `click` is not in [0, 1].

    >>> round(pairing_rate(0.1, PairingRule(longest_slots=10)), 6)
    0.039442
    """
    check_range("click", click, 0.0, 1.0)
    s = _success(click, rule.shortest_slots, rule.longest_slots)
    return click * s / (1.0 + s)  # Zeng 2022, Eq. (4)


def mean_contrast(click: float, rule: PairingRule, coherence: Coherence, rounds_hz: float) -> float:
    """Contrast of X averaged over the gaps of the pairs, the slices' width not included.

    Gaps are geometric between the least and the maximal length (Zeng 2022, Eqs. 15 and 16). Up to 4096 of them are
    summed; more are integrated, with an error below 1e-5.

    Args:
        click: probability that a round clicks, 0 to 1.
        rule: least and maximal pairing length.
        coherence: how the phase moves.
        rounds_hz: rounds in a second, Hz, above 0.

    Raises:
        InputError: `click` or `rounds_hz` is out of its range.
    """
    check_range("click", click, 0.0, 1.0)
    check_positive("rounds_hz", rounds_hz)
    first = rule.shortest_slots
    if click >= 1.0 or rule.longest_slots == first:
        return float(coherence.contrast(np.array(first / rounds_hz)))
    reach = min(_NEGLIGIBLE / click if click > 0.0 else float("inf"), coherence.memory_s() * rounds_hz)
    last = min(rule.longest_slots, first + ceil(reach)) if reach < rule.longest_slots else rule.longest_slots
    none = log1p(-click)
    gaps = rule.longest_slots - first + 1
    total = -expm1(gaps * none) / click if click > 0.0 else float(gaps)
    if last - first < _SUMMED_SLOTS:
        slots = np.arange(first, last + 1)
        terms = np.exp((slots - first) * none) * coherence.contrast(slots / rounds_hz)
        return float(terms.sum() / total)
    return _integrated(first, last, none, coherence, rounds_hz) / total


def _integrated(first: int, last: int, none: float, coherence: Coherence, rounds_hz: float) -> float:
    """Sum of (1-p)^{d-first} contrast(d) over d from first to last: the midpoint rule backwards, 16 nodes a panel."""
    cycles = abs(coherence.beat_offset_hz) * (last - first) / rounds_hz
    edges = np.linspace(first - 0.5, last + 0.5, min(_PANELS + ceil(cycles), _MOST_PANELS) + 1)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    slots = edges[:-1, None] + half * (1.0 + nodes)
    terms = np.exp((slots - first) * none) * coherence.contrast(slots / rounds_hz)
    return float((half * weights * terms).sum())


def contrast_limit_slots(beat_std_hz: float, rounds_hz: float, contrast: float) -> float:
    r"""Slots after which a Gaussian beat note alone leaves this contrast: :math:`\sqrt{-2\ln C}/(2\pi\sigma_f)`.

    Args:
        beat_std_hz: standard deviation of the beat note, Hz, above 0.
        rounds_hz: rounds in a second, Hz, above 0.
        contrast: contrast at the end of the wait, above 0 and at most 1.
    """
    check_positive("beat_std_hz", beat_std_hz)
    check_positive("rounds_hz", rounds_hz)
    check_positive("contrast", contrast)
    check_range("contrast", contrast, 0.0, 1.0)
    return sqrt(-2.0 * log(contrast)) / (2.0 * pi * beat_std_hz) * rounds_hz
