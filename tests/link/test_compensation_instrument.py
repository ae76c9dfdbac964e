"""The searches and regulators of the model drive an instrument: a fake fibre in another process, late or garbled.

Run as a program, this file is that instrument: a fibre with four squeezers, written out again without combmesh.
"""

import argparse
import cmath
import math
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

HALF_WAVE_V = 35.0


class FakeFibre:
    """SU(2) in Python's complex numbers, turned a little at every measurement."""

    def __init__(self, rng, walk):
        v = [rng.gauss(0.0, 1.0) for _ in range(4)]
        length = math.sqrt(sum(x * x for x in v))
        a, b = complex(v[0], v[1]) / length, complex(v[2], v[3]) / length
        self.rng, self.walk, self.volts = rng, walk, [0.0] * 4
        self.fibre = [[a, -b.conjugate()], [b, a.conjugate()]]

    def measure(self):
        x, y, z = (self.rng.gauss(0.0, self.walk) for _ in range(3))
        self.fibre = times([[1 - 1j * z, -1j * x - y], [-1j * x + y, 1 + 1j * z]], self.fibre)
        norm = math.sqrt(sum(abs(self.fibre[i][0]) ** 2 for i in range(2)))
        self.fibre = [[entry / norm for entry in row] for row in self.fibre]
        way = self.fibre
        for k, volt in enumerate(self.volts):
            half = 0.5 * math.pi * volt / HALF_WAVE_V
            c, s = math.cos(half), -1j * math.sin(half)
            squeezer = [[cmath.exp(-1j * half), 0], [0, cmath.exp(1j * half)]] if k % 2 == 0 else [[c, s], [s, c]]
            way = times(squeezer, way)
        e_z = abs(way[1][0]) ** 2
        e_x = abs(way[0][0] + way[0][1] - way[1][0] - way[1][1]) ** 2 / 4.0
        return [self.binomial(min(e, 1.0)) for e in (e_z, e_x)]

    def binomial(self, p):
        return min(max(round(self.rng.gauss(5000 * p, math.sqrt(5000 * p * (1 - p)))), 0), 5000)


def times(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(2)) for j in range(2)] for i in range(2)]


class FakeDelay:
    """A delay that ramps, and a centroid of 400 clicks."""

    def __init__(self, rng, walk):
        self.rng, self.ramp, self.delay, self.volts = rng, walk, 30.0, [0.0]

    def measure(self):
        self.delay += self.ramp
        return [self.delay + self.volts[0] + self.rng.gauss(0.0, 2.4)]


def serve(options):
    rng, listener = random.Random(options.seed), socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    device = (FakeDelay if options.delay else FakeFibre)(rng, options.walk)
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    asked = 0
    for line in connection.makefile("r"):
        word, *values = line.split()
        if word == "SET":
            device.volts = [float(value) for value in values]
            connection.sendall(b"OK\n")
            continue
        asked += 1
        seen = device.measure()
        time.sleep(options.latency_s)
        if options.late_every and asked % options.late_every == 0:
            time.sleep(options.late_s)
        if options.garbled_every and asked % options.garbled_every == 0:
            connection.sendall(b"%&? 3\n")
        elif options.delay:
            connection.sendall(f"{seen[0]!r}\n".encode())
        else:
            connection.sendall(f"{seen[0]} 5000 {seen[1]} 5000\n".encode())


def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", action="store_true")
    for name in ("walk", "latency-s", "late-s"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    for name in ("seed", "late-every", "garbled-every"):
        parser.add_argument(f"--{name}", type=int, default=0)
    return parser


@contextmanager
def fake(*options, timeout_s=5.0):
    from combmesh.device.locks.instrument import LineInstrument

    with subprocess.Popen([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True) as process:
        line = None
        try:
            line = LineInstrument("127.0.0.1", int(process.stdout.readline()), timeout_s)
            yield line
        finally:
            if line:
                line.close()
            process.terminate()


@pytest.mark.parametrize("name", ["Descent", "CoordinateDescent", "Annealing"])
def test_limit_instrument_is_held_as_the_model_is(name):
    """A fibre in another process that walks 2e-3 rad a probe and takes 1 ms: under 2 % after 200 probes."""
    from combmesh.link.compensation import search as searches
    from combmesh.link.compensation.instrument import LinePolarization
    from combmesh.link.compensation.polarization import begin, drive

    search, rng = getattr(searches, name)(), np.random.default_rng(17)
    with fake("--walk", "2e-3", "--latency-s", "0.001", "--seed", "3") as line:
        device = LinePolarization(line, search.squeezers)
        state, costs, disclosed = begin(search, np.zeros(4), device, rng), [], 0
        for _ in range(400):
            state, reading = drive(search, state, device, rng)
            costs.append(float(reading.cost))
            disclosed += reading.disclosed_counts
    assert np.mean(costs[250:]) < 0.02
    assert costs[0] > 0.05
    assert disclosed == 400 * 10_000


def test_limit_late_and_garbled_answers_hold_the_polarization():
    """Every 25th answer takes 200 ms for a patience of 50, every ninth is noise."""
    from combmesh.link.compensation.instrument import LinePolarization
    from combmesh.link.compensation.polarization import begin, drive
    from combmesh.link.compensation.search import Descent

    search, rng = Descent(), np.random.default_rng(18)
    options = ("--walk", "1e-3", "--late-every", "25", "--late-s", "0.2", "--garbled-every", "9", "--seed", "4")
    with fake(*options, timeout_s=0.05) as line:
        device = LinePolarization(line, search.squeezers)
        state, costs = begin(search, np.zeros(4), device, rng), []
        for _ in range(300):
            state, reading = drive(search, state, device, rng)
            costs.append(float(reading.cost))
        late, garbled = line.late, device.garbled
    assert late >= 5
    assert garbled >= 20
    assert 30 <= np.isnan(costs).sum() <= 150
    assert np.nanmean(costs[200:]) < 0.02


def test_limit_arrival_instrument_is_driven_by_the_same_regulator():
    """A ramp of 0.5 ps a period from 30 ps off: an integral loop follows it 0.5 ps / gain behind."""
    from combmesh.ground import control
    from combmesh.link.compensation.arrival import arrival_error_ps, arrival_regulator

    regulator = arrival_regulator(0.4, 1.0)
    with fake("--delay", "--walk", "0.5", "--seed", "5", "--garbled-every", "9") as line:
        state, seen = control.init(regulator), []
        for _ in range(200):
            state, reading = control.drive(regulator, state, line, arrival_error_ps, 1.0)
            seen.append(reading.measured)
    assert reading.status == "locked"
    held = np.array(seen[50:])
    assert np.nanmean(held) == pytest.approx(0.5 / 0.4, abs=1.0)
    assert np.nanstd(held) < 4.0


if __name__ == "__main__":
    serve(parser().parse_args())
