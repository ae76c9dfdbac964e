"""How a block is cut: naming secret, two shares, and what is left over. Both ends find the same without a word."""

from dataclasses import dataclass

from combmesh.keystore.naming import MOST_SHARE_BYTES, SECRET_BYTES
from combmesh.keystore.reservation import Direction

CELL_BYTES = 1024
"""Bytes of a share that are encrypted together; the smallest piece that is written again when a key leaves."""


@dataclass(frozen=True)
class Layout:
    """Cut of a block, in bytes but for the last.

    Attributes:
        secret: naming secret, at the start.
        first: share of the user whose name comes first; it follows the secret.
        second: share of the other, behind it.
        rest_bits: bits at the end that are in no share.
    """

    secret: int
    first: int
    second: int
    rest_bits: int

    def size(self, direction: Direction, user: str, peer: str) -> int:
        """Bytes of a share as `user` sees it."""
        return self.first if (direction == "out") == (user < peer) else self.second

    def start(self, direction: Direction, user: str, peer: str) -> int:
        """First byte of that share in the block."""
        return self.secret if (direction == "out") == (user < peer) else self.secret + self.first


def layout(n_bits: int) -> Layout:
    """The cut of a block of `n_bits`; one that is too short for two shares of a byte is all rest.

    >>> layout(1000)
    Layout(secret=32, first=47, second=46, rest_bits=0)
    >>> layout(64)
    Layout(secret=0, first=0, second=0, rest_bits=64)
    """
    body = n_bits // 8 - SECRET_BYTES
    if body < 2:
        return Layout(0, 0, 0, n_bits)
    first, second = min((body + 1) // 2, MOST_SHARE_BYTES), min(body // 2, MOST_SHARE_BYTES)
    return Layout(SECRET_BYTES, first, second, n_bits - 8 * (SECRET_BYTES + first + second))
