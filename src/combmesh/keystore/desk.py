"""What every change of a store needs: a transaction, whose store it is, the keys that seal it, and the time."""

from dataclasses import dataclass

from combmesh.ground.errors import RunError
from combmesh.keystore.layout import CELL_BYTES
from combmesh.keystore.reservation import (
    DONE,
    LIVE,
    BitState,
    Block,
    Direction,
    Share,
    Span,
    change,
    check_step,
)
from combmesh.keystore.sealing import Sealer, Vault, Wrapped
from combmesh.keystore.writer import Transaction


@dataclass(frozen=True)
class Desk:
    """One transaction's view of a store.

    Attributes:
        tx: the transaction.
        user: whose store it is.
        vault: what seals its rows.
        now_utc: the time, in ISO 8601.
        nonce: of the running session; empty before there is one.
    """

    tx: Transaction
    user: str
    vault: Vault
    now_utc: str
    nonce: str = ""

    def meta(self, name: str) -> str:
        row = self.tx.one("SELECT value FROM meta WHERE name = ?", name)
        if row is None:
            raise RunError(f"The key store of {self.user!r} is damaged: it has no `{name}`.")
        return str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        self.tx.run("UPDATE meta SET value = ? WHERE name = ?", value, name)

    def sealer(self, key_id: str) -> Sealer:
        """The sealer of a block that is not spent."""
        row = self.tx.one("SELECT peer, kek, wrapped FROM keys WHERE key_id = ?", key_id)
        if row is None or row[2] is None:
            raise RunError(f"The key {key_id} is not in the store of {self.user!r} any more.")
        return self.vault.sealer(Wrapped(row[1], row[2]), self.user, row[0], key_id)

    def ends(self, key_id: str, sealer: Sealer) -> bytes:
        """Naming secret and rest of a block."""
        row = self.tx.one("SELECT ends FROM keys WHERE key_id = ?", key_id)
        if row is None or row[0] is None:
            raise RunError(f"The key {key_id} is not in the store of {self.user!r} any more.")
        return sealer.open(row[0], self.user, key_id, "ends")

    def write_cells(self, key_id: str, direction: Direction, sealer: Sealer, share: bytes) -> None:
        """Seal a share, cell by cell."""
        for cell, start in enumerate(range(0, len(share), CELL_BYTES)):
            self._write_cell(key_id, direction, cell, sealer, share[start : start + CELL_BYTES])

    def read_bytes(self, key_id: str, direction: Direction, sealer: Sealer, start: int, stop: int) -> bytes:
        """Bytes of a share."""
        first = start // CELL_BYTES
        cells = [self._cell(key_id, direction, sealer, cell) for cell in range(first, -(-stop // CELL_BYTES))]
        base = first * CELL_BYTES
        return b"".join(cells)[start - base : stop - base]

    def erase(self, key_id: str, direction: Direction, sealer: Sealer, start: int, stop: int) -> bytes:
        """Bytes of a share, which are overwritten with zeros where they lay."""
        taken = []
        for cell in range(start // CELL_BYTES, -(-stop // CELL_BYTES)):
            base = cell * CELL_BYTES
            plain = self._cell(key_id, direction, sealer, cell)
            low, high = max(start - base, 0), min(stop - base, len(plain))
            taken.append(plain[low:high])
            self._write_cell(key_id, direction, cell, sealer, plain[:low] + bytes(high - low) + plain[high:])
        return b"".join(taken)

    def _cell(self, key_id: str, direction: Direction, sealer: Sealer, cell: int) -> bytes:
        row = self.tx.one(
            f"SELECT sealed FROM cells WHERE key_id = ? AND direction = ? AND cell = ?{self.tx.wait_lock}",
            key_id,
            direction,
            cell,
        )
        if row is None:
            raise RunError(f"The key store of {self.user!r} is damaged: a part of the key {key_id} is missing.")
        return sealer.open(row[0], self.user, key_id, direction, str(cell))

    def _write_cell(self, key_id: str, direction: Direction, cell: int, sealer: Sealer, plain: bytes) -> None:
        sealed = sealer.seal(plain, self.user, key_id, direction, str(cell))
        self.tx.run(
            "INSERT INTO cells VALUES (?, ?, ?, ?) ON CONFLICT (key_id, direction, cell)"
            " DO UPDATE SET sealed = excluded.sealed",
            key_id,
            direction,
            cell,
            sealed,
        )

    def spans_at(self, key_id: str, direction: Direction, start: int, stop: int) -> tuple[Span, ...]:
        """The spans of a share that hold or touch [start, stop)."""
        rows = self.tx.all(
            "SELECT start, stop, state FROM spans WHERE key_id = ? AND direction = ? AND start <= ? AND stop >= ?"
            f" ORDER BY start{self.tx.wait_lock}",
            key_id,
            direction,
            stop,
            start,
        )
        return tuple(Span(*row) for row in rows)

    def move(self, key_id: str, direction: Direction, start: int, stop: int, before: BitState, after: BitState) -> None:
        """Move bytes from one state to another; refuses unless all of them are in the first."""
        old = self.spans_at(key_id, direction, start, stop)
        new = change(old, start, stop, before, after)
        self.put_spans(key_id, direction, old, new)
        if not any(span.state in LIVE for span in new):
            self.end_if_spent(key_id)

    def put_spans(self, key_id: str, direction: Direction, old: tuple[Span, ...], new: tuple[Span, ...]) -> None:
        """Write what differs."""
        starts = {span.start for span in new}
        for span in old:
            if span.start not in starts:
                self.tx.run(
                    "DELETE FROM spans WHERE key_id = ? AND direction = ? AND start = ?", key_id, direction, span.start
                )
        for span in new:
            if span not in old:
                self.tx.run(
                    "INSERT INTO spans VALUES (?, ?, ?, ?, ?) ON CONFLICT (key_id, direction, start)"
                    " DO UPDATE SET stop = excluded.stop, state = excluded.state",
                    key_id,
                    direction,
                    *span,
                )

    def end_if_spent(self, key_id: str) -> None:
        """Close the shares from which nothing more can leave, and forget a block without any."""
        live = {
            row[0]
            for row in self.tx.all(
                "SELECT DISTINCT direction FROM spans WHERE key_id = ? AND state IN ('available', 'reserved')", key_id
            )
        }
        for direction in ("out", "in"):
            if direction not in live:
                self.tx.run(
                    "UPDATE shares SET opened = ? WHERE key_id = ? AND direction = ? AND opened <> ''",
                    DONE,
                    key_id,
                    direction,
                )
        if not live:
            self.forget(key_id)

    def forget(self, key_id: str) -> None:
        """Leave only the tombstone of a block: its name, its spans, and no bit."""
        self.tx.run("DELETE FROM cells WHERE key_id = ?", key_id)
        self.tx.run(
            "UPDATE keys SET state = 'spent', kek = NULL, wrapped = NULL, same = NULL, ends = NULL, whole = NULL"
            " WHERE key_id = ?",
            key_id,
        )

    def block(self, key_id: str) -> Block | None:
        """A block with its shares, for the state machine."""
        row = self.tx.one("SELECT state FROM keys WHERE key_id = ?", key_id)
        if row is None:
            return None
        shares = {direction: self._share(key_id, direction) for direction in ("out", "in")}
        return Block(key_id, row[0], shares["out"], shares["in"])

    def _share(self, key_id: str, direction: str) -> Share:
        row = self.tx.one("SELECT opened FROM shares WHERE key_id = ? AND direction = ?", key_id, direction)
        spans = self.tx.all(
            "SELECT start, stop, state FROM spans WHERE key_id = ? AND direction = ? ORDER BY start",
            key_id,
            direction,
        )
        return Share(tuple(Span(*span) for span in spans), str(row[0]) if row else "")

    def put_block(self, old: Block, new: Block) -> None:
        """Write what the state machine has changed, and erase bits that have become void."""
        directions: tuple[Direction, Direction] = ("out", "in")
        for direction, before, after in zip(directions, (old.out, old.into), (new.out, new.into), strict=True):
            if before.opened != after.opened:
                self.tx.run(
                    "UPDATE shares SET opened = ? WHERE key_id = ? AND direction = ?",
                    after.opened,
                    old.key_id,
                    direction,
                )
            self.put_share(old.key_id, direction, before.spans, after.spans)
        if new.state == "spent" and old.state == "pending":
            self.forget(old.key_id)

    def put_share(self, key_id: str, direction: Direction, before: tuple[Span, ...], after: tuple[Span, ...]) -> None:
        """Write the spans of a whole share, and erase bits that have become final."""
        if before == after:
            return
        self.put_spans(key_id, direction, before, after)
        self._erase_final(key_id, direction, before, after)
        self.end_if_spent(key_id)

    def _erase_final(
        self, key_id: str, direction: Direction, before: tuple[Span, ...], after: tuple[Span, ...]
    ) -> None:
        was_live = [span for span in before if span.state in LIVE]
        sealer = self.sealer(key_id)
        for span in after:
            if span.state in LIVE:
                continue
            for live in was_live:
                low, high = max(span.start, live.start), min(span.stop, live.stop)
                if low < high:
                    check_step(live.state, span.state)
                    self.erase(key_id, direction, sealer, low, high)
