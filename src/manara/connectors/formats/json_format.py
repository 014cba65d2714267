"""The dataset type Json: objects in an array, one after the other, or one in each line."""

import codecs
import collections
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import ijson
import pyarrow as pa

from manara.connectors.files import FileDataset, broken_file
from manara.connectors.formats import json_path
from manara.connectors.formats.objects import Row, batch, schema_of, taker
from manara.connectors.formats.recoded import known_encoding, text_file
from manara.connectors.formats.text import as_text, json_text
from manara.connectors.selection import Settings, SourceFile
from manara.errors import ManaraError
from manara.plugin.dataset import DatasetGiven, Refused, Tally, dataset

_PIECE_BYTES = 1 << 16
_ARRAYS = "arrayOfObjects"


@dataset("Json")
def json_files(given: DatasetGiven) -> FileDataset:
    """Return JSON files. Their columns are the fields of the objects, in the order in which they first appear.

    A copy may give in its source's settings `collectionReference`, the array whose elements are the rows, and `paths`,
    the values to take from each: a path with `$` counts from the document (its value is repeated on every row, rule
    100), another from the element. The columns are then called like the paths.

    All files are read twice, first for the types: whole numbers, numbers, true and false, text; what is mixed
    becomes text, and what is nested JSON text. A byte order mark is believed before `encodingName`.
    """
    encoding = known_encoding(str(given.properties.get("encodingName") or ""), f"dataset '{given.name}'")
    return FileDataset(given=given, format=JsonFormat(batch_rows=given.batch_rows, encoding=encoding))


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat:
    """Reads element by element, so that memory does not grow with the file."""

    batch_rows: int
    extension: str = ".json"
    encoding: str = ""

    def schema(self, files: Sequence[SourceFile], settings: Settings) -> pa.Schema:
        deaf = Tally(refuse=lambda _row: None)
        rows = (row for file in files for row in _rows(text_file(file, self.encoding), settings, deaf, counted=None))
        schema = schema_of(rows, settings.get("paths") or ())
        if not schema.names:
            raise broken_file(files[0], "There is no object with a field in it.", "Look at collectionReference.")
        return schema

    def batches(
        self, file: SourceFile, schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        held: list[Row] = []
        for row in _rows(text_file(file, self.encoding), settings, tally, counted=tally):
            held.append(row)
            if len(held) == self.batch_rows:
                yield batch(held, schema)
                held = []
        if held:
            yield batch(held, schema)

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings) -> None:
        """Write one object in each line, or, with filePattern arrayOfObjects, one array."""
        array = (settings.get("formatSettings") or {}).get("filePattern") == _ARRAYS
        encoded = codecs.getincrementalencoder(self.encoding or "utf-8")().encode
        before = "[" if array else ""
        for some in rows:
            for row in _plain(some):
                file.write(encoded(before + json_text(row) + ("" if array else "\n")))
                before = ",\n" if array else ""
        if array:
            file.write(encoded("]" if before != "[" else "[]"))


def _plain(batch: pa.RecordBatch) -> list[Row]:
    """Return the rows as values that JSON knows."""
    simple = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_nested)
    columns = [column if any(test(column.type) for test in simple) else as_text(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()


def _rows(file: SourceFile, settings: Settings, tally: Tally, *, counted: Tally | None) -> Iterator[Row]:
    """Yield the rows of one file; what is no object is refused."""
    number = 0
    take = taker(settings)
    try:
        for element, document in _elements(file, settings, counted):
            number += 1
            if isinstance(element, dict):
                yield take(element, document)
            else:
                shown = json_text(element)
                tally.refuse(Refused(file=file.path, row=number, text=shown, reason="it is no JSON object"))
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise _broken(file, error) from error


def _elements(file: SourceFile, settings: Settings, counted: Tally | None) -> Iterator[tuple[Any, Row]]:
    """Yield the elements of the collection (or the documents), each with the document around it."""
    reference = json_path.steps(str(settings.get("collectionReference") or ""))
    with file.open() as content:
        in_array = _first_sign(content) == b"["
    if not reference or in_array or not _is_one_document(file):
        for document in _documents(file, counted, in_array=in_array):
            yield from _cross(document, reference)
        return
    outer = _outer(file, settings)
    with file.open(counted) as content:
        found = ijson.items(content, f"{_prefix(reference)}.item")
        yield from ((element, outer) for element in found)


def _documents(file: SourceFile, counted: Tally | None, *, in_array: bool) -> Iterator[Any]:
    with file.open(counted) as content:
        yield from ijson.items(content, "item" if in_array else "", multiple_values=True)


def _cross(document: Any, reference: json_path.Steps) -> Iterator[tuple[Any, Row]]:
    if not reference:
        yield document, document
        return
    elements = json_path.value_at(document, reference)
    yield from ((element, document) for element in (elements if isinstance(elements, list) else ()))


def _is_one_document(file: SourceFile) -> bool:
    with file.open() as content:
        try:
            collections.deque(ijson.basic_parse(content), maxlen=0)
        except ijson.JSONError as error:
            if "trailing garbage" not in str(error):
                raise
            return False
    return True


def _outer(file: SourceFile, settings: Settings) -> Row:
    """Return what the absolute paths name, in the shape of the document, without reading the rest into memory."""
    found: Row = {}
    for path in settings.get("paths") or ():
        way = json_path.steps(path)
        names = tuple(itertools.takewhile(lambda step: isinstance(step, str), way))
        if not json_path.is_absolute(path) or not names:
            continue
        with file.open() as content:
            value = next(iter(ijson.items(content, _prefix(names))), None)
        place = found
        for name in names[:-1]:
            place = place.setdefault(str(name), {})
        place[str(names[-1])] = value
    return found


def _prefix(way: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in way)


def _first_sign(content: BinaryIO) -> bytes:
    while piece := content.read(_PIECE_BYTES):
        if signs := piece.lstrip():
            return signs[:1]
    return b""


def _broken(file: SourceFile, error: Exception) -> ManaraError:
    """Return the error for a file that is no JSON, with the line and the byte where it goes wrong."""
    if not file.info.size_bytes:
        return broken_file(file, "The file is empty.", "Fetch it again, or leave it out.")
    line, byte = _place(file)
    told = error.args[0] if error.args else ""
    reason = (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).splitlines()[0]
    if "premature EOF" in reason:
        return broken_file(file, f"The JSON is cut off at line {line} (byte {byte}).", "Fetch the file again.")
    return broken_file(file, f"This is no JSON at line {line} (near byte {byte}): {reason}", "Mend that line.")


def _place(file: SourceFile) -> tuple[int, int]:
    """Return the line and the byte at which the parser gives up."""
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True)
    line = byte = 0
    with file.open() as content:
        while piece := content.readline(_PIECE_BYTES):
            line += 1
            try:
                parser.send(piece)
            except ijson.JSONError:
                break
            events.clear()
            byte += len(piece)
    return line, byte
