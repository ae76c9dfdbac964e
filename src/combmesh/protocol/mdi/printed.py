"""Printed results beside the counts that they are said to follow from.

Fluctuations can only make a bound worse, so what the counts give without any is the best that statistics may claim: a
printed s11 above it, more private bits or a longer key do not follow. A phase error alone is not judged: where a scan
gives it, it belongs to the scan's own s11 and may be below the one at infinite data.
"""

from collections.abc import Iterator, Mapping
from math import exp, inf, isfinite, sqrt

import numpy as np

from combmesh.ground.errors import InputError, check_range
from combmesh.protocol.mdi.bounds import DOUBLE_SCAN, NEEDED_PAIRS, PAIRS, XX, ZZ, binary_entropy, private_bits
from combmesh.protocol.mdi.findings import Finding
from combmesh.protocol.mdi.keyrate import planned_leak, vacuum_bits
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, settings_array
from combmesh.protocol.mdi.yields_lp import CountRow, least_single_photon_yield
from combmesh.protocol.statistics import EXACT

PRINTED = {
    "s11_lower": 1.0,
    "phase_error_upper": 0.5,
    "length_bits": inf,
    "rate_per_pulse": 1.0,
    "skr_bps": inf,
    "qber_z": 1.0,
    "qber_x": 1.0,
}
"""Names of printed results and the most that each can be."""

_NO_FLUCTUATION = 1e-16  # b = ln(1/eps) of a bound that may always fail
_ROUNDING = 0.01  # relative error of a printed number
_PRINTED_QBER = 0.1  # the same of a printed error rate, which is often a mean of many
_EXACTLY = 1e-6  # relative width of a row without fluctuation


def check_values(printed: Mapping[str, float], most: Mapping[str, float]) -> None:
    """Refuse printed results that are not known by name, or that are no such results, as percents are no shares."""
    for name, value in printed.items():
        if name not in most:
            raise InputError(f"A printed result must be one of {', '.join(most)}, but one is {name!r}.")
        check_range(name, value, 0.0, most[name])


def check_printed(
    printed: Mapping[str, float],
    tally: Tally,
    alice: Settings,
    bob: Settings,
    clock_hz: float | None,
    f_ec: float,
) -> list[Finding]:
    """A finding for each printed result that is better than the counts, or than another printed one, allow.

    Args:
        printed: results by the names in `PRINTED`.
        tally: the counts, NaN where not known.
        alice, bob: settings of the users.
        clock_hz: pulse rate, to compare bit/s.
        f_ec: reconciliation efficiency charged.
    """
    check_values(printed, PRINTED)
    findings = [*_error_rates(printed, tally), *_rates(printed, tally, clock_hz)]
    needed = list(NEEDED_PAIRS)
    if np.all(tally.sent[needed] > 0) and np.all(np.isfinite(tally.detected[needed])):
        findings += _bounds(printed, tally, alice, bob, f_ec)
    return findings


def _error_rates(printed: Mapping[str, float], tally: Tally) -> Iterator[Finding]:
    """Printed error rates beside the counted ones."""
    for name, k in (("qber_z", ZZ), ("qber_x", XX)):
        wrong, detected = tally.errors[k], tally.detected[k]
        if name not in printed or not (detected > 0.0 and isfinite(wrong)):
            continue
        counted, sigma = wrong / detected, sqrt(wrong + 1.0) / detected
        if abs(printed[name] - counted) > max(_PRINTED_QBER * counted, 5.0 * sigma):
            pair = PAIRS[k]
            yield Finding(
                "not reproduced",
                (name,),
                f"The printed {name} is {printed[name]:.3%}, but {wrong:.10g} of {detected:.10g} counts of {pair} are "
                f"wrong: {counted:.3%}.",
            )


def _rates(printed: Mapping[str, float], tally: Tally, clock_hz: float | None) -> Iterator[Finding]:
    """Printed keys beside each other: bits, bits for each pulse, bits a second."""
    if {"length_bits", "rate_per_pulse"} <= printed.keys() and tally.pulses > 0.0:
        given, expected = printed["rate_per_pulse"], printed["length_bits"] / tally.pulses
        if abs(given - expected) > 2 * _ROUNDING * abs(expected):
            yield Finding(
                "not reproduced",
                ("rate_per_pulse", "length_bits"),
                f"The printed rate_per_pulse is {given:.4g}, but the printed length_bits over {tally.pulses:.4g} "
                f"pulses is {expected:.4g}.",
            )
    if "skr_bps" not in printed or clock_hz is None:
        return
    for name, pulses in (("rate_per_pulse", 1.0), ("length_bits", tally.pulses)):
        if name in printed and pulses > 0.0:
            most = printed[name] / pulses * clock_hz
            if printed["skr_bps"] > most * (1.0 + 2 * _ROUNDING):
                yield Finding(
                    "not reproduced",
                    ("skr_bps", name),
                    f"The printed skr_bps is {printed['skr_bps']:.4g}, but the printed {name} of {printed[name]:.4g} "
                    f"at {clock_hz:.4g} pulses a second is {most:.4g} bit/s.",
                )


def _printed_bits(printed: Mapping[str, float], tally: Tally) -> Iterator[tuple[str, float]]:
    """(name, secret bits of the block) of each printed key."""
    if "length_bits" in printed:
        yield "length_bits", printed["length_bits"]
    if "rate_per_pulse" in printed:
        yield "rate_per_pulse", printed["rate_per_pulse"] * tally.pulses


def _pulses_11(tally: Tally, alice: Settings, bob: Settings) -> float:
    """Key rounds sent in which both users' light is a single photon, expected."""
    return float(tally.sent[ZZ] * alice.z * bob.z * exp(-alice.z - bob.z))


def _least_s11(tally: Tally, alice: Settings, bob: Settings) -> float:
    """The least s11 that the known counts allow if each is its own expectation."""
    rows = tuple(
        CountRow(pair, "all", sent, count, count * (1.0 - _EXACTLY), max(count * (1.0 + _EXACTLY), _EXACTLY))
        for pair, sent, count in zip(PAIRS, tally.sent, tally.detected, strict=True)
        if isfinite(count)
    )
    return least_single_photon_yield(rows, alice, bob)


def _bounds(
    printed: Mapping[str, float], tally: Tally, alice: Settings, bob: Settings, f_ec: float
) -> Iterator[Finding]:
    """Printed bounds and keys beside what the counts give without any fluctuation."""
    a, c = settings_array(alice), settings_array(bob)
    wrong = tally.errors[XX] if isfinite(tally.errors[XX]) else 0.0
    bits, s11, phase_error, _ = private_bits(
        a, c, tally.sent, tally.detected, wrong, _NO_FLUCTUATION, EXACT, DOUBLE_SCAN
    )
    if "s11_lower" in printed:
        least = float(np.nanmax([s11, _least_s11(tally, alice, bob), 0.0]))
        if printed["s11_lower"] > least * (1.0 + _ROUNDING):
            yield Finding(
                "not reproduced",
                ("s11_lower",),
                f"The printed s11_lower is {printed['s11_lower']:.4g}, but the counts allow at most {least:.3g} even "
                "without any fluctuation.",
            )
    if not isfinite(tally.errors[XX]):
        return
    best = max(bits, 0.0)
    pulses_11 = _pulses_11(tally, alice, bob)
    if {"s11_lower", "phase_error_upper"} <= printed.keys() and pulses_11 > 0.0:
        share = 1.0 - binary_entropy(min(max(printed["phase_error_upper"], 0.0), 0.5))
        claimed, most = printed["s11_lower"] * share, best / pulses_11
        if claimed > most * (1.0 + _ROUNDING):
            yield Finding(
                "not reproduced",
                ("s11_lower", "phase_error_upper"),
                f"The printed s11 {printed['s11_lower']:.4g} and phase error {printed['phase_error_upper']:.4g} mean "
                f"{claimed:.3g} private bits for each single-photon pair sent, but the counts give at most {most:.3g} "
                f"even without any fluctuation (s11 {s11:.3g}, phase error {phase_error:.3g}).",
            )
    if tally.detected[ZZ] > 0.0 and isfinite(tally.errors[ZZ]):
        vacuum = vacuum_bits(a, tally.sent, np.nan_to_num(tally.detected), _NO_FLUCTUATION, EXACT)
        leak = planned_leak(float(tally.detected[ZZ]), float(tally.errors[ZZ]), f_ec)
        most = max(best + vacuum - leak, 0.0)
        for name, claimed in _printed_bits(printed, tally):
            if claimed > most + _ROUNDING * best:
                yield Finding(
                    "not reproduced",
                    (name,),
                    f"The printed {name} means {claimed:.4g} secret bits, but the counts give at most {most:.4g} even "
                    f"without any fluctuation (f_ec = {f_ec:.4g}).",
                )
