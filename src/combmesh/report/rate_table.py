"""Key rates of a link by every method, as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from combmesh.report.numbers import NO_VALUE, fixed, significant

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class RateRow:
    """Expected key of a link at one distance by one method.

    Attributes:
        distance_km: fibre from user to user, None if it is not known.
        method: name of the method.
        skr_bps: key bits for each second of light.
        length_bits: key bits of a block.
        settings: settings of `alice` and `bob`, and what was fixed of the `certificate` or of the `pairing`.
        repeaterless_bps: the most that any link without a repeater could give.
    """

    distance_km: float | None
    method: str
    skr_bps: float
    length_bits: int
    settings: Mapping[str, Any]
    repeaterless_bps: float


_SETTINGS = ("x", "y", "z", "nu", "mu", "p_o", "p_x", "p_y", "p_z", "p_nu", "p_mu")  # those that a protocol has


def sweep_table(rows: Sequence[RateRow]) -> "Table":
    """A line for each distance, a column for each method, bit/s."""
    from rich.table import Table

    methods = list(dict.fromkeys(row.method for row in rows))
    table = Table(caption="bit/s of light time")
    for header in ("km", *methods, "repeaterless"):
        table.add_column(header, justify="right", no_wrap=True)
    for distance_km in dict.fromkeys(row.distance_km for row in rows):
        here = {row.method: row for row in rows if row.distance_km == distance_km}
        rates = [significant(here[method].skr_bps) for method in methods]
        table.add_row(fixed(distance_km, 1), *rates, significant(here[methods[0]].repeaterless_bps))
    return table


def settings_table(rows: Sequence[RateRow]) -> "Table":
    """A line for each method and user: the key and the settings that give it."""
    from rich.table import Table

    km = fixed(rows[0].distance_km, 1)
    where = "" if km == NO_VALUE else f"{km} km · "
    table = Table(caption=f"{where}repeaterless bound {significant(rows[0].repeaterless_bps)} bit/s")
    names = [name for name in _SETTINGS if name in rows[0].settings["alice"]]
    slots = ["slots"] if "pairing" in rows[0].settings else []
    for header in ("method", "key bits", "bit/s", *slots, "user", *names):
        table.add_column(header, justify="left" if header in ("method", "user") else "right", no_wrap=True)
    for row in rows:
        users = [[significant(row.settings[user][name]) for name in names] for user in ("alice", "bob")]
        key = [row.method, f"{row.length_bits:,}", significant(row.skr_bps)]
        key += [f"{row.settings['pairing']['longest_slots']:,}" for _ in slots]
        if users[0] == users[1]:
            table.add_row(*key, "both", *users[0])
            continue
        table.add_row(*key, "Alice", *users[0])
        table.add_row(*("" for _ in key), "Bob", *users[1])
    return table


def rate_notes(rows: Sequence[RateRow]) -> str:
    """What is to be known about the methods shown."""
    notes = {
        "double-scan": "double-scan: the published reference (Jiang 2021).",
        "certificate": "certificate (combmesh), not the paper's analysis: elementary proof; its coefficients are fixed "
        "before the block.",
        "certificate-renyi": "certificate-renyi: the same with the Rényi proof, an option.",
        "asymptotic": "asymptotic: endless data and decoys. Every rate is expected, of the closed-form channel.",
        "mode-pairing": "mode-pairing: clicks at most `slots` apart are paired afterwards (Zeng 2022); finite key "
        "(Xie 2022).",
        "mode-pairing-asymptotic": "mode-pairing-asymptotic: endless data and decoys. Every rate is expected, of the "
        "closed-form channel.",
    }
    shown = {row.method for row in rows}
    return "\n".join(text for method, text in notes.items() if method in shown)
