"""The dataset type Json: objects in an array, one after the other, or one in each line."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from manara.connectors.files import FileDataset, broken_file
from manara.connectors.formats.json_elements import Unread, elements
from manara.connectors.formats.objects import Counting, Row, batch, schema_of, taker
from manara.connectors.formats.recoded import known_encoding, text_file
from manara.connectors.formats.text import json_text, plain_rows
from manara.connectors.selection import Settings, SourceFile
from manara.errors import BadRows
from manara.plugin.dataset import DatasetGiven, Refused, Tally, dataset

_DEEPEST = 500
_DEEPEST_SHOWN = 20
NO_FIELDS = "UserErrorSourceDataHasNoFields"
"""The code of the error for files in which there is no object with a field: that may be no fault of theirs."""
_ARRAYS = "arrayOfObjects"
_DEEP = object()


@dataset("Json", can={"read", "write", "list", "delete"})
def json_files(given: DatasetGiven) -> FileDataset:
    """Return JSON files. Their columns are the fields of the objects, in the order in which they first appear.

    A copy may give in its source's settings `collectionReference`, the array whose elements are the rows, and `paths`,
    the values to take from each: a path with `$` counts from the document (its value is repeated on every row, rule
    100), another from the element. The columns are then called like the paths.

    What is no JSON is refused as a row: in a file with an object in each line every such line, in any other all that
    follows the fault. A value nested more than 500 deep is refused too.

    All files are read twice, first for the types: whole numbers, numbers, true and false, text; what is mixed
    becomes text, and what is nested JSON text. A byte order mark is believed before `encodingName`.
    """
    encoding = known_encoding(str(given.properties.get("encodingName") or ""), f"dataset '{given.name}'")
    return FileDataset(given=given, format=JsonFormat(batch_rows=given.batch_rows, encoding=encoding))


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat:
    """Reads element by element, so that memory does not grow with the file.

    What is no JSON is refused as a row, and the good rows beside it are given: of a file with an object in each line
    only the broken lines are lost, of any other what follows the fault. With `is_whole`, such a fault is an error.
    """

    batch_rows: int
    extension: str = ".json"
    encoding: str = ""
    is_whole: bool = False

    def schema(self, files: Sequence[SourceFile], settings: Settings) -> pa.Schema:
        """Return the columns of what can be read; raises BadRows where that is nothing, or must be all and is not."""
        unread: list[tuple[SourceFile, str]] = []

        def found_rows() -> Iterator[Row]:
            for file in files:
                if not file.info.size_bytes:
                    raise broken_file(file, "The file is empty.", "Fetch it again, or leave it out.")
                take = taker(settings)
                for found in elements(text_file(file, self.encoding), settings, None):
                    if isinstance(found, Unread):
                        unread.append((file, found.reason))
                        if self.is_whole:
                            return
                    elif isinstance(found[0], dict):
                        yield take(*found)

        rows = Counting(found_rows())
        schema = schema_of(rows, settings.get("paths") or ())
        if unread and (self.is_whole or not rows.count):
            file, reason = unread[0]
            raise broken_file(file, f"{reason[:1].upper()}{reason[1:]}.", "Mend it, or fetch the file again.")
        if not schema.names:
            raise BadRows(
                "There is no object with a field in it.",
                where=files[0].path,
                advice="Look at collectionReference.",
                code=NO_FIELDS,
            )
        return schema

    def batches(
        self, file: SourceFile, schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        held: list[Row] = []
        for row in _rows(text_file(file, self.encoding), settings, tally):
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
            for row in plain_rows(some):
                file.write(encoded(before + json_text(row) + ("" if array else "\n")))
                before = ",\n" if array else ""
        if array:
            file.write(encoded("]" if before != "[" else "[]"))


def _rows(file: SourceFile, settings: Settings, tally: Tally) -> Iterator[Row]:
    """Yield the rows of one file, nested values as text; what is no object is refused."""
    take = taker(settings)
    for number, found in enumerate(elements(file, settings, tally), start=1):
        if isinstance(found, Unread):
            line = tally.origins.line_of(number)
            tally.refuse(Refused(file=file.path, row=number, line=line, text=found.text, reason=found.reason))
            continue
        element, document = found
        row = {name: _flat(value) for name, value in take(element, document).items()} if _is_row(element) else {}
        if _is_row(element) and not any(value is _DEEP for value in row.values()):
            yield row
        else:
            reason = f"it is nested more than {_DEEPEST} deep" if _is_row(element) else "it is no JSON object"
            shown = json_text(_cut(element, _DEEPEST_SHOWN))
            line = tally.origins.line_of(number)
            tally.refuse(Refused(file=file.path, row=number, line=line, text=shown, reason=reason))


def _is_row(element: Any) -> bool:
    return isinstance(element, dict)


def _flat(value: Any) -> Any:
    """Return the value, a nested one as text; `_DEEP` where hardly anybody could read that again."""
    if not isinstance(value, dict | list):
        return value
    try:
        text = json_text(value)
    except RecursionError:
        text = ""
    if not text or (text.count("[") + text.count("{") > _DEEPEST and _is_deep(value)):
        return _DEEP
    return text


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer)
                 if isinstance(one, dict | list)]  # fmt: skip
    return bool(level)


def _cut(value: Any, depth: int) -> Any:
    """Return the value as far as it can be shown."""
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return "..."
    if isinstance(value, dict):
        return {name: _cut(one, depth - 1) for name, one in value.items()}
    return [_cut(one, depth - 1) for one in value]
