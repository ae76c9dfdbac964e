r"""The certificate: coefficients that were fixed beforehand, and the key that counts are worth by them.

.. math::
   gG + wB \ge K = \frac{1}{t}\Bigl[\sum_i n_i\ln(1+tc_i) - \ln\frac{1}{\epsilon}\Bigr], \qquad
   l = \lfloor K - \mathrm{leak} - \log_2(2/\epsilon_\mathrm{cor})\rfloor

A combination of known ingredients of our own, not the paper's analysis; docs/certificate.md derives it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from math import floor, isfinite, isnan, log, log2, nan
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.protocol.epsilon import verification_bits
from combmesh.protocol.mdi.bounds import NEEDED_PAIRS, ZZ
from combmesh.protocol.mdi.certificate.exact import obeys_all_rows
from combmesh.protocol.mdi.certificate.rows import CLASSES, class_counts, photon_rows
from combmesh.protocol.mdi.certificate.solver import best_coefficients, log_statistic
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import KeyLength, planned_leak
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, settings_array

PROOFS = {"certificate": "elementary", "certificate-renyi": "renyi"}
"""Methods by name: the elementary proof is the safe default."""

LABEL = "certificate (combmesh), not the paper's analysis"

_SHIFTS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-10, 1e-8)  # of each coefficient
_LN2 = log(2.0)


def largest_t(method: str) -> float:
    """Largest exponent that the proof of a method allows, 1/bit."""
    return _LN2 if PROOFS[method] == "elementary" else 0.5 * _LN2


def log_inverse_eps(method: str, secrecy: float) -> float:
    """ln(1/eps) of the statistic: the elementary proof is sqrt(2 eps)-secret, the Renyi proof eps-secret."""
    return log(2.0) - 2.0 * log(secrecy) if PROOFS[method] == "elementary" else -log(secrecy)


@dataclass(frozen=True)
class Certificate:
    """Coefficients of the statistic, to be fixed before any setting of the block is disclosed.

    Attributes:
        t: exponent, 1/bit.
        e0: reference phase error, 0 to 0.5.
        scaled: `(class,)` t c_i of each class, in the order of `CLASSES`, each above -1.
        delta: intensities are known to this share of themselves.
    """

    t: float
    e0: float
    scaled: tuple[float, ...]
    delta: float = 0.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_range("t", self.t, 0.0, 1.0)
        check_range("delta", self.delta, 0.0, 0.5)
        if not 0.0 < self.e0 < 0.5 or self.t == 0.0:
            raise InputError(f"`e0` must be in (0, 0.5) and `t` above 0, but they are {self.e0:g} and {self.t:g}.")
        if len(self.scaled) != len(CLASSES):
            raise InputError(f"`scaled` must have {len(CLASSES)} numbers, but has {len(self.scaled)}.")
        for number in self.scaled:
            if not isfinite(number) or number <= -1.0:
                raise InputError(f"`scaled` must be finite and above -1, but holds {number:g}.")

    @property
    def digest(self) -> str:
        """SHA-256 of all numbers: recorded before a block, it proves that they were fixed."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    def is_valid_for(self, alice: Settings, bob: Settings) -> bool:
        """Whether the coefficients obey all rows of these settings, proven in exact arithmetic."""
        return obeys_all_rows(self.scaled, self.t, self.e0, alice, bob, self.delta)


def certificate_for(
    expected: Tally, alice: Settings, bob: Settings, t: float, e0: float, delta: float = 0.0
) -> Certificate | None:
    """The best certificate for expected counts at given t and e0; None if its rows cannot be obeyed.

    None also at an e0 of half, where a search without hope of key ends. The solver's coefficients lie inside the rows
    up to rounding; they are moved inwards until exact arithmetic agrees.
    """
    if not 0.0 < e0 < 0.5:
        return None
    a, c = settings_array(alice), settings_array(bob)
    g, w = 1.0 + log2(1.0 - e0), 1.0 + log2(e0)
    rows, right_sides = photon_rows(a, c, t, g, w, delta)
    v, _, possible = best_coefficients(class_counts(expected.detected, expected.errors), rows, right_sides)
    if not possible:
        return None
    for shift in _SHIFTS:
        inwards = v - shift * np.minimum(np.abs(v), 1.0 + v)
        certificate = Certificate(t, e0, tuple(map(float, inwards)), delta)
        if certificate.is_valid_for(alice, bob):
            return certificate
    return None


def certified_key(
    tally: Tally,
    certificate: Certificate,
    budget: EpsilonBudget,
    method: str = "certificate",
    *,
    f_ec: float = 1.16,
    leak_bits: float | None = None,
) -> KeyLength:
    """Key length of observed or expected counts by a certificate that was fixed beforehand.

    Valid only where `certificate.is_valid_for` the block's settings. It bounds neither s11 nor the phase error alone:
    both are NaN. More certified bits than key rounds belong to counts that cannot be: no key.
    """
    if certificate.t > largest_t(method):
        raise InputError(f"`t` must be at most {largest_t(method):.4g} for {method}, but is {certificate.t:g}.")
    counts = class_counts(tally.detected, tally.errors)
    v = np.array(certificate.scaled)
    _check_known(counts, v)
    n_zz, errors_zz = float(tally.detected[ZZ]), float(tally.errors[ZZ])
    certified = (log_statistic(counts, v) - log_inverse_eps(method, budget.secrecy)) / certificate.t  # Eq. (5)
    leak = planned_leak(n_zz, errors_zz, f_ec) if leak_bits is None else leak_bits
    constant = verification_bits(budget.correctness)
    signed = float(certified - leak - constant)  # Eq. (7)
    outcome = _outcome(signed, certified, n_zz, all(tally.sent[pair] > 0 for pair in NEEDED_PAIRS))
    return KeyLength(
        length_bits=floor(signed) if outcome == "key" else 0,
        signed_bits=signed,
        s11_lower=nan,
        phase_error_upper=nan,
        pairs_11_lower=nan,
        vacuum_bits=0.0,
        leak_bits=float(leak),
        constant_bits=constant,
        outcome=outcome,
    )


def _check_known(counts: NDArray[np.float64], v: NDArray[np.float64]) -> None:
    """Refuse counts that the certificate weighs and that are not known."""
    for i, name in enumerate(CLASSES):
        apart = counts[i] == -1.0 and v[i] != v[i - 1]
        if apart or (isnan(counts[i]) and v[i] != 0.0):
            raise InputError(f"The certificate needs the counts of {name}, which are not known.")


def _outcome(signed: float, certified: float, n_zz: float, sent: bool) -> str:
    if not sent:
        return "no key: a pair of sources was never sent"
    if not certified <= n_zz:
        return "no key: more certified bits than key rounds"
    if signed >= 1:
        return "key"
    return "no key: nothing is certified" if certified <= 0 else "no key: the leak exceeds the certified bits"
