"""Fast loading into PostgreSQL: rows made into pieces of COPY by one thread, and sent by another."""

import contextlib
import io
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql
from sqlglot import exp

from manara.connectors.databases.dialects import kind_of
from manara.connectors.databases.postgres_errors import translated
from manara.table.ahead import ahead

_ENCODED_AHEAD = 4
_SENT_AHEAD_BYTES = 2 << 20

# What the binary COPY takes from what `kind_of` gives; the rest goes as text.
_BINARY = {
    "boolean", "smallint", "integer", "bigint", "real", "double precision", "text", "character varying", "character",
    "bytea", "date", "timestamp without time zone", "timestamp with time zone", "time without time zone", "numeric",
    "json", "xml",
}  # fmt: skip


def load(
    connection: psycopg.Connection[Any], table: exp.Table, columns: Mapping[str, str], rows: pa.RecordBatchReader
) -> int:
    """Send the rows into the table, inside the open transaction, and return how many they were.

    `columns` are the table's, with their types. The rows have the names of columns, and the Arrow types of `kind_of`.
    """
    names = rows.schema.names
    is_binary = all(_is_binary(columns.get(name, ""), rows.schema.field(name).type) for name in names)
    into = sql.SQL("copy {} ({}) from stdin (format {})").format(
        sql.SQL(table.sql("postgres")),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL("binary" if is_binary else "csv"),
    )
    _widen(connection)
    count = 0
    with translated(into.as_string(), connection), connection.cursor() as cursor:
        pieces = ahead(_binary(rows) if is_binary else _csv(rows), _ENCODED_AHEAD)
        with cursor.copy(into) as copy, contextlib.closing(pieces):
            for piece, how_many in pieces:
                copy.write(piece)
                count += how_many
    return count


def _widen(connection: psycopg.Connection[Any]) -> None:
    """Let more bytes wait in a socket of this machine, which takes 0.2 MB otherwise, and a network's 4 MB.

    The server then has something to do while our threads take turns: a third of the time of a large load.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as held:
        if held.family == getattr(socket, "AF_UNIX", None):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_AHEAD_BYTES)


def _is_binary(told: str, kind: pa.DataType) -> bool:
    base = " ".join(told.replace("(", " (").split())
    word = " ".join(part for part in base.split(" ") if not part.startswith("("))
    return word in _BINARY and kind_of(told, "postgres").arrow == kind and not (
        word == "numeric" and pa.types.is_string(kind)
    )  # fmt: skip


def _binary(rows: pa.RecordBatchReader) -> Iterator[tuple[bytes, int]]:
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    yield encoder.write_header(), 0
    for batch in rows:
        yield encoder.write_batch(batch), batch.num_rows
    yield encoder.finish(), 0


def _csv(rows: pa.RecordBatchReader) -> Iterator[tuple[bytes, int]]:
    """Yield the rows as CSV: texts always in quotes, so that an empty one is told from a null."""
    told = pa_csv.WriteOptions(include_header=False)
    for batch in rows:
        if not batch.num_columns:
            continue
        columns = [_hex(column) if pa.types.is_binary(column.type) else column for column in batch.columns]
        sink = io.BytesIO()
        pa_csv.write_csv(pa.record_batch(columns, names=batch.schema.names), sink, told)
        yield sink.getvalue(), batch.num_rows


def _hex(column: Any) -> Any:
    return pa.array([None if value is None else f"\\x{value.hex()}" for value in column.to_pylist()], pa.string())
