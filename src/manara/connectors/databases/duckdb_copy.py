"""One statement of DuckDB that reads a source and writes a sink: the fast lane of a copy."""

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases.duckdb_errors import translated
from manara.connectors.databases.duckdb_file import SharedFile, is_streamed
from manara.errors import ManaraError
from manara.plugin.dataset import Relation, Tally

SOURCE = "manara_read"
"""The view that holds the rows of a source which is in the database itself."""

ROOM_MIB = 320
_TICK_S = 0.5
_ALWAYS = "manara_always"
_CATALOG = ("DUCKDB_", "PRAGMA_")
# What DuckDB's types are in Arrow: those whose values are the same in both, and in the files of either.
_ARROW: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INTEGER": pa.int32(), "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(), "USMALLINT": pa.uint16(), "UINTEGER": pa.uint32(), "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(), "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}  # fmt: skip


def type_of(kind: pa.DataType) -> str:
    """Return DuckDB's type whose values are those of the Arrow type, nothing where there is none that certainly is."""
    if pa.types.is_decimal128(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return next((name for name, arrow in _ARROW.items() if arrow == kind), "")


def relation_of(home: SharedFile, text: str) -> Relation | str:
    """Return the rows of a query in the database `home`, or why it is not certain that they are what Arrow has."""
    with home.cursor() as cursor, translated():
        kinds = [str(one.type) for one in cursor.extract_statements(text)]
        if kinds != ["StatementType.SELECT"]:
            return "the source's query is no plain query"
        found = cursor.sql(text)
        # A table that the sink makes must not be among the rows.
        plan = found.explain()
        if any(sign in plan.upper() for sign in _CATALOG):
            return "the source's query asks which tables there are"
        kinds = [str(kind) for kind in found.types]
        fields = [(name, _arrow(kind) or pa.null()) for name, kind in zip(found.columns, kinds, strict=True)]
    odd = next((name for name, kind in fields if kind == pa.null()), None)
    if odd is not None:
        return f"DuckDB may change the column '{odd}'"
    if len({name.lower() for name, _ in fields}) < len(fields) or not all(name for name, _ in fields):
        return "the columns have no names of their own"
    query = exp.select("*").from_(exp.to_table(SOURCE))
    return Relation(
        query=query,
        schema=pa.schema(fields),
        rows=None,
        files=0,
        size_bytes=0,
        home=home,
        text=text,
        streamed=is_streamed(plan),
    )


def _arrow(kind: str) -> pa.DataType | None:
    if kind.startswith("DECIMAL("):
        digits, scale = kind[8:-1].split(",")
        return pa.decimal128(int(digits), int(scale))
    return _ARROW.get(kind)


def show_source(cursor: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    """Make the rows that the relation reads in its own database known to the statements of the cursor."""
    if relation.text:
        with translated():
            cursor.sql(relation.text).create_view(SOURCE)
            found = cursor.sql(relation.query.sql("duckdb")).types
        if [_arrow(str(kind)) for kind in found] != relation.schema.types:
            raise ManaraError("The columns that are read have changed.", advice="Copy them again.")


def copy_to(relation: Relation, path: Path, options: Mapping[str, str | int], tally: Tally) -> None:
    """Write the rows, in their order, over the file at `path`."""
    told = ", ".join(f"{name} {_spelt(value)}" for name, value in options.items())
    target = exp.Literal.string(str(path)).sql("duckdb")
    with _cursor(relation) as cursor, _passing_through(relation):
        show_source(cursor, relation)
        statement = f"copy ({_with_nulls(relation).sql('duckdb')}) to {target} ({told}, use_tmp_file false)"
        # DuckDB 2.0 now and then waits for ever after a `copy` to a file was interrupted.
        run(cursor, lambda: _count(cursor, statement), relation, tally, can_be_interrupted=False)


def run(
    cursor: duckdb.DuckDBPyConnection,
    work: Callable[[], int],
    relation: Relation,
    tally: Tally,
    *,
    can_be_interrupted: bool = True,
) -> None:
    """Run a statement that tells how many rows it wrote, and add them to the tally as read and copied.

    The tally's `tick` is called while it runs; where that raises, the statement is interrupted, or else its end is
    awaited, and the error raised then.
    """
    with translated():
        # It then knows how far it is; it says so to nobody else.
        cursor.execute("set enable_progress_bar_print = false")
        cursor.execute("set enable_progress_bar = true")
    with ThreadPoolExecutor(1, thread_name_prefix="copy by DuckDB") as pool:
        running = pool.submit(work)
        try:
            while not wait([running], timeout=_TICK_S).done:
                share = min(max(cursor.query_progress(), 0.0), 100.0)
                tally.data_read = round(relation.size_bytes * share / 100)
                tally.tick()
        except BaseException:
            # A statement that is only about to begin does not hear it the first time.
            while can_be_interrupted and not running.done():
                cursor.interrupt()
                wait([running], timeout=_TICK_S)
            raise
    count = running.result()
    if relation.rows not in (None, count):
        raise ManaraError(
            f"{relation.rows} rows were to be copied, and there were {count}.",
            advice="Copy them again when nobody writes to the source.",
        )
    tally.rows_read += count
    tally.rows_copied += count
    tally.files_read, tally.data_read = relation.files, relation.size_bytes


def _count(cursor: duckdb.DuckDBPyConnection, statement: str) -> int:
    with translated():
        return int((cursor.execute(statement).fetchone() or (0,))[0])


def _with_nulls(relation: Relation) -> exp.Select:
    """Return the query in such a form that DuckDB does not know whether a column holds nulls.

    A column that is known to hold none is written as one that may hold none: another type than the Arrow lane writes.
    """
    always = exp.GTE(this=exp.Rand(), expression=exp.Literal.number(0))
    rows = exp.select("*", exp.alias_(always, _ALWAYS)).from_(relation.query.subquery("rows"))
    columns = [
        exp.alias_(exp.If(this=exp.column(_ALWAYS), true=exp.column(name, quoted=True)), name, quoted=True)
        for name in relation.schema.names
    ]
    return exp.select(*columns).from_(rows.subquery("rows"))


def _spelt(value: str | int) -> str:
    return exp.convert(value).sql("duckdb")


def _cursor(relation: Relation) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return cast(SharedFile, relation.home).cursor() if relation.home else closing(_memory().cursor())


def _passing_through(relation: Relation) -> AbstractContextManager[None]:
    home = cast("SharedFile | None", relation.home)
    return home.passing_through(ROOM_MIB) if home and relation.streamed else nullcontext()


@functools.cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Return the database in memory for the copies of this process; it spills to no disk, and takes little memory."""
    return duckdb.connect(config={"memory_limit": f"{ROOM_MIB}MiB"})
