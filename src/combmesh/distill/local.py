"""Both ends in one process."""

from collections import deque

from combmesh.distill.messages import Message
from combmesh.distill.party import Alice, Bob
from combmesh.distill.settings import Distilled
from combmesh.ground.errors import RunError


def exchange(alice: Alice, bob: Bob) -> tuple[Distilled, Distilled]:
    """Carry the messages of both ends until none is left; returns the results of Alice and of Bob."""
    to_alice: deque[Message] = deque(bob.start())
    to_bob: deque[Message] = deque(alice.start())
    while to_alice or to_bob:
        if to_alice:
            to_bob.extend(alice.receive(to_alice.popleft()))
        if to_bob:
            to_alice.extend(bob.receive(to_bob.popleft()))
    if alice.result is None or bob.result is None:
        raise RunError("The ends have no more messages, but the block has not ended.")
    return alice.result, bob.result
