import pytest

from combmesh.ground.errors import InputError
from combmesh.keystore.model import StoredKey

GOOD = {
    "key_id": "00000000-0000-4000-8000-000000000001",
    "user": "alice",
    "peer": "bob",
    "line": -3,
    "block": 0,
    "origin": "simulated",
    "n_bits": 12,
    "material": b"\xde\xa0",
    "created_utc": "2025-01-01T00:00:00Z",
}


def test_exact_no_secret_in_repr():
    text = repr(StoredKey(**GOOD))
    assert "material" not in text
    assert "xde" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_id": "7"}, "`key_id`.*'7'"),
        ({"peer": "alice"}, "`peer`.*'alice'"),
        ({"user": ""}, "`user`"),
        ({"block": -1}, "`block`.*-1"),
        ({"origin": "guessed"}, "`origin`.*'guessed'"),
        ({"n_bits": 0}, "`n_bits`.*0"),
        ({"n_bits": 17}, "3 bytes for 17 bits, but has 2"),
        ({"n_bits": 11}, "last 5 places"),
        ({"material": [1, 2]}, "type list"),
        ({"created_utc": "yesterday"}, "'yesterday'"),
        ({"created_utc": "2025-01-01T00:00:00+02:00"}, "UTC"),
    ],
)
def test_limit_refuses_with_a_sentence(change, words):
    if "n_bits" in change and change["n_bits"] == 11:
        change = {**change, "material": b"\xde\xb0"}  # the 12th bit is 1
    with pytest.raises(InputError, match=words):
        StoredKey(**{**GOOD, **change})
