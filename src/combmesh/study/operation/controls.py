"""What holds a pair over hours, and what it costs in key."""

from dataclasses import dataclass, field

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.ground.provenance import Mark
from combmesh.link.compensation.disclosed import Disclosure
from combmesh.link.compensation.search import Descent
from combmesh.link.relay import Link
from combmesh.protocol.mdi.settings import Settings

_SURVEY = "the library's defaults (docs/compensation.md)"

MARKS = {
    "Controls.search": Mark("assumed", f"SPGD with {_SURVEY}"),
    "Controls.disclosure": Mark("assumed", "1e4 clicks a probe; the paper prints no budget"),
    "Controls.probe_s": Mark("assumed", "the paper prints no rate"),
    "Controls.arrival_counts": Mark("assumed", f"2.5 ps of a centroid, {_SURVEY}"),
    "Controls.arrival_period_s": Mark("assumed", _SURVEY),
    "Controls.arrival_gain": Mark("assumed", _SURVEY),
    "Controls.on": Mark("default", "the controls run"),
}


@dataclass(frozen=True)
class Controls:
    """Polarization and arrival-time control of both arms.

    Attributes:
        search: of the polarization.
        disclosure: clicks behind each of its probes.
        probe_s: time of a probe, s.
        arrival_counts: clicks behind each centroid; they are among the disclosed ones.
        arrival_period_s: time of a centroid, s.
        arrival_gain: share of an arrival error that one period takes back.
        on: whether they run; off, both arms are aligned when the record begins and are then left alone.
    """

    search: Descent = field(default_factory=Descent)
    disclosure: Disclosure = field(default_factory=Disclosure)
    probe_s: float = 0.5
    arrival_counts: float = 400.0
    arrival_period_s: float = 1.0
    arrival_gain: float = 0.4
    on: bool = True

    def __post_init__(self) -> None:
        check_positive("probe_s", self.probe_s)
        check_positive("arrival_period_s", self.arrival_period_s)
        check_range("arrival_gain", self.arrival_gain, 1e-6, 1.0)
        disclosed = self.disclosure.counts / self.probe_s * self.arrival_period_s
        check_range("arrival_counts", self.arrival_counts, 2.0, disclosed)


def slot_shares(controls: Controls, link: Link, users: tuple[Settings, Settings]) -> tuple[float, float]:
    """Share of the time that goes into each user's slots of disclosed states.

    In a slot one user sends states that both know, as bright as his brightest source, and the other sends nothing, for
    a click does not say whose light it was. Slots are agreed beforehand; they are no part of what is proven.
    """
    if not controls.on:
        return 0.0, 0.0
    efficiencies = link.efficiency_a, link.efficiency_b
    shares = []
    for eta, user in zip(efficiencies, users, strict=True):
        click_rate_hz = link.clock_hz * link.gate_share * eta * max(user.y, user.z)
        shares.append(controls.disclosure.share(controls.probe_s, click_rate_hz) if click_rate_hz > 0.0 else 1.0)
    if sum(shares) >= 1.0:
        raise InputError(
            f"`counts` must leave time for a key, but {controls.disclosure.counts} clicks of each user every "
            f"{controls.probe_s:g} s take {100.0 * sum(shares):.0f} % of it."
        )
    return shares[0], shares[1]


def key_time_share(shares: tuple[float, float]) -> float:
    """Share of the time that is left for the key: slots of both users are never at once.

    >>> key_time_share((0.02, 0.02))
    0.96
    """
    return 1.0 - sum(shares)
