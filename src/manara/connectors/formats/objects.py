"""Rows out of objects whose fields are known only when they are there: JSON, XML."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from manara.connectors.formats import json_path
from manara.connectors.formats.text import NESTED, json_text

_EXACT_IN_DOUBLE = 1 << 53
_LARGEST_INT = 1 << 63

Row = dict[str, Any]


class Counting:
    """Rows, and how many of them were taken so far."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def taker(settings: Mapping[str, Any]) -> Callable[[Row, Row], Row]:
    """Return what makes a row of an element and the document that it lies in."""
    paths = settings.get("paths")
    if not paths:
        return lambda element, _document: element
    within = bool(settings.get("collectionReference"))
    ways = [(path, within and json_path.is_absolute(path), json_path.steps(path)) for path in paths]
    return lambda element, document: {
        path: json_path.value_at(document if outer else element, way) for path, outer, way in ways
    }


def schema_of(rows: Iterable[Row], names: Iterable[str] = ()) -> pa.Schema:
    """Return the columns that hold all rows: `names`, and then the fields in the order in which they first appear.

    Whole numbers, numbers, true and false, text; what is mixed becomes text, and what is nested JSON text.
    """
    kinds: dict[str, str] = dict.fromkeys(names, "")
    for row in rows:
        for name, value in row.items():
            kinds[name] = _wider(kinds.get(name, ""), value)
    return pa.schema([_field(name, kind) for name, kind in kinds.items()])


def _field(name: str, kind: str) -> "pa.Field[Any]":
    return pa.field(name, _ARROW[kind], metadata=NESTED if kind == "nested" else None)


def _wider(kind: str, value: Any) -> str:
    """Return the kind of a column that holds `kind` and now also the value."""
    if value is None or kind == "text":
        return kind
    new = _kind(value)
    if not kind or kind == new:
        return new
    return _TOGETHER.get(frozenset((kind, new)), "text")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        size = abs(value)
        return "int" if size <= _EXACT_IN_DOUBLE else "long" if size < _LARGEST_INT else "text"
    if isinstance(value, Decimal):
        return "double"
    return "nested" if isinstance(value, dict | list) else "text"


_ARROW: dict[str, pa.DataType] = {
    "": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "nested": pa.string(),
}
_TOGETHER = {frozenset(("int", "long")): "long", frozenset(("int", "double")): "double"}


def batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows with these columns."""
    columns = [_column([row.get(column.name) for row in rows], column.type) for column in schema]
    return pa.record_batch(columns, schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> "pa.Array[Any]":
    if pa.types.is_string(kind):
        values = [value if value is None or isinstance(value, str) else _text(value) for value in values]
    elif pa.types.is_float64(kind):
        values = [value if value is None else float(value) for value in values]
    return pa.array(values, kind)


def _text(value: Any) -> str:
    return json_text(value) if isinstance(value, bool | dict | list) else str(value)
