"""What every engine of reconciliation ends with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Correction:
    """Bob's bits after the correction, shape (bit,), how many he flipped, and how many messages he sent."""

    bits: NDArray[np.uint8]
    n_errors: int
    n_rounds: int
