"""One table of counts: the finite key, and what endless data would have given."""

from dataclasses import dataclass, replace

from combmesh.protocol.mdi.compare import ASYMPTOTIC, MethodResult, method_result, without_constants
from combmesh.protocol.mdi.keyrate import KeyLength
from combmesh.protocol.mode_pairing.keyrate import Analysis, key_length
from combmesh.protocol.mode_pairing.settings import Settings
from combmesh.protocol.mode_pairing.tally import PairTally

MODE_PAIRING = "mode-pairing"
METHOD_NAMES = (MODE_PAIRING, ASYMPTOTIC)

_ALWAYS_FAILS = 1.0 - 2**-53  # a bound that may: no fluctuation


@dataclass(frozen=True)
class Block:
    """Counts of a block, and what its key depends on besides.

    Attributes:
        tally: the counts.
        alice, bob: the sources; Alice's bits are the key.
        analysis: tail, epsilons, vacuum part.
        matched_share: share of the X pairs with light on both sides that was kept.
        f_ec, leak_bits: what was disclosed, as in `key_length`.
        clock_hz: rounds in a second, Hz; None if not known.
    """

    tally: PairTally
    alice: Settings
    bob: Settings
    analysis: Analysis
    matched_share: float
    f_ec: float = 1.16
    leak_bits: float | None = None
    clock_hz: float | None = None


def compare_methods(block: Block) -> list[MethodResult]:
    """The key length of the same counts, finite and asymptotic, in the order of `METHOD_NAMES`."""
    finite, endless = _key(block, block.analysis), asymptotic_key(block)
    as_if = "as if endless data had given these counts: no fluctuation, no constants"
    return [
        _result(block, MODE_PAIRING, finite, True, "finite key (Xie 2022)"),
        _result(block, ASYMPTOTIC, endless, False, as_if),
    ]


def asymptotic_key(block: Block) -> KeyLength:
    """The key length without fluctuations and constants."""
    analysis = replace(block.analysis, bound=_ALWAYS_FAILS, correctness=_ALWAYS_FAILS)
    return without_constants(_key(block, analysis))


def _key(block: Block, analysis: Analysis) -> KeyLength:
    return key_length(
        block.tally,
        block.alice,
        block.bob,
        analysis,
        matched_share=block.matched_share,
        f_ec=block.f_ec,
        leak_bits=block.leak_bits,
    )


def _result(block: Block, method: str, key: KeyLength, valid: bool, note: str) -> MethodResult:
    seconds = block.tally.rounds / block.clock_hz if block.clock_hz else None
    note = f"{note}; at least {key.pairs_11_lower:,.0f} single-photon pairs of the key"
    return method_result(method, key, seconds, block.tally.qber_z, valid, note)
