"""Rows of many types for tests of databases, and what is tested of those that commit whatever makes a table."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

import datetime
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from manara.plugin.dataset import Dataset, Tally
from manara.testing.suites import DatasetSuite, new_mark

PLACES = pa.table(
    {
        "name": ["Kabul", "Mazar-i-Sharif, 100% 'North'\\", "مزار"],
        "people": pa.array([4_600_000, None, -1], pa.int64()),
        "rate": pa.array([0.5, None, 1e300]),
        "cost": pa.array([Decimal("12.50"), None, Decimal("-0.01")], pa.decimal128(20, 2)),
        "day": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1999, 1, 1)]),
        "at": pa.array([1_700_000_000_123_456, None, 0], pa.timestamp("us")),
        "photo": pa.array([bytes(range(256)), None, b""]),
    }
)


class KeepsMadeTables(DatasetSuite):
    """Tables of a database that commits before it makes a table: of a load that fails, the empty one stays."""

    sink = {"tableOption": "autoCreate"}
    rows = PLACES

    def test_rows_that_end_in_an_error_are_not_written(self, dataset: Dataset) -> None:
        def batches() -> Iterator[pa.RecordBatch]:
            yield from self.rows.to_batches(max_chunksize=2)
            raise ZeroDivisionError

        rows = pa.RecordBatchReader.from_batches(self.rows.schema, batches())
        with pytest.raises(ZeroDivisionError):
            dataset.write(self.sink, rows, new_mark(), Tally())
        assert dataset.read({}, Tally()).read_all().num_rows == 0

    def test_an_upsert_updates_what_is_there_and_inserts_the_rest(self, dataset: Dataset) -> None:
        self.write(dataset, new_mark(), pa.table({"id": [1, 2], "t": ["old", "old"]}))
        newer = pa.table({"id": [2, 3, 3], "t": ["new", "first", "last"]})
        settings = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}
        dataset.write(settings, newer.to_reader(), new_mark(), Tally())
        rows = sorted(dataset.read({}, Tally()).read_all().to_pylist(), key=lambda row: int(row["id"]))
        assert rows == [{"id": 1, "t": "old"}, {"id": 2, "t": "new"}, {"id": 3, "t": "last"}]
