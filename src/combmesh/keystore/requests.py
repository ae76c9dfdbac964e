"""What a key delivery asks of a store, what it gets, and how a store says no."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from combmesh.ground.errors import InputError, RunError
from combmesh.keystore.model import Origin
from combmesh.keystore.naming import MOST_KEY_BYTES

MOST_KEY_BITS = 8 * MOST_KEY_BYTES
MOST_KEYS = 4096
"""Keys of one request."""
MOST_NAME = 1000


def check_name(name: str, value: str) -> None:
    """Refuse what cannot be the name of an application or a user in every database."""
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME or "\0" in value or not _is_text(value):
        raise InputError(f"`{name}` must be a name of 1 to {MOST_NAME} characters, but is {value!r}.")


def _is_text(value: str) -> bool:
    try:
        return bool(value.encode())
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True)
class Recipient:
    """An application that a key is for, and the user whose terminal serves it."""

    sae: str
    user: str

    def __post_init__(self) -> None:
        check_name("sae", self.sae)
        check_name("user", self.user)


@dataclass(frozen=True)
class DeliveredKey:
    """A key that leaves the store; it is gone from there. `material` has no repr."""

    key_id: str
    size_bits: int
    origin: Origin
    material: bytes = field(repr=False)


@dataclass(frozen=True)
class WrappedKey:
    """A key under a one-time pad, on its way from the master's terminal to that of a further slave.

    Attributes:
        user, peer: from whose terminal to whose.
        key_id, size_bits, origin: of the key.
        master_sae, slave_sae: who took it, and for whom this copy is.
        pad_block, pad_start: block and first byte, in the out share of `user`, of pad and tag key.
        cipher, tag: the key XOR the pad, and the Poly1305 tag of all the fields.
    """

    user: str
    peer: str
    key_id: str
    size_bits: int
    origin: Origin
    master_sae: str
    slave_sae: str
    pad_block: str
    pad_start: int
    cipher: bytes = field(repr=False)
    tag: bytes = field(repr=False)


class ExhaustedError(RunError):
    """There are not enough bits for a request; nothing of it was delivered."""

    def __init__(self, peer: str, requested_bits: int, available_bits: int, hint: str = "") -> None:
        super().__init__(
            f"{requested_bits} bits of key with {peer!r} were requested, but {available_bits} can be handed out{hint}."
        )
        self.peer, self.requested_bits, self.available_bits = peer, requested_bits, available_bits


class UnknownKeyError(RunError):
    """A key that is not here, or not any more."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The key {key_id[:40]!r} is not known here, or has been delivered.")
        self.key_id = key_id


class NotEntitledError(RunError):
    """A key that was taken for somebody else."""

    def __init__(self, key_id: str, slave_sae: str, master_sae: str) -> None:
        super().__init__(f"The key {key_id} was not taken by {master_sae!r} for {slave_sae!r}.")
        self.key_id = key_id


class SimulatedKeyError(RunError):
    """A key of simulated light, which is handed out only when that is allowed."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The key {key_id} is made of simulated light, and such keys are not allowed here.")
        self.key_id = key_id


class NotMetError(RunError):
    """The two terminals of a pair have not met since this one started."""

    def __init__(self, user: str, peer: str) -> None:
        super().__init__(f"The terminal of {user!r} has not met that of {peer!r} since it started.")
        self.peer = peer


def check_request(user: str, master_sae: str, recipients: Sequence[Recipient], number: int, size_bits: int) -> None:
    """Refuse a request for keys that cannot be met by any store."""
    names = [recipient.sae for recipient in recipients]
    check_name("master_sae", master_sae)
    if len(set(names)) != len(names) or master_sae in names:
        raise InputError(f"`recipients` must be different from each other and from the master, but are {names}.")
    if all(recipient.user == user for recipient in recipients):
        raise InputError(f"`recipients` must have one at another terminal than that of {user!r}, but are {names}.")
    if not 1 <= number <= MOST_KEYS:
        raise InputError(f"`number` must be at least 1 and at most {MOST_KEYS}, but is {number}.")
    if size_bits % 8 or not 8 <= size_bits <= MOST_KEY_BITS:
        raise InputError(
            f"`size_bits` must be a multiple of 8, at least 8 and at most {MOST_KEY_BITS}, but is {size_bits}."
        )


def check_collection(slave_sae: str, master_sae: str, key_ids: Sequence[str]) -> None:
    """Refuse a request for no key, for too many, or for one twice."""
    check_name("slave_sae", slave_sae)
    check_name("master_sae", master_sae)
    if not 1 <= len(key_ids) <= MOST_KEYS:
        raise InputError(f"`key_ids` must name 1 to {MOST_KEYS} keys, but name {len(key_ids)}.")
    if len(set(key_ids)) != len(key_ids):
        raise InputError("`key_ids` must be different, but one is there twice.")
