"""The rows of one delimited file: those that are whole and fit, in order, and a word about each of the others."""

import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pacsv

from manara.connectors.files import broken_file
from manara.connectors.formats.byte_marks import MarkedBytes, unmarked
from manara.connectors.formats.csv_blocks import BLOCK_BYTES, Blocks
from manara.connectors.formats.csv_bytes import CsvBytes, Dialect
from manara.connectors.formats.csv_fit import Fitted, Fitter
from manara.connectors.formats.csv_lines import Lines
from manara.connectors.formats.marks import Marks
from manara.connectors.selection import SourceFile
from manara.errors import ManaraError
from manara.plugin.dataset import Refused, Tally
from manara.plugin.origin import UNKNOWN


@dataclass(slots=True, kw_only=True)
class Reading:
    """The reading of one file: its rows, and which were refused (row 1 is the first below the header)."""

    file: SourceFile
    fitter: Fitter
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
        return self.fitter.parser.marks

    def batches(self, text: CsvBytes, block_bytes: int) -> Iterator[pa.RecordBatch]:
        try:
            for block in Blocks(text=text, parse=self.fitter.block, block_bytes=block_bytes).parsed():
                self.before, self.ragged = self.good + len(self.numbers), block.parsed.ragged
                self._note_lines(text, block.parsed.lines)
                yield self._whole(block.fitted, self._note(), block.parsed.base)
            if not text.is_blank:
                yield from self._in_one_go(text)
            self._refuse_up_to(None)
        except ValueError as error:
            raise unreadable_text(self.file, self.fitter.dialect, error) from error

    def _in_one_go(self, text: CsvBytes) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a text, or of the rest of one, that cannot be cut for certain where a row ends."""
        last, marked = "", MarkedBytes(text)
        self.before = self.good + len(self.numbers)
        self.tally.origins.note_lines([self.before + 1], [UNKNOWN])
        try:
            for batch in self._parsed(marked):
                last = _last_value(batch) or last
                yield self._whole(self.fitter.fit(batch, marked.base), self._note(), marked.base)
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
            pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=self.fitter.names),
            self.fitter.parser.parsing(self._keep),
            self.fitter.parser.converting(),
        )

    def _whole(self, fitted: Fitted, ragged: list[pacsv.InvalidRow], base: int) -> pa.RecordBatch:
        """Return the rows that can be given; refuse the others and the ragged ones, in the order of the file."""
        self._tell(ragged, base)
        for at, (text, reason) in fitted.wrong.items():
            self._refuse(self._number(self.good + at + 1), text, reason)
        self.good += fitted.count
        self._refuse_up_to(self._number(self.good))
        return fitted.rows

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


def unreadable_text(file: SourceFile, spelt: Dialect, error: ValueError) -> ManaraError:
    """Return the error for a file whose bytes are no text in the dialect's encoding."""
    if not isinstance(error, UnicodeError):
        return broken_file(file, f"The file cannot be read: {error}.", "Look for binary content, or a wrong dialect.")
    return broken_file(
        file,
        f"The file is not written in {spelt.encoding}.",
        "Set encodingName in the dataset (WINDOWS-1252, ISO-8859-1, UTF-16, ...), or compressionCodec if it is packed.",
    )
