"""One user's sifted bits as a file, for distillation."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.pulses.secret_file import secret_file

FORMAT = "combmesh sifted bits"
VERSION = 1


@dataclass(frozen=True)
class SiftedBits:
    """What a user has of a block before it is distilled.

    Attributes:
        bits: `(bit,)` the secret bits.
        rounds: `(bit,)` the pulses they come from.
        announcements: digest of all announcements that the user accepted, in Z and in X.
        origin: "simulated" or "measured".
    """

    bits: NDArray[np.uint8] = field(repr=False)
    rounds: NDArray[np.int64]
    announcements: str
    origin: str


def announcement_digest(pulse: NDArray[np.int64], state: NDArray[np.int8]) -> str:
    """SHA-256 of a list of announcements, pulses and Bell states; both users compare it before they distil."""
    return hashlib.sha256((2 * pulse + state).astype("<i8").tobytes()).hexdigest()


def write_sifted(path: Path, sifted: SiftedBits) -> None:
    """Write a user's bits; only this user of the machine may read the file."""
    import h5py

    with secret_file(path) as part, h5py.File(part, "w") as file:
        file.attrs.update(format=FORMAT, version=VERSION, bits=sifted.bits.size, origin=sifted.origin)
        file.attrs["announcements"] = sifted.announcements
        file.create_dataset("rounds", data=sifted.rounds, compression="gzip", compression_opts=1)
        file.create_dataset("bits", data=np.packbits(sifted.bits))


def read_sifted(path: Path) -> SiftedBits:
    """The content of a file of sifted bits; raises InputError where it is none or damaged."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"`{path}` is not a file of sifted bits.")
            rounds = file["rounds"][:]
            bits = np.unpackbits(file["bits"][:])[: int(file.attrs["bits"])]
            announcements, origin = str(file.attrs["announcements"]), str(file.attrs["origin"])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"`{path}` is not a file of sifted bits, or is damaged.") from error
    if bits.size != rounds.size:
        raise InputError(f"`{path}` is damaged: it has {bits.size} bits of {rounds.size} rounds.")
    return SiftedBits(bits, rounds, announcements, origin)
