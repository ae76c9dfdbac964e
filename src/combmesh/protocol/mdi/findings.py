"""What is wrong with a count table, in one sentence each."""

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
