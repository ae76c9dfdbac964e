"""What the users remember: source and bit of every pulse."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.kernels import kernel
from combmesh.link.pulses.emission import Emission


class Records(NamedTuple):
    """Source and bit of every pulse of both users."""

    source: NDArray[np.uint8]  # (user, pulse)
    bit: NDArray[np.uint8]  # (user, pulse)


def draw_records(
    rng: np.random.Generator, emission: Emission, silent: NDArray[np.int64], first: int, pulses: int
) -> Records:
    """Records of the pulses from `first` on: those that gave something are known, the others are drawn.

    Of the pulses that gave nothing, `silent[k]` came from the pair k; which of them, is drawn without putting back.
    """
    sources = round(silent.size**0.5)
    records = Records(np.empty((2, pulses), np.uint8), np.empty((2, pulses), np.uint8))
    _fill(rng, emission, silent.copy(), sources, first, records)
    return records


@kernel
def _fill(
    rng: np.random.Generator,
    emission: Emission,
    silent: NDArray[np.int64],
    sources: int,
    first: int,
    records: Records,
) -> None:
    event, left = 0, silent.sum()
    for at in range(records.bit.shape[1]):
        if event < emission.pulse.size and emission.pulse[event] == first + at:
            pair, bits = int(emission.pair[event]), int(emission.bits[event])
            event += 1
        else:
            draw = int(rng.random() * left)
            pair = 0
            while draw >= silent[pair]:
                draw -= silent[pair]
                pair += 1
            silent[pair] -= 1
            left -= 1
            bits = int(4.0 * rng.random())
        records.source[0, at], records.source[1, at] = pair // sources, pair % sources
        records.bit[0, at], records.bit[1, at] = bits & 1, bits >> 1
