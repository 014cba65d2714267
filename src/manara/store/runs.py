"""Questions over many runs at once: filtered, ordered and in pages, by the table that the journal keeps of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara import clock
from manara.errors import NotFound, WrongDefinition
from manara.store.journal import Journal

COLUMNS = {
    "PipelineName": "pipeline",
    "Status": "status",
    "RunGroupId": "group_id",
    "RunStart": "started",
    "RunEnd": "ended",
    "LastUpdated": "updated",
    "RunId": "run_id",
}
"""What runs can be filtered by, under ADF's names."""

ORDERS = {"RunStart": "started", "RunEnd": "ended", "PipelineName": "pipeline", "Status": "status"}
"""What runs can be ordered by; by their last update where nothing is said."""

_OPERATORS = {"Equals": "in", "In": "in", "NotEquals": "not in", "NotIn": "not in"}
_NAMES = ("TriggerType", "TriggerId", "TriggerName")

_AS_IT_IS = "({} || '')"
"""Keeps a column from choosing the index: the rows are to be read in the order that is asked for."""

_HEAD = """
select
    found.run_id, run.factory, run.pipeline, run.status, run.group_id, run.started, run.ended, run.updated,
    command.body, begun.body, finish.body, found.place
from (
"""
_TAIL = """
) as found
join run on run.run_id = found.run_id
left join command on command.run_id = found.run_id and command.kind = 'run'
left join event as begun on begun.run_id = found.run_id
    and begun.kind = 'runStarted' and begun.kind in ('runStarted', 'runEnded')
left join event as finish on finish.run_id = found.run_id
    and finish.kind = 'runEnded' and finish.kind in ('runStarted', 'runEnded')
"""
_ONE = _HEAD + "select run_id, '' as place from run where run_id = :run_id" + _TAIL  # noqa: S608 # our own parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition: `operand` is a key of COLUMNS, `operator` one of Equals, NotEquals, In, NotIn."""

    operand: str
    operator: str
    values: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which runs of a factory are wanted: those last updated between two moments, that fit every filter.

    `order` is a key of ORDERS, or empty for the last update. `after` is the token that the page before ended with.
    """

    factory: str
    updated_after: datetime
    updated_before: datetime
    filters: Sequence[Filter] = ()
    order: str = ""
    descending: bool = True
    most: int = 100
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands: what a list shows of it. `names` holds what started it (TriggerType, TriggerId, ...)."""

    run_id: str
    factory: str
    pipeline: str
    status: str
    group_id: str
    started: datetime
    ended: datetime | None
    updated: datetime
    parameters: Mapping[str, Any]
    names: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    caller: Mapping[str, Any] | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


def find_run_row(journal: Journal, run_id: str) -> RunRow | None:
    """Return the run with the id, or None."""
    rows = journal.select(_ONE, {"run_id": run_id})
    return _row(rows[0]) if rows else None


def outermost(journal: Journal, run_id: str) -> str:
    """Return the run that somebody asked for in which a run took place: itself, or the one that called it, and so on.

    Raises NotFound for a run that the journal does not know.
    """
    row = find_run_row(journal, run_id)
    if row is None:
        raise NotFound(f"There is no run '{run_id}'.", where=journal.name, advice="See them all: manara runs")
    return outermost(journal, str(row.caller["runId"])) if row.caller else run_id


def query_runs(journal: Journal, question: Question) -> tuple[list[RunRow], str]:
    """Return a page of runs, and the token to ask for the next page with: empty where this is the last.

    Raises WrongDefinition for an unknown operand, operator, order or token.
    """
    order = _order(question.order)
    where, values = _conditions(question)
    if question.after:
        condition, more = _behind(question, order)
        where, values = [*where, condition], {**values, **more}
    way = "desc" if question.descending else "asc"
    inner = (
        f"select run_id, {order} as place from run where {' and '.join(where)} "  # noqa: S608 # our own parts
        f"order by {order} {way}, run_id {way} limit :most"
    )
    text = f"{_HEAD}{inner}{_TAIL}order by found.place {way}, found.run_id {way}"
    rows = journal.select(text, {**values, "most": question.most + 1})
    page = rows[: question.most]
    token = json.dumps([page[-1][11], page[-1][0]]) if len(rows) > question.most else ""
    return [_row(row) for row in page], token


def _order(name: str) -> str:
    if not name:
        return "updated"
    found = next((column for known, column in ORDERS.items() if known.lower() == name.lower()), None)
    if found is None:
        raise WrongDefinition(f"Runs are not ordered by '{name}'.", advice=f"Known are: {', '.join(ORDERS)}.")
    return "coalesce(ended, '')" if found == "ended" else found


def _conditions(question: Question) -> tuple[list[str], dict[str, Any]]:
    updated = "updated" if not question.order else _AS_IT_IS.format("updated")
    where = ["factory = :factory", f"{updated} >= :updated_after", f"{updated} <= :updated_before"]
    values: dict[str, Any] = {
        "factory": question.factory.lower(),
        "updated_after": clock.stamp(question.updated_after),
        "updated_before": clock.stamp(question.updated_before),
    }
    for number, each in enumerate(question.filters):
        column = next((found for known, found in COLUMNS.items() if known.lower() == each.operand.lower()), None)
        operator = next((found for known, found in _OPERATORS.items() if known.lower() == each.operator.lower()), None)
        if column is None or operator is None:
            raise WrongDefinition(
                f"Runs are not filtered by '{each.operand} {each.operator}'.",
                advice=f"Operands are {', '.join(COLUMNS)}; operators are {', '.join(_OPERATORS)}.",
            )
        names = {f"f{number}_{place}": value for place, value in enumerate(each.values)}
        column = column if operator == "in" and len(names) == 1 else _AS_IT_IS.format(column)
        where.append(f"{column} {operator} ({', '.join(f':{name}' for name in names)})" if names else "1 = 1")
        values |= names
    return where, values


def _behind(question: Question, order: str) -> tuple[str, dict[str, Any]]:
    try:
        place, run_id = json.loads(question.after)
    except (ValueError, TypeError) as error:
        raise WrongDefinition(
            "The continuationToken is none of ours.", advice="Ask for the first page again."
        ) from error
    if not isinstance(place, str) or not isinstance(run_id, str):
        raise WrongDefinition("The continuationToken is none of ours.", advice="Ask for the first page again.")
    sign = "<" if question.descending else ">"
    return f"({order}, run_id) {sign} (:after_place, :after_id)", {"after_place": place, "after_id": run_id}


def _row(row: Sequence[Any]) -> RunRow:
    run_id, factory, pipeline, status, group_id, started, ended, updated, asked, begun, finish, _ = row
    command, start, end = (json.loads(text) if text else {} for text in (asked, begun, finish))
    names, options = start.get("names", {}), command.get("options", {})
    return RunRow(
        run_id=run_id,
        factory=factory,
        pipeline=pipeline,
        status=status,
        group_id=group_id,
        started=clock.parse(started),
        ended=clock.parse(ended) if ended else None,
        updated=clock.parse(updated),
        parameters=start.get("parameters", command.get("parameters", {})),
        names={**options.get("names", {}), **{name: names[name] for name in _NAMES if name in names}},
        options=options,
        caller=start.get("caller"),
        output=end.get("output") or {},
        message=str((end.get("error") or {}).get("message", "")),
    )
