"""Fast reading from PostgreSQL: by binary COPY straight into Arrow, in several connections that see one moment."""

import contextlib
import itertools
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg
import pyarrow as pa
from psycopg import sql
from sqlglot import exp

from manara.connectors.databases.dbapi_rows import told_apart
from manara.connectors.databases.postgres_errors import translate, translated

_BATCH_BYTES = 8 << 20
_WAITING = 2
_LARGE_BLOCKS = 2_048
_MOST_THREADS = 4
_MOST_DIGITS, _SCALE = 38, 18
_NUMERIC = 1700
_QUERIES = ("select", "with", "values", "table")

_SIMPLE: dict[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    19: pa.string(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    700: pa.float32(),
    701: pa.float64(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
    1005: pa.list_(pa.int16()),
    1007: pa.list_(pa.int32()),
    1016: pa.list_(pa.int64()),
    1009: pa.list_(pa.string()),
    1015: pa.list_(pa.string()),
    1021: pa.list_(pa.float32()),
    1022: pa.list_(pa.float64()),
    1000: pa.list_(pa.bool_()),
}
"""The types, by PostgreSQL's numbers of them, that come as they are; numeric becomes a decimal, all else text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query as it is run, and what its rows are in Arrow."""

    statement: str
    schema: pa.Schema


def described(connection: psycopg.Connection[Any], statement: str) -> Plan | None:
    """Return how to run a query, or None for what is no plain query. It is read by the server, and not run."""
    text = statement.strip().rstrip(";").rstrip()
    if not text.lower().lstrip("(").startswith(_QUERIES):
        return None
    with translated(statement, connection):
        done = connection.pgconn.prepare(b"", text.encode())
        if done.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(done)
        told = connection.pgconn.describe_prepared(b"")
    if not told.nfields:
        return None
    names = [(told.fname(index) or b"").decode() for index in range(told.nfields)]
    kinds = [_kind(told.ftype(index), told.fmod(index)) for index in range(told.nfields)]
    schema = pa.schema(list(zip(told_apart(names), (kind for kind, _ in kinds), strict=True)))
    if all(cast is None for _, cast in kinds):
        return Plan(statement=text, schema=schema)
    inner = [sql.Identifier(f"c{index}") for index in range(len(kinds))]
    shown = [
        sql.SQL("{}::{}").format(name, sql.SQL(cast)) if cast else name
        for name, (_, cast) in zip(inner, kinds, strict=True)
    ]
    wrapped = sql.SQL("select {} from ({}\n) as manara_rows({})").format(
        sql.SQL(", ").join(shown),
        sql.SQL(text),
        sql.SQL(", ").join(inner),
    )
    if text.lower().startswith("with") and " returning " in text.lower():
        return None
    return Plan(statement=wrapped.as_string(), schema=schema)


def _kind(oid: int, modifier: int) -> tuple[pa.DataType, str | None]:
    """Return the Arrow type, and the cast that it needs in the query."""
    if oid == _NUMERIC:
        precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
        if modifier < 0:
            return pa.decimal128(_MOST_DIGITS, _SCALE), f"numeric({_MOST_DIGITS}, {_SCALE})"
        if precision <= _MOST_DIGITS and scale <= precision:
            return pa.decimal128(precision, scale), None
    return (_SIMPLE[oid], None) if oid in _SIMPLE else (pa.string(), "text")


def of_description(description: Sequence[Any]) -> tuple[list[pa.DataType | None], Callable[[Any], Sequence[Any]]]:
    """Return the Arrow types of a cursor's columns, and what shapes its rows so that they fit them."""
    types: list[pa.DataType | None] = []
    rounded = []
    for index, column in enumerate(description):
        is_bound = column.precision is not None and column.scale is not None and column.precision <= _MOST_DIGITS
        if column.type_code == _NUMERIC and is_bound and 0 <= column.scale <= column.precision:
            types.append(pa.decimal128(column.precision, column.scale))
        elif column.type_code == _NUMERIC:
            types.append(pa.decimal128(_MOST_DIGITS, _SCALE))
            rounded.append(index)
        else:
            types.append(_SIMPLE.get(column.type_code, pa.string()))

    def shaped(row: Any) -> Sequence[Any]:
        if not rounded:
            return row  # type: ignore[no-any-return]
        values = list(row)
        for index in rounded:
            if isinstance(values[index], Decimal) and values[index].is_finite():
                values[index] = round(values[index], _SCALE)
        return values

    return types, shaped


def physical_parts(connection: psycopg.Connection[Any], table: exp.Table) -> list[str]:
    """Return queries for the blocks of a table's file, or one for all where it is small, or is no table itself."""
    name = table.sql("postgres")
    whole = f"select * from {name}"  # noqa: S608 # quoted by sqlglot
    with translated():
        found = connection.execute(
            "select relkind::text, pg_relation_size(oid) / current_setting('block_size')::int from pg_class "
            "where oid = to_regclass(%s)",
            [name],
        ).fetchone()
    if not found or found[0] not in {"r", "m"} or found[1] < _LARGE_BLOCKS:
        return [whole]
    threads = min(_MOST_THREADS, max(2, os.cpu_count() or 1))
    edges = [found[1] * index // threads for index in range(1, threads)]
    bounds = itertools.pairwise([None, *edges, None])
    return [f"{whole} where {' and '.join(_between(low, high))}" for low, high in bounds]


def _between(low: int | None, high: int | None) -> Iterator[str]:
    if low is not None:
        yield f"ctid >= '({low},0)'::tid"
    if high is not None:
        yield f"ctid < '({high},0)'::tid"


def one_by_one(address: str, plan: Plan, settings: Sequence[str]) -> pa.RecordBatchReader:
    """Return the rows of one query."""

    def batches() -> Generator[Any, None, None]:
        with _opened(address, settings) as connection:
            yield None
            yield from _rows(connection, plan)

    stream = batches()
    next(stream)
    return pa.RecordBatchReader.from_batches(plan.schema, stream)


def in_parts(address: str, plans: Sequence[Plan], settings: Sequence[str]) -> pa.RecordBatchReader:
    """Return the rows of all the queries, read at once in connections that see the same moment."""
    if len(plans) == 1:
        return one_by_one(address, plans[0], settings)

    def batches() -> Generator[Any, None, None]:
        with translated(), psycopg.connect(address) as keeper:
            keeper.execute("set transaction isolation level repeatable read, read only")
            row = keeper.execute("select pg_export_snapshot()").fetchone()
            reading = _Reading(address, plans, settings, str(row[0]) if row else "")
            yield None
            with contextlib.closing(reading):
                yield from reading.batches()

    stream = batches()
    next(stream)
    return pa.RecordBatchReader.from_batches(plans[0].schema, stream)


class _Reading:
    """Threads that read, and a queue that makes them wait when nobody takes what they read."""

    def __init__(self, address: str, plans: Sequence[Plan], settings: Sequence[str], snapshot: str) -> None:
        self._address = address
        self._plans: queue.SimpleQueue[Plan] = queue.SimpleQueue()
        for plan in plans:
            self._plans.put(plan)
        begin = ["begin isolation level repeatable read, read only", f"set transaction snapshot '{snapshot}'"]
        self._settings = [*settings, *begin]
        count = min(len(plans), _MOST_THREADS)
        self._full: queue.Queue[Any] = queue.Queue(count * _WAITING)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(count)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        for thread in self._threads:
            thread.start()
        left = len(self._threads)
        while left:
            item = self._full.get()
            if item is None:
                left -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def close(self) -> None:
        self._stop.set()
        while any(thread.is_alive() for thread in self._threads):
            with contextlib.suppress(queue.Empty):
                self._full.get(timeout=0.05)
        for thread in self._threads:
            if thread.ident:
                thread.join()

    def _read(self) -> None:
        try:
            with _opened(self._address, self._settings) as connection:
                while not self._stop.is_set():
                    for batch in _rows(connection, self._plans.get_nowait()):
                        self._full.put(batch)
                        if self._stop.is_set():
                            return
        except queue.Empty:
            pass
        except Exception as error:  # noqa: BLE001 # the thread that asked raises it
            self._full.put(error)
            return
        finally:
            self._full.put(None)


@contextlib.contextmanager
def _opened(address: str, settings: Sequence[str]) -> Iterator[adbc.AdbcConnection]:
    with contextlib.ExitStack() as stack:
        with translated():
            database = stack.enter_context(adbc_driver_postgresql.connect(address))
            connection = stack.enter_context(adbc.AdbcConnection(database))
            for statement in settings:
                with adbc.AdbcStatement(connection) as setting:
                    setting.set_sql_query(statement)
                    setting.execute_update()
        yield connection


def _rows(connection: adbc.AdbcConnection, plan: Plan) -> Iterator[pa.RecordBatch]:
    with adbc.AdbcStatement(connection) as statement:
        with translated(plan.statement):
            statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            statement.set_sql_query(plan.statement)
            handle, _ = statement.execute_query()
        reader = pa.RecordBatchReader._import_from_c(handle.address)  # Arrow's own way of taking it
        with contextlib.closing(reader):
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except (pa.ArrowException, OSError) as error:
                    raise translate(error, plan.statement) from error
                yield _shaped(batch, plan.schema)


def _shaped(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = []
    for column, field in zip(batch.columns, schema, strict=True):
        plain = column.storage if isinstance(column, pa.ExtensionArray) else column
        arrays.append(plain if plain.type == field.type else plain.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
