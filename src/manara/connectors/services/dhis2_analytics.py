"""The grid of DHIS2's analytics: columns by their header, and never a cut answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from manara.connectors.services.answers import Kept
from manara.errors import BadRows, ManaraError, WrongDefinition

Settings = Mapping[str, Any]
Pairs = list[tuple[str, str]]
Ask = Callable[[Pairs], Kept]

ROW_LIMIT = 50_000
_LONGEST_QUERY = 6_000
_NUMBERS = {"NUMBER", "UNIT_INTERVAL", "PERCENTAGE"}
_WHOLE = {"INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE"}
_PARAMETERS = (
    *("aggregationType", "measureCriteria", "preAggregationMeasureCriteria", "startDate", "endDate", "skipMeta"),
    *("skipRounding", "skipData", "hierarchyMeta", "outputIdScheme", "outputOrgUnitIdScheme", "relativePeriodDate"),
    *("outputDataElementIdScheme", "inputIdScheme", "approvalLevel", "includeNumDen", "showHierarchy", "timeField"),
    *("ignoreLimit", "order", "userOrgUnit", "displayProperty"),
)


def grids(settings: Settings, ask: Ask, where: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the columns and the rows of an analytics query.

    `dimension` and `filter` are as DHIS2 writes them (`dx:A;B`). An answer that reaches the limit of rows (50,000, or
    `rowLimit`), or that the server refuses for its size, is asked for in halves of its data items, then of its periods;
    what cannot be halved any more raises BadRows. `ignoreLimit` leaves the size to the server.
    """
    dimensions = _texts(settings.get("dimension") or settings.get("dimensions"))
    if not dimensions:
        raise WrongDefinition(
            "Analytics needs dimensions.", where=where, advice='Write ["dx:...", "pe:LAST_12_MONTHS", "ou:..."].'
        )
    fixed = [("filter", told) for told in _texts(settings.get("filter") or settings.get("filters"))]
    given = {"skipMeta": "true", **{name: settings[name] for name in _PARAMETERS if settings.get(name) is not None}}
    fixed += [(name, _plain(value)) for name, value in given.items()]
    limit = 0 if _plain(given.get("ignoreLimit")) == "true" else _limit(settings.get("rowLimit"))
    found = list(_all(dimensions, fixed, ask, limit, where))
    schema = _together([_table(kept, where).schema for kept in found])
    return schema, (batch for kept in found for batch in _aligned(_table(kept, where), schema).to_batches())


def _together(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return all columns; one that is a number in one answer and a text in another is a text."""
    kinds: dict[str, pa.DataType] = {}
    for schema in schemas:
        for column in schema:
            kinds[column.name] = column.type if kinds.get(column.name, column.type) == column.type else pa.string()
    return pa.schema(list(kinds.items()))


def _all(dimensions: Sequence[str], fixed: Pairs, ask: Ask, limit: int, where: str) -> Iterator[Kept]:
    pairs = [*(("dimension", told) for told in dimensions), *fixed]
    halves = _halves(dimensions)
    if len(urlencode(pairs)) > _LONGEST_QUERY and halves:
        kept = None
    else:
        kept = _one(pairs, ask)
        if kept is not None and not (limit and _count(kept, where) >= limit):
            yield kept
            return
    if not halves:
        raise BadRows(
            f"The answer reaches the limit of {limit or ROW_LIMIT:,} rows, and may be cut.",
            where=where,
            advice="Ask for fewer organisation units at a time, or let the server decide with ignoreLimit.",
            code="UserErrorTooManyRows",
        )
    for half in halves:
        yield from _all(half, fixed, ask, limit, where)


def _one(pairs: Pairs, ask: Ask) -> Kept | None:
    """Return the answer; None where the server refuses it for its size."""
    try:
        return ask(pairs)
    except ManaraError as error:
        if "E7128" in error.message or "max limit" in error.message:
            return None
        raise


def _halves(dimensions: Sequence[str]) -> list[list[str]]:
    """Return the query as two that share no row: by data items, or else by periods; nothing where that is not sure."""
    for name, sure in (("dx", _is_item), ("pe", _is_period)):
        for at, told in enumerate(dimensions):
            known, _, items = told.partition(":")
            parts = list(dict.fromkeys(filter(None, items.split(";"))))
            if known == name and len(parts) > 1 and all(map(sure, parts)):
                middle = len(parts) // 2
                return [
                    [*dimensions[:at], f"{known}:{';'.join(half)}", *dimensions[at + 1 :]]
                    for half in (parts[:middle], parts[middle:])
                ]
    return []


def _is_item(text: str) -> bool:
    return "GROUP" not in text


def _is_period(text: str) -> bool:
    return text[:4].isdigit()


def _count(kept: Kept, where: str) -> int:
    return len(_grid(kept, where)[1])


def _grid(kept: Kept, where: str) -> tuple[list[Mapping[str, Any]], list[list[Any]]]:
    body = kept.json()
    headers = body.get("headers") if isinstance(body, dict) else None
    rows = body.get("rows", []) if isinstance(body, dict) else None
    if not isinstance(headers, list) or not isinstance(rows, list):
        raise BadRows("The answer is no grid of analytics.", where=where, advice=f"Look at {kept.path}.")
    width = len(headers)
    wrong = next((at for at, row in enumerate(rows, 1) if len(row) != width), None)
    if wrong:
        raise BadRows(f"Row {wrong} of the grid has not the {width} columns of its headers.", where=str(kept.path))
    return headers, rows


def _table(kept: Kept, where: str) -> pa.Table:
    headers, rows = _grid(kept, where)
    columns = {str(header["name"]): [row[at] for row in rows] for at, header in enumerate(headers)}
    kinds = [_kind(header) for header in headers]
    arrays = [_column(values, kind) for values, kind in zip(columns.values(), kinds, strict=True)]
    return pa.table(dict(zip(columns, arrays, strict=True)))


def _column(values: list[Any], kind: pa.DataType) -> "pa.Array[Any]":
    """Return the texts as numbers where all of them are some, and as texts otherwise."""
    told = [None if value in (None, "") else str(value) for value in values]
    if pa.types.is_string(kind):
        return pa.array(told, pa.string())
    try:
        return pa.array([None if value is None else float(value) for value in told], pa.float64())
    except ValueError:
        return pa.array(told, pa.string())


def _kind(header: Mapping[str, Any]) -> pa.DataType:
    return pa.float64() if header.get("valueType") in _NUMBERS | _WHOLE else pa.string()


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = {
        column.name: table.column(column.name).cast(column.type)
        if column.name in table.schema.names
        else pa.nulls(table.num_rows, column.type)
        for column in schema
    }
    return pa.table(columns, schema=schema)


def _limit(value: Any) -> int:
    text = str(value) if value not in (None, "") else str(ROW_LIMIT)
    if not (text.isascii() and text.isdigit() and int(text)):
        raise WrongDefinition(f"'{value}' is no rowLimit.", where="rowLimit", advice="Give a whole number above zero.")
    return int(text)


def _texts(value: Any) -> list[str]:
    if value in (None, ""):
        return []
    return [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
