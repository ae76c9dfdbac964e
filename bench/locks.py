"""Three-hour traces of the two locks."""

import numpy as np

from bench.timing import Row, best_s, row
from combmesh.device.locks import beat, repetition, rubidium, three_hours
from combmesh.device.locks.beat import allan_deviation_hz
from combmesh.device.locks.noise import OrnsteinUhlenbeck, RandomWalk
from combmesh.device.locks.repetition import Disturbance, temperature_lock
from combmesh.device.locks.rubidium import SeedLock

STEPS = 108_000
"""Three hours at 0.1 s."""


def lock_traces() -> list[Row]:
    """Either lock over three hours, beside the repetition-rate lock stepped from Python (extrapolated)."""
    rng, lock = np.random.default_rng(1), temperature_lock()
    walk, line = RandomWalk(175.0).draw(rng, STEPS, 0.1), OrnsteinUhlenbeck(21.7e3, 10.0).draw(rng, STEPS, 0.1)

    def stepped() -> None:
        state = repetition.init(lock)
        for value in walk[:1000]:
            state, _ = repetition.step(lock, state, Disturbance(value), 0.1)

    ours = best_s(lambda: repetition.run(lock, walk))
    peer = best_s(stepped) * STEPS / 1000
    seed = best_s(lambda: rubidium.run(SeedLock(), walk, line))
    return [
        row("three hours of the repetition-rate lock", ours, "s", "the same, step by step from Python", peer),
        row("three hours of the seed lock", seed, "s"),
    ]


def terminals() -> list[Row]:
    """Both locks with their disturbances drawn, and 20 seeds of Fig. 2c."""
    both = best_s(lambda: beat.run(beat.Terminal(), np.random.default_rng(2)))
    many = best_s(lambda: three_hours.figures(temperature_lock(), RandomWalk(175.0), range(20)))
    return [row("three hours of a terminal", both, "s"), row("figures of a lock, a seed", many / 20, "s")]


def allan() -> list[Row]:
    """Overlapping Allan deviation of 10,800 values at 50 times, beside averages taken one by one in NumPy."""
    values = np.random.default_rng(3).normal(size=10_800)
    times_s = np.unique(np.geomspace(1, 5000, 50).astype(int)).astype(float)

    def plainly() -> None:
        for m in times_s.astype(int):
            means = np.convolve(values, np.full(m, 1.0 / m), "valid")
            np.sqrt(0.5 * np.mean((means[m:] - means[:-m]) ** 2))

    ours = best_s(lambda: allan_deviation_hz(values, 1.0, times_s))
    return [row(f"Allan deviation at {times_s.size} times", ours, "s", "NumPy, running means", best_s(plainly))]


BENCHMARKS = (lock_traces, terminals, allan)
