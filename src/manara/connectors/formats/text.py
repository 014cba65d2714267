"""Values as text, the same in every format that knows nothing but text."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from manara.table.iso import iso_text


def as_text(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return the column as text: times in ISO form, bytes in hex, nested values as JSON."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_nested(kind):
        return pa.array([None if value is None else json_text(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    return column.cast(pa.string())


NESTED = {b"manara.nested": b"json"}
"""The mark of a column of JSON texts that were nested values in their source: a sink that can nest does so again."""


def plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as values that JSON knows; what was nested in its source is so again."""
    simple = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_nested)
    columns = [
        column
        if any(test(column.type) for test in simple)
        else iso_text(column)
        if pa.types.is_timestamp(column.type)
        else as_text(column)
        for column in batch.columns
    ]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    nested = [column.name for column in batch.schema if NESTED.items() <= (column.metadata or {}).items()]
    for name in nested:
        for row in rows:
            row[name] = None if row[name] is None else json.loads(row[name])
    return rows


def json_text(value: object) -> str:
    """Return a nested value as compact JSON.

    >>> json_text({"a": [1, None]})
    '{"a":[1,null]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
