"""Datasets that are files: rows in files of one format, read one after the other and written whole."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa

from manara.connectors import compression
from manara.connectors.file_facts import interim_type, metadata
from manara.connectors.selection import (
    CountedWriter,
    Settings,
    SourceFile,
    codec_of,
    join,
    location,
    source_files,
    store_of,
)
from manara.errors import BadRows, ManaraError, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import DatasetGiven, Tally
from manara.registry import near


class Format(Protocol):
    """How one kind of file is read and written."""

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
    """Rows in files of one format."""

    given: DatasetGiven
    format: Format

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        files = source_files(self.given, settings)
        schema = self.format.schema(files, settings)
        additional = additional_columns(settings)
        whole = pa.schema([*schema, *(pa.field(name, pa.string()) for name in additional)])
        return pa.RecordBatchReader.from_batches(whole, self._batches(files, schema, settings, tally))

    def _batches(
        self, files: "Sequence[SourceFile]", schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        additional = additional_columns(settings)
        for file in files:
            for batch in self.format.batches(file, schema, settings, tally):
                yield with_additional(batch, additional, file.relative)
            tally.files_read += 1

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        store = store_of(self.given)
        path = self.target(settings, mark)
        copied = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal copied
            for batch in rows:
                yield batch
                copied += batch.num_rows

        with store.create(path) as file:
            counting = cast(BinaryIO, CountedWriter(file, tally))
            with compression.writer(counting, codec_of(self.given)) as packed:
                self.format.write(packed, pa.RecordBatchReader.from_batches(rows.schema, counted()), settings)
        tally.rows_copied += copied
        tally.files_written += 1
        return {}

    def target(self, settings: Settings, mark: Mark) -> str:
        """Return the path of the file to write.

        Without a file name in the dataset, it is made from the run and the step: the same for every attempt.
        """
        folder, name = location(self.given)
        if name:
            return join(folder, name)
        digest = hashlib.sha256(f"{mark.run_id}\n{mark.step}".encode()).hexdigest()[:20]
        extension = (settings.get("formatSettings") or {}).get("fileExtension") or self.format.extension
        return join(folder, f"data_{digest}{extension}{compression.extension(codec_of(self.given))}")

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        facts = metadata(self.given, fields)
        asked = {"structure", "columnCount"} & set(fields)
        if asked and facts.get("exists", True):
            schema = self.format.schema(source_files(self.given, {}), {})
            structure = [{"name": field.name, "type": interim_type(field.type)} for field in schema]
            facts |= {"structure": structure} if "structure" in asked else {}
            facts |= {"columnCount": len(structure)} if "columnCount" in asked else {}
        return facts


def additional_columns(settings: Settings) -> dict[str, str]:
    """Return the source's additionalColumns: name and value (`$$FILEPATH`, `$$COLUMN:other`, or the text itself)."""
    columns = settings.get("additionalColumns") or []
    return {str(column["name"]): str(column["value"]) for column in columns}


def with_additional(batch: pa.RecordBatch, columns: Mapping[str, str], path: str) -> pa.RecordBatch:
    """Return the batch with the additional columns behind its own."""
    for name, value in columns.items():
        if value.upper().startswith("$$COLUMN:"):
            batch = batch.append_column(name, _text_of(batch, value[len("$$COLUMN:") :]))
        else:
            text = path if value.upper() == "$$FILEPATH" else value
            batch = batch.append_column(name, pa.repeat(pa.scalar(text, pa.string()), batch.num_rows))
    return batch


def _text_of(batch: pa.RecordBatch, name: str) -> "pa.Array[Any]":
    if name not in batch.schema.names:
        raise WrongDefinition(
            f"additionalColumns names the column '{name}', which the source does not have.",
            advice=near(name, batch.schema.names),
        )
    return batch.column(name).cast(pa.string())


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
