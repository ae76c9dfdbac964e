r"""Key length of a block.

.. math::
   l = S_0 + S_{11}[1-h(\phi)] - \mathrm{leak} - \log_2\frac{8}{\epsilon_\mathrm{cor}}
       - 2\log_2\frac{2}{\epsilon'\hat\epsilon} - 2\log_2\frac{1}{2\epsilon_\mathrm{PA}}

(Curty et al. 2014, with the bounds of Jiang et al. 2021).
"""

from dataclasses import dataclass
from math import exp, floor, inf, log2

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.kernels import kernel
from combmesh.protocol.mdi.bounds import METHODS, NEEDED_PAIRS, OZ, XX, ZZ, binary_entropy, private_bits
from combmesh.protocol.mdi.epsilon import EpsilonBudget, tail_exponent
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, settings_array
from combmesh.protocol.statistics import TAILS, expectation_lower, observation_lower


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
        return log2(8 / self.correctness) + 2 * log2(2 / self.bound**2) + 2 * log2(1 / (2 * self.bound))

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
        return _no_key("a pair of sources was never sent", analysis)
    b, tail, method = tail_exponent(analysis.bound), TAILS[analysis.tail], METHODS[analysis.method]
    bits, s11, phase_error, pairs = private_bits(a, c, tally.sent, tally.detected, tally.errors[XX], b, tail, method)
    vacuum = vacuum_bits(a, tally.sent, tally.detected, b, tail) if analysis.vacuum_credit else 0.0
    if leak_bits is None:
        n_zz = tally.detected[ZZ]
        leak_bits = f_ec * n_zz * binary_entropy(tally.errors[ZZ] / n_zz) if n_zz else 0.0
    signed = vacuum + bits - leak_bits - analysis.constant_bits
    return KeyLength(
        length_bits=max(floor(signed), 0),
        signed_bits=float(signed),
        s11_lower=max(float(s11), 0.0),
        phase_error_upper=float(phase_error),
        pairs_11_lower=float(pairs),
        vacuum_bits=float(vacuum),
        leak_bits=float(leak_bits),
        constant_bits=analysis.constant_bits,
        outcome=_outcome(signed, pairs, phase_error),
    )


def _outcome(signed: float, pairs: float, phase_error: float) -> str:
    if signed >= 1:
        return "key"
    if pairs <= 0:
        return "no key: no single-photon pair is certain"
    if phase_error >= 0.5:
        return "no key: the phase error may be 50 %"
    return "no key: the leak exceeds the private bits"


def _no_key(reason: str, analysis: Analysis) -> KeyLength:
    return KeyLength(0, -inf, 0.0, 0.5, 0.0, 0.0, 0.0, analysis.constant_bits, f"no key: {reason}")
