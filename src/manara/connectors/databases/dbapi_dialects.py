"""What the lane for Python drivers needs to know of a dialect: its table of marks, and where it lists columns."""

import datetime
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases.dbapi_rows import Types, decimal_type

_MARK = (
    "manara_mark (run_id {short} not null, step {short} not null, attempt {number}, noted {short}, output {text}, "
    "primary key (run_id, step))"
)
_TYPES = {
    "mysql": ("varchar(255)", "integer", "longtext"),
    "oracle": ("varchar2(255 char)", "number(10)", "clob"),
    "postgres": ("varchar(255)", "integer", "text"),
    "snowflake": ("varchar(255)", "integer", "varchar"),
    "sqlite": ("text", "integer", "text"),
    "tsql": ("nvarchar(255)", "int", "nvarchar(max)"),
}
_BEFORE = {"oracle": "create table ", "tsql": "if object_id('manara_mark') is null create table "}
_AFTER = {"mysql": " character set utf8mb4"}
# Synapse's dedicated pools know keys only when they are not enforced, and no nvarchar(max) in their usual tables.
_SYNAPSE_MARK = (
    "if object_id('manara_mark') is null create table manara_mark (run_id nvarchar(255) not null, "
    "step nvarchar(255) not null, attempt int, noted nvarchar(255), output nvarchar(4000)) "
    "with (distribution = round_robin, heap)"
)

_COLUMNS = {
    "mysql": """
select column_name, column_type from information_schema.columns
where table_name = $name and table_schema = coalesce(nullif($schema, ''), database()) order by ordinal_position
""",
    "postgres": """
select column_name, data_type from information_schema.columns
where table_name = $name and table_schema = coalesce(nullif($schema, ''), current_schema()) order by ordinal_position
""",
    "tsql": """
select column_name, case when data_type in ('decimal', 'numeric')
    then concat(data_type, '(', numeric_precision, ',', numeric_scale, ')')
    when character_maximum_length > 0 then concat(data_type, '(', character_maximum_length, ')')
    else data_type end as data_type
from information_schema.columns
where table_name = $name and table_schema = coalesce(nullif($schema, ''), schema_name()) order by ordinal_position
""",
    "oracle": """
select column_name, case when data_type = 'NUMBER' and data_precision is not null
    then 'NUMBER(' || data_precision || ',' || data_scale || ')'
    when data_type like '%CHAR%' then data_type || '(' || char_length || ')'
    else data_type end as data_type
from all_tab_columns
where table_name in ($name, upper($name))
    and owner = coalesce(upper($schema), sys_context('userenv', 'current_schema')) order by column_id
""",
    "snowflake": """
select column_name, case when data_type = 'NUMBER'
    then concat(data_type, '(', numeric_precision, ',', numeric_scale, ')') else data_type end as data_type
from information_schema.columns
where table_name in ($name, upper($name))
    and table_schema in (coalesce(nullif($schema, ''), current_schema()), upper($schema)) order by ordinal_position
""",
    "sqlite": "select name, type from pragma_table_info($name) order by cid",
}

# Views can be read as tables can, and are listed with them.
_TABLES = {
    **{
        dialect: f"""
select table_name from information_schema.tables
where table_schema in (coalesce(nullif($schema, ''), {current}), {folded}) order by table_name
"""  # noqa: S608 # the words are ours
        for dialect, current, folded in (
            ("mysql", "database()", "$schema"),
            ("postgres", "current_schema()", "$schema"),
            ("tsql", "schema_name()", "$schema"),
            ("snowflake", "current_schema()", "upper($schema)"),
        )
    },
    "oracle": """
select object_name from all_objects where object_type in ('TABLE', 'VIEW')
    and owner = coalesce(upper($schema), sys_context('userenv', 'current_schema')) order by object_name
""",
    "sqlite": "select name from sqlite_master where type in ('table', 'view') and $schema is not null order by name",
}

PYTHON_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    bytearray: pa.binary(),
    datetime.datetime: pa.timestamp("us"),
    datetime.date: pa.date32(),
    datetime.time: pa.time64("us"),
    uuid.UUID: pa.string(),
}
"""The Arrow types of the classes that drivers of ODBC's family tell."""


def mark_table(dialect: str) -> str:
    """Return the statement that makes the table of marks; of a dialect that is not known, in plain SQL."""
    if dialect == "synapse":
        return _SYNAPSE_MARK
    short, number, text = _TYPES.get(dialect, ("varchar(255)", "integer", "varchar(4000)"))
    before = _BEFORE.get(dialect, "create table if not exists " if dialect in _TYPES else "create table ")
    return before + _MARK.format(short=short, number=number, text=text) + _AFTER.get(dialect, "")


def columns_of(dialect: str) -> str | Callable[[Any, exp.Table], dict[str, str]]:
    """Return how the columns of a table are asked for: by a statement, or by the driver's own catalog."""
    return _COLUMNS.get(dialect) or _by_catalog


def _by_catalog(cursor: Any, table: exp.Table) -> dict[str, str]:
    """Return the columns as ODBC's catalog lists them. A name is a pattern there, so that its rows are sifted."""
    rows = [row for row in cursor.columns(table=table.name, schema=table.db or None) if row[2] == table.name]
    first = [row for row in rows if row[1] == rows[0][1]]
    return {row[3]: row[5] if row[8] is None else f"{row[5]}({row[6]},{row[8]})" for row in first}


def tables_of(dialect: str) -> str | Callable[[Any, str], list[str]]:
    """Return how the tables of a `$schema` are asked for: by a statement, or by the driver's own catalog."""
    return _TABLES.get(dialect) or _tables_by_catalog


def _tables_by_catalog(cursor: Any, schema: str) -> list[str]:
    """Return the tables as ODBC's catalog lists them; a driver without it tells none."""
    if not hasattr(cursor, "tables"):
        return []
    rows = cursor.tables(schema=schema or None)
    return sorted({str(row[2]) for row in rows if row[3] in {"TABLE", "VIEW"} and schema in {"", row[1]}})


def types_by_python(kinds: Mapping[type, pa.DataType]) -> Callable[[Any], Types]:
    """Return what gives the Arrow types of a cursor whose description tells Python's types, as those of ODBC do."""

    def types(cursor: Any) -> Types:
        return [_type(kinds, column) for column in cursor.description]

    return types


def _type(kinds: Mapping[type, pa.DataType], column: Any) -> pa.DataType | None:
    told, precision, scale = column[1], column[4], column[5]
    if getattr(told, "__name__", "") == "Decimal":
        return decimal_type(precision, scale)
    if told is int and precision == 5:
        return pa.int16()
    if told is int and precision == 10:
        return pa.int32()
    return kinds.get(told)
