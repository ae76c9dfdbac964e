"""What a network file says about blocks, analysis and reconciliation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from combmesh.ground.errors import check_positive, check_range


@dataclass(frozen=True)
class BlockRule:
    """The number of pulses of a block, fixed before the block.

    Attributes:
        time_s: longest time of a block, s.
        sifted_bits: expected sifted bits after which a block ends, if that is sooner.
    """

    time_s: float = 1000.0
    sifted_bits: float = 2e6

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_positive("time_s", self.time_s)
        check_positive("sifted_bits", self.sifted_bits)


@dataclass(frozen=True)
class AnalysisRule:
    """How counts become a key length.

    Attributes:
        method: "double-scan" (the published reference), "single-scan" or "no-scan"; or "certificate", combmesh's own
            method and not the paper's, where it is expected to give more than the double scan; "certificate-renyi" is
            the same with the other proof of secrecy.
        tail: tail bound: "exact" Chernoff or its "simple" closed form.
    """

    method: Literal["double-scan", "single-scan", "no-scan", "certificate", "certificate-renyi"] = "double-scan"
    tail: Literal["exact", "simple"] = "exact"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True)
class Reconciliation:
    """How errors are corrected, and what that is charged.

    Attributes:
        engine: "cascade", the two-way engine.
        planned_f_ec: efficiency that planning assumes: leak = f n h(QBER).
        accounting: "one-sided" subtracts Alice's parities (needs a phase-error proof and no vacuum part), "two-sided"
            also what Bob's questions reveal.
    """

    engine: Literal["cascade"] = "cascade"
    planned_f_ec: float = 1.05
    accounting: Literal["one-sided", "two-sided"] = "one-sided"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("planned_f_ec", self.planned_f_ec, 1.0, 10.0)
