"""One table of counts, every method side by side."""

from dataclasses import dataclass, replace
from math import floor, isnan

from combmesh.protocol.mdi.certificate.certificate import LABEL, PROOFS, Certificate, certified_key, largest_t
from combmesh.protocol.mdi.certificate.tuned import tuned_certificate
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import Analysis, KeyLength, key_length
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally

SCANS = ("no-scan", "single-scan", "double-scan")
ASYMPTOTIC = "asymptotic"
METHOD_NAMES = (*SCANS, *PROOFS, ASYMPTOTIC)
FINISHED_PROOFS = ("no-scan", "single-scan", "double-scan", "certificate")

_NO_FLUCTUATION = 1.0
_NOTES = {
    "no-scan": "every term at its worst",
    "single-scan": "one shared term at its worst",
    "double-scan": "the published reference (Jiang 2021)",
    "certificate": f"{LABEL}; elementary proof",
    "certificate-renyi": f"{LABEL}; Rényi proof",
    ASYMPTOTIC: "as if endless data had given these counts: no fluctuation, no constants",
}
_TUNED = "no key: coefficients tuned on these very counts; shows what a plan made beforehand would have given"
_IMPOSSIBLE = "no key: the counts are impossible"
_NOT_SO_FIXED = "no key: the coefficients that were fixed do not obey the rows of these settings"


@dataclass(frozen=True)
class Block:
    """Counts of a block, and what its key depends on besides.

    Attributes:
        tally: the counts; what is not known is NaN, a pair that was not measured was sent 0 times.
        alice, bob: the settings.
        budget: failure probabilities; the scans split the secrecy into equal shares, a certificate spends it on one.
        tail: tail bound of the scans.
        raw_key: whose bits are the raw key; it decides the vacuum part.
        vacuum_credit: whether the vacuum part counts, in the scans.
        f_ec, leak_bits: what was disclosed, as in `key_length`.
        clock_hz: pulse rate, Hz; None if not known.
    """

    tally: Tally
    alice: Settings
    bob: Settings
    budget: EpsilonBudget
    tail: str = "exact"
    raw_key: str = "alice"
    vacuum_credit: bool = True
    f_ec: float = 1.16
    leak_bits: float | None = None
    clock_hz: float | None = None


@dataclass(frozen=True)
class MethodResult:
    """What counts are worth by one method.

    Attributes:
        method: one of `METHOD_NAMES`.
        length_bits: secret bits, 0 if none.
        signed_bits: the same before it is floored and clipped at 0.
        skr_bps: bits for each second of light, None without a pulse rate.
        s11_lower, phase_error_upper: as in `KeyLength`; those of the double scan for a certificate, which has none.
        vacuum_bits, leak_ec_bits, constant_bits: the other terms.
        qber_z: share of wrong bits of zz; None without any.
        outcome: "key", or which bound failed.
        valid: whether the length may be used as a key.
        note: what is to be known about the method.
    """

    method: str
    length_bits: int
    signed_bits: float
    skr_bps: float | None
    s11_lower: float
    phase_error_upper: float
    vacuum_bits: float
    leak_ec_bits: float
    constant_bits: float
    qber_z: float | None
    outcome: str
    valid: bool
    note: str


def compare_methods(block: Block, certificate: Certificate | None = None) -> list[MethodResult]:
    """Every method's key length of the same counts, in the order of `METHOD_NAMES`, without those that cannot be used.

    Args:
        block: the counts.
        certificate: coefficients that were fixed before the block; None tunes them on the counts, and that is no key.
    """
    scanned = {method: scanned_key(block, method) for method in SCANS}
    results = [_result(block, method, key, True, _NOTES[method]) for method, key in scanned.items()]
    reference = scanned["double-scan"]
    for method in PROOFS:
        results += _certified(block, method, certificate, reference)
    results.append(_result(block, ASYMPTOTIC, asymptotic_key(block), False, _NOTES[ASYMPTOTIC]))
    return results


def scanned_key(block: Block, method: str) -> KeyLength:
    """The key length by no scan, single scan or double scan."""
    analysis = Analysis(method, block.tail, block.budget.bound, block.budget.correctness, block.vacuum_credit)
    return _scan(block, analysis)


def asymptotic_key(block: Block) -> KeyLength:
    """The double scan without fluctuations and constants."""
    return without_constants(
        _scan(block, Analysis("double-scan", block.tail, _NO_FLUCTUATION, 1.0, block.vacuum_credit))
    )


def _scan(block: Block, analysis: Analysis) -> KeyLength:
    alice, bob, tally = block.alice, block.bob, block.tally
    if block.raw_key == "bob":
        alice, bob, tally = bob, alice, tally.exchanged()
    return key_length(tally, alice, bob, analysis, f_ec=block.f_ec, leak_bits=block.leak_bits)


def _certified(block: Block, method: str, certificate: Certificate | None, reference: KeyLength) -> list[MethodResult]:
    note, valid = _NOTES[method], certificate is not None
    if certificate is None:
        certificate = tuned_certificate(block.tally, block.alice, block.bob, block.budget, method)
        note = f"{note}; {_TUNED}"
    elif not certificate.is_valid_for(block.alice, block.bob):
        note, valid = f"{note}; {_NOT_SO_FIXED}", False
    if certificate is None or certificate.t > largest_t(method):
        return []
    key = certified_key(block.tally, certificate, block.budget, method, f_ec=block.f_ec, leak_bits=block.leak_bits)
    key = replace(key, s11_lower=reference.s11_lower, phase_error_upper=reference.phase_error_upper)
    return [_result(block, method, key, valid, note)]


def _result(block: Block, method: str, key: KeyLength, valid: bool, note: str) -> MethodResult:
    seconds = block.tally.pulses / block.clock_hz if block.clock_hz else None
    return method_result(method, key, seconds, block.tally.qber_z, valid, note)


def method_result(
    method: str, key: KeyLength, seconds: float | None, qber_z: float, valid: bool, note: str
) -> MethodResult:
    """The result of a method from its key length; `seconds` of light, None if not known."""
    return MethodResult(
        method=method,
        length_bits=key.length_bits,
        signed_bits=key.signed_bits,
        skr_bps=key.length_bits / seconds if seconds else None,
        s11_lower=key.s11_lower,
        phase_error_upper=key.phase_error_upper,
        vacuum_bits=key.vacuum_bits,
        leak_ec_bits=key.leak_bits,
        constant_bits=key.constant_bits,
        qber_z=None if isnan(qber_z) else qber_z,
        outcome=key.outcome,
        valid=valid,
        note=note,
    )


def without_constants(key: KeyLength) -> KeyLength:
    """The key as if endless data had given its counts."""
    signed = key.signed_bits + key.constant_bits
    return replace(key, signed_bits=signed, length_bits=floor(max(signed, 0.0)), constant_bits=0.0)


def refused(result: MethodResult) -> MethodResult:
    """The result of counts that cannot be: what they would have been worth, and no key."""
    return replace(result, valid=False, outcome=_IMPOSSIBLE)
