"""The linked service DuckDB: a warehouse in one file, with transactions that do a step's work once."""

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.connectors.databases import duckdb_file
from manara.connectors.databases.duckdb_errors import translated
from manara.errors import ManaraError, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector

Parameters = Sequence[Any] | Mapping[str, Any]

_DETACHED_BYTES = 32 << 20
_MOST_MEMORY_BYTES = 4 << 30
_READING_MIB, _LOADING_MIB = 128, 180
"""What DuckDB itself takes while Arrow rows come from it, or go into it."""
_CREATE_MARK = """
create table if not exists manara_mark (
    run_id varchar, step varchar, attempt integer, noted timestamptz, output json, primary key (run_id, step))
"""
_FIND_MARK = "select output::varchar from manara_mark where run_id = ? and step = ?"
_NOTE_MARK = "insert into manara_mark values (?, ?, ?, ?::timestamptz, ?)"


_OWN_SCHEMA, _INCOMING = "main", "manara_incoming"
_COLUMNS = """
select column_name, data_type from duckdb_columns()
where lower(table_name) = lower($1) and lower(schema_name) = lower($2) order by column_index
"""
_TABLES = "select table_name from information_schema.tables where lower(table_schema) = lower($1)"


@connector("DuckDB", can={"read", "write", "upsert", "query", "procedure"})
def duckdb_database(given: LinkedServiceGiven) -> "DuckDBDatabase":
    """Return the database in the file `path`, relative to the factory's folder; it is made when first used.

    `lockTimeout` is how many seconds to wait while another process holds the file (30). `memoryLimit` is how much
    memory queries may take before they spill to disk ("2GB"; half of the machine's, at most 4 GB, and little while
    rows are only copied); `tempDirectory` is where they spill to (beside the file).
    """
    path = given.properties.get("path")
    if not isinstance(path, str) or not path.strip():
        raise WrongDefinition(
            "A DuckDB linked service needs the database file in typeProperties.path.",
            where=f"linked service '{given.name}'",
            advice='Write for instance "path": "data/warehouse.duckdb".',
        )
    file = given.root / Path(path).expanduser()
    spill = given.properties.get("tempDirectory")
    return DuckDBDatabase(
        file=duckdb_file.shared(
            file,
            lock_timeout_s=_seconds(given.properties.get("lockTimeout", 30)),
            config={
                "memory_limit": str(given.properties.get("memoryLimit") or _sensible_memory()),
                "temp_directory": str(given.root / str(spill)) if spill else f"{file}.tmp",
            },
            may_be_lean=not given.properties.get("memoryLimit"),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckDBDatabase:
    """The tables of one DuckDB file.

    Steps of one process write one after the other, so that they cannot conflict; reading goes on beside them and
    sees what was committed before.
    """

    file: duckdb_file.SharedFile
    dialect: str = "duckdb"

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        with contextlib.ExitStack() as stack:
            cursor = stack.enter_context(self.file.cursor())
            with translated(statement):
                found = _relation(cursor, statement, parameters)
                if found and self.file.is_large and duckdb_file.is_streamed(found.explain()):
                    stack.enter_context(self.file.passing_through(_READING_MIB))
                rows = _rows(found)
            held = stack.pop_all()
        return _closing(rows, held, self.file)

    def columns(self, table: exp.Table) -> dict[str, str]:
        return _columns(self.query(_COLUMNS, [table.name, table.db or _OWN_SCHEMA]))

    def tables(self, schema: str) -> list[str]:
        return [str(row["table_name"]) for row in self.query(_TABLES, [schema or _OWN_SCHEMA]).read_all().to_pylist()]

    def once(self, mark: Mark, work: Callable[["DuckDBTransaction"], dict[str, Any]]) -> dict[str, Any]:
        with self.file.writing(), self.file.cursor() as cursor, translated():
            cursor.execute(_CREATE_MARK)
            noted = cursor.execute(_FIND_MARK, [mark.run_id, mark.step]).fetchone()
            if noted:
                result: dict[str, Any] = json.loads(noted[0])
                return result
            return _in_transaction(DuckDBTransaction(cursor=cursor, file=self.file), mark, work)


def _in_transaction(
    transaction: "DuckDBTransaction", mark: Mark, work: Callable[["DuckDBTransaction"], dict[str, Any]]
) -> dict[str, Any]:
    cursor = transaction.cursor
    cursor.execute("begin")
    try:
        result = work(transaction)
        output = json.dumps(result)
        cursor.execute(_NOTE_MARK, [mark.run_id, mark.step, mark.attempt, clock.now().isoformat(), output])
        cursor.execute("commit")
    except BaseException:
        # A commit that failed has ended the transaction already.
        with contextlib.suppress(duckdb.Error):
            cursor.execute("rollback")
        raise
    finally:
        transaction.forget()
    return result


@dataclass(slots=True, kw_only=True)
class DuckDBTransaction:
    """An open transaction.

    The rows of a query up to 32 MB may be read at any time; those of a larger one, before the next statement.
    """

    cursor: duckdb.DuckDBPyConnection
    file: duckdb_file.SharedFile
    dialect: str = "duckdb"
    _sources: "dict[str, _Watched]" = field(default_factory=dict)

    def execute(self, statement: str, parameters: Parameters = ()) -> int:
        with translated(statement), self._true_cause():
            result = self.cursor.execute(statement, parameters or None)
            columns = [column[0] for column in result.description or ()]
            rows = result.fetchall() if columns == ["Count"] else []
            return int(rows[0][0]) if rows else 0

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        with self._true_cause(), translated(statement):
            return _detached(_rows(_relation(self.cursor, statement, parameters)))

    def columns(self, table: exp.Table) -> dict[str, str]:
        return _columns(self.query(_COLUMNS, [table.name, table.db or _OWN_SCHEMA]))

    def tables(self, schema: str) -> list[str]:
        return [str(row["table_name"]) for row in self.query(_TABLES, [schema or _OWN_SCHEMA]).read_all().to_pylist()]

    def load(self, table: exp.Table, rows: pa.RecordBatchReader) -> int:
        names = [exp.column(name, quoted=True) for name in rows.schema.names]
        into = exp.Schema(this=table.copy(), expressions=[name.this for name in names])
        statement = exp.Insert(this=into, expression=exp.select(*names).from_(_INCOMING))
        with self.register(_INCOMING, rows):
            return self.execute(statement.sql(self.dialect))

    @contextlib.contextmanager
    def register(self, name: str, rows: pa.RecordBatchReader | pa.Table) -> Iterator[None]:
        if isinstance(rows, pa.RecordBatchReader):
            self._sources[name] = watched = _Watched(rows)
            rows = watched.reader()
        with translated():
            self.cursor.register(name, rows)
        try:
            yield
        finally:
            self._sources.pop(name, None)
            # After an error the transaction is over, and its views have gone with it.
            with contextlib.suppress(duckdb.Error):
                self.cursor.unregister(name)

    def passing_through(self) -> AbstractContextManager[None]:
        return self.file.passing_through(_LOADING_MIB)

    def forget(self) -> None:
        """Let go of all rows that were registered."""
        self._sources.clear()

    @contextlib.contextmanager
    def _true_cause(self) -> Iterator[None]:
        """Raise the error of a registered stream in place of the one that DuckDB makes of it."""
        try:
            yield
        except (duckdb.Error, ManaraError) as error:
            cause = next((source.error for source in self._sources.values() if source.error), None)
            if cause:
                raise cause from error
            raise


class _Watched:
    """A stream that remembers the error which ended it."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self.rows = rows
        self.error: BaseException | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.rows.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self.rows
        except BaseException as error:
            self.error = error
            raise


def _columns(rows: pa.RecordBatchReader) -> dict[str, str]:
    return {row["column_name"]: row["data_type"] for row in rows.read_all().to_pylist()}


def _relation(
    cursor: duckdb.DuckDBPyConnection, statement: str, parameters: Parameters
) -> duckdb.DuckDBPyRelation | None:
    return cursor.sql(statement, params=parameters or None)


def _rows(relation: duckdb.DuckDBPyRelation | None) -> pa.RecordBatchReader:
    """Return the rows of what a statement gave; none where it gave nothing."""
    if relation is None:
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])
    rows: pa.RecordBatchReader = relation.to_arrow_reader(65_536)
    return rows


def _detached(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows with the first 32 MB taken, so that a short result no longer holds the connection."""
    taken: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        taken.append(batch)
        size += batch.nbytes
        if size > _DETACHED_BYTES:
            return pa.RecordBatchReader.from_batches(rows.schema, itertools.chain(taken, rows))
    return pa.RecordBatchReader.from_batches(rows.schema, taken)


def _closing(
    rows: pa.RecordBatchReader, held: contextlib.ExitStack, file: duckdb_file.SharedFile
) -> pa.RecordBatchReader:
    """Return the rows as a stream that gives the cursor back at its end, or when it is dropped."""

    def batches(rows: pa.RecordBatchReader) -> Generator[Any, None, None]:
        with held, translated():
            try:
                yield None
                yield from rows
            finally:
                rows.close()
                del rows

    stream = batches(rows)
    next(stream)  # enter the `with`: a generator that never began would never leave it either
    file.streams.add(stream)
    return pa.RecordBatchReader.from_batches(rows.schema, stream)


def _seconds(value: object) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise WrongDefinition(f"lockTimeout is a number of seconds, not '{value}'.") from error


def _sensible_memory() -> str:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(machine // 2, _MOST_MEMORY_BYTES) >> 20}MiB"
