"""The mapping of a copy: which source column becomes which sink column, and as what type."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from manara.activities.conversion import Conversion, Misfits, Settings, conversion
from manara.errors import WrongDefinition
from manara.registry import near
from manara.table.rows import without_rows

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One mapped column: the source's by name or by place (from 1), and the sink's name and type in SQL.

    `form` is the .NET format of its dates, where it has one of its own.
    """

    name: str = ""
    ordinal: int = 0
    sink: str
    sql_type: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What a copy's translator says. Without columns, every column goes through under its name (rule 98).

    With `nested_as_text` (mapComplexValuesToString) lists and objects become their JSON text wherever they go.
    """

    columns: tuple[Column, ...] = ()
    collection: str = ""
    paths: tuple[str, ...] = ()
    nested_as_text: bool = False
    settings: Settings = field(default_factory=Settings)


def translation(translator: Mapping[str, Any] | str | None) -> Translation:
    """Return what a TabularTranslator says, an object or its JSON text.

    Raises WrongDefinition for one that cannot be followed.
    """
    translator = _object(translator, "translator")
    if not translator:
        return Translation()
    kind = translator.get("type", "TabularTranslator")
    if kind != "TabularTranslator":
        raise WrongDefinition(f"The translator '{kind}' is unknown.", advice="Known is: TabularTranslator.")
    mappings = _mappings(translator)
    return Translation(
        columns=tuple(_column(index, mapping) for index, mapping in enumerate(mappings)),
        collection=str(translator.get("collectionReference") or ""),
        paths=_paths([mapping.get("source") or {} for mapping in mappings]),
        nested_as_text=_flag(translator, "mapComplexValuesToString"),
        settings=Settings.told(_object(translator.get("typeConversionSettings"), "translator.typeConversionSettings")),
    )


def _object(value: Any, where: str) -> Mapping[str, Any]:
    """Return an object that was given as such or as its JSON text."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError as error:
            raise WrongDefinition(f"{where} is no JSON: {error}. It says: {value[:60]}", where=where) from error
    if value and not isinstance(value, Mapping):
        raise WrongDefinition(f"{where} is an object, not {str(value)[:60]!r}.", where=where)
    return value or {}


def _flag(translator: Mapping[str, Any], name: str) -> bool:
    value = str(translator.get(name) or False).lower()
    if value not in ("true", "false"):
        raise WrongDefinition(f"translator.{name} is true or false, not '{translator[name]}'.", where="translator")
    return value == "true"


def _mappings(translator: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: Any = translator.get("mappings") or _older(translator)
    if isinstance(found, str):
        found = _object(f'{{"mappings": {found}}}', "translator.mappings")["mappings"]
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise WrongDefinition("translator.mappings is a list of objects.", where="translator.mappings")
    return list(found)


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
    place = _whole(sink.get("ordinal"), f"{where}.sink.ordinal")
    target = str(sink.get("name") or sink.get("path") or (f"Prop_{place - 1}" if place else source.get("name") or ""))
    if not target:
        raise WrongDefinition("A mapping's sink needs a name.", where=f"{where}.sink")
    return Column(
        name=name,
        ordinal=0 if name else ordinal,
        sink=target,
        sql_type=_sql_type(sink, f"{where}.sink.type"),
        form=str(source.get("format") or sink.get("format") or ""),
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


def conversions(told: Translation, source: pa.Schema) -> dict[str, Conversion]:
    """Return the conversions that a source of texts may do itself while it reads, by its columns' names.

    There are none where one would be left to the mapping: of a column that is mapped more than once, or is not the
    source's own. A row that does not fit there is told in the spelling of texts.
    """
    found: dict[int, Conversion] = {}
    taken: list[int] = []
    for column in told.columns:
        try:
            taken.append(_place(column, source))
        except WrongDefinition:
            if column.sql_type not in {"", "VARCHAR"}:
                return {}
            continue
        kind = source.field(taken[-1]).type
        convert = conversion(kind, column.sql_type, column.form, told.settings) if column.sql_type else None
        if convert:
            found[taken[-1]] = convert
    is_once = all(taken.count(index) == 1 for index in found)
    return {source.field(index).name: convert for index, convert in found.items()} if is_once else {}


class Mapper:
    """The mapping, fitted to the columns that the source really has.

    `refuse` is called with the rows of a batch that have a value which does not fit its type: their places in the
    stream (from 1), the rows as they were read, and the reasons.
    """

    def __init__(
        self, told: Translation, source: pa.Schema, *, refuse: Callable[[list[int], pa.RecordBatch, list[str]], None]
    ) -> None:
        self._refuse = refuse
        self._done = 0
        columns = told.columns or tuple(Column(name=name, sink=name) for name in source.names)
        self._taken = [_place(column, source) if told.columns else index for index, column in enumerate(columns)]
        _check_names(columns)
        self._conversions: dict[int, Conversion] = {}
        fields = []
        for place, (index, column) in enumerate(zip(self._taken, columns, strict=True)):
            read = source.field(index)
            wanted = column.sql_type or ("VARCHAR" if told.nested_as_text and pa.types.is_nested(read.type) else "")
            found = conversion(read.type, wanted, column.form, told.settings) if wanted else None
            if found:
                self._conversions[place] = found
            kind = found.arrow if found else read.type
            fields.append(
                pa.field(column.sink, kind, metadata=None if column.sql_type or told.nested_as_text else _marks(read))
            )
        self.schema = pa.schema(fields)

    @property
    def is_plain(self) -> bool:
        """Whether columns are only chosen and named, and no value is converted."""
        return not self._conversions

    @property
    def taken(self) -> Sequence[int]:
        """The places of the source's columns (from 0) in the order of the sink's."""
        return self._taken

    def pairs(self, source: pa.Schema) -> tuple[tuple[str, str, bool], ...]:
        """Return the source's name of each column, the sink's, and whether its values are converted."""
        read, written = source.names, self.schema.names  # each is made anew when it is asked for
        return tuple(
            (read[index], written[place], place in self._conversions) for place, index in enumerate(self._taken)
        )

    def batches(self, rows: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows under the sink's names and types. A row with a value that does not fit is refused whole."""
        for batch in rows:
            yield self._mapped(batch)
            self._done += batch.num_rows

    def _mapped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [batch.column(index) for index in self._taken]
        wrong: dict[int, Misfits] = {}
        for place, convert in self._conversions.items():
            columns[place], misfits = convert(columns[place])
            if misfits is not None:
                wrong[place] = misfits
        fitted = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if not wrong:
            return fitted
        return without_rows(fitted, self._tell(batch, wrong))

    def _tell(self, batch: pa.RecordBatch, wrong: Mapping[int, Misfits]) -> list[int]:
        """Hand the rows with a value that does not fit to `refuse`, and return where they stand in the batch."""
        reasons: dict[int, list[str]] = {}
        for place, misfits in wrong.items():
            index, convert = self._taken[place], self._conversions[place]
            name, column = batch.schema.names[index], batch.column(index)
            for at in misfits:
                reasons.setdefault(at, []).append(convert.misfit(column[at].as_py(), name))
        bad = sorted(reasons)
        places = [self._done + at + 1 for at in bad]
        self._refuse(places, batch.take(pa.array(bad, pa.int64())), ["; ".join(reasons[at]) for at in bad])
        return bad


def _marks(column: "pa.Field[Any]") -> dict[bytes | str, bytes | str] | None:
    """Return what a source of ours says about its column; it holds as long as the mapping asks for no type."""
    return {name: said for name, said in (column.metadata or {}).items() if name.startswith(b"manara.")} or None


def _check_names(columns: Sequence[Column]) -> None:
    names = [column.sink for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise WrongDefinition(
            f"The mapping writes the column '{twice[0]}' twice.",
            advice="Give each column of the sink a name of its own.",
        )


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
