"""Databases reached by a Python driver (DB-API 2.0): one lane for all, with a small table of differences for each."""

import contextlib
import itertools
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.connectors.databases import dbapi_rows
from manara.connectors.databases.dbapi_dialects import tables_of
from manara.connectors.databases.dbapi_errors import Errors
from manara.connectors.databases.sql_parameters import Parameters, bound, doubled, places
from manara.errors import Broken, Conflict, ManaraError, NotFound
from manara.plugin.connection import Mark

_DETACHED_BYTES = 32 << 20
_LOAD_ROWS = 10_000
_FIND_MARK = "select output from manara_mark where run_id = $run and step = $step"
_NOTE_MARK = """
insert into manara_mark (run_id, step, attempt, noted, output) values ($run, $step, $attempt, $noted, $output)
"""


SAVEPOINT = ("savepoint manara_try", "rollback to savepoint manara_try", "release savepoint manara_try")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What is different from one driver, and one database, to another.

    `open` gives a new connection that does not commit by itself. `style` is how the driver binds (`qmark`, `format`,
    `numeric`); `escapes` says that a backslash escapes in a text. `types` gives the Arrow types of a cursor's columns
    (None: by its values). `columns` tells a table's columns; it has `$schema` (empty where the statement names none)
    and `$name`. `create_mark` makes the table of marks. `stream` opens a cursor that does not take all rows at once.
    `insert` puts rows in by the driver's fastest way; `most_values` is how many values one statement may bind.
    `savepoint` are the statements that begin a part of a transaction, take it back, and let go of it.
    `changed` tells of a cursor how many rows its statement changed.
    `stand_in` is advice on what could take the database's place where it cannot be reached.
    """

    dialect: str
    open: Callable[[], Any]
    errors: Errors
    style: str
    create_mark: str
    columns: str | Callable[[Any, exp.Table], dict[str, str]]
    escapes: bool = False
    types: Callable[[Any], dbapi_rows.Types] = lambda cursor: [None] * len(cursor.description)
    stream: Callable[[Any], Any] = lambda connection: connection.cursor()
    insert: Callable[[Any, str, list[tuple[Any, ...]]], None] = lambda cursor, statement, rows: cursor.executemany(
        statement, rows
    )
    changed: Callable[[Any], int] = lambda cursor: 0 if cursor.description else cursor.rowcount or 0
    most_values: int = 0
    stand_in: str = ""
    savepoint: tuple[str, str, str] | None = None
    prepare: Callable[[Any], Any] = dbapi_rows.in_utc
    plain: Callable[["pa.Array[Any]"], list[Any]] = dbapi_rows.plain_values


@dataclass(frozen=True, slots=True, kw_only=True)
class DbApiDatabase:
    """The tables of a database. Every query and every transaction has a connection of its own, closed at its end."""

    driver: Driver

    @property
    def dialect(self) -> str:
        return self.driver.dialect

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._connected())
            rows = DbApiTransaction(driver=self.driver, connection=connection).rows(statement, parameters)
            held = stack.pop_all()
            # Before the cursor: MySQL's would read on to the end of a result that nobody wants any more.
            held.callback(self._close, connection)
        return _closing(rows, held)

    def columns(self, table: exp.Table) -> dict[str, str]:
        with self._connected() as connection:
            return DbApiTransaction(driver=self.driver, connection=connection).columns(table)

    def tables(self, schema: str) -> list[str]:
        with self._connected() as connection:
            return DbApiTransaction(driver=self.driver, connection=connection).tables(schema)

    def once(self, mark: Mark, work: Callable[["DbApiTransaction"], dict[str, Any]]) -> dict[str, Any]:
        with self._connected() as connection:
            kind = UndoableTransaction if self.driver.savepoint else DbApiTransaction
            transaction = kind(driver=self.driver, connection=connection)
            noted = self._noted(transaction, mark)
            if noted is None:
                transaction.commit()
                noted = self._work(transaction, mark, work)
            return noted

    def _noted(self, transaction: "DbApiTransaction", mark: Mark) -> dict[str, Any] | None:
        """Return what was noted with the mark, or None; makes the table of marks where there is none."""
        try:
            return transaction.noted(mark)
        except NotFound:
            transaction.rollback()
        # Somebody else may make it in the same moment.
        with contextlib.suppress(Conflict):
            transaction.execute(self.driver.create_mark)
        transaction.commit()
        return transaction.noted(mark)

    def _work(
        self, transaction: "DbApiTransaction", mark: Mark, work: Callable[["DbApiTransaction"], dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            result = work(transaction)
            transaction.forget()
            first = transaction.note(mark, json.dumps(result))
            if first is not None:
                return first
            transaction.commit()
        except BaseException:
            transaction.forget()
            # What failed may have ended the transaction, or the connection, already.
            with contextlib.suppress(ManaraError):
                transaction.rollback()
            raise
        return result

    def _opened(self) -> Any:
        try:
            return self.driver.open()
        except self.driver.errors.base as error:
            ours = self.driver.errors.translate(error)
            if self.driver.stand_in:
                ours.advice = f"{ours.advice} Or {self.driver.stand_in}.".strip()
            raise ours from error

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        connection = self._opened()
        try:
            yield connection
        finally:
            self._close(connection)

    def _close(self, connection: Any) -> None:
        with contextlib.suppress(*self.driver.errors.base):
            connection.close()


@dataclass(slots=True, kw_only=True)
class DbApiTransaction:
    """An open transaction.

    The rows of a query up to 32 MB may be read at any time; those of a larger one, before the next statement.
    """

    driver: Driver
    connection: Any
    _open: "_Stream | None" = field(default=None)

    @property
    def dialect(self) -> str:
        return self.driver.dialect

    def execute(self, statement: str, parameters: Parameters = ()) -> int:
        self.forget()
        with self._cursor() as cursor, self.driver.errors.translated(statement):
            self._run(cursor, statement, parameters)
            return max(self.driver.changed(cursor), 0)

    def query(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        self.forget()
        rows = self.rows(statement, parameters)
        taken: list[pa.RecordBatch] = []
        size = 0
        for batch in rows:
            taken.append(batch)
            size += batch.nbytes
            if size > _DETACHED_BYTES:
                self._open = _Stream(rows)
                return pa.RecordBatchReader.from_batches(rows.schema, itertools.chain(taken, self._open))
        return pa.RecordBatchReader.from_batches(rows.schema, taken)

    def columns(self, table: exp.Table) -> dict[str, str]:
        if callable(self.driver.columns):
            with self._cursor() as cursor, self.driver.errors.translated():
                return self.driver.columns(cursor, table)
        rows = self.query(self.driver.columns, {"name": table.name, "schema": table.db, "catalog": table.catalog})
        return {str(row[0]): str(row[1]) for batch in rows for row in zip(*batch.to_pydict().values(), strict=True)}

    def tables(self, schema: str) -> list[str]:
        asked = tables_of(self.driver.dialect)
        if callable(asked):
            with self._cursor() as cursor, self.driver.errors.translated():
                return asked(cursor, schema)
        return [str(name) for name in self.query(asked, {"schema": schema}).read_all().column(0).to_pylist()]

    def load(self, table: exp.Table, rows: pa.RecordBatchReader) -> int:
        self.forget()
        count = 0
        statement = self._insert(table, rows.schema.names)
        at_once = _LOAD_ROWS
        if self.driver.most_values:
            at_once = max(1, min(at_once, self.driver.most_values // max(len(rows.schema), 1)))
        with self._cursor() as cursor:
            for batch in rows:
                for start in range(0, batch.num_rows, at_once):
                    values = dbapi_rows.as_tuples(batch.slice(start, at_once), self.driver.plain)
                    with self.driver.errors.translated(statement):
                        self.driver.insert(cursor, statement, values)
                    count += len(values)
        return count

    def rows(self, statement: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        """Return the rows of a query as they come, batch by batch."""
        with contextlib.ExitStack() as stack:
            cursor = stack.enter_context(self._cursor(self.driver.stream))
            with self.driver.errors.translated(statement):
                self._run(cursor, statement, parameters)
                if not cursor.description:
                    return pa.RecordBatchReader.from_batches(pa.schema([]), [])
                names = [str(column[0]) for column in cursor.description]
                types = self.driver.types(cursor)

            def fetch(how_many: int) -> Sequence[dbapi_rows.Row]:
                with self.driver.errors.translated(statement):
                    return list(cursor.fetchmany(how_many))

            rows = dbapi_rows.batches(names, types, fetch)
            held = stack.pop_all()
        return _closing(rows, held)

    def noted(self, mark: Mark) -> dict[str, Any] | None:
        """Return what was noted with the mark. Raises NotFound where there is no table of marks."""
        found = self.query(_FIND_MARK, {"run": mark.run_id, "step": mark.step}).read_all()
        if not found.num_rows:
            return None
        output: dict[str, Any] = json.loads(str(found.column(0)[0].as_py()))
        return output

    def note(self, mark: Mark, output: str) -> dict[str, Any] | None:
        """Note the mark. Where another worker was first, take everything back and return what it noted."""
        values = {
            "run": mark.run_id,
            "step": mark.step,
            "attempt": mark.attempt,
            "noted": clock.now().isoformat(),
            "output": output,
        }
        try:
            self.execute(_NOTE_MARK, values)
        except ManaraError:
            self.rollback()
            first = self.noted(mark)
            if first is None:
                raise
            return first
        return None

    def commit(self) -> None:
        """Make everything stay."""
        with self.driver.errors.translated("commit"):
            self.connection.commit()

    def rollback(self) -> None:
        """Take everything back."""
        with self.driver.errors.translated("rollback"):
            self.connection.rollback()

    def forget(self) -> None:
        """Let go of the rows of a large query that nobody has read."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _run(self, cursor: Any, statement: str, parameters: Parameters) -> None:
        spelt, values = bound(statement, parameters, self.driver.style, escapes=self.driver.escapes)
        if values:
            cursor.execute(spelt, [self.driver.prepare(value) for value in values])
        else:
            cursor.execute(spelt)

    def _insert(self, table: exp.Table, names: Sequence[str]) -> str:
        into = exp.Schema(this=table.copy(), expressions=[exp.to_identifier(name, quoted=True) for name in names])
        return " ".join(
            ("insert into", doubled(into.sql(self.dialect), self.driver.style), "values",
             places(self.driver.style, len(names)))
        )  # fmt: skip

    @contextlib.contextmanager
    def _cursor(self, opened: Callable[[Any], Any] | None = None) -> Iterator[Any]:
        cursor = (opened or (lambda connection: connection.cursor()))(self.connection)
        try:
            yield cursor
        finally:
            with contextlib.suppress(*self.driver.errors.base):
                cursor.close()


class UndoableTransaction(DbApiTransaction):
    """A transaction of a database that has savepoints."""

    __slots__ = ()

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        begin, undo, end = self.driver.savepoint or ("", "", "")
        self.execute(begin)
        try:
            yield
        except ManaraError:
            self.execute(undo)
            raise
        if end:
            self.execute(end)


class _Stream:
    """The rest of a large result, until the next statement takes the connection."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self.rows: pa.RecordBatchReader | None = rows
        self.is_over = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while not self.is_over:
            if self.rows is None:
                raise Broken("The rows of a query were to be read after the next statement of its transaction.")
            try:
                yield self.rows.read_next_batch()
            except StopIteration:
                self.is_over = True

    def close(self) -> None:
        """Close the cursor that the rows come from."""
        if self.rows is not None and not self.is_over:
            self.rows.close()
            self.rows = None


def _closing(rows: pa.RecordBatchReader, held: contextlib.ExitStack) -> pa.RecordBatchReader:
    """Return the rows as a stream that closes what it holds at its end, or when it is dropped."""

    def batches() -> Generator[Any, None, None]:
        with held:
            yield None
            for batch in rows:  # noqa: UP028 # with `yield from`, the inner stream would end before what it holds
                yield batch

    stream = batches()
    next(stream)  # enter the `with`: a generator that never began would never leave it either
    return pa.RecordBatchReader.from_batches(rows.schema, stream)


def said(error: Exception) -> str:
    """Return what a driver says in the last part of its errors (`(1146, "Table 'x' doesn't exist")`)."""
    return str(error.args[-1]) if error.args else str(error)
