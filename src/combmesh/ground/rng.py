"""Randomness of the simulation: one seed, one independent stream for each (link, line, block)."""

import hashlib

import numpy as np


def stream(seed: int, *address: str | int) -> np.random.Generator:
    """The generator of one address: the same on any number of workers and whatever was drawn elsewhere.

    It draws tallies and error positions. Key bits never come from it.

    >>> a, b = stream(7, "Delft", "Leiden", -3, 0), stream(7, "Delft", "Leiden", -3, 1)
    >>> int(a.integers(10**9)) != int(b.integers(10**9))
    True
    """
    digest = hashlib.sha256("\0".join(map(str, address)).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))
