"""Batches of another size hold the same rows."""

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from manara.table.rows import in_pieces, without_rows


@given(sizes=st.lists(st.integers(0, 30)), rows=st.integers(1, 40))
def test_pieces_have_the_size_that_is_asked_for(sizes: Sequence[int], rows: int) -> None:
    whole = pa.record_batch({"n": list(range(sum(sizes)))})
    batches, done = [], 0
    for size in sizes:
        batches.append(whole.slice(done, size))
        done += size
    found = list(in_pieces(batches, rows, 1 << 20))
    assert [value for batch in found for value in batch["n"].to_pylist()] == whole["n"].to_pylist()
    assert {batch.num_rows for batch in found[:-1]} <= {rows}
    assert all(0 < batch.num_rows <= rows for batch in found)


def test_pieces_end_early_where_rows_are_wide() -> None:
    batch = pa.record_batch({"t": ["x" * 1000] * 10})
    assert [piece.num_rows for piece in in_pieces([batch] * 3, 1000, 15_000)] == [20, 10]


@given(count=st.integers(0, 300), bad=st.sets(st.integers(0, 299)))
def test_rows_are_left_out_one_by_one_or_in_stretches(count: int, bad: set[int]) -> None:
    batch = pa.record_batch({"n": pa.array(range(count), pa.int64())})
    wrong = sorted(at for at in bad if at < count)
    assert without_rows(batch, wrong)["n"].to_pylist() == [at for at in range(count) if at not in wrong]
