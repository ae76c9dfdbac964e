"""Which comb line serves which pair: a 1-factorisation of the complete graph."""

from collections.abc import Sequence
from dataclasses import dataclass

from combmesh.device.demux import CombLines, itu_label, line_frequency_thz
from combmesh.ground.errors import InputError, RunError


@dataclass(frozen=True)
class Channel:
    """One pair and its line. `alice` comes before `bob` in the list of users.

    Attributes:
        alice, bob: names of the users.
        line: number of the comb line; a line's number is its identity.
        itu_label: the nearest bin of the 50 GHz grid, only a name: labels repeat along the comb.
    """

    alice: str
    bob: str
    line: int
    itu_label: str


def one_factors(n: int) -> list[list[tuple[int, int]]]:
    """The rounds of the circle method: each pair once, nobody twice in a round; n-1 rounds, or n for odd n.

    >>> one_factors(4)
    [[(0, 3), (1, 2)], [(1, 3), (0, 2)], [(2, 3), (0, 1)]]
    """
    seats = n + n % 2  # an odd number gets a dummy, whose partner rests
    rounds = []
    for r in range(seats - 1):
        pairs = [(r, seats - 1)] + [((r + k) % (seats - 1), (r - k) % (seats - 1)) for k in range(1, seats // 2)]
        rounds.append([(min(pair), max(pair)) for pair in pairs if max(pair) < n])
    return rounds


def plan_channels(users: Sequence[str], comb: CombLines, usable: Sequence[int] | None = None) -> tuple[Channel, ...]:
    """One line for each pair, no line twice at one user, on the lines nearest to the pump.

    Args:
        users: names of the users.
        comb: the lines.
        usable: the lines that may be used, if that are not all of them; see `slots.line_use`.
    """
    rounds = one_factors(len(users))
    lines = comb.nearest_to_pump(len(rounds)) if usable is None else _nearest(usable, len(rounds))
    line_of = {pair: line for line, pairs in zip(lines, rounds, strict=True) for pair in pairs}
    channels = tuple(
        Channel(users[i], users[j], line, itu_label(line_frequency_thz(comb, line)))
        for (i, j), line in sorted(line_of.items())
    )
    check_plan(users, channels)
    return channels


def _nearest(usable: Sequence[int], count: int) -> tuple[int, ...]:
    """The `count` usable lines nearest to the pump, in ascending order."""
    if count > len(set(usable)):
        raise InputError(f"The plan needs {count} lines, but only {len(set(usable))} are usable.")
    return tuple(sorted(sorted(set(usable), key=lambda line: (abs(line), line))[:count]))


def check_plan(users: Sequence[str], channels: Sequence[Channel]) -> None:
    """Refuse a plan that leaves out a pair, serves one twice, or gives a user one line twice."""
    pairs = {frozenset((channel.alice, channel.bob)) for channel in channels}
    ends = {(name, channel.line) for channel in channels for name in (channel.alice, channel.bob)}
    n_pairs = len(users) * (len(users) - 1) // 2
    if len(pairs) != n_pairs or len(channels) != n_pairs:
        raise RunError(f"The channel plan must serve {n_pairs} pairs once each, but serves {len(pairs)}.")
    if len(ends) != 2 * len(channels):
        raise RunError("The channel plan gives a user one line twice.")
