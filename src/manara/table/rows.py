"""Rows taken out of a batch, and batches of another size."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

DUCKDB_ROWS, DUCKDB_BYTES = 122_880, 64 << 20
"""What DuckDB stores together: batches of another size it puts together anew, which takes a third longer."""

_PIECES_PAY = 100
"""Where fewer than one row in so many is left out, a batch is cut around them."""


def without_rows(batch: pa.RecordBatch, bad: Sequence[int]) -> pa.RecordBatch:
    """Return the batch without the rows at these places, in order."""
    if len(bad) > batch.num_rows // _PIECES_PAY:
        return batch.filter(all_but(bad, batch.num_rows))
    # Whole stretches are put together faster than rows are picked one by one.
    edges = itertools.pairwise([-1, *bad, batch.num_rows])
    stretches = [batch.slice(low + 1, high - low - 1) for low, high in edges if high - low > 1]
    return _joined(stretches) if stretches else batch.slice(0, 0)


def all_but(bad: Sequence[int], count: int) -> "pa.Array[Any]":
    """Return the mask of `count` values that leaves the bad ones out."""
    kept = bytearray(b"\x01") * count
    for at in bad:
        kept[at] = 0
    return pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(bytes(kept))]).cast(pa.bool_())


def in_pieces(batches: Iterable[pa.RecordBatch], rows: int, size_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches of so many, or of fewer where these come to more than so many bytes."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        rest = batch
        while rest.num_rows:
            piece = rest.slice(0, rows - count)
            rest = rest.slice(piece.num_rows)
            held.append(piece)
            count, size = count + piece.num_rows, size + piece.nbytes
            if count == rows or size >= size_bytes:
                yield _joined(held)
                held, count, size = [], 0, 0
    if held:
        yield _joined(held)


def with_numbers(batches: Iterable[pa.RecordBatch], name: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their numbers, from 1, in a first column called `name`."""
    done = 0
    numbers: Any = pa.array([], pa.int64())
    for batch in batches:
        if len(numbers) < batch.num_rows:
            numbers = pa.array(range(1, batch.num_rows + 1), pa.int64())
        yield batch.add_column(0, name, pc.add(numbers.slice(0, batch.num_rows), done))
        done += batch.num_rows


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    found: pa.RecordBatch = pa.concat_batches(batches)  # type: ignore[attr-defined] # its stubs are older
    return found
