"""The mapping of a copy: which source column becomes which sink column, and as what type."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from manara.errors import WrongDefinition
from manara.plugin.dataset import Refused
from manara.registry import near
from manara.table.cast import does_not_fit, safe_cast

_ROWS = "manara_rows"
_WRONG = "manara_wrong"
_AS_IT_IS = {"", "object", "byte[]"}
_SQL_TYPES = {
    "boolean": "BOOLEAN",
    "byte": "UTINYINT",
    "sbyte": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "single": "FLOAT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38, 18)",
    "string": "VARCHAR",
    "guid": "UUID",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "datetimeoffset": "TIMESTAMP WITH TIME ZONE",
    "timespan": "TIME",
}
_MOMENTS = {"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
# The letters of .NET's date formats, longest first, in those of strptime.
_DATE_LETTERS = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d", "HH": "%H",
    "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "fffffff": "%f", "ffffff": "%f",
    "fff": "%g", "tt": "%p", "zzz": "%z",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One mapped column: the source's by name or by place (from 1), and the sink's name and type in SQL."""

    name: str = ""
    ordinal: int = 0
    sink: str
    sql_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What a copy's translator says. Without columns, every column goes through under its name (rule 98)."""

    columns: tuple[Column, ...] = ()
    collection: str = ""
    paths: tuple[str, ...] = ()
    date_format: str = ""


def translation(translator: Mapping[str, Any] | None) -> Translation:
    """Return what a TabularTranslator says; raises WrongDefinition for one that cannot be followed."""
    if not translator:
        return Translation()
    kind = translator.get("type", "TabularTranslator")
    if kind != "TabularTranslator":
        raise WrongDefinition(f"The translator '{kind}' is unknown.", advice="Known is: TabularTranslator.")
    mappings = translator.get("mappings") or _older(translator)
    settings = translator.get("typeConversionSettings") or {}
    return Translation(
        columns=tuple(_column(index, mapping) for index, mapping in enumerate(mappings)),
        collection=str(translator.get("collectionReference") or ""),
        paths=_paths([mapping.get("source") or {} for mapping in mappings]),
        date_format=_strptime(str(settings.get("dateTimeFormat") or "")),
    )


def _older(translator: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the mappings of the older spellings: columnMappings (text or object) and schemaMapping."""
    pairs = translator.get("columnMappings") or translator.get("schemaMapping") or {}
    if isinstance(pairs, str):
        pairs = dict(pair.split(":", 1) for pair in pairs.split(",") if ":" in pair)
    by = "path" if translator.get("schemaMapping") else "name"
    return [{"source": {by: str(name).strip()}, "sink": {"name": str(to).strip()}} for name, to in pairs.items()]


def _paths(sources: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what a hierarchical source is to take from each element; nothing for a mapping without any path."""
    if not any(source.get("path") for source in sources):
        return ()
    return tuple(str(source.get("path") or source.get("name") or "") for source in sources)


def _column(index: int, mapping: Mapping[str, Any]) -> Column:
    where = f"translator.mappings[{index}]"
    source, sink = mapping.get("source") or {}, mapping.get("sink") or {}
    name = str(source.get("path") or source.get("name") or "")
    ordinal = _whole(source.get("ordinal"), f"{where}.source.ordinal")
    if not name and not ordinal:
        raise WrongDefinition("A mapping's source needs a name, an ordinal or a path.", where=where)
    target = str(sink.get("name") or source.get("name") or "")
    if not target:
        raise WrongDefinition("A mapping's sink needs a name.", where=f"{where}.sink")
    return Column(
        name=name, ordinal=0 if name else ordinal, sink=target, sql_type=_sql_type(sink, f"{where}.sink.type")
    )


def _whole(value: object, where: str) -> int:
    try:
        number = int(str(value or 0))
    except ValueError as error:
        raise WrongDefinition(f"An ordinal is a whole number from 1, not '{value}'.", where=where) from error
    if number < 0:
        raise WrongDefinition(f"An ordinal is a whole number from 1, not {number}.", where=where)
    return number


def _sql_type(sink: Mapping[str, Any], where: str) -> str:
    name = str(sink.get("type") or "").removeprefix("System.").lower()
    if name in _AS_IT_IS:
        return ""
    if name not in _SQL_TYPES:
        raise WrongDefinition(f"There is no type '{sink['type']}'.", where=where, advice=near(name, _SQL_TYPES))
    if name == "decimal" and sink.get("precision"):
        return f"DECIMAL({int(sink['precision'])}, {int(sink.get('scale') or 0)})"
    return _SQL_TYPES[name]


def _strptime(pattern: str) -> str:
    """Return the .NET date format in the letters of strptime.

    >>> _strptime("dd/MM/yyyy HH:mm")
    '%d/%m/%Y %H:%M'
    """
    found, rest = "", pattern
    while rest:
        letters = next((key for key in sorted(_DATE_LETTERS, key=len, reverse=True) if rest.startswith(key)), "")
        found += _DATE_LETTERS.get(letters, rest[0].replace("%", "%%"))
        rest = rest[len(letters) or 1 :]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """One column to be cast: its place among the sink's, the value, and whether it does not fit."""

    place: int
    source: int
    value: exp.Expression
    wrong: exp.Expression


class Mapper:
    """The mapping, fitted to the columns that the source really has.

    `number` turns a row's place in the stream (from 1) into its number in the source, for the rows that are refused.
    """

    def __init__(
        self, told: Translation, source: pa.Schema, *, refuse: Callable[[Refused], None], number: Callable[[int], int]
    ) -> None:
        self._refuse = refuse
        self._number = number
        self._done = 0
        columns = told.columns or tuple(Column(name=name, sink=name) for name in source.names)
        self._names = [column.sink for column in columns]
        self._taken = [_place(column, source) if told.columns else index for index, column in enumerate(columns)]
        self._casts = list(_casts(columns, self._taken, source, told.date_format))
        self._database = _memory() if self._casts else None
        self.schema = self._cast(pa.RecordBatch.from_pylist([], source)).schema

    def batches(self, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows under the sink's names and types. A row with a value that does not fit is refused whole."""
        for batch in rows:
            yield self._cast(batch)
            self._done += batch.num_rows

    def _cast(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [batch.column(index) for index in self._taken]
        if self._database is None:
            return pa.RecordBatch.from_arrays(columns, names=self._names)
        sources = sorted({cast.source for cast in self._casts})
        wide = pa.table([batch.column(index) for index in sources], names=[_numbered(index) for index in sources])
        self._database.register(_ROWS, wide)
        result = self._database.sql(self._statement()).to_arrow_table().combine_chunks()
        self._database.unregister(_ROWS)
        for index, cast in enumerate(self._casts):
            columns[cast.place] = _whole_column(result.column(index))
        fitted = pa.RecordBatch.from_arrays(columns, names=self._names)
        wrong = result.column(len(self._casts))
        if not pc.any(wrong).as_py():
            return fitted
        self._tell(batch, result, wrong)
        return fitted.filter(pc.invert(_whole_column(wrong)))

    def _statement(self) -> str:
        values = [exp.alias_(cast.value, f"value_{index}") for index, cast in enumerate(self._casts)]
        wrongs = [exp.alias_(cast.wrong, f"{_WRONG}_{index}") for index, cast in enumerate(self._casts)]
        any_wrong = exp.alias_(exp.or_(*(cast.wrong for cast in self._casts)), _WRONG)
        return exp.select(*values, any_wrong, *wrongs).from_(_ROWS).sql("duckdb")

    def _tell(self, batch: pa.RecordBatch, result: pa.Table, wrong: "pa.ChunkedArray[Any]") -> None:
        """Hand every row with a value that does not fit to `refuse`, with the values and the types."""
        for index in (at for at, flag in enumerate(wrong.to_pylist()) if flag):
            reasons = [
                f"'{batch.column(cast.source)[index].as_py()}' in the column '{batch.schema.names[cast.source]}' is no "
                f"{cast.value.meta['type']}"
                for place, cast in enumerate(self._casts)
                if result.column(len(self._casts) + 1 + place)[index].as_py()
            ]
            text = str(batch.slice(index, 1).to_pylist()[0])
            number = self._number(self._done + index + 1)
            self._refuse(Refused(file="", row=number, text=text, reason="; ".join(reasons)))


def _memory() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("load icu")
    database.execute("set TimeZone = 'UTC'")
    return database


def _numbered(index: int) -> str:
    return f"column_{index}"


def _place(column: Column, source: pa.Schema) -> int:
    """Return the place of the source's column, from 0: of the same name, or else of the same letters."""
    names = source.names
    if not column.name:
        if column.ordinal <= len(names):
            return column.ordinal - 1
        raise WrongDefinition(f"The mapping names column {column.ordinal}, and the source has {len(names)}.")
    if column.name in names:
        return names.index(column.name)
    folded = [name.lower() for name in names]
    if column.name.lower() in folded:
        return folded.index(column.name.lower())
    raise WrongDefinition(
        f"The mapping names the column '{column.name}', which the source does not have.",
        advice=near(column.name, names),
        code="UserErrorInvalidColumnMappingColumnNotFound",
    )


def _casts(columns: Sequence[Column], taken: Sequence[int], source: pa.Schema, date_format: str) -> Iterator[_Cast]:
    for place, (index, column) in enumerate(zip(taken, columns, strict=True)):
        kind = source.field(index).type
        if not column.sql_type or (column.sql_type == "VARCHAR" and pa.types.is_string(kind)):
            continue
        value = exp.column(_numbered(index))
        cast = safe_cast(value, kind, column.sql_type)
        if date_format and column.sql_type in _MOMENTS and pa.types.is_string(kind):
            moment = exp.func("try_strptime", value.copy(), exp.Literal.string(date_format), dialect="duckdb")
            cast = exp.cast(moment, column.sql_type, dialect="duckdb")
        cast.meta["type"] = column.sql_type
        yield _Cast(place=place, source=index, value=cast, wrong=does_not_fit(value, cast))


def _whole_column(column: "pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
