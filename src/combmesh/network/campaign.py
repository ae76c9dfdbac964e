"""All pairs of a network, block after block, each end into its own store.

The plan of every link (settings, method, coefficients) is recorded before its light. Order of a block's durable steps:
the key as pending at both ends, the journal's line, then available at both ends. After a stop at any moment, pending
keys with a line in the journal are promoted and the others discarded.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from combmesh.ground.errors import InputError
from combmesh.ground.parallel import map_batches
from combmesh.keystore.agreement import mismatched_pairs
from combmesh.keystore.model import StoredKey
from combmesh.keystore.sqlite import SqliteStore
from combmesh.link.relay import Link
from combmesh.network.block import BlockReport, BlockResult, BlockTask, Rules, plan_link, run_block
from combmesh.network.journal import Journal, PlanBook
from combmesh.network.plan import Channel, plan_channels
from combmesh.network.topology import Network, User, members, pair_link
from combmesh.protocol.mdi.block_plan import Judgement, Nearby, known_nearby

COUNT_BATCH = 200
"""Blocks of a batch when only counts are drawn: a block takes a millisecond."""

PLAN_BATCH = 8
"""Links of a batch when plans are made: a link alone takes some 50 ms."""

MANY_LINKS = 500
"""From so many different links on, each is planned from its neighbours, in some 5 ms."""

MANY_BATCH = 64
"""Links of a batch when they are planned from their neighbours."""

Progress = Callable[[int, int, int], None]
"""(blocks done, blocks of the run, key bits so far)"""


@dataclass(frozen=True)
class CampaignResult:
    """Everything that a run has made, earlier calls included.

    Attributes:
        channels: the channel plan.
        reports: block reports, ordered by channel and block.
        new_blocks: how many of them this call has made.
        mismatched: pairs whose two stores do not hold the same keys, or not those of the journal.
        store: folder of the stores; None if no bits were made.
    """

    channels: tuple[Channel, ...]
    reports: tuple[BlockReport, ...]
    new_blocks: int
    mismatched: tuple[tuple[str, str], ...]
    store: Path | None


def rules_of(network: Network, with_bits: bool) -> Rules:
    """The rules of a network's blocks. The vacuum part is not credited: a two-way engine makes the errors public."""
    judgement = Judgement(network.analysis.method, network.epsilon, network.analysis.tail, vacuum_credit=False)
    return Rules(judgement, network.reconciliation, network.block, network.settings, network.seed, with_bits)


def run_campaign(
    network: Network, folder: Path, *, with_bits: bool, workers: int, on_progress: Progress | None = None
) -> CampaignResult:
    """Key every pair of the network; goes on where an earlier run in `folder` was stopped.

    Args:
        network: the network.
        folder: folder of this run, created when missing.
        with_bits: distil bits into stores; otherwise stop at key lengths.
        workers: processes; they do not change the result.
        on_progress: called after each batch.
    """
    users = members(network.users)
    channels = plan_channels([user.name for user in users], network.comb)
    _prepare(folder)
    rules = rules_of(network, with_bits)
    with (
        Journal(folder / "journal.jsonl") as journal,
        PlanBook(folder / "plans.jsonl", network.relay) as book,
        _stores(folder, users, with_bits) as stores,
    ):
        _recover(stores, journal)
        blocks = _open_blocks(network, users, channels, journal)
        _plan_links(rules, [link for _, link, _ in blocks], book, workers)
        tasks = [BlockTask(channel, link, block, book.plans[book.arms(link)]) for channel, link, block in blocks]
        total = len(channels) * network.blocks
        key_bits = sum(report.key_bits for report in journal.reports.values())
        work = partial(run_block, rules)
        for results in map_batches(work, tasks, workers, 1 if with_bits else COUNT_BATCH):
            _commit(results, stores, journal)
            key_bits += sum(result.report.key_bits for result in results)
            if on_progress:
                on_progress(len(journal.reports), total, key_bits)
        mismatched = _mismatched(stores, journal)
        reports = tuple(
            journal.reports[channel.alice, channel.bob, channel.line, block]
            for channel in channels
            for block in range(network.blocks)
        )
    return CampaignResult(channels, reports, len(tasks), mismatched, folder / "stores" if with_bits else None)


def _prepare(folder: Path) -> None:
    try:
        (folder / "stores").mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InputError(f"The folder `{folder}` cannot be written: {error.strerror}.") from error


@contextmanager
def _stores(folder: Path, users: tuple[User, ...], with_bits: bool) -> Iterator[dict[str, SqliteStore]]:
    with ExitStack() as stack:
        names = [user.name for user in users] if with_bits else []
        yield {name: stack.enter_context(SqliteStore(folder / "stores" / f"{name}.sqlite", name)) for name in names}


def _recover(stores: dict[str, SqliteStore], journal: Journal) -> None:
    """Settle the keys that a stop has left pending."""
    finished = {report.key_id for report in journal.reports.values()}
    for store in stores.values():
        for (peer, line, block), (key_id, state) in store.key_index().items():
            if state == "pending" and key_id in finished:
                store.make_available(key_id)
            elif state == "pending":
                store.discard_pending(peer, line, block)


def _open_blocks(
    network: Network, users: tuple[User, ...], channels: tuple[Channel, ...], journal: Journal
) -> list[tuple[Channel, Link, int]]:
    by_name = {user.name: user for user in users}
    blocks = []
    for block in range(network.blocks):
        for channel in channels:
            if (channel.alice, channel.bob, channel.line, block) not in journal.reports:
                link = pair_link(network, by_name[channel.alice], by_name[channel.bob], channel.line)
                blocks.append((channel, link, block))
    return blocks


def _plan_links(rules: Rules, links: list[Link], book: PlanBook, workers: int) -> None:
    """Record a plan for each link that has none, before any of its light.

    Neighbours are all links, planned or not: where planning was stopped does not change the plans.
    """
    distinct = list({book.arms(link): link for link in links}.values())
    unplanned = [link for link in distinct if book.arms(link) not in book.plans]
    if not unplanned:
        return
    nearby: dict[Link, Nearby] = {}
    if rules.settings is None and len(distinct) >= MANY_LINKS:
        f_ec = rules.reconciliation.planned_f_ec
        known = known_nearby(distinct, rules.judgement, f_ec, rules.block, workers)
        nearby = dict(zip(distinct, known, strict=True))
    tasks = [(link, nearby.get(link)) for link in unplanned]
    for plans in map_batches(partial(plan_link, rules), tasks, workers, MANY_BATCH if nearby else PLAN_BATCH):
        book.record(plans)


def _commit(results: list[BlockResult], stores: dict[str, SqliteStore], journal: Journal) -> None:
    created_utc = datetime.now(UTC).isoformat(timespec="seconds")
    keyed = [result for result in results if result.alice_key is not None]
    for result in keyed:
        for key in _stored_keys(result, created_utc):
            stores[key.user].put_pending(key)
    journal.record(result.report for result in results)
    for result in keyed:
        for user in (result.report.alice, result.report.bob):
            stores[user].make_available(str(result.report.key_id))


def _stored_keys(result: BlockResult, created_utc: str) -> list[StoredKey]:
    report = result.report
    ends = ((report.alice, report.bob, result.alice_key), (report.bob, report.alice, result.bob_key))
    return [
        StoredKey(key.key_id, user, peer, report.line, report.block, "simulated", key.n_bits, key.material, created_utc)
        for user, peer, key in ends
        if key is not None
    ]


def _mismatched(stores: dict[str, SqliteStore], journal: Journal) -> tuple[tuple[str, str], ...]:
    if not stores:
        return ()
    pairs = set(mismatched_pairs(stores))
    held = {user: {key_id for key_id, _ in store.key_index().values()} for user, store in stores.items()}
    for report in journal.reports.values():
        if report.key_id is not None and not (
            report.key_id in held[report.alice] and report.key_id in held[report.bob]
        ):
            pairs.add((min(report.alice, report.bob), max(report.alice, report.bob)))
    return tuple(sorted(pairs))
