"""The dataset type Parquet: columns with types, read and written in bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlglot import exp

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.selection import Settings, SourceFile
from manara.errors import WrongDefinition
from manara.plugin.dataset import DatasetGiven, Relation, Tally, dataset
from manara.registry import near

_CODECS = ("snappy", "gzip", "zstd", "lz4", "brotli", "none")
_GROUP_ROWS = 512 * 1024
_GROUP_BYTES = 24 << 20
_READ_BYTES = 1 << 20
_WRITE_BYTES = 8 << 20
_DUCKDB_GROUP_ROWS = 122_880
_SAMPLE_ROWS, _SAMPLE_BYTES = 16_384, 1 << 17
_FEW_VALUES = 0.3
_WORTH_PACKING = 0.9
_PATTERN = "*?["
# The types that DuckDB reads from a Parquet file and writes to one without changing them.
_CERTAIN = {
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float32(), pa.float64(), pa.string(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"),
}  # fmt: skip


@dataset("Parquet", can={"read", "write", "list", "delete"})
def parquet(given: DatasetGiven) -> FileDataset:
    """Return Parquet files; `compressionCodec` packs the columns that get smaller by it (snappy unless told)."""
    codec = str(given.properties.get("compressionCodec") or "snappy").lower()
    if codec not in _CODECS:
        raise WrongDefinition(f"Parquet knows no compression '{codec}'.", advice=near(codec, _CODECS))
    # The codec packs the columns inside the file, never the file.
    inside = {
        name: value for name, value in given.properties.items() if name not in {"compressionCodec", "compression"}
    }
    plain = DatasetGiven(
        name=given.name,
        type=given.type,
        properties=inside,
        connection=given.connection,
        batch_rows=given.batch_rows,
    )
    return FileDataset(given=plain, format=ParquetFormat(codec=codec, batch_rows=given.batch_rows))


def _rows_at_once(content: pq.ParquetFile, tally: Tally) -> int:
    """Return how many rows the sink stores together, 0 where they would be too large to hold several times."""
    groups = (content.metadata.row_group(number) for number in range(content.metadata.num_row_groups))
    size_bytes = sum(group.total_byte_size for group in groups)
    together = size_bytes * tally.rows_together / max(content.metadata.num_rows, 1)
    return tally.rows_together if together <= _GROUP_BYTES else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFormat:
    """Rows keep their order. The columns of the first file count for all; the others must have the same."""

    codec: str
    batch_rows: int
    extension: str = ".parquet"

    def schema(self, files: Sequence[SourceFile], _settings: Settings) -> pa.Schema:
        with _opened(files[0], Tally()) as file:
            return file.schema_arrow.remove_metadata()

    def batches(
        self, file: SourceFile, schema: pa.Schema, _settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        with _opened(file, tally) as content:
            same_columns(file, schema, content.schema_arrow.names)
            try:
                for batch in content.iter_batches(_rows_at_once(content, tally) or self.batch_rows):
                    yield batch.select(schema.names).cast(schema)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise broken_file(file, f"Its types are not those of the first file: {error}.") from error
            except OSError as error:
                raise broken_file(file, f"The file is broken ({error}).", "Fetch it again.") from error

    def relation(self, files: Sequence[SourceFile]) -> Relation | str:
        """Return the files as DuckDB reads them, where they are on this machine and of the same plain columns."""
        paths = [file.store.local_path(file.path) for file in files]
        schema = self.schema(files, {})
        rows = 0
        for file, path in zip(files, paths, strict=True):
            if path is None:
                return "the source is not on this machine"
            with _opened(file, Tally()) as content:
                if content.schema_arrow.remove_metadata() != schema:
                    return "the source's files have different columns"
                rows += content.metadata.num_rows
            if any(sign in str(path) for sign in _PATTERN):
                return "DuckDB takes the name of a file for a pattern"
        odd = next((one for one in schema if not (_certain(one.type) and one.nullable and not one.metadata)), None)
        folded = {name.lower() for name in schema.names}
        if odd or len(folded) < len(schema.names) or "" in schema.names:
            return f"DuckDB may change the column '{odd.name}'" if odd else "the names of columns differ in case only"
        listed = exp.Array(expressions=[exp.Literal.string(str(path)) for path in paths])
        # A folder `year=2024` would become a column otherwise, in place of the file's own.
        plain = exp.EQ(this=exp.column("hive_partitioning"), expression=exp.false())
        table = exp.Anonymous(this="read_parquet", expressions=[listed, plain])
        return Relation(
            query=exp.select("*").from_(table),
            schema=schema,
            rows=rows,
            files=len(files),
            size_bytes=sum(file.info.size_bytes for file in files),
        )

    def copy_options(self, schema: pa.Schema | None, _settings: Settings) -> tuple[dict[str, str | int], str]:
        """Return how DuckDB writes such a file, and why it is not certain that it is the same (nothing where it is)."""
        odd = next((one for one in schema or () if not _certain(one.type)), None)
        codec = {"none": "uncompressed", "lz4": "lz4_raw"}.get(self.codec, self.codec)
        options: dict[str, str | int] = {"format": "parquet", "compression": codec}
        options["row_group_size"] = _DUCKDB_GROUP_ROWS
        return options, f"DuckDB may change the column '{odd.name}'" if odd else ""

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, _settings: Settings) -> None:
        groups = _groups(rows)
        first = next(groups, rows.schema.empty_table())
        with (
            # Pages one by one would wait for Python each time, while other threads read.
            pa.BufferedOutputStream(pa.PythonFile(cast(Any, file), "w"), _WRITE_BYTES) as pages,
            pq.ParquetWriter(pages, rows.schema, **_spelling(first, self.codec)) as writer,
        ):
            writer.write_table(first)
            for group in groups:
                writer.write_table(group)


def _groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Yield the rows in tables that are large enough to be a row group each."""
    held: list[pa.RecordBatch] = []
    for batch in rows:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _GROUP_ROWS or sum(one.nbytes for one in held) >= _GROUP_BYTES:
            yield pa.Table.from_batches(held, rows.schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, rows.schema)


def _spelling(table: pa.Table, codec: str) -> dict[str, Any]:
    """Return how the columns of such a table are written: what costs time and saves nothing is left out.

    That is a dictionary of values that are mostly distinct, and the packing of a column that hardly gets smaller.
    """
    sample, names = table.slice(0, _SAMPLE_ROWS), table.schema.names
    if not sample.num_rows or len(set(names)) < len(names) or any(pa.types.is_nested(one.type) for one in table.schema):
        return {"compression": codec, "use_dictionary": True}
    few = [name for name in names if pc.count_distinct(sample[name]).as_py() <= sample.num_rows * _FEW_VALUES]
    codecs = {name: codec if name in few or _gets_smaller(sample[name], codec) else "none" for name in names}
    return {"compression": codecs, "use_dictionary": few}


def _gets_smaller(column: "pa.ChunkedArray[Any]", codec: str) -> bool:
    """Return whether packing a column saves a tenth or more, as far as its first values tell; True of a few."""
    first: Any = column.chunk(0)
    values = first.buffers()[-1]
    if codec == "none" or values is None or values.size < _SAMPLE_BYTES:
        return True
    packed = pa.Codec(cast(Any, "lz4_raw" if codec == "lz4" else codec)).compress(values.slice(0, _SAMPLE_BYTES))
    return len(packed) <= _SAMPLE_BYTES * _WORTH_PACKING


def _certain(kind: pa.DataType) -> bool:
    """Return whether DuckDB gives values of the type back as they are."""
    return kind in _CERTAIN or pa.types.is_decimal128(kind)


@contextlib.contextmanager
def _opened(file: SourceFile, tally: Tally) -> Iterator[pq.ParquetFile]:
    with file.store.open(file.path) as raw:
        try:
            content = pq.ParquetFile(raw, pre_buffer=False, buffer_size=_READ_BYTES)
        except (pa.ArrowInvalid, OSError) as error:
            raise broken_file(file, f"The file is no whole Parquet file ({error}).", "Fetch it again.") from error
        tally.data_read += file.info.size_bytes
        with content:
            yield content
