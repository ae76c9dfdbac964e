r"""A record of what happened to keys, without a bit of them: a JSON line for each event, with the hash of the last.

.. math:: h_n = \mathrm{SHA256}(h_{n-1} \| \text{line}_n)

A line that was changed, left out or put in breaks the chain behind it. Whoever can write the database can make a new
chain; what protects against that is a hash that was written down elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator

from combmesh.ground.errors import InputError
from combmesh.keystore.desk import Desk

FIRST_HASH = 64 * "0"


def write_notes(desk: Desk) -> None:
    """Append the events of a transaction to the chain; the last thing before its commit."""
    if not desk.tx.notes:
        return
    row = desk.tx.one(f"SELECT value FROM meta WHERE name = 'audit_head'{desk.tx.wait_lock}")
    number, _, head = str(row[0] if row else f"0:{FIRST_HASH}").partition(":")
    seq = int(number)
    for event, detail in desk.tx.notes:
        seq += 1
        line = json.dumps({"seq": seq, "utc": desk.now_utc, "event": event, **detail}, ensure_ascii=False)
        head = chained(head, line)
        desk.tx.run("INSERT INTO audit VALUES (?, ?, ?)", seq, line, head)
    desk.set_meta("audit_head", f"{seq}:{head}")
    desk.tx.notes.clear()


def chained(previous: str, line: str) -> str:
    """The hash of a line behind another.

    >>> chained(FIRST_HASH, "{}")[:16]
    '5508d2b710e64bc4'
    """
    return hashlib.sha256(previous.encode() + line.encode()).hexdigest()


def exported(desk: Desk, after_seq: int = 0) -> Iterator[str]:
    """Lines after number `after_seq`, as JSON with `hash` at the end."""
    for line, value in desk.tx.all("SELECT line, hash FROM audit WHERE seq > ? ORDER BY seq", after_seq):
        yield f'{line[:-1]}, "hash": "{value}"}}'


def verify(lines: Iterable[str], previous: str = FIRST_HASH) -> str:
    """Check a chain of exported lines that follows the hash `previous`, and return its last hash."""
    seq = None
    for number, text in enumerate(lines, 1):
        line, mark, value = text.rstrip("\n").rpartition(', "hash": "')
        line += "}"
        previous = chained(previous, line)
        here = json.loads(line)["seq"] if mark else None
        if not mark or value != f'{previous}"}}' or (seq is not None and here != seq + 1):
            raise InputError(f"Line {number} of the audit does not follow from the line before it.")
        seq = here
    return previous


def forget(desk: Desk, up_to_seq: int) -> int:
    """Drop lines that were exported; the chain goes on."""
    return desk.tx.run("DELETE FROM audit WHERE seq <= ?", up_to_seq)
