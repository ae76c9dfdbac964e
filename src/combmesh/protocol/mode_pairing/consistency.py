"""Counts of mode pairing that no photon-number yields give; a few necessary conditions, no linear programme."""

from collections.abc import Iterator
from math import exp

from combmesh.protocol.epsilon import tail_exponent
from combmesh.protocol.mdi.findings import Finding
from combmesh.protocol.mode_pairing.bounds import pairs_11_lower, weak_11_upper
from combmesh.protocol.mode_pairing.compare import Block
from combmesh.protocol.mode_pairing.tally import MU, NU, O, class_weights
from combmesh.protocol.statistics import TAILS, observation_lower

TAILS_USED = 16
"""One-sided bounds behind the findings."""


def impossible_counts(block: Block) -> Iterator[Finding]:
    """A finding for each condition that the counts miss beyond their tails.

    The single-photon pairs that the counts of Z prove must be among the weak pairs of X, beside those with a vacuum,
    and among the key pairs; of the weak pairs with a vacuum half are wrong.
    """
    tally, alice, bob = block.tally, block.alice, block.bob
    w_z, w_x = class_weights(alice, bob, block.matched_share)
    if not (w_z.all() and w_x[: NU + 1, : NU + 1].all()):
        return
    b, tail = tail_exponent(block.analysis.bound), TAILS[block.analysis.tail]
    wrong, weak, oo = float(tally.x_errors[NU, NU]), float(tally.x_pairs[NU, NU]), float(tally.z_pairs[O, O])
    if weak_11_upper(tally.x_pairs, wrong, 0.5, oo, w_x, alice, bob, b, tail) < 0.0:
        sentence = f"X.nn: {wrong:.10g} are wrong, fewer than the pairs with a vacuum among them give (X.on, X.no)."
        yield Finding("impossible", ("X.nn", "X.on", "X.no"), sentence)
    pairs_11 = pairs_11_lower(tally.z_pairs, w_z, alice, bob, b, tail)
    if weak_11_upper(tally.x_pairs, weak, 1.0, oo, w_x, alice, bob, b, tail) < pairs_11:
        sentence = f"X.nn: {weak:.10g} pairs are fewer than the single-photon pairs that the counts of Z prove."
        yield Finding("impossible", ("X.nn", "Z.nn"), sentence)
    weight_11 = float(w_z[MU, MU]) * alice.mu * bob.mu * exp(-alice.mu - bob.mu)
    n = float(tally.z_pairs[MU, MU])
    if observation_lower(weight_11 * max(pairs_11, 0.0), b, tail) > n:
        sentence = f"Z.mm: {n:.10g} pairs are fewer than the single-photon pairs that the other counts prove."
        yield Finding("impossible", ("Z.mm", "Z.nn"), sentence)
