"""What is wrong with a count table, in one sentence each."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that does not close.

    Attributes:
        kind: "impossible" (no yields give these counts within the tails), "implausible" (no channel like the model
            does) or "not reproduced" (a printed result does not follow from the counts).
        rows: the rows concerned, as "X.xo" or "Z.zz", Alice's source first; for a printed result its name.
        sentence: one sentence with the numbers.
    """

    kind: str
    rows: tuple[str, ...]
    sentence: str


def verdict_of(findings: Iterable[Finding]) -> str:
    """The verdict on a table with these findings: "consistent", "implausible" or "inconsistent".

    >>> verdict_of([]), verdict_of([Finding("implausible", ("X.xo",), "")]), verdict_of([Finding("impossible", (), "")])
    ('consistent', 'implausible', 'inconsistent')
    """
    kinds = {finding.kind for finding in findings}
    return "consistent" if not kinds else "implausible" if kinds == {"implausible"} else "inconsistent"
