"""The activity Copy: rows or files from one dataset to another, streaming, and counted to the last row."""

import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from manara.activities.copy_figures import Figures
from manara.activities.copy_lane import by_duckdb
from manara.activities.copy_lineage import copy_lineage
from manara.activities.copy_log import CopyLog
from manara.activities.copy_settings import CopySettings, copy_settings
from manara.activities.copy_stream import Stream
from manara.activities.mapping import Translation, translation
from manara.errors import Cancelled, ManaraError, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.dataset import AfterFile, ByParts, Dataset, InParts, Part
from manara.plugin.lineage import safely

_SMALL_BYTES = 4 << 20
_TINY_BYTES = 1 << 20
_SMALL_AT_A_TIME = 4


@activity("Copy")
def copy(given: Given) -> Output:
    """Copy what `inputs` name to what `outputs` name, and return ADF's figures (rule 97).

    All rows arrive or none, and once, however often the step is tried; where each file of the source becomes a file
    of the sink, that holds of each file. With enableSkipIncompatibleRow, broken rows are left out, counted in
    rowsSkipped, named in `skippedRows` (the first 20), and written to a log with their texts (`logFilePath`,
    `refusedRowsPath`); without it, the first one ends the copy.
    """
    for side, found in (("inputs", given.inputs), ("outputs", given.outputs)):
        if len(found) != 1:
            raise WrongDefinition(f"A Copy needs one dataset in {side}, and has {len(found)}.", where=given.name)
    return _Copy(given, copy_settings(given.properties)).run()


class _Copy:
    """One copy under way: as one stream, or as one for each file."""

    def __init__(self, given: Given, settings: CopySettings) -> None:
        self._given = given
        self._settings = settings
        self._told: Translation = translation(given.properties.get("translator"))
        self._log = CopyLog(given, settings.log)
        self._report_lock = threading.Lock()
        self._figures = Figures(settings, self._report)
        self._stop = threading.Event()
        self._parallel = 1

    def run(self) -> Output:
        source, sink = (self._given.dataset(found[0]) for found in (self._given.inputs, self._given.outputs))
        try:
            pairs = self._pairs(source, sink)
            streams = [self._one(source, sink)] if pairs is None else self._file_by_file(pairs)
        finally:
            self._log.close()
        total = self._figures.total
        if not (total.rows_skipped or total.files_skipped or (self._settings.log and self._settings.log.all_files)):
            self._log.forget()
        told = self._log.outputs()
        output = self._figures.output(self._log.shown, _lane(streams), self._parallel) | told
        parts = [(part.name, str(getattr(target, "path", "") or "")) for part, target in pairs or ()]
        output |= safely(lambda: copy_lineage(self._given, self._settings, source, streams, parts))
        for stream in streams:
            output |= stream.added
            if stream.tally.cursor is not None:
                output["cursor"] = stream.tally.cursor
        for work in [work for stream in streams for work in _afterwards(stream)]:
            work()
        return output

    def _one(self, source: Dataset, sink: Dataset, name: str = "", size_bytes: int | None = None) -> Stream:
        """Copy one source into one sink, on DuckDB's lane where that is certain."""
        stream = self._stream()
        stream.is_small = size_bytes is not None and size_bytes <= _TINY_BYTES
        stream.why_not = by_duckdb(stream, source, sink)
        if stream.why_not:
            stream.run(source, sink)
        for file in [name] if name else stream.reading.origins.files():
            self._log.copied(file)
        return stream

    def _pairs(self, source: Dataset, sink: Dataset) -> list[tuple[Part, Dataset]] | None:
        """Return the source's files, each with what writes it; None where the rows go as one stream."""
        if not isinstance(source, InParts) or not isinstance(sink, ByParts):
            return None
        parts = source.parts(self._settings.source)
        targets = sink.targets(self._settings.sink, [part.name for part in parts])
        return None if targets is None else list(zip(parts, targets, strict=True))

    def _file_by_file(self, pairs: Sequence[tuple[Part, Dataset]]) -> list[Stream]:
        """Copy the files, several at a time where they are small or the copy says so."""
        self._figures.data_expected = sum(part.size_bytes for part, _ in pairs)
        self._parallel = self._at_a_time(pairs)
        streams: list[Stream] = []

        def one(part: Part, target: Dataset) -> None:
            try:
                streams.append(self._one(part.dataset, target, part.name, part.size_bytes))
            except ManaraError as error:
                if not self._settings.may_leave_out(error):
                    raise
                self._figures.drop()
                self._log.leave_out(part.name, str(error))

        if self._parallel == 1:
            for part, target in pairs:
                one(part, target)
        else:
            self._at_once([functools.partial(one, part, target) for part, target in pairs])
        return streams

    def _at_a_time(self, pairs: Sequence[tuple[Part, Dataset]]) -> int:
        small = sum(part.size_bytes for part, _ in pairs) <= _SMALL_BYTES * len(pairs)
        wanted = self._settings.parallel or (min(_SMALL_AT_A_TIME, os.cpu_count() or 1) if small else 1)
        return max(1, min(wanted, len(pairs)))

    def _at_once(self, works: Sequence[Callable[[], None]]) -> None:
        """Do the works on threads; the first error stops the others at their next batch, and is raised."""
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="copy") as pool:
            futures = [pool.submit(work) for work in works]
            _, waiting = wait(futures, return_when=FIRST_EXCEPTION)
            if waiting:
                self._stop.set()
                for future in waiting:
                    future.cancel()
        errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
        if errors:
            raise next((error for error in errors if not isinstance(error, Cancelled)), errors[0])

    def _stream(self) -> Stream:
        return Stream(given=self._given, settings=self._settings, told=self._told, figures=self._figures, log=self._log)

    def _report(self, figures: Mapping[str, Any]) -> None:
        if self._stop.is_set():
            raise Cancelled("Another file of this copy has failed.")
        with self._report_lock:
            self._given.report(figures)


def _lane(streams: Sequence[Stream]) -> dict[str, str]:
    """Return which lane the rows went on, and why it was not DuckDB's."""
    slow = next((stream for stream in streams if stream.why_not), None)
    return {"lane": "Arrow", "reason": slow.why_not} if slow else {"lane": "DuckDB" if streams else "none"}


def _afterwards(stream: Stream) -> Sequence[Callable[[], None]]:
    """Return what the source wants done now that the sink holds everything.

    Where an earlier attempt has committed the rows, only what belongs to the files that it had read.
    """
    if stream.was_read:
        return stream.reading.afterwards
    return [
        work for work in stream.reading.afterwards if isinstance(work, AfterFile) and work.file in stream.tally.files
    ]
