"""The SQL type of a column for rows that come as Arrow: words that sqlglot puts into every dialect."""

from collections.abc import Callable, Mapping

import pyarrow as pa
from sqlglot import exp

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_uint64, "DECIMAL(20, 0)"),
    (pa.types.is_integer, "BIGINT"),
    (pa.types.is_floating, "DOUBLE"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_binary, "VARBINARY"),
    (pa.types.is_large_binary, "VARBINARY"),
)


def column_type(kind: pa.DataType) -> exp.DataType:
    """Return the SQL type that holds the values of an Arrow type; a text for one that SQL has not.

    >>> column_type(pa.int32()).sql("postgres"), column_type(pa.timestamp("us", "UTC")).sql("duckdb")
    ('BIGINT', 'TIMESTAMPTZ')
    """
    if pa.types.is_decimal(kind):
        return exp.DataType.build(f"DECIMAL({kind.precision}, {kind.scale})")
    if pa.types.is_timestamp(kind):
        return exp.DataType.build("TIMESTAMPTZ" if kind.tz else "TIMESTAMP")
    return exp.DataType.build(next((name for fits, name in _TYPES if fits(kind)), "TEXT"))


def create_table(table: exp.Table, columns: Mapping[str, exp.DataType]) -> exp.Create:
    """Return the statement that makes a table with the columns where there is none."""
    definitions = [
        exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind) for name, kind in columns.items()
    ]
    return exp.Create(this=exp.Schema(this=table, expressions=definitions), kind="TABLE", exists=True)


def add_column(table: exp.Table, name: str, kind: exp.DataType) -> exp.Alter:
    """Return the statement that gives a table one more column."""
    definition = exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind)
    return exp.Alter(this=table, kind="TABLE", actions=[definition])
