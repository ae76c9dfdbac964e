"""Printed results of mode pairing beside the counts that they are said to follow from.

What is judged: a rate by the published formula from the bounds printed with it, and the single-photon pairs by what the
counts give without any fluctuation, which is the best that statistics may claim. A rate below the formula is not
judged: constants and larger leaks make it so. A phase error alone is not judged either: near 1/2 it depends on the
decoy estimator, which papers seldom print.
"""

from collections.abc import Iterator, Mapping
from math import inf

from combmesh.protocol.mdi.bounds import binary_entropy
from combmesh.protocol.mdi.findings import Finding
from combmesh.protocol.mdi.printed import check_values
from combmesh.protocol.mode_pairing.compare import Block, asymptotic_key
from combmesh.protocol.mode_pairing.keyrate import rate_from_bounds
from combmesh.protocol.mode_pairing.tally import MU

PRINTED = {"m11_lower": inf, "phase_error_upper": 0.5, "skr_bps": inf}
"""Names of printed results and the most that each can be."""

_ROUNDING = 0.01  # relative error of printed private bits
_ESTIMATORS = 0.1
"""A linear programme over photon numbers gives up to 5 % more pairs than the closed form (Zhu 2023, 304 km)."""


def check_printed(printed: Mapping[str, float], block: Block) -> list[Finding]:
    """A finding for each printed result that is better than the counts, or than the printed bounds, allow.

    Args:
        printed: results by the names in `PRINTED`.
        block: the counts; its `clock_hz` is needed to compare bit/s.

    Raises:
        InputError: a name is not known, or a value is out of its range.
    """
    check_values(printed, PRINTED)
    if not block.tally.z_pairs[MU, MU]:
        return []
    return [*_pairs(printed, block), *_rate(printed, block)]


def _pairs(printed: Mapping[str, float], block: Block) -> Iterator[Finding]:
    """Printed single-photon pairs beside what the counts give."""
    most = asymptotic_key(block).pairs_11_lower
    if "m11_lower" in printed and printed["m11_lower"] > most * (1.0 + _ESTIMATORS):
        yield Finding(
            "not reproduced",
            ("m11_lower",),
            f"The printed m11_lower is {printed['m11_lower']:.4g}, but the counts give {most:.4g} even without any "
            "fluctuation.",
        )


def _rate(printed: Mapping[str, float], block: Block) -> Iterator[Finding]:
    """A printed rate beside the formula's rate from the printed bounds, with the vacuum part where it counts."""
    if not printed.keys() >= PRINTED.keys() or not block.clock_hz:
        return
    tally = block.tally
    leak_at_limit = float(tally.z_pairs[MU, MU]) * binary_entropy(tally.qber_z)
    f_ec = block.f_ec if block.leak_bits is None else block.leak_bits / leak_at_limit if leak_at_limit else 1.0
    free, charged = (
        rate_from_bounds(
            printed["m11_lower"],
            printed["phase_error_upper"],
            float(tally.z_pairs[MU, MU]),
            wrong,
            rounds=tally.rounds,
            rounds_hz=block.clock_hz,
            f_ec=f_ec,
        ).rate_bps
        for wrong in (0.0, tally.z_errors)
    )
    most = charged + asymptotic_key(block).vacuum_bits / tally.rounds * block.clock_hz
    if printed["skr_bps"] > most + _ROUNDING * free:
        yield Finding(
            "not reproduced",
            ("skr_bps", "phase_error_upper", "m11_lower"),
            f"The printed skr_bps is {printed['skr_bps']:.4g}, but the printed m11_lower {printed['m11_lower']:.4g} "
            f"and phase_error_upper {printed['phase_error_upper']:.4g} give {most:.4g} bit/s (f_ec = {f_ec:.4g}).",
        )
