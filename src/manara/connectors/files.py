"""Datasets that are files: rows in files of one format, read one after the other and written whole."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa

from manara.connectors import compression, folder_columns
from manara.connectors.additional import Additional
from manara.connectors.databases import duckdb_copy
from manara.connectors.deletion import doomed, refuse_deletion
from manara.connectors.file_facts import interim_type, metadata
from manara.connectors.file_names import FLATTEN, MERGE, behaviour, flat, most_rows, own_name
from manara.connectors.selection import (
    CountedWriter,
    Settings,
    SourceFile,
    codec_of,
    join,
    level_of,
    location,
    source_files,
    store_of,
)
from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, SourceMissing
from manara.plugin.connection import Mark
from manara.plugin.dataset import Dataset, DatasetGiven, Doomed, Part, Relation, Tally
from manara.plugin.origin import Spelling


class Format(Protocol):
    """How one kind of file is read and written.

    One that `converts` reads its columns as texts, and gives those of `tally.conversions` in their types.
    """

    @property
    def extension(self) -> str:
        """What the names of such files end with."""

    def schema(self, files: "Sequence[SourceFile]", settings: Settings, /) -> pa.Schema:
        """Return the columns that all `files` (at least one) give."""

    def batches(
        self, file: "SourceFile", schema: pa.Schema, settings: Settings, tally: Tally, /
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one file; raises BadRows where its columns are not those of `schema`."""

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings, /) -> None:
        """Write the rows as one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDataset:
    """Rows in files of one format.

    `chosen` narrows it to one file to read; `path` is the file to write where that is settled already.
    """

    given: DatasetGiven
    format: Format
    chosen: SourceFile | None = None
    path: str = ""

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        files = self._files(settings)
        tally.data_expected = sum({file.path: file.info.size_bytes for file in files}.values())
        # Without a new file, those that are not new tell the columns.
        samples = files or source_files(self.given, settings, at_any_time=True)
        read = self.format.schema(samples, settings)
        spell = getattr(self.format, "spelling", None)
        tally.spelling = _of_own_columns(spell(read), read) if spell else None
        schema = _converted(read, tally) if getattr(self.format, "converts", False) else read
        whole = folder_columns.with_columns(samples, schema) if folder_columns.is_wanted(settings) else schema
        additional = Additional.of(settings, whole)
        return pa.RecordBatchReader.from_batches(
            additional.schema(whole), self._batches(files, schema, whole, additional, settings, tally)
        )

    def _files(self, settings: Settings) -> list[SourceFile]:
        refuse_deletion(settings)
        return [self.chosen] if self.chosen else source_files(self.given, settings)

    def _batches(
        self,
        files: "Sequence[SourceFile]",
        schema: pa.Schema,
        whole: pa.Schema,
        additional: "Additional",
        settings: Settings,
        tally: Tally,
    ) -> Iterator[pa.RecordBatch]:
        passed = 0
        found = whole.names[len(schema.names) :]
        for file in files:
            begun = passed
            tally.origins.begin(file.path, passed)
            try:
                for batch in self.format.batches(file, schema, settings, tally):
                    passed += batch.num_rows
                    wide = folder_columns.filled(batch, file, found) if found else batch
                    yield additional.to(wide, file.relative)
            except (SourceMissing, NotAllowed) as error:
                if passed > begun:
                    raise
                tally.leave_out(file.path, error)
                continue
            if settings.get("validateDataConsistency"):
                _check_unchanged(file)
            tally.files_read += 1

    def parts(self, settings: Settings) -> list[Part]:
        return [
            Part(name=file.relative, size_bytes=file.info.size_bytes, dataset=replace(self, chosen=file))
            for file in self._files(settings)
        ]

    def targets(self, settings: Settings, names: Sequence[str]) -> list[Dataset] | None:
        folder, name = location(self.given)
        wanted = behaviour(settings)
        if name or self.path or wanted == MERGE:
            return None
        ends = (self._extension(settings), compression.extension(codec_of(self.given)))
        named = [own_name(name, *ends) for name in names]
        if wanted == FLATTEN:
            named = flat(named)
        twice = next((name for name, count in Counter(named).items() if count > 1), "")
        if twice:
            both = [name for name, target in zip(names, named, strict=True) if target == twice]
            raise Conflict(
                f"'{both[0]}' and '{both[1]}' would both become '{twice}'.",
                advice="Take copyBehavior MergeFiles, or copy them apart.",
            )
        return [replace(self, path=join(folder, name)) for name in named]

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        most = most_rows(settings)
        if most and not location(self.given)[1]:
            return self._write_several(settings, rows, mark, tally, most)
        return self._write_one(self.target(settings, mark), settings, rows, tally)

    def _write_one(self, path: str, settings: Settings, rows: pa.RecordBatchReader, tally: Tally) -> dict[str, Any]:
        copied = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal copied
            for batch in rows:
                yield batch
                copied += batch.num_rows

        with store_of(self.given).create(path) as file:
            counting = cast(BinaryIO, CountedWriter(file, tally))
            codec, name = codec_of(self.given), path.rpartition("/")[2]
            inside = compression.unpacked_name(name, codec)
            with compression.writer(counting, codec, level=level_of(self.given), name=inside) as packed:
                self.format.write(packed, pa.RecordBatchReader.from_batches(rows.schema, counted()), settings)
        tally.rows_copied += copied
        tally.files_written += 1
        return {}

    def _write_several(
        self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally, most: int
    ) -> dict[str, Any]:
        """Write files of `most` rows each, numbered behind a common name."""
        wanted = settings.get("formatSettings") or {}
        folder = self.path.rpartition("/")[0] if self.path else location(self.given)[0]
        stem = str(wanted.get("fileNamePrefix") or "") or self.target(settings, mark).rpartition("/")[2].split(".")[0]
        pieces = Pieces(rows)
        number = 0
        while number == 0 or not pieces.is_empty:
            name = f"{stem}_{number:05d}{self._extension(settings)}{compression.extension(codec_of(self.given))}"
            self._write_one(join(folder, name), settings, pieces.take(most), tally)
            number += 1
        return {}

    def target(self, settings: Settings, mark: Mark) -> str:
        """Return the path of the file to write.

        Without a file name in the dataset, it is made from the run and the step: the same for every attempt.
        """
        if self.path:
            return self.path
        folder, name = location(self.given)
        if name:
            return join(folder, name)
        digest = hashlib.sha256(f"{mark.run_id}\n{mark.step}".encode()).hexdigest()[:20]
        return join(folder, f"data_{digest}{self._extension(settings)}{compression.extension(codec_of(self.given))}")

    def _extension(self, settings: Settings) -> str:
        told = str((settings.get("formatSettings") or {}).get("fileExtension") or self.format.extension)
        return told if told.startswith(".") else f".{told}"

    def relation(self, settings: Settings) -> Relation | str:
        if settings.get("additionalColumns"):
            return "the source adds columns"
        if codec_of(self.given) or folder_columns.is_wanted(settings):
            return "the source's files are packed, or their folders are columns"
        relation = getattr(self.format, "relation", None)
        if relation is None:
            return "DuckDB may read it otherwise"
        files = self._files(settings)
        return cast("Relation | str", relation(files)) if files else "there is no file to read"

    def takes(self, settings: Settings, relation: Relation) -> str:
        if codec_of(self.given) or most_rows(settings):
            return "the sink packs or divides its files"
        if store_of(self.given).local_path("") is None:
            return "the sink is not on this machine"
        options = getattr(self.format, "copy_options", None)
        return "DuckDB may write it otherwise" if options is None else cast(str, options(relation.schema, settings)[1])

    def write_relation(self, settings: Settings, relation: Relation, mark: Mark, tally: Tally) -> dict[str, Any]:
        options, _ = cast(Any, self.format).copy_options(None, settings)
        with store_of(self.given).create(self.target(settings, mark)) as file:
            duckdb_copy.copy_to(relation, Path(file.name), options, tally)
            size_bytes = Path(file.name).stat().st_size
        tally.data_written += size_bytes
        # What is read from a table weighs as much as what becomes of it.
        tally.data_read += size_bytes if relation.home else 0
        tally.files_written += 1
        return {}

    def doomed(self, settings: Settings) -> list[Doomed]:
        return doomed(self.given, settings)

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        facts = metadata(self.given, fields)
        asked = {"structure", "columnCount"} & set(fields)
        if asked and facts.get("exists", True):
            schema = self.format.schema(self._files({}), {})
            structure = [{"name": field.name, "type": interim_type(field.type)} for field in schema]
            facts |= {"structure": structure} if "structure" in asked else {}
            facts |= {"columnCount": len(structure)} if "columnCount" in asked else {}
        return facts


def _of_own_columns(spelling: Spelling, schema: pa.Schema) -> Spelling:
    """Return how rows are spelt without what is added behind the file's own columns: they are to be read again."""
    own = list(range(len(schema.names)))
    return replace(spelling, rows=lambda rows: spelling.rows(rows.select(own)))


def _converted(schema: pa.Schema, tally: Tally) -> pa.Schema:
    """Return the columns as they are after the source's own conversions."""
    found = tally.conversions(schema)
    return pa.schema(
        [column.with_type(found[column.name].arrow) if column.name in found else column for column in schema]
    )


def same_columns(file: SourceFile, schema: pa.Schema, names: Sequence[str]) -> None:
    """Raise BadRows when the file's columns are not those of the first file that is read with it."""
    more, fewer = sorted(set(names) - set(schema.names)), sorted(set(schema.names) - set(names))
    if more or fewer:
        told = [f"it has {_quoted(more)}" if more else "", f"it lacks {_quoted(fewer)}" if fewer else ""]
        raise BadRows(
            f"Its columns are not those of the first file: {' and '.join(filter(None, told))}.",
            where=file.path,
            advice="Read files of different columns by copies of their own, so that no column is lost.",
            code="UserErrorSchemaMismatch",
        )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def broken_file(file: SourceFile, message: str, advice: str = "") -> ManaraError:
    """Return the error for a file that cannot be read as what it should be."""
    return BadRows(message, where=file.path, advice=advice, code="UserErrorSourceDataIsInvalid")


def _check_unchanged(file: SourceFile) -> None:
    """Raise when the file is no longer what it was when the copy began."""
    now = file.store.info(file.info.path)
    if now is None or (now.size_bytes, now.modified) != (file.info.size_bytes, file.info.modified):
        raise ManaraError(
            "The file was changed while it was read.",
            where=file.path,
            advice="Copy it again when nobody writes to it.",
            code="UserErrorDataInconsistency",
        )


class Pieces:
    """A stream that is taken in pieces of a number of rows."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self._rows = rows
        self._batches = iter(rows)
        self._rest: pa.RecordBatch | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no further row."""
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._batches, None)
            if self._rest is None:
                return True
        return False

    def take(self, most: int) -> pa.RecordBatchReader:
        """Return the next rows, at most so many; they have to be read before the next are taken."""

        def batches() -> Iterator[pa.RecordBatch]:
            left = most
            while left and not self.is_empty:
                rest = cast(pa.RecordBatch, self._rest)
                piece, self._rest = rest.slice(0, left), rest.slice(left)
                left -= piece.num_rows
                yield piece

        return pa.RecordBatchReader.from_batches(self._rows.schema, batches())
