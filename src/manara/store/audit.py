"""The audit log: who did or was refused what. Each row holds the digest of itself and the one before."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from manara import clock
from manara.secret import hidden
from manara.store.journal import Journal

PAGE = 1000
"""Rows that are read at once."""

_FIRST = "0" * 64
"""What stands for the digest before the first row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the audit log."""

    seq: int
    at: datetime
    body: Mapping[str, Any]


def append_audit(journal: Journal, body: Mapping[str, Any]) -> int:
    """Write what was done or refused, durably, and return its number. What looks like a secret is starred out."""
    text = _canonical(hidden(dict(body)))
    while True:
        with journal.transaction():
            seq, before = _last(journal)
            at = clock.stamp(clock.now())
            # where another writer took the number meanwhile, nothing is written, and its row becomes the one before
            if journal.change("append_audit", seq=seq + 1, at=at, body=text, hash=_digest(before, text, at)):
                return seq + 1


def read_audit(journal: Journal, after: int = 0, most: int = PAGE) -> list[Entry]:
    """Return the rows behind the number `after`, in order, at most `most`."""
    rows = journal.rows("audit", after=after, most=most)
    return [Entry(seq=seq, at=clock.parse(at), body=json.loads(body)) for seq, at, body, _ in rows]


def last_audit(journal: Journal) -> int:
    """Return the number of the newest row; 0 where there is none."""
    return _last(journal)[0]


def verify_audit(journal: Journal) -> tuple[int, int | None]:
    """Return how many rows are as they were written, and the number of the first that is not, or None.

    A row that was changed, taken out or put in shows. That the newest rows were cut off does not: note the number and
    the digest of the newest elsewhere, to see that.
    """
    count, before, wanted = 0, _FIRST, 1
    for seq, at, body, digest in _rows(journal):
        if seq != wanted or digest != _digest(before, body, at):
            return count, wanted
        count, before, wanted = count + 1, digest, seq + 1
    return count, None


def _rows(journal: Journal) -> Iterator[tuple[Any, ...]]:
    last = 0
    while page := journal.rows("audit", after=last, most=PAGE):
        yield from page
        last = page[-1][0]


def _last(journal: Journal) -> tuple[int, str]:
    found = journal.rows("last_audit")
    return (int(found[0][0]), str(found[0][1])) if found else (0, _FIRST)


def _digest(before: str, text: str, at: str) -> str:
    return sha256(f"{before}\n{at}\n{text}".encode()).hexdigest()


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
