"""All that the two ends say to each other; every bit of it is public.

The channel must be authenticated: here a changed message is at best noticed by its form, and a key is to be released
only after the transcript has been authenticated in both directions.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.checks import check_int, check_text, freeze
from combmesh.ground.errors import InputError


@dataclass(frozen=True)
class CascadeSetup:
    """Bob begins: the public seed (128 bits) of all orders and masks, and how the block is cut in frames."""

    seed: int
    n_bits: int
    frame_bits: int

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0, 2**128 - 1)
        check_int("n_bits", self.n_bits, 1, 2**29)
        check_int("frame_bits", self.frame_bits, 64, self.n_bits + 63)
        if self.frame_bits % 64:
            raise InputError(f"`frame_bits` must be a multiple of 64, but is {self.frame_bits}.")


@dataclass(frozen=True, eq=False)
class ParityRequest:
    """Bob asks `n_questions`: addresses of Cascade, as `coded` bytes, one to seven for each question."""

    n_questions: int
    coded: NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        check_int("n_questions", self.n_questions, 1, 2**31 - 2)
        freeze(self, "coded", np.uint8)
        if not self.n_questions <= self.coded.size <= 7 * self.n_questions:
            raise InputError(
                f"`coded` must have 1 to 7 bytes for each of {self.n_questions} questions, but has {self.coded.size}."
            )


@dataclass(frozen=True, eq=False)
class ParityReply:
    """Alice's parities in the order of the questions, packed with the first in the highest place (big-endian)."""

    packed: NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        freeze(self, "packed", np.uint8)


@dataclass(frozen=True)
class Corrected:
    """Bob has no more questions."""


@dataclass(frozen=True)
class Verify:
    """Alice's seed (256 bits) of the verification hash, drawn after `Corrected`, and her tag (at most 128 bits)."""

    seed: int
    tag: int

    def __post_init__(self) -> None:
        check_int("seed", self.seed, 0, 2**256 - 1)
        check_int("tag", self.tag, 0, 2**128 - 1)


@dataclass(frozen=True)
class Verified:
    """Bob's outcome, and how many bits he flipped, which the parities of both sides have already told."""

    ok: bool
    n_errors: int

    def __post_init__(self) -> None:
        if not isinstance(self.ok, bool):
            raise InputError(f"`ok` must be true or false, but is {self.ok!r}.")
        check_int("n_errors", self.n_errors, 0, 2**31 - 2)


@dataclass(frozen=True)
class Amplify:
    """Alice's choice: the name of the key, its length in bits, and the seed of the Toeplitz matrix."""

    key_id: str
    length: int
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_text("key_id", self.key_id)
        check_int("length", self.length, 1, 2**31 - 2)
        if not isinstance(self.seed, bytes):
            raise InputError(f"`seed` must be bytes, but is of type {type(self.seed).__name__}.")


@dataclass(frozen=True)
class Amplified:
    """Bob has the key `key_id`."""

    key_id: str

    def __post_init__(self) -> None:
        check_text("key_id", self.key_id)


@dataclass(frozen=True)
class Abort:
    """This block gives no key, for the reason given."""

    reason: str

    def __post_init__(self) -> None:
        check_text("reason", self.reason)


Message = CascadeSetup | ParityRequest | ParityReply | Corrected | Verify | Verified | Amplify | Amplified | Abort
