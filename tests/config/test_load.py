"""Network files: what is accepted, and the sentence for everything that is not."""

import json
from pathlib import Path

import pytest

from combmesh.config.explain import explain, network_schema
from combmesh.config.load import load_network
from combmesh.ground.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples"

GOOD = """
schema_version = 1
name = "two"
[[users]]
name = "alice"
fibre_km = 10
[[users]]
name = "bob"
loss_db = 3.0
[relay]
visibility = 0.485
[provenance]
"relay.visibility" = "printed: Fig. 3h"
"""


def written(tmp_path, text):
    path = tmp_path / "network.toml"
    path.write_text(text)
    return path


def complaint(tmp_path, text):
    with pytest.raises(InputError) as caught:
        load_network(written(tmp_path, text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("visibility = 0.485", "visibilty = 0.485", "`relay.visibilty` is not known. Did you mean `visibility`?"),
        ("fibre_km = 10", 'fibre_km = "10"', '`users[0].fibre_km` must be a number, but is "10".'),
        ("fibre_km = 10", "fibre_km = -10", "in `users[0]`: `fibre_km` must be at least 0, but is -10."),
        ("fibre_km = 10", "fibre_km = nan", "`fibre_km` must be a finite number, but is nan."),
        ("fibre_km = 10", "fibre_km = inf", "`fibre_km` must be a finite number, but is inf."),
        ("fibre_km = 10", "fibre_km = true", "`users[0].fibre_km` must be a number, but is true."),
        ("fibre_km = 10", "fibre_km = 1979-05-27", "`users[0].fibre_km` must be a number"),
        ("fibre_km = 10", "", "User 'alice' needs `fibre_km`, `loss_db` or `arm_efficiency`"),
        ("visibility = 0.485", "dark_count_probability = 1.5", "`dark_count_probability` must be at most 1, but"),
        ("visibility = 0.485", "visibility = 0.6", "`visibility` must be at most 0.5, but is 0.6."),
        ('name = "bob"', 'name = "alice"', "'alice' stands there 2 times"),
        ('name = "bob"', 'name = "../bob"', "'../bob'"),
        ("schema_version = 1", "schema_version = 2", "`schema_version` must be 1, but is 2."),
        ("schema_version = 1", "", "`schema_version` is missing."),
        ("schema_version = 1", "schema_version = 1\nseed = 1.5", "`seed` must be a whole number, but is 1.5."),
        ("schema_version = 1", "schema_version = 1\nblocks = 0", "`blocks` must be at least 1, but is 0."),
        ('"printed: Fig. 3h"', '"guessed"', "but is 'guessed'"),
        ('"relay.visibility" =', '"relay.visbility" =', "Did you mean `relay.visibility`?"),
        ("schema_version = 1", "schema_version = 1\nfibre = 3", "`fibre` must be a table, but is 3."),
    ],
)
def test_limit_refuses_with_a_sentence(tmp_path, old, new, words):
    assert old in GOOD
    assert words in complaint(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": 0.3}, "`x` must be below `y`, but x = 0.3 and y = 0.2."),
        ({"p_z": 0.9}, "`p_x` + `p_y` + `p_z` must be at most 1, but is 1.2."),
        ({"p_z": 1.9}, "`p_z` must be at most 1, but is 1.9."),
    ],
)
def test_limit_refuses_settings_that_no_box_can_send(tmp_path, change, words):
    settings = {"x": 0.05, "y": 0.2, "z": 0.4, "p_x": 0.2, "p_y": 0.1, "p_z": 0.6} | change
    assert words in complaint(tmp_path, GOOD + "[settings]\n" + "\n".join(f"{k} = {v}" for k, v in settings.items()))


def test_limit_all_errors_at_once(tmp_path):
    text = GOOD.replace("fibre_km = 10", 'fibre_km = "10"').replace("loss_db = 3.0", "loss_db = -3.0")
    words = complaint(tmp_path, text.replace("visibility = 0.485", "visibilty = 1"))
    assert len(words.splitlines()) == 4  # the file's name, then one line each


def test_limit_one_user_is_no_network(tmp_path):
    words = complaint(tmp_path, 'schema_version = 1\nname = "one"\n[[users]]\nname = "alice"\nfibre_km = 1\n')
    assert "`users` must hold at least 2 users, but holds 1." in words


def test_limit_not_toml_and_not_there(tmp_path):
    assert "is not a TOML file" in complaint(tmp_path, "{'json': 1}")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a text file"):
        load_network(tmp_path / "binary.toml")
    with pytest.raises(InputError, match=r"cannot be read: No such file"):
        load_network(tmp_path / "nowhere.toml")


def test_exact_hash_ignores_comments_order_and_marks(tmp_path):
    one = load_network(written(tmp_path, GOOD)).config_hash
    reordered = GOOD.replace('schema_version = 1\nname = "two"', 'name = "two"  # a comment\nschema_version = 1')
    assert load_network(written(tmp_path, reordered.replace("printed: Fig. 3h", "assumed"))).config_hash == one
    assert load_network(written(tmp_path, GOOD.replace("0.485", "0.486"))).config_hash != one


def test_exact_explain_says_unit_and_mark_of_each_value(tmp_path):
    rows = {row.path: row for row in explain(written(tmp_path, GOOD))}
    assert (rows["relay.visibility"].mark, rows["relay.visibility"].note) == ("printed", "Fig. 3h")
    assert (rows["users[0].fibre_km"].mark, rows["users[0].fibre_km"].unit) == ("given", "km")
    assert rows["users[1].fibre_km"].mark == "default"
    assert rows["fibre.attenuation_db_km"].unit == "dB/km"
    assert rows["seed"].mark == "default"
    assert all(row.meaning for row in rows.values())


@pytest.mark.parametrize("name", ["netherlands", "paper"])
def test_exact_examples_mark_every_number_of_theirs(name):
    rows = explain(EXAMPLES / f"{name}.toml")
    unmarked = {row.path for row in rows if row.mark == "given" and isinstance(row.value, float)}
    assert unmarked <= {"epsilon.correctness", "block.sifted_bits", "reconciliation.planned_f_ec"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_exact_every_example_is_explained(path):
    """Each value has a meaning, and each dimensional one a unit."""
    rows = explain(path)
    assert all(row.meaning for row in rows)
    endings = ("_km", "_db", "_hz", "_ps", "_k", "_s")
    assert not [row.path for row in rows if not row.unit and row.path.endswith(endings)]


def test_attack_a_file_of_no_kind_or_of_another_is_one_sentence(tmp_path):
    odd = tmp_path / "odd.toml"
    odd.write_text("a = 1\n")
    with pytest.raises(InputError, match="must have a table that says what it is, one of `counts`"):
        explain(odd)
    with pytest.raises(InputError, match="is a link file and no network file; `combmesh rate` reads it"):
        load_network(EXAMPLES / "link.toml")


def test_paper_preset_has_one_assumed_efficiency():
    rows = {row.path: row for row in explain(EXAMPLES / "paper.toml")}
    assert (rows["users[0].arm_efficiency"].value, rows["users[0].arm_efficiency"].mark) == (7.5e-3, "assumed")
    assert rows["users[0].count"].value == 200


def test_exact_schema_knows_every_table():
    schema = network_schema()
    json.dumps(schema)
    assert {"schema_version", "users", "relay", "provenance"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    relay = schema["$defs"]["Relay"]["properties"]
    assert relay["dead_time_ns"]["unit"] == "ns"
    assert relay["visibility"]["description"].startswith("Hong-Ou-Mandel")
