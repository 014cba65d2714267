"""The text of one record of a file, and the line on which it stands."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from manara.errors import ManaraError
from manara.plugin.connection import Store

_MOST_BYTES = 200 << 20
_TEXTS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: the line of the file that it begins on (0 where lines mean nothing there), and its text."""

    line: int
    text: str


def record_of(store: Store, path: str, row: int, told: Mapping[str, Any], collection: str = "") -> Record | None:
    """Return record number `row` (from 1, below a header) of a file; None where the file or the record is not there.

    `told` are the typeProperties of the dataset that reads it (delimiter, quotes, header, encoding), `collection` the
    path of the array in a JSON file. Raises nothing for a file that cannot be read: then there is no record.
    """
    try:
        info = store.info(path)
        if info is None or info.is_folder or info.size_bytes > _MOST_BYTES:
            return None
        name = path.lower().removesuffix(".gz")
        if name.endswith(".parquet"):
            values = parquet_row(store, path, row)
            return Record(line=0, text=json.dumps(values, ensure_ascii=False, default=str)) if values else None
        if name.endswith((".xlsx", ".xls")):
            return _of_excel(store, path, row, told)
        if not name.endswith(_TEXTS):
            return None
        text = _text(store, path, str(told.get("encodingName") or "utf-8"))
        found = _objects(text, collection) if name.endswith(_TEXTS[3:]) else _rows(text, told)
        return next((record for number, record in enumerate(found, start=1) if number == row), None)
    except (ManaraError, OSError, ValueError, LookupError, duckdb.Error):
        return None


def parquet_row(store: Store, path: str, row: int) -> dict[str, Any] | None:
    """Return one row of a Parquet file on this machine, by its number in the file; None where it is not there."""
    local = store.local_path(path)
    if local is None or not local.is_file():
        return None
    found = duckdb.connect().execute(
        "select * exclude (file_row_number) from read_parquet(?, file_row_number = true) where file_row_number = ?",
        [str(local), row - 1],
    )
    values = found.fetchone()
    return dict(zip([column[0] for column in found.description or ()], values, strict=True)) if values else None


def _text(store: Store, path: str, encoding: str) -> str:
    with store.open(path) as file:
        content = file.read()
    if path.lower().endswith(".gz"):
        content = gzip.decompress(content)
    return content.decode(encoding, errors="replace").removeprefix("\ufeff")


def _rows(text: str, told: Mapping[str, Any]) -> Iterator[Record]:
    lines = text.splitlines(keepends=True)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=str(told.get("columnDelimiter") or ","),
        quotechar=str(told.get("quoteChar") or '"')[:1],
    )
    begun = 0
    is_header = str(told.get("firstRowAsHeader", True)).lower() == "true"
    for number, fields in enumerate(reader):
        first, begun = begun, reader.line_num
        if fields and not (is_header and number == 0):
            yield Record(line=first + 1, text="".join(lines[first:begun]).rstrip("\r\n"))


def _objects(text: str, collection: str) -> Iterator[Record]:
    """Yield the elements of the array that the path names, of the only array of an object, or of a file of objects."""
    decoder = json.JSONDecoder()
    place = _start(text, collection)
    line, counted = 1, 0
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place >= len(text) or text[place] == "]":
            return
        _, end = decoder.raw_decode(text, place)
        line += text.count("\n", counted, place)
        counted = place
        yield Record(line=line, text=text[place:end])
        place = end


def _start(text: str, collection: str) -> int:
    """Return where the first element begins."""
    keys = [part for part in collection.replace("$", "").replace("[", ".").replace("]", "").split(".") if part]
    place = len(text) - len(text.lstrip())
    for key in (part.strip("'\"") for part in keys):
        found = text.find(json.dumps(key), place)
        place = text.index(":", found) + 1 if found >= 0 else place
    rest = text[place:].lstrip()
    if rest.startswith("["):
        return text.index("[", place) + 1
    if not keys and rest.startswith("{"):
        held = json.JSONDecoder().raw_decode(text, place)[0]
        arrays = [key for key, value in held.items() if isinstance(value, list) and value]
        if len(arrays) == 1 and isinstance(held[arrays[0]][0], dict):
            return _start(text, arrays[0])
    return place


def _of_excel(store: Store, path: str, row: int, told: Mapping[str, Any]) -> Record | None:
    import fastexcel  # noqa: PLC0415 # an extra

    local = store.local_path(path)
    if local is None:
        return None
    is_header = str(told.get("firstRowAsHeader", False)).lower() == "true"
    sheet = told.get("sheetName") or int(told.get("sheetIndex") or 0)
    book = fastexcel.read_excel(str(local)).load_sheet(
        sheet, header_row=0 if is_header else None, n_rows=row, dtypes="string"
    )
    values = book.to_arrow().slice(row - 1, 1).to_pylist()
    if not values:
        return None
    shown = {name: value for name, value in values[0].items() if value is not None}
    return Record(line=row + int(is_header), text=json.dumps(shown, ensure_ascii=False, default=str))
