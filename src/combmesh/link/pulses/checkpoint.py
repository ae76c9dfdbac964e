"""A long simulation that can be stopped and goes on: its tally so far in a small file."""

import hashlib
import json
from pathlib import Path

import numpy as np

from combmesh.ground.errors import InputError
from combmesh.link.pulses.emission import BLOCK
from combmesh.link.pulses.engine import Simulation
from combmesh.link.pulses.tally import PulseTally
from combmesh.link.timetags.files import replaced

_FORMAT = "combmesh pulses"
_STREAMS = 2  # of random numbers; another version of them is another simulation
_COUNTS = ("sent", "detected", "errors", "clicks", "by_number")


def digest(simulation: Simulation) -> str:
    """SHA-256 of everything that the tally depends on."""
    light, bytes_of = simulation.light, hashlib.sha256()
    for name in light.__dataclass_fields__:
        value = getattr(light, name)
        bytes_of.update(f"{name}={value.tolist() if isinstance(value, np.ndarray) else value!r};".encode())
    rest = (simulation.link, simulation.pulses, simulation.seed, simulation.thinned, _STREAMS)
    bytes_of.update(repr(rest).encode())
    return bytes_of.hexdigest()


def save(path: Path, simulation: Simulation, tally: PulseTally) -> None:
    """Write the tally of the first parts; the file is whole at any moment."""
    counts = {name: getattr(tally, name).tolist() for name in _COUNTS}
    with replaced(path) as part:
        part.write_text(json.dumps({"format": _FORMAT, "digest": digest(simulation), "pulses": tally.pulses, **counts}))


def load(path: Path, simulation: Simulation) -> PulseTally | None:
    """The tally to go on from, None where there is no file; raises InputError if it is another simulation's."""
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text())
        counts = [np.array(kept[name], np.int64) for name in _COUNTS]
        tally = PulseTally(counts[0], counts[1], counts[2], counts[3], counts[4], int(kept["pulses"]))
        ours, same = kept["format"] == _FORMAT, kept["digest"] == digest(simulation)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"`{path}` is not the tally of a stopped simulation.") from error
    if ours and not same:
        raise InputError(f"`{path}` belongs to another simulation; give it another name, or remove it.")
    if not ours or not _is_whole(tally, simulation):
        raise InputError(f"`{path}` is not the tally of a stopped simulation, or is damaged.")
    return tally


def _is_whole(tally: PulseTally, simulation: Simulation) -> bool:
    """Whether these can be the counts of the first parts."""
    nothing = PulseTally.nothing(simulation.light.in_z.shape[0])
    if any(getattr(tally, name).shape != getattr(nothing, name).shape for name in _COUNTS):
        return False
    parts_end = tally.pulses == simulation.pulses or tally.pulses % BLOCK == 0
    return parts_end and 0 <= tally.pulses <= simulation.pulses and int(tally.sent.sum()) == tally.pulses
