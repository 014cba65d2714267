"""A load of harmonised rows into a table, with those that wait for a steward kept beside it."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.errors import Broken
from manara.harmonise import tables
from manara.harmonise.stream import Harmoniser
from manara.harmonise.tables import ORIGIN, ROW, RUN, Target
from manara.plugin.connection import Transaction

_ASIDE: dict[str, pa.DataType] = {"row_number": pa.int64(), "payload": pa.string(), "items": pa.string()}
_AROUND: dict[str, pa.DataType] = {"task": pa.string(), "origin": pa.string()}
_AFTER: dict[str, pa.DataType] = {"run_id": pa.string(), "noted": pa.string()}
_WAITING = pa.schema(_ASIDE)
_STORED = pa.schema(_AROUND | _ASIDE | _AFTER)


class Load:
    """One load of harmonised rows into a table, with those that wait set aside in a file until the table is filled."""

    def __init__(
        self, transaction: Transaction, dialect: str, target: Target, harmoniser: Harmoniser, run_id: str
    ) -> None:
        self._transaction = transaction
        self._dialect = dialect
        self._target = target
        self._harmoniser = harmoniser
        self._run_id = run_id
        self.read = 0
        self.waiting = 0

    def all(
        self, rows: pa.RecordBatchReader, origin: str, report: Callable[[Mapping[str, Any]], None]
    ) -> dict[str, Any]:
        """Replace what the origin gave before by what it gives now, and return the figures."""
        tables.make_target(self._transaction, self._target, self._harmoniser.schema, self._dialect)
        tables.forget_origin(self._transaction, self._target, origin, self._dialect)
        tables.note_task(self._transaction, self._target)
        with tempfile.TemporaryDirectory() as folder:
            aside = Path(folder) / "waiting.arrow"
            with pa.OSFile(str(aside), "wb") as file, pa.ipc.new_stream(file, _WAITING) as spill:
                written = self._transaction.load(self._target.named, self._stream(rows, origin, spill, report))
            self._set_aside(aside, origin)
        self.note_unmatched()
        if self.read != written + self.waiting:
            raise Broken(f"{self.read} rows were read, but {written} written and {self.waiting} set aside.")
        return {
            "rowsRead": self.read,
            "rowsWritten": written,
            "rowsWaiting": self.waiting,
            "columns": {name: dict(counted) for name, counted in self._harmoniser.counts.outcomes.items()},
        }

    def note_unmatched(self) -> None:
        """Put what was not matched into the queue."""
        unmatched = self._harmoniser.counts.unmatched
        tables.note_items(self._transaction, unmatched.values(), unmatched.keys())

    def _stream(
        self,
        rows: pa.RecordBatchReader,
        origin: str,
        spill: pa.ipc.RecordBatchStreamWriter,
        report: Callable[[Mapping[str, Any]], None],
    ) -> pa.RecordBatchReader:
        schema = with_notes(self._harmoniser.schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                first = self.read + 1
                self.read += batch.num_rows
                yield self.good(batch, origin, first, spill).select(schema.names)
                report({"rowsRead": self.read, "rowsWaiting": self.waiting})

        return pa.RecordBatchReader.from_batches(schema, batches())

    def good(
        self, batch: pa.RecordBatch, origin: str, first: int, spill: pa.ipc.RecordBatchStreamWriter
    ) -> pa.RecordBatch:
        """Return the rows that wait for nothing, with their notes; write the others aside."""
        done = self._harmoniser.read(batch)
        numbers = list(range(first, first + batch.num_rows))
        waiting = [place for place, keys in enumerate(done.waits) if keys]
        whole = noted(done.batch, [origin] * len(numbers), numbers, [self._run_id] * len(numbers))
        if not waiting:
            return whole
        self.waiting += len(waiting)
        payloads = batch.take(pa.array(waiting)).to_pylist()
        items = [[tables.item_of(*key) for key in done.waits[place]] for place in waiting]
        spill.write_batch(
            pa.RecordBatch.from_pydict(
                {
                    "row_number": [numbers[place] for place in waiting],
                    "payload": [tables.payload_of(row) for row in payloads],
                    "items": [json.dumps(item) for item in items],
                },
                schema=_WAITING,
            )
        )
        kept: pa.RecordBatch = whole.filter(pa.array([not keys for keys in done.waits]))
        return kept

    def _set_aside(self, aside: Path, origin: str) -> None:
        with pa.OSFile(str(aside), "rb") as file, pa.ipc.open_stream(file) as stream:
            count = self._transaction.load(
                exp.table_("steward_waiting", quoted=True),
                pa.RecordBatchReader.from_batches(_STORED, (self._stored(batch, origin) for batch in stream)),
            )
        if count != self.waiting:
            raise Broken(f"{self.waiting} rows wait, but {count} were kept.")

    def _stored(self, batch: pa.RecordBatch, origin: str) -> pa.RecordBatch:
        count = batch.num_rows
        told = [self._target.task, origin, self._run_id, clock.now().isoformat(timespec="seconds")]
        task, place, run, noted = (pa.array([text] * count, pa.string()) for text in told)
        row_number, payload, items = batch.columns
        return pa.RecordBatch.from_arrays([task, place, row_number, payload, items, run, noted], schema=_STORED)


def noted(batch: pa.RecordBatch, origins: Sequence[str], numbers: Sequence[int], runs: Sequence[str]) -> pa.RecordBatch:
    """Return the batch with where each row came from; what the source says of that is kept."""
    for name, values in (
        (ORIGIN, pa.array(origins, pa.string())),
        (ROW, pa.array(numbers, pa.int64())),
        (RUN, pa.array(runs, pa.string())),
    ):
        if name not in batch.schema.names:
            batch = batch.append_column(name, values)
    return batch


def with_notes(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the columns that `noted` adds."""
    for name, kind in ((ORIGIN, pa.string()), (ROW, pa.int64()), (RUN, pa.string())):
        if name not in schema.names:
            schema = schema.append(pa.field(name, kind))
    return schema
