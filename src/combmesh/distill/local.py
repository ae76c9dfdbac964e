"""Both ends in one process."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

from combmesh.ground.errors import RunError

M = TypeVar("M")
R = TypeVar("R", covariant=True)


class End(Protocol[M, R]):
    """One end of a block, in messages or in frames."""

    @property
    def result(self) -> R | None:
        """None until the block has ended."""

    def start(self) -> Sequence[M]:
        """The first messages to send."""

    def receive(self, message: M, /) -> Sequence[M]:
        """Take a message and return the answers."""


def exchange(alice: End[M, R], bob: End[M, R]) -> tuple[R, R]:
    """Carry the messages of both ends until none is left; returns the results of Alice and of Bob."""
    to_alice: deque[M] = deque(bob.start())
    to_bob: deque[M] = deque(alice.start())
    while to_alice or to_bob:
        if to_alice:
            to_bob.extend(alice.receive(to_alice.popleft()))
        if to_bob:
            to_alice.extend(bob.receive(to_bob.popleft()))
    if alice.result is None or bob.result is None:
        raise RunError("The ends have no more messages, but the block has not ended.")
    return alice.result, bob.result
