"""What a copy says of where its rows came from: which files or tables, and which column from which."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from manara.activities.copy_settings import CopySettings
from manara.activities.copy_stream import Stream
from manara.plugin.activity import Given
from manara.plugin.dataset import Dataset
from manara.plugin.lineage import Asset, From, Lineage, asset_of, of_columns
from manara.table.dialects import dialect_of

_QUERIES = ("sqlReaderQuery", "query", "oracleReaderQuery")
_PLAIN_PATH = re.compile(r"\$?\['([^']+)'\]")
_COLUMN = "$$COLUMN:"


def copy_lineage(
    given: Given, settings: CopySettings, source: Dataset, streams: Sequence[Stream], parts: Sequence[tuple[str, str]]
) -> Lineage:
    """Return the lineage of a copy that has succeeded.

    `parts` are the files that were copied one by one: the name of each below the source's folder, and the path that
    it was written to, where that is known. Of several files, the folder is the asset.
    """
    outputs = asset_of(given, given.outputs[0])
    inputs, columns, unclear = _read(given, settings, source)
    files: tuple[str, ...] = ()
    if len(parts) == 1:
        name, path = parts[0]
        inputs = asset_of(given, given.inputs[0], [name])
        outputs = tuple(Asset(namespace=each.namespace, name=path or each.name) for each in outputs)
    elif parts:
        files = tuple(name for name, _ in parts)
    elif streams and (found := streams[0].reading.origins.files()):
        if len(found) == 1:
            inputs = tuple(Asset(namespace=each.namespace, name=found[0]) for each in inputs)
        else:
            files = tuple(found)
    pairs = next((stream.columns for stream in streams if stream.columns), ())
    mapped = _mapped(pairs, settings, inputs, columns) if _has_rows(streams) else {}
    return Lineage(
        inputs=inputs,
        outputs=outputs,
        columns=dict.fromkeys(outputs, mapped),
        unclear=dict.fromkeys(outputs, unclear) if unclear else {},
        files=files,
    )


def _has_rows(streams: Sequence[Stream]) -> bool:
    """Say whether rows were copied; a copy of files as they are has no columns."""
    return any(stream.reading.counts_rows for stream in streams)


Columns = Mapping[str, tuple[From, ...]]


def _read(given: Given, settings: CopySettings, source: Dataset) -> tuple[tuple[Asset, ...], Columns | None, str]:
    """Return what was read; where it was a query, the origins of its columns, or why they are not known."""
    assets = asset_of(given, given.inputs[0])
    text = next((str(settings.source[name]) for name in _QUERIES if settings.source.get(name)), "")
    database = getattr(source, "database", None)
    if database is None:
        return assets, None, ""
    if settings.source.get("sqlReaderStoredProcedureName"):
        return assets, {}, "The rows come from a stored procedure."
    if not text:
        return assets, None, ""
    from manara.table.lineage import query_lineage  # noqa: PLC0415 # only a query needs the readers of SQL

    kind = str(getattr(getattr(source, "given", None), "type", ""))
    dialect = dialect_of(kind) if database.dialect != "duckdb" or kind != "DuckDBTable" else "duckdb"
    tables, found, unclear = query_lineage(text, dialect or database.dialect, database.columns)
    namespace = assets[0].namespace
    named = tuple(Asset(namespace=namespace, name=table) for table in tables)
    return named or assets, of_columns(namespace, found), unclear


def _mapped(
    pairs: Sequence[tuple[str, str, bool]], settings: CopySettings, inputs: Sequence[Asset], columns: Columns | None
) -> dict[str, tuple[From, ...]]:
    """Return the origins of the sink's columns; without those of a query, the source's columns are the origins."""
    added = {
        str(one.get("name")): str(one.get("value") or "")
        for one in settings.source.get("additionalColumns") or ()
        if isinstance(one, Mapping)
    }
    folded = {name.lower(): found for name, found in (columns or {}).items()}
    told: dict[str, tuple[From, ...]] = {}
    for name, target, is_converted in pairs:
        read = added[name][len(_COLUMN) :] if added.get(name, "").upper().startswith(_COLUMN) else name
        if name in added and read == name:
            told[target] = ()
        elif columns is not None:
            told[target] = tuple(_raised(one, is_converted) for one in folded.get(read.lower(), ()))
        else:
            how: Any = "TRANSFORMATION" if is_converted else "IDENTITY"
            told[target] = tuple(From(asset=each, column=_plain(read), how=how) for each in inputs)
    return told


def _raised(one: From, is_converted: bool) -> From:
    if is_converted and one.how == "IDENTITY":
        return From(asset=one.asset, column=one.column, how="TRANSFORMATION")
    return one


def _plain(path: str) -> str:
    """Return the name in the path of an element that is one step long, and other paths as they are."""
    found = _PLAIN_PATH.fullmatch(path)
    return found[1] if found else path
