"""Single pulses a second, beside a plain NumPy relay and, where it is installed, SeQUeNCe."""

import numpy as np

from bench.timing import Row, best_s, row
from combmesh.link.pulses.engine import Simulation, simulate
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.single_pulses import light_of

SETTINGS = Settings(0.053, 0.163, 0.269, 0.32, 0.11, 0.53)
LIGHT = light_of(SETTINGS, SETTINGS)


def pulses_of_a_link() -> list[Row]:
    """One core, tallies only; the efficiencies of a 200 km link and of a metropolitan one."""
    rows = []
    for efficiency, pulses in ((7.5e-3, 1 << 29), (0.1, 1 << 27)):
        link = Link(efficiency, efficiency, Relay(1.0, 4e-8, 0.017, 0.048, 0.485), 2.5e9)
        rng = np.random.default_rng(1)
        peer = 2_000_000 / best_s(lambda link=link, rng=rng: _numpy_relay(link, 2_000_000, rng), 2)
        for thinned, number, name in ((True, pulses, ""), (False, 1 << 24, ", every pulse drawn")):
            simulation = Simulation(LIGHT, link, number, 1, thinned)
            speed = number / best_s(lambda simulation=simulation: simulate(simulation), 2)
            rows.append(row(f"pulses at arm efficiency {efficiency:g}{name}", speed, "1/s", "NumPy relay", peer))
    return rows


def pulses_with_tags() -> list[Row]:
    """The same with dead time, jitter and gate, handing out tags and records."""
    relay = Relay(1.0, 4e-8, 0.017, 0.048, 0.485, dead_time_ns=30.0, jitter_fwhm_ps=60.0, gate_ps=200.0)
    simulation = Simulation(LIGHT, Link(7.5e-3, 7.5e-3, relay, 2.5e9), 1 << 26, 1, tags=True, records=True)
    speed = simulation.pulses / best_s(lambda: simulate(simulation), 2)
    return [row("pulses with tags, records and dead time", speed, "1/s")]


def _numpy_relay(link: Link, pulses: int, rng: np.random.Generator) -> int:
    """What one would write: arrays of sources, bits, phases and clicks of every pulse."""
    source = [rng.choice(4, pulses, p=LIGHT.probability[user]) for user in (0, 1)]
    bit = rng.integers(0, 2, (2, pulses))
    phase = np.exp(2j * np.pi * rng.random(pulses))
    efficiency = (link.efficiency_a, link.efficiency_b)
    field = []
    for user in (0, 1):
        amplitude = np.sqrt(LIGHT.intensity[user][source[user]] * efficiency[user])
        in_z, sign = source[user] == 3, 1.0 - 2.0 * bit[user]
        h = np.where(in_z, 1.0 - bit[user], np.sqrt(0.5))
        v = np.where(in_z, bit[user], np.sqrt(0.5) * sign)
        field.append((amplitude * h, amplitude * v))
    clicks = []
    for sign in (1.0, -1.0):
        for mode in (0, 1):
            light = np.abs(field[0][mode] + sign * phase * field[1][mode]) ** 2 / 2.0
            clicks.append(rng.random(pulses) < 1.0 - (1.0 - link.relay.dark_count_probability) * np.exp(-light))
    number = np.sum(clicks, axis=0)
    return int(np.count_nonzero((number == 2) & ((clicks[0] | clicks[2]) & (clicks[1] | clicks[3]))))


BENCHMARKS = (pulses_of_a_link, pulses_with_tags)
