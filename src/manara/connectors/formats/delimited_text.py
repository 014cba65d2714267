"""The dataset type DelimitedText: CSV in all its spellings, read as text and without losing a row."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.csv as pacsv

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.formats.csv_bytes import CsvBytes, Dialect
from manara.connectors.formats.text import as_text
from manara.connectors.selection import Settings, SourceFile
from manara.errors import ManaraError, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Refused, Tally, dataset

_BLOCK_BYTES = 4 << 20


@dataset("DelimitedText")
def delimited_text(given: DatasetGiven) -> FileDataset:
    """Return delimited text files, all columns as text.

    Without `firstRowAsHeader` the columns are called Prop_0, Prop_1, ... A header that names a column twice is an
    error. Empty lines are skipped. `nullValue` (nothing, unless told) means a missing value where it stands without
    quotes; in quotes it is a text, so `""` is an empty one.
    """
    return FileDataset(given=given, format=DelimitedFormat(dialect=dialect(given.properties)))


def dialect(properties: Mapping[str, Any]) -> Dialect:
    """Return the dialect that the dataset's properties tell, with ADF's defaults (rule 103).

    Raises WrongDefinition for one that cannot be read.
    """

    def text(name: str, default: str) -> str:
        value = properties.get(name)
        return default if value is None else str(value)

    found = Dialect(
        delimiter=text("columnDelimiter", ","),
        quote=text("quoteChar", '"'),
        escape=text("escapeChar", "\\"),
        header=_yes(properties.get("firstRowAsHeader")),
        null_value=text("nullValue", ""),
        row_delimiter=text("rowDelimiter", ""),
        encoding=_encoding(text("encodingName", "") or "utf-8"),
    )
    _check(found)
    return found


def _check(found: Dialect) -> None:
    limits = {"columnDelimiter": (found.delimiter, 1), "quoteChar": (found.quote, 0), "escapeChar": (found.escape, 0)}
    for name, (value, least) in limits.items():
        if not least <= len(value.encode()) <= 1:
            raise WrongDefinition(f"{name} is one plain character, not '{value}'.", advice="Most use , ; | or a tab.")
    if found.row_delimiter not in {"", "\n", "\r", "\r\n"}:
        raise WrongDefinition(f"rowDelimiter is a line end, not '{found.row_delimiter}'.", advice="Leave it out.")


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name.lower().removesuffix(" without bom")).name
    except LookupError as error:
        raise WrongDefinition(f"The encoding '{name}' is unknown.", advice="Most files are UTF-8.") from error


def _yes(value: object) -> bool:
    return str(value).lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedFormat:
    """Reads with pyarrow's parser, one block of 4 MB after the other."""

    dialect: Dialect
    extension: str = ".csv"

    def schema(self, files: Sequence[SourceFile], settings: Settings) -> pa.Schema:
        with files[0].open() as file:
            names = self._columns(files[0], self._bytes(files[0], file, settings))
        return pa.schema([(name, pa.string()) for name in names])

    def batches(
        self, file: SourceFile, schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        with file.open(tally) as content:
            text = self._bytes(file, content, settings)
            names = self._columns(file, text)
            same_columns(file, schema, names)
            reading = _Reading(file=file, dialect=self.dialect, names=names, tally=tally)
            for batch in reading.batches(text):
                yield batch if names == schema.names else batch.select(schema.names)

    def _bytes(self, file: SourceFile, content: BinaryIO, settings: Settings) -> CsvBytes:
        skipped = (settings.get("formatSettings") or {}).get("skipLineCount") or 0
        try:
            return CsvBytes(content, self.dialect, int(skipped))
        except UnicodeError as error:
            raise _wrong_encoding(file, self.dialect) from error

    def _columns(self, file: SourceFile, text: CsvBytes) -> list[str]:
        """Return the columns' names, and leave the text at the first row of values."""
        try:
            first = text.take_row()
        except UnicodeError as error:
            raise _wrong_encoding(file, self.dialect) from error
        except csv.Error as error:
            raise broken_file(file, f"The first row cannot be read: {error}.", "Look for a quote too many.") from error
        if not first:
            raise broken_file(file, "The file is empty: it has not even a header.", "Fetch it again, or leave it out.")
        if not self.dialect.header:
            text.give_back(first)
            return [f"Prop_{index}" for index in range(len(first))]
        twice = sorted({name for name in first if first.count(name) > 1})
        if twice:
            raise broken_file(
                file,
                f"The header names a column twice: {', '.join(repr(name) for name in twice)}.",
                "Rename one, or read by position: firstRowAsHeader false, and skipLineCount 1 to pass over the header.",
            )
        return first

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings) -> None:
        wanted = settings.get("formatSettings") or {}
        schema = pa.schema([(column.name, _written_as(column.type)) for column in rows.schema])
        style: Any = "all_valid" if _yes(wanted.get("quoteAllText")) else "needed"
        spelt: dict[str, Any] = {"eol": self.dialect.row_delimiter or "\r\n", "null_string": self.dialect.null_value}
        options = pacsv.WriteOptions(
            include_header=self.dialect.header,
            delimiter=self.dialect.delimiter,
            quoting_style=style,
            **spelt,
        )
        with pacsv.CSVWriter(file, schema, write_options=options) as writer:
            for batch in rows:
                columns = [column if column.type in _WRITTEN else as_text(column) for column in batch.columns]
                writer.write_batch(pa.record_batch(columns, schema=schema))


# Numbers stand without quotes; all other values are written as text.
_WRITTEN = {pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()}


def _written_as(kind: pa.DataType) -> pa.DataType:
    return kind if kind in _WRITTEN else pa.string()


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The reading of one file: its rows, and which were refused (row 1 is the first below the header)."""

    file: SourceFile
    dialect: Dialect
    names: list[str]
    tally: Tally
    good: int = 0
    ragged: list[pacsv.InvalidRow] = field(default_factory=list)
    reported: int = 0

    def batches(self, text: CsvBytes) -> Iterator[pa.RecordBatch]:
        if text.is_blank:
            return
        last = ""
        try:
            for batch in self._parser(text):
                self._report()
                whole = self._texts(batch)
                last = _last_value(batch) or last
                self.good += batch.num_rows
                yield whole
        except UnicodeError as error:
            raise _wrong_encoding(self.file, self.dialect) from error
        except pa.ArrowInvalid as error:
            raise self._unreadable(error) from error
        self._check_end(last, text)
        self._report()

    def _parser(self, text: CsvBytes) -> pacsv.CSVStreamingReader:
        # One thread: with several, the parser does not know the numbers of rows.
        return pacsv.open_csv(
            io.BufferedReader(text, _BLOCK_BYTES),
            pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=self.names),
            pacsv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote or False,
                newlines_in_values=bool(self.dialect.quote),
                invalid_row_handler=self._keep,
            ),
            # Bytes first: a text that is no UTF-8 then costs its row, and not the file.
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.binary()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[self.dialect.null_value],
            ),
        )

    def _keep(self, row: pacsv.InvalidRow) -> Literal["skip"]:
        self.ragged.append(row)
        return "skip"

    def _report(self) -> None:
        """Hand the ragged rows that the parser has met since the last time to the tally."""
        new, self.reported = self.ragged[self.reported :], len(self.ragged)
        for row in new:
            reason = f"it has {row.actual_columns} values, and {row.expected_columns} are expected"
            self._refuse(row.number or 0, row.text, reason)

    def _refuse(self, number: int, text: str, reason: str) -> None:
        self.tally.refuse(Refused(file=self.file.path, row=number, text=text, reason=reason))

    def _texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch as text; rows that are no UTF-8 are refused."""
        schema = pa.schema([(name, pa.string()) for name in self.names])
        try:
            return batch.cast(schema)
        except pa.ArrowInvalid:
            rows = [batch.slice(index, 1) for index in range(batch.num_rows)]
            kept = [index for index, row in enumerate(rows) if _is_text(row)]
            for index in sorted(set(range(batch.num_rows)) - set(kept)):
                text = self.dialect.delimiter.join(
                    (value or b"").decode("utf-8", "replace") for value in rows[index].to_pylist()[0].values()
                )
                self._refuse(self._number(self.good + index + 1), text, f"it is not written in {self.dialect.encoding}")
            return batch.take(pa.array(kept, pa.int64())).cast(schema)

    def _number(self, position: int) -> int:
        """Return which row of the file the row at `position` among the well-formed ones is."""
        for number in sorted(row.number or 0 for row in self.ragged):
            position += number <= position
        return position

    def _check_end(self, last: str, text: CsvBytes) -> None:
        """Raise when the file ends inside quotes: what the open quote has swallowed cannot be told apart."""
        swallowed = (
            self.ragged[-1].text if self.ragged and (self.ragged[-1].number or 0) > self._number(self.good) else ""
        )
        unclosed_row = swallowed.count(self.dialect.quote) % 2 == 1 if self.dialect.quote and swallowed else False
        if unclosed_row or (last.endswith(("\n", "\r")) and not text.ended_in_quote):
            row = self._number(self.good + bool(swallowed))
            raise broken_file(
                self.file,
                f"A quote is opened in or before row {row} and never closed; the rest of the file lies inside it.",
                "Close the quote, or set quoteChar to nothing if quotes mean nothing in this file.",
            )

    def _unreadable(self, error: pa.ArrowInvalid) -> ManaraError:
        near_row = self._number(self.good) + 1
        if "straddling" in str(error):
            return broken_file(
                self.file,
                f"After row {near_row - 1} a quote is opened and not closed, or a row is longer than 4 MB.",
                "Close the quote, or set quoteChar to nothing if quotes mean nothing in this file.",
            )
        return broken_file(self.file, f"Row {near_row} or one after it cannot be read: {error}.")


def _last_value(batch: pa.RecordBatch) -> str:
    value = batch.column(batch.num_columns - 1)[-1].as_py() if batch.num_rows and batch.num_columns else None
    return (value or b"")[-4:].decode("utf-8", "replace")


def _is_text(row: pa.RecordBatch) -> bool:
    try:
        row.cast(pa.schema([(name, pa.string()) for name in row.schema.names]))
    except pa.ArrowInvalid:
        return False
    return True


def _wrong_encoding(file: SourceFile, spelt: Dialect) -> ManaraError:
    return broken_file(
        file,
        f"The file is not written in {spelt.encoding}.",
        "Set encodingName in the dataset (WINDOWS-1252, ISO-8859-1, UTF-16, ...), or compressionCodec if it is packed.",
    )
