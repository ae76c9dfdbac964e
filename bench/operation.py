"""Three hours of a link, fibre and equivalent loss."""

from pathlib import Path

from bench.timing import Row, best_s, row
from combmesh.config.load import load_network
from combmesh.study.budget.anchors import H28
from combmesh.study.budget.chosen import chosen_pair
from combmesh.study.operation.blocks import operate

EXAMPLE = Path(__file__).parents[1] / "examples" / "devices.toml"


def three_hours() -> list[Row]:
    """Drifts, controls, plans, counts and keys of H28, both cases one after the other on one core."""
    chosen = chosen_pair(load_network(EXAMPLE).network, None)
    ours = best_s(lambda: operate(chosen.pair, [H28], chosen.rule, 3.0, 1), 1)
    return [row("three hours of a link, fibre and equivalent loss", ours, "s", "the issue's limit", 60.0)]


BENCHMARKS = (three_hours,)
