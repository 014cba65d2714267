"""The dataset type Avro: rows with types, nested ones too, read and written in bounded memory."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, cast

import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.formats.plain_given import without_codec
from manara.connectors.formats.text import json_text
from manara.connectors.selection import Settings, SourceFile
from manara.errors import ManaraError, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.registry import near

_CODECS = {"none": "null", "null": "null", "deflate": "deflate", "snappy": "snappy", "bzip2": "bzip2", "xz": "xz"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WHOLE = Decimal(1)

Json = Any
Convert = Callable[[Any], Any]


@dataset("Avro", can={"read", "write", "list", "delete"})
def avro(given: DatasetGiven) -> FileDataset:
    """Return Avro files; `avroCompressionCodec` is none (unless told), deflate, snappy, bzip2 or xz.

    Logical types are what they stand for: dates, times, timestamps, decimals. A union of several types other than
    null, and a record within itself, come as JSON text.
    """
    told = given.properties.get("avroCompressionCodec") or given.properties.get("compressionCodec") or "none"
    codec = str(told).lower()
    if codec not in _CODECS:
        raise WrongDefinition(f"Avro knows no compression '{told}'.", advice=near(codec, _CODECS))
    return FileDataset(given=without_codec(given), format=AvroFormat(codec=_CODECS[codec], batch_rows=given.batch_rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class AvroFormat:
    """The columns of the first file count for all; the others must have the same, of types that fit."""

    codec: str
    batch_rows: int
    extension: str = ".avro"

    def schema(self, files: Sequence[SourceFile], _settings: Settings) -> pa.Schema:
        with files[0].open() as content:
            return _Reading(files[0], content).schema

    def batches(
        self, file: SourceFile, schema: pa.Schema, _settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        with file.open(tally) as content:
            reading = _Reading(file, content)
            same_columns(file, schema, reading.schema.names)
            for batch in reading.batches(self.batch_rows):
                try:
                    yield batch.select(schema.names).cast(schema)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    raise broken_file(file, f"Its types are not those of the first file: {error}.") from error

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings) -> None:
        told = settings.get("formatSettings") or {}
        name, space = str(told.get("recordName") or "Row"), str(told.get("recordNamespace") or "")
        record = _record(rows.schema, f"{space}.{name}".strip("."))
        parsed = fastavro.parse_schema({**record, "name": name, **({"namespace": space} if space else {})})
        convert = [_to_avro(field.type) for field in rows.schema]
        fastavro.writer(
            file, cast(Any, parsed), _records(rows, convert), codec=cast(Any, self.codec), sync_interval=1 << 18
        )


class _Reading:
    """One file that is open to read."""

    def __init__(self, file: SourceFile, content: BinaryIO) -> None:
        self._file = file
        try:
            self._records = fastavro.reader(content)
            written = cast(Json, self._records.writer_schema)
        except (ValueError, EOFError, IndexError, KeyError, SchemaParseException) as error:
            raise broken_file(
                file, f"The file is no whole Avro file ({error or 'it is cut off'}).", "Fetch it again."
            ) from error
        if not isinstance(written, Mapping) or written.get("type") != "record":
            raise broken_file(file, "The file's rows are no records.", "Write records: one field for each column.")
        names: dict[str, Json] = {}
        _learn(written, names)
        kinds = [(field["name"], *_kind(field["type"], names, ())) for field in written["fields"]]
        self.schema = pa.schema([(name, kind) for name, kind, _ in kinds])
        self._columns = [(name, kind, convert) for name, kind, convert in kinds]

    def batches(self, most: int) -> Iterator[pa.RecordBatch]:
        held: list[Mapping[str, Any]] = []
        try:
            for record in self._records:
                held.append(cast(Mapping[str, Any], record))
                if len(held) == most:
                    yield self._batch(held)
                    held = []
        except ManaraError:
            raise
        except (ValueError, EOFError, IndexError, KeyError, OverflowError, zlib.error) as error:
            raise broken_file(
                self._file, f"The file is broken or cut off ({error or 'it ends too early'}).", "Fetch it again."
            ) from error
        if held:
            yield self._batch(held)

    def _batch(self, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
        columns = []
        for name, kind, convert in self._columns:
            values = [row[name] for row in rows]
            columns.append(pa.array([convert(value) for value in values] if convert else values, kind))
        return pa.record_batch(columns, schema=self.schema)


_PLAIN: dict[str, pa.DataType] = {
    "null": pa.null(), "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "bytes": pa.binary(), "string": pa.string(), "enum": pa.string(),
}  # fmt: skip
_LOGICAL: dict[str, pa.DataType] = {
    "int-date": pa.date32(), "int-time-millis": pa.time32("ms"), "long-time-micros": pa.time64("us"),
    "long-timestamp-millis": pa.timestamp("ms", "UTC"), "long-timestamp-micros": pa.timestamp("us", "UTC"),
    "long-local-timestamp-millis": pa.timestamp("ms"), "long-local-timestamp-micros": pa.timestamp("us"),
}  # fmt: skip


def _learn(schema: Json, names: dict[str, Json]) -> None:
    """Note the records, enums and fixed types by their names, as later places refer to them."""
    if isinstance(schema, list):
        for one in schema:
            _learn(one, names)
    elif isinstance(schema, Mapping):
        if schema.get("type") in {"record", "enum", "fixed", "error"} and "name" in schema:
            names[schema["name"]] = schema
        for field in schema.get("fields", ()):
            _learn(field["type"], names)
        for inner in ("items", "values", "type"):
            if isinstance(schema.get(inner), list | Mapping):
                _learn(schema[inner], names)


def _kind(  # noqa: PLR0911 - one line for each kind
    schema: Json, names: Mapping[str, Json], within: tuple[str, ...]
) -> tuple[pa.DataType, Convert | None]:
    """Return the Arrow type of an Avro type, and what makes its values of fastavro's."""
    if isinstance(schema, list):
        others = [one for one in schema if one != "null"]
        if len(others) != 1:
            return (pa.string(), _as_json) if others else (pa.null(), None)
        return _kind(others[0], names, within)
    if isinstance(schema, str):
        return (_PLAIN[schema], None) if schema in _PLAIN else _kind(names[schema], names, within)
    kind, logical = schema["type"], schema.get("logicalType")
    if logical == "decimal" and schema.get("precision", 99) <= 76:
        return _decimal(int(schema["precision"]), int(schema.get("scale", 0))), None
    if logical == "uuid":
        return pa.string(), _as_text
    if f"{kind}-{logical}" in _LOGICAL:
        return _LOGICAL[f"{kind}-{logical}"], None
    if kind == "fixed":
        return pa.binary(int(schema["size"])), None
    if kind in {"array", "map"}:
        return _collection(schema, names, within)
    if kind in {"record", "error"}:
        return _struct(schema, names, within)
    return _kind(kind, names, within)


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _collection(schema: Json, names: Mapping[str, Json], within: tuple[str, ...]) -> tuple[pa.DataType, Convert | None]:
    if schema["type"] == "array":
        kind, convert = _kind(schema["items"], names, within)
        return pa.list_(kind), _each(convert) if convert else None
    kind, convert = _kind(schema["values"], names, within)
    change = convert or (lambda value: value)
    return pa.map_(
        pa.string(), kind
    ), lambda value: None if value is None else [(key, change(one)) for key, one in value.items()]


def _each(change: Convert) -> Convert:
    return lambda value: None if value is None else [change(one) for one in value]


def _struct(schema: Json, names: Mapping[str, Json], within: tuple[str, ...]) -> tuple[pa.DataType, Convert | None]:
    if schema["name"] in within:
        return pa.string(), _as_json
    parts = [(field["name"], *_kind(field["type"], names, (*within, schema["name"]))) for field in schema["fields"]]
    changes = {name: convert for name, _, convert in parts if convert}

    def convert(value: Any) -> Any:
        return None if value is None else value | {name: change(value[name]) for name, change in changes.items()}

    return pa.struct([(name, kind) for name, kind, _ in parts]), convert if changes else None


def _as_json(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)


def _record(schema: "pa.Schema | pa.StructType", name: str) -> dict[str, Json]:
    """Return the Avro record of these columns; raises WrongDefinition for a name that Avro does not take."""
    fields = []
    for field in schema:
        if not _NAME.fullmatch(field.name):
            raise WrongDefinition(
                f"Avro takes no column of the name '{field.name}'.",
                advice="Map it to a name of letters, digits and _ that does not begin with a digit.",
            )
        kind = _avro_type(field.type, f"{name}_{field.name}")
        fields.append({"name": field.name, "type": ["null", kind] if kind != "null" else "null"})
    return {"type": "record", "name": name, "fields": fields}


def _avro_type(kind: pa.DataType, name: str) -> Json:  # noqa: PLR0911 - one line for each kind
    for test, written in _WRITTEN:
        if test(kind):
            return written
    if pa.types.is_decimal(kind):
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    if pa.types.is_timestamp(kind):
        return {"type": "long", "logicalType": f"{'' if kind.tz else 'local-'}timestamp-micros"}
    if pa.types.is_dictionary(kind):
        return _avro_type(kind.value_type, name)
    if pa.types.is_map(kind):
        return {"type": "map", "values": ["null", _avro_type(kind.item_type, name)]}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return {"type": "array", "items": ["null", _avro_type(kind.value_type, name)]}
    if pa.types.is_struct(kind):
        return _record(kind, name.replace(".", "_"))
    raise WrongDefinition(f"Avro has no type for '{kind}'.", where=name, advice="Map the column to a text.")


_WRITTEN: tuple[tuple[Callable[[pa.DataType], bool], Json], ...] = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_uint32, "long"),
    (pa.types.is_uint64, {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0}),
    (pa.types.is_int64, "long"),
    (pa.types.is_integer, "int"),
    (pa.types.is_float64, "double"),
    (pa.types.is_floating, "float"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_binary, "bytes"),
    (pa.types.is_large_binary, "bytes"),
    (pa.types.is_fixed_size_binary, "bytes"),
    (pa.types.is_date, {"type": "int", "logicalType": "date"}),
    (pa.types.is_time, {"type": "long", "logicalType": "time-micros"}),
)


def _to_avro(kind: pa.DataType) -> Convert | None:
    """Return what makes fastavro's values of Arrow's; nothing where they are the same."""
    if pa.types.is_uint64(kind):
        return lambda value: None if value is None else Decimal(value) * _WHOLE
    if pa.types.is_map(kind):
        change = _to_avro(kind.item_type) or (lambda value: value)
        return lambda value: None if value is None else {str(key): change(one) for key, one in value}
    if pa.types.is_struct(kind):
        changes = {field.name: one for field in kind if (one := _to_avro(field.type))}
        if changes:
            return lambda value: None if value is None else value | {n: one(value[n]) for n, one in changes.items()}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _to_avro(kind.value_type)
        return _each(inner) if inner else None
    return None


def _records(rows: pa.RecordBatchReader, convert: Sequence[Convert | None]) -> Iterator[dict[str, Any]]:
    names = rows.schema.names
    for batch in rows:
        columns = []
        for column, change in zip(batch.columns, convert, strict=True):
            values = _in_micros(column).to_pylist()
            columns.append([change(value) for value in values] if change else values)
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))


def _in_micros(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return a column of times in microseconds, the finest that is written; others as they are."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz))
    return column.cast(pa.time64("us")) if column.type == pa.time64("ns") else column
