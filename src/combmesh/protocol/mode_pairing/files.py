"""A table of counts and a link of mode pairing as files."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from combmesh.ground.errors import InputError, check_positive
from combmesh.link.arm import Arms
from combmesh.link.relay import Relay
from combmesh.protocol.epsilon import equal_share
from combmesh.protocol.mdi.compare import MethodResult
from combmesh.protocol.mdi.consistency import Consistency
from combmesh.protocol.mdi.files.link import NO_USERS, check_users, joined
from combmesh.protocol.mdi.files.rows import check_count, check_rows, given
from combmesh.protocol.mdi.files.sources import Epsilon, check_common, check_intensities, check_probability
from combmesh.protocol.mdi.findings import verdict_of
from combmesh.protocol.mdi.printed import check_values
from combmesh.protocol.mode_pairing.compare import MODE_PAIRING, Block, compare_methods
from combmesh.protocol.mode_pairing.consistency import TAILS_USED, impossible_counts
from combmesh.protocol.mode_pairing.epsilon import TERMS
from combmesh.protocol.mode_pairing.keyrate import Analysis
from combmesh.protocol.mode_pairing.link_rates import PairingRate, RateTask, all_rates
from combmesh.protocol.mode_pairing.pairing import Coherence
from combmesh.protocol.mode_pairing.printed import PRINTED, check_printed
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings
from combmesh.protocol.mode_pairing.tally import PairTally, class_weights

_STRICT: dict[str, str] = {"extra": "forbid"}
_SUM_TOLERANCE = 1e-6
_LETTERS = "onm"
_PAIRS = tuple(a + b for a in _LETTERS for b in _LETTERS)
_ROWS = tuple(f"{basis}.{pair}" for basis in "ZX" for pair in _PAIRS)
_NEEDED = tuple(row for row in _ROWS if row != "X.oo")
_NEEDS_ERRORS = ("Z.mm", "X.nn", "X.nm", "X.mn", "X.mm")
_FIRST_LENGTH = 1000  # where the search for the best one starts


@dataclass(frozen=True)
class Intensity:
    """Mean photon numbers of a round; the vacuum is exactly 0.

    Attributes:
        nu: weak light.
        mu: signal.
    """

    nu: float
    mu: float

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_intensities({"nu": self.nu, "mu": self.mu}, {})


@dataclass(frozen=True)
class Probability:
    """How often a user chooses each source in a round; the three add up to 1.

    Attributes:
        nu: weak light.
        mu: signal.
        o: vacuum; the rest when it is not given.
    """

    nu: float
    mu: float
    o: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_probability({"o": self.o, "nu": self.nu, "mu": self.mu})


@dataclass(frozen=True)
class Sources:
    """One user's sources.

    Attributes:
        intensity: mean photon numbers.
        probability: how often each is chosen.
    """

    intensity: Intensity
    probability: Probability

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> Settings:
        """The sources as the analysis takes them."""
        p = self.probability
        scale = max(p.nu + p.mu, 1.0)  # a sum that is 1 up to rounding
        return Settings(self.intensity.nu, self.intensity.mu, p.nu / scale, p.mu / scale)


@dataclass(frozen=True)
class Count:
    """Counts of one class of pairs. Expected values, which are no whole numbers, are counts too.

    Attributes:
        detected: pairs, in X those that were kept.
        errors: wrong ones among them; needed of mm in Z and of nn, nm, mn, mm in X.
    """

    detected: float
    errors: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_count(self.detected, self.errors)


@dataclass(frozen=True)
class Counts:
    """Counts of all classes of pairs, Alice's total intensity first: o vacuum, n weak light, m signal.

    Attributes:
        Z: one vacuum and one light of each user, total intensities o, nu, mu; oo is vacuum in all four places.
        X: the same light twice, total intensities o, 2 nu, 2 mu; oo is that of Z.
    """

    Z: dict[str, Count]
    X: dict[str, Count]

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_rows({"Z": self.Z, "X": self.X}, _ROWS, _NEEDED, _NEEDS_ERRORS)


@dataclass(frozen=True)
class Slices:
    """Which pairs of X were kept.

    Attributes:
        phase_slices: D; phases that differ by 0 or pi to within pi/D, 4 to 1000.
    """

    phase_slices: int

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        self.rule()

    def rule(self) -> PairingRule:
        """The slices as the analysis takes them; a table of counts is paired already."""
        return PairingRule(1, phase_slices=self.phase_slices)


@dataclass(frozen=True)
class Printed:
    """Results that were published with the counts, to be checked against them.

    Attributes:
        m11_lower: single-photon pairs of the key.
        phase_error_upper: their phase error.
        skr_bps: key rate, bit/s.
    """

    m11_lower: float | None = None
    phase_error_upper: float | None = None
    skr_bps: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_values(given(self), PRINTED)


@dataclass(frozen=True)
class PairCountTable:
    """Measured counts of a block, and all that the key depends on besides.

    Attributes:
        schema_version: version of this format, 1.
        protocol: "mode-pairing".
        rounds: rounds of the block.
        alice, bob: the users' sources; Alice's bits are the key.
        pairing: which pairs of X were kept.
        counts: the counts.
        clock_hz: rounds with quantum light in a second, Hz; gives bit/s.
        f_ec: reconciliation efficiency, the leak being f n h(E) of the key pairs; 1.16 when neither is given.
        leak_bits: bits actually disclosed, in the place of `f_ec`.
        vacuum_credit: whether bits that Alice sent as vacuum count as secret; not with a two-way reconciliation, which
            makes the errors public.
        epsilon: failure probabilities.
        printed: published results to be checked.
    """

    schema_version: int
    protocol: Literal["mode-pairing"]
    rounds: float
    alice: Sources
    bob: Sources
    pairing: Slices
    counts: Counts
    clock_hz: float | None = None
    f_ec: float | None = None
    leak_bits: float | None = None
    vacuum_credit: bool = True
    epsilon: Epsilon = Epsilon()
    printed: Printed = Printed()

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_common(self.schema_version, self.clock_hz, self.f_ec, self.leak_bits)
        check_positive("rounds", self.rounds)
        block = self.block()
        weights = class_weights(block.alice, block.bob, block.matched_share)
        tables = (block.tally.z_pairs, block.tally.x_pairs)
        for row, weight, pairs in zip(_ROWS, np.ravel(weights), np.ravel(tables), strict=True):
            if weight == 0.0 and pairs > 0.0:
                raise InputError(
                    f"`counts.{row}.detected` must be 0, as such pairs are never sent, but is {pairs:.15g}."
                )
        together = float(np.sum(tables[0]) + np.nansum(tables[1].ravel()[1:]))
        if together > 0.5 * self.rounds * (1.0 + _SUM_TOLERANCE):
            raise InputError(
                f"`detected` of all rows must be at most half of `rounds` = {self.rounds:g} together, but is "
                f"{together:.15g}."
            )

    def tally(self) -> PairTally:
        """The counts as arrays; NaN in the entry oo of X, which is that of Z."""
        shape = (len(_LETTERS), len(_LETTERS))
        z, x, wrong = (np.full(shape, np.nan) for _ in range(3))
        for k, pair in enumerate(_PAIRS):
            z.flat[k] = self.counts.Z[pair].detected
            if pair != "oo":
                row = self.counts.X[pair]
                x.flat[k], wrong.flat[k] = row.detected, row.errors or 0.0  # with a vacuum they are not read
        return PairTally(z, x, wrong, self.counts.Z["mm"].errors or 0.0, self.rounds)

    def block(self) -> Block:
        """The table as the methods take it."""
        return Block(
            self.tally(),
            self.alice.settings(),
            self.bob.settings(),
            _analysis(self.epsilon, self.vacuum_credit),
            self.pairing.rule().matched_share,
            1.16 if self.f_ec is None else self.f_ec,
            self.leak_bits,
            self.clock_hz,
        )

    def results(self) -> list[MethodResult]:
        """What the counts are worth by each method."""
        return compare_methods(self.block())

    def chosen(self, results: list[MethodResult]) -> MethodResult:
        """The result whose length is the key."""
        return next(result for result in results if result.method == MODE_PAIRING)

    def consistency(self) -> Consistency:
        """Whether the counts, and what was printed with them, can be true; without `f_ec` the least leak is charged."""
        block = replace(self.block(), f_ec=self.f_ec or 1.0)
        findings = (*impossible_counts(block), *check_printed(given(self.printed), block))
        return Consistency(verdict_of(findings), findings, TAILS_USED * block.analysis.bound, None)


@dataclass(frozen=True)
class Pairing:
    """Which clicked rounds are paired, and which pairs of X are kept.

    Attributes:
        longest_slots: maximal pairing length, slots; the best one when it is not given.
        shortest_slots: least pairing length, slots; beyond a detector's dead time both clicks are free.
        phase_slices: D; phases that differ by 0 or pi to within pi/D, 4 to 1000.
    """

    longest_slots: int | None = None
    shortest_slots: int = 1
    phase_slices: int = 16

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        self.rule()

    def rule(self) -> PairingRule:
        """The pairing as the analysis takes it, with a length to start from where none is given."""
        longest = self.longest_slots
        if longest is None:
            longest = max(_FIRST_LENGTH, self.shortest_slots)
        return PairingRule(longest, self.shortest_slots, self.phase_slices)


@dataclass(frozen=True)
class PairLinkFile:
    """A link: two arms, a relay and the phase between the users, and what they send.

    Attributes:
        schema_version: version of this format, 1.
        protocol: "mode-pairing".
        rounds: rounds of a block.
        clock_hz: rounds with quantum light in a second, Hz.
        arm: the two arms.
        relay: the relay's receiver, two detectors; `bell_states` is not read.
        coherence: how the phase between the users moves.
        pairing: which rounds are paired.
        alice, bob: the users' sources; not read where they are optimised.
        f_ec: reconciliation efficiency, the leak being f n h(E) of the key pairs.
        vacuum_credit: whether bits that Alice, whose bits are the key, sent as vacuum count as secret.
        epsilon: failure probabilities.
    """

    schema_version: int
    protocol: Literal["mode-pairing"]
    rounds: float
    clock_hz: float
    arm: Arms
    relay: Relay = field(default_factory=Relay)
    coherence: Coherence = field(default_factory=Coherence)
    pairing: Pairing = Pairing()
    alice: Sources | None = None
    bob: Sources | None = None
    f_ec: float = 1.16
    vacuum_credit: bool = True
    epsilon: Epsilon = Epsilon()

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_common(self.schema_version, self.clock_hz, self.f_ec)
        check_positive("rounds", self.rounds)
        check_users(self.alice, self.bob)
        _analysis(self.epsilon, self.vacuum_credit)

    def rates(self, arms: Arms, optimised: bool) -> list[PairingRate]:
        """The expected key, finite and asymptotic, with other arms; sources are optimised, or those of the file."""
        return all_rates(self.task(arms, optimised))

    def task(self, arms: Arms, optimised: bool) -> RateTask:
        """What the rate is computed from, with other arms; sources are optimised, or those of the file."""
        if not optimised and (self.alice is None or self.bob is None):
            raise InputError(NO_USERS)
        users = [user.settings() for user in (self.alice, self.bob) if user is not None]
        return RateTask(
            joined(arms, self.relay, self.clock_hz),
            self.coherence,
            self.rounds,
            self.pairing.rule(),
            _analysis(self.epsilon, self.vacuum_credit),
            self.f_ec,
            None if optimised else (users[0], users[1]),
            self.pairing.longest_slots is not None,
        )


def _analysis(epsilon: Epsilon, vacuum_credit: bool) -> Analysis:
    """Tail and epsilons, each term of mode pairing's own sum with the same share."""
    bound = equal_share(epsilon.secrecy(sum(TERMS.values())), TERMS)
    return Analysis(epsilon.tail, bound, epsilon.correctness, vacuum_credit)
