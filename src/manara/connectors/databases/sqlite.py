"""The linked service SQLite: the tables of one SQLite file."""

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases import dbapi_rows
from manara.connectors.databases.dbapi import DbApiDatabase, Driver
from manara.connectors.databases.dbapi_dialects import mark_table
from manara.connectors.databases.dbapi_errors import (
    BUSY,
    FULL,
    LATER,
    MISSING,
    RIGHTS,
    ROWS,
    THERE,
    TWICE,
    WRONG,
    Errors,
    Kind,
)
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, connector

_LOCK_S = 30.0
_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


@connector("SQLite", can={"read", "write", "upsert", "query", "procedure"})
def sqlite(given: LinkedServiceGiven) -> "SQLiteDatabase":
    """Return the database in the file `path`, relative to the factory's folder; it is made when first written.

    `lockTimeout` is how many seconds to wait while somebody else writes (30). A file that is written is put into
    SQLite's WAL mode, in which reading goes on beside writing.
    """
    path = given.properties.get("path")
    if not isinstance(path, str) or not path.strip():
        raise WrongDefinition(
            "A SQLite linked service needs the database file in typeProperties.path.",
            where=f"linked service '{given.name}'",
            advice='Write for instance "path": "data/register.sqlite".',
        )
    try:
        lock_s = float(str(given.properties.get("lockTimeout", _LOCK_S)))
    except ValueError as error:
        raise WrongDefinition(
            f"lockTimeout is a number of seconds, not '{given.properties['lockTimeout']}'."
        ) from error
    file = given.root / Path(path).expanduser()
    driver = Driver(
        dialect="sqlite",
        open=partial(_open, file, lock_s),
        errors=_ERRORS,
        style="qmark",
        create_mark=mark_table("sqlite"),
        columns=_columns,
        types=_types,
        prepare=_value,
        plain=_plain,
    )
    return SQLiteDatabase(driver=driver)


class SQLiteDatabase(DbApiDatabase):
    """The tables of one file."""

    __slots__ = ()

    def tables(self, schema: str) -> list[str]:  # noqa: ARG002 # a file has one
        with self._connected() as connection:
            return _tables(connection.cursor())


class _Connection(sqlite3.Connection):
    """A connection that begins its transactions itself: the first one to read, those after it to write."""

    begins = "begin"

    def cursor(self, factory: Any = None) -> Any:
        if not self.in_transaction:
            super().cursor().execute(self.begins)
        return super().cursor(factory or _Cursor)

    def commit(self) -> None:
        super().commit()
        self.begins = "begin immediate"

    def rollback(self) -> None:
        super().rollback()
        self.begins = "begin immediate"


class _Cursor(sqlite3.Cursor):
    """A cursor that knows what it was asked."""

    asked: tuple[str, Sequence[Any]] = ("", ())

    def execute(self, statement: str, parameters: Any = ()) -> "_Cursor":
        self.asked = (statement, parameters)
        return super().execute(statement, parameters)


def _open(file: Path, lock_s: float) -> _Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        file, timeout=lock_s, isolation_level=None, check_same_thread=False, factory=_Connection
    )
    try:
        wal = sqlite3.Connection.cursor(connection).execute("pragma journal_mode = wal")
        wal.close()
        sqlite3.Connection.cursor(connection).execute("pragma foreign_keys = on").close()
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            connection.close()
            raise
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _columns(cursor: Any, table: exp.Table) -> dict[str, str]:
    rows = cursor.execute("select name, type from pragma_table_info(?) order by cid", [table.name]).fetchall()
    return dict(rows)


def _tables(cursor: Any) -> list[str]:
    rows = cursor.execute("select name from sqlite_master where type in ('table', 'view') order by name").fetchall()
    return [name for (name,) in rows]


def _types(cursor: Any) -> dbapi_rows.Types:
    """Return the types that hold all values of the result; SQLite has none for a column, only for each value.

    They are found by one more walk through the rows, in the same transaction. A column of text whose values are all
    days, or all times of a day in one spelling, is one of dates or times only where it was declared so.
    """
    names = [column[0] for column in cursor.description]
    statement, parameters = cursor.asked
    if statement.lstrip().split(None, 1)[0].lower() not in {"select", "with", "values"}:
        return [None] * len(names)
    connection = cursor.connection
    inner = [f"c{index}" for index in range(len(names))]
    facts = ", ".join(
        f"max(typeof({c}) = 'integer'), max(typeof({c}) = 'real'), max(typeof({c}) = 'text'), "
        f"max(typeof({c}) = 'blob'), min(typeof({c}) in ('null', 'text') and ({c} is null or ({c} glob '{_DAY}*' "
        f"and length({c}) <= 26 and julianday({c}) is not null and {c} not glob '*[+Z]*' "
        f"and substr({c}, 11) not glob '*-*'))), max(length({c}) > 10), "
        f"min(typeof({c}) = 'null' or {c} in (0, 1))"
        for c in inner
    )
    text = statement.strip().rstrip(";")
    found = sqlite3.Connection.cursor(connection)
    row = found.execute(f"with q({', '.join(inner)}) as ({text}\n) select {facts} from q", parameters).fetchone()  # noqa: S608 # our own names
    declared = _declared(connection, text, parameters)
    return [_type(row[index * 7 : index * 7 + 7], declared.get(index, "")) for index in range(len(names))]


def _declared(connection: sqlite3.Connection, text: str, parameters: Sequence[Any]) -> dict[int, str]:
    """Return the declared types of the result's columns, where SQLite can trace them to a table's."""
    if parameters:
        return {}
    cursor = sqlite3.Connection.cursor(connection)
    try:
        cursor.execute("savepoint manara_declared")
        cursor.execute(f"create temp view manara_declared as {text}")
        rows = cursor.execute("select cid, type from pragma_table_info('manara_declared')").fetchall()
        cursor.execute("drop view manara_declared")
        cursor.execute("release manara_declared")
    except sqlite3.Error:
        cursor.execute("rollback to manara_declared")
        cursor.execute("release manara_declared")
        return {}
    return {int(index): str(kind).lower() for index, kind in rows}


def _type(facts: Sequence[Any], declared: str) -> pa.DataType:  # noqa: PLR0911 # a table of types
    whole, real, text, blob, is_day, is_long, is_flag = (bool(fact) for fact in facts)
    if blob:
        return pa.binary()
    if declared.startswith(("timestamp", "datetime")) and is_day and not (whole or real):
        return pa.timestamp("us")
    if declared == "date" and is_day and not (whole or real or is_long):
        return pa.date32()
    if declared.startswith("bool") and is_flag and not (real or text):
        return pa.bool_()
    if text:
        return pa.string()
    if real:
        return pa.float64()
    if whole:
        return pa.int64()
    return pa.int64() if "int" in declared else pa.float64() if declared in {"real", "double"} else pa.string()


def _value(value: Any) -> Any:
    """Return a value as SQLite keeps it: times as ISO 8601 text, which its own functions read."""
    if isinstance(value, datetime):
        plain = dbapi_rows.in_utc(value)
        return plain.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else dbapi_rows.in_utc(value)


def _plain(column: "pa.Array[Any]") -> list[Any]:
    kind = column.type
    values = dbapi_rows.plain_values(column)
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return [None if value is None else _value(value) for value in values]
    return values


_CODES: dict[str, Kind] = {
    "SQLITE_CONSTRAINT_UNIQUE": TWICE,
    "SQLITE_CONSTRAINT_PRIMARYKEY": TWICE,
    "SQLITE_CONSTRAINT": ROWS,
    "SQLITE_BUSY": BUSY,
    "SQLITE_LOCKED": BUSY,
    "SQLITE_FULL": FULL,
    "SQLITE_READONLY": RIGHTS,
    "SQLITE_PERM": RIGHTS,
    "SQLITE_AUTH": RIGHTS,
    "SQLITE_CANTOPEN": (RIGHTS[0], "Look whether the folder can be written, and the path names a file."),
    "SQLITE_NOTADB": (WrongDefinition, "Point the linked service at another file."),
    "SQLITE_IOERR": LATER,
    "no such table": MISSING,
    "already exists": THERE,
    "SQLITE_MISMATCH": ROWS,
    "SQLITE_ERROR": WRONG,
}


def _signs(error: Exception) -> list[str]:
    text = str(error).lower()
    words = [word for word in ("no such table", "already exists") if word in text]
    return [*words, str(getattr(error, "sqlite_errorname", "") or "SQLITE_ERROR")]


_ERRORS = Errors(base=(sqlite3.Error,), signs=_signs, text=str, kinds=_CODES, code="UserErrorSQLite", server="SQLite")
