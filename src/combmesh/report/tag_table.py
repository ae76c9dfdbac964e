"""Time tags and what is sifted from them, as text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from combmesh.report.numbers import NO_VALUE, fixed, significant

if TYPE_CHECKING:
    from rich.table import Table

_FACTS = (
    "missing_records",
    "undeclared_records",
    "unsorted_events",
    "truncated_bytes",
    "truncated_lines",
    "unended_line",
    "unknown_records",
    "dummy_stamps",
    "void_stamps",
    "stamps_without_detector",
    "markers",
    "assumed",
)
"""What a reader states of a file that is not quite as it should be."""


def channel_table(document: Mapping[str, Any]) -> "Table":
    """A line for each channel: clicks and their rate."""
    from rich.table import Table

    table = Table()
    for header in ("channel", "clicks", "1/s"):
        table.add_column(header, justify="right", no_wrap=True)
    for channel, count in document["clicks"].items():
        rate = document["rates_hz"][channel]
        table.add_row(channel, f"{count:,}", NO_VALUE if rate is None else significant(rate))
    return table


def tag_notes(document: Mapping[str, Any], name: str) -> str:
    """What stands below the channels."""
    step = significant(document["resolution_ps"])
    lines = [f"{name}: {document['format']}, {significant(document['duration_s'])} s, steps of {step} ps."]
    lines += [f"{key.replace('_', ' ')}: {document['about'][key]}" for key in _FACTS if key in document["about"]]
    if histogram := document.get("histogram"):
        a, b = histogram["channels"]
        highest = max(histogram["counts"])
        place = histogram["first_edge_ps"] + (histogram["counts"].index(highest) + 0.5) * histogram["bin_ps"]
        lines.append(
            f"Channels {a} and {b}: {sum(histogram['counts']):,} pairs, by chance "
            f"{significant(histogram['accidentals_per_bin'])} in each bin of {histogram['bin_ps']} ps; "
            f"the highest bin has {highest:,} at {place:,.0f} ps."
        )
    if g2 := document.get("g2"):
        lines.append(
            f"g2(0) = {significant(g2['g2'])} +- {significant(g2['error'])}: {g2['centre_count']} pairs in the peak at "
            f"{g2['centre_ps']:,.0f} ps, {g2['side_mean']:.1f} in each of {g2['side_peaks']} others, "
            f"{g2['period_ps']:.3f} ps apart."
        )
    return "\n".join(lines)


def counts_table(counts: Mapping[str, Mapping[str, int]]) -> "Table":
    """A line for each pair of sources."""
    from rich.table import Table

    table = Table()
    for header in ("pair", "sent", "announced", "wrong", "share"):
        table.add_column(header, justify="left" if header == "pair" else "right", no_wrap=True)
    for pair, row in counts.items():
        share = row["errors"] / row["detected"] if row["detected"] else None
        table.add_row(pair, f"{row['sent']:,}", f"{row['detected']:,}", f"{row['errors']:,}", fixed(share, 4))
    return table


def sift_notes(document: Mapping[str, Any]) -> str:
    """What stands below the counts."""
    clock = document["clock"]
    delays = ", ".join(f"{name} {delay:+,.1f}" for name, delay in document["delays_ps"].items())
    return (
        f"{document['origin'].capitalize()} light: {document['announced']:,} announcements, "
        f"{document['sifted_bits']:,} sifted bits.\n"
        f"Clock: {clock['offset_ppm']:+.4f} ppm, jitter {clock['jitter_ps']:.1f} ps, phase good to "
        f"{significant(clock['phase_error_ps'])} ps. Delays behind 1H: {delays} ps."
    )
