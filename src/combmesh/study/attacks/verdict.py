"""The users' own analysis of an attacked block, held against Eve's record."""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor, isnan

from combmesh.protocol.mdi.certificate.certificate import Certificate, certified_key
from combmesh.protocol.mdi.certificate.tuned import tuned_certificate
from combmesh.protocol.mdi.compare import Block, scanned_key
from combmesh.protocol.mdi.consistency import check_consistency
from combmesh.protocol.mdi.epsilon import EpsilonBudget
from combmesh.protocol.mdi.keyrate import KeyLength
from combmesh.protocol.mdi.tally import expected_tally
from combmesh.study.attacks.catalogue import Attack
from combmesh.study.attacks.experiment import Observed, observe
from combmesh.study.attacks.world import World

METHOD = "certificate"
LISTS_DIFFER = "no key: the users' lists of announcements differ"
SAFE, NO_KEY, BROKEN = "the key is safe", "no key", "the attack succeeds"


@dataclass(frozen=True)
class Analysis:
    """How the users make a key of their counts.

    Attributes:
        budget, tail, vacuum_credit, f_ec: as of `protocol.mdi.compare.Block`.
    """

    budget: EpsilonBudget = EpsilonBudget()
    tail: str = "exact"
    vacuum_credit: bool = False
    f_ec: float = 1.16


@dataclass(frozen=True)
class AttackResult:
    """An attack, what the users saw of it, and what Eve knows.

    Attributes:
        name, inside_proof: of the attack.
        pulses, share, seed: of the run.
        received, announced: announcements that reached Alice, and those that she accepted.
        lists_agree: whether both users accepted the same list; if not they stop, and count nothing.
        sifted_bits: raw key bits.
        qber_z, qber_x: shares of wrong bits; None without any.
        s11_lower, phase_error_upper: as in `KeyLength`.
        key_bits: of the double scan.
        certificate_bits: of a certificate that was planned for the honest link; None where there is none.
        leak_bits: disclosed for error correction; 0 without a key, as nothing is then disclosed.
        unknown_bits: raw key bits that Eve does not know.
        unknown_bits_errors_public: those left when the positions of the errors become public, which the certificate
            (and the scans without the vacuum's bits) allow.
        mistaken_bits: bits in her record that are wrong.
        consistency: the verdict on the counts.
        outcome: "key", or why there is none.
        verdict: "the key is safe", "no key" or "the attack succeeds".
    """

    name: str
    inside_proof: bool
    pulses: int
    share: float
    seed: int
    received: int
    announced: int
    lists_agree: bool
    sifted_bits: int
    qber_z: float | None
    qber_x: float | None
    s11_lower: float
    phase_error_upper: float
    key_bits: int
    certificate_bits: int | None
    leak_bits: int
    unknown_bits: int
    unknown_bits_errors_public: int
    mistaken_bits: int
    consistency: str | None
    outcome: str
    verdict: str

    @property
    def proof_fails(self) -> bool:
        """Whether an attack that the proof covers has won, which must never be."""
        return self.inside_proof and self.verdict == BROKEN


def run_attack(
    attack: Attack, world: World, pulses: int, seed: int, analysis: Analysis, share: float = 1.0
) -> AttackResult:
    """Run an attack, let the users analyse their counts, and compare the key with Eve's record."""
    seen = observe(attack, world, pulses, seed, share)
    result = _result(attack, seen, pulses, seed, share)
    return judged(result, seen, world, analysis) if seen.lists_agree else replace(result, outcome=LISTS_DIFFER)


def judged(result: AttackResult, seen: Observed, world: World, analysis: Analysis) -> AttackResult:
    """The result with the users' analysis of what they saw, and the verdict."""
    tally = seen.tally
    scanned, certified = users_keys(seen, world, analysis)
    found = check_consistency(tally, world.alice, world.bob, bound=analysis.budget.bound, tail=analysis.tail)
    leak = floor(scanned.leak_bits) if scanned.length_bits or certified else 0
    unknown = seen.unknown if analysis.vacuum_credit else seen.unknown_errors_public
    return replace(
        result,
        sifted_bits=seen.sifted_bits,
        qber_z=None if isnan(tally.qber_z) else tally.qber_z,
        qber_x=None if isnan(tally.qber_x) else tally.qber_x,
        s11_lower=scanned.s11_lower,
        phase_error_upper=scanned.phase_error_upper,
        key_bits=scanned.length_bits,
        certificate_bits=certified,
        leak_bits=leak,
        unknown_bits=unknown,
        unknown_bits_errors_public=seen.unknown_errors_public,
        mistaken_bits=seen.mistaken,
        consistency="impossible" if found.impossible else found.verdict,
        outcome=scanned.outcome,
        verdict=verdict_of(scanned.length_bits, unknown, certified or 0, seen.unknown_errors_public, leak),
    )


def users_keys(seen: Observed, world: World, analysis: Analysis) -> tuple[KeyLength, int | None]:
    """(key by the double scan; key bits by the certificate that was planned, None where there is none).

    Counts that no light gives are no key for `combmesh key`; here they are taken as they are, which is harder to obey.
    """
    block = Block(
        seen.tally,
        world.alice,
        world.bob,
        analysis.budget,
        analysis.tail,
        vacuum_credit=analysis.vacuum_credit,
        f_ec=analysis.f_ec,
    )
    certificate = planned_certificate(world, round(seen.tally.pulses), analysis.budget)
    if certificate is None:
        return scanned_key(block, "double-scan"), None
    certified = certified_key(seen.tally, certificate, analysis.budget, METHOD, f_ec=analysis.f_ec)
    return scanned_key(block, "double-scan"), certified.length_bits


def verdict_of(key: int, unknown: int, certified: int, unknown_certified: int, leak: int) -> str:
    """Whether a key and what was disclosed for it are more bits than Eve does not know.

    >>> verdict_of(70, 100, 0, 90, 30), verdict_of(71, 100, 0, 90, 30), verdict_of(0, 10, 0, 10, 30)
    ('the key is safe', 'the attack succeeds', 'no key')
    """
    if (key and key + leak > unknown) or (certified and certified + leak > unknown_certified):
        return BROKEN
    return SAFE if key or certified else NO_KEY


@lru_cache(maxsize=64)
def planned_certificate(world: World, pulses: int, budget: EpsilonBudget) -> Certificate | None:
    """The certificate that the users planned for the link that they believe in, before the block."""
    expected = expected_tally(world.link, world.alice, world.bob, float(pulses))
    return tuned_certificate(expected, world.alice, world.bob, budget, METHOD)


def _result(attack: Attack, seen: Observed, pulses: int, seed: int, share: float) -> AttackResult:
    """The result before any analysis: no key."""
    return AttackResult(
        name=attack.name,
        inside_proof=attack.inside_proof,
        pulses=pulses,
        share=share,
        seed=seed,
        received=seen.received,
        announced=seen.announced,
        lists_agree=seen.lists_agree,
        sifted_bits=0,
        qber_z=None,
        qber_x=None,
        s11_lower=0.0,
        phase_error_upper=0.5,
        key_bits=0,
        certificate_bits=None,
        leak_bits=0,
        unknown_bits=0,
        unknown_bits_errors_public=0,
        mistaken_bits=0,
        consistency=None,
        outcome="",
        verdict=NO_KEY,
    )
