"""Files of terminals: the example is the library's defaults, each value with its mark."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from combmesh.config.terminals import load_terminals
from combmesh.device.locks.beat import Terminal
from combmesh.device.locks.file import FROM_COMB, RingTable
from combmesh.device.locks.noise import Total
from combmesh.device.locks.repetition import Ring
from combmesh.device.locks.survival import lock_ring
from combmesh.device.locks.three_hours import Record
from combmesh.device.microcomb import ring as comb_ring
from combmesh.device.microcomb.access import Recipe
from combmesh.ground.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "examples" / "terminals.toml"


def test_exact_every_value_of_the_example_has_a_mark():
    """What stands in the file is marked in it; `given` are its version and the users' names."""
    file, marks = load_terminals(EXAMPLE)
    assert [table.name for table in file.terminals] == ["Alice", "Bob"]
    assert {path for path, mark in marks.items() if mark.kind == "given"} == {"schema_version", "terminals.name"}
    fitted = {path for path, mark in marks.items() if mark.kind == "fitted"}
    assert fitted == {
        "terminals.comb.pump.aux_power_w",
        "terminals.disturbance.walk_hz_sqrt_s",
        "terminals.rubidium.wander_hz",
    }
    derived = {path for path, mark in marks.items() if mark.kind == "derived"}
    assert derived == {f"terminals.ring.{name}" for name in FROM_COMB}
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


def test_exact_example_is_the_combs_preset():
    """Tables and marks of `examples/ring.toml`, and the detuning where its recipe ends; both are the preset."""
    file, marks = load_terminals(EXAMPLE)
    for table in file.terminals:
        assert (table.comb.ring, table.comb.pump) == (comb_ring.Ring(), comb_ring.Pump())
        assert table.ring.zeta == RingTable().zeta == Ring().zeta == Recipe().final
    for name, text in comb_ring.MARKS.items():
        part = "ring" if name in comb_ring.Ring.__dataclass_fields__ else "pump"
        mark = marks[f"terminals.comb.{part}.{name}"]
        assert mark.kind == text.partition(":")[0]


def test_exact_the_reference_stands_at_the_combs_spacing(tmp_path):
    """The file's comb decides what a relative inaccuracy is in hertz, not the paper's 49 GHz."""
    text = EXAMPLE.read_text().replace("fsr_ghz      = 49", "fsr_ghz      = 50", 1)
    (tmp_path / "fifty.toml").write_text(text)
    alice, bob = load_terminals(tmp_path / "fifty.toml")[0].terminals
    assert alice.terminal(0.0).rep_rate_hz == 50e9
    assert bob.terminal(0.0).rep_rate_hz == 49e9


def test_exact_typed_in_is_given_and_a_line(tmp_path):
    """One terminal types in limits and pull: these are given, its ring bends no more; the other one's is derived."""
    text = EXAMPLE.read_text().replace(
        'name = "Bob"', 'name = "Bob"\nring.coldest_k = -1\nring.warmest_k = 1\nring.pull_hz_zeta = 0'
    )
    (tmp_path / "typed.toml").write_text(text)
    file, marks = load_terminals(tmp_path / "typed.toml")
    alice, bob = file.terminals
    assert bob.ring.typed_in == ("pull_hz_zeta", "coldest_k", "warmest_k")
    assert {marks[f"terminals.ring.{name}"].kind for name in bob.ring.typed_in} == {"given"}
    assert marks["terminals.ring.linewidth_hz"].kind == "derived"
    assert (bob.plant.coldest_k, bob.plant.warmest_k, bob.plant.bend_hz) == (-1.0, 1.0, (0.0, 0.0))
    assert bob.plant.slope_hz_k == pytest.approx(-441e3, rel=1e-3)
    assert alice.plant == lock_ring(comb_ring.Ring(), comb_ring.Pump(), 21.0)


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
