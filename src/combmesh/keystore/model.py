"""One key as a user's store holds it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from combmesh.ground.errors import InputError

Origin = Literal["simulated", "measured"]
KeyState = Literal["pending", "available"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True)
class StoredKey:
    """A secret key of `user` with `peer`, made from one block of one line.

    `material` holds `n_bits` bits, first bit in the highest place of the first byte (big-endian);
    the unused places of the last byte are 0. It has no repr and no JSON.
    """

    key_id: str
    user: str
    peer: str
    line: int
    block: int
    origin: Origin
    n_bits: int
    material: bytes = field(repr=False)
    created_utc: str

    def __post_init__(self) -> None:
        _check_key_id(self.key_id)
        _check_users(self.user, self.peer)
        if self.block < 0:
            raise InputError(f"`block` must be at least 0, but is {self.block}.")
        if self.origin not in ORIGINS:
            raise InputError(f"`origin` must be one of {', '.join(ORIGINS)}, but is {self.origin!r}.")
        _check_material(self.n_bits, self.material)
        _check_created_utc(self.created_utc)


def _check_key_id(key_id: str) -> None:
    try:
        canonical = str(UUID(key_id))
    except (ValueError, AttributeError, TypeError):
        canonical = ""
    if canonical != key_id:
        raise InputError(f"`key_id` must be a UUID in lower case with hyphens, but is {key_id!r}.")


def _check_users(user: str, peer: str) -> None:
    for name, value in (("user", user), ("peer", peer)):
        if not value:
            raise InputError(f"`{name}` must be a name, but is {value!r}.")
    if user == peer:
        raise InputError(f"`peer` must be another user than `user`, but both are {user!r}.")


def _check_material(n_bits: int, material: bytes) -> None:
    if n_bits < 1:
        raise InputError(f"`n_bits` must be at least 1, but is {n_bits}.")
    if not isinstance(material, bytes):
        raise InputError(f"`material` must be bytes, but is of type {type(material).__name__}.")
    n_bytes = (n_bits + 7) // 8
    if len(material) != n_bytes:
        raise InputError(f"`material` must have {n_bytes} bytes for {n_bits} bits, but has {len(material)}.")
    n_unused = 8 * n_bytes - n_bits
    if material[-1] & ((1 << n_unused) - 1):
        raise InputError(f"The last {n_unused} places of `material` are not part of the key and must be 0.")


def _check_created_utc(created_utc: str) -> None:
    try:
        offset = datetime.fromisoformat(created_utc).utcoffset()
    except (ValueError, TypeError):
        raise InputError(f"`created_utc` must be a time in ISO 8601, but is {created_utc!r}.") from None
    if offset not in (None, timedelta(0)):
        raise InputError(f"`created_utc` must be in UTC, but is {created_utc!r}.")
