"""Split steps of the microcomb a second, beside the same loop on SciPy's transform; access and scans."""

import time
from dataclasses import replace

import numpy as np
from scipy.fft import fft, ifft

from bench.timing import Row, best_s, row
from combmesh.device.microcomb import access, lle
from combmesh.device.microcomb.lle import Cavity
from combmesh.device.microcomb.ring import Pump, Ring, cavity
from combmesh.ground.parallel import processors
from combmesh.ground.rng import stream

SPANS = ((512, 50_000, 5000), (1024, 25_000, 5000), (2048, 10_000, 2000))


def split_steps() -> list[Row]:
    """One core, complex128. Ours carries heat and auxiliary laser; the peer's loop carries neither."""
    rows = []
    for modes, steps, fewer in SPANS:
        ring = cavity(Ring(), Pump(), modes)
        start = lle.init(ring, np.random.default_rng(1), noise=0.5)

        def ours(ring: Cavity = ring, start: lle.State = start, steps: int = steps) -> None:
            lle.step(ring, start, 5.0, steps * ring.h)

        def peer(ring: Cavity = ring, start: lle.State = start, steps: int = fewer) -> None:
            _scipy_loop(ring, start.field.copy(), 5.0, steps)

        ours_s, peer_s = best_s(ours, 5) / steps, best_s(peer, 5) / fewer
        rows.append(row(f"split steps, {modes} modes", 1 / ours_s, "1/s", "scipy.fft, no heat", 1 / peer_s))
    return rows


def _scipy_loop(ring: Cavity, psi: np.ndarray, zeta: float, steps: int) -> np.ndarray:
    """What one would write: two transforms, an exponential and the pump a step."""
    product, push = lle.linear_flow(ring, ring.h)
    for _ in range(steps):
        psi = psi * np.exp(1j * ring.h * (psi.real**2 + psi.imag**2 - zeta))
        psi = ifft(fft(psi) * product, overwrite_x=True) + push
    return psi


def scans() -> list[Row]:
    """32 forward scans on one processor and on all; one attempt. 16 times the dispersion: a quarter of the points."""
    some, seeds = cavity(replace(Ring(), beta2_ps2_km=-160.0), Pump(), 512, round_trips=1.5), range(32)
    recipe = access.Recipe()
    spans = []
    for workers in (processors(), 1):
        began = time.perf_counter()
        access.scans(some, 28.0, seeds, recipe, workers)
        spans.append(time.perf_counter() - began)
    attempt_s = best_s(lambda: access.attempt(some, stream(1, "attempt"), recipe), 1)
    return [
        row(f"32 scans, {processors()} processors", spans[0], "s", "one processor", spans[1]),
        row("one attempt at one soliton", attempt_s, "s"),
    ]


BENCHMARKS = (split_steps, scans)
