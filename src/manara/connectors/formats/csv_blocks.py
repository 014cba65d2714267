"""Blocks of a delimited text parsed side by side, as long as it is certain that each ends where a row ends."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from manara.connectors.formats.byte_marks import is_utf8, marked
from manara.connectors.formats.csv_bytes import CsvBytes
from manara.connectors.formats.csv_lines import Lines, lines_of
from manara.connectors.formats.marks import Marks

BLOCK_BYTES = 4 << 20
_AT_A_TIME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Arrow's parser, told the dialect and the names of the columns.

    A value reads as missing where it is `null_value` without quotes. Rows with too many values or too few are handed
    to the handler that is given with the text.
    """

    marks: Marks
    null_value: str
    names: list[str]

    def parsing(self, handler: Callable[[pacsv.InvalidRow], Literal["skip"]]) -> pacsv.ParseOptions:
        """Return what the marks mean."""
        return pacsv.ParseOptions(
            delimiter=self.marks.delimiter,
            quote_char=self.marks.quote or False,
            newlines_in_values=bool(self.marks.quote),
            invalid_row_handler=handler,
        )

    def converting(self) -> pacsv.ConvertOptions:
        """Return how values are read: all of them as texts."""
        return pacsv.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[self.marks.put_into(self.null_value)],
        )

    def parse(self, block: memoryview) -> "Parsed | None":
        """Return the rows of a block; None where it does not end where a row ends, or cannot be read."""
        read, base = (block, 0) if is_utf8(block) else marked(bytes(block))
        ragged: list[pacsv.InvalidRow] = []
        try:
            rows = self._rows(read, ragged)
        except pa.ArrowInvalid:
            return None
        if self._goes_on(rows, ragged):
            return None
        lines = lines_of(block, self.marks, rows, ragged)
        return Parsed(block=block, rows=rows, ragged=ragged, lines=lines, base=base)

    def _rows(self, block: memoryview, ragged: list[pacsv.InvalidRow]) -> pa.RecordBatch:
        def keep(row: pacsv.InvalidRow) -> Literal["skip"]:
            ragged.append(row)
            return "skip"

        table = pacsv.read_csv(
            cast(Any, pa.BufferReader(pa.py_buffer(block))),
            # One thread: with several, the parser does not know the numbers of rows.
            pacsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self.names),
            self.parsing(keep),
            self.converting(),
        )
        found = table.to_batches()
        return found[0] if found else pa.RecordBatch.from_pylist([], table.schema)

    def _goes_on(self, rows: pa.RecordBatch, ragged: list[pacsv.InvalidRow]) -> bool:
        """Return whether the last row may go on after the block: its last value has then swallowed the line's end."""
        if not self.marks.quote:
            return False
        if ragged and (ragged[-1].number or 0) >= rows.num_rows + len(ragged):
            return self.marks.quote in ragged[-1].text
        if not rows.num_rows:
            return False
        last = rows.column(rows.num_columns - 1)[-1].as_py() or b""
        return (last if isinstance(last, bytes) else last.encode()).endswith((b"\n", b"\r"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The rows of a block, and those that have too many values or too few, numbered from 1 in the block.

    In a block with a `base`, a character of a private use area stands for each byte that is no UTF-8 (the byte added to
    the base): Arrow can neither give such a value as a text nor hand over a row with one. That costs its row, and not
    the file. The base is one whose characters the block does not use itself.
    """

    block: memoryview
    rows: pa.RecordBatch
    ragged: list[pacsv.InvalidRow]
    lines: Lines
    base: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The blocks of a text, in order. What cannot be read for certain stays in the text, to be read in one go."""

    text: CsvBytes
    parser: Parser
    block_bytes: int = BLOCK_BYTES

    def parsed(self) -> Generator[Parsed, None, None]:
        """Yield the blocks that can be read; a few are read ahead, on threads, unless there is but one."""
        first, second = self._take(), self._take()
        if not second:
            yield from self._alone(first)
            return
        workers = min(_AT_A_TIME, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="parse") as pool:
            waiting = deque((block, pool.submit(self.parser.parse, block)) for block in (first, second))
            try:
                while waiting:
                    while len(waiting) <= workers and (block := self._take()):
                        waiting.append((block, pool.submit(self.parser.parse, block)))
                    block, future = waiting.popleft()
                    found = future.result()
                    if found is None:
                        self.text.put_back(b"".join((block, *(later for later, _ in waiting))))
                        return
                    yield found
            finally:
                for _, future in waiting:
                    future.cancel()

    def _take(self) -> memoryview:
        return self.text.take_rows(self.block_bytes)

    def _alone(self, block: memoryview) -> Iterator[Parsed]:
        found = self.parser.parse(block) if block else None
        if found:
            yield found
        else:
            self.text.put_back(bytes(block))
