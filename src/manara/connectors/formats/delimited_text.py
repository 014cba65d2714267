"""The dataset type DelimitedText: CSV in all its spellings, read as text and without losing a row."""

import codecs
import contextlib
import csv
import io
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.formats.byte_marks import MarkedBytes, marks_of, unmarked
from manara.connectors.formats.csv_blocks import BLOCK_BYTES, Blocks, Parser
from manara.connectors.formats.csv_bytes import CsvBytes, Dialect
from manara.connectors.formats.csv_lines import UNKNOWN, Lines
from manara.connectors.formats.delimited_write import DelimitedWriter
from manara.connectors.formats.marks import Marks
from manara.connectors.selection import Settings, SourceFile
from manara.errors import ManaraError, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Refused, Tally, dataset
from manara.plugin.origin import Spelling

_CODE_PAGE = re.compile(r"(ibm|windows-?|cp)0*(\d+)")


@dataset("DelimitedText", can={"read", "write", "list", "delete"})
def delimited_text(given: DatasetGiven) -> FileDataset:
    """Return delimited text files, all columns as text.

    Without `firstRowAsHeader` the columns are called Prop_0, Prop_1, ... A header that names a column twice is an
    error. Empty lines are skipped. `nullValue` (nothing, unless told) means a missing value where it stands without
    quotes; in quotes it is a text, so `""` is an empty one. `columnDelimiter` and `rowDelimiter` are any texts, with
    an empty columnDelimiter each line is one value; `quoteChar` and `escapeChar` are any character or none.
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
    for name, value in (("quoteChar", found.quote), ("escapeChar", found.escape)):
        if len(value) > 1 or value in {"\n", "\r"}:
            raise WrongDefinition(f"{name} is one character or none, not '{value}'.", advice='Most files have ".')
    if found.quote and found.quote in found.delimiter:
        raise WrongDefinition(
            f"quoteChar '{found.quote}' is a part of columnDelimiter '{found.delimiter}'.", advice="Change one of them."
        )


def _encoding(name: str) -> str:
    bare = name.lower().removesuffix(" without bom").strip()
    page = _CODE_PAGE.fullmatch(bare)
    for spelt in (bare, f"cp{page[2]}" if page else bare):
        with contextlib.suppress(LookupError):
            return codecs.lookup(spelt).name
    raise WrongDefinition(f"The encoding '{name}' is unknown.", advice="Most files are UTF-8.")


def _yes(value: object) -> bool:
    return str(value).lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedFormat:
    """Reads with pyarrow's parser, in blocks of 4 MB; with `block_bytes` 0, in one go."""

    dialect: Dialect
    block_bytes: int = BLOCK_BYTES
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
            for batch in reading.batches(text, self.block_bytes):
                yield batch if names == schema.names else batch.select(schema.names)

    def _bytes(self, file: SourceFile, content: BinaryIO, settings: Settings) -> CsvBytes:
        skipped = (settings.get("formatSettings") or {}).get("skipLineCount") or 0
        try:
            return CsvBytes(content, self.dialect, int(skipped))
        except ValueError as error:
            raise _unreadable_text(file, self.dialect, error) from error

    def _columns(self, file: SourceFile, text: CsvBytes) -> list[str]:
        """Return the columns' names, and leave the text at the first row of values."""
        try:
            first = text.take_row()
        except ValueError as error:
            raise _unreadable_text(file, self.dialect, error) from error
        except csv.Error as error:
            raise broken_file(file, f"The first row cannot be read: {error}.", "Look for a quote too many.") from error
        if not first:
            raise broken_file(file, "The file is empty: it has not even a header.", "Fetch it again, or leave it out.")
        if not self.dialect.header:
            text.give_back(first)
            return [f"Prop_{index}" for index in range(len(first))]
        twice = sorted(name for name, times in Counter(first).items() if times > 1)
        if twice:
            raise broken_file(
                file,
                f"The header names a column twice: {', '.join(repr(name) for name in twice)}.",
                "Rename one, or read by position: firstRowAsHeader false, and skipLineCount 1 to pass over the header.",
            )
        return first

    def spelling(self, schema: pa.Schema) -> Spelling:
        """Return how rows of these columns are spelt, for those that are refused."""
        writer = DelimitedWriter(dialect=self.dialect, quotes_all=False)
        end = self.dialect.row_delimiter or "\n"
        return Spelling(
            extension=self.extension,
            rows=writer.lines,
            head=writer.header(schema.names) + end if self.dialect.header else "",
            end=end,
            encoding=self.dialect.encoding,
        )

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings) -> None:
        wanted = settings.get("formatSettings") or {}
        DelimitedWriter(dialect=self.dialect, quotes_all=_yes(wanted.get("quoteAllText"))).write(file, rows)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The reading of one file: its rows, and which were refused (row 1 is the first below the header)."""

    file: SourceFile
    dialect: Dialect
    names: list[str]
    tally: Tally
    good: int = 0
    before: int = 0
    lines: int = 0
    ragged: list[pacsv.InvalidRow] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    last_ragged: str = ""
    waiting: list[Refused] = field(default_factory=list)

    @property
    def marks(self) -> Marks:
        """What stands in the text that is parsed."""
        return self.dialect.marks

    @property
    def parser(self) -> Parser:
        """What the parser is told."""
        return Parser(marks=self.marks, null_value=self.dialect.null_value, names=self.names)

    def batches(self, text: CsvBytes, block_bytes: int) -> Iterator[pa.RecordBatch]:
        try:
            for block in Blocks(text=text, parser=self.parser, block_bytes=block_bytes).parsed():
                self.before, self.ragged = self.good + len(self.numbers), block.ragged
                self._note_lines(text, block.lines)
                yield self._whole(block.rows, self._note(), block.base)
            if not text.is_blank:
                yield from self._in_one_go(text)
            self._refuse_up_to(None)
        except ValueError as error:
            raise _unreadable_text(self.file, self.dialect, error) from error

    def _in_one_go(self, text: CsvBytes) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a text, or of the rest of one, that cannot be cut for certain where a row ends."""
        last, marked = "", MarkedBytes(text)
        self.before = self.good + len(self.numbers)
        self.tally.origins.note_lines([self.before + 1], [UNKNOWN])
        try:
            for batch in self._parsed(marked):
                last = _last_value(batch) or last
                yield self._whole(batch, self._note(), marked.base)
        except pa.ArrowInvalid as error:
            self._note()
            raise self._unreadable(error) from error
        new = self._note()
        self._check_end(last, text)
        self._tell(new, marked.base)

    def _note_lines(self, text: CsvBytes, lines: Lines) -> None:
        """Note on which lines of the file the rows of a block begin."""
        before = text.lines_taken + self.lines
        self.tally.origins.note_lines(*lines.shifted(self.before, before))
        self.lines += lines.count

    def _parsed(self, text: MarkedBytes) -> pacsv.CSVStreamingReader:
        # One thread: with several, the parser does not know the numbers of rows.
        return pacsv.open_csv(
            io.BufferedReader(text, BLOCK_BYTES),
            pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=self.names),
            self.parser.parsing(self._keep),
            self.parser.converting(),
        )

    def _whole(self, rows: pa.RecordBatch, ragged: list[pacsv.InvalidRow], base: int) -> pa.RecordBatch:
        """Return the rows that are UTF-8; refuse the others and the ragged ones, in the order of the file."""
        self._tell(ragged, base)
        whole = self._without_marked(rows, base) if base else rows
        self.good += rows.num_rows
        self._refuse_up_to(self._number(self.good))
        return self._real(whole)

    def _keep(self, row: pacsv.InvalidRow) -> Literal["skip"]:
        self.ragged.append(row)
        return "skip"

    def _note(self) -> list[pacsv.InvalidRow]:
        """Take note of the ragged rows that the parser has met since the last time, and return them."""
        new, self.ragged = self.ragged, []
        for row in new:
            self.numbers.append(self._number_of(row))
            self.passed.append(self.numbers[-1] - len(self.numbers))
            self.last_ragged = row.text
        return new

    def _number_of(self, row: pacsv.InvalidRow) -> int:
        """Return which row of the file it is; the parser counts from where it was begun."""
        return self.before + (row.number or 0)

    def _tell(self, new: list[pacsv.InvalidRow], base: int) -> None:
        for row in new:
            values = "1 value" if row.actual_columns == 1 else f"{row.actual_columns} values"
            reason = f"it has {values}, and {row.expected_columns} are expected"
            self._refuse(self._number_of(row), unmarked(self.marks.turned_back(row.text), base), reason)

    def _refuse(self, number: int, text: str, reason: str) -> None:
        line = self.tally.origins.line_of(number)
        self.waiting.append(Refused(file=self.file.path, row=number, line=line, text=text, reason=reason))

    def _refuse_up_to(self, last: int | None) -> None:
        """Hand over what is refused, up to a row of the file: the parser reads ahead."""
        self.waiting.sort(key=lambda refused: refused.row)
        count = len(self.waiting) if last is None else bisect_right(self.waiting, last, key=lambda each: each.row)
        ready, self.waiting = self.waiting[:count], self.waiting[count:]
        for refused in ready:
            self.tally.refuse(refused)

    def _without_marked(self, batch: pa.RecordBatch, base: int) -> pa.RecordBatch:
        """Return the rows of a batch that was read by marks, without those that have one: they are no UTF-8."""
        broken = {
            index
            for column in batch.columns
            for index, found in enumerate(pc.match_substring_regex(column, marks_of(base)).to_pylist())
            if found
        }
        for index in sorted(broken):
            text = self.dialect.delimiter.join(unmarked(column[index].as_py() or "", base) for column in batch.columns)
            self._refuse(self._number(self.good + index + 1), text, f"it is not written in {self.dialect.encoding}")
        kept = [index for index in range(batch.num_rows) if index not in broken]
        return batch.take(pa.array(kept, pa.int64()))

    def _real(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the values with the real marks in them where stand-ins were read."""
        columns = batch.columns
        for real, mark in reversed(self.marks.pairs):
            columns = [pc.replace_substring(column, mark, real) for column in columns]
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema) if self.marks.pairs else batch

    def _number(self, position: int) -> int:
        """Return which row of the file the row at `position` among the well-formed ones is."""
        return position + bisect_right(self.passed, position - 1)

    def _check_end(self, last: str, text: CsvBytes) -> None:
        """Raise when the file ends inside quotes: what the open quote has swallowed cannot be told apart."""
        after_all = bool(self.numbers) and self.numbers[-1] > self._number(self.good)
        swallowed = self.last_ragged if after_all else ""
        unclosed_row = swallowed.count(self.marks.quote) % 2 == 1 if self.marks.quote and swallowed else False
        if unclosed_row or (not after_all and last.endswith(("\n", "\r")) and not text.ended_in_quote):
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
    return (value or "")[-4:]


def _unreadable_text(file: SourceFile, spelt: Dialect, error: ValueError) -> ManaraError:
    if not isinstance(error, UnicodeError):
        return broken_file(file, f"The file cannot be read: {error}.", "Look for binary content, or a wrong dialect.")
    return broken_file(
        file,
        f"The file is not written in {spelt.encoding}.",
        "Set encodingName in the dataset (WINDOWS-1252, ISO-8859-1, UTF-16, ...), or compressionCodec if it is packed.",
    )
