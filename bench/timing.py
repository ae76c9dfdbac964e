"""A row of a benchmark, and the best of several runs."""

import time
from collections.abc import Callable

Row = dict[str, object]


def row(name: str, value: float, unit: str, peer: str | None = None, peer_value: float | None = None) -> Row:
    """One measured figure beside its peer's; `ratio` is ours over the peer's."""
    ratio = value / peer_value if peer_value else None
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio}


def best_s(work: Callable[[], object], times: int = 3) -> float:
    """Shortest of several runs, s; one run before them compiles what there is to compile."""
    work()
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spans.append(time.perf_counter() - began)
    return min(spans)
