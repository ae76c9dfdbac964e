"""A link and what its users send."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from combmesh.ground.errors import InputError
from combmesh.link.arm import Arms
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.files.sources import Epsilon, Sources, check_common

_STRICT: dict[str, str] = {"extra": "forbid"}


@dataclass(frozen=True)
class LinkFile:
    """A link: two arms and a relay, and what the users send.

    Attributes:
        schema_version: version of this format, 1.
        pulses: pulses of a block.
        clock_hz: pulse rate, Hz.
        arm: the two arms.
        relay: the relay's receiver.
        alice, bob: the users' sources; needed unless they are optimised.
        f_ec: reconciliation efficiency, the leak being f n_zz h(E_zz).
        raw_key: whose bits are the raw key.
        vacuum_credit: whether bits of the raw key's owner sent as vacuum count as secret.
        epsilon: failure probabilities.
    """

    schema_version: int
    pulses: float
    clock_hz: float
    arm: Arms
    relay: Relay = field(default_factory=Relay)
    alice: Sources | None = None
    bob: Sources | None = None
    f_ec: float = 1.16
    raw_key: Literal["alice", "bob"] = "alice"
    vacuum_credit: bool = True
    epsilon: Epsilon = Epsilon()

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_common(self.schema_version, self.pulses, self.clock_hz, self.f_ec)
        if (self.alice is None) != (self.bob is None):
            raise InputError("`alice` and `bob` must both be given, or neither.")

    def link(self) -> Link:
        """The two arms at the relay."""
        detector = self.relay.detector_efficiency
        eta_a, eta_b = self.arm.alice.total_efficiency(detector), self.arm.bob.total_efficiency(detector)
        return Link(eta_a, eta_b, self.relay, self.clock_hz)
