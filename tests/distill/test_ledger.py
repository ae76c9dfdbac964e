"""The ledger and the key as a value."""

from math import comb, log2

import pytest

from combmesh.distill.ledger import Entry, Ledger, pattern_bits
from combmesh.distill.secret import SecretKey
from combmesh.ground.errors import InputError

KEY_ID = "0b9fdd4e-6c1f-4b7e-9d6c-2f1e7a1f4c55"


def test_exact_accountings():
    ledger = Ledger()
    ledger.record("alice", "parity", 100)
    ledger.record("bob", "reaction", 100)
    ledger.record("alice", "verification tag", 89)
    ledger.record("bob", "acknowledgement", 1)
    assert ledger.disclosed("alice") == 189
    assert ledger.disclosed("alice", "parity") == 100
    assert ledger.disclosed("bob") == 101
    assert ledger.total() == 290
    assert ledger.leak_bits("one-sided") == 190
    assert ledger.leak_bits("two-sided") == 290
    assert ledger.entries[0] == Entry("alice", "parity", 100)


@pytest.mark.parametrize(("n", "e"), [(1, 0), (1, 1), (10, 3), (1000, 17)])
def test_exact_pattern_bits(n, e):
    assert pattern_bits(n, e) == pytest.approx(log2(comb(n, e)), abs=1e-9)


@pytest.mark.parametrize("entry", [("eve", "parity", 1), ("alice", "gossip", 1), ("alice", "parity", -1)])
def test_attack_wrong_entries_are_refused(entry):
    with pytest.raises(InputError):
        Ledger().record(*entry)
    with pytest.raises(InputError):
        Ledger().leak_bits("none")


@pytest.mark.parametrize(
    ("key_id", "n_bits", "material"),
    [
        (KEY_ID.upper(), 8, b"a"),
        (KEY_ID.replace("-4", "-1"), 8, b"a"),
        (KEY_ID, 0, b""),
        (KEY_ID, 9, b"a"),
        (KEY_ID, 7, b"\x01"),
        (KEY_ID, 8, bytearray(b"a")),
    ],
)
def test_attack_malformed_keys_are_refused(key_id, n_bits, material):
    with pytest.raises(InputError):
        SecretKey(key_id, n_bits, material)


def test_attack_a_key_has_no_bits_in_its_repr():
    key = SecretKey(KEY_ID, 16, b"\xab\xcd")
    assert "material" not in repr(key)
    assert "xab" not in repr(key)
