"""A budget, and all lines of a pair, as JSON and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from combmesh.ground.provenance import Mark
from combmesh.report.export import write_atomic
from combmesh.study.budget.budget import COHERENT_FLOOR_X, QUANTITIES, Budget, Term
from combmesh.study.budget.causes import CAUSES
from combmesh.study.budget.channels import Channel, Figure
from combmesh.study.budget.rates import METHODS


def budget_document(budget: Budget, names: tuple[str, str], marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Everything of a budget; every number is derived."""
    relay = budget.link.relay
    return {
        "pair": list(names),
        "line": budget.line,
        "itu_label": budget.itu_label,
        "dip_visibility": budget.dip_visibility,
        "qber_z": budget.qber_z,
        "qber_x": budget.qber_x,
        "coherent_floor_x": COHERENT_FLOOR_X,
        "floor_x": budget.floor_x,
        "visibility": relay.visibility,
        "misalignment_z": relay.misalignment_z,
        "misalignment_x": relay.misalignment_x,
        "rates_bps": dict(budget.rates_bps),
        "terms": [_term(term) for term in budget.terms],
        "everything_perfect": _term(budget.all_perfect),
        "not_closed": dict(budget.not_closed),
        "assumptions_broken": list(budget.broken),
        "settings": {"alice": budget.plans.scan.alice.shown(), "bob": budget.plans.scan.bob.shown()},
        "provenance": _shown(marks),
    }


def channel_document(
    channels: Sequence[Channel], figures: Sequence[Figure], names: tuple[str, str], seed: int, marks: Mapping[str, Mark]
) -> dict[str, Any]:
    """All lines, and their means and spreads beside the paper's."""
    return {
        "pair": list(names),
        "seed": seed,
        "origin": "simulated",
        "figures": [{**asdict(figure), "deviation": figure.deviation} for figure in figures],
        "lines": [asdict(channel) for channel in channels],
        "provenance": _shown(marks),
    }


def write_budget_csv(budget: Budget, path: Path | str) -> None:
    """A row for each cause."""
    columns = [f"{kind}_{quantity}" for kind in ("factor", "points") for quantity in QUANTITIES]
    rates = [f"{kind}_bps_{method}" for kind in ("planned", "kept") for method in METHODS]
    rows = []
    for term in budget.terms:
        numbers = [found[quantity] for found in (term.factors, term.points) for quantity in QUANTITIES]
        gains = [found[method] if found else "" for found in (term.planned_bps, term.kept_bps) for method in METHODS]
        rows.append([term.name, CAUSES[term.name].fitted, *numbers, *gains])
    _write(["cause", "fitted_to", *columns, *rates], rows, path)


def write_channel_csv(channels: Sequence[Channel], path: Path | str) -> None:
    """A row for each line."""
    plain = [name for name in asdict(channels[0]) if name not in ("skr_bps", "expected_bps")]
    rates = [f"{kind}_{method}" for kind in ("skr_bps", "expected_bps") for method in METHODS]
    rows = []
    for channel in channels:
        values = [getattr(channel, name) for name in plain]
        rows.append([*values, *(getattr(channel, kind)[m] for kind in ("skr_bps", "expected_bps") for m in METHODS)])
    _write([*plain, *rates], rows, path)


def _write(header: list[str], rows: list[list[Any]], path: Path | str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomic(text.getvalue().encode(), path)


def _term(term: Term) -> dict[str, Any]:
    cause = CAUSES.get(term.name)
    shown = {"words": cause.words, "fitted_to": cause.fitted, "could_be": cause.could_be} if cause else {}
    return {
        "name": term.name,
        **shown,
        "factors": dict(term.factors),
        "points": dict(term.points),
        "planned_bps": dict(term.planned_bps) if term.planned_bps else None,
        "kept_bps": dict(term.kept_bps) if term.kept_bps else None,
    }


def _shown(marks: Mapping[str, Mark]) -> dict[str, str]:
    return {path: f"{mark.kind}: {mark.note}".rstrip(": ") for path, mark in sorted(marks.items())}
