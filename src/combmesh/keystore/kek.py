"""Where the key-encryption key comes from, and how it is changed.

A source is a text with one key of 64 hexadecimal digits on each line; the first wraps, the others still unwrap. It is
the file `COMBMESH_KEK_FILE`, the output of the command `COMBMESH_KEK_COMMAND`, the variable `COMBMESH_KEK`, or, without
any of them, the file `combmesh.kek` beside the store, which is made when it is missing.

To change the key: `rotate`, then `KeyStore.rewrap` on every store that uses it, then `retire`. Each can be stopped and
done again.
"""

import os
import secrets
import shlex
import subprocess
from pathlib import Path

from combmesh.ground.errors import InputError
from combmesh.keystore.sealing import KEK_BYTES, Keyring

FILE_NAME = "combmesh.kek"
_COMMAND_S = 30.0


def keyring_for(store: Path, may_create: bool = True) -> Keyring:
    """The keys for a store, from the environment or the file beside it."""
    if ring := keyring_from_environment():
        return ring
    beside = store.parent / FILE_NAME
    if may_create and not beside.exists():
        create(beside)
    return read_keyring(beside)


def keyring_from_environment() -> Keyring | None:
    """The keys that a variable names, if one does."""
    if path := os.environ.get("COMBMESH_KEK_FILE"):
        return read_keyring(Path(path))
    if command := os.environ.get("COMBMESH_KEK_COMMAND"):
        return _parsed(_output(command), "The command in `COMBMESH_KEK_COMMAND`")
    if text := os.environ.get("COMBMESH_KEK"):
        return _parsed(text, "`COMBMESH_KEK`")
    return None


def create(path: Path) -> None:
    """Write a new key for its owner only; a file that is there stays."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    _write(unfinished, [secrets.token_hex(KEK_BYTES)])
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
    _sync(path.parent)


def read_keyring(path: Path) -> Keyring:
    """Read a file of keys; refuses one that others may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(f"`{path}` holds a key-encryption key and must have mode 600, but others may read it.")
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"The key-encryption key in `{path}` cannot be read: {reason}.") from None
    return _parsed(text, f"`{path}`")


def rotate(path: Path) -> None:
    """Put a new key before the others; stores wrap with it from their next start on."""
    keys = read_keyring(path).keys
    _replace(path, [secrets.token_hex(KEK_BYTES), *(key.hex() for key in keys)])


def retire(path: Path) -> None:
    """Forget all keys but the first, once no store needs them."""
    _replace(path, [read_keyring(path).keys[0].hex()])


def _parsed(text: str, source: str) -> Keyring:
    try:
        keys = tuple(bytes.fromhex(line) for line in text.split())
    except ValueError:
        keys = ()
    if not keys or any(len(key) != KEK_BYTES for key in keys):
        raise InputError(f"{source} must give key-encryption keys of {2 * KEK_BYTES} hexadecimal digits, one a line.")
    return Keyring(keys)


def _output(command: str) -> str:
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=_COMMAND_S, check=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(f"`COMBMESH_KEK_COMMAND` failed with {type(error).__name__}.") from None
    return done.stdout


def _replace(path: Path, lines: list[str]) -> None:
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    _write(unfinished, lines)
    os.replace(unfinished, path)
    _sync(path.parent)


def _write(path: Path, lines: list[str]) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
