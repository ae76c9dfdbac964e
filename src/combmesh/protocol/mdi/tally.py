"""Counts of a block: what was sent, detected and wrong for each pair of sources."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.ground.kernels import kernel
from combmesh.link.gains import click_probability, gain, hidden_clicks, live_pair
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import PAIRS, XX, ZZ
from combmesh.protocol.mdi.settings import SOURCES, Settings

_INDEX = np.array([[SOURCES.index(source) for source in pair] for pair in PAIRS])
_EXCHANGED = [PAIRS.index(pair[::-1]) for pair in PAIRS]


@dataclass(frozen=True)
class Tally:
    """Counts of a block, one entry for each pair of sources in the order of `PAIRS`, Alice's source first.

    Attributes:
        sent, detected, errors: `(pair,)`; whole numbers when observed, real numbers when expected. A pair with a
            vacuum has a fair coin for an error.
        pulses: pulses of the block.
    """

    sent: NDArray[np.float64]
    detected: NDArray[np.float64]
    errors: NDArray[np.float64]
    pulses: float

    def __post_init__(self) -> None:
        shape = (len(PAIRS),)
        for name in ("sent", "detected", "errors"):
            if getattr(self, name).shape != shape:
                raise InputError(f"`{name}` must have shape (pair,) = {shape}, but has {getattr(self, name).shape}.")

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.sent + other.sent,
            self.detected + other.detected,
            self.errors + other.errors,
            self.pulses + other.pulses,
        )

    def exchanged(self) -> "Tally":
        """The same counts with the users' names exchanged."""
        return Tally(self.sent[_EXCHANGED], self.detected[_EXCHANGED], self.errors[_EXCHANGED], self.pulses)

    @property
    def qber_z(self) -> float:
        """Share of wrong bits among the key rounds; NaN without any."""
        return float(self.errors[ZZ] / self.detected[ZZ]) if self.detected[ZZ] else float("nan")

    @property
    def qber_x(self) -> float:
        """Share of wrong bits of the weaker decoys in X; NaN without any."""
        return float(self.errors[XX] / self.detected[XX]) if self.detected[XX] else float("nan")


@kernel
def pair_probabilities(a: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(pair,)` probability that the users choose each pair of sources; `a`, `c` are (x, y, z, p_x, p_y, p_z, o)."""
    p_a = np.array([1.0 - a[3] - a[4] - a[5], a[3], a[4], a[5]])
    p_c = np.array([1.0 - c[3] - c[4] - c[5], c[3], c[4], c[5]])
    chances: NDArray[np.float64] = p_a[_INDEX[:, 0]] * p_c[_INDEX[:, 1]]
    return chances


@kernel
def _both_click(a: float, b: float, z_a: bool, z_b: bool, p_d: float, gamma: float) -> float:
    """Mean probability that both detectors of a Bell state click, the others whatever they do."""
    q_c, q_e = gain(a, b, z_a, z_b, p_d, gamma)
    more_c, more_e = hidden_clicks(a, b, z_a, z_b, p_d, gamma, 0.0)
    return 0.25 * (q_c + q_e + more_c + more_e)


@kernel
def pair_gains(
    a: NDArray[np.float64], c: NDArray[np.float64], link: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(pair,)` gains and wrong gains, dead time included; `link` is `Link.as_array()`."""
    eta_a, eta_b, p_d, e_z, e_x, gamma, share, dead_gates, ceiling = link
    mu = np.array([a[6], a[0], a[1], a[2]]) * eta_a
    nu = np.array([c[6], c[0], c[1], c[2]]) * eta_b
    p_a = np.array([1.0 - a[3] - a[4] - a[5], a[3], a[4], a[5]])
    p_c = np.array([1.0 - c[3] - c[4] - c[5], c[3], c[4], c[5]])
    click, both = 0.0, 0.0
    for i in range(4):
        for j in range(4):
            light = (mu[i], nu[j], i == 3, j == 3, p_d, gamma)
            click += p_a[i] * p_c[j] * click_probability(*light)
            if dead_gates > 0.0:
                both += p_a[i] * p_c[j] * _both_click(*light)
    live, live_both = live_pair(click, both, dead_gates, ceiling)
    gains = np.empty(len(_INDEX))
    wrong = np.empty(len(_INDEX))
    for k in range(len(_INDEX)):
        arrived_a, arrived_b = mu[_INDEX[k, 0]], nu[_INDEX[k, 1]]
        z_a, z_b = _INDEX[k, 0] == 3, _INDEX[k, 1] == 3
        q_c, q_e = gain(arrived_a, arrived_b, z_a, z_b, p_d, gamma)
        if live < 1.0:
            more_c, more_e = hidden_clicks(arrived_a, arrived_b, z_a, z_b, p_d, gamma, live)
            q_c, q_e = q_c + more_c, q_e + more_e
        e_d = e_z if z_a or z_b else e_x
        gains[k] = share * live_both * (q_c + q_e)
        wrong[k] = share * live_both * (e_d * q_c + (1.0 - e_d) * q_e)
    return gains, wrong


def link_array(link: Link) -> NDArray[np.float64]:
    """The link as the kernels take it."""
    return np.array(link.as_array())


def settings_array(settings: Settings) -> NDArray[np.float64]:
    """(x, y, z, p_x, p_y, p_z, o) as the kernels take it."""
    return np.array(settings.as_tuple())


def expected_tally(link: Link, alice: Settings, bob: Settings, pulses: float) -> Tally:
    """What `pulses` pulses are expected to give (real numbers)."""
    a, c = settings_array(alice), settings_array(bob)
    gains, wrong = pair_gains(a, c, link_array(link))
    sent = pulses * pair_probabilities(a, c)
    return Tally(sent, sent * gains, sent * wrong, pulses)


def draw_tally(link: Link, alice: Settings, bob: Settings, pulses: int, rng: np.random.Generator) -> Tally:
    """One block drawn exactly: multinomial choices of sources, binomial detections, binomial errors.

    10^12 pulses cost what 10^6 cost: the counts of independent pulses are drawn, not the pulses.
    """
    a, c = settings_array(alice), settings_array(bob)
    gains, wrong = pair_gains(a, c, link_array(link))
    chances = pair_probabilities(a, c)
    sent = rng.multinomial(pulses, np.append(chances, max(1.0 - chances.sum(), 0.0)))[:-1]
    detected = rng.binomial(sent, gains)
    errors = rng.binomial(detected, np.divide(wrong, gains, out=np.zeros_like(wrong), where=gains > 0))
    return Tally(sent.astype(float), detected.astype(float), errors.astype(float), float(pulses))
