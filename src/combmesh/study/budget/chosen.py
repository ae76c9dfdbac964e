"""Which pair and line of a network a budget is of."""

from dataclasses import dataclass

from combmesh.ground.errors import InputError
from combmesh.link.devices.build import Pair
from combmesh.link.devices.light import user_light
from combmesh.link.devices.tables import UserDevices
from combmesh.network.plan import plan_channels
from combmesh.network.topology import Network, members, pair_devices
from combmesh.study.budget.rates import KeyRule

_MOST_NAMED = 3


@dataclass(frozen=True)
class Chosen:
    """A pair of a network.

    Attributes:
        names: of the users.
        pair: their devices.
        line: the comb line that the channel plan gives them.
        rule: how a block becomes key.
    """

    names: tuple[str, str]
    pair: Pair
    line: int
    rule: KeyRule


def chosen_pair(network: Network, names: tuple[str, ...] | None) -> Chosen:
    """A pair by name, the first two users without; refuses a network without devices."""
    users = members(network.users)
    by_name = {user.name: user for user in users}
    names = (users[0].name, users[1].name) if names is None else names
    if len(names) != 2 or names[0] == names[1] or not set(names) <= set(by_name):
        shown = ", ".join(list(by_name)[:20])
        raise InputError(f"`--pair` must be two of {shown} with a comma, but is {','.join(names)!r}.")
    pair = pair_devices(network, by_name[names[0]], by_name[names[1]])
    channels = plan_channels([user.name for user in users], network.comb)
    line = next(channel.line for channel in channels if {channel.alice, channel.bob} == set(names))
    return Chosen((names[0], names[1]), pair, line, rule_of(network))


def rule_of(network: Network) -> KeyRule:
    """What the network's file says about blocks and their analysis; both methods are always computed."""
    return KeyRule(
        network.block,
        network.epsilon,
        network.reconciliation.planned_f_ec,
        network.analysis.tail,
        network.settings,
    )


def broken_assumptions(network: Network) -> list[str]:
    """A sentence for each assumption of the proof that the light of a network's users breaks, boxes alike together."""
    devices = network.devices
    if devices is None:
        return []
    owners: dict[UserDevices, list[str]] = {}
    for user in members(network.users):
        owners.setdefault(devices.box(user.name), []).append(user.name)
    found = []
    for box, names in owners.items():
        who = ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} users, {names[0]} first"
        spec = user_light(box, devices.relay, network.comb, network.clock_hz).spec
        found += [f"{who}: {sentence}" for sentence in spec.assumptions_broken]
    return found
