"""The activity Copy: rows or files from one dataset to another, streaming, and counted to the last row."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from manara import clock
from manara.activities.ahead import ahead
from manara.activities.mapping import Mapper, translation
from manara.errors import Broken, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.dataset import Refused, Tally, refuse_none

_KB = 1024
_REFUSED_SHOWN = 20
_TEXT_SHOWN = 200


@activity("Copy")
def copy(given: Given) -> Output:
    """Copy what `inputs` name to what `outputs` name, and return ADF's figures (rule 97).

    All rows arrive or none, and once, however often the step is tried. With enableSkipIncompatibleRow, broken rows are
    left out, counted in rowsSkipped and named in `skippedRows` (the first 20); without it, the first one ends the copy.
    """
    source, sink = given.properties.get("source") or {}, given.properties.get("sink") or {}
    for side, found in (("inputs", given.inputs), ("outputs", given.outputs)):
        if len(found) != 1:
            raise WrongDefinition(f"A Copy needs one dataset in {side}, and has {len(found)}.", where=given.name)
    return _Copy(given, source, sink).run()


class _Copy:
    """One copy under way: what the source has read, and what has reached the sink."""

    def __init__(self, given: Given, source: Mapping[str, Any], sink: Mapping[str, Any]) -> None:
        self._given = given
        self._source = source
        self._sink = sink
        self._is_binary = source.get("type") == "BinarySource"
        self._skips = str(given.properties.get("enableSkipIncompatibleRow", False)).lower() == "true"
        self._refused: list[Refused] = []
        self._unread: list[int] = []
        self._reading = Tally(refuse=self._refuse_unread)
        self._tally = Tally(refuse=self._refuse)

    def run(self) -> Output:
        started, seconds = clock.now(), time.perf_counter()
        told = translation(self._given.properties.get("translator"))
        source, sink = (self._given.dataset(found[0]) for found in (self._given.inputs, self._given.outputs))
        settings = {**self._source, "collectionReference": told.collection, "paths": told.paths}
        rows = source.read(settings, self._reading)
        mapper = Mapper(told, rows.schema, refuse=self._refuse, number=self._number)
        stream = pa.RecordBatchReader.from_batches(mapper.schema, mapper.batches(self._counted(rows)))
        added = sink.write(self._sink, stream, self._given.mark, self._tally)
        self._reconcile()
        return self._output(started, time.perf_counter() - seconds) | added

    def _counted(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Yield the rows as they are read, a few batches ahead; count them, and report after each batch."""
        for batch in ahead(iter(rows)):
            self._tally.rows_read += 0 if self._is_binary else batch.num_rows
            self._take_over()
            yield batch
            self._given.report(self._progress())
        self._take_over()
        self._tally.rows_read += len(self._unread)

    def _take_over(self) -> None:
        self._tally.files_read = self._reading.files_read
        self._tally.data_read = self._reading.data_read

    def _refuse_unread(self, row: Refused) -> None:
        """Take note of a row that the source could not read."""
        self._unread.append(row.row)
        self._refuse(row)

    def _refuse(self, row: Refused) -> None:
        if not row.file:
            row = replace(row, file=f"dataset '{self._given.inputs[0].get('referenceName', '')}'")
        if not self._skips:
            refuse_none(row)
        self._tally.rows_skipped += 1
        if len(self._refused) < _REFUSED_SHOWN:
            self._refused.append(row)

    def _number(self, place: int) -> int:
        """Return the number in the source of the row at `place` among those that could be read (one file)."""
        for number in sorted(self._unread):
            place += number <= place
        return place

    def _reconcile(self) -> None:
        tally = self._tally
        if not self._is_binary and tally.rows_read != tally.rows_copied + tally.rows_skipped:
            raise Broken(
                f"{tally.rows_read} rows were read, but {tally.rows_copied} copied and {tally.rows_skipped} skipped.",
                where=self._given.name,
                advice="Report this: no row may get lost.",
            )

    def _progress(self) -> dict[str, Any]:
        tally = self._tally
        rows = {} if self._is_binary else {"rowsRead": tally.rows_read, "rowsCopied": tally.rows_copied}
        return {**rows, "dataRead": tally.data_read, "filesRead": tally.files_read}

    def _output(self, started: datetime, seconds: float) -> Output:
        tally = self._tally
        rows = {} if self._is_binary else {"rowsRead": tally.rows_read, "rowsCopied": tally.rows_copied}
        skipped = {"rowsSkipped": tally.rows_skipped, "skippedRows": _shown(self._refused)} if self._skips else {}
        duration = math.ceil(seconds)
        return {
            "dataRead": tally.data_read,
            "dataWritten": tally.data_written,
            "filesRead": tally.files_read,
            "filesWritten": tally.files_written,
            **rows,
            **skipped,
            "copyDuration": duration,
            "throughput": round(tally.data_read / _KB / seconds, 3),
            "errors": [],
            "effectiveIntegrationRuntime": "AutoResolveIntegrationRuntime (local)",
            "usedDataIntegrationUnits": 1,
            "usedParallelCopies": 1,
            "executionDetails": [
                {
                    "source": {"type": str(self._source.get("type", "")).removesuffix("Source")},
                    "sink": {"type": str(self._sink.get("type", "")).removesuffix("Sink")},
                    "status": "Succeeded",
                    "start": clock.stamp(started),
                    "duration": duration,
                    "usedDataIntegrationUnits": 1,
                    "usedParallelCopies": 1,
                    "detailedDurations": {"queuingDuration": 0, "transferDuration": duration},
                }
            ],
        }


def _shown(rows: list[Refused]) -> list[dict[str, Any]]:
    return [{"file": row.file, "row": row.row, "reason": row.reason, "text": row.text[:_TEXT_SHOWN]} for row in rows]
