"""Rows between a Python database driver and Arrow: batches of some megabytes out, tuples in."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manara.errors import BadRows

_FIRST_ROWS = 500
_MOST_ROWS = 65_536
_BATCH_BYTES = 8 << 20
_PRECISION = 38
_LARGEST_INT = 1 << 63

_DIGITS = Context(prec=80)

Row = Sequence[Any]
Types = Sequence[pa.DataType | None]


def batches(names: Sequence[str], types: Types, fetch: Callable[[int], Sequence[Row]]) -> pa.RecordBatchReader:
    """Return the rows that `fetch(how_many)` gives until it gives none, as Arrow batches of about 8 MB.

    A column whose type is None is given the type of its values in the first rows. Names that come twice are told
    apart by a number (`n`, `n_2`).
    """
    first = fetch(_FIRST_ROWS)
    found = [told or guessed(row[index] for row in first) for index, told in enumerate(types)]
    schema = pa.schema(list(zip(told_apart(names), found, strict=True)))

    def stream() -> Iterator[pa.RecordBatch]:
        rows = first
        while rows:
            batch = as_batch(rows, schema)
            yield batch
            per_row = max(batch.nbytes // len(rows), 1)
            rows = fetch(max(1, min(_MOST_ROWS, _BATCH_BYTES // per_row)))

    return pa.RecordBatchReader.from_batches(schema, stream())


def told_apart(names: Sequence[str]) -> list[str]:
    """Return the names with a number behind those that were there before."""
    taken: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        told = name if name and name not in taken else next(one for one in numbered if one not in taken)
        taken[told] = told
    return list(taken)


def guessed(values: Any) -> pa.DataType:
    """Return the Arrow type that holds all of the values: text where they are of several kinds, or none."""
    kinds = {_guess(value) for value in values if value is not None}
    if kinds == {"int", "double"}:
        return pa.float64()
    if kinds == {"int", "decimal"}:
        return _TYPES["decimal"]
    return _TYPES[kinds.pop()] if len(kinds) == 1 else pa.string()


def _guess(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST_INT <= value < _LARGEST_INT:
        return "decimal"
    if isinstance(value, datetime) and value.tzinfo:
        return "moment"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "text")


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "double"),
    (Decimal, "decimal"),
    (datetime, "timestamp"),
    (date, "date"),
    (time, "time"),
    ((bytes, bytearray, memoryview), "binary"),
)
_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "double": pa.float64(),
    "decimal": pa.decimal128(_PRECISION, 10),
    "timestamp": pa.timestamp("us"),
    "moment": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "binary": pa.binary(),
    "text": pa.string(),
}


def decimal_type(precision: int | None, scale: int | None) -> pa.DataType:
    """Return the type of exact numbers with so many digits, and so many behind the point; wide where it is not told."""
    if not precision or precision < 0 or scale is None or scale < 0:
        return _TYPES["decimal"]
    if precision > _PRECISION:
        return pa.decimal256(min(precision, 76), min(scale, 76))
    return pa.decimal128(precision, min(scale, precision))


def as_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows as a batch. Raises BadRows for a value that its column cannot hold."""
    columns = zip(*rows, strict=True)
    arrays = [_array(list(values), field) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _array(values: list[Any], field: "pa.Field[Any]") -> "pa.Array[Any]":
    kind: Any = field.type
    try:
        array: pa.Array[Any] = pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
        array = _mended(values, kind, field.name)
    return array


def _mended(values: list[Any], kind: Any, name: str) -> "pa.Array[Any]":
    """Return the values as the type's, each put into the form that Arrow takes."""
    try:
        array: pa.Array[Any] = pa.array([None if value is None else _as(value, kind) for value in values], kind)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError, OverflowError) as error:
        raise BadRows(
            f"The column '{name}' holds a value that is no {kind}: {str(error)[:200]}.",
            advice="Cast it to text in the query.",
        ) from error
    return array


def _as(value: Any, kind: pa.DataType) -> Any:
    """Return a driver's value as one that Arrow takes for the type."""
    return next((way for test, way in _WAYS if test(kind)), _as_moment)(value, kind)


def _whole(value: Any) -> int:
    if int(value) != value:
        raise ValueError(f"{value} is not whole")
    return int(value)


def _exact(value: Decimal, scale: int) -> Decimal:
    scaled = _DIGITS.quantize(value, Decimal(1).scaleb(-scale))
    if scaled != value:
        raise ValueError(f"{value} has more than {scale} digits behind the point")
    return scaled


def _as_moment(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_time(kind):
        return _time_of_day(value) if isinstance(value, timedelta) else time.fromisoformat(str(value))
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if pa.types.is_date(kind):
        if isinstance(value, datetime) and value.time() != time():
            raise ValueError(f"{value} is more than a day")
        return value.date() if isinstance(value, datetime) else value
    return datetime.combine(value, time()) if not isinstance(value, datetime) else value


_WAYS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, Any], Any]], ...] = (
    (pa.types.is_string, lambda value, _kind: as_text(value)),
    (pa.types.is_binary, lambda value, _kind: value.encode() if isinstance(value, str) else bytes(value)),
    (pa.types.is_boolean, lambda value, _kind: bool(value)),
    (pa.types.is_decimal, lambda value, kind: _exact(Decimal(str(value)), kind.scale)),
    (pa.types.is_integer, lambda value, _kind: _whole(value)),
    (pa.types.is_floating, lambda value, _kind: float(value)),
)


def _time_of_day(value: timedelta) -> time:
    if not timedelta() <= value < timedelta(days=1):
        raise ValueError(f"{value} is no time of a day")
    return (datetime.min + value).time()  # noqa: DTZ901 # only its time is taken


def as_text(value: Any) -> str:
    """Return a value as text: JSON for what is nested, `true` and `false`, ISO 8601 for what is a time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=as_text)
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def as_tuples(batch: pa.RecordBatch, plain: Callable[["pa.Array[Any]"], list[Any]]) -> list[tuple[Any, ...]]:
    """Return the batch's rows as tuples for a driver; `plain` gives the values of one column."""
    return list(zip(*(plain(column) for column in batch.columns), strict=True)) if batch.num_columns else []


def plain_values(column: "pa.Array[Any]") -> list[Any]:
    """Return the values as every driver takes them: moments in UTC without a zone, nested ones as JSON text.

    What is finer than a microsecond is cut off: Python's own times hold no more.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain_values(pc.cast(column, kind.value_type))
    if pa.types.is_nested(kind):
        return [None if value is None else as_text(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us", kind.tz), safe=False), pa.timestamp("us"))
    elif pa.types.is_time(kind):
        column = pc.cast(column, pa.time64("us"), safe=False)
    elif pa.types.is_date(kind):
        column = pc.cast(column, pa.date32())
    return column.to_pylist()


def in_utc(value: Any) -> Any:
    """Return a parameter as every driver takes it: a moment in UTC without its zone, a UUID as text."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return str(value) if isinstance(value, uuid.UUID) else value
