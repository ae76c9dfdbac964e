"""A long simulation that can be stopped and goes on: its tally so far in a small file."""

import hashlib
import json
from pathlib import Path

import numpy as np

from combmesh.ground.errors import InputError
from combmesh.link.pulses.engine import Simulation
from combmesh.link.pulses.tally import PulseTally
from combmesh.link.timetags.files import replaced

_FORMAT = "combmesh pulses"
_COUNTS = ("sent", "detected", "errors", "clicks", "by_number")


def digest(simulation: Simulation) -> str:
    """SHA-256 of everything that the tally depends on."""
    light, bytes_of = simulation.light, hashlib.sha256()
    for name in light.__dataclass_fields__:
        value = getattr(light, name)
        bytes_of.update(f"{name}={value.tolist() if isinstance(value, np.ndarray) else value!r};".encode())
    rest = (simulation.link, simulation.pulses, simulation.seed, simulation.thinned, simulation.records)
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
        same = kept["format"] == _FORMAT and kept["digest"] == digest(simulation)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"`{path}` is not the tally of a stopped simulation.") from error
    if not same:
        raise InputError(f"`{path}` belongs to another simulation; give it another name, or remove it.")
    return tally
