"""Does a count table close? A verdict on measured counts, and on the results printed beside them.

Three questions, from proof to judgement:

1. *Impossible*: no photon-number yields give these counts within their statistical tails, whatever the channel
   (`yields_lp`; a proof that is evaluated without trust in the solver).
2. *Implausible*: a row is off by more than 30 %, beyond its tails, from the channel that fits all rows best, or from a
   given one (`channel_fit`). Untrusted relays may do this; honest ones do not.
3. *Not reproduced*: a printed result is better than these counts allow (`printed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError
from combmesh.link.relay import Link
from combmesh.protocol.epsilon import tail_exponent
from combmesh.protocol.mdi.bounds import OZ, PAIRS, ZO
from combmesh.protocol.mdi.channel_fit import ERROR_PAIRS, Channel, fit_channel, given_channel
from combmesh.protocol.mdi.findings import Finding, verdict_of
from combmesh.protocol.mdi.printed import check_printed
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, pair_probabilities, settings_array
from combmesh.protocol.mdi.yields_lp import CountRow, YieldsVerdict, check_yields, count_row, row_name
from combmesh.protocol.statistics import TAILS, observation_lower, observation_upper

TOLERANCE = 1.3
"""A row may differ from the channel by this factor before it is called implausible."""


@dataclass(frozen=True)
class Consistency:
    """The verdict on a count table.

    Attributes:
        verdict: "consistent"; "implausible": rows that no honest channel gives; "inconsistent": counts that nothing
            gives, or a printed result that does not follow from them.
        findings: each with its rows and one sentence.
        false_alarm: the most that all tails of question 1 may fail together; a table of independent pulses whose
            settings are true is called impossible no more often.
        channel: the channel of question 2, None where too few rows are known to fit one.
    """

    verdict: str
    findings: tuple[Finding, ...]
    false_alarm: float
    channel: Channel | None

    @property
    def impossible(self) -> bool:
        """Whether no key may come of the counts."""
        return any(finding.kind == "impossible" for finding in self.findings)


@dataclass(frozen=True)
class _Table:
    """Counts with NaN where they are not known; `(pair,)` each."""

    sent: NDArray[np.float64]
    detected: NDArray[np.float64]
    errors: NDArray[np.float64]


def check_consistency(
    tally: Tally,
    alice: Settings,
    bob: Settings,
    *,
    bound: float,
    tail: str = "exact",
    detected_known: NDArray[np.bool_] | None = None,
    errors_known: NDArray[np.bool_] | None = None,
    printed: Mapping[str, float] | None = None,
    clock_hz: float | None = None,
    f_ec: float = 1.0,
    link: Link | None = None,
) -> Consistency:
    """Whether a count table, and what is printed beside it, can be true.

    Args:
        tally: the counts; a pair that was sent 0 times, or whose count is NaN, is not known.
        alice, bob: settings of the users.
        bound: failure probability of each one-sided tail.
        tail: "exact" or "simple".
        detected_known, errors_known: `(pair,)`, False where the table has no number although the tally holds one.
        printed: published results by name: "s11_lower", "phase_error_upper", "length_bits", "rate_per_pulse",
            "skr_bps", "qber_z", "qber_x".
        clock_hz: pulse rate, needed to compare "skr_bps".
        f_ec: reconciliation efficiency that printed keys were charged; 1 is the least.
        link: the channel to compare with, instead of a fit.
    """
    if tail not in TAILS:
        raise InputError(f"`tail` must be one of {', '.join(TAILS)}, but is {tail!r}.")
    if not 0.0 < bound < 1.0:
        raise InputError(f"`bound` must be above 0 and below 1, but is {bound:g}.")
    b, kind = tail_exponent(bound), TAILS[tail]
    table = _known(tally, detected_known, errors_known)
    findings = list(_miscounted(table))
    findings += _missent(tally, alice, bob, b, kind)
    table = _without({pair[2:] for finding in findings for pair in finding.rows}, table)
    rows = _rows(table, alice, bob, b, kind)
    findings += _impossible(check_yields(rows, alice, bob))
    channel = (
        given_channel(link, table.sent, alice, bob)
        if link
        else fit_channel(table.sent, table.detected, table.errors, alice, bob)
    )
    if channel:
        findings += _implausible(table, channel, alice, bob, b, kind)
    if printed:
        cleaned = Tally(table.sent, table.detected, table.errors, tally.pulses)
        findings += check_printed(printed, cleaned, alice, bob, clock_hz, f_ec)
    return Consistency(verdict_of(findings), tuple(findings), 2 * len(rows) * bound, channel)


def _known(tally: Tally, detected_known: NDArray[np.bool_] | None, errors_known: NDArray[np.bool_] | None) -> _Table:
    """The tally with NaN for every count that is not known."""
    seen = (tally.sent > 0) & np.isfinite(tally.detected)
    if detected_known is not None:
        seen &= detected_known
    wrong = seen & np.isfinite(tally.errors)
    if errors_known is not None:
        wrong &= errors_known
    return _Table(
        np.where(tally.sent > 0, tally.sent, 0.0),
        np.where(seen, tally.detected, np.nan),
        np.where(wrong, tally.errors, np.nan),
    )


def _without(pairs: set[str], table: _Table) -> _Table:
    """The table with the counts of some pairs not known."""
    out = np.array([pair in pairs for pair in PAIRS])
    return _Table(table.sent, np.where(out, np.nan, table.detected), np.where(out, np.nan, table.errors))


def _miscounted(table: _Table) -> list[Finding]:
    """Counts that are no counts: negative, more detected than sent, more wrong than detected."""
    findings = []
    for pair, sent, detected, errors in zip(PAIRS, table.sent, table.detected, table.errors, strict=True):
        name = row_name(pair)
        if detected < 0.0 or errors < 0.0:
            sentence = f"{name}: a count is negative ({detected:.10g} detected, {errors:.10g} wrong)."
        elif detected > sent:
            sentence = f"{name}: {detected:.10g} were detected, but only {sent:.10g} were sent."
        elif errors > detected * (1.0 + 1e-12):
            sentence = f"{name}: {errors:.10g} were wrong, but only {detected:.10g} were detected."
        else:
            continue
        findings.append(Finding("impossible", (name,), sentence))
    return findings


def _missent(tally: Tally, alice: Settings, bob: Settings, b: float, tail: int) -> list[Finding]:
    """Pulses sent that are off by more than `TOLERANCE` and the tails from what pulses and probabilities say."""
    findings = []
    chances = pair_probabilities(settings_array(alice), settings_array(bob))
    for pair, sent, expected in zip(PAIRS, tally.sent, tally.pulses * chances, strict=True):
        low = observation_lower(expected / TOLERANCE, b, tail)
        if sent > 0.0 and not low <= sent <= observation_upper(expected * TOLERANCE, b, tail):
            sentence = f"{row_name(pair)}: {sent:.10g} pulses were sent, but the probabilities give {expected:.10g}."
            findings.append(Finding("impossible", (row_name(pair),), sentence))
    return findings


def _rows(table: _Table, alice: Settings, bob: Settings, b: float, tail: int) -> tuple[CountRow, ...]:
    """Right and wrong counts of each known pair, or all of them where the errors are not known or mean nothing."""
    rows = []
    for k, pair in enumerate(PAIRS):
        sent, detected, errors = table.sent[k], table.detected[k], table.errors[k]
        if not np.isfinite(detected):
            continue
        mixed = (k == OZ and alice.o > 0.0) or (k == ZO and bob.o > 0.0)  # bits of two bases
        if mixed or not np.isfinite(errors):
            rows.append(count_row(pair, "all", sent, detected, b, tail))
        else:
            rows.append(count_row(pair, "right", sent, max(detected - errors, 0.0), b, tail))
            rows.append(count_row(pair, "wrong", sent, errors, b, tail))
    return tuple(rows)


def _impossible(found: YieldsVerdict) -> list[Finding]:
    """The rows that the proof needs, and the least change that would make them possible."""
    if not found.impossible:
        return []
    names = tuple(dict.fromkeys(row.name for row in found.conflict))
    classes = ", ".join(f"{row.name} ({row.count:.10g} {_part(row)})" for row in found.conflict)
    shifts = ", ".join(
        f"{slack.row.name} ({_part(slack.row)}) {abs(slack.sigmas):.1f} standard deviations "
        f"{'above' if slack.sigmas > 0 else 'below'}"
        for slack in found.slacks[:4]
    )
    sentence = (
        f"No photon-number yields give {classes} together within their statistical tails: the least change that closes "
        f"the table puts expectations outside the tails, {shifts}; with an error of {found.closing_error:.2%} allowed "
        "in every row, as of intensities that are not quite what is stated, yields exist."
    )
    return [Finding("impossible", names, sentence)]


def _part(row: CountRow) -> str:
    return {"right": "right", "wrong": "wrong", "all": "detected"}[row.part]


def _implausible(table: _Table, channel: Channel, alice: Settings, bob: Settings, b: float, tail: int) -> list[Finding]:
    """Rows off by more than `TOLERANCE` and more than the tails from what the channel expects."""
    origin = "the channel that fits all rows best" if channel.fitted else "the given channel"
    leak = np.zeros(len(PAIRS))
    if not channel.fitted:  # light in the wrong polarization, at most what the misalignment says
        leak[OZ] = channel.share * channel.misalignment_z * (channel.efficiency_b * bob.z) ** 2 * table.sent[OZ]
        leak[ZO] = channel.share * channel.misalignment_z * (channel.efficiency_a * alice.z) ** 2 * table.sent[ZO]
    findings = []
    for k, pair in enumerate(PAIRS):
        classes = [("coincidences", table.detected[k], channel.detected[k])]
        if k in ERROR_PAIRS:
            classes.append(("wrong coincidences", table.errors[k], channel.errors[k]))
        for what, count, expected in classes:
            low = observation_lower(expected / TOLERANCE, b, tail)
            high = observation_upper((expected + leak[k]) * TOLERANCE, b, tail)
            if count < low or count > high:
                ratio = count / expected if expected > 0.0 else inf
                sentence = (
                    f"{row_name(pair)} has {count:.10g} {what}, but {origin} gives {expected:.0f}: "
                    f"{ratio:.2g} times as many, beyond {TOLERANCE - 1.0:.0%} and the statistical tails."
                )
                findings.append(Finding("implausible", (row_name(pair),), sentence))
                break
    return findings
