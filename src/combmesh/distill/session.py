"""One end of a block from the first word to a key that may be used: bytes in, bytes out.

The order of things: `Hello` of both ends, which must agree about the block, the announcements and the rules; the
party's own messages; Alice's `Seal`, Bob's `Seal`, `Released`. No key is released before the other end's seal is
verified, the next block's pads are the first bits of the key, and a block that fails anywhere has no key at all.

No last message can be certain to arrive. Each end hands its key to `keep` before it sends the word that lets the other
end have it: Bob before his seal, Alice before `Released`. If one of these is lost, or an end is killed, Bob's key stays
pending; the next `Hello` of Alice names the keys that she holds, and once that is sealed he knows.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import codec
from combmesh.distill.authentication import (
    PAIR_BITS,
    Offer,
    PadPool,
    Transcript,
    agreed_pair,
    same_tag,
)
from combmesh.distill.ledger import Ledger
from combmesh.distill.messages import Abort
from combmesh.distill.party import Alice, Bob
from combmesh.distill.reconcile import Message
from combmesh.distill.secret import SecretKey, key_from_bits
from combmesh.distill.session_messages import MOST_HELD, PROTOCOL, Hello, Released, Seal
from combmesh.distill.settings import HAS_KEY, Distilled, DistilSettings
from combmesh.ground.errors import CombmeshError, InputError, RunError

STARVED = "starved: no pads for authentication are left that both ends hold"
ALL_RESERVED = "no key: it is no longer than what authentication takes"

Role = Literal["alice", "bob"]


@dataclass(frozen=True)
class BlockName:
    """What both ends call a block, and what each received.

    Attributes:
        block: its name.
        announcements: SHA-256 of the list of announcements that this end received.
    """

    block: str
    announcements: str


@dataclass(frozen=True)
class Sealed:
    """What one end has of a block after all.

    Attributes:
        distilled: outcome, counts, and the key without the bits that are kept for authentication.
        confirmed: whether both ends are known to hold the key.
        peer_holds: keys of earlier blocks that the other end holds, by name; known once both have sealed.
        eps_authentication: bound on the probability that a changed talk was taken for a genuine one.
        bytes_sent, bytes_received: of all frames.
    """

    distilled: Distilled
    confirmed: bool
    eps_authentication: float
    bytes_sent: int
    bytes_received: int
    peer_holds: tuple[str, ...] = ()

    @property
    def starved(self) -> bool:
        """Whether the pair has no pads left to authenticate with."""
        return self.distilled.outcome.startswith("starved")


def _keep_nowhere(key: SecretKey, confirmed: bool) -> None:
    """For ends that only want the result."""


class Session:
    """One end of a block.

    Args:
        role: which end.
        bits: `(bit,)` its sifted bits, 0 or 1 of type uint8.
        settings: the same at both ends.
        name: what both call the block, and what this end received.
        pool: the pads that it shares with the other end.
        keep: stores a key for good, pending or, if confirmed, available; called before the other end can have it.
        held: names of earlier keys with the other end, the latest last.
    """

    def __init__(
        self,
        role: Role,
        bits: NDArray[np.uint8],
        settings: DistilSettings,
        name: BlockName,
        pool: PadPool,
        keep: Callable[[SecretKey, bool], None] = _keep_nowhere,
        held: Sequence[str] = (),
    ) -> None:
        self.role: Role = role
        self._party = Alice(bits, settings) if role == "alice" else Bob(bits, settings)
        self._n_bits = bits.size
        self._pool = pool
        self._offers: tuple[Offer, ...] = tuple(pool.offers())
        self._hello = Hello(
            PROTOCOL,
            role,
            name.block,
            bits.size,
            name.announcements,
            _digest(settings),
            tuple(source for source, _ in self._offers),
            tuple(used for _, used in self._offers),
            tuple(held)[-MOST_HELD:],
        )
        self._keep = keep
        self._peer_holds: tuple[str, ...] = ()
        self._label = f"{PROTOCOL}|{name.block}|{name.announcements}".encode()
        self._talk = Transcript(pool.point)
        self._pair: Offer | None = None
        self._tags: tuple[bytes, bytes] | None = None
        self._eps = 0.0
        self._bytes = [0, 0]
        self._stage: Literal["hello", "party", "seal", "released", "ended"] = "hello"
        self.result: Sealed | None = None

    @property
    def ledger(self) -> Ledger:
        """The disclosed bits as this end counts them."""
        return self._party.ledger

    @property
    def ended(self) -> bool:
        """Whether this end waits for nothing more."""
        return self._stage == "ended"

    def start(self) -> tuple[bytes, ...]:
        """The first frames to send."""
        if not self._offers:
            return self._end(STARVED)
        return self._say(self._hello)

    def receive(self, frame: bytes) -> tuple[bytes, ...]:
        """Take one frame of the other end and return the answers; never raises for what the other end sent."""
        self._bytes[1] += len(frame)
        if self._stage == "ended":
            return ()
        try:
            message = codec.decode(frame, self._n_bits)
        except InputError as error:
            return self._end(f"no key: {error}")
        if isinstance(message, Abort):
            return self._ended_by(message)
        try:
            return self._handle(message, frame)
        except CombmeshError as error:
            return self._end(f"no key: {error}")

    def lost(self, reason: str) -> None:
        """The connection has broken: end the block unless it has ended."""
        if self._stage == "released" or self.result is not None:
            return
        self._end(f"no key: {reason}")

    def _handle(self, message: Message | Hello | Seal | Released, frame: bytes) -> tuple[bytes, ...]:
        if isinstance(message, Released):
            return self._on_released()
        if isinstance(message, Seal):
            return self._on_seal(message)
        if self._tags is not None:
            raise RunError(f"a message of type {type(message).__name__} came after the seal")
        self._talk.add(_other(self.role), frame)
        if isinstance(message, Hello):
            return self._on_hello(message)
        if self._stage != "party":
            raise RunError(f"a message of type {type(message).__name__} came out of order")
        return self._on_party(message)

    def _on_hello(self, theirs: Hello) -> tuple[bytes, ...]:
        if self._stage != "hello":
            raise RunError("a second Hello came")
        self._check_same(theirs)
        self._peer_holds = theirs.held
        self._pair = agreed_pair(self._offers, tuple(zip(theirs.sources, theirs.unused, strict=True)), self._pool)
        if self._pair is None:
            return self._end(STARVED)
        self._stage = "party"
        return self._say(*self._party.start())

    def _check_same(self, theirs: Hello) -> None:
        if theirs.role != _other(self.role):
            raise RunError(f"both ends are {theirs.role}")
        for name in ("protocol", "block", "n_bits", "announcements", "rules"):
            if getattr(theirs, name) != getattr(self._hello, name):
                raise RunError(f"the ends differ in `{name}`")

    def _on_party(self, message: Message) -> tuple[bytes, ...]:
        answers = self._say(*self._party.receive(message))
        result = self._party.result
        if result is None:
            return answers
        if result.key is None:
            self._finish(result, confirmed=False)
            return answers
        self._stage = "seal"
        if self.role == "bob":
            return answers
        return (*answers, *self._say(Seal(self._own_tags()[0])))

    def _own_tags(self) -> tuple[bytes, bytes]:
        """The two tags of the talk so far; takes the pads, which are used from here on."""
        if self._tags is None:
            if self._pair is None:
                raise RunError("a seal came before both ends agreed on pads")
            self._eps = self._talk.forgery_bound(len(self._label))
            self._tags = self._talk.tags(self._label, self._pool.take(*self._pair))
        return self._tags

    def _on_seal(self, seal: Seal) -> tuple[bytes, ...]:
        result = self._party.result
        if self._stage != "seal" or result is None or result.key is None:
            raise RunError("a seal came out of order")
        tags = self._own_tags()
        if not same_tag(tags[1 if self.role == "alice" else 0], seal.tag):
            return self._end("no key: the talk was changed on its way, the seal does not fit")
        kept = self._reserve(result.key)
        outcome = result.outcome if kept is not None else ALL_RESERVED
        result = replace(result, key=kept, outcome=outcome)
        if kept is not None:
            self._keep(kept, self.role == "alice")
        if self.role == "alice":
            self._finish(result, confirmed=True)
            return self._say(Released())
        answers = self._say(Seal(tags[1]))
        self._finish(result, confirmed=False)
        self._stage = "released"
        return answers

    def _reserve(self, key: SecretKey) -> SecretKey | None:
        """Keep the first bits of a new key for the next block's seals; the rest is the key that is released."""
        if key.n_bits < PAIR_BITS:
            return None
        bits = np.unpackbits(np.frombuffer(key.material, np.uint8), count=key.n_bits)
        self._pool.add(key.key_id, np.packbits(bits[:PAIR_BITS]).tobytes())
        return key_from_bits(key.key_id, bits[PAIR_BITS:]) if key.n_bits > PAIR_BITS else None

    def _on_released(self) -> tuple[bytes, ...]:
        if self._stage != "released" or self.result is None:
            raise RunError("word of the release came out of order")
        if self.result.distilled.key is not None:
            self._keep(self.result.distilled.key, True)
        self.result = replace(self.result, confirmed=True, bytes_received=self._bytes[1])
        self._stage = "ended"
        return ()

    def _ended_by(self, message: Abort) -> tuple[bytes, ...]:
        if self._stage == "released":  # both have sealed: what an outsider may have sent changes nothing
            return ()
        if self._stage == "party":
            self._party.receive(message)
        self._finish(self._without_key(f"no key: the other end stopped: {message.reason}"), confirmed=False)
        return ()

    def _end(self, outcome: str) -> tuple[bytes, ...]:
        """End without a key and tell the other end."""
        if self._stage == "released":
            return ()
        self._finish(self._without_key(outcome), confirmed=False)
        return self._say(Abort(outcome[: codec.MOST_REASON]))

    def _without_key(self, outcome: str) -> Distilled:
        ledger = self._party.ledger
        return Distilled(
            None,
            outcome,
            None,
            ledger.disclosed("alice"),
            ledger.disclosed("bob"),
            ledger.disclosed("alice", "parity"),
            0,
        )

    def _finish(self, result: Distilled, confirmed: bool) -> None:
        self._stage = "ended"
        peer_holds = self._peer_holds if self._tags is not None and result.outcome in (HAS_KEY, ALL_RESERVED) else ()
        self.result = Sealed(result, confirmed, self._eps, self._bytes[0], self._bytes[1], peer_holds)

    def _say(self, *messages: object) -> tuple[bytes, ...]:
        frames = tuple(codec.encode(message) for message in messages)
        for message, frame in zip(messages, frames, strict=True):
            self._bytes[0] += len(frame)
            if not isinstance(message, (Seal, Released, Abort)):
                self._talk.add(self.role, frame)
        if self.result is not None:
            self.result = replace(self.result, bytes_sent=self._bytes[0])
        return frames


def _other(role: Role) -> Role:
    return "bob" if role == "alice" else "alice"


def _digest(settings: DistilSettings) -> str:
    return hashlib.sha256(repr(sorted(asdict(settings).items())).encode()).hexdigest()
