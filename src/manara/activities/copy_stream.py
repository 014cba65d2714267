"""One stream of a copy: the rows of one source go through the mapping into one sink."""

import contextlib
import json
import threading
from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from manara.activities.conversion import Conversion
from manara.activities.copy_figures import Figures
from manara.activities.copy_log import CopyLog
from manara.activities.copy_settings import CopySettings
from manara.activities.mapping import Mapper, Translation, conversions
from manara.errors import Broken, ManaraError
from manara.plugin.activity import Given
from manara.plugin.dataset import Dataset, Refused, Relation, TakesRelation, Tally, refuse_none
from manara.plugin.origin import Spelling
from manara.table.ahead import ahead

# A sink takes many batches at once (a row group), and while it writes them the next ones have to be made.
_AHEAD = {True: (4, 0), False: (2, 4)}
"""How many batches are read ahead, and how many converted, by whether there is nothing to convert."""


def _objects(rows: pa.RecordBatch) -> list[str]:
    return [json.dumps(row, ensure_ascii=False, default=str) for row in rows.to_pylist()]


_JSON_LINES = Spelling(extension=".jsonl", rows=_objects)
"""How the rows of a source are spelt that has no spelling of its own."""


@dataclass(slots=True, kw_only=True)
class Stream:
    """Rows on their way.

    `reading` is what the source has done, `tally` what has reached the sink; `added` what the sink adds to the
    output. `was_read` says whether the sink took the rows: it does not where an earlier attempt has committed them.
    `why_not` tells why DuckDB's lane was not taken. `columns` are the mapped ones: the source's name, the sink's, and
    whether values are converted; `_by_source` holds what the source converts itself. A stream that `is_small` needs no
    threads. `_left_before` holds, for each row that was left out after it was read, how many of the others come before
    it.
    """

    given: Given
    settings: CopySettings
    told: Translation
    figures: Figures
    log: CopyLog
    reading: Tally = field(init=False)
    tally: Tally = field(init=False)
    added: dict[str, Any] = field(default_factory=dict)
    was_read: bool = False
    why_not: str = ""
    columns: tuple[tuple[str, str, bool], ...] = ()
    is_small: bool = False
    _unread: int = 0
    _left_before: list[int] = field(default_factory=list)
    _by_source: dict[str, Conversion] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Wire the tallies: who refuses a row or leaves out a file does so through them."""
        self.reading = Tally(
            refuse=self._refuse_unread,
            leave_out=self._leave_out,
            conversions=self._conversions,
            tick=self.figures.tell,
            cursor=self.given.cursor,
        )
        self.tally = Tally(refuse=self._refuse_by_sink, tick=self.figures.tell, skips=self.settings.skips_rows)

    def run(self, source: Dataset, sink: Dataset) -> None:
        """Copy all rows, and hold the numbers of those read, copied and skipped against each other."""
        settings = {
            **self.settings.source,
            "collectionReference": self.told.collection,
            "paths": self.told.paths,
            "validateDataConsistency": self.settings.validates,
            "parallelCopies": self.settings.parallel,
        }
        self.reading.rows_together = getattr(sink, "rows_together", 0)
        rows = source.read(settings, self.reading)
        self.figures.data_expected = self.figures.data_expected or self.reading.data_expected
        self.figures.counts_rows = self.reading.counts_rows
        mapper = Mapper(self.told, rows.schema, refuse=self.misfit)
        self.columns = tuple(
            (read, written, is_converted or read in (self._by_source or ()))
            for read, written, is_converted in mapper.pairs(rows.schema)
        )
        # Reading, converting and writing each have a thread, unless there is too little to do for that to pay.
        depths = _AHEAD[mapper.is_plain] if not self.is_small else (0, 0)
        batches = mapper.batches(self._counted(rows, depths[0]))
        taken: Generator[pa.RecordBatch, None, None] = ahead(batches, depths[1]) if depths[1] else batches
        stream = pa.RecordBatchReader.from_batches(mapper.schema, self._closing(taken))
        with contextlib.closing(taken), self.figures.counting(self.tally):
            self.added = sink.write(
                {**self.settings.sink, "parallelCopies": self.settings.parallel}, stream, self.given.mark, self.tally
            )
            self._reconcile()

    def run_relation(self, relation: Relation, sink: TakesRelation) -> None:
        """Copy all rows by one statement of DuckDB. After an error the stream is as new, for the other way."""
        self.figures.data_expected = self.figures.data_expected or relation.size_bytes
        try:
            with self.figures.counting(self.tally):
                self.figures.tell()
                self.added = sink.write_relation(self.settings.sink, relation, self.given.mark, self.tally)
                self.figures.tell()
                self._reconcile()
        except ManaraError:
            self.__post_init__()
            raise

    def _conversions(self, schema: pa.Schema) -> dict[str, Conversion]:
        """Return what the source may convert itself; nothing where it adds a column that takes the texts of another."""
        if self._by_source is None:
            takes_texts = "$$COLUMN:" in str(self.settings.source.get("additionalColumns")).upper()
            self._by_source = {} if takes_texts else conversions(self.told, schema)
        return self._by_source

    def _counted(self, rows: pa.RecordBatchReader, depth: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows as they are read, a few batches ahead; count them, and report after each batch."""
        for batch in ahead(iter(rows), depth) if depth else rows:
            self.tally.rows_read += batch.num_rows if self.reading.counts_rows else 0
            self._take_over()
            yield batch
            self.figures.tell()
        self._take_over()
        self.tally.rows_read += self._unread
        if self.reading.cursor is not self.given.cursor:
            self.tally.cursor = self.reading.cursor
        if self.reading.afterwards:
            self.tally.files = self.reading.origins.files()
        self.log.sync()

    def _closing(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches; they are counted as taken from here on."""
        self.was_read = True
        yield from batches

    def _take_over(self) -> None:
        for name in ("files_read", "files_skipped", "data_read"):
            setattr(self.tally, name, getattr(self.reading, name))

    def _refuse_unread(self, row: Refused) -> None:
        """Take note of a row that the source could not read."""
        self._unread += 1
        self.reading.origins.unread(row.row)
        self._refuse(row, self.reading.spelling or _JSON_LINES)

    def misfit(self, places: list[int], values: pa.RecordBatch, reasons: list[str]) -> None:
        """Take note of rows that were read, those at `places` in the stream, with values that do not fit."""
        spelling = self.reading.spelling or _JSON_LINES
        texts = spelling.rows(values)
        for place, text, reason in zip(places, texts, reasons, strict=True):
            self._left_before.append(place - 1 - len(self._left_before))
            file, row, line = self.reading.origins.of(place)
            self._refuse(Refused(file=file, row=row, line=line, text=text, reason=reason), spelling)

    def _refuse_by_sink(self, row: Refused) -> None:
        """Take note of a row that the sink does not take; its text is the sink's, and not the source's.

        Where the sink knows which of its rows it is, the row is told as that of the source.
        """
        if row.row:
            place = row.row + bisect_right(self._left_before, row.row - 1)
            file, number, line = self.reading.origins.of(place)
            reason = f"{row.reason} (table {row.file})" if row.file else row.reason
            row = replace(row, file=file, row=number, line=line, reason=reason)
        self._refuse(row, None)

    def _refuse(self, row: Refused, spelling: Spelling | None) -> None:
        if not row.file:
            row = replace(row, file=f"dataset '{self.given.inputs[0].get('referenceName', '')}'")
        if not self.settings.skips_rows:
            refuse_none(row)
        with self._lock:
            self.tally.rows_skipped += 1
        self.log.refuse(row, spelling)

    def _leave_out(self, file: str, error: ManaraError) -> None:
        """Take note of a file that cannot be read, where the copy may go on without it."""
        if not self.settings.may_leave_out(error):
            raise error
        self.reading.files_skipped += 1
        self.log.leave_out(file, str(error))

    def _reconcile(self) -> None:
        tally = self.tally
        if self.reading.counts_rows and tally.rows_read != tally.rows_copied + tally.rows_skipped:
            raise Broken(
                f"{tally.rows_read} rows were read, but {tally.rows_copied} copied and {tally.rows_skipped} skipped.",
                where=self.given.name,
                advice="Report this: no row may get lost.",
            )
