r"""Key length of a block.

.. math::
   l = S_0 + S_{11}[1-h(\phi)] - \mathrm{leak} - \log_2\frac{8}{\epsilon_\mathrm{cor}}
       - 2\log_2\frac{2}{\epsilon'\hat\epsilon} - 2\log_2\frac{1}{2\epsilon_\mathrm{PA}}

(Curty et al. 2014, with the bounds of Jiang et al. 2021).
"""

from dataclasses import dataclass
from math import exp, floor, inf, isfinite

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.kernels import kernel
from combmesh.protocol.epsilon import chain_rule_bits, tail_exponent, verification_bits
from combmesh.protocol.mdi.bounds import METHODS, NEEDED_PAIRS, OZ, XX, ZZ, binary_entropy, private_bits
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, settings_array
from combmesh.protocol.statistics import TAILS, expectation_lower, observation_lower

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Analysis:
    """How counts become a key length.

    Attributes:
        method: "double-scan" (the published reference), "single-scan" or "no-scan".
        tail: "exact" or "simple".
        bound: failure probability of each one-sided bound.
        correctness: probability that both keys differ unnoticed.
        vacuum_credit: whether the vacuum part S0 counts; it must not when the error pattern becomes public, as in
            two-way reconciliation.
    """

    method: str = "double-scan"
    tail: str = "exact"
    bound: float = EpsilonBudget().bound
    correctness: float = 1e-15
    vacuum_credit: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"`method` must be one of {', '.join(METHODS)}, but is {self.method!r}.")
        if self.tail not in TAILS:
            raise InputError(f"`tail` must be one of {', '.join(TAILS)}, but is {self.tail!r}.")

    @property
    def constant_bits(self) -> float:
        """The three logarithms of the key length, all of eps', eps-hat and eps_PA equal to `bound`."""
        return 2 + verification_bits(self.correctness) + chain_rule_bits(self.bound)

    def as_array(self) -> NDArray[np.float64]:
        """(b, tail, method, constant bits, vacuum credit) as the kernels take it."""
        return np.array(
            [
                tail_exponent(self.bound),
                TAILS[self.tail],
                METHODS[self.method],
                self.constant_bits,
                float(self.vacuum_credit),
            ]
        )


@dataclass(frozen=True)
class KeyLength:
    """What a block is worth; no key is a result, not an exception.

    Attributes:
        length_bits: secret bits, 0 if none.
        signed_bits: the same before it is floored and clipped at 0.
        s11_lower: lower bound on the yield of single-photon pairs.
        pairs_11_lower, phase_error_upper: single-photon pairs among the key rounds and their phase error where the scan
            finds the least key; they bound the key together, each alone is no bound where H or M is shared.
        vacuum_bits, leak_bits, constant_bits: the other terms.
        outcome: "key", or which bound failed, in words.
    """

    length_bits: int
    signed_bits: float
    s11_lower: float
    phase_error_upper: float
    pairs_11_lower: float
    vacuum_bits: float
    leak_bits: float
    constant_bits: float
    outcome: str


@kernel
def vacuum_bits(
    a: NDArray[np.float64], sent: NDArray[np.float64], detected: NDArray[np.float64], b: float, tail: int
) -> float:
    """S0: bits of rounds in which Alice, whose bits are the key, sent the vacuum part of her signal.

    None where her vacuum has light: its photons carry X bits, those of the signal Z bits.
    """
    if sent[OZ] <= 0.0 or a[6] > 0.0:
        return 0.0
    expected = exp(-a[2]) * sent[ZZ] / sent[OZ] * expectation_lower(detected[OZ], b, tail)
    return observation_lower(expected, b, tail)


def key_length(
    tally: Tally,
    alice: Settings,
    bob: Settings,
    analysis: Analysis,
    *,
    f_ec: float = 1.16,
    leak_bits: float | None = None,
) -> KeyLength:
    """Key length of observed or expected counts.

    Args:
        tally: the counts.
        alice, bob: settings of the users; the key is Alice's bits.
        analysis: method, tail, epsilons.
        f_ec: reconciliation efficiency, used when `leak_bits` is not given: leak = f n_zz h(E_zz).
        leak_bits: bits actually disclosed.
    """
    a, c = settings_array(alice), settings_array(bob)
    if any(tally.sent[pair] <= 0 for pair in NEEDED_PAIRS):
        return no_key("a pair of sources was never sent", analysis.constant_bits)
    b, tail, method = tail_exponent(analysis.bound), TAILS[analysis.tail], METHODS[analysis.method]
    bits, s11, phase_error, pairs = private_bits(a, c, tally.sent, tally.detected, tally.errors[XX], b, tail, method)
    n_zz, errors_zz = float(tally.detected[ZZ]), float(tally.errors[ZZ])
    return finished_key(
        n_zz,
        bits,
        s11_lower=s11,
        phase_error_upper=phase_error,
        pairs_11_lower=pairs,
        vacuum_bits=vacuum_bits(a, tally.sent, tally.detected, b, tail) if analysis.vacuum_credit else 0.0,
        leak_bits=planned_leak(n_zz, errors_zz, f_ec) if leak_bits is None else leak_bits,
        constant_bits=analysis.constant_bits,
    )


def planned_leak(n: float, errors: float, f_ec: float) -> float:
    """f n h(E), bits, of a key of `n` bits; more wrong bits than right ones are charged as half of them.

    >>> planned_leak(1000.0, 500.0, 1.0), planned_leak(1000.0, 900.0, 1.0), planned_leak(0.0, 0.0, 1.1)
    (1000.0, 1000.0, 0.0)
    """
    return f_ec * n * binary_entropy(min(errors / n, 0.5)) if n else 0.0


def finished_key(
    n: float,
    private: float,
    *,
    s11_lower: float,
    phase_error_upper: float,
    pairs_11_lower: float,
    vacuum_bits: float,
    leak_bits: float,
    constant_bits: float,
) -> KeyLength:
    """The key of `n` raw bits, of which single-photon pairs give `private` ones, signed; the rest as in `KeyLength`.

    Bounds that are above `n` bits together belong to counts that cannot be: no key, as it could be longer than the bits
    that it is made of.
    """
    if not isfinite(pairs_11_lower + vacuum_bits + private + leak_bits):
        return no_key("no bound can be computed from such numbers", constant_bits)
    if pairs_11_lower + vacuum_bits > n * (1.0 + _ROUNDING):
        return no_key("more single-photon and vacuum pairs than key rounds", constant_bits)
    signed = vacuum_bits + private - leak_bits - constant_bits
    return KeyLength(
        length_bits=floor(max(signed, 0.0)),
        signed_bits=float(signed),
        s11_lower=max(float(s11_lower), 0.0),
        phase_error_upper=float(phase_error_upper),
        pairs_11_lower=float(pairs_11_lower),
        vacuum_bits=float(vacuum_bits),
        leak_bits=float(leak_bits),
        constant_bits=constant_bits,
        outcome=_outcome(signed, pairs_11_lower, phase_error_upper),
    )


def _outcome(signed: float, pairs: float, phase_error: float) -> str:
    if signed >= 1:
        return "key"
    if pairs <= 0:
        return "no key: no single-photon pair is certain"
    if phase_error >= 0.5:
        return "no key: the phase error may be 50 %"
    return "no key: the leak exceeds the private bits"


def no_key(reason: str, constant_bits: float) -> KeyLength:
    """The key of a block that has none whatever its leak."""
    return KeyLength(0, -inf, 0.0, 0.5, 0.0, 0.0, 0.0, constant_bits, f"no key: {reason}")
