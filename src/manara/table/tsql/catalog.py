"""SQL Server's views of its own catalog, answered from the stand-in's information_schema."""

# ruff: noqa: S608 # the queries are put together from the constants of this module alone

from typing import Any

import sqlglot
from sqlglot import exp

_MARKS = "manara_mark"
"""The table in which runs note what they have loaded: it is no table of the user's."""

_SCHEMA = "CASE WHEN {column} = current_schema() THEN 'dbo' ELSE {column} END"
_NOT_OURS = (
    "{catalog} = current_database() AND {schema} NOT IN ('information_schema', 'pg_catalog')"
    " AND {schema} NOT LIKE 'pg_t%'"
)
_TABLE_SCHEMA = _SCHEMA.format(column="table_schema")
_OF_TABLES = f"table_name <> '{_MARKS}' AND " + _NOT_OURS.format(catalog="table_catalog", schema="table_schema")
_OBJECTS = (
    f"SELECT table_name AS name, {_TABLE_SCHEMA} AS schema_id,"
    f" lower({_TABLE_SCHEMA} || '.' || table_name) AS object_id,"
    " CASE WHEN table_type = 'VIEW' THEN 'V' ELSE 'U' END AS type,"
    " CASE WHEN table_type = 'VIEW' THEN 'VIEW' ELSE 'USER_TABLE' END AS type_desc"
    f" FROM information_schema.tables WHERE {_OF_TABLES}"
)
_COLUMNS = (
    "table_name", "column_name", "ordinal_position", "column_default", "is_nullable", "data_type",
    "character_maximum_length", "numeric_precision", "numeric_scale", "datetime_precision",
)  # fmt: skip
_VIEWS = {
    "information_schema.tables": (
        f"SELECT table_catalog, {_TABLE_SCHEMA} AS table_schema, table_name, table_type"
        f" FROM information_schema.tables WHERE {_OF_TABLES}"
    ),
    "information_schema.columns": (
        f"SELECT table_catalog, {_TABLE_SCHEMA} AS table_schema, {', '.join(_COLUMNS)}"
        f" FROM information_schema.columns WHERE {_OF_TABLES}"
    ),
    "sys.schemas": (
        "SELECT DISTINCT {schema} AS name, {schema} AS schema_id FROM information_schema.schemata WHERE {ours}".format(
            schema=_SCHEMA.format(column="schema_name"),
            ours=_NOT_OURS.format(catalog="catalog_name", schema="schema_name"),
        )
    ),
    "sys.objects": _OBJECTS,
    "sys.tables": f"{_OBJECTS} AND table_type <> 'VIEW'",
    "sys.views": f"{_OBJECTS} AND table_type = 'VIEW'",
    "sys.columns": (
        f"SELECT column_name AS name, lower({_TABLE_SCHEMA} || '.' || table_name) AS object_id,"
        " ordinal_position AS column_id, CASE WHEN is_nullable = 'YES' THEN 1 ELSE 0 END AS is_nullable"
        f" FROM information_schema.columns WHERE {_OF_TABLES}"
    ),
    "sys.indexes": "",
}
_INDEXES = {
    "duckdb": (
        "SELECT index_name AS name, lower({schema} || '.' || table_name) AS object_id,"
        " CAST(is_unique AS INTEGER) AS is_unique FROM duckdb_indexes() WHERE database_name = current_database()"
    ).format(schema=_SCHEMA.format(column="schema_name")),
    "postgres": (
        "SELECT indexname AS name, lower({schema} || '.' || tablename) AS object_id,"
        " CASE WHEN indexdef LIKE 'CREATE UNIQUE%' THEN 1 ELSE 0 END AS is_unique FROM pg_indexes"
    ).format(schema=_SCHEMA.format(column="schemaname")),
}
"""The query for each view. A schema is its own number, and an object's is its name in small letters."""


def is_answered(table: exp.Table, to: str) -> bool:
    """Return whether the table is a view of SQL Server's catalog for which the dialect `to` has a query."""
    return to in _INDEXES and _key(table) in _VIEWS


def with_catalog(tree: exp.Expression, to: str) -> exp.Expression:
    """Return the statement with a query in the place of each view of the catalog that it names.

    The own schema of the stand-in is called `dbo` there, and the table of the runs' marks is not told.
    """
    for table in list(tree.find_all(exp.Table)):
        if is_answered(table, to):
            asked: Any = sqlglot.parse_one(_VIEWS[_key(table)] or _INDEXES[to], dialect=to)
            if to == "duckdb" and table.db.lower() == "information_schema":  # its names are in capitals in SQL Server
                for one in asked.expressions:
                    name = one.alias_or_name.upper()
                    one.replace(exp.alias_(one.unalias().copy(), name, quoted=True))
            alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name, quoted=True))
            table.replace(exp.Subquery(this=asked, alias=alias, joins=table.args.get("joins")))
    return tree


def object_id(name: str) -> exp.Expression:
    """Return the number of a table by its name in T-SQL, as these views tell it."""
    table = exp.to_table(name, dialect="tsql")
    return exp.Literal.string(f"{table.db or 'dbo'}.{table.name}".lower())


def _key(table: exp.Table) -> str:
    return f"{table.db}.{table.name}".lower()
