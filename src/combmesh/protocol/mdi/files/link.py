"""A link and what its users send."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from combmesh.device.demux import CombLines
from combmesh.ground.errors import InputError, check_positive
from combmesh.link.arm import Arms
from combmesh.link.devices.build import Pair, link_from_devices
from combmesh.link.devices.tables import Devices, check_boxes, check_relay
from combmesh.link.fibre import FibreArm
from combmesh.link.pulses.engine import Simulation
from combmesh.link.pulses.instrument import Tagger
from combmesh.link.pulses.light import Phase
from combmesh.link.pulses.record_file import RecordHead
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.files.sources import Epsilon, Sources, check_common
from combmesh.protocol.mdi.link_rates import MethodRate, RateTask, all_rates
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.single_pulses import light_of, record_head

NO_USERS = "The link file has no `alice` and `bob`; give them, or let `--optimise` find the best."
NAMES = ("Alice", "Bob")
_STRICT: dict[str, str] = {"extra": "forbid"}


def check_users(alice: object, bob: object) -> None:
    """Refuse the sources of one user without those of the other."""
    if (alice is None) != (bob is None):
        raise InputError("`alice` and `bob` must both be given, or neither.")


def joined(arms: Arms, relay: Relay, clock_hz: float) -> Link:
    """The link that two arms make at a relay."""
    detector = relay.detector_efficiency
    return Link(arms.alice.total_efficiency(detector), arms.bob.total_efficiency(detector), relay, clock_hz)


@dataclass(frozen=True)
class LinkFile:
    """A link: two arms and a relay, and what the users send.

    Attributes:
        schema_version: version of this format, 1.
        pulses: pulses of a block.
        clock_hz: pulse rate, Hz.
        arm: the two arms.
        relay: the relay's receiver.
        alice, bob: the users' sources; where they are optimised, only the light in their vacuum is taken from here.
        f_ec: reconciliation efficiency, the leak being f n_zz h(E_zz).
        vacuum_credit: whether bits that Alice, whose bits are the key, sent as vacuum count as secret.
        epsilon: failure probabilities.
        phase: of the users' light, for the pulses engine; the closed form takes it as random.
        tagger: the relay's time tagger, for the pulses engine.
        protocol: "mdi", the four-intensity protocol.
        devices: boxes of users named Alice and Bob, from which visibility and misalignment come.
        line: comb line, where there are devices.
    """

    schema_version: int
    pulses: float
    clock_hz: float
    arm: Arms
    relay: Relay = field(default_factory=Relay)
    alice: Sources | None = None
    bob: Sources | None = None
    f_ec: float = 1.16
    vacuum_credit: bool = True
    epsilon: Epsilon = Epsilon()
    phase: Phase = Phase()
    tagger: Tagger = Tagger()
    protocol: Literal["mdi"] = "mdi"
    devices: Devices | None = None
    line: int = 0

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_common(self.schema_version, self.clock_hz, self.f_ec)
        check_positive("pulses", self.pulses)
        check_users(self.alice, self.bob)
        self.epsilon.budget()
        if self.devices is not None:
            check_relay(self.relay)
            check_boxes(self.devices, NAMES)

    def link(self, arms: Arms) -> Link:
        """The link with other arms; from devices, where the file has them."""
        typed = joined(arms, self.relay, self.clock_hz)
        if self.devices is None:
            return typed
        fibres = tuple(
            FibreArm(arm.fibre_km or 0.0, arm.attenuation_db_km, arm.loss_db or 0.0, self.devices.beta2_ps2_km)
            for arm in (arms.alice, arms.bob)
        )
        boxes = self.devices.box(NAMES[0]), self.devices.box(NAMES[1])
        efficiencies = typed.efficiency_a, typed.efficiency_b
        pair = Pair(boxes, (fibres[0], fibres[1]), efficiencies, self.devices, self.relay, CombLines(), self.clock_hz)
        return link_from_devices(pair, self.line)

    def rates(self, arms: Arms, optimised: bool) -> list[MethodRate]:
        """The expected key by each method, with other arms; settings are optimised, or those of the file."""
        return all_rates(self.task(arms, optimised))

    def users(self) -> tuple[Settings, Settings]:
        """What both users send; raises InputError where the file does not say."""
        if self.alice is None or self.bob is None:
            raise InputError("The link file has no `alice` and `bob`; give both.")
        return self.alice.settings(), self.bob.settings()

    def simulation(self, pulses: int, seed: int, *, thinned: bool = True, files: bool = False) -> Simulation:
        """Single pulses of this link; for `files` tags and records are handed out."""
        light = replace(light_of(*self.users()), phase=self.phase)
        link = self.link(self.arm)
        return Simulation(light, link, pulses, seed, thinned, tags=files, records=files)

    def record_heads(self) -> tuple[RecordHead, RecordHead]:
        """What the records of the users say of themselves when their light is simulated."""
        alice, bob = self.users()
        return record_head(alice, self.clock_hz, "simulated"), record_head(bob, self.clock_hz, "simulated")

    def task(self, arms: Arms, optimised: bool) -> RateTask:
        """What the rate is computed from, with other arms; settings are optimised, or those of the file."""
        if not optimised and self.alice is None:
            raise InputError(NO_USERS)
        users = [user.settings() for user in (self.alice, self.bob) if user is not None]
        settings = (users[0], users[1]) if users else None
        return RateTask(
            self.link(arms),
            self.pulses,
            self.epsilon.budget(),
            self.epsilon.tail,
            self.f_ec,
            self.vacuum_credit,
            None if optimised else settings,
            (settings[0].o, settings[1].o) if settings else (0.0, 0.0),
        )
