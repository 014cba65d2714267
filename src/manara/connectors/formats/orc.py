"""The dataset type Orc: columns with types, read a stripe at a time and written in bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
from pyarrow import orc

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.formats.plain_given import without_codec
from manara.connectors.selection import Settings, SourceFile
from manara.errors import WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.registry import near

_CODECS = {"none": "uncompressed", "zlib": "zlib", "snappy": "snappy", "lz4": "lz4", "zstd": "zstd"}
_BATCH_BYTES = 48 << 20


@dataset("Orc", can={"read", "write", "list", "delete"})
def orc_files(given: DatasetGiven) -> FileDataset:
    """Return ORC files; `orcCompressionCodec` packs the columns: zlib unless told, snappy, lz4, zstd or none."""
    told = given.properties.get("orcCompressionCodec") or given.properties.get("compressionCodec") or "zlib"
    codec = str(told).lower()
    if codec not in _CODECS:
        raise WrongDefinition(f"ORC knows no compression '{told}'.", advice=near(codec, _CODECS))
    return FileDataset(given=without_codec(given), format=OrcFormat(codec=_CODECS[codec], batch_rows=given.batch_rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrcFormat:
    """Rows keep their order. The columns of the first file count for all; the others must have the same."""

    codec: str
    batch_rows: int
    extension: str = ".orc"

    def schema(self, files: Sequence[SourceFile], _settings: Settings) -> pa.Schema:
        with _opened(files[0], Tally()) as content:
            return content.schema.remove_metadata()

    def batches(
        self, file: SourceFile, schema: pa.Schema, _settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        with _opened(file, tally) as content:
            same_columns(file, schema, content.schema.names)
            for stripe in range(content.nstripes):
                try:
                    rows = content.read_stripe(stripe).select(schema.names).cast(schema)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
                    raise broken_file(
                        file, f"The file is broken, or of other types than the first: {error}.", "Fetch it again."
                    ) from error
                for start in range(0, rows.num_rows, self.batch_rows):
                    yield rows.slice(start, self.batch_rows)

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, _settings: Settings) -> None:
        try:
            with orc.ORCWriter(file, compression=cast(Any, self.codec)) as writer:
                empty = True
                for batch in rows:
                    writer.write(pa.Table.from_batches([batch]))
                    empty = False
                if empty:
                    writer.write(rows.schema.empty_table())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise WrongDefinition(
                f"ORC cannot hold these columns: {error}.", advice="Map the column to another type, such as a text."
            ) from error


@contextlib.contextmanager
def _opened(file: SourceFile, tally: Tally) -> Iterator[orc.ORCFile]:
    with file.store.open(file.info.path) as raw:
        try:
            content = orc.ORCFile(raw)
        except (pa.ArrowInvalid, OSError) as error:
            raise broken_file(file, f"The file is no whole ORC file ({error}).", "Fetch it again.") from error
        tally.data_read += file.info.size_bytes
        yield content
