"""Blocks of a delimited text parsed side by side, as long as it is certain that each ends where a row ends."""

import os
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manara.connectors.formats.byte_marks import is_utf8, marked
from manara.connectors.formats.csv_bytes import CsvBytes
from manara.connectors.formats.csv_lines import Lines, held_by, lines_of, rows_at
from manara.connectors.formats.marks import Marks

T = TypeVar("T")

BLOCK_BYTES = 4 << 20
_AT_A_TIME = 4
_TEXTS: Mapping[str, pa.DataType] = {}
_ZERO, _MOST_LOOKS = ord("0"), 2000
_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Arrow's parser, told the dialect and the names of the columns.

    A value reads as missing where it is `null_value` without quotes. Rows with too many values or too few are handed
    to the handler that is given with the text. The columns of `types` are read as values of these types, as long as
    Arrow certainly reads what stands there as `table/cast.py` does; a column with another value is read as texts from
    then on.
    """

    marks: Marks
    null_value: str
    names: list[str]
    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    _texts: set[str] = field(default_factory=set)

    def parsing(self, handler: Callable[[pacsv.InvalidRow], Literal["skip"]]) -> pacsv.ParseOptions:
        """Return what the marks mean."""
        return pacsv.ParseOptions(
            delimiter=self.marks.delimiter,
            quote_char=self.marks.quote or False,
            newlines_in_values=bool(self.marks.quote),
            invalid_row_handler=handler,
        )

    def converting(self, types: Mapping[str, pa.DataType] = _TEXTS) -> pacsv.ConvertOptions:
        """Return how values are read: as texts, but for the columns of `types`."""
        return pacsv.ConvertOptions(
            column_types={name: types.get(name, pa.string()) for name in self.names},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[self.marks.put_into(self.null_value)],
        )

    def parse(self, block: memoryview) -> "Parsed | None":
        """Return the rows of a block; None where it does not end where a row ends, or cannot be read."""
        read, base = (block, 0) if is_utf8(block) else marked(bytes(block))
        try:
            rows, ragged = self._rows(read) if base else self._typed_rows(read)
        except pa.ArrowInvalid:
            return None
        if self._goes_on(rows, ragged):
            return None
        lines = lines_of(block, self.marks, rows, ragged)
        return Parsed(block=block, rows=rows, ragged=ragged, lines=lines, base=base)

    def texts(self, read: "Parsed", places: Sequence[int]) -> pa.RecordBatch:
        """Return the rows at `places` (from 0, in order) among the whole ones of a block, all values as texts."""
        return self._rows(read.block)[0].take(pa.array(places, pa.int64()))

    def _typed_rows(self, block: memoryview) -> tuple[pa.RecordBatch, list[pacsv.InvalidRow]]:
        types = {name: kind for name, kind in self.types.items() if name not in self._texts}
        if types and _may_hold_hexadecimal(block):
            types = {name: kind for name, kind in types.items() if not pa.types.is_integer(kind)}
        while types:
            try:
                rows, ragged = self._rows(block, types)
            except pa.ArrowInvalid as error:
                odd = self._odd_column(error)
                if odd not in types:
                    break
            else:
                odd = _endless_column(rows)
                if not odd:
                    return rows, ragged
            self._texts.add(odd)
            del types[odd]
        return self._rows(block)

    def _odd_column(self, error: pa.ArrowInvalid) -> str:
        """Return the name of the column with a value that Arrow cannot read; nothing where it does not say."""
        found = _COLUMN.search(str(error))
        return self.names[int(found[1])] if found else ""

    def _rows(
        self, block: memoryview, types: Mapping[str, pa.DataType] = _TEXTS
    ) -> tuple[pa.RecordBatch, list[pacsv.InvalidRow]]:
        ragged: list[pacsv.InvalidRow] = []

        def keep(row: pacsv.InvalidRow) -> Literal["skip"]:
            ragged.append(row)
            return "skip"

        table = pacsv.read_csv(
            cast(Any, pa.BufferReader(pa.py_buffer(block))),
            # One thread: with several, the parser does not know the numbers of rows.
            pacsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self.names),
            self.parsing(keep),
            self.converting(types),
        )
        found = table.to_batches()
        return found[0] if found else pa.RecordBatch.from_pylist([], table.schema), ragged

    def _goes_on(self, rows: pa.RecordBatch, ragged: list[pacsv.InvalidRow]) -> bool:
        """Return whether the last row may go on after the block: its last value has then swallowed the line's end."""
        if not self.marks.quote:
            return False
        if ragged and (ragged[-1].number or 0) >= rows.num_rows + len(ragged):
            return self.marks.quote in ragged[-1].text
        if not rows.num_rows or not pa.types.is_string(rows.column(rows.num_columns - 1).type):
            return False  # a line's end fits no other type
        last = rows.column(rows.num_columns - 1)[-1].as_py() or ""
        return last.endswith(("\n", "\r"))


def _may_hold_hexadecimal(block: memoryview) -> bool:
    """Return whether a value may be a number like 0x1F: Arrow reads it, and nobody writes a count so."""
    held, end = held_by(block)
    for letter in (b"x", b"X"):
        looks, at = 0, held.find(letter, 0, end)
        while at >= 0:
            if held[max(at - 1, 0)] == _ZERO or looks == _MOST_LOOKS:
                return True
            looks, at = looks + 1, held.find(letter, at + 1, end)
    return False


def _endless_column(rows: pa.RecordBatch) -> str:
    """Return a column with a number that is none, or without end: a text may say so, or be too large."""
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column), min_count=0).as_py():
            return name
    return ""


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

    def cut(self, places: Sequence[int]) -> list[str] | None:
        """Return the rows at `places` (from 0, in order) among the whole ones as they stand, or None if not certain."""
        if self.base:
            return None
        passed = [(row.number or 0) - index - 1 for index, row in enumerate(self.ragged)]
        numbers = [place + 1 + bisect_right(passed, place) for place in places]
        found = rows_at(self.block, self.lines, numbers, self.rows.num_rows + len(self.ragged))
        return None if found is None else [row.decode().rstrip("\r\n") for row in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks(Generic[T]):
    """The blocks of a text, in order. What cannot be read for certain stays in the text, to be read in one go.

    `parse` makes something of a block, or nothing where that is not certain.
    """

    text: CsvBytes
    parse: Callable[[memoryview], T | None]
    block_bytes: int = BLOCK_BYTES

    def parsed(self) -> Generator[T, None, None]:
        """Yield the blocks that can be read; a few are read ahead, on threads, unless there is but one."""
        first, second = self._take(), self._take()
        if not second:
            yield from self._alone(first)
            return
        workers = min(_AT_A_TIME, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="parse") as pool:
            waiting = deque((block, pool.submit(self.parse, block)) for block in (first, second))
            try:
                while waiting:
                    while len(waiting) <= workers and (block := self._take()):
                        waiting.append((block, pool.submit(self.parse, block)))
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

    def _alone(self, block: memoryview) -> Iterator[T]:
        found = self.parse(block) if block else None
        if found:
            yield found
        else:
            self.text.put_back(bytes(block))
