import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from sqlglot import exp

from manara.table.cast import does_not_fit, safe_cast


@pytest.mark.parametrize(
    ("value", "target", "result"),
    [
        ("10", "INTEGER", 10),
        (" -5 ", "INTEGER", -5),
        ("3.0", "BIGINT", 3),
        ("10.7", "INTEGER", None),
        ("1e3", "INTEGER", None),
        ("99999999999", "INTEGER", None),
        ("", "INTEGER", None),
        ("1.5", "DOUBLE", 1.5),
        ("1,5", "DOUBLE", None),
        ("1.25", "DECIMAL(10, 2)", Decimal("1.25")),
        ("TRUE", "BOOLEAN", True),
        ("0", "BOOLEAN", False),
        ("yes", "BOOLEAN", None),
        ("2024-03-01", "DATE", dt.date(2024, 3, 1)),
        ("31/12/2024", "DATE", None),
        ("03-01-24", "DATE", None),
        ("03-01-24", "TIMESTAMP", None),
        ("2024-03-01T12:00:00+02:00", "TIMESTAMP", dt.datetime(2024, 3, 1, 10)),  # noqa: DTZ001
        ("2024-03-01 12:00", "TIMESTAMP", dt.datetime(2024, 3, 1, 12)),  # noqa: DTZ001
        ("2024-02-30", "TIMESTAMP", None),
        ("x", "UUID", None),
        (10.0, "INTEGER", 10),
        (10.7, "INTEGER", None),
        (300, "TINYINT", None),
        (1, "VARCHAR", "1"),
    ],
)
def test_a_value_is_cast_whole_or_not_at_all(value: Any, target: str, result: Any) -> None:
    rows = pa.table({"x": [value]})
    column = exp.column("x")
    cast = safe_cast(column, rows.schema.field("x").type, target)
    query = exp.select(exp.alias_(cast, "y"), exp.alias_(does_not_fit(column, cast), "wrong")).from_("rows")
    with duckdb.connect() as database:
        database.execute("load icu")
        database.execute("set TimeZone = 'UTC'")
        database.register("rows", rows)
        assert database.execute(query.sql("duckdb")).fetchone() == (result, result is None)


def test_a_missing_value_fits_every_type() -> None:
    column = exp.column("x")
    wrong = does_not_fit(column, safe_cast(column, pa.string(), "INTEGER")).sql("duckdb")
    with duckdb.connect() as database:
        assert database.execute(f"select {wrong} from (select null::varchar as x)").fetchone() == (False,)
