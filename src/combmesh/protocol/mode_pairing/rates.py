r"""What a link is expected to give in mode pairing: clicks, pairs, counts, asymptotic rate.

In one round the users' light meets at a beam splitter before two detectors; the round clicks if exactly one does. Two
paired rounds are the four-detector Bell measurement of `link.gains` with the two rounds in place of the two
polarizations, so the gains are those of Ma & Razavi 2012 with the total intensities of the pair: :math:`\nu, \mu` in Z,
:math:`2\nu, 2\mu` in X (checked in the tests against two detectors, round by round).

A link's fields mean here: `efficiency_a`, `efficiency_b` detector included; `dark_count_probability` of each detector
and round; `visibility` V the Hong-Ou-Mandel visibility, so first-order fringes have contrast :math:`\sqrt{V/0.5}`;
`misalignment_z` the share of wrong bits of Z by leaking modulators; `misalignment_x` wrong outcomes of X besides phase
drift; `clock_hz` rounds with quantum light in a second; `bell_states` is not read, both outcomes of X are used. Dead
time thins the clicks of each detector; that a detector cannot click twice within it is left to
`PairingRule.shortest_slots`.
"""

from dataclasses import dataclass
from math import exp, expm1, log1p, sqrt

import numpy as np

from combmesh.ground.errors import check_range
from combmesh.link.gains import bessel_i0_minus_1, gain_x, gain_z, live_share, yield_11
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import binary_entropy
from combmesh.protocol.mode_pairing.pairing import Coherence, mean_contrast, pairing_rate
from combmesh.protocol.mode_pairing.settings import PairingRule, Settings
from combmesh.protocol.mode_pairing.tally import MU, PairTally, class_weights


@dataclass(frozen=True)
class Pairing:
    """How a stream of rounds pairs.

    Attributes:
        click: probability that a round clicks, all detectors live.
        live: share of clicks that dead time leaves.
        pairs: pairs for each round, r_p.
        contrast: mean cosine of the phase change between paired rounds, slices included.
    """

    click: float
    live: float
    pairs: float
    contrast: float


@dataclass(frozen=True)
class AsymptoticRate:
    """Rate without fluctuations and with single-photon pairs known exactly.

    Attributes:
        rate_per_round: signed secret bits for each round.
        pairs_per_round: r_p.
        signal_share: r_s, share of the pairs that are signal pairs of Z.
        q11: share of single-photon pairs among those.
        e11: their phase error.
        qber_z: share of wrong bits among the signal pairs.
    """

    rate_per_round: float
    pairs_per_round: float
    signal_share: float
    q11: float
    e11: float
    qber_z: float


def click_gain(a: float, b: float, p_d: float, gamma: float) -> float:
    r"""Probability that exactly one of two detectors clicks in a round of random phases.

    .. math:: 2 y [I_0(\gamma\sqrt{ab}) - y], \qquad y = (1-p_d)\, e^{-(a+b)/2}

    (derived: the detectors see :math:`(a+b)/2 \pm \gamma\sqrt{ab}\cos\varphi`.)

    Args:
        a, b: detected mean photon numbers of the users.
        p_d: dark counts of a detector and round.
        gamma: contrast of first-order fringes, 0 to 1.
    """
    if p_d >= 1.0:
        return 0.0  # both always click
    u = -expm1(log1p(-p_d) - 0.5 * (a + b))
    return 2.0 * (1.0 - u) * (bessel_i0_minus_1(gamma * sqrt(a * b)) + u)


def mean_click(link: Link, alice: Settings, bob: Settings) -> float:
    """Probability that a round clicks, over the users' choices, all detectors live."""
    eta_a, eta_b, p_d, _, _, gamma, *_ = link.as_array()
    p_a, p_b = (alice.p_o, alice.p_nu, alice.p_mu), (bob.p_o, bob.p_nu, bob.p_mu)
    a, b = (0.0, alice.nu * eta_a, alice.mu * eta_a), (0.0, bob.nu * eta_b, bob.mu * eta_b)
    return sum(p_a[i] * p_b[j] * click_gain(a[i], b[j], p_d, gamma) for i in range(3) for j in range(3))


def pairing(link: Link, alice: Settings, bob: Settings, rule: PairingRule, coherence: Coherence) -> Pairing:
    """How the rounds of a link pair."""
    click = mean_click(link, alice, bob)
    dead_gates, ceiling = link.as_array()[7:]
    live = live_share(0.5 * click, dead_gates, ceiling)
    contrast = rule.slice_contrast * mean_contrast(live * click, rule, coherence, link.clock_hz)
    return Pairing(click, live, pairing_rate(live * click, rule), contrast)


def wrong_share(misalignment: float, contrast: float) -> float:
    r"""Share :math:`e_d = [1 - (1-2e)\,C]/2` of pairs of X that end in the wrong outcome, besides gains' own."""
    return 0.5 * (1.0 - (1.0 - 2.0 * misalignment) * contrast)


def expected_tally(
    link: Link, alice: Settings, bob: Settings, rule: PairingRule, coherence: Coherence, rounds: float
) -> PairTally:
    r"""What `rounds` rounds are expected to give (real numbers).

    Pairing looks at clicks alone, so given a pair both rounds have sources drawn as they come with a click:
    :math:`\langle n_{ab}\rangle = N r_p\, w_{ab} Q_{ab} / p^2`. The contrast enters X to first order in the light that
    arrives: the error of wrong counts is below a part ab/4 of them.

    Args:
        link, alice, bob, rule, coherence: link, sources, pairing and phase.
        rounds: rounds of the block, at least 0.
    """
    check_range("rounds", rounds, 0.0)
    eta_a, eta_b, p_d, e_z, e_x, gamma, *_ = link.as_array()
    paired = pairing(link, alice, bob, rule, coherence)
    scale = rounds * paired.pairs / paired.click**2 if paired.click > 0.0 else 0.0
    e_d = wrong_share(e_x, paired.contrast)
    a, b = np.array([0.0, alice.nu, alice.mu]) * eta_a, np.array([0.0, bob.nu, bob.mu]) * eta_b
    z, x, wrong = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    z_wrong = 0.0
    for i in range(3):
        for j in range(3):
            q_c, q_e = gain_z(a[i], b[j], p_d, gamma)
            z[i, j], z_wrong = q_c + q_e, e_z * q_c + (1.0 - e_z) * q_e  # the last of the loop is mu mu
            q_c, q_e = gain_x(2.0 * a[i], 2.0 * b[j], p_d, gamma)
            x[i, j], wrong[i, j] = q_c + q_e, e_d * q_c + (1.0 - e_d) * q_e
    w_z, w_x = class_weights(alice, bob, rule.matched_share)
    w_z, w_x = scale * w_z, scale * w_x
    return PairTally(w_z * z, w_x * x, w_x * wrong, float(w_z[MU, MU] * z_wrong), rounds)


def single_photon_pair(link: Link, contrast: float) -> tuple[float, float]:
    r"""(yield, phase error) of two paired rounds with one photon of each user.

    .. math:: e_{11} Y_{11} = \tfrac12 Y_{11} - \tfrac12 (1-p_d)^2 \tfrac{\eta_A\eta_B}{2} (1-2e_x)\gamma^2 C

    (Ma & Razavi 2012, with the visibility :math:`\gamma^2 = V/0.5` and the contrast C.)
    """
    eta_a, eta_b, p_d, _, e_x, gamma, *_ = link.as_array()
    y11 = yield_11(eta_a, eta_b, p_d)
    if y11 <= 0.0:
        return 0.0, 0.5
    seen = (1.0 - p_d) ** 2 * 0.5 * eta_a * eta_b * (1.0 - 2.0 * e_x) * gamma**2 * contrast
    return y11, 0.5 * (1.0 - seen / y11)


def asymptotic_rate(
    link: Link, alice: Settings, bob: Settings, rule: PairingRule, coherence: Coherence, *, f_ec: float = 1.16
) -> AsymptoticRate:
    r""":math:`R = r_p r_s \{q_{11}[1-h(e_X)] - f\,h(E_Z)\}` (Zeng 2022, Eq. 7), as if the decoys told everything.

    Args:
        link, alice, bob, rule, coherence: link, sources, pairing and phase.
        f_ec: reconciliation efficiency, at least 1.
    """
    check_range("f_ec", f_ec, 1.0)
    paired = pairing(link, alice, bob, rule, coherence)
    tally = expected_tally(link, alice, bob, rule, coherence, 1.0)
    n = float(tally.z_pairs[MU, MU])
    y11, e11 = single_photon_pair(link, paired.contrast)
    if n <= 0.0:
        return AsymptoticRate(0.0, paired.pairs, 0.0, 0.0, e11, float("nan"))
    w_z, _ = class_weights(alice, bob, rule.matched_share)
    n11 = paired.pairs / paired.click**2 * w_z[MU, MU] * alice.mu * bob.mu * exp(-alice.mu - bob.mu) * y11
    q11, r_s = float(n11 / n), n / paired.pairs
    private = q11 * (1.0 - binary_entropy(min(e11, 0.5)))
    rate = paired.pairs * r_s * (private - f_ec * binary_entropy(tally.qber_z))  # Zeng 2022, Eq. (7)
    return AsymptoticRate(rate, paired.pairs, r_s, q11, e11, tally.qber_z)
