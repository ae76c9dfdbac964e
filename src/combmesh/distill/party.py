"""The two ends of one block. They share nothing but messages, and each keeps its own ledger.

Bob leads the correction; Alice answers, proves her string with a tag, and chooses the hash. Alice's bits are the key,
and of Bob's errors she learns only what his questions tell. Each end computes the length of the key from its own
ledger, and Bob refuses another one. Whatever comes at the wrong time, in the wrong form or too large ends the block
without a key at both ends.

No last message can be certain to arrive: if `Amplified` is lost, Bob has a key that Alice lacks. A store keeps a key
pending until both have it and the transcript is authenticated.
"""

from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import messages as say
from combmesh.distill import toeplitz, verification
from combmesh.distill.block import Block, Handler
from combmesh.distill.ledger import Ledger
from combmesh.distill.reconcile import REPLIES, REQUESTS, SETUPS, Answers, Asks, Message, alice_side, bob_side
from combmesh.distill.secret import check_key_id
from combmesh.distill.settings import HAS_KEY, NO_PRIVATE_BITS, STRINGS_DIFFER, Distilled, DistilSettings
from combmesh.ground.errors import RunError

Bits = NDArray[np.uint8]


class Alice:
    """The end whose bits are the key; `bits` has type uint8, 0 or 1, shape (bit,)."""

    def __init__(self, bits: Bits, settings: DistilSettings) -> None:
        self._block = Block(bits, settings)
        self._expected: dict[type, Handler] = dict.fromkeys(SETUPS, self._on_setup)
        self._side: Answers | None = None
        self._offer: say.Amplify | None = None

    @property
    def ledger(self) -> Ledger:
        """The disclosed bits as this end counts them."""
        return self._block.ledger

    @property
    def result(self) -> Distilled | None:
        """None until the block has ended."""
        return self._block.result

    def start(self) -> tuple[Message, ...]:
        """Alice waits for Bob."""
        return ()

    def receive(self, message: Message) -> tuple[Message, ...]:
        """Take one message of Bob and return the answers."""
        return self._block.take(message, self._expected)

    def _on_setup(self, message: Message) -> tuple[Message, ...]:
        self._side = alice_side(self._block.settings.engine, self._block.bits, message)
        self._expected = {**dict.fromkeys(REQUESTS, self._on_request), say.Corrected: self._on_corrected}
        return ()

    def _on_request(self, message: Message) -> tuple[Message, ...]:
        if self._side is None:
            raise RunError("A request for parities came before the setup.")
        reply, disclosed = self._side.answer(message)
        self._block.record(disclosed)
        return (reply,)

    def _on_corrected(self, message: say.Corrected) -> tuple[Message, ...]:
        self._side = None
        seed = verification.draw_hash_seed()
        tag = verification.linear_tag(self._block.bits, seed, self._block.tag_bits)
        self.ledger.record("alice", "verification tag", self._block.tag_bits)
        self._expected = {say.Verified: self._on_verified}
        return (say.Verify(seed, tag),)

    def _on_verified(self, message: say.Verified) -> tuple[Message, ...]:
        self.ledger.record("bob", "acknowledgement", 1)
        if not message.ok:
            return self._block.stop(STRINGS_DIFFER)
        self._block.check_disclosed(message.n_errors)
        length = self._block.key_length()
        if length <= 0:
            return self._block.stop(NO_PRIVATE_BITS)
        seed = toeplitz.draw_seed_bytes(self._block.bits.size, length)
        self._offer = say.Amplify(str(uuid4()), length, seed)
        self._expected = {say.Amplified: self._on_amplified}
        return (self._offer,)

    def _on_amplified(self, message: say.Amplified) -> tuple[Message, ...]:
        if self._offer is None or message.key_id != self._offer.key_id:
            raise RunError(f"`key_id` must be that of the offer, but is {message.key_id!r}.")
        key_bits = _amplify(self._block.bits, self._offer)
        self._block.finish(HAS_KEY, self._offer.key_id, key_bits)
        return ()


class Bob:
    """The end that corrects its bits; `bits` has type uint8, 0 or 1, shape (bit,)."""

    def __init__(self, bits: Bits, settings: DistilSettings) -> None:
        self._block = Block(bits, settings)
        self._side: Asks = bob_side(settings.engine, self._block.bits, settings.planned_qber, settings.schedule)
        self._n_flips = 0
        self._expected: dict[type, Handler] = {}

    @property
    def ledger(self) -> Ledger:
        """The disclosed bits as this end counts them."""
        return self._block.ledger

    @property
    def result(self) -> Distilled | None:
        """None until the block has ended."""
        return self._block.result

    def start(self) -> tuple[Message, ...]:
        """The setup and the first request."""
        if self._expected or self.result is not None:
            raise RunError("This block has already been started.")
        self._expected = dict.fromkeys(REPLIES, self._on_reply)
        return (self._side.setup, self._side.request)

    def receive(self, message: Message) -> tuple[Message, ...]:
        """Take one message of Alice and return the answers."""
        return self._block.take(message, self._expected)

    def _on_reply(self, message: Message) -> tuple[Message, ...]:
        self._block.record(self._side.take(message))
        if self._side.request is not None:
            return (self._side.request,)
        self._block.bits = self._side.corrected.bits
        self._n_flips = self._side.corrected.n_errors
        self._expected = {say.Verify: self._on_verify}
        return (say.Corrected(),)

    def _on_verify(self, message: say.Verify) -> tuple[Message, ...]:
        self.ledger.record("alice", "verification tag", self._block.tag_bits)
        self.ledger.record("bob", "acknowledgement", 1)
        ok = verification.linear_tag(self._block.bits, message.seed, self._block.tag_bits) == message.tag
        verified = say.Verified(ok, self._n_flips)
        if not ok:
            self._block.finish(STRINGS_DIFFER)
            return (verified,)
        self._block.check_disclosed(self._n_flips)
        if self._block.key_length() <= 0:
            self._block.finish(NO_PRIVATE_BITS)
        self._expected = {say.Amplify: self._on_amplify}
        return (verified,)

    def _on_amplify(self, message: say.Amplify) -> tuple[Message, ...]:
        length = self._block.key_length()
        if message.length != length:
            raise RunError(f"`length` of the key must be {length}, but Alice says {message.length}.")
        check_key_id(message.key_id)
        key_bits = _amplify(self._block.bits, message)
        self._block.finish(HAS_KEY, message.key_id, key_bits)
        return (say.Amplified(message.key_id),)


def _amplify(bits: Bits, offer: say.Amplify) -> Bits:
    n_bytes = toeplitz.seed_bytes(bits.size, offer.length)
    if len(offer.seed) != n_bytes:
        raise RunError(f"`seed` must have {n_bytes} bytes, but has {len(offer.seed)}.")
    seed = toeplitz.seed_bits(offer.seed, bits.size, offer.length)
    return toeplitz.toeplitz_hash(bits, seed, offer.length)
