"""A user's key store, whatever keeps its tables: keys in, keys out, once for each recipient."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from combmesh.ground.errors import InputError
from combmesh.keystore import accounting, audit, blocks, copies, delivery, meeting, wrapping
from combmesh.keystore.accounting import PairStatus
from combmesh.keystore.blocks import Address
from combmesh.keystore.desk import Desk
from combmesh.keystore.model import KeyState, StoredKey
from combmesh.keystore.requests import DeliveredKey, Recipient, WrappedKey
from combmesh.keystore.reservation import Answer, Hello, Opened, Opening

T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


class KeyStore(ABC):
    """The keys of `user`; every method may be called from any thread.

    A change is on the disk before its method returns. Keys come in by `put_pending` and `make_available`. Before any
    leaves, the terminals of a pair meet (`combmesh.keystore.meeting.meet`), once for each start of one of them.
    """

    def __init__(self, user: str, clock: Callable[[], datetime] = utc_now) -> None:
        if not user:
            raise InputError(f"`user` must be a name, but is {user!r}.")
        self.user = user
        self.clock = clock

    @abstractmethod
    def submit(self, function: Callable[[Desk], T]) -> "Future[T]":
        """Run a change in a transaction that others may share; the result comes when it is on the disk."""

    @abstractmethod
    def read(self, function: Callable[[Desk], T]) -> T:
        """Look at what is on the disk."""

    @abstractmethod
    def start(self) -> None:
        """Begin a session, in which keys may leave; a second call does nothing."""

    @abstractmethod
    def close(self) -> None:
        """Finish and close; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _change(self, function: Callable[[Desk], T]) -> T:
        return self.submit(function).result()

    # keys in

    def put_pending(self, key: StoredKey) -> None:
        """Store `key` as pending; again with the same key does nothing, also when it is available by now.

        A pending key of the same (peer, line, block) gives way; an available one does not.
        """
        self._change(lambda desk: blocks.put_pending(desk, key))

    def make_available(self, key_id: str) -> None:
        """Promote a pending key; does nothing for one that was promoted."""
        self._change(lambda desk: blocks.make_available(desk, key_id))

    def discard_pending(self, peer: str, line: int, block: int) -> bool:
        """Remove the pending key of this address, and tell whether there was one; an available key stays."""
        return self._change(lambda desk: blocks.discard_pending(desk, peer, line, block))

    def available_keys(self) -> list[StoredKey]:
        """The available keys of which no bit has left or expired, ordered by peer, line and block."""
        return self.read(blocks.available_keys)

    def key_index(self) -> dict[Address, tuple[str, KeyState]]:
        """The id of every key, by (peer, line, block), and whether it was made available; used ones included."""
        return self.read(blocks.key_index)

    # keys out

    def take(
        self,
        master_sae: str,
        recipients: Sequence[Recipient],
        number: int,
        size_bits: int,
        *,
        allow_simulated: bool = False,
    ) -> tuple[DeliveredKey, ...]:
        """New keys for a master whose terminal this is; all of them or, with `ExhaustedError`, none.

        The first recipient at another terminal gets them from the pool there, by their names; copies for the others
        are put aside (`outgoing`).
        """
        return self.take_soon(master_sae, recipients, number, size_bits, allow_simulated=allow_simulated).result()

    def take_soon(
        self,
        master_sae: str,
        recipients: Sequence[Recipient],
        number: int,
        size_bits: int,
        *,
        allow_simulated: bool = False,
    ) -> "Future[tuple[DeliveredKey, ...]]":
        """`take` for callers that do not wait in a thread."""
        who = tuple(recipients)
        return self.submit(lambda desk: delivery.take(desk, master_sae, who, number, size_bits, allow_simulated))

    def collect(
        self, slave_sae: str, master_sae: str, peer: str, key_ids: Sequence[str], *, allow_simulated: bool = False
    ) -> tuple[DeliveredKey, ...]:
        """Keys that a master at `peer`'s terminal took for a slave here; all of them or, with an error, none.

        Raises `UnknownKeyError` for one that is not here or was collected, `NotEntitledError` for one of another
        slave or master.
        """
        return self.collect_soon(slave_sae, master_sae, peer, key_ids, allow_simulated=allow_simulated).result()

    def collect_soon(
        self, slave_sae: str, master_sae: str, peer: str, key_ids: Sequence[str], *, allow_simulated: bool = False
    ) -> "Future[tuple[DeliveredKey, ...]]":
        """`collect` for callers that do not wait in a thread."""
        names = tuple(key_ids)
        return self.submit(lambda desk: delivery.collect(desk, slave_sae, master_sae, peer, names, allow_simulated))

    def status(self, peer: str) -> PairStatus:
        """Where every bit with a peer is; raises if they do not add up."""
        return self.read(lambda desk: accounting.status(desk, peer))

    def key_count(self, peer: str, size_bits: int, *, allow_simulated: bool = False) -> int:
        """Keys of a size that `take` could hand out now."""
        return self.read(lambda desk: accounting.key_count(desk, peer, size_bits, allow_simulated))

    # copies for further slaves

    def outgoing(self, peer: str) -> tuple[WrappedKey, ...]:
        """Copies, wrapped for `peer`'s terminal, that it has not accepted yet; to be sent until it has."""
        return self.read(lambda desk: copies.outgoing(desk, peer))

    def accept(self, copy: WrappedKey) -> None:
        """Unwrap a copy and keep it for its slave; the same copy again changes nothing."""
        self._change(lambda desk: copies.accept(desk, copy))

    def accepted(self, key_id: str, slave_sae: str) -> None:
        """Note that the other terminal has a copy."""
        self._change(lambda desk: copies.accepted(desk, key_id, slave_sae))

    # meetings

    def hello(self, peer: str) -> Hello:
        """First word to a peer; begins the session if there is none."""
        self.start()
        return self._change(lambda desk: meeting.hello(desk, peer))

    def answer(self, word: Hello) -> Answer:
        """The marks that are kept here for a peer."""
        self.start()
        return self._change(lambda desk: meeting.answer(desk, word))

    def settle(self, word: Answer) -> None:
        """Void what a peer's marks tell to."""
        self._change(lambda desk: meeting.settle(desk, word))

    def wanted(self, peer: str, ahead_bits: int) -> Opening:
        """Shares to open, so that `ahead_bits` can be taken without another word."""
        return self.read(lambda desk: meeting.wanted(desk, peer, ahead_bits))

    def allow(self, word: Opening) -> Opened:
        """Record that a peer opens its shares."""
        return self._change(lambda desk: meeting.allow(desk, word))

    def opened(self, word: Opened) -> None:
        """Open what the peer has recorded."""
        self._change(lambda desk: meeting.open_shares(desk, word))

    # upkeep

    def expire(self, max_age_s: float, collect_s: float) -> int:
        """End bits of blocks older than `max_age_s`, `collect_s` later those of the slave's side; returns the bits."""
        return self._change(lambda desk: accounting.expire(desk, max_age_s, collect_s))

    def declare_restored(self) -> None:
        """Say that this store was put back from a backup, where it cannot find that out by itself."""
        self._change(meeting.declare_restored)

    def audit(self, after_seq: int = 0) -> list[str]:
        """The record of events after number `after_seq`, as JSON lines without a bit of any key."""
        return self.read(lambda desk: list(audit.exported(desk, after_seq)))

    def forget_audit(self, up_to_seq: int) -> int:
        """Drop lines that were exported."""
        return self._change(lambda desk: audit.forget(desk, up_to_seq))

    def rewrap(self, batch: int = 100) -> int:
        """Wrap all keys with the current key-encryption key, `batch` in a commit; can be stopped and done again."""
        total = 0
        while count := self._change(lambda desk: wrapping.rewrap_some(desk, batch)):
            total += count
        return total

    def former_wraps(self) -> int:
        """Rows that still need a former key-encryption key."""
        return self.read(wrapping.former_wraps)
