"""One block of one pair: light to counts, counts to key length, bits to key."""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from combmesh.distill.authentication import PAIR_BYTES, POINT_BYTES, MemoryPool
from combmesh.distill.local import exchange
from combmesh.distill.secret import SecretKey
from combmesh.distill.session import BlockName, Session
from combmesh.distill.settings import DistilSettings
from combmesh.ground.rng import stream
from combmesh.link.relay import Link
from combmesh.network.plan import Channel
from combmesh.protocol.epsilon import verification_bits
from combmesh.protocol.mdi.block_plan import BlockPlan, Judgement, Nearby, block_key, plan_block
from combmesh.protocol.mdi.bounds import ZZ, binary_entropy
from combmesh.protocol.mdi.keyrate import KeyLength
from combmesh.protocol.mdi.rules import BlockRule, Reconciliation
from combmesh.protocol.mdi.settings import Settings
from combmesh.protocol.mdi.tally import Tally, draw_tally, expected_tally

Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Rules:
    """What all blocks of a run have in common.

    Attributes:
        judgement: how counts become a key length.
        reconciliation: how errors are corrected and charged.
        block: when a block ends.
        settings: every user's settings; None optimises them for each link.
        seed: seed of the simulated light.
        with_bits: distil bits; otherwise stop at the key length.
    """

    judgement: Judgement
    reconciliation: Reconciliation
    block: BlockRule
    settings: Settings | None
    seed: int
    with_bits: bool


@dataclass(frozen=True)
class BlockTask:
    """One block of one pair on its line, and the plan that was fixed for it."""

    channel: Channel
    link: Link
    block: int
    plan: BlockPlan


@dataclass(frozen=True)
class BlockReport:
    """What came of a block; numbers only, no key.

    Attributes:
        alice, bob, line, block: which block.
        pulses: pulses sent, fixed beforehand.
        light_s: how long that took, s.
        sent, detected, errors: `(pair,)` the tally, in the order of `bounds.PAIRS`.
        method: whose key length it is.
        plan_digest: digest of the plan, which was recorded before the block.
        planned_bits: key length expected before the block.
        s11_lower, phase_error_upper: as in `block_key`.
        f_ec: reconciliation efficiency: parities disclosed by Alice over n h(QBER); planned where no bits are made,
            None where nothing was reconciled.
        leak_bits: bits subtracted as disclosed, beyond the log2(2/eps_cor) of every key length.
        key_bits: length of the key, 0 for none.
        key_id: its name at both ends; None without bits or without a key.
        outcome: "key", or why there is none, in words.
    """

    alice: str
    bob: str
    line: int
    block: int
    pulses: int
    light_s: float
    sent: tuple[int, ...]
    detected: tuple[int, ...]
    errors: tuple[int, ...]
    method: str
    plan_digest: str
    planned_bits: int
    s11_lower: float
    phase_error_upper: float
    f_ec: float | None
    leak_bits: float
    key_bits: int
    key_id: str | None
    outcome: str


@dataclass(frozen=True)
class BlockResult:
    """The report of a block, and the key as each end made it; None without a key."""

    report: BlockReport
    alice_key: SecretKey | None = None
    bob_key: SecretKey | None = None


def run_block(rules: Rules, task: BlockTask) -> BlockResult:
    """Simulate and key one block; pure but for key bits, which come from the operating system."""
    plan, f_ec = task.plan, rules.reconciliation.planned_f_ec
    expected = expected_tally(task.link, plan.alice, plan.bob, plan.pulses)
    planned = block_key(plan, expected, rules.judgement, f_ec=f_ec)
    channel = task.channel
    rng = stream(rules.seed, channel.alice, channel.bob, channel.line, task.block)
    tally = draw_tally(task.link, plan.alice, plan.bob, plan.pulses, rng)
    if not rules.with_bits:
        length = block_key(plan, tally, rules.judgement, f_ec=f_ec)
        return BlockResult(_report(task, tally, planned, length, f_ec, length.length_bits, None, length.outcome))
    return _distilled(rules, task, tally, planned, expected.qber_z, rng)


def plan_link(rules: Rules, task: tuple[Link, Nearby | None]) -> tuple[Link, BlockPlan]:
    """The plan of a link's blocks, beside the link; `task` has what the plans of other links tell, if that is known."""
    link, nearby = task
    f_ec = rules.reconciliation.planned_f_ec
    return link, plan_block(link, rules.judgement, f_ec, rules.block, rules.settings, nearby)


def _distilled(
    rules: Rules,
    task: BlockTask,
    tally: Tally,
    planned: KeyLength,
    planned_qber: float,
    rng: np.random.Generator,
) -> BlockResult:
    plan = task.plan
    before_leak = block_key(plan, tally, rules.judgement, leak_bits=0.0)
    if before_leak.length_bits == 0:
        return BlockResult(_report(task, tally, planned, before_leak, None, 0, None, before_leak.outcome))
    alice_bits, bob_bits = sifted_pair(int(tally.detected[ZZ]), int(tally.errors[ZZ]), rng)
    accounting, correctness = rules.reconciliation.accounting, rules.judgement.budget.correctness
    tag_term = verification_bits(correctness)  # the ledger holds the tag itself
    budget_bits = min(before_leak.signed_bits + tag_term, float(alice_bits.size))
    settings = DistilSettings(planned_qber, budget_bits, accounting, correctness)
    alice, bob = _sessions(task, alice_bits, bob_bits, settings)
    at_alice, at_bob = (sealed.distilled for sealed in exchange(alice, bob))
    leak_bits = alice.ledger.leak_bits(settings.accounting)
    length = block_key(plan, tally, rules.judgement, leak_bits=leak_bits - tag_term)
    shannon_bits = tally.detected[ZZ] * binary_entropy(tally.qber_z)
    f_ec = at_alice.parity_bits / shannon_bits if shannon_bits > 0 else None
    if at_alice.key is None or at_bob.key is None:
        outcome = at_bob.outcome if at_alice.key is not None else at_alice.outcome
        return BlockResult(_report(task, tally, planned, length, f_ec, 0, None, outcome))
    key = at_alice.key
    report = _report(task, tally, planned, length, f_ec, key.n_bits, key.key_id, "key")
    return BlockResult(report, at_alice.key, at_bob.key)


def _sessions(task: BlockTask, alice: Bits, bob: Bits, settings: DistilSettings) -> tuple[Session, Session]:
    """Both ends of a block, with the pads that a pre-shared secret of the two users would hold."""
    point, pads = os.urandom(POINT_BYTES), os.urandom(PAIR_BYTES)
    pools = MemoryPool(point), MemoryPool(point)
    for pool in pools:
        pool.add("pre-shared", pads)
    channel = task.channel
    address = f"{channel.alice}/{channel.bob}/{channel.line}/{task.block}"
    name = BlockName(address, hashlib.sha256(address.encode()).hexdigest())
    return Session("alice", alice, settings, name, pools[0]), Session("bob", bob, settings, name, pools[1])


def sifted_pair(n_bits: int, n_errors: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """`(bit,)` sifted bits of Alice, from the operating system, and of Bob, with exactly `n_errors` drawn errors."""
    raw = np.frombuffer(os.urandom((n_bits + 7) // 8), dtype=np.uint8)
    alice = np.unpackbits(raw, count=n_bits)
    bob = alice.copy()
    bob[rng.choice(n_bits, n_errors, replace=False, shuffle=False)] ^= 1
    return alice, bob


def _report(
    task: BlockTask,
    tally: Tally,
    planned: KeyLength,
    length: KeyLength,
    f_ec: float | None,
    key_bits: int,
    key_id: str | None,
    outcome: str,
) -> BlockReport:
    if key_bits == 0 and planned.length_bits == 0:
        outcome = "no key: none was expected over this loss"
    return BlockReport(
        alice=task.channel.alice,
        bob=task.channel.bob,
        line=task.channel.line,
        block=task.block,
        pulses=task.plan.pulses,
        light_s=task.plan.pulses / task.link.clock_hz,
        sent=tuple(int(n) for n in tally.sent),
        detected=tuple(int(n) for n in tally.detected),
        errors=tuple(int(n) for n in tally.errors),
        method=task.plan.method,
        plan_digest=task.plan.digest,
        planned_bits=planned.length_bits,
        s11_lower=length.s11_lower,
        phase_error_upper=length.phase_error_upper,
        f_ec=f_ec,
        leak_bits=length.leak_bits,
        key_bits=key_bits,
        key_id=key_id,
        outcome=outcome,
    )
