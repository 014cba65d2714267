"""The linked service Odbc: whatever database has a driver for ODBC on this machine."""

from functools import partial
from typing import Any

import pyodbc

from manara.connectors.databases.connection_string import parts
from manara.connectors.databases.dbapi import SAVEPOINT, DbApiDatabase, Driver
from manara.connectors.databases.dbapi_dialects import PYTHON_TYPES, columns_of, mark_table, types_by_python
from manara.connectors.databases.dbapi_errors import SQLSTATES, WORDS, Errors, words_in
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, connector
from manara.secret import read_secret

_EXAMPLE = "Driver={PostgreSQL Unicode};Server=db.example.org;Database=health"
_CONNECT_S = 15
_MOST_VALUES = 900
# Else true and false come as texts, and all rows of a query are taken into memory at once. What is told first counts.
_POSTGRES = "BoolsAsChar=0;UseDeclareFetch=1;Fetch=5000"
_DIALECTS = (
    ("sqlite", "sqlite"),
    ("postgres", "postgres"),
    ("sql server", "tsql"),
    ("mysql", "mysql"),
    ("mariadb", "mysql"),
    ("oracle", "oracle"),
    ("snowflake", "snowflake"),
    ("teradata", "teradata"),
    ("redshift", "redshift"),
    ("hive", "hive"),
    ("spark", "spark"),
    ("bigquery", "bigquery"),
    ("clickhouse", "clickhouse"),
)


@connector("Odbc", can={"read", "write", "upsert", "query", "procedure"})
def odbc(given: LinkedServiceGiven) -> DbApiDatabase:
    """Return the database that `connectionString` names by its driver (`Driver={...};...`) or its `DSN`.

    `authenticationType` Basic adds `userName` and `password`; `credential` adds a text of the connection string that
    is to stay secret. The driver itself says which database it is; its SQL is spoken then.
    """
    where = f"linked service '{given.name}'"
    if not given.properties.get("connectionString"):
        raise WrongDefinition(
            "An Odbc linked service needs its connectionString.",
            where=where,
            advice=f'Write for instance "connectionString": "{_EXAMPLE}".',
        )
    text = _whole(given, where)
    dialect = _dialect(text)
    if dialect == "postgres":
        text = f"{text.rstrip('; ')};{_POSTGRES}"
    return DbApiDatabase(
        driver=Driver(
            dialect=dialect,
            open=partial(_connect, text),
            errors=_ERRORS,
            style="qmark",
            escapes=dialect == "mysql",
            create_mark=mark_table(dialect),
            columns=columns_of(dialect),
            types=types_by_python(PYTHON_TYPES),
            insert=_insert_fast if dialect == "tsql" else _insert,
            savepoint=SAVEPOINT if dialect in {"sqlite", "postgres", "mysql"} else None,
            most_values=_MOST_VALUES,
        )
    )


def _connect(text: str) -> Any:
    return pyodbc.connect(text, autocommit=False, timeout=_CONNECT_S)


def _dialect(text: str) -> str:
    """Return the dialect of the database, which its driver names; nothing where it is not known."""
    with _ERRORS.translated():
        connection = _connect(text)
        try:
            told = str(connection.getinfo(pyodbc.SQL_DBMS_NAME)).lower()
        finally:
            connection.close()
    return next((dialect for sign, dialect in _DIALECTS if sign in told), "")


def _whole(given: LinkedServiceGiven, where: str) -> str:
    """Return the connection string with the user, the password and what else is secret."""
    text = read_secret(given.properties["connectionString"], f"{where}: connectionString").open()
    parts(text, f"{where}: connectionString")
    if given.properties.get("credential"):
        text = f"{text.rstrip('; ')};{read_secret(given.properties['credential'], f'{where}: credential').open()}"
    for key, name in (("UID", "userName"), ("PWD", "password")):
        if given.properties.get(name):
            value = read_secret(given.properties[name], f"{where}: {name}").open()
            text = f"{text.rstrip('; ')};{key}={{{value.replace('}', '}}')}}}"
    return text


def _insert(cursor: Any, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Insert the rows by one statement: a round trip for each row would be slow."""
    places = f", ({', '.join('?' * len(rows[0]))})"
    cursor.execute(statement + places * (len(rows) - 1), [value for row in rows for value in row])


def _insert_fast(cursor: Any, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Insert the rows by one array of parameters, which SQL Server's driver sends at once."""
    cursor.fast_executemany = True
    cursor.executemany(statement, rows)


def _text(error: Exception) -> str:
    """Return what the driver says, without its state in front."""
    told = max((str(part) for part in error.args), key=len, default=str(error))
    return told.split("] ", 1)[-1] if told.startswith("[") else told


_ERRORS = Errors(
    base=(pyodbc.Error,),
    signs=lambda error: [*words_in(str(error)), *(str(part) for part in error.args)],
    text=_text,
    kinds={**SQLSTATES, **WORDS},
    code="UserErrorOdbcOperationFailed",
    server="The database",
)
