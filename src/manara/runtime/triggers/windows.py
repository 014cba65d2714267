"""What to do with the windows of a TumblingWindowTrigger now: the oldest first, no more than go side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from manara.resources.windows import Dependency, Tumbling, Windows, read_tumbling
from manara.store.firings import RUNNING, SUCCEEDED

PATIENCE = timedelta(days=7)
"""So long a window waits for others before it fails."""
MOST_WAITING = 200
"""So many windows are written down as waiting for others at a time; the ones after them are looked at later."""

START, WAIT, FAIL = "start", "wait", "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A window that has been written down and is not over: `attempt` is 0 before its first, and before a rerun.

    `not_before` is when it is tried again; `waits` says that it waits for other windows, since `since`.
    """

    start: datetime
    status: str
    attempt: int
    since: datetime
    not_before: datetime | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The windows of a trigger that others wait for; `status` gives that of the one that begins at a moment.

    `windows` is None where there is no such trigger.
    """

    windows: Windows | None
    status: Callable[[datetime], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What to do with a window: `start` an attempt, let it `wait`, let it `fail`; `missing` is what it waits for."""

    kind: str
    start: datetime
    end: datetime
    attempt: int
    is_new: bool
    missing: Sequence[str] = field(default_factory=tuple)


def decide(
    properties: Mapping[str, Any],
    rows: Sequence[Row],
    first_new: datetime | None,
    now: datetime,
    upstream: Mapping[str, Upstream],
) -> list[Action]:
    """Return what to do now, oldest window first.

    `properties` are the trigger's typeProperties, `rows` its windows that are not over, and `first_new` the beginning
    of the first one that has not been written down (None: all of them). `upstream` has the triggers that it waits for
    by their lower-cased names, and itself under the empty name. Raises WrongDefinition.
    """
    tumbling = read_tumbling(properties)
    room = tumbling.max_concurrency - sum(row.status == RUNNING for row in rows)
    waiting = sum(row.waits for row in rows)
    actions: list[Action] = []
    for row, is_new in _in_order(tumbling, rows, first_new, now):
        if is_new and (room <= 0 or waiting >= MOST_WAITING):
            break  # the windows after it are newer still
        action = _decide_one(tumbling, row, is_new, now, upstream)
        if action is None or (action.kind == START and room <= 0):
            continue
        room -= action.kind == START
        waiting += is_new and action.kind == WAIT
        actions.append(action)
    return actions


def next_due(properties: Mapping[str, Any], rows: Sequence[Row], first_new: datetime | None) -> datetime | None:
    """Return when a window next becomes due by its time: the first new one, or one that is tried again."""
    tumbling = read_tumbling(properties)
    windows = tumbling.windows
    number = windows.number_from(first_new or windows.start)
    found = [row.not_before for row in rows if row.not_before is not None]
    if windows.has(number):
        found.append(windows.at(number + 1) + tumbling.delay)
    return min(found, default=None)


def _in_order(
    tumbling: Tumbling, rows: Sequence[Row], first_new: datetime | None, now: datetime
) -> Iterator[tuple[Row, bool]]:
    """Yield the windows that could start: those written down, then the new ones that are due."""
    due = [row for row in rows if row.status != RUNNING and (row.not_before is None or row.not_before <= now)]
    yield from ((row, False) for row in sorted(due, key=lambda row: row.start))
    windows = tumbling.windows
    number = windows.number_from(first_new or windows.start)
    while windows.has(number) and windows.at(number + 1) + tumbling.delay <= now:
        yield Row(start=windows.at(number), status="", attempt=0, since=now), True
        number += 1


def _decide_one(
    tumbling: Tumbling, row: Row, is_new: bool, now: datetime, upstream: Mapping[str, Upstream]
) -> Action | None:
    windows = tumbling.windows
    end = windows.at(windows.number_from(row.start) + 1)
    missing = [each.trigger for each in tumbling.depends_on if not _is_met(each, row.start, end, upstream)]
    if not missing:
        return Action(kind=START, start=row.start, end=end, attempt=row.attempt + 1, is_new=is_new)
    late = row.waits and now - row.since >= PATIENCE
    if row.waits and not late:
        return None
    kind = FAIL if late else WAIT
    return Action(kind=kind, start=row.start, end=end, attempt=row.attempt, is_new=is_new, missing=missing)


def _is_met(dependency: Dependency, start: datetime, end: datetime, upstream: Mapping[str, Upstream]) -> bool:
    """Say whether all windows that one waits for have succeeded; those that do not exist hold nothing up."""
    other = upstream.get(dependency.trigger.lower())
    if other is None or other.windows is None:
        return False
    since = start + dependency.offset
    until = since + (dependency.size or end - start)
    needed = other.windows.touching(since, until if dependency.trigger else min(until, start))
    return all(other.status(each) == SUCCEEDED for each in needed)
