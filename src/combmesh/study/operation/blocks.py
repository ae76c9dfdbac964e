"""Blocks of a link over hours: counts drawn with the link as it is every few seconds, and the key of each block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import floor, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, check_range
from combmesh.ground.rng import stream
from combmesh.link.devices.build import LineTerms, Pair, line_terms, link_from_devices, links_of, product
from combmesh.link.relay import Link
from combmesh.protocol.mdi.bounds import PAIRS, XX, ZZ
from combmesh.protocol.mdi.certificate.plan import CertificatePlan
from combmesh.protocol.mdi.optimise import LinkPlan
from combmesh.protocol.mdi.tally import Tally, draw_tally, expected_tally
from combmesh.study.budget.rates import (
    CERTIFICATE,
    DOUBLE_SCAN,
    KeyRule,
    Plans,
    certificate_bits,
    plans_with_vacuum,
    scan_bits,
)
from combmesh.study.operation.controls import Controls, key_time_share, slot_shares
from combmesh.study.operation.traces import Traces, attenuated, steps_of, traces_of

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""

FIBRE, EQUIVALENT = "fibre", "equivalent loss"
CASES = (FIBRE, EQUIVALENT)

STEP_S = 10.0
"""Counts of so long are drawn with one link, the mean one; errors enter counts linearly."""

LONGEST_HOURS = 100.0
_BY_TIME = 1e300  # sifted bits: the time ends every block


@dataclass(frozen=True)
class Block:
    """One block of a case.

    Attributes:
        block: number, from 0.
        begin_s: of the block, s.
        visibility: that a scan of the delay would show, mean over the block.
        error_z, error_x: share of wrong polarization, mean of the block and both users.
        timing_rms_ps: of the difference of both arrivals, ps.
        qber_z, qber_x: expected with the residuals of this block.
        counted_qber_z, counted_qber_x: of its drawn counts, with the settings of the double scan.
        counting_std_z, counting_std_x: standard deviation of these about the expected ones.
        key_bits, skr_bps: of each method; a rate is per second of the whole block, slots of disclosed states included.
    """

    block: int
    begin_s: float
    visibility: float
    error_z: float
    error_x: float
    timing_rms_ps: float
    qber_z: float
    qber_x: float
    counted_qber_z: float
    counted_qber_x: float
    counting_std_z: float
    counting_std_x: float
    key_bits: dict[str, int]
    skr_bps: dict[str, float]


@dataclass(frozen=True, eq=False)
class Record:
    """A line of a pair over hours, on fibre or on attenuators of equal loss.

    Attributes:
        case: one of `CASES`.
        controlled: whether the controls ran.
        line, itu_label: the comb line.
        block_s: length of a block, s.
        slot_shares: time of each user's disclosed states, a share.
        disclosed_counts: clicks disclosed in each block, of both users.
        planned_bps: expected key of each method at the file's rms residuals, slots paid.
        unpaid_bps: the same if disclosing cost no time.
        traces: of both arms.
        blocks: whole blocks; what is left of the record makes no key.
    """

    case: str
    controlled: bool
    line: int
    itu_label: str
    block_s: float
    slot_shares: tuple[float, float]
    disclosed_counts: int
    planned_bps: dict[str, float]
    unpaid_bps: dict[str, float]
    traces: Traces
    blocks: tuple[Block, ...]


def operate(
    pair: Pair,
    lines: Sequence[int],
    rule: KeyRule,
    hours: float,
    seed: int,
    controls: Controls | None = None,
    cases: Sequence[str] = CASES,
    on_progress: Progress | None = None,
) -> list[Record]:
    """Lines of a pair over hours: a record for each case and line, cases outside.

    Args:
        pair: the users and their devices.
        lines: line numbers; all of a case share the residuals of their fibres, and each pays for its slots.
        rule: how a block becomes key; the time ends every block.
        hours: length of the record, h; at least one block.
        seed: of drifts, probes and counts; cases are independent.
        controls: what holds polarization and arrival; the defaults without.
        cases: some of `CASES`.
        on_progress: called now and then with steps done and steps in all.
    """
    controls = controls or Controls()
    check_range("hours", hours, high=LONGEST_HOURS)
    block_s, seconds = rule.block.time_s, 3600.0 * hours
    if seconds < block_s:
        raise InputError(f"`hours` must hold one block of {block_s:g} s at least, but is {hours:g}.")
    steps = _steps(controls, block_s)
    pairs = {case: pair if case == FIBRE else attenuated(pair) for case in cases}
    tick = _ticker(sum(steps_of(controls, one, seconds) for one in pairs.values()), on_progress)
    records = []
    for case, one in pairs.items():
        rng = stream(seed, "operation", case)
        seen_fwhm_ps = line_terms(one, lines[:1]).seen_fwhm_ps
        traces = traces_of(one, controls, seconds, seen_fwhm_ps, rng, tick)
        for line in lines:
            counts = stream(seed, "operation", case, line)
            records.append(_record(case, one, line, rule, controls, traces, steps, counts))
    return records


def _record(
    case: str,
    pair: Pair,
    line: int,
    rule: KeyRule,
    controls: Controls,
    traces: Traces,
    steps: int,
    rng: np.random.Generator,
) -> Record:
    alice, bob = pair.lights()
    planned = link_from_devices(pair, line)
    block_s = rule.block.time_s
    unpaid = plans_with_vacuum(planned, _ended_by_time(rule, 1.0), (alice.spec, bob.spec))
    shares = slot_shares(controls, planned, (unpaid.scan.alice, unpaid.scan.bob))
    left = key_time_share(shares)
    plans = plans_with_vacuum(planned, _ended_by_time(rule, left), (alice.spec, bob.spec))
    probes = round(block_s / controls.probe_s)
    terms = line_terms(pair, [line], traces.residuals(pair, line))
    blocks = []
    for block in range(traces.time_s.size // probes):
        span = slice(block * probes, (block + 1) * probes)
        means = _means(terms, traces.time_s.size, span, steps)
        blocks.append(_block(pair, rule, plans, means, _part(traces, span), block, rng))
    place = int(alice.places(np.array([line]))[0])
    clock_hz = pair.clock_hz
    return Record(
        case=case,
        controlled=controls.on,
        line=line,
        itu_label=alice.itu_label[place],
        block_s=block_s,
        slot_shares=shares,
        disclosed_counts=2 * controls.disclosure.counts * probes if controls.on else 0,
        planned_bps={method: left * bps for method, bps in plans.rates_bps(clock_hz).items()},
        unpaid_bps=unpaid.rates_bps(clock_hz),
        traces=traces,
        blocks=tuple(blocks),
    )


def _block(
    pair: Pair,
    rule: KeyRule,
    plans: Plans,
    terms: LineTerms,
    part: Traces,
    block: int,
    rng: np.random.Generator,
) -> Block:
    links = links_of(pair, terms)
    expected = _counts(links, plans.scan, None)
    counted, other = _counts(links, plans.scan, rng), _counts(links, plans.certificate, rng)
    signed = {
        DOUBLE_SCAN: scan_bits(counted, rule, plans.scan),
        CERTIFICATE: certificate_bits(other, rule, plans.certificate),
    }
    bits = {method: floor(max(value, 0.0)) for method, value in signed.items()}
    between_ps = part.delay_ps[:, 0] - part.delay_ps[:, 1]
    return Block(
        block=block,
        begin_s=block * rule.block.time_s,
        visibility=float(terms.dip_visibility.mean()),
        error_z=float(part.error_z.mean()),
        error_x=float(part.error_x.mean()),
        timing_rms_ps=float(np.sqrt(np.mean(between_ps**2))),
        qber_z=expected.qber_z,
        qber_x=expected.qber_x,
        counted_qber_z=counted.qber_z,
        counted_qber_x=counted.qber_x,
        counting_std_z=_std(expected.qber_z, float(counted.detected[ZZ])),
        counting_std_x=_std(expected.qber_x, float(counted.detected[XX])),
        key_bits=bits,
        skr_bps={method: length / rule.block.time_s for method, length in bits.items()},
    )


def _counts(links: Sequence[Link], plan: LinkPlan | CertificatePlan, rng: np.random.Generator | None) -> Tally:
    """Counts of a block whose links follow one another for equal times; expected ones without `rng`."""
    each, more = divmod(plan.pulses, len(links))
    none = np.zeros(len(PAIRS))
    total = Tally(none, none, none, 0.0)
    for k, link in enumerate(links):
        pulses = each + (k < more)
        if rng is None:
            total = total + expected_tally(link, plan.alice, plan.bob, pulses)
        else:
            total = total + draw_tally(link, plan.alice, plan.bob, pulses, rng)
    return total


def _means(terms: LineTerms, probes: int, span: slice, steps: int) -> LineTerms:
    """Terms of a block of a record of so many probes, each product averaged over `steps` equal parts, `(step, 1)`."""

    def mean(values: Floats) -> dict[str, Floats]:
        return {"mean": np.broadcast_to(values, (probes, 1))[span].reshape(steps, -1, 1).mean(axis=1)}

    parts = (terms.overlap, terms.z, terms.x, terms.dip)
    overlap, z, x, dip = (mean(product(part)) for part in parts)
    return replace(terms, overlap=overlap, z=z, x=x, dip=dip)


def _part(traces: Traces, span: slice) -> Traces:
    return Traces(traces.time_s[span], traces.error_z[span], traces.error_x[span], traces.delay_ps[span])


def _ended_by_time(rule: KeyRule, share: float) -> KeyRule:
    """A rule whose blocks have this share of the time for their pulses."""
    block = replace(rule.block, time_s=share * rule.block.time_s, sifted_bits=_BY_TIME)
    return replace(rule, block=block)


def _steps(controls: Controls, block_s: float) -> int:
    """Equal parts of a block of about `STEP_S` that hold whole probes."""
    probes = round(block_s / controls.probe_s)
    if probes < 1 or abs(probes * controls.probe_s - block_s) > 1e-6 * block_s:
        raise InputError(f"`time_s` must be whole probes of {controls.probe_s:g} s, but is {block_s:g}.")
    wanted = max(1, min(probes, round(block_s / STEP_S)))
    return next(steps for steps in range(wanted, 0, -1) if probes % steps == 0)


def _std(qber: float, counts: float) -> float:
    return sqrt(qber * (1.0 - qber) / counts) if counts > 0.0 else nan


def _ticker(total: int, on_progress: Progress | None) -> Callable[[], None] | None:
    """Counts calls, and reports each hundredth."""
    if on_progress is None:
        return None
    done, every = 0, max(1, total // 100)

    def tick() -> None:
        nonlocal done
        done += 1
        if done % every == 0 or done == total:
            on_progress(done, total)

    return tick
