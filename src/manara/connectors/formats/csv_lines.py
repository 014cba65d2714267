"""On which lines of a delimited text its rows begin: a value in quotes may have several, and a line may be empty."""

import csv
import io
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manara.connectors.formats.marks import Marks

UNKNOWN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How many lines a block has, and where its rows begin, both counted from 1.

    Each of `rows` begins on the one of `lines` at its place; the rows after it, up to the next, take one line each. A
    line is UNKNOWN where it could not be told for certain.
    """

    count: int
    rows: "array[int]" = field(default_factory=lambda: array("q", [1]))
    lines: "array[int]" = field(default_factory=lambda: array("q", [1]))

    def shifted(self, rows: int, lines: int) -> "tuple[array[int], array[int]]":
        """Return the rows and lines as those of a file, of which so many stand before the block."""
        moved = (_shifted(self.rows, rows), _shifted(self.lines, lines))
        return moved if UNKNOWN not in self.lines else (moved[0], self.lines)


def _unknown(count: int) -> Lines:
    return Lines(count=count, lines=array("q", [UNKNOWN]))


def _shifted(numbers: "array[int]", by: int) -> "array[int]":
    held: Any = pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
    return _held(pc.add(held, by))


def _held(numbers: Any) -> "array[int]":
    """Return the numbers of an Arrow array without any missing."""
    found = array("q")
    found.frombytes(memoryview(numbers.buffers()[1])[numbers.offset * 8 : (numbers.offset + len(numbers)) * 8])
    return found


def lines_of(block: memoryview, marks: Marks, rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Lines:
    """Return the lines of a block of whole rows, of which the parser has made rows and ragged ones."""
    count, lone_returns = _line_ends(block)
    total = rows.num_rows + len(ragged)
    if marks.has_own_rows:
        return _unknown(count)
    if count == total:
        return Lines(count=count)
    if not lone_returns:
        more = _more(rows, ragged)
        if count == total + (pc.sum(more).as_py() or 0):
            return _after_longer_rows(count, more)
    return _searched(block, marks, count, total)


def _line_ends(block: memoryview) -> tuple[int, int]:
    """Return how many lines end in a block, and how many of them with a carriage return alone."""
    held, end = block.obj, len(block)
    assert isinstance(held, bytes)  # noqa: S101 # a block is the beginning of the bytes that were taken
    feeds, returns = held.count(b"\n", 0, end), held.count(b"\r", 0, end)
    lone = returns - held.count(b"\r\n", 0, end) if returns else 0
    return feeds + lone, lone


def _more(rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Any:
    """Return how many lines each row has beyond the first, in the order of the block."""
    more: Any = pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
    columns: list[Any] = rows.columns
    for column in columns:
        if pc.any(pc.match_substring(column, "\n")).as_py():
            more = pc.add(more, pc.fill_null(pc.count_substring(column, "\n"), 0))
    pieces: list[Any] = []
    passed = 0
    for index, row in enumerate(ragged):
        before = (row.number or 0) - index - 1  # so many whole rows stand before it
        pieces += [more.slice(passed, before - passed), pa.array([row.text.count("\n")], pa.int64())]
        passed = before
    return pa.concat_arrays([*pieces, more.slice(passed)])


def _after_longer_rows(count: int, more: Any) -> Lines:
    """Return the lines of rows some of which take several: the row after such a one begins farther down."""
    longer = pc.indices_nonzero(more)
    rows = pc.add(pc.cast(longer, pa.int64()), 2)
    lines = pc.add(rows, pc.take(pc.cumulative_sum(more), longer))
    one = array("q", [1])
    return Lines(count=count, rows=one + _held(rows), lines=one + _held(lines))


def _searched(block: memoryview, marks: Marks, count: int, total: int) -> Lines:
    """Look for the rows one by one, as there are empty lines between them."""
    text = io.StringIO(bytes(block).decode("utf-8", "surrogateescape"), newline="")
    spelt = {"quotechar": marks.quote} if marks.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    reader = csv.reader(text, delimiter=marks.delimiter, **spelt)
    rows, lines = array("q"), array("q")
    number = before = 0
    try:
        for row in reader:
            if row:
                number += 1
                if not rows or before + 1 - lines[-1] != number - rows[-1]:
                    rows.append(number)
                    lines.append(before + 1)
            before = reader.line_num
    except csv.Error:
        number = -1
    return Lines(count=count, rows=rows, lines=lines) if number == total else _unknown(count)
