"""What a network takes: the parts of N users and a relay, beside the same with locked lasers and with entanglement.

Three ways to join every user to every other:

- *comb*: the paper's. A user has one seed laser, locked to rubidium, one soliton microcomb, one grating, and one
  encoder chip for each line on which he sends (Fig. 1a, c).
- *lasers*: one locked laser for each line of each user (Fig. 1b). Everything else stays.
- *entanglement*: a source at the provider sends entangled photons over two wavelengths for each pair (the paper's refs
  21 to 24). Users have the detectors. The provider needs none and, as here, is not trusted.

Every count has a mark: printed in the paper, or assumed with its reason.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from combmesh.ground.errors import check_range
from combmesh.ground.provenance import Mark
from combmesh.network.detectors import DETECTORS
from combmesh.network.slots import SlotPlan, pair_index


@dataclass(frozen=True)
class Part:
    """A line of the bill.

    Attributes:
        where: "user" or "relay".
        name: what it is.
        count: how many in all.
        mark: where the count comes from.
    """

    where: str
    name: str
    count: int
    mark: Mark

    def shown(self) -> dict[str, Any]:
        """As a row of a table."""
        row = asdict(self)
        row["mark"] = f"{self.mark.kind}: {self.mark.note}"
        return row


@dataclass(frozen=True)
class Bill:
    """The parts of a network built in one way: "comb", "lasers" or "entanglement"."""

    way: str
    users: int
    pairs: int
    parts: tuple[Part, ...]

    def count(self, name: str) -> int:
        """How many of a part there are in all, 0 if none."""
        return sum(part.count for part in self.parts if part.name == name)


@dataclass(frozen=True)
class Size:
    """What the bill depends on.

    Attributes:
        users: N.
        pairs: pairs of users that are served.
        lines: lines of the plan.
        slots: its time slots.
        chips: lines on which users send, all users together: encoder chips.
        receivers: receivers at the relay.
        switched: whether switches join any receiver to any pair.
    """

    users: int
    pairs: int
    lines: int
    slots: int
    chips: int
    receivers: int
    switched: bool = False

    def __post_init__(self) -> None:
        for name, least in (("users", 2), ("pairs", 0), ("lines", 1), ("slots", 1), ("chips", 0), ("receivers", 0)):
            check_range(name, getattr(self, name), least)


def size_of(plan: SlotPlan, receivers: int | None = None, switched: bool = False) -> Size:
    """The size of a plan; without `receivers` each channel of the fullest slot has its own."""
    column = plan.colour.astype(np.int64) % len(plan.lines)
    ends = np.concatenate([side.astype(np.int64) * len(plan.lines) + column for side in (plan.first, plan.second)])
    pairs = np.unique(pair_index(plan.first, plan.second, plan.users)).size
    return Size(
        plan.users,
        int(pairs),
        plan.lines_used,
        plan.slots,
        int(np.unique(ends).size),
        plan.busiest_slot if receivers is None else receivers,
        switched,
    )


def comb_bill(size: Size) -> Bill:
    """The paper's network: one comb for each user.

    >>> comb_bill(Size(200, 19900, 199, 1, 39800, 19900)).count("single-photon detectors")
    79600
    """
    n = size.users
    own = (
        Part("user", "seed lasers", n, Mark("printed", "section 1: a single seed laser each")),
        Part("user", "frequency locks of lasers", n, Mark("printed", "section 2.1: each seed locked to rubidium")),
        Part("user", "soliton microcombs", n, Mark("printed", "Fig. 1c: one ring each")),
        Part("user", "acousto-optic modulators", n, Mark("printed", "Fig. 1c: for the auxiliary light")),
        Part("user", "repetition-rate locks", n, Mark("printed", "Fig. 2a: modulator, RF reference, photodiode each")),
    )
    return Bill("comb", n, size.pairs, own + _gratings(size) + _relay(size))


def laser_bill(size: Size) -> Bill:
    """The same network with a locked laser for each line of each user (Fig. 1b).

    >>> laser_bill(Size(200, 19900, 199, 1, 39800, 19900)).count("seed lasers")
    39800
    """
    each = Mark(
        "printed", "Fig. 1b: an array of N-1 locked lasers at each user; here one for each line that he sends on"
    )
    own = (
        Part("user", "seed lasers", size.chips, each),
        Part("user", "frequency locks of lasers", size.chips, each),
    )
    return Bill("lasers", size.users, size.pairs, own + _gratings(size)[1:] + _relay(size))


def _gratings(size: Size) -> tuple[Part, ...]:
    n = size.users
    return (
        Part("user", "gratings", n, Mark("printed", "Fig. 1c: one behind each comb")),
        Part(
            "user", "encoder chips", size.chips, Mark("printed", "section 2: one transmitter for each line of a user")
        ),
        Part("user", "multiplexers", n, Mark("assumed", "one back into the fibre; the paper does not show it")),
        Part("user", "fibres to the relay", n, Mark("printed", "Fig. 1a")),
    )


def _relay(size: Size) -> tuple[Part, ...]:
    n, r = size.users, size.receivers
    ports = Mark("assumed", "a port for each line of each user at the relay; the paper says that it demultiplexes")
    wired = Mark("assumed", "two fibres from ports to a receiver for each that is wired; switches replace them")
    parts = [
        Part(
            "relay", "demultiplexers", n, Mark("assumed", "one for each user; printed is that the relay demultiplexes")
        ),
        Part("relay", "demultiplexer ports", size.chips, ports),
        Part("relay", "polarization controllers", n, Mark("assumed", "printed for each fibre channel; one a user")),
        Part("relay", "receivers", r, Mark("given", "as planned")),
        Part("relay", "beam splitters", r, Mark("printed", "section 2: one in each receiver")),
        Part("relay", "polarizing beam splitters", 2 * r, Mark("printed", "section 2: two in each receiver")),
        Part("relay", "single-photon detectors", DETECTORS * r, Mark("printed", "Fig. 1c: four in each receiver")),
        Part("relay", "patched fibres", 0 if size.switched else 2 * size.pairs * (r > 0), wired),
    ]
    if size.switched:
        note = "a fabric with every port as input and two outputs for each receiver"
        parts += [
            Part("relay", "switch inputs", size.chips, Mark("assumed", note)),
            Part("relay", "switch outputs", 2 * r, Mark("assumed", note)),
        ]
    elif r < size.pairs:
        note = "each receiver chooses among the pairs wired to it: two switches, one for each user's side"
        parts.append(Part("relay", "optical switches", 2 * r, Mark("assumed", note)))
    return tuple(parts)


def entanglement_bill(users: int, detectors_each: int = DETECTORS) -> Bill:
    """A network of entangled pairs, two wavelengths for each pair of users and one analyser at each user.

    >>> entanglement_bill(4).count("wavelength channels")
    12
    """
    check_range("users", users, 2)
    pairs = users * (users - 1) // 2
    channels = Mark("assumed", "N(N-1): two wavelengths for each pair of users, as the abstract of ref. 21 has it")
    each = Mark("assumed", f"{detectors_each} for a passive choice between two bases; all pairs of a user share them")
    return Bill(
        "entanglement",
        users,
        pairs,
        (
            Part("relay", "entangled-photon sources", 1, Mark("assumed", "one broad source, split by wavelength")),
            Part("relay", "wavelength channels", 2 * pairs, channels),
            Part("user", "polarization analysers", users, Mark("assumed", "one each")),
            Part("user", "single-photon detectors", detectors_each * users, each),
            Part("user", "fibres to the relay", users, Mark("assumed", "one each")),
        ),
    )


@dataclass(frozen=True)
class Earlier:
    """A fully connected network that was built before, as the paper cites it.

    Attributes:
        reference: number in the paper's list.
        what: who and where.
        users: number of users.
        mark: where the number comes from.
    """

    reference: int
    what: str
    users: int
    mark: Mark


EARLIER = (
    Earlier(21, "Wengerowsky et al., Nature 564, 225 (2018)", 4, Mark("assumed", "abstract: 4 users, 12 wavelengths")),
    Earlier(22, "Joshi et al., Sci. Adv. 6, eaba0959 (2020)", 8, Mark("printed", "title in the list of references")),
    Earlier(23, "Liu et al., PhotoniX 3, 2 (2022)", 40, Mark("printed", "title in the list of references")),
    Earlier(
        24, "Huang et al., Laser Photonics Rev. 19, 2301026 (2025)", 16, Mark("printed", "title in the references")
    ),
)

CLAIMS = (
    ("users", "one order of magnitude more users than earlier fully connected networks", "section 1"),
    ("rate", "three orders of magnitude more key than those (section 2.3 says three to four)", "section 1"),
    ("distance", "100 km further; the earlier ones have no rigorous finite-size analysis", "section 2.3"),
    ("thousands of users", "two orders of magnitude larger than earlier networks, with time slots", "section 2.4"),
    ("attenuators", "ref. 21 simulated its channel with attenuators", "Fig. 4e"),
)
"""What the paper prints about networks of entangled photons (refs 21 to 24): (about what, claim, where)."""


def bills(size: Size) -> tuple[Bill, Bill, Bill]:
    """The same network in the three ways."""
    return comb_bill(size), laser_bill(size), entanglement_bill(size.users)
