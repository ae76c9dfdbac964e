"""The network as its file describes it: users around one relay, and everything that their keys depend on."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

from combmesh.device.demux import CombLines
from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.link.devices.build import Pair, link_from_devices
from combmesh.link.devices.tables import Devices, check_boxes, check_relay
from combmesh.link.fibre import FibreArm, fibre_loss_db, transmission
from combmesh.link.relay import Link, Relay
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.rules import AnalysisRule, BlockRule, Reconciliation
from combmesh.protocol.mdi.settings import Settings

SCHEMA_VERSION = 1
MAX_USERS = 10_000


@dataclass(frozen=True)
class Fibre:
    """Fibre between a user and the relay.

    Attributes:
        attenuation_db_km: loss of the fibre for each km, dB/km.
        insertion_loss_db: everything else that takes light between a user's output and the detectors, dB.
    """

    attenuation_db_km: float = 0.2
    insertion_loss_db: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("attenuation_db_km", self.attenuation_db_km, 0.0)
        check_range("insertion_loss_db", self.insertion_loss_db, 0.0)


@dataclass(frozen=True)
class User:
    """One user, or `count` equal ones.

    Attributes:
        name: the user's name; equal users are numbered behind it.
        fibre_km: length of the fibre to the relay, km.
        loss_db: measured loss of that fibre, dB; takes the place of length times attenuation.
        arm_efficiency: probability that a photon sent is detected, 0 to 1; takes the place of every loss between the
            user and the click, the detector's efficiency included.
        count: number of equal users.
    """

    name: str
    fibre_km: float | None = None
    loss_db: float | None = None
    arm_efficiency: float | None = None
    count: int = 1

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or set(self.name) & set('/\\:"') or self.name[0] == ".":
            raise InputError(
                f'`name` must be a printable name without / \\ : " or a leading dot, but is {self.name!r}.'
            )
        for name, high in (("fibre_km", 1e5), ("loss_db", 1e3), ("arm_efficiency", 1.0)):
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 0.0, high)
        if self.fibre_km is None and self.loss_db is None and self.arm_efficiency is None:
            raise InputError(f"User {self.name!r} needs `fibre_km`, `loss_db` or `arm_efficiency`, but has none.")
        check_range("count", self.count, 1, MAX_USERS)


@dataclass(frozen=True)
class Network:
    """A fully connected network; complete once constructed.

    Attributes:
        schema_version: version of this format, 1.
        name: name of the network.
        users: at least two users.
        clock_hz: pulse rate, Hz.
        blocks: blocks that each pair distils.
        seed: seed of the simulated light; it fixes tallies and error positions, never key bits.
        relay: the relay's receivers.
        fibre: the fibres.
        comb: the comb lines that can be used.
        block: when a block ends.
        epsilon: failure probabilities of a block.
        analysis: how counts become a key length.
        reconciliation: how errors are corrected and what that is charged.
        settings: intensities and probabilities of every user; optimised for each pair when absent.
        devices: the users' boxes and what holds them; visibility and misalignment of each line come from them.
    """

    schema_version: int
    name: str
    users: tuple[User, ...]
    clock_hz: float = 2.5e9
    blocks: int = 1
    seed: int = 1
    relay: Relay = Relay()
    fibre: Fibre = Fibre()
    comb: CombLines = CombLines()
    block: BlockRule = BlockRule()
    epsilon: EpsilonBudget = EpsilonBudget()
    analysis: AnalysisRule = AnalysisRule()
    reconciliation: Reconciliation = Reconciliation()
    settings: Settings | None = None
    devices: Devices | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise InputError(f"`schema_version` must be {SCHEMA_VERSION}, but is {self.schema_version}.")
        check_positive("clock_hz", self.clock_hz)
        check_range("blocks", self.blocks, 1, 1e6)
        check_range("seed", self.seed, 0, 2**63)
        names = Counter(user.name for user in members(self.users))
        if sum(names.values()) < 2:
            raise InputError(f"`users` must hold at least 2 users, but holds {sum(names.values())}.")
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            raise InputError(
                f"`users` must have different names, but {twice[0]!r} stands there {names[twice[0]]} times."
            )
        if self.devices is not None:
            check_relay(self.relay)
            check_boxes(self.devices, set(names))


def members(users: tuple[User, ...]) -> tuple[User, ...]:
    """Every single user, equal ones numbered.

    >>> [user.name for user in members((User("hub", loss_db=3.0), User("U", loss_db=20.0, count=2)))]
    ['hub', 'U1', 'U2']
    """
    single: list[User] = []
    for user in users:
        if user.count == 1:
            single.append(user)
            continue
        digits = len(str(user.count))
        single += [replace(user, name=f"{user.name}{i:0{digits}d}", count=1) for i in range(1, user.count + 1)]
    return tuple(single)


def arm_efficiency(network: Network, user: User) -> float:
    """Probability that a photon sent by the user is detected, 0 to 1."""
    if user.arm_efficiency is not None:
        return user.arm_efficiency
    fibre = network.fibre
    loss_db = user.loss_db if user.loss_db is not None else fibre_loss_db(user.fibre_km or 0.0, fibre.attenuation_db_km)
    return network.relay.detector_efficiency * transmission(loss_db + fibre.insertion_loss_db)


def pair_link(network: Network, alice: User, bob: User, line: int | None = None) -> Link:
    """The two arms of a pair at the relay; from devices on its comb line, where the network has them."""
    if network.devices is not None and line is not None:
        return link_from_devices(pair_devices(network, alice, bob), line)
    return Link(arm_efficiency(network, alice), arm_efficiency(network, bob), network.relay, network.clock_hz)


def pair_devices(network: Network, alice: User, bob: User) -> Pair:
    """What the links of a pair are made of; a user without a length has no fibre that disperses."""
    devices = network.devices
    if devices is None:
        raise InputError("The network file needs a table `devices` for this, but has none.")
    fibre = network.fibre
    one, other = (
        FibreArm(user.fibre_km or 0.0, fibre.attenuation_db_km, 0.0, devices.beta2_ps2_km) for user in (alice, bob)
    )
    return Pair(
        (devices.box(alice.name), devices.box(bob.name)),
        (one, other),
        (arm_efficiency(network, alice), arm_efficiency(network, bob)),
        devices,
        network.relay,
        network.comb,
        network.clock_hz,
    )
