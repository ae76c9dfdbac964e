"""One user's sifted bits as a file, for distillation."""

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.timetags.files import replaced

FORMAT = "combmesh sifted bits"
VERSION = 1


def announcement_digest(rounds: NDArray[np.int64]) -> str:
    """SHA-256 of the announced rounds, which both users compare before they distil."""
    return hashlib.sha256(rounds.astype("<i8").tobytes()).hexdigest()


def write_sifted(path: Path, bits: NDArray[np.uint8], rounds: NDArray[np.int64], origin: str) -> None:
    """Write bits `(bit,)` and the rounds they come from; only this user of the machine may read the file."""
    import h5py

    with replaced(path) as part, h5py.File(part, "w") as file:
        file.attrs.update(format=FORMAT, version=VERSION, bits=bits.size, origin=origin)
        file.attrs["announcements"] = announcement_digest(rounds)
        file.create_dataset("rounds", data=rounds, compression="gzip", compression_opts=1)
        file.create_dataset("bits", data=np.packbits(bits))
    os.chmod(path, 0o600)


def read_sifted(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
    """(bits, rounds, origin) of a file of sifted bits; raises InputError where it is none or damaged."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"`{path}` is not a file of sifted bits.")
            rounds = file["rounds"][:]
            bits = np.unpackbits(file["bits"][:])[: int(file.attrs["bits"])]
            whole = bits.size == rounds.size and file.attrs["announcements"] == announcement_digest(rounds)
            origin = str(file.attrs["origin"])
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"`{path}` is not a file of sifted bits, or is damaged.") from error
    if not whole:
        raise InputError(f"`{path}` is damaged: its bits and rounds do not belong together.")
    return bits, rounds, origin
