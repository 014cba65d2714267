"""Values as text, the same in every format that knows nothing but text."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa


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
