"""The dimension of days, which facts fill with whole months."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.errors import BadRows
from manara.table.template import fill

TABLE = "dim_date"
COLUMNS = {
    "date_key": "BIGINT", "day": "DATE", "year": "BIGINT", "quarter": "BIGINT", "month": "BIGINT",
    "month_start": "DATE", "iso_year": "BIGINT", "iso_week": "BIGINT", "weekday": "BIGINT",
}  # fmt: skip
_ARROW = {"BIGINT": pa.int64(), "TEXT": pa.string(), "DATE": pa.date32()}
_MOST_DAYS = 366 * 300


def key_of(day: date) -> int:
    """Return the surrogate key of a day.

    >>> key_of(date(2024, 1, 31))
    20240131
    """
    return day.year * 10000 + day.month * 100 + day.day


def key_in_sql(day: exp.Expr) -> exp.Expr:
    """Return the surrogate key of a day in SQL; NULL for none."""
    return fill(
        "cast(extract(year from {day}) * 10000 + extract(month from {day}) * 100 + extract(day from {day}) as bigint)",
        day=day,
    )


def rows_of(first: date, last: date, known: set[date]) -> pa.Table:
    """Return the days from the start of the first month to the end of the last one that are not known yet.

    Raises BadRows where that is more than 300 years.
    """
    start = first.replace(day=1)
    end = (last.replace(day=28) + timedelta(days=4)).replace(day=1)
    if (end - start).days > _MOST_DAYS:
        raise BadRows(f"The dates of the load reach from {first} to {last}.", advice="Mend the dates in the source.")
    days = (start + timedelta(days=n) for n in range((end - start).days))
    return as_table(COLUMNS, [_row(day) for day in days if day not in known])


def as_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table with the columns, which are given with their SQL types."""
    return pa.table({column: pa.array([row[column] for row in rows], _ARROW[kind]) for column, kind in columns.items()})


def _row(day: date) -> dict[str, Any]:
    week = day.isocalendar()
    return {
        "date_key": key_of(day), "day": day, "year": day.year, "quarter": (day.month + 2) // 3, "month": day.month,
        "month_start": day.replace(day=1), "iso_year": week.year, "iso_week": week.week, "weekday": week.weekday,
    }  # fmt: skip
