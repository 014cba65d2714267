"""Reading a table in parts that are read at once, and the settings of a source that hold for its statements."""

import itertools
import os
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
from sqlglot import exp

from manara.errors import WrongDefinition
from manara.plugin.connection import Database, Tunable
from manara.registry import near
from manara.resources.timespan import read_timespan

Settings = Mapping[str, Any]

_OPTIONS = ("None", "PhysicalPartitionsOfTable", "DynamicRange")
_LEVELS = {
    "readcommitted": "read committed",
    "readuncommitted": "read uncommitted",
    "repeatableread": "repeatable read",
    "serializable": "serializable",
    "snapshot": "repeatable read",
    "none": "",
    "": "",
}
_MOST_PARTS = 4


@runtime_checkable
class InParts(Protocol):
    """A database that reads several queries at once, so that all of them see the same moment."""

    def parts(self, table: exp.Table) -> list[str]:
        """Return queries that give the rows of the table in parts, each of them once."""

    def query_all(self, statements: list[str]) -> pa.RecordBatchReader:
        """Return the rows of all the queries, as they come."""


def settled(database: Database, settings: Settings) -> Database:
    """Return the database as `queryTimeout` and `isolationLevel` want it, where it has them."""
    timeout_s = read_timespan(settings.get("queryTimeout"), timedelta()).total_seconds()
    level = str(settings.get("isolationLevel") or "").replace(" ", "").lower()
    if level not in _LEVELS:
        raise WrongDefinition(
            f"The isolationLevel '{settings['isolationLevel']}' is unknown.",
            where="source.isolationLevel",
            advice=near(level, [name for name in _LEVELS if name]),
        )
    if isinstance(database, Tunable) and (timeout_s or _LEVELS[level]):
        return database.tuned(timeout_s=timeout_s, isolation=_LEVELS[level])
    return database


def partitioned(database: Database, table: exp.Table, settings: Settings) -> pa.RecordBatchReader:
    """Return the rows of the whole table, in parts where the database can and the table is large.

    With `partitionOption` DynamicRange it is divided by the values of `partitionColumnName` (whole numbers, days or
    times) between its bounds; every row is read, also those beyond them, as in ADF.
    """
    whole = exp.select("*").from_(table)
    option = str(settings.get("partitionOption") or "None")
    if option.lower() not in {one.lower() for one in _OPTIONS}:
        raise WrongDefinition(
            f"The partitionOption '{option}' is unknown.", where="source.partitionOption", advice=near(option, _OPTIONS)
        )
    if not isinstance(database, InParts):
        return database.query(whole.sql(database.dialect))
    told = settings.get("partitionSettings") or {}
    column = told.get("partitionColumnName")
    if option.lower() == "dynamicrange" and column:
        conditions = _ranges(database, table, str(column), told)
        return database.query_all([whole.where(one).sql(database.dialect) for one in conditions])
    return database.query_all(database.parts(table))


def _ranges(database: Database, table: exp.Table, column: str, told: Settings) -> list[Any]:
    """Return conditions of which each row fulfils one."""
    known = database.columns(table)
    name = next((one for one in known if one.lower() == column.lower()), None)
    if name is None:
        raise WrongDefinition(
            f"There is no column '{column}' to divide by.",
            where="source.partitionSettings.partitionColumnName",
            advice=near(column, known),
        )
    value = exp.column(name, quoted=True)
    edges = exp.select(exp.Min(this=value.copy()), exp.Max(this=value.copy())).from_(table)
    row = database.query(edges.sql(database.dialect)).read_all()
    found = [row.column(0)[0].as_py(), row.column(1)[0].as_py()]
    low, high = (
        _bound(told.get(f"partition{side}Bound"), other) for side, other in zip(("Lower", "Upper"), found, strict=True)
    )
    if low is None or high is None:
        return [exp.true()]
    inner = list(_between(low, high, min(_MOST_PARTS, max(2, os.cpu_count() or 1))))
    if not inner:
        return [exp.true()]
    is_null = exp.Is(this=value.copy(), expression=exp.null())
    conditions: list[Any] = [exp.or_(is_null, exp.LT(this=value.copy(), expression=inner[0]))]
    for first, second in itertools.pairwise(inner):
        above = exp.GTE(this=value.copy(), expression=first.copy())
        conditions.append(exp.and_(above, exp.LT(this=value.copy(), expression=second.copy())))
    return [*conditions, exp.GTE(this=value.copy(), expression=inner[-1].copy())]


def _bound(told: Any, found: Any) -> Any:
    """Return a bound as the column's own values are: the one that is told, or else the one that was found."""
    if told in (None, "") or found is None:
        return found
    try:
        if isinstance(found, datetime):
            moment = datetime.fromisoformat(str(told))
            return moment if moment.tzinfo == found.tzinfo else moment.replace(tzinfo=found.tzinfo)
        return date.fromisoformat(str(told)[:10]) if isinstance(found, date) else int(told)
    except ValueError as error:
        raise WrongDefinition(f"'{told}' is no bound for the column.", where="source.partitionSettings") from error


def _between(first: Any, last: Any, count: int) -> Iterator[Any]:
    """Yield what divides the values into so many parts."""
    low: Any = int(first) if isinstance(first, Decimal) else first
    high: Any = int(last) if isinstance(last, Decimal) else last
    is_whole = isinstance(low, int) and not isinstance(low, bool)
    if not is_whole and not isinstance(low, date):
        raise WrongDefinition(
            "A table is divided by a column of whole numbers, days or times.",
            where="source.partitionSettings.partitionColumnName",
        )
    if not low < high:
        return
    step = (high - low) / count
    values = [low + (int(step * index) if is_whole else step * index) for index in range(1, count)]
    for value in sorted(set(values)):
        if value > low:
            yield exp.Literal.number(value) if is_whole else exp.Literal.string(value.isoformat())
