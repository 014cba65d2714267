"""Tables of a DuckDB file on the fast lane of a copy: read and written by one statement of the database itself."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases import duckdb_copy
from manara.connectors.databases.arrow_load import ArrowLoad, fits
from manara.connectors.databases.duckdb_file import SharedFile
from manara.connectors.databases.load_plan import matched
from manara.errors import Conflict, ManaraError, Transient
from manara.plugin.connection import Database, Mark, Transaction
from manara.plugin.dataset import Relation, Tally, noted, restore

Settings = Mapping[str, Any]

_OWN_WAYS = ("additionalColumns", "queryTimeout", "isolationLevel", "partitionOption", "partitionSettings")
_TEXT_BYTES = 16


@dataclass(slots=True)
class Listener:
    """A database that only takes note of the queries it is asked; what it tells of its tables is true."""

    database: Any
    heard: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        return str(self.database.dialect)

    def query(self, statement: str, parameters: Any = ()) -> pa.RecordBatchReader:
        self.heard.append((statement, parameters))
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])

    def columns(self, table: exp.Table) -> dict[str, str]:
        return dict(self.database.columns(table))

    def tables(self, schema: str) -> list[str]:
        return list(self.database.tables(schema))

    def once(self, mark: Mark, work: Callable[[Transaction], dict[str, Any]]) -> dict[str, Any]:
        raise NotImplementedError


def read(database: Database, settings: Settings, ask: Callable[[Database], object]) -> Relation | str:
    """Return the rows that the queries of `ask` give, where it asks one that is a plain query."""
    home = _home(database)
    if home is None:
        return "the source's database is not DuckDB"
    if any(settings.get(name) for name in _OWN_WAYS):
        return "the source has settings of its own"
    listener = Listener(database)
    try:
        ask(listener)
        if len(listener.heard) != 1 or listener.heard[0][1]:
            return "the source is read by more than one query"
        return duckdb_copy.relation_of(home, listener.heard[0][0])
    except Transient:
        raise
    except ManaraError as error:
        return f"the source cannot be read: {error.message}"


def takes(database: Database, table: exp.Table, settings: Settings, relation: Relation) -> str:
    """Return nothing where the database inserts the rows as a load of them does, or else why that is not certain."""
    home = _home(database)
    if home is None:
        return "the sink's database is not DuckDB"
    if relation.home not in (None, home):
        return "the source is in another database than the sink"
    if why_not := _merged_or_changed(settings, relation):
        return why_not
    columns = database.columns(table)
    return _unfit(table, relation, columns) if columns and not settings.get("preCopyScript") else ""


def _merged_or_changed(settings: Settings, relation: Relation) -> str:
    if str(settings.get("writeBehavior") or "insert").lower() != "insert":
        return "rows are merged by keys"
    if settings.get("sqlWriterStoredProcedureName"):
        return "a stored procedure takes the rows"
    if relation.home and settings.get("preCopyScript"):
        return "the script before the copy may change what is read"
    return "" if all(duckdb_copy.type_of(kind) for kind in relation.schema.types) else "DuckDB may change a column"


def write(
    database: Database,
    table: exp.Table,
    settings: Settings,
    relation: Relation,
    mark: Mark,
    tally: Tally,
    before: Callable[[Transaction], object],
) -> None:
    """Insert the rows in one transaction with the mark, after what is to be done `before`."""
    ran = False

    def work(transaction: Any) -> dict[str, Any]:
        nonlocal ran
        ran = True
        duckdb_copy.show_source(transaction.cursor, relation)
        before(transaction)
        load = ArrowLoad(table=table, settings=settings, transaction=transaction, tally=tally, dialect="duckdb")
        columns = transaction.columns(table) or load.made(relation.schema)
        if why_not := _unfit(table, relation, columns):
            raise Conflict(f"The table cannot take the rows as they are: {why_not}.")
        insert = load.into(matched(table, relation.schema, columns), relation.query).sql("duckdb")
        with transaction.file.passing_through(duckdb_copy.ROOM_MIB) if relation.streamed else contextlib.nullcontext():
            duckdb_copy.run(transaction.cursor, lambda: int(transaction.execute(insert)), relation, tally)
        _weigh(relation, tally)
        return noted(tally)

    found = database.once(mark, work)
    if not ran:
        restore(tally, found)


def _unfit(table: exp.Table, relation: Relation, columns: Mapping[str, str]) -> str:
    """Return which column of the table takes its values by a cast only."""
    try:
        targets = matched(table, relation.schema, columns)
    except ManaraError as error:
        return error.message.rstrip(".")
    for name, target in targets.items():
        kind = relation.schema.field(name).type
        if columns[target] != duckdb_copy.type_of(kind) and not fits(kind, columns[target]):
            return f"the values of the column '{name}' are converted to {columns[target]}"
    return ""


def _weigh(relation: Relation, tally: Tally) -> None:
    """Add the bytes that were written: those of the files, or else what the values of a table take at least."""
    if relation.home:
        tally.data_read += tally.rows_copied * sum(_width(kind) for kind in relation.schema.types)
    tally.data_written += tally.data_read


def _width(kind: pa.DataType) -> int:
    return _TEXT_BYTES if pa.types.is_string(kind) else (kind.bit_width + 7) // 8


def _home(database: Database) -> SharedFile | None:
    """Return the file of a database that is DuckDB."""
    found = getattr(database, "file", None)
    return found if isinstance(found, SharedFile) else None
