"""On which lines of a delimited text its rows begin: a value in quotes may have several, and a line may be empty."""

import csv
import io
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manara.connectors.formats.marks import Marks
from manara.plugin.origin import UNKNOWN

_STRETCH = 16 << 10
_FEW = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How many lines a block has, and where its rows begin, both counted from 1.

    Each of `rows` begins on the one of `lines` at its place; the rows after it, up to the next, take one line each. A
    line is UNKNOWN where it could not be told for certain. `feeds` are the line feeds before each stretch of bytes.
    """

    count: int
    rows: "array[int]" = field(default_factory=lambda: array("q", [1]))
    lines: "array[int]" = field(default_factory=lambda: array("q", [1]))
    feeds: "array[int]" = field(default_factory=lambda: array("q", [0]))

    def line_of(self, row: int) -> int:
        """Return the line on which a row of the block begins."""
        last = bisect_right(self.rows, row) - 1
        return self.lines[last] + row - self.rows[last]

    def shifted(self, rows: int, lines: int) -> "tuple[array[int], array[int]]":
        """Return the rows and lines as those of a file, of which so many stand before the block."""
        moved = (_shifted(self.rows, rows), _shifted(self.lines, lines))
        return moved if UNKNOWN not in self.lines else (moved[0], self.lines)


def _unknown(count: int) -> Lines:
    return Lines(count=count, lines=array("q", [UNKNOWN]))


def _shifted(numbers: "array[int]", by: int) -> "array[int]":
    if len(numbers) < _FEW:
        return array("q", [number + by for number in numbers])
    held: Any = pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
    return _held(pc.add(held, by))


def _held(numbers: Any) -> "array[int]":
    """Return the numbers of an Arrow array without any missing."""
    found = array("q")
    found.frombytes(memoryview(numbers.buffers()[1])[numbers.offset * 8 : (numbers.offset + len(numbers)) * 8])
    return found


def lines_of(block: memoryview, marks: Marks, rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Lines:
    """Return the lines of a block of whole rows, of which the parser has made rows and ragged ones."""
    held, end = held_by(block)
    feeds, lone_returns = _feeds(held, end), _lone_returns(held, end)
    count = feeds[-1] + lone_returns
    total = rows.num_rows + len(ragged)
    if marks.has_own_rows:
        return _unknown(count)
    if count == total:
        return Lines(count=count, feeds=feeds)
    if not lone_returns:
        more = _more(rows, ragged)
        if count == total + (pc.sum(more).as_py() or 0):
            return replace(_after_longer_rows(count, more), feeds=feeds)
    return replace(_searched(block, marks, count, total), feeds=feeds)


def rows_at(block: memoryview, lines: Lines, numbers: Sequence[int], total: int) -> list[bytes] | None:
    """Return the bytes of each row (from 1, in order) of a block that has `total`; None where it is not certain."""
    held, end = held_by(block)
    if UNKNOWN in lines.lines or _lone_returns(held, end):
        return None
    wanted = [
        lines.line_of(number) if number <= total else lines.count + 1
        for first in numbers
        for number in (first, first + 1)
    ]
    begins = _begins(held, lines, wanted)
    return [held[begins[at] : begins[at + 1]] for at in range(0, len(begins), 2)]


def _begins(held: bytes, lines: Lines, wanted: Sequence[int]) -> list[int]:
    """Return where lines begin, by their numbers from 1, in order."""
    found = []
    passed = at = 0
    for line in wanted:
        stretch = bisect_left(lines.feeds, line - 1, 1) - 1
        if lines.feeds[stretch] > passed:
            passed, at = lines.feeds[stretch], stretch * _STRETCH
        for _ in range(line - 1 - passed):
            at = held.index(b"\n", at) + 1
        passed = line - 1
        found.append(at)
    return found


def held_by(block: memoryview) -> tuple[bytes, int]:
    """Return the bytes that a block is the beginning of, and its length: they know more than it does."""
    held = block.obj
    assert isinstance(held, bytes)  # noqa: S101 # so a text gives its blocks
    return held, len(block)


def _lone_returns(held: bytes, end: int) -> int:
    """Return how many lines end with a carriage return alone."""
    # To count takes ten times as long as to look.
    return held.count(b"\r", 0, end) - held.count(b"\r\n", 0, end) if held.find(b"\r", 0, end) >= 0 else 0


def _feeds(held: bytes, end: int) -> "array[int]":
    """Return how many line feeds stand before each stretch of a block, and at last how many it has."""
    are_feeds = where(held, b"\n", 0, end)
    found, count = array("q", [0]), 0
    for begin in range(0, end, _STRETCH):
        count += are_feeds.slice(begin, _STRETCH).true_count
        found.append(count)
    return found


def where(held: bytes, letter: bytes, begin: int, end: int) -> Any:
    """Return of each byte whether it is the letter: faster than to count them, and other threads go on meanwhile."""
    told: Any = pa.Array.from_buffers(pa.uint8(), max(end - begin, 0), [None, pa.py_buffer(held)], offset=begin)
    return pc.equal(told, pa.scalar(letter[0], pa.uint8()))


def _more(rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Any:
    """Return how many lines each row has beyond the first, in the order of the block."""
    more: Any = pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
    columns: list[Any] = rows.columns
    for column in columns:
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\n")).as_py():
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
