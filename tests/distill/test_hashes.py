"""Verification tag against naive twins."""

from fractions import Fraction

import numpy as np
import pytest

from combmesh.distill.verification import collision_bound, draw_hash_seed, linear_tag, tag_bits_for
from combmesh.ground.errors import InputError


def random_bits(rng, n_bits):
    return rng.integers(0, 2, n_bits).astype(np.uint8)


MODULUS = 1 << 128 | 0x87  # x^128 + x^7 + x^2 + x + 1


def naive_product(a, b, modulus=MODULUS):
    """Polynomials over GF(2) as integers, multiplied and divided at school."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = a << 1, b >> 1
    return naive_remainder(product, modulus)


def naive_remainder(a, modulus):
    while a.bit_length() >= modulus.bit_length():
        a ^= modulus << a.bit_length() - modulus.bit_length()
    return a


def naive_power(a, k, modulus=MODULUS):
    power = 1
    for digit in f"{k:b}":
        power = naive_product(power, power, modulus)
        power = naive_product(power, a, modulus) if digit == "1" else power
    return power


def naive_tag(bits, seed, tag_bits):
    """The sum of the module's text, term by term."""
    text = "".join(map(str, bits))
    elements = [int(text[k : k + 128].ljust(128, "0"), 2) for k in range(0, len(text), 128)]
    value = 0
    for k, c in enumerate(elements, start=1):
        value ^= naive_product(c, naive_power(seed >> 128, len(elements) - k))
    return naive_product(value, seed % 2**128) % 2**tag_bits


@pytest.mark.parametrize("n_bits", [1, 7, 8, 63, 64, 65, 127, 128, 129, 256, 1000, 2049])
def test_exact_tag_agrees_with_naive_sum(n_bits):
    bits = random_bits(np.random.default_rng(n_bits), n_bits)
    halves = (0, 1, 2, 2**63, 2**64, 2**127, 2**128 - 1)
    for seed in (*(r << 128 | s for r in halves for s in halves), draw_hash_seed(), draw_hash_seed()):
        assert linear_tag(bits, seed, 128) == naive_tag(bits, seed, 128)


def test_exact_short_tags_are_the_end_of_long_ones():
    bits, seed = random_bits(np.random.default_rng(2), 1000), draw_hash_seed()
    for tag_bits in (1, 2, 50, 63, 64, 65, 127):
        assert linear_tag(bits, seed, tag_bits) == naive_tag(bits, seed, 128) % 2**tag_bits


def test_exact_products_of_the_field_agree_with_naive_ones():
    """Words with all ones make the largest sums in each place; single bits show each place alone."""
    ones = 2**128 - 1
    elements = [ones, ones >> 1, ones >> 64, ones - (ones >> 64), *(1 << k for k in range(128)), 0]
    elements += [draw_hash_seed() >> 128 for _ in range(20)]
    for a in elements[:4] + elements[-20:]:
        for b in elements:
            bits = np.array([int(digit) for digit in f"{a:0128b}"], np.uint8)
            assert linear_tag(bits, b, 128) == naive_product(a, b)


def test_exact_tag_agrees_with_a_published_ghash():
    """GHASH of test case 2 in McGrew and Viega, "The Galois/Counter Mode of Operation"; its bits run backwards."""
    point = int("66e94bd4ef8a2c3b884cfa59ca342b2e", 16)
    text = ("0388dace60b6a392f328c2b971b2fe78", f"{128:032x}", "0" * 32)
    expected = int("f38cbb1ad69223dcc3457ae5b6b0f885", 16)
    bits = np.array([int(digit) for block in text for digit in f"{int(block, 16):0128b}"[::-1]], np.uint8)
    seed = int(f"{point:0128b}"[::-1], 2) << 128 | 1
    assert f"{linear_tag(bits, seed, 128):0128b}"[::-1] == f"{expected:0128b}"


def test_exact_the_modulus_is_irreducible():
    """Rabin: x^(2^128) = x, and x^(2^64) - x has no factor in common with the modulus."""
    powers = [2]
    for _ in range(128):
        powers.append(naive_product(powers[-1], powers[-1]))
    assert powers[128] == 2
    a, b = MODULUS, powers[64] ^ 2
    while b:
        a, b = b, naive_remainder(a, b)
    assert a == 1


@pytest.mark.parametrize("n_bits", [1, 100, 128, 129, 5000, 100_003])
def test_exact_tag_is_linear(n_bits):
    rng = np.random.default_rng(n_bits)
    for tag_bits in (50, 128):
        a, b, seed = random_bits(rng, n_bits), random_bits(rng, n_bits), draw_hash_seed()
        assert linear_tag(a ^ b, seed, tag_bits) == linear_tag(a, seed, tag_bits) ^ linear_tag(b, seed, tag_bits)
    assert linear_tag(np.zeros(n_bits, np.uint8), seed, 128) == 0


def test_exact_tag_is_a_matrix_that_the_seed_fixes():
    """Condition E: each bit of the tag is the parity of the places that the tags of unit strings name."""
    n_bits, seed = 300, draw_hash_seed()
    columns = [linear_tag(unit, seed, 50) for unit in np.eye(n_bits, dtype=np.uint8)]
    rows = np.array([[column >> k & 1 for column in columns] for k in range(50)], np.uint8)
    for k in range(20):
        bits = random_bits(np.random.default_rng(k), n_bits)
        parities = rows @ bits % 2
        assert linear_tag(bits, seed, 50) == sum(int(parity) << k for k, parity in enumerate(parities))


def test_exact_every_single_error_changes_the_tag():
    """The difference is one term, 0 in 50 bits with probability 2^-50: false alarm 3e-13."""
    bits = random_bits(np.random.default_rng(1), 300)
    seed = draw_hash_seed()
    tag = linear_tag(bits, seed, 50)
    for k in range(300):
        other = bits.copy()
        other[k] ^= 1
        assert linear_tag(other, seed, 50) != tag


def test_exact_random_strings_have_different_tags():
    """1000 strings, 5e5 pairs: false alarm 5e5 * 2^-50 = 5e-10. Each bit is 1 in half of them, to 6 sigma: 1e-7."""
    rng, seed = np.random.default_rng(3), draw_hash_seed()
    tags = [linear_tag(random_bits(rng, 1000), seed, 50) for _ in range(1000)]
    assert len(set(tags)) == 1000
    ones = np.array([sum(tag >> k & 1 for tag in tags) for k in range(50)])
    assert np.all(np.abs(ones - 500) < 6 * 250**0.5)


@pytest.mark.parametrize("tag_bits", [1, 2, 3, 4])
def test_exact_collision_bound_in_a_small_field(tag_bits):
    """All differences of three elements of GF(2^4) and all seeds: the worst collides exactly as often as proven.

    That is (L - 1) / 2^k + (1 - (L - 1) / 2^k) / 2^t, which the bound rounds up to (L - 1) / 2^k + 2^-t.
    """
    q = 16
    table = np.array([[naive_product(a, b, 0b10011) for b in range(q)] for a in range(q)])
    c1, c2, c3, r = np.ogrid[:q, :q, :q, :q]
    values = table[table[c1, r] ^ c2, r] ^ c3
    n_collisions = np.zeros((q, q, q), int)
    for s in range(q):
        n_collisions += np.count_nonzero(table[values, s] % 2**tag_bits == 0, axis=-1)
    n_collisions[0, 0, 0] = 0
    worst = int(n_collisions.max())
    assert worst == 2 * q + (q - 2) * q // 2**tag_bits
    assert worst / q**2 <= 2 / q + 2.0**-tag_bits


def test_attack_a_seed_known_beforehand_lets_strings_collide():
    """The polynomial x - r is 0 at r: this is why the seed is drawn after the strings are fixed."""
    r = draw_hash_seed() >> 128
    difference = np.array([int(digit) for digit in f"{1:0128b}{r:0128b}"], np.uint8)
    bits = random_bits(np.random.default_rng(6), 256)
    seed = r << 128 | draw_hash_seed() % 2**128
    assert linear_tag(bits, seed, 128) == linear_tag(bits ^ difference, seed, 128)
    assert linear_tag(bits, seed ^ 1 << 128, 128) != linear_tag(bits ^ difference, seed ^ 1 << 128, 128)


def test_limit_zeros_beside_a_string_do_not_change_a_linear_tag():
    """So the length is compared apart from the tag, in the setup; see test_exchange."""
    bits, seed = random_bits(np.random.default_rng(7), 200), draw_hash_seed()
    tag = linear_tag(bits, seed, 128)
    assert linear_tag(np.append(bits, np.zeros(56, np.uint8)), seed, 128) == tag
    assert linear_tag(np.append(np.zeros(128, np.uint8), bits), seed, 128) == tag


def test_limit_collision_bound():
    assert collision_bound(128, 50) == 2.0**-50
    assert collision_bound(129, 128) == 2 / 2**128
    assert collision_bound(2_000_000, 50) < 1e-15 < collision_bound(2_000_000, 49)


@pytest.mark.parametrize("n_bits", [1, 128, 129, 2_000_000, 2**31 - 2])
@pytest.mark.parametrize("correctness", [1e-30, 2.0**-50, 1e-15, 0.3, 1.0])
def test_exact_the_tag_is_the_shortest_within_the_correctness(n_bits, correctness):
    tag_bits = tag_bits_for(n_bits, correctness)
    roots = Fraction(-(-n_bits // 128) - 1, 2**128)
    assert roots + Fraction(1, 2**tag_bits) <= Fraction(correctness)
    assert tag_bits == 1 or roots + Fraction(2, 2**tag_bits) > Fraction(correctness)


@pytest.mark.parametrize("correctness", [1e-37, 0.0, -1.0, 1.5, np.nan])
def test_attack_a_correctness_that_no_tag_reaches_is_refused(correctness):
    with pytest.raises(InputError, match="`correctness`"):
        tag_bits_for(2_000_000, correctness)
