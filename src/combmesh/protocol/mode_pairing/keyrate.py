r"""Key length of a block of mode pairing, and the published rate formula replayed.

.. math::
   l = S_0 + S_{11}[1-h(\phi)] - \mathrm{leak} - \log_2\frac{2}{\epsilon_\mathrm{cor}}
       - 2\log_2\frac{2}{\epsilon'\hat\epsilon} - 2\log_2\frac{1}{2\epsilon_\mathrm{PA}}

(Xie et al., PRX Quantum 3 020315 (2022)). :math:`S_{11}` and :math:`\phi` are bounds on their own: Z and X share no
count but oo, so there is nothing to scan.
"""

from dataclasses import dataclass
from math import exp, inf

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_positive, check_range
from combmesh.protocol.epsilon import (
    SMALLEST,
    chain_rule_bits,
    check_failure,
    equal_share,
    tail_exponent,
    verification_bits,
)
from combmesh.protocol.mdi.bounds import binary_entropy
from combmesh.protocol.mdi.keyrate import KeyLength, finished_key, no_key, planned_leak
from combmesh.protocol.mode_pairing.bounds import pairs_11_lower, wrong_11_upper
from combmesh.protocol.mode_pairing.epsilon import TERMS
from combmesh.protocol.mode_pairing.settings import Settings
from combmesh.protocol.mode_pairing.tally import MU, NU, O, PairTally, class_weights
from combmesh.protocol.statistics import TAILS, expectation_lower, observation_lower, observation_upper


@dataclass(frozen=True)
class Analysis:
    """How counts become a key length.

    Attributes:
        tail: "exact" or "simple".
        bound: failure probability of each one-sided bound, above 0 and below 1.
        correctness: probability that both keys differ unnoticed, above 0 and below 1.
        vacuum_credit: whether the vacuum part S0 counts; it must not when the error pattern becomes public, as in
            two-way reconciliation. Zhu 2023 leaves it out.
    """

    tail: str = "exact"
    bound: float = equal_share(1e-10, TERMS)
    correctness: float = 1e-15
    vacuum_credit: bool = True

    def __post_init__(self) -> None:
        if self.tail not in TAILS:
            raise InputError(f"`tail` must be one of {', '.join(TAILS)}, but is {self.tail!r}.")
        check_failure("bound", self.bound, SMALLEST / 1000.0)
        check_failure("correctness", self.correctness)

    @property
    def constant_bits(self) -> float:
        """The three logarithms of the key length, all of eps', eps-hat and eps_PA equal to `bound`."""
        return verification_bits(self.correctness) + chain_rule_bits(self.bound)


def key_length(
    tally: PairTally,
    alice: Settings,
    bob: Settings,
    analysis: Analysis,
    *,
    matched_share: float,
    f_ec: float = 1.16,
    leak_bits: float | None = None,
) -> KeyLength:
    """Key length of observed or expected counts.

    In the result, s11 is the bound on the expected single-photon pairs for each potential pair (two rounds, the count
    of Zhu 2023) and unit of class weight, and `pairs_11_lower` that on the pairs of the key (M11 of Zhu 2023).

    Args:
        tally: the counts.
        alice, bob: sources of the users; the key is Alice's bits.
        analysis: tail, epsilons.
        matched_share: share of the X pairs with light on both sides that was kept,
            `PairingRule.matched_share`, above 0 and at most 1.
        f_ec: reconciliation efficiency, used when `leak_bits` is not given: leak = f n h(E) of the key pairs.
        leak_bits: bits actually disclosed.

    Raises:
        InputError: `matched_share` or `f_ec` is out of its range.
    """
    check_positive("matched_share", matched_share)
    check_range("matched_share", matched_share, 0.0, 1.0)
    check_range("f_ec", f_ec, 1.0)
    w_z, w_x = class_weights(alice, bob, matched_share)
    if not (w_z.all() and w_x[: NU + 1, : NU + 1].all() and alice.nu and bob.nu):
        return no_key("a pair of sources was never sent", analysis.constant_bits)
    b, tail = tail_exponent(analysis.bound), TAILS[analysis.tail]
    m11 = pairs_11_lower(tally.z_pairs, w_z, alice, bob, b, tail)
    wrong = tally.x_errors[NU, NU]
    m11_wrong = wrong_11_upper(tally.x_pairs, wrong, tally.z_pairs[O, O], w_x, alice, bob, b, tail)
    weight_11 = w_z[MU, MU] * alice.mu * bob.mu * exp(-alice.mu - bob.mu)
    pairs = observation_lower(weight_11 * max(m11, 0.0), b, tail)
    phase_error = min(observation_upper(pairs * m11_wrong / m11, b, tail) / pairs, 0.5) if pairs > 0.0 else 0.5
    n = float(tally.z_pairs[MU, MU])
    return finished_key(
        n,
        pairs * (1.0 - binary_entropy(phase_error)),  # Xie 2022, l
        s11_lower=max(m11, 0.0) / (0.5 * tally.rounds) if tally.rounds else 0.0,
        phase_error_upper=phase_error,
        pairs_11_lower=pairs,
        vacuum_bits=_vacuum_bits(tally, w_z, alice, b, tail) if analysis.vacuum_credit else 0.0,
        leak_bits=planned_leak(n, tally.z_errors, f_ec) if leak_bits is None else leak_bits,
        constant_bits=analysis.constant_bits,
    )


def _vacuum_bits(tally: PairTally, w_z: NDArray[np.float64], alice: Settings, b: float, tail: int) -> float:
    """S0: bits of key pairs in which Alice, whose bits are the key, sent no photon."""
    expected = exp(-alice.mu) * w_z[MU, MU] / w_z[O, MU] * expectation_lower(float(tally.z_pairs[O, MU]), b, tail)
    return observation_lower(expected, b, tail)


@dataclass(frozen=True)
class RateReplay:
    """A published rate beside what its own printed bounds give.

    Attributes:
        rate_bps: the formula's rate, bit/s; negative if the leak exceeds the private bits.
        bits_per_pair: the same for each potential pair (two rounds).
        printed_bps: the printed rate, bit/s, or None.
        excess: printed over replayed rate, minus 1; NaN without a printed rate.
        verdict: "closes", "does not close: ..." or "nothing printed to compare with".
    """

    rate_bps: float
    bits_per_pair: float
    printed_bps: float | None
    excess: float
    verdict: str


def rate_from_bounds(
    m11_lower: float,
    phase_error_upper: float,
    z_pairs: float,
    z_errors: float,
    *,
    rounds: float,
    rounds_hz: float,
    f_ec: float,
    printed_bps: float | None = None,
    tolerance: float = 0.01,
) -> RateReplay:
    r"""The rate formula of Zhu 2023, Eqs. (1) and (A1), from printed bounds, and whether a printed rate agrees.

    .. math:: R = \{M_{11}[1 - h(e_{11})] - f M h(E)\} / N \times \text{rounds per second}

    It has no constant bits and no vacuum part. With the three and four digits of Zhu's Table VI it is good to 0.7 %.

    Args:
        m11_lower, phase_error_upper: printed bounds on the single-photon pairs of the key and their phase error.
        z_pairs, z_errors: signal pairs of Z and the wrong ones among them.
        rounds: rounds of the block, above 0.
        rounds_hz: rounds that carry quantum light in a second, Hz, above 0.
        f_ec: reconciliation efficiency.
        printed_bps: printed rate, bit/s.
        tolerance: largest relative difference that still counts as agreement.

    Raises:
        InputError: a value is out of its range.
    """
    check_range("m11_lower", m11_lower, 0.0)
    check_range("phase_error_upper", phase_error_upper, 0.0, 0.5)
    check_positive("z_pairs", z_pairs)
    check_range("z_errors", z_errors, 0.0, z_pairs)
    check_positive("rounds", rounds)
    check_positive("rounds_hz", rounds_hz)
    private = m11_lower * (1.0 - binary_entropy(phase_error_upper))
    bits = private - f_ec * z_pairs * binary_entropy(z_errors / z_pairs)  # Zhu 2023, Eq. (A1)
    rate_bps, bits_per_pair = float(bits / rounds * rounds_hz), float(2.0 * bits / rounds)
    if printed_bps is None:
        return RateReplay(rate_bps, bits_per_pair, None, float("nan"), "nothing printed to compare with")
    excess = printed_bps / rate_bps - 1.0 if rate_bps else inf
    verdict = "closes"
    if abs(excess) > tolerance:
        side = "above" if printed_bps > rate_bps else "below"
        verdict = f"does not close: the printed rate is {abs(excess):.1%} {side} what the printed bounds give"
    return RateReplay(rate_bps, bits_per_pair, printed_bps, excess, verdict)
