"""The linked services PostgreSql, PostgreSqlV2 and AzurePostgreSql: databases on a PostgreSQL server."""

import contextlib
import itertools
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlglot import exp

from manara import clock
from manara.connectors.databases import dbapi_rows
from manara.connectors.databases.connection_string import needed, settings, whole_number
from manara.connectors.databases.postgres_errors import translated
from manara.connectors.databases.postgres_load import load
from manara.connectors.databases.postgres_read import described, in_parts, of_description, one_by_one, physical_parts
from manara.connectors.databases.sql_parameters import Parameters, bound
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector
from manara.secret import read_secret

_PORT = 5432
_CONNECT_S = 15
_DETACHED_BYTES = 32 << 20
_MARKS_LOCK = 6_271_620_264
"""The number of the lock under which the table of marks is made; any number, always the same."""

_ALIASES = {
    "server": ("host", "datasource", "address", "addr"),
    "port": (),
    "database": ("db", "initialcatalog"),
    "username": ("uid", "user", "userid"),
    "password": ("pwd",),
    "sslmode": ("encryptionmethod",),
    "schema": ("searchpath",),
    "connectiontimeout": ("timeout",),
}
_EXAMPLE = "Server=db.example.org;Port=5432;Database=health;UID=reader;Password=..."
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_CREATE_MARK = """
create table if not exists manara_mark (
    run_id text, step text, attempt integer, noted timestamptz, output json, primary key (run_id, step))
"""
_FIND_MARK = "select output::text from manara_mark where run_id = %s and step = %s"
_NOTE_MARK = "insert into manara_mark values (%s, %s, %s, %s, %s)"
_COLUMNS = """
select attname::text, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
"""
_TABLES = """
select table_name::text from information_schema.tables
where table_schema = coalesce(nullif(%s, ''), current_schema()) order by 1
"""
_STREAMED = ("select", "values", "table")


@connector("PostgreSql", "PostgreSqlV2", "AzurePostgreSql", can={"read", "write", "upsert", "query", "procedure"})
def postgres(given: LinkedServiceGiven) -> "PostgresDatabase":
    """Return the database that `connectionString` names (`Server`, `Port`, `Database`, `UID`, `Password`, `SSLMode`).

    Properties of the same names do as well (`server`, `port`, `database`, `username`, `password`, `sslMode`), and so
    does an address (`postgresql://...`) as the connection string. `sslMode` is 0 to 5 or its word: disable, allow,
    prefer (the default), require, verify-ca, verify-full. `schema` is where names without a schema are looked for.
    """
    told = given.properties.get("connectionString")
    text = read_secret(told, f"linked service '{given.name}': connectionString").open() if told else ""
    if text.lower().startswith(("postgresql://", "postgres://")):
        return PostgresDatabase(address=_address_of(text, given))
    found = settings(given, _ALIASES)
    server = needed(found, "server", given, _EXAMPLE)
    words: dict[str, Any] = {
        "host": server,
        "port": whole_number(found.get("port") or str(_PORT), "port", given),
        "dbname": needed(found, "database", given, _EXAMPLE),
        "user": needed(found, "username", given, _EXAMPLE),
        "sslmode": _ssl_mode(found.get("sslmode", "prefer"), given),
        "connect_timeout": whole_number(found.get("connectiontimeout") or str(_CONNECT_S), "connectionTimeout", given),
    }
    if found.get("password"):
        words["password"] = found["password"]
    if found.get("schema"):
        words["options"] = f"-csearch_path={found['schema']}"
    return PostgresDatabase(address=make_conninfo("", **words))


def _address_of(text: str, given: LinkedServiceGiven) -> str:
    try:
        return make_conninfo(text)
    except psycopg.ProgrammingError as error:
        raise WrongDefinition(
            "The address cannot be read.",
            where=f"linked service '{given.name}': connectionString",
            advice="Write postgresql://user:password@server:5432/database.",
        ) from error


def _ssl_mode(told: str, given: LinkedServiceGiven) -> str:
    mode = told.strip().lower().replace("_", "-")
    mode = {"verifyca": "verify-ca", "verifyfull": "verify-full", "none": "disable"}.get(mode, mode)
    mode = _SSL[int(mode)] if mode.isdecimal() and int(mode) < len(_SSL) else mode
    if mode not in _SSL:
        raise WrongDefinition(
            f"The sslMode is 0 to 5, or one of {', '.join(_SSL)}, not '{told}'.",
            where=f"linked service '{given.name}'",
        )
    return mode


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """The tables of one database. Every query and every transaction has a connection of its own, closed at its end."""

    address: str = field(repr=False)
    dialect: str = "postgres"
    options: tuple[tuple[str, str], ...] = ()

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        if not parameters:
            with self._connected() as connection:
                plan = described(connection, statement)
            if plan is not None:
                return one_by_one(self.address, plan, self._settings())
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._connected())
            stack.enter_context(connection.transaction())
            transaction = PostgresTransaction(connection=connection)
            stack.callback(transaction.forget)
            rows = transaction.query(statement, parameters)
            held = stack.pop_all()
        return _closing(rows, held)

    def query_all(self, statements: Sequence[str]) -> pa.RecordBatchReader:
        """Return the rows of all the queries, which give the same columns, as they come: at once, of one moment."""
        with self._connected() as connection:
            plans = [described(connection, statement) for statement in statements]
        return in_parts(self.address, [plan for plan in plans if plan is not None], self._settings())

    def parts(self, table: exp.Table) -> list[str]:
        """Return queries that give the rows of the table in parts, each of them once."""
        with self._connected() as connection:
            return physical_parts(connection, table)

    def columns(self, table: exp.Table) -> dict[str, str]:
        with self._connected() as connection:
            return PostgresTransaction(connection=connection).columns(table)

    def tables(self, schema: str) -> list[str]:
        with self._connected() as connection:
            return PostgresTransaction(connection=connection).tables(schema)

    def tuned(self, *, timeout_s: float = 0, isolation: str = "") -> "PostgresDatabase":
        """Return the database with a time limit for each statement, and an isolation level for what is read."""
        options = {"statement_timeout": f"{round(timeout_s * 1000)}ms"} if timeout_s else {}
        if isolation:
            options["default_transaction_isolation"] = isolation
        return replace(self, options=tuple(options.items()))

    def once(self, mark: Mark, work: Callable[["PostgresTransaction"], dict[str, Any]]) -> dict[str, Any]:
        with self._connected() as connection, translated():
            if connection.execute("select to_regclass('manara_mark')").fetchone() == (None,):
                with connection.transaction():
                    connection.execute("select pg_advisory_xact_lock(%s)", [_MARKS_LOCK])
                    connection.execute(_CREATE_MARK)
            with connection.transaction():
                # Who does the same step at the same time waits here, and then finds the mark.
                lock = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
                connection.execute(lock, [f"{mark.run_id} {mark.step}"])
                noted = connection.execute(_FIND_MARK, [mark.run_id, mark.step]).fetchone()
                if noted:
                    result: dict[str, Any] = json.loads(noted[0])
                    return result
                transaction = PostgresTransaction(connection=connection)
                try:
                    result = work(transaction)
                finally:
                    transaction.forget()
                values = [mark.run_id, mark.step, mark.attempt, clock.now(), json.dumps(result)]
                connection.execute(_NOTE_MARK, values)
            return result

    def _settings(self) -> list[str]:
        return [
            sql.SQL("set {} = {}").format(sql.Identifier(name), sql.Literal(value)).as_string()
            for name, value in (("timezone", "UTC"), *self.options)
        ]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        with translated():
            connection = psycopg.connect(self.address, autocommit=True, application_name="manara")
        try:
            with translated():
                for statement in self._settings():
                    connection.execute(statement.encode())
            yield connection
        finally:
            connection.close()


@dataclass(slots=True, kw_only=True)
class PostgresTransaction:
    """An open transaction; the rows of its queries may be read as long as it is open.

    Those of a result up to 32 MB are taken at once, so that its tables can be changed and dropped meanwhile.
    """

    connection: psycopg.Connection[Any]
    dialect: str = "postgres"
    _cursors: list[Any] = field(default_factory=list)

    def execute(self, statement: str, parameters: Parameters = ()) -> int:
        spelt, values = bound(statement, parameters, "format")
        with translated(statement, self.connection), self.connection.cursor() as cursor:
            cursor.execute(spelt.encode(), values or None)
            changes = (cursor.statusmessage or "").split(" ")[0] in {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"}
            return cursor.rowcount if changes else 0

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        spelt, values = bound(statement, parameters, "format")
        cursor: Any
        if statement.lstrip().lower().startswith(_STREAMED):
            cursor = self.connection.cursor(f"manara_{len(self._cursors)}")
            self._cursors.append(cursor)
        else:
            cursor = self.connection.cursor()
        with translated(statement, self.connection):
            cursor.execute(spelt.encode(), values or None)
        if not cursor.description:
            return pa.RecordBatchReader.from_batches(pa.schema([]), [])
        names = [column.name for column in cursor.description]
        types, shaped = of_description(cursor.description)

        def fetch(how_many: int) -> Sequence[dbapi_rows.Row]:
            if cursor.closed:
                return []
            with translated(statement):
                found = [shaped(row) for row in cursor.fetchmany(how_many)]
                if len(found) < how_many:
                    cursor.close()
                return found

        return _detached(dbapi_rows.batches(names, types, fetch))

    def forget(self) -> None:
        """Close what is open of its queries; what of their rows was not read is gone."""
        for cursor in self._cursors:
            # After an error, or with the connection gone, they are closed already.
            with contextlib.suppress(psycopg.Error):
                cursor.close()
        self._cursors.clear()

    def columns(self, table: exp.Table) -> dict[str, str]:
        with translated():
            return dict(self.connection.execute(_COLUMNS, [_quoted(table)]).fetchall())

    def tables(self, schema: str) -> list[str]:
        with translated():
            return [name for (name,) in self.connection.execute(_TABLES, [schema]).fetchall()]

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        with self.connection.transaction():
            yield

    def load(self, table: exp.Table, rows: pa.RecordBatchReader) -> int:
        return load(self.connection, table, self.columns(table), rows)


def _quoted(table: exp.Table) -> str:
    return table.sql("postgres")


def _detached(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows with the first 32 MB taken, so that a short result no longer holds its tables."""
    taken: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        taken.append(batch)
        size += batch.nbytes
        if size > _DETACHED_BYTES:
            return pa.RecordBatchReader.from_batches(rows.schema, itertools.chain(taken, rows))
    return pa.RecordBatchReader.from_batches(rows.schema, taken)


def _closing(rows: pa.RecordBatchReader, held: contextlib.ExitStack) -> pa.RecordBatchReader:
    """Return the rows as a stream that closes what it holds at its end, or when it is dropped."""

    def batches() -> Generator[Any, None, None]:
        with held:
            yield None
            yield from rows

    stream = batches()
    next(stream)  # enter the `with`: a generator that never began would never leave it either
    return pa.RecordBatchReader.from_batches(rows.schema, stream)


def without_secrets(address: str) -> str:
    """Return the address without its password."""
    return " ".join(f"{name}={value}" for name, value in conninfo_to_dict(address).items() if name != "password")
