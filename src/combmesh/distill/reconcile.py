"""Reconciliation behind one small interface: Bob asks, Alice answers, and each counts what both have disclosed.

Two engines. *Cascade* is the most efficient, and talks much: some hundred round trips a block. One-way *LDPC* codes
need a few, and tell of Bob's bits nothing but which frames failed: no argument about two-way talk is needed.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from combmesh.distill import cascade, ldpc
from combmesh.distill.cascade import SCHEDULE_NAMES, ScheduleName
from combmesh.distill.correction import Correction
from combmesh.distill.ledger import Kind
from combmesh.distill.messages import CascadeSetup, ParityReply, ParityRequest
from combmesh.distill.messages import Message as Spoken
from combmesh.ground.errors import InputError, RunError

Engine = Literal["cascade", "ldpc"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
Bits = NDArray[np.uint8]

SETUPS = (CascadeSetup, ldpc.LdpcSetup)
REQUESTS = (ParityRequest, ldpc.SyndromeRequest, ldpc.RevealRequest)
REPLIES = (ParityReply, ldpc.SyndromeReply, ldpc.RevealReply)
Message = Spoken | ldpc.LdpcSetup | ldpc.LdpcRequest | ldpc.LdpcReply
"""All that two parties say to each other."""

PATIENCE_S = 2.0
"""Longest time that the round trips of a block may take by themselves, s."""
_ROUND_TRIPS: dict[ScheduleName, int] = {"efficient": 1900, "fast": 700, "few-rounds": 250}
SMALL_BITS = 500_000
"""Below, the fast schedule discloses 1 % more than the efficient one, and no block takes long."""
LEAST_LDPC_BITS, LEAST_LDPC_QBER = 44_000, 0.005


@dataclass(frozen=True)
class Disclosed:
    """What a request and its reply disclose.

    Attributes:
        alice: parities of Alice's bits.
        bob: bits that Bob's request can tell, and of what kind.
    """

    alice: int
    bob: int
    kind: Kind


class Answers(Protocol):
    """Alice's side."""

    def answer(self, request: Any) -> tuple[Any, Disclosed]:
        """Her reply; raises a CombmeshError for what may not be asked."""


class Asks(Protocol):
    """Bob's side."""

    @property
    def setup(self) -> Any:
        """The first message, which Alice needs."""

    @property
    def request(self) -> Any:
        """The request that is open, None when there is no more to ask."""

    @property
    def corrected(self) -> Correction:
        """The end of it all."""

    def take(self, reply: Any) -> Disclosed:
        """Go on with Alice's reply; raises a CombmeshError for one that cannot be."""


def choose_engine(n_bits: int, qber: float, round_trip_s: float) -> tuple[Engine, ScheduleName]:
    """The engine for a block: Cascade while its round trips cost no time to speak of, then fewer of them, then LDPC.

    >>> choose_engine(100_000, 0.017, 1e-3)
    ('cascade', 'efficient')
    >>> choose_engine(1_000_000, 0.017, 1e-3), choose_engine(1_000_000, 0.017, 5e-3), choose_engine(10**6, 0.017, 0.1)
    (('cascade', 'fast'), ('cascade', 'few-rounds'), ('ldpc', 'few-rounds'))
    """
    for schedule, trips in _ROUND_TRIPS.items():
        if trips * round_trip_s <= PATIENCE_S and (schedule != "efficient" or n_bits < SMALL_BITS):
            return "cascade", schedule
    coded = n_bits >= LEAST_LDPC_BITS and qber >= LEAST_LDPC_QBER
    return ("ldpc" if coded else "cascade"), "few-rounds"


def check_engine(engine: str, schedule: str) -> None:
    """Refuse names that are none."""
    if engine not in ENGINES:
        raise InputError(f"`engine` must be one of {', '.join(ENGINES)}, but is {engine!r}.")
    if schedule not in SCHEDULE_NAMES:
        raise InputError(f"`schedule` must be one of {', '.join(SCHEDULE_NAMES)}, but is {schedule!r}.")


def bob_side(engine: Engine, bits: Bits, planned_qber: float, schedule: ScheduleName) -> Asks:
    """Bob's side of an engine."""
    if engine == "ldpc":
        return _LdpcBob(bits, planned_qber)
    return _CascadeBob(bits, planned_qber, schedule)


def alice_side(engine: Engine, bits: Bits, setup: Any) -> Answers:
    """Alice's side of an engine, once Bob's setup is there; raises a CombmeshError for one that does not fit."""
    if engine == "ldpc":
        if not isinstance(setup, ldpc.LdpcSetup):
            raise RunError(f"the setup of {engine} was expected, but {type(setup).__name__} came")
        return _LdpcAlice(bits, setup)
    if not isinstance(setup, CascadeSetup):
        raise RunError(f"the setup of {engine} was expected, but {type(setup).__name__} came")
    return _CascadeAlice(bits, setup)


class _CascadeAlice:
    def __init__(self, bits: Bits, setup: CascadeSetup) -> None:
        self._oracle = cascade.ParityOracle(bits, setup)

    def answer(self, request: Any) -> tuple[ParityReply, Disclosed]:
        if not isinstance(request, ParityRequest):
            raise RunError(f"a request of cascade was expected, but {type(request).__name__} came")
        return self._oracle.answer(request), _parities(request)


def _parities(request: ParityRequest) -> Disclosed:
    """Alice's parities, and as many bits that Bob's reactions can tell."""
    return Disclosed(request.n_questions, request.n_questions, "reaction")


class _Asking:
    """A generator of requests that ends with the correction."""

    def __init__(self, generator: Generator[Any, Any, Correction], setup: Any) -> None:
        self.setup = setup
        self._generator = generator
        self._corrected: Correction | None = None
        self.request: Any = None
        self._advance(None)

    @property
    def corrected(self) -> Correction:
        if self._corrected is None:
            raise RunError("the correction has not ended")
        return self._corrected

    def _advance(self, reply: Any) -> None:
        try:
            self.request = self._generator.send(reply)
        except StopIteration as end:
            self.request, self._corrected = None, end.value


class _CascadeBob(_Asking):
    def __init__(self, bits: Bits, planned_qber: float, schedule: ScheduleName) -> None:
        setup = cascade.draw_setup(bits.size, schedule)
        super().__init__(cascade.search(bits, setup, planned_qber, schedule), setup)

    def take(self, reply: Any) -> Disclosed:
        if self.request is None or not isinstance(reply, ParityReply):
            raise RunError(f"a reply of cascade was expected, but {type(reply).__name__} came")
        asked = self.request
        self._advance(cascade.unpack_reply(asked, reply))
        return _parities(asked)


class _LdpcAlice:
    def __init__(self, bits: Bits, setup: ldpc.LdpcSetup) -> None:
        if setup.n_bits != bits.size:
            raise RunError(f"`n_bits` of the setup must be {bits.size}, but is {setup.n_bits}.")
        self._oracle = ldpc.SyndromeOracle(bits, setup)

    def answer(self, request: Any) -> tuple[Any, Disclosed]:
        if not isinstance(request, (ldpc.SyndromeRequest, ldpc.RevealRequest)):
            raise RunError(f"a request of ldpc was expected, but {type(request).__name__} came")
        progress = self._oracle.progress
        before = progress.n_disclosed, progress.n_acknowledged
        return self._oracle.answer(request), _since(before, progress)


def _since(before: tuple[int, int], progress: ldpc.Progress) -> Disclosed:
    """Alice's parities, and a bit for each frame that Bob names: whether it has failed."""
    alice, bob = progress.n_disclosed - before[0], progress.n_acknowledged - before[1]
    return Disclosed(alice, bob, "acknowledgement")


class _LdpcBob(_Asking):
    def __init__(self, bits: Bits, planned_qber: float) -> None:
        setup = ldpc.choose_setup(bits.size, planned_qber)
        self._progress = ldpc.Progress(setup)
        super().__init__(ldpc.decode(bits, setup, planned_qber), setup)

    def take(self, reply: Any) -> Disclosed:
        if self.request is None or not isinstance(reply, (ldpc.SyndromeReply, ldpc.RevealReply)):
            raise RunError(f"a reply of ldpc was expected, but {type(reply).__name__} came")
        before = self._progress.n_disclosed, self._progress.n_acknowledged
        self._progress.take(self.request)
        self._advance(reply)
        return _since(before, self._progress)
