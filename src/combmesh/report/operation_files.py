"""A link over hours, as JSON and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from combmesh.ground.provenance import Mark
from combmesh.report.export import write_atomic
from combmesh.study.budget.rates import METHODS
from combmesh.study.operation.anchors import Comparison
from combmesh.study.operation.blocks import Record
from combmesh.study.operation.controls import MARKS


def operation_document(
    records: Sequence[Record],
    found: Sequence[Comparison],
    names: tuple[str, str],
    seed: int,
    broken: Sequence[str],
    marks: Mapping[str, Mark],
) -> dict[str, Any]:
    """Every case with its blocks, and the comparison; traces are left out."""
    shown = {path: f"{mark.kind}: {mark.note}".rstrip(": ") for path, mark in sorted({**marks, **MARKS}.items())}
    return {
        "pair": list(names),
        "seed": seed,
        "origin": "simulated",
        "comparison": [{**asdict(row), "difference": row.difference, "deviation": row.deviation} for row in found],
        "cases": [_case(record) for record in records],
        "assumptions_broken": list(broken),
        "provenance": shown,
    }


def _case(record: Record) -> dict[str, Any]:
    names = ("case", "controlled", "line", "itu_label", "block_s", "disclosed_counts", "planned_bps", "unpaid_bps")
    return {
        **{name: getattr(record, name) for name in names},
        "slot_shares": list(record.slot_shares),
        "blocks": [asdict(block) for block in record.blocks],
    }


def write_operation_csv(records: Sequence[Record], path: Path | str) -> None:
    """A row for each block of each case."""
    plain = [name for name in asdict(records[0].blocks[0]) if name not in ("key_bits", "skr_bps")]
    rates = [f"{kind}_{method}" for kind in ("key_bits", "skr_bps") for method in METHODS]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "line", "controlled", *plain, *rates])
    for record in records:
        for block in record.blocks:
            keys = [getattr(block, kind)[method] for kind in ("key_bits", "skr_bps") for method in METHODS]
            plain_values = [getattr(block, name) for name in plain]
            writer.writerow([record.case, record.line, record.controlled, *plain_values, *keys])
    write_atomic(text.getvalue().encode(), path)
