"""The key of every pair against the light that it gets: block lengths, time slots, and the time to the first key.

The finite-key rate is what it is: a pair that gets half the light has less than half the key. Surfaces over both arms
are computed for a ladder of light times, from the longest to the shortest, each from the settings of the one before;
between its steps the bits for each pulse are interpolated in ln(time), without overshoot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from combmesh.ground.errors import InputError, check_positive
from combmesh.network.rate_rule import RateRule
from combmesh.network.rate_surface import RateSurface, climbed_surface, rate_surface
from combmesh.network.rates import Floats

STEPS_PER_DECADE = 4
SPACING = 0.125
_FEWEST_STEPS = 3


def ladder(shortest_s: float, longest_s: float, per_decade: int = STEPS_PER_DECADE) -> tuple[float, ...]:
    """Light times from the shortest to the longest, evenly in their logarithm, s.

    >>> [round(time_s, 1) for time_s in ladder(10.0, 1000.0, 1)]
    [10.0, 100.0, 1000.0]
    """
    check_positive("shortest_s", shortest_s)
    if longest_s <= shortest_s:
        raise InputError(f"`longest_s` must be above {shortest_s:g}, but is {longest_s:g}.")
    steps = max(round(np.log10(longest_s / shortest_s) * per_decade) + 1, _FEWEST_STEPS)
    return tuple(float(time_s) for time_s in np.geomspace(shortest_s, longest_s, steps))


@dataclass(frozen=True, eq=False)
class BlockSurfaces:
    """Surfaces for a ladder of light times.

    Attributes:
        light_s: longest light time of a block, ascending, s.
        surfaces: the surface of each.
    """

    light_s: tuple[float, ...]
    surfaces: tuple[RateSurface, ...]

    @property
    def rule(self) -> RateRule:
        """The rule of the longest blocks."""
        return self.surfaces[-1].rule

    def skr_bps(self, arms_a: Floats, arms_b: Floats, light_s: Floats) -> Floats:
        """Key for each second of light, in blocks of some light times, bit/s, shape (pair, time).

        Args:
            arms_a, arms_b: efficiencies, shape (pair,).
            light_s: light time of a block, shape (time,); below the ladder there is no key, above it is refused.
        """
        from scipy.interpolate import PchipInterpolator

        times = np.asarray(light_s, dtype=np.float64)
        if times.size and times.max() > self.light_s[-1] * (1.0 + 1e-9):
            raise InputError(f"`light_s` must be at most {self.light_s[-1]:g} here, but is {times.max():g}.")
        steps = self._steps(arms_a, arms_b)
        inside = np.clip(times, self.light_s[0], self.light_s[-1])
        rate = PchipInterpolator(np.log(self.light_s), steps, axis=1)(np.log(inside))
        rate = np.where(times >= self.light_s[0] * (1.0 - 1e-9), np.maximum(rate, 0.0), 0.0)
        return np.asarray(rate * self.rule.clock_hz, dtype=np.float64)

    def first_key_s(self, arms_a: Floats, arms_b: Floats) -> Floats:
        """Least light time of a block with key, s, shape (pair,).

        The shortest of the ladder where that is enough already, infinite where the longest is not.
        """
        steps = self._steps(arms_a, arms_b)
        keyed = steps > 0.0
        upper = np.argmax(keyed, axis=1)
        lower = np.maximum(upper - 1, 0)
        pair = np.arange(len(steps))
        roots = np.sqrt(self.light_s)  # a n - b sqrt(n), over sqrt(n), is a straight line in sqrt(n)
        below, above = (steps[pair, k] * roots[k] for k in (lower, upper))
        share = np.where(above > below, -below / np.where(above > below, above - below, 1.0), 0.0)
        found = (roots[lower] + share * (roots[upper] - roots[lower])) ** 2
        first = np.where(upper == 0, self.light_s[0], found)
        return np.where(keyed.any(axis=1), first, np.inf)

    def _steps(self, arms_a: Floats, arms_b: Floats) -> Floats:
        """Signed bits for each pulse, shape (pair, step); at least minus the greatest one."""
        steps = np.stack([surface.rate_per_pulse(arms_a, arms_b) for surface in self.surfaces], axis=1)
        return np.asarray(np.maximum(steps, -np.maximum(steps.max(axis=1, keepdims=True), 1e-300)), dtype=np.float64)


def block_surfaces(
    rule: RateRule,
    least_arm: float,
    greatest_arm: float,
    light_s: Sequence[float],
    workers: int = 1,
    spacing: float = SPACING,
) -> BlockSurfaces:
    """Surfaces for the light times `light_s`, ascending; arguments as of `rate_surface`."""
    times = tuple(light_s)
    if len(times) < _FEWEST_STEPS or any(np.diff(times) <= 0.0):
        raise InputError(f"`light_s` must hold at least {_FEWEST_STEPS} ascending times, but is {times}.")
    surface = rate_surface(rule.of_block(times[-1]), least_arm, greatest_arm, workers, spacing)
    surfaces = [surface]
    low, count = float(surface.log_arms[0]), len(surface.log_arms)
    for time_s in reversed(times[:-1]):
        keyed = surfaces[-1].yields > 0.0
        starts = {(i, j): surfaces[-1].points[i, j] for i in range(count) for j in range(i + 1) if keyed[i, j]}
        step = climbed_surface(rule.of_block(time_s), low, spacing, count, starts, workers)
        surfaces.append(step)
    return BlockSurfaces(times, tuple(reversed(surfaces)))
