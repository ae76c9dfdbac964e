"""Files of terminals: the example is the library's defaults, each value with its mark."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from combmesh.config.terminals import load_terminals
from combmesh.device.locks.beat import Terminal
from combmesh.device.locks.noise import Total
from combmesh.device.locks.three_hours import Record
from combmesh.ground.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "examples" / "terminals.toml"


def test_exact_every_value_of_the_example_has_a_mark():
    """What stands in the file is marked in it; `given` are its version and the users' names."""
    file, marks = load_terminals(EXAMPLE)
    assert [table.name for table in file.terminals] == ["Alice", "Bob"]
    assert {path for path, mark in marks.items() if mark.kind == "given"} == {"schema_version", "terminals.name"}
    fitted = {path for path, mark in marks.items() if mark.kind == "fitted"}
    assert fitted == {"terminals.disturbance.walk_hz_sqrt_s", "terminals.rubidium.wander_hz"}
    assert all(mark.note for mark in marks.values() if mark.kind in ("printed", "assumed", "fitted"))


def test_exact_example_is_the_librarys_default():
    """Alice's table spelled out, Bob's left out, and `Terminal()` itself are one terminal but for the reference."""
    file, _ = load_terminals(EXAMPLE)
    assert file.record == Record()
    for table in file.terminals:
        built, plain = table.terminal(file.record.warm_up_s), Terminal()
        assert is_dataclass(built)
        for field in fields(Terminal):
            mine = getattr(built, field.name)
            if field.name != "reference_error":
                mine = mine.parts[0] if isinstance(mine, Total) else mine
                assert mine == getattr(plain, field.name), field.name


def test_exact_two_terminals_are_needed(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('schema_version = 1\n[[terminals]]\nname = "A"\n')
    with pytest.raises(InputError, match="`terminals` must be at least 2, but there are 1"):
        load_terminals(path)
    path.write_text('schema_version = 1\n[[terminals]]\nname = "A"\n[[terminals]]\nname = "B"\n')
    assert len(load_terminals(path)[0].terminals) == 2
    path.write_text(path.read_text() + "[terminals.repetition]\nperiod_s = 2\n")
    with pytest.raises(InputError, match=r"`terminals.repetition.period_s` must be the same for all.*1, 2 s"):
        load_terminals(path)
