"""What the two ends say around a block: who they are, what they hold, and that they heard each other right."""

from dataclasses import dataclass, field

from combmesh.distill.authentication import MOST_OFFERS, PAD_BYTES
from combmesh.distill.checks import check_int, check_text
from combmesh.ground.errors import InputError

PROTOCOL = "combmesh distill 1"
MOST_HELD = 32


@dataclass(frozen=True)
class Hello:
    """The first message of each end; both must say the same of the block.

    Attributes:
        protocol: name and version.
        role: "alice" or "bob".
        block: name of the block, the same for both.
        n_bits: sifted bits.
        announcements: SHA-256 of the relay's announcements as this end received them: a relay that tells the users
            different lists is found out before anything is said about bits.
        rules: SHA-256 of all settings of the block.
        sources, unused: pads for authentication that this end holds, and the first pair of each that it has not used.
        held: its latest keys with this user, by name: what the other end could not know to be held, it knows now.
    """

    protocol: str
    role: str
    block: str
    n_bits: int
    announcements: str
    rules: str
    sources: tuple[str, ...] = field(default=(), repr=False)
    unused: tuple[int, ...] = field(default=(), repr=False)
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("protocol", "role", "block", "announcements", "rules"):
            check_text(name, getattr(self, name))
        if self.role not in ("alice", "bob"):
            raise InputError(f"`role` must be alice or bob, but is {self.role!r}.")
        check_int("n_bits", self.n_bits, 1, 2**31 - 2)
        if not all(isinstance(some, tuple) for some in (self.sources, self.unused, self.held)):
            raise InputError("`sources`, `unused` and `held` must be tuples.")
        if len(self.held) > MOST_HELD:
            raise InputError(f"`held` must name at most {MOST_HELD} keys, but names {len(self.held)}.")
        for key_id in self.held:
            check_text("held", key_id)
        if len(self.sources) != len(self.unused) or len(self.sources) > MOST_OFFERS:
            raise InputError(f"`sources` and `unused` must be equally many, at most {MOST_OFFERS}.")
        for source, unused in zip(self.sources, self.unused, strict=True):
            check_text("sources", source)
            check_int("unused", unused, 0, 2**62)


@dataclass(frozen=True)
class Seal:
    """One end's tag over all that both have said about the block."""

    tag: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.tag, bytes) or len(self.tag) != PAD_BYTES:
            raise InputError(f"`tag` must be {PAD_BYTES} bytes.")


@dataclass(frozen=True)
class Released:
    """Alice has verified Bob's seal: both hold the key. Nothing secret depends on this message, so it has no tag."""
