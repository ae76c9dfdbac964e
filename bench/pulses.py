"""Single pulses a second, beside a plain NumPy relay and, where it is installed, SeQUeNCe."""

import importlib.util
from math import log10

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


def pulses_beside_sequence() -> list[Row]:
    """SeQUeNCe's weak source, fibre and polarization detector: one user's arm, no interference and no Bell states."""
    if importlib.util.find_spec("sequence") is None:
        return []
    rows = []
    for efficiency, pulses in ((7.5e-3, 1 << 29), (0.1, 1 << 27)):
        link = Link(efficiency, efficiency, Relay(1.0, 4e-8, 0.017, 0.048, 0.485, dead_time_ns=30.0), 2.5e9)
        simulation = Simulation(LIGHT, link, pulses, 1)
        speed = pulses / best_s(lambda simulation=simulation: simulate(simulation), 2)
        peer = 100_000 / best_s(lambda efficiency=efficiency: _sequence_arm(efficiency, 100_000), 2)
        rows.append(row(f"pulses with dead time at arm efficiency {efficiency:g}", speed, "1/s", "SeQUeNCe arm", peer))
    return rows


def _sequence_arm(efficiency: float, pulses: int) -> int:
    """Clicks of one arm, photon by photon in SeQUeNCe's timeline (written for its version 0.8.5)."""
    from sequence.components.detector import QSDetectorPolarization
    from sequence.components.light_source import LightSource
    from sequence.components.optical_channel import QuantumChannel
    from sequence.kernel.timeline import Timeline
    from sequence.topology.node import Node
    from sequence.utils.encoding import polarization

    class Sender(Node):
        def get(self, photon, **_):
            self.send_qubit("relay", photon)

    timeline = Timeline(pulses * 400 + 10_000_000)
    sender, relay = Sender("alice", timeline, seed=1), Node("relay", timeline, seed=2)
    mean = float(LIGHT.intensity[0] @ LIGHT.probability[0])
    source = LightSource("source", timeline, frequency=2.5e9, mean_photon_num=mean)
    sender.add_component(source)
    source.add_receiver(sender)
    detector = QSDetectorPolarization("detector", timeline)
    for place in (0, 1):
        detector.set_detector(place, efficiency=1.0, dark_count=100.0, count_rate=1 / 30e-9)
    relay.add_component(detector)
    relay.set_first_component("detector")
    fibre = QuantumChannel("fibre", timeline, -10.0 * log10(efficiency) / 1000.0, 1000.0, frequency=2.5e9)  # dB/m, m
    fibre.set_ends(sender, "relay")
    timeline.init()
    detector.set_basis_list([0] * pulses, fibre.delay, 2.5e9)
    source.emit([polarization["bases"][0][bit] for bit in np.random.default_rng(1).integers(0, 2, pulses)])
    timeline.run()
    return sum(len(times) for times in detector.get_photon_times())


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


BENCHMARKS = (pulses_of_a_link, pulses_with_tags, pulses_beside_sequence)
