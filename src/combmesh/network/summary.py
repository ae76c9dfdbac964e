"""The blocks of each pair added up, and the numbers of the whole run."""

import hashlib
import json
import math
import os
import platform
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from combmesh import __version__
from combmesh.network.block import BlockReport
from combmesh.network.campaign import CampaignResult
from combmesh.network.plan import Channel
from combmesh.network.topology import Network, User, members
from combmesh.protocol.mdi.bounds import PAIRS
from combmesh.protocol.mdi.epsilon import epsilon_network_year

_XX, _ZZ = PAIRS.index("xx"), PAIRS.index("zz")


@dataclass(frozen=True)
class LinkReport:
    """All blocks of one pair.

    Attributes:
        user_a, user_b: the users; the key is the bits of `user_a`.
        distance_km: fibre between them through the relay, km; None where a length is not given.
        line, itu_label: the comb line and the nearest bin of the 50 GHz grid.
        method: whose key length the blocks have.
        blocks: blocks sent; `blocks_with_key` of them gave a key.
        qber_z, qber_x: share of wrong bits in zz and in xx, NaN without counts.
        s11_lower, phase_error_upper: of the weakest block, as in `KeyLength`.
        f_ec: reconciliation efficiency, mean of the blocks that were reconciled.
        planned_bits: key length expected before the blocks.
        key_bits: bits of key.
        light_s: light time, s.
        skr_bps: key bits for each second of light time.
        outcome: "key", or why a block has none, in words.
    """

    user_a: str
    user_b: str
    distance_km: float | None
    line: int
    itu_label: str
    method: str
    blocks: int
    blocks_with_key: int
    qber_z: float
    qber_x: float
    s11_lower: float
    phase_error_upper: float
    f_ec: float | None
    planned_bits: int
    key_bits: int
    light_s: float
    skr_bps: float
    outcome: str


def link_reports(network: Network, result: CampaignResult) -> list[LinkReport]:
    """One report for each pair, in the order of the channel plan."""
    by_name = {user.name: user for user in members(network.users)}
    blocks: defaultdict[tuple[str, str], list[BlockReport]] = defaultdict(list)
    for report in result.reports:
        blocks[report.alice, report.bob].append(report)
    return [
        _link_report(channel, blocks[channel.alice, channel.bob], by_name[channel.alice], by_name[channel.bob])
        for channel in result.channels
    ]


def _link_report(channel: Channel, blocks: list[BlockReport], alice: User, bob: User) -> LinkReport:
    lengths_km = (alice.fibre_km, bob.fibre_km)
    light_s = math.fsum(block.light_s for block in blocks)
    key_bits = sum(block.key_bits for block in blocks)
    efficiencies = [block.f_ec for block in blocks if block.f_ec is not None]
    return LinkReport(
        user_a=channel.alice,
        user_b=channel.bob,
        distance_km=None if None in lengths_km else math.fsum(length for length in lengths_km if length is not None),
        line=channel.line,
        itu_label=channel.itu_label,
        method=blocks[0].method,
        blocks=len(blocks),
        blocks_with_key=sum(block.key_bits > 0 for block in blocks),
        qber_z=_share(blocks, _ZZ),
        qber_x=_share(blocks, _XX),
        s11_lower=min(block.s11_lower for block in blocks),
        phase_error_upper=max(block.phase_error_upper for block in blocks),
        f_ec=math.fsum(efficiencies) / len(efficiencies) if efficiencies else None,
        planned_bits=sum(block.planned_bits for block in blocks),
        key_bits=key_bits,
        light_s=light_s,
        skr_bps=key_bits / light_s,
        outcome=next((block.outcome for block in blocks if block.key_bits == 0), "key"),
    )


def _share(blocks: list[BlockReport], pair: int) -> float:
    detected = sum(block.detected[pair] for block in blocks)
    return sum(block.errors[pair] for block in blocks) / detected if detected else math.nan


def tally_hash(reports: Sequence[BlockReport]) -> str:
    """SHA-256 of all tallies: equal for equal seeds, on any number of workers."""
    counts = [(r.alice, r.bob, r.line, r.block, r.pulses, r.sent, r.detected, r.errors) for r in reports]
    return hashlib.sha256(json.dumps(sorted(counts)).encode()).hexdigest()


def summary_document(
    network: Network, config_hash: str, result: CampaignResult, links: list[LinkReport], wall_s: float
) -> dict[str, object]:
    """The run as one JSON document; every number is derived, from simulated light."""
    keyed = [link for link in links if link.key_bits > 0]
    rates_bps = [link.skr_bps for link in links]
    return {
        "network": network.name,
        "origin": "simulated",
        "users": len(members(network.users)),
        "pairs": len(links),
        "pairs_with_key": len(keyed),
        "pairs_planned_with_key": sum(link.planned_bits > 0 for link in links),
        "total_key_bits": sum(link.key_bits for link in links),
        "mean_skr_bps": math.fsum(rates_bps) / len(rates_bps),
        "planned_skr_bps": math.fsum(link.planned_bits / link.light_s for link in links) / len(links),
        "mismatched_pairs": len(result.mismatched),
        "mismatched": [list(pair) for pair in result.mismatched],
        "blocks": len(result.reports),
        "new_blocks": result.new_blocks,
        "light_s": math.fsum(link.light_s for link in links),
        "wall_s": wall_s,
        "engine": network.reconciliation.engine if result.store else "none (key lengths only)",
        "accounting": network.reconciliation.accounting,
        "method": network.analysis.method,
        "pairs_by_method": dict(Counter(link.method for link in links)),
        "epsilon_network_year": math.fsum(
            sum(epsilon_network_year(network.epsilon, link.light_s / link.blocks, 1, link.method).values())
            for link in links
        ),
        "tail": network.analysis.tail,
        "config_hash": config_hash,
        "tally_hash": tally_hash(result.reports),
        "seed": network.seed,
        "store": _absolute(result.store),
        "versions": {
            "combmesh": __version__,
            "python": platform.python_version(),
            **_versions("numpy", "scipy", "numba"),
        },
        "cpu": _cpu_name(),
        "processors": os.cpu_count(),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "links": [asdict(link) for link in links],
    }


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _versions(*names: str) -> dict[str, str]:
    return {name: version(name) for name in names}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
