import random
from uuid import UUID

import pytest

from combmesh.ground.errors import InputError
from combmesh.keystore.layout import layout
from combmesh.keystore.naming import Namer, Place


def namer(seed=1, user="alice"):
    return Namer(random.Random(seed).randbytes(32), user)


def test_exact_every_name_leads_back_to_its_place():
    draw = random.Random(5)
    for _ in range(500):
        place = Place(draw.randrange(2**26), draw.randint(1, 65535))
        name = namer().name(place, "m", "s")
        assert UUID(name).version == 4
        resolved = namer().resolve(name)
        assert resolved.place == place
        assert resolved.entitles("m", "s")
        for names in (("s", "m"), ("m", "x"), ("x", "s"), ("ms", ""), ("", "ms")):
            assert not resolved.entitles(*names)


def test_exact_names_of_another_block_or_direction_are_not_ours():
    """False-alarm rate: 1,000 names, each taken with 2^-40: 1e-9."""
    for i in range(500):
        name = namer().name(Place(i, 32), "m", "s")
        assert namer(2).resolve(name) is None
        assert namer(user="bob").resolve(name) is None


def test_attack_every_changed_bit_is_found():
    """122 bits of 5 names, each taken with 2^-40: false-alarm rate below 1e-9."""
    for i in range(5):
        number = UUID(namer().name(Place(i, 32), "m", "s")).int
        for bit in range(128):
            assert namer().resolve(str(UUID(int=number ^ 1 << bit))) is None


def test_exact_names_look_random():
    """Each of the 122 bits is set in half of 4,000 names of places in a row: within 6 sigma, false-alarm rate 3e-7."""
    names = [UUID(namer().name(Place(32 * i, 32), "m", "s")).int for i in range(4000)]
    assert len(set(names)) == 4000
    free = [bit for bit in range(128) if bit not in (62, 63, 76, 77, 78, 79)]
    for bit in free:
        assert abs(sum(name >> bit & 1 for name in names) - 2000) < 6 * 4000**0.5 / 2


def test_limit_places():
    for start, length, words in ((-1, 3, "`start`"), (2**26, 3, "`start`"), (0, 0, "`length`"), (0, 65536, "`length`")):
        with pytest.raises(InputError, match=words):
            Place(start, length)


def test_secret_no_repr():
    key = namer()
    assert repr(key) == "Namer(master_user='alice')"
    assert key.secret.hex()[:8] not in repr(key.resolve(key.name(Place(0, 32), "m", "s")))


@pytest.mark.parametrize("n_bits", [1, 255, 256, 271, 272, 273, 1000, 258_908, 2**30 + 12_345])
def test_exact_cut_of_a_block(n_bits):
    """All bits are in one part, both shares are as long to a byte, and both users cut alike."""
    cut = layout(n_bits)
    assert 8 * (cut.secret + cut.first + cut.second) + cut.rest_bits == n_bits
    assert cut.first - cut.second in (0, 1)
    assert cut.size("out", "alice", "bob") == cut.size("in", "bob", "alice") == cut.first
    assert cut.start("in", "alice", "bob") == cut.start("out", "bob", "alice")
    assert (cut.secret == 0) == (n_bits < 272)
