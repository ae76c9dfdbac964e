"""What both ends know of a block before they distil it, and what they have afterwards."""

from dataclasses import dataclass
from typing import Literal

from combmesh.distill.cascade import ScheduleName
from combmesh.distill.ledger import ACCOUNTINGS, Accounting
from combmesh.distill.reconcile import Engine, check_engine
from combmesh.distill.secret import SecretKey
from combmesh.ground.errors import InputError, check_range

HAS_KEY: Literal["key"] = "key"
NO_PRIVATE_BITS = "no key: the leak exceeds the private bits"
STRINGS_DIFFER = "no key: the verification tags differ"


@dataclass(frozen=True)
class DistilSettings:
    """The same at both ends.

    `planned_qber`: the error rate that the block sizes of Cascade are made for; another one costs bits, not
    correctness. `budget_bits`: private bits of the block before the leak is subtracted, from the decoy analysis; the
    terms in the failure probabilities of secrecy are already subtracted there, but not log2(2/eps_cor), for the ledger
    has the verification tag itself. `accounting`: which disclosed bits count, see the ledger. `correctness`: largest
    probability that both keys differ unnoticed; the verification tag is as short as it allows. `engine` and `schedule`:
    how Bob finds his errors, see `reconcile`; the latter is Cascade's.
    """

    planned_qber: float
    budget_bits: float
    accounting: Accounting = "one-sided"
    correctness: float = 1e-15
    engine: Engine = "cascade"
    schedule: ScheduleName = "fast"

    def __post_init__(self) -> None:
        check_range("planned_qber", self.planned_qber, low=0.0, high=0.49)
        check_range("budget_bits", self.budget_bits)
        check_range("correctness", self.correctness, low=1e-30, high=1.0)
        if self.accounting not in ACCOUNTINGS:
            raise InputError(f"`accounting` must be one of {', '.join(ACCOUNTINGS)}, but is {self.accounting!r}.")
        check_engine(self.engine, self.schedule)


@dataclass(frozen=True)
class Distilled:
    """What one end has of a block.

    `outcome` is "key" or says why there is none. `n_errors`: bits that Bob flipped, None if he did not get so far.
    `alice_bits`, `bob_bits`: disclosed by each. `parity_bits`: Alice's parities alone, the numerator of f.
    `n_requests`: round trips of the error correction. A block without key still counts in the statistics.
    """

    key: SecretKey | None
    outcome: str
    n_errors: int | None
    alice_bits: int
    bob_bits: int
    parity_bits: int
    n_requests: int
