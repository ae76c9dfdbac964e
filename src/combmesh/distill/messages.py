"""All that the two ends say to each other; every bit of it is public.

The channel must be authenticated: here a changed message is at best noticed by its form, and a key is to be released
only after the transcript has been authenticated in both directions.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError


@dataclass(frozen=True)
class CascadeSetup:
    """Bob begins: the public seed (128 bits) of all permutations and masks, and the length of the block."""

    seed: int
    n_bits: int

    def __post_init__(self) -> None:
        _check_int("seed", self.seed, 0, 2**128 - 1)
        _check_int("n_bits", self.n_bits, 1, 2**31 - 2)


@dataclass(frozen=True, eq=False)
class ParityRequest:
    """Bob asks for the parities of the places [starts, ends) in the orders `layers`; int32, shape (question,)."""

    layers: NDArray[np.int32] = field(repr=False)
    starts: NDArray[np.int32] = field(repr=False)
    ends: NDArray[np.int32] = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("layers", "starts", "ends"):
            _freeze(self, name, np.int32)
        if not self.layers.size == self.starts.size == self.ends.size > 0:
            sizes = f"{self.layers.size}, {self.starts.size} and {self.ends.size}"
            raise InputError(f"`layers`, `starts` and `ends` must have one shape (question,), but have sizes {sizes}.")


@dataclass(frozen=True, eq=False)
class ParityReply:
    """Alice's parities in the order of the questions, packed with the first in the highest place (big-endian)."""

    packed: NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        _freeze(self, "packed", np.uint8)


@dataclass(frozen=True)
class Corrected:
    """Bob has no more questions."""


@dataclass(frozen=True)
class Verify:
    """Alice's seed (256 bits) of the verification hash, drawn after `Corrected`, and her tag (at most 128 bits)."""

    seed: int
    tag: int

    def __post_init__(self) -> None:
        _check_int("seed", self.seed, 0, 2**256 - 1)
        _check_int("tag", self.tag, 0, 2**128 - 1)


@dataclass(frozen=True)
class Verified:
    """Bob's outcome, and how many bits he flipped, which the parities of both sides have already told."""

    ok: bool
    n_errors: int

    def __post_init__(self) -> None:
        if not isinstance(self.ok, bool):
            raise InputError(f"`ok` must be true or false, but is {self.ok!r}.")
        _check_int("n_errors", self.n_errors, 0, 2**31 - 2)


@dataclass(frozen=True)
class Amplify:
    """Alice's choice: the name of the key, its length in bits, and the seed of the Toeplitz matrix."""

    key_id: str
    length: int
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_int("length", self.length, 1, 2**31 - 2)
        if not isinstance(self.seed, bytes):
            raise InputError(f"`seed` must be bytes, but is of type {type(self.seed).__name__}.")


@dataclass(frozen=True)
class Amplified:
    """Bob has the key `key_id`."""

    key_id: str


@dataclass(frozen=True)
class Abort:
    """This block gives no key, for the reason given."""

    reason: str


Message = CascadeSetup | ParityRequest | ParityReply | Corrected | Verify | Verified | Amplify | Amplified | Abort


def _freeze(message: object, name: str, dtype: type[np.generic]) -> None:
    array: NDArray[Any] = getattr(message, name)
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"`{name}` must be an array {dtype.__name__} (n,), but is {kind}.")
    array = array.view()
    array.setflags(write=False)
    object.__setattr__(message, name, array)


def _check_int(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"`{name}` must be a whole number from {low} to {high}, but is {value!r}.")
