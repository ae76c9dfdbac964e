"""Failure probabilities, and how a protocol's total is spent: every term of its sum gets the same share."""

from collections.abc import Mapping
from math import log, log2

from combmesh.ground.errors import InputError

SMALLEST = 1e-100
"""Of what a user may ask for; below 1e-150 products of two are lost."""


def check_failure(name: str, value: float, smallest: float = SMALLEST) -> None:
    """Refuse what is no failure probability, or so small that its powers are no longer told from 0.

    >>> check_failure("secrecy", 0.0)
    Traceback (most recent call last):
    combmesh.ground.errors.InputError: `secrecy` must be above 0 and below 1, but is 0.
    """
    if not 0.0 < value < 1.0:
        raise InputError(f"`{name}` must be above 0 and below 1, but is {value:g}.")
    if value < smallest:
        raise InputError(f"`{name}` must be at least {smallest:g}, but is {value:g}.")


def equal_share(secrecy: float, terms: Mapping[str, int]) -> float:
    """Failure probability of one one-sided bound.

    Args:
        secrecy: total secrecy failure probability.
        terms: how often each bound enters the sum, by its name.

    >>> equal_share(1e-10, {"once": 1, "three times": 3})
    2.5e-11
    """
    return secrecy / sum(terms.values())


def shares(secrecy: float, terms: Mapping[str, int]) -> dict[str, float]:
    """Each term of the sum, as `equal_share`; together they are `secrecy`."""
    return {name: count * equal_share(secrecy, terms) for name, count in terms.items()}


def tail_exponent(bound: float) -> float:
    """b = ln(1/eps) of a one-sided bound."""
    return -log(bound)


def chain_rule_bits(bound: float) -> float:
    """2 log2(2/(eps' eps-hat)) + 2 log2(1/(2 eps_PA)), bits, all three equal to `bound`."""
    return 2 * log2(2 / bound**2) + 2 * log2(1 / (2 * bound))


def verification_bits(correctness: float) -> float:
    """log2(2/eps_cor), bits: what key lengths subtract for the verification, before it has taken place.

    >>> round(verification_bits(1e-15), 2)
    50.83
    """
    return log2(2 / correctness)
