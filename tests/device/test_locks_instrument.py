"""The controller of the model drives an instrument: a fake one in another process that is late, silent or saturated.

Run as a program, this file is that instrument: its ring is written out again, in Euler steps, and knows no combmesh.
"""

import argparse
import math
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

OFFSET_HZ, SLOPE_HZ_K, TAU_S, RESISTANCE_K_W = 10e6, -0.44e6, 5.0, 10.0


def serve(options):
    """Answer `MEAS?` (one second of the fake's time passes) and `SET x`."""
    rng, listener = random.Random(1), socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    T = power = drift = 0.0
    second = 0
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for line in connection.makefile("r"):
        word, _, value = line.strip().partition(" ")
        if word == "SET":
            power = max(-options.most_w, min(options.most_w, float(value)))
            connection.sendall(b"OK\n")
            continue
        total = 0.0
        for _ in range(100):
            drift += rng.gauss(0.0, options.walk * 0.1)
            T += 0.01 * (RESISTANCE_K_W * power - T) / TAU_S
            kick = options.kick_hz if options.kick_from <= second < options.kick_until else 0.0
            total += 0.01 * abs(OFFSET_HZ - (SLOPE_HZ_K * T + drift + kick))
        second += 1
        if second == options.hangs_up:
            return
        if options.late_every and second % options.late_every == 0:
            time.sleep(options.late_s)
        silent = options.silent_from <= second < options.silent_until
        garbled = options.garbled_every and second % options.garbled_every == 0
        connection.sendall(b"NAN\n" if silent else b"%&?\n" if garbled else f"{total!r}\n".encode())


def parser():
    parser = argparse.ArgumentParser()
    for name in ("walk", "kick-hz", "late-s"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--most-w", type=float, default=1.0)
    for name in ("kick", "silent"):
        parser.add_argument(f"--{name}-from", type=int, default=0)
        parser.add_argument(f"--{name}-until", type=int, default=0)
    for name in ("late-every", "garbled-every", "hangs-up"):
        parser.add_argument(f"--{name}", type=int, default=0)
    return parser


@contextmanager
def fake(*options, timeout_s=5.0):
    from combmesh.device.locks.instrument import LineInstrument

    with subprocess.Popen([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True) as process:
        instrument = None
        try:
            instrument = LineInstrument("127.0.0.1", int(process.stdout.readline()), timeout_s)
            yield instrument
        finally:
            if instrument:
                instrument.close()
            process.terminate()


def lock_on(instrument, periods):
    from functools import partial

    from combmesh.device.locks.repetition import beat_error_hz, temperature_lock
    from combmesh.ground.control import drive, init

    lock, readings = temperature_lock(), []
    state = init(lock.regulator)
    for _ in range(periods):
        state, reading = drive(lock.regulator, state, instrument, partial(beat_error_hz, lock), 1.0)
        readings.append(reading)
    return readings


def test_limit_instrument_is_locked_as_the_model_is():
    """A step of 20 kHz after 100 s: model and instrument answer alike, to the fake's Euler error."""
    from combmesh.device.locks.repetition import run, temperature_lock

    with fake("--kick-hz", "20000", "--kick-from", "100", "--kick-until", "1000") as instrument:
        readings = lock_on(instrument, 160)
    rep = np.zeros(16_000)
    rep[10_000:] = 20e3
    model = run(temperature_lock(), rep, 0.01)
    np.testing.assert_allclose([-reading.error for reading in readings], model.error_hz, atol=100.0)
    np.testing.assert_allclose([r.setting for r in readings[:-1]], model.power_w[1:], atol=2e-5)
    assert readings[-1].status == "locked"


def test_limit_disturbed_instrument_keeps_its_lock():
    """A walk of 175 Hz/sqrt(s): the counter's seconds spread by q / sqrt(2 wc) = 277 Hz; 400 of them, within 30 %."""
    with fake("--walk", "175") as instrument:
        readings = lock_on(instrument, 400)
    assert np.std([reading.error for reading in readings[20:]]) == pytest.approx(277.0, rel=0.3)
    assert {reading.status for reading in readings[20:]} == {"locked"}


def test_limit_late_and_garbled_answers_are_missing_measurements():
    """Every 20th answer takes 300 ms for a patience of 100, every seventh is noise: held, and never mixed up."""
    options = ("--walk", "50", "--late-every", "20", "--late-s", "0.3", "--garbled-every", "7")
    with fake(*options, timeout_s=0.1) as instrument:
        readings = lock_on(instrument, 60)
        late = instrument.late
    missing = sum(math.isnan(reading.measured) for reading in readings)
    assert 10 <= missing <= 40
    assert late >= missing
    assert all(abs(r.measured - OFFSET_HZ) < 5e3 for r in readings if not math.isnan(r.measured))
    assert readings[-1].losses == 0


def test_limit_silence_is_a_lost_lock_and_comes_back():
    with fake("--walk", "100", "--silent-from", "50", "--silent-until", "90") as instrument:
        readings = lock_on(instrument, 140)
    statuses = [reading.status for reading in readings]
    assert statuses[48] == "locked"
    assert statuses[70] == "lost"
    assert statuses[-1] == "locked"
    assert readings[-1].losses == 1


def test_limit_saturated_instrument_is_reported_and_does_not_wind_up():
    """The fake's heater gives 10 mW (0.1 K, 44 kHz); a step of 80 kHz is beyond it, and gone it locks again."""
    options = ("--most-w", "0.01", "--kick-hz", "80000", "--kick-from", "50", "--kick-until", "200")
    with fake(*options) as instrument:
        readings = lock_on(instrument, 300)
    assert readings[150].status == "lost"
    assert abs(readings[150].error) == pytest.approx(36e3, rel=0.05)
    assert abs(readings[199].setting) <= 0.1  # the controller's own limit: no further
    assert readings[-1].status == "locked"
    assert readings[-1].losses >= 1


def test_exact_hung_up_and_absent_instruments_are_sentences():
    from combmesh.device.locks.instrument import LineInstrument
    from combmesh.ground.errors import InputError, RunError

    with fake("--hangs-up", "5") as instrument, pytest.raises(RunError, match="hung up"):
        lock_on(instrument, 10)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    with pytest.raises(RunError, match=rf"No instrument answers at 127\.0\.0\.1:{free}"):
        LineInstrument("127.0.0.1", free)
    with pytest.raises(InputError, match=r"`port`.*at most 65535.*70000"):
        LineInstrument("127.0.0.1", 70_000)


if __name__ == "__main__":
    serve(parser().parse_args())
