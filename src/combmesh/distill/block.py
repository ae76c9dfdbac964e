"""What one end keeps of a block, whichever end it is: own bits, own ledger, and the result once there is one."""

from collections.abc import Callable, Mapping
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.ledger import Ledger, pattern_bits
from combmesh.distill.messages import Abort
from combmesh.distill.reconcile import Disclosed, Message
from combmesh.distill.secret import key_from_bits
from combmesh.distill.settings import Distilled, DistilSettings
from combmesh.distill.verification import tag_bits_for
from combmesh.ground.errors import CombmeshError, InputError, RunError

Bits = NDArray[np.uint8]
Handler = Callable[[Any], tuple[Message, ...]]


class Block:
    """`bits`: the sifted bits of this end, type uint8, 0 or 1, shape (bit,); a copy is kept."""

    def __init__(self, bits: Bits, settings: DistilSettings) -> None:
        self.bits = _own_copy(bits)
        self.settings = settings
        if settings.budget_bits > self.bits.size:
            size = self.bits.size
            raise InputError(f"`budget_bits` must be at most the {size} bits given, but is {settings.budget_bits:g}.")
        self.tag_bits = tag_bits_for(self.bits.size, settings.correctness)
        self.ledger = Ledger()
        self.n_errors: int | None = None
        self.n_requests = 0
        self.result: Distilled | None = None

    def take(self, message: Message, expected: Mapping[type, Handler]) -> tuple[Message, ...]:
        """Handle `message` by its type; what is not `expected` or fails a check ends the block without a key.

        It never raises for what the other end sent. A block that has ended without a key says so to a message that
        comes late; an `Abort` is never answered, and takes back a key that this end already has.
        """
        if isinstance(message, Abort):
            if self.result is None or self.result.key is not None:
                return self.stop(f"no key: the other end stopped: {message.reason}")
            return ()
        if self.result is not None:
            return () if self.result.key is not None else (Abort(self.result.outcome),)
        handler = expected.get(type(message))
        if handler is None:
            return self.stop(f"no key: a message of type {type(message).__name__} came out of order")
        try:
            return handler(message)
        except CombmeshError as error:
            return self.stop(f"no key: {error}")

    def record(self, disclosed: Disclosed) -> None:
        """One round trip of the reconciliation."""
        self.n_requests += 1
        self.ledger.record("alice", "parity", disclosed.alice)
        self.ledger.record("bob", disclosed.kind, disclosed.bob)

    def check_disclosed(self, n_errors: int) -> None:
        """A count of Alice's bits below log2 of the number of patterns of `n_errors` errors cannot be honest.

        The orders of the correction are random, so the chance of an honest count to lie s bits below is at most 2^-s,
        and the masks at the end and the tag add bits that find no errors: 70 at a correctness of 1e-15.
        """
        self.n_errors = n_errors
        needed = pattern_bits(self.bits.size, n_errors)
        disclosed = self.ledger.disclosed("alice")
        if disclosed < needed:
            raise RunError(
                f"{n_errors} errors take at least {needed:.1f} disclosed bits, but `ledger` has {disclosed}."
            )

    def key_length(self) -> int:
        """Bits of key that are left once the leak is subtracted, below 1 if there are none."""
        return floor(self.settings.budget_bits - self.ledger.leak_bits(self.settings.accounting))

    def finish(self, outcome: str, key_id: str = "", key_bits: Bits | None = None) -> None:
        """Set the result; the sifted bits are not needed any more and are dropped."""
        self.bits = self.bits[:0]
        self.result = Distilled(
            key=None if key_bits is None else key_from_bits(key_id, key_bits),
            outcome=outcome,
            n_errors=self.n_errors,
            alice_bits=self.ledger.disclosed("alice"),
            bob_bits=self.ledger.disclosed("bob"),
            parity_bits=self.ledger.disclosed("alice", "parity"),
            n_requests=self.n_requests,
        )

    def stop(self, outcome: str) -> tuple[Message, ...]:
        """End without a key and tell the other end."""
        self.finish(outcome)
        return (Abort(outcome),)


def _own_copy(bits: Bits) -> Bits:
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8 or bits.ndim != 1 or bits.size == 0:
        kind = f"{bits.dtype} {bits.shape}" if isinstance(bits, np.ndarray) else type(bits).__name__
        raise InputError(f"`bits` must be an array uint8 (bit,) with at least one bit, but is {kind}.")
    if bits.max() > 1:
        raise InputError(f"`bits` must hold 0 and 1 only, but holds {bits.max()}.")
    return bits.copy()
