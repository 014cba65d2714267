"""Triggers in the store: whether they are started, what they have seen, and the runs of each moment."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara import clock
from manara.errors import WrongDefinition
from manara.store.journal import Journal
from manara.store.runs import Filter

STARTED, STOPPED = "Started", "Stopped"
WAITING, RUNNING, SUCCEEDED, FAILED, CANCELLED = "Waiting", "Running", "Succeeded", "Failed", "Cancelled"

COLUMNS = {"TriggerName": "trigger_name", "Status": "status", "TriggerRunTimestamp": "written"}
"""What trigger runs can be filtered and ordered by, under ADF's names."""

_OPERATORS = {"equals": "in", "in": "in", "notequals": "not in", "notin": "not in"}
_ALL = 2**31 - 1
_SELECT = (
    "select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated "
    "from firing where "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """Whether a trigger is started, since when, and its mark: up to where it has fired, what it has seen (JSON)."""

    id: str
    factory: str
    state: str
    since: datetime
    mark: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_started(self) -> bool:
        """Whether the trigger fires."""
        return self.state == STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One run of a trigger. `moment` tells it from the others of its trigger; `body` is JSON.

    The body may hold `scheduledTime`, `windowStartTime`, `windowEndTime`, `event`, `message`, `parameters` and
    `runIds`: the pipeline runs that were asked for, by pipeline.
    """

    id: str
    trigger_id: str
    factory: str
    trigger_name: str
    trigger_type: str
    moment: str
    status: str
    attempt: int = 1
    body: Mapping[str, Any] = field(default_factory=dict)
    written: datetime = field(default_factory=clock.now)
    updated: datetime = field(default_factory=clock.now)


def trigger_state(journal: Journal, trigger_id: str) -> TriggerState | None:
    """Return the state of a trigger; None where it was never started."""
    rows = journal.rows("trigger_state", id=trigger_id.lower())
    return _state(rows[0]) if rows else None


def trigger_states(journal: Journal) -> list[TriggerState]:
    """Return the state of every trigger that was ever started."""
    return [_state(row) for row in journal.rows("trigger_states")]


def set_trigger_state(
    journal: Journal, trigger_id: str, factory: str, state: str, mark: Mapping[str, Any] | None = None
) -> TriggerState:
    """Start or stop a trigger from now on; its mark stays where none is given."""
    old = trigger_state(journal, trigger_id)
    kept = mark if mark is not None else old.mark if old else {}
    values = {"id": trigger_id.lower(), "factory": factory.lower(), "state": state}
    now = clock.now()
    journal.change("set_trigger_state", **values, since=clock.stamp(now), mark=json.dumps(dict(kept)))
    return TriggerState(**values, since=now, mark=kept)


def keep_mark(journal: Journal, trigger_id: str, mark: Mapping[str, Any]) -> None:
    """Keep what a trigger has seen, or up to where it has fired."""
    journal.change("keep_trigger_mark", id=trigger_id.lower(), mark=json.dumps(dict(mark)))


def forget_triggers(journal: Journal, path: str) -> None:
    """Forget the trigger under the resource id, and those inside it; their runs stay as they are.

    Another trigger that gets the same name begins anew: what this one has fired for is not in its way.
    """
    own = path.lower()
    within = {"id": own, "from_id": f"{own}/", "to_id": f"{own}0"}
    with journal.transaction():
        journal.change("forget_triggers_below", **within)
        journal.change("part_firings_below", **within, now=clock.stamp(clock.now()))


def fire(journal: Journal, firing: Firing) -> bool:
    """Write the run of a moment; say whether it is new: False where it has been written before."""
    return bool(
        journal.change(
            "fire",
            id=firing.id,
            trigger_id=firing.trigger_id.lower(),
            factory=firing.factory.lower(),
            trigger_name=firing.trigger_name,
            trigger_type=firing.trigger_type,
            moment=firing.moment,
            status=firing.status,
            attempt=firing.attempt,
            body=json.dumps(dict(firing.body)),
            now=clock.stamp(firing.written),
        )
    )


def change_firing(journal: Journal, firing: Firing) -> None:
    """Write how the run of a moment stands now."""
    journal.change(
        "change_firing",
        id=firing.id,
        status=firing.status,
        attempt=firing.attempt,
        body=json.dumps(dict(firing.body)),
        now=clock.stamp(clock.now()),
    )


def move_firing(journal: Journal, old: Firing, new: Firing) -> bool:
    """Write how the run of a moment stands now, unless another has moved it on since it was read; say whether it is."""
    return bool(
        journal.change(
            "move_firing",
            id=old.id,
            old_status=old.status,
            old_attempt=old.attempt,
            status=new.status,
            attempt=new.attempt,
            body=json.dumps(dict(new.body)),
            now=clock.stamp(clock.now()),
        )
    )


def find_firing(journal: Journal, firing_id: str) -> Firing | None:
    """Return the run of a trigger by its id."""
    rows = journal.rows("firing", id=firing_id.lower())
    return _firing(rows[0]) if rows else None


def firing_at(journal: Journal, trigger_id: str, moment: str) -> Firing | None:
    """Return the run of a trigger for a moment."""
    rows = journal.rows("firing_at", trigger_id=trigger_id.lower(), moment=moment)
    return _firing(rows[0]) if rows else None


def newest_firing(journal: Journal, trigger_id: str) -> Firing | None:
    """Return the run of a trigger with the last moment."""
    rows = journal.rows("newest_firing", trigger_id=trigger_id.lower())
    return _firing(rows[0]) if rows else None


def firings_from(journal: Journal, trigger_id: str, moment: str = "", most: int = _ALL) -> list[Firing]:
    """Return the runs of a trigger from a moment on, in the order of their moments."""
    return [
        _firing(row) for row in journal.rows("firings_from", trigger_id=trigger_id.lower(), moment=moment, most=most)
    ]


def firings_with_status(journal: Journal, trigger_id: str, status: str, most: int = _ALL) -> list[Firing]:
    """Return the runs of a trigger that stand so, in the order of their moments."""
    rows = journal.rows("firings_with_status", trigger_id=trigger_id.lower(), status=status, most=most)
    return [_firing(row) for row in rows]


def query_firings(
    journal: Journal,
    factory: str,
    written: tuple[datetime, datetime],
    filters: Sequence[Filter] = (),
    *,
    order: str = "",
    descending: bool = True,
    after: str = "",
    most: int = 100,
) -> tuple[list[Firing], str]:
    """Return a page of a factory's trigger runs written between two moments, and the token for the next page.

    Raises WrongDefinition for an unknown operand, operator, order or token.
    """
    by = _column(order) if order else "written"
    where = ["factory = :factory", "written >= :since", "written <= :until"]
    values: dict[str, Any] = {
        "factory": factory.lower(),
        "since": clock.stamp(written[0]),
        "until": clock.stamp(written[1]),
        "most": most + 1,
    }
    for number, each in enumerate(filters):
        operator = _OPERATORS.get(each.operator.lower())
        if operator is None:
            raise WrongDefinition(
                f"There is no operator '{each.operator}'.", advice="Use Equals, NotEquals, In, NotIn."
            )
        names = {f"f{number}_{place}": value for place, value in enumerate(each.values)}
        where.append(
            f"{_column(each.operand)} {operator} ({', '.join(f':{name}' for name in names)})" if names else "1=1"
        )
        values |= names
    if after:
        place, firing_id = _token(after)
        where.append(f"({by}, id) {'<' if descending else '>'} (:after_place, :after_id)")
        values |= {"after_place": place, "after_id": firing_id}
    way = "desc" if descending else "asc"
    rows = journal.select(f"{_SELECT}{' and '.join(where)} order by {by} {way}, id {way} limit :most", values)
    page = [_firing(row) for row in rows[:most]]
    place_of = {"trigger_name": 3, "status": 6, "written": 9}[by]
    return page, json.dumps([rows[most - 1][place_of], rows[most - 1][0]]) if len(rows) > most else ""


def _column(name: str) -> str:
    found = next((column for known, column in COLUMNS.items() if known.lower() == name.lower()), None)
    if found is None:
        raise WrongDefinition(f"Trigger runs have no '{name}'.", advice=f"Known are: {', '.join(COLUMNS)}.")
    return found


def _token(text: str) -> tuple[str, str]:
    try:
        place, firing_id = json.loads(text)
    except (ValueError, TypeError) as error:
        raise WrongDefinition(
            "The continuationToken is none of ours.", advice="Ask for the first page again."
        ) from error
    if not isinstance(place, str) or not isinstance(firing_id, str):
        raise WrongDefinition("The continuationToken is none of ours.", advice="Ask for the first page again.")
    return place, firing_id


def _state(row: Sequence[Any]) -> TriggerState:
    id_, factory, state, since, mark = row
    return TriggerState(id=id_, factory=factory, state=state, since=clock.parse(since), mark=json.loads(mark))


def _firing(row: Sequence[Any]) -> Firing:
    id_, trigger_id, factory, name, kind, moment, status, attempt, body, written, updated = row
    return Firing(
        id=id_,
        trigger_id=trigger_id,
        factory=factory,
        trigger_name=name,
        trigger_type=kind,
        moment=moment,
        status=status,
        attempt=attempt,
        body=json.loads(body),
        written=clock.parse(written),
        updated=clock.parse(updated),
    )
