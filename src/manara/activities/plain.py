"""Rows as plain JSON values, as Lookup and Script give them to expressions."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from manara.errors import BadRows
from manara.table.iso import iso_text

OUTPUT_BYTES = 4 << 20


def plain_rows(rows: pa.RecordBatchReader, most: int) -> Iterator[dict[str, Any]]:
    """Yield the first `most` rows as JSON values; dates and times are ISO texts, decimals numbers, bytes hex."""
    left = most
    for batch in rows:
        if left <= 0:
            return
        taken = batch.slice(0, left)
        left -= taken.num_rows
        columns = [_plain(column) for column in taken.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, values, strict=True))


def check_size(output: Mapping[str, Any], what: str) -> None:
    """Raise BadRows when the output is larger than the 4 MB that an activity may return (rule 89)."""
    size = len(json.dumps(output, ensure_ascii=False).encode())
    if size > OUTPUT_BYTES:
        raise BadRows(
            f"{what} gives {size / (1 << 20):.1f} MB, and an activity may return 4 MB.",
            advice="Ask for fewer rows or columns, or copy them to a file.",
            code="LookupOutputTooLarge",
        )


def _plain(column: "pa.Array[Any]") -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return list(iso_text(column).to_pylist())
    if pa.types.is_date(kind):
        return [None if value is None else f"{value.isoformat()}T00:00:00" for value in column.to_pylist()]
    if pa.types.is_decimal(kind):
        return [_number(value) for value in column.to_pylist()]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_string(kind):
        return list(column.to_pylist())
    return [_value(value) for value in column.to_pylist()]


def _number(value: Any) -> Any:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _value(value: Any) -> Any:
    """Return a value of any other type: numbers as they are (what is none of them, as null), the rest as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, dict):
        return {str(name): _value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner) for inner in value]
    return str(value)
