r"""Every bit that error correction and verification disclose, in both directions; privacy amplification reads it alone.

Two accountings subtract from the private bits of a block.

*One-sided*, the default: Alice's parities, her verification tag, and Bob's outcome of the verification. Bob's
reactions disclose at most his parity of each interval for which Alice gave hers. Given Alice's parities these add
only parities of the *error pattern* $Z_A \oplus Z_B$, that is, outcomes of $Z \otimes Z$. That observable commutes
with $X \otimes X$, so announcing it changes neither the phase errors nor their bound, and it costs no key (Lo 2003,
"Method for decoupling error correction from privacy amplification"; conditions worked out by Tupkary and Luetkenhaus,
arXiv:2307.00576). The conditions under which one side is enough:

- the private bits come from a phase-error argument, not from an entropy chain rule, where all announced bits count;
- the private bits contain no vacuum part, S0 = 0, since that part does not survive a public error pattern;
- Bob sends nothing about his bits but parities of intervals that Alice has also announced.

*Two-sided* subtracts everything that either side sent. It needs no such argument and leaves almost no key.
"""

from dataclasses import dataclass
from math import lgamma, log
from typing import Literal, get_args

from combmesh.ground.errors import InputError

Sender = Literal["alice", "bob"]
Kind = Literal["parity", "verification tag", "acknowledgement", "reaction"]
Accounting = Literal["one-sided", "two-sided"]
SENDERS: tuple[Sender, ...] = get_args(Sender)
KINDS: tuple[Kind, ...] = get_args(Kind)
ACCOUNTINGS: tuple[Accounting, ...] = get_args(Accounting)


@dataclass(frozen=True)
class Entry:
    """`bits` disclosed bits of one `kind`, sent by `sender`."""

    sender: Sender
    kind: Kind
    bits: int

    def __post_init__(self) -> None:
        if self.sender not in SENDERS:
            raise InputError(f"`sender` must be one of {', '.join(SENDERS)}, but is {self.sender!r}.")
        if self.kind not in KINDS:
            raise InputError(f"`kind` must be one of {', '.join(KINDS)}, but is {self.kind!r}.")
        if self.bits < 0:
            raise InputError(f"`bits` must be at least 0, but is {self.bits}.")


class Ledger:
    """The disclosed bits of one block, in order; entries are appended and never changed.

    >>> ledger = Ledger()
    >>> ledger.record("alice", "parity", 40)
    >>> ledger.record("bob", "reaction", 40)
    >>> ledger.leak_bits("one-sided"), ledger.leak_bits("two-sided")
    (40, 80)
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries so far, oldest first."""
        return tuple(self._entries)

    def record(self, sender: Sender, kind: Kind, bits: int) -> None:
        """Append one entry."""
        self._entries.append(Entry(sender, kind, bits))

    def disclosed(self, sender: Sender, kind: Kind | None = None) -> int:
        """Bits that `sender` disclosed, all kinds or one."""
        return sum(e.bits for e in self._entries if e.sender == sender and kind in (None, e.kind))

    def total(self) -> int:
        """Bits that both disclosed."""
        return sum(e.bits for e in self._entries)

    def leak_bits(self, accounting: Accounting) -> int:
        """Bits to subtract from the private ones; the module's text gives the conditions of `"one-sided"`."""
        if accounting not in ACCOUNTINGS:
            raise InputError(f"`accounting` must be one of {', '.join(ACCOUNTINGS)}, but is {accounting!r}.")
        if accounting == "two-sided":
            return self.total()
        return self.disclosed("alice") + self.disclosed("bob", "acknowledgement")


def pattern_bits(n_bits: int, n_errors: int) -> float:
    r"""$\log_2 \binom{n}{e}$: what it takes to tell one pattern of `n_errors` among `n_bits` from the others.

    >>> round(pattern_bits(4, 2), 9) == round(log(6) / log(2), 9)
    True
    """
    if not 0 <= n_errors <= n_bits:
        raise InputError(f"`n_errors` must lie between 0 and {n_bits}, but is {n_errors}.")
    return (lgamma(n_bits + 1) - lgamma(n_errors + 1) - lgamma(n_bits - n_errors + 1)) / log(2)
