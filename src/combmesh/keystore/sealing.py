"""Encryption at rest: every block has a random key of its own, which a key-encryption key outside the database wraps.

AES-256-GCM with random nonces. The associated data name user, peer, key and place, so that nothing sealed can be moved
to another row. A wrapped key names the key-encryption key by 8 bytes of a hash of it.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import digest
from typing import TYPE_CHECKING

from combmesh.ground.errors import InputError, RunError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEK_BYTES = 32
_NONCE_BYTES = 12
_MOST_CACHED = 4096


@dataclass(frozen=True)
class Keyring:
    """Key-encryption keys: the first wraps, all unwrap."""

    keys: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys or any(len(key) != KEK_BYTES for key in self.keys):
            raise InputError(f"A key-encryption key must have {KEK_BYTES} bytes, and there must be at least one.")

    @property
    def current(self) -> str:
        """Name of the key that wraps."""
        return kek_name(self.keys[0])

    def by_name(self) -> Mapping[str, bytes]:
        return {kek_name(key): key for key in self.keys}


def kek_name(key: bytes) -> str:
    """What a database may know of a key-encryption key."""
    return hashlib.sha256(b"combmesh kek\0" + key).hexdigest()[:16]


@dataclass(frozen=True)
class Wrapped:
    """The key of a row, as the database holds it."""

    kek: str
    sealed: bytes = field(repr=False)


class Sealer:
    """Seals and opens what belongs to one row."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = _aes_gcm(key)

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, plain: bytes, *address: str) -> bytes:
        return _seal(self._cipher, plain, address)

    def open(self, sealed: bytes, *address: str) -> bytes:
        return _open(self._cipher, sealed, address)

    def check(self, plain: bytes) -> bytes:
        """A value that tells whether two texts are the same, and nothing to those without the key."""
        return digest(self._key, b"check\0" + plain, "sha256")


class Vault:
    """Makes and unwraps the keys of rows; keeps those that were used lately.

    Attributes:
        current: name of the key-encryption key that wraps.
        names: naming secrets of blocks that were used lately.
        last_block: for each peer, the block that the last name belonged to.
    """

    def __init__(self, ring: Keyring) -> None:
        self._keks = {name: _aes_gcm(key) for name, key in ring.by_name().items()}
        self.current = ring.current
        self._sealers: dict[bytes, Sealer] = {}
        self.names: dict[str, bytes] = {}
        self.last_block: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r})"

    def new(self, *address: str) -> tuple[Wrapped, Sealer]:
        """A key for a new row, from the operating system."""
        key = os.urandom(KEK_BYTES)
        return self._wrap(key, address), Sealer(key)

    def sealer(self, wrapped: Wrapped, *address: str) -> Sealer:
        """The sealer of a row."""
        found = self._sealers.get(wrapped.sealed)
        if found is None:
            if len(self._sealers) >= _MOST_CACHED:
                self._sealers.clear()
            found = self._sealers[wrapped.sealed] = Sealer(self._unwrap(wrapped, address))
        return found

    def remember_name(self, key_id: str, secret: bytes) -> None:
        """Keep the naming secret of a block at hand."""
        if len(self.names) >= _MOST_CACHED:
            self.names.clear()
        self.names[key_id] = secret

    def rewrap(self, wrapped: Wrapped, *address: str) -> Wrapped:
        """The same key under the current key-encryption key."""
        return self._wrap(self._unwrap(wrapped, address), address)

    def check(self, name: str) -> None:
        """Refuse to go on without the key-encryption key `name`."""
        if name not in self._keks:
            raise InputError(
                f"The key store needs the key-encryption key {name}, but was given {', '.join(sorted(self._keks))}."
            )

    def _wrap(self, key: bytes, address: tuple[str, ...]) -> Wrapped:
        return Wrapped(self.current, _seal(self._keks[self.current], key, ("key", *address)))

    def _unwrap(self, wrapped: Wrapped, address: tuple[str, ...]) -> bytes:
        self.check(wrapped.kek)
        return _open(self._keks[wrapped.kek], wrapped.sealed, ("key", *address))


def _aes_gcm(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _associated(address: tuple[str, ...]) -> bytes:
    parts = [part.encode() for part in address]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _seal(cipher: "AESGCM", plain: bytes, address: tuple[str, ...]) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, _associated(address))


def _open(cipher: "AESGCM", sealed: bytes, address: tuple[str, ...]) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _associated(address))
    except (InvalidTag, ValueError):
        raise RunError(f"What is sealed for {', '.join(address)} is damaged, or lies in the wrong place.") from None
