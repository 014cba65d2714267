"""On which lines of a delimited text its rows begin: a value in quotes may have several, and a line may be empty."""

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manara.connectors.formats.marks import Marks

UNKNOWN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How many lines a block has, and where its rows begin, both counted from 1.

    Each of `starts` is a row and its line; the rows after it, up to the next, take one line each. A line is UNKNOWN
    where it could not be told for certain.
    """

    count: int
    starts: Sequence[tuple[int, int]]


def lines_of(block: memoryview, marks: Marks, rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Lines:
    """Return the lines of a block of whole rows, of which the parser has made rows and ragged ones."""
    count, lone_returns = _line_ends(block)
    total = rows.num_rows + len(ragged)
    if marks.has_own_rows:
        return Lines(count=count, starts=[(1, UNKNOWN)])
    if count == total:
        return Lines(count=count, starts=[(1, 1)])
    if not lone_returns:
        longer = list(_longer_rows(rows, ragged))
        if count == total + sum(more for _, more in longer):
            return Lines(count=count, starts=list(_starts(longer)))
    return Lines(count=count, starts=_searched(block, marks, total))


def _line_ends(block: memoryview) -> tuple[int, int]:
    """Return how many lines end in a block, and how many of them with a carriage return alone."""
    held, end = block.obj, len(block)
    assert isinstance(held, bytes)  # noqa: S101 # a block is the beginning of the bytes that were taken
    feeds, returns = held.count(b"\n", 0, end), held.count(b"\r", 0, end)
    lone = returns - held.count(b"\r\n", 0, end) if returns else 0
    return feeds + lone, lone


def _longer_rows(rows: pa.RecordBatch, ragged: Sequence[pacsv.InvalidRow]) -> Iterator[tuple[int, int]]:
    """Yield the rows that have more lines than one, in order, and how many more."""
    more: Any = None
    columns: list[Any] = rows.columns
    for column in columns:
        if pc.any(pc.match_substring(column, "\n")).as_py():
            feeds = pc.fill_null(pc.count_substring(column, "\n"), 0)
            more = feeds if more is None else pc.add(more, feeds)
    numbers = [row.number or 0 for row in ragged]
    passed = [number - index - 1 for index, number in enumerate(numbers)]
    found = {number: row.text.count("\n") for number, row in zip(numbers, ragged, strict=True) if "\n" in row.text}
    for index in pc.indices_nonzero(more).to_pylist() if more is not None else ():
        found[index + 1 + bisect_right(passed, index)] = more[index].as_py()
    yield from sorted(found.items())


def _starts(longer: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    yield 1, 1
    added = 0
    for number, more in longer:
        added += more
        yield number + 1, number + 1 + added


def _searched(block: memoryview, marks: Marks, total: int) -> list[tuple[int, int]]:
    """Look for the rows one by one, as there are empty lines between them."""
    text = io.StringIO(bytes(block).decode("utf-8", "surrogateescape"), newline="")
    spelt = {"quotechar": marks.quote} if marks.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    reader = csv.reader(text, delimiter=marks.delimiter, **spelt)
    starts: list[tuple[int, int]] = []
    number = before = 0
    try:
        for row in reader:
            if row:
                number += 1
                if not starts or before + 1 - starts[-1][1] != number - starts[-1][0]:
                    starts.append((number, before + 1))
            before = reader.line_num
    except csv.Error:
        return [(1, UNKNOWN)]
    return starts if number == total else [(1, UNKNOWN)]
