"""A table of measured counts."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.protocol.mdi.bounds import NEEDED_PAIRS, PAIRS
from combmesh.protocol.mdi.certificate.certificate import Certificate
from combmesh.protocol.mdi.certificate.rows import CLASSES
from combmesh.protocol.mdi.compare import Block, MethodResult, compare_methods
from combmesh.protocol.mdi.consistency import Consistency, check_consistency
from combmesh.protocol.mdi.files.rows import check_count, check_rows, given
from combmesh.protocol.mdi.files.sources import Epsilon, Sources, check_common
from combmesh.protocol.mdi.printed import PRINTED, check_values
from combmesh.protocol.mdi.tally import Tally
from combmesh.protocol.mdi.yields_lp import row_name

_STRICT: dict[str, str] = {"extra": "forbid"}
_SUM_TOLERANCE = 1e-6
_NEEDS_ERRORS = ("X.xx", "Z.zz")
_Z_PAIRS = ("zz", "zo", "oz")
_LEAST_T, _LARGEST_SCALED = 1e-30, 1e30  # farther away the key is beyond what can be computed


@dataclass(frozen=True)
class Count:
    """Counts of one pair of sources. Expected values, which are no whole numbers, are counts too.

    Attributes:
        detected: announced coincidences.
        errors: wrong ones among them; needed of xx and zz.
        sent: pulses sent; `pulses` times the probabilities when not given.
    """

    detected: float
    errors: float | None = None
    sent: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_count(self.detected, self.errors)
        if self.sent is not None:
            check_range("sent", self.sent, 0.0)
        if self.sent is not None and self.detected > self.sent:
            raise InputError(f"`detected` must be at most `sent` = {self.sent:.15g}, but is {self.detected:.15g}.")


@dataclass(frozen=True)
class Counts:
    """Counts of all pairs of sources, Alice's source first.

    Attributes:
        X: pairs of o, x and y (xy and yx if measured).
        Z: zz, and zo, oz if measured.
    """

    X: dict[str, Count]
    Z: dict[str, Count]

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        names = [row_name(pair) for pair in PAIRS]
        check_rows({"X": self.X, "Z": self.Z}, names, [names[k] for k in NEEDED_PAIRS], _NEEDS_ERRORS)

    def row(self, pair: str) -> Count | None:
        """The counts of a pair, None if it was not measured."""
        return (self.Z if pair in _Z_PAIRS else self.X).get(pair)


@dataclass(frozen=True)
class Printed:
    """Results that were published with the counts, to be checked against them.

    Attributes:
        s11_lower: yield of single-photon pairs.
        phase_error_upper: their phase error.
        qber_z, qber_x: shares of wrong bits of zz and xx.
        length_bits: key length.
        rate_per_pulse: key bits for each pulse.
        skr_bps: key rate, bit/s.
    """

    s11_lower: float | None = None
    phase_error_upper: float | None = None
    qber_z: float | None = None
    qber_x: float | None = None
    length_bits: float | None = None
    rate_per_pulse: float | None = None
    skr_bps: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_values(given(self), PRINTED)


@dataclass(frozen=True)
class FixedCertificate:
    """Coefficients of a certificate that were fixed before any setting of the block was disclosed.

    Attributes:
        t: exponent, 1/bit.
        e0: reference phase error.
        scaled: t c_i of each class of counts, by its name.
        delta: intensities are known to this share of themselves.
        chosen: the method whose key is taken, chosen on the counts that were planned.
    """

    t: float
    e0: float
    scaled: dict[str, float]
    delta: float = 0.0
    chosen: Literal["certificate", "double-scan"] = "certificate"

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        if set(self.scaled) != set(CLASSES):
            wrong = sorted(set(self.scaled) ^ set(CLASSES))
            raise InputError(f"`scaled` must have one number for each of {', '.join(CLASSES)}; look at {wrong[0]!r}.")
        check_range("t", self.t, _LEAST_T, 1.0)
        for name, value in self.scaled.items():
            check_range(f"scaled.{name}", value, -1.0, _LARGEST_SCALED)
        self.certificate()

    def certificate(self) -> Certificate:
        """The certificate as the analysis takes it."""
        return Certificate(self.t, self.e0, tuple(self.scaled[name] for name in CLASSES), self.delta)


@dataclass(frozen=True)
class CountTable:
    """Measured counts of a block, and all that the key depends on besides.

    Attributes:
        schema_version: version of this format, 1.
        pulses: pulses of the block.
        alice, bob: the users' sources.
        counts: the counts.
        clock_hz: pulse rate, Hz; gives bit/s.
        f_ec: reconciliation efficiency, the leak being f n_zz h(E_zz); 1.16 when neither is given.
        leak_bits: bits actually disclosed, in the place of `f_ec`.
        raw_key: whose bits are the raw key.
        vacuum_credit: whether bits of the raw key's owner sent as vacuum count as secret; not with a two-way
            reconciliation, which makes the errors public.
        epsilon: failure probabilities.
        certificate: coefficients that were fixed before any setting of the block was disclosed.
        printed: published results to be checked.
        protocol: "mdi", the four-intensity protocol.
    """

    schema_version: int
    pulses: float
    alice: Sources
    bob: Sources
    counts: Counts
    clock_hz: float | None = None
    f_ec: float | None = None
    leak_bits: float | None = None
    raw_key: Literal["alice", "bob"] = "alice"
    vacuum_credit: bool = True
    epsilon: Epsilon = Epsilon()
    certificate: FixedCertificate | None = None
    printed: Printed = Printed()
    protocol: Literal["mdi"] = "mdi"

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    def __post_init__(self) -> None:
        check_common(self.schema_version, self.clock_hz, self.f_ec, self.leak_bits)
        check_positive("pulses", self.pulses)
        self.epsilon.budget()
        tally = self.tally()
        for k, pair in enumerate(PAIRS):
            where = f"`counts.{'Z' if pair in _Z_PAIRS else 'X'}.{pair}.detected`"
            if tally.detected[k] > tally.sent[k] * (1.0 + _SUM_TOLERANCE):
                detected, sent = float(tally.detected[k]), float(tally.sent[k])
                raise InputError(f"{where} must be at most the {sent:.15g} pulses sent, but is {detected:.15g}.")
        if tally.sent.sum() > self.pulses * (1.0 + _SUM_TOLERANCE):
            raise InputError(
                f"`sent` of all rows must be at most `pulses` = {self.pulses:g} together, but is {tally.sent.sum():g}."
            )

    def tally(self) -> Tally:
        """The counts in the order of `PAIRS`: NaN if not known, and nothing sent if not measured."""
        chances = [user.chances() for user in (self.alice, self.bob)]
        columns = np.zeros((3, len(PAIRS)))
        columns[1:] = np.nan
        for k, pair in enumerate(PAIRS):
            count = self.counts.row(pair)
            if count is not None:
                expected = self.pulses * chances[0][pair[0]] * chances[1][pair[1]]
                sent = expected if count.sent is None else count.sent
                columns[:, k] = sent, count.detected, np.nan if count.errors is None else count.errors
        return Tally(columns[0], columns[1], columns[2], self.pulses)

    def block(self) -> Block:
        """The table as the methods take it."""
        return Block(
            self.tally(),
            self.alice.settings(),
            self.bob.settings(),
            self.epsilon.budget(),
            self.epsilon.tail,
            self.raw_key,
            self.vacuum_credit,
            1.16 if self.f_ec is None else self.f_ec,
            self.leak_bits,
            self.clock_hz,
        )

    def results(self) -> list[MethodResult]:
        """What the counts are worth by each method."""
        return compare_methods(self.block(), self.certificate.certificate() if self.certificate else None)

    def chosen(self, results: list[MethodResult]) -> MethodResult:
        """The result of the method that was chosen beforehand; the double scan if that cannot be used."""
        usable = {result.method: result for result in results if result.valid}
        method = self.certificate.chosen if self.certificate else "double-scan"
        return usable.get(method, usable["double-scan"])

    def consistency(self) -> Consistency:
        """Whether the counts, and what was printed with them, can be true."""
        return check_consistency(
            self.tally(),
            self.alice.settings(),
            self.bob.settings(),
            bound=self.epsilon.budget().bound,
            tail=self.epsilon.tail,
            printed=given(self.printed),
            clock_hz=self.clock_hz,
            f_ec=self.f_ec or 1.0,
        )
