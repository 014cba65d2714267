"""The dataset type Delta: a Delta Lake table, read at any version, and written in one commit with the run's mark."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, SchemaMismatchError, TableNotFoundError

from manara.connectors.file_facts import interim_type, metadata
from manara.connectors.formats import delta_upkeep
from manara.connectors.formats.delta_upkeep import RUN
from manara.connectors.selection import Settings, join, location, store_of
from manara.connectors.stores.remote import Lake, RemoteStore
from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import DatasetGiven, Tally, Version, dataset
from manara.registry import near
from manara.secret import masked

_BEHAVIOURS = {"insert": "append", "append": "append", "overwrite": "overwrite", "upsert": "upsert", "merge": "upsert"}
_STEP = "manara.step"
_FORBIDDEN = re.compile(r"\b40[13]\b|AccessDenied|SignatureDoesNotMatch|Forbidden|Unauthorized")
_PATIENCE = {"timeout": "120s", "max_retries": "5", "retry_timeout": "60s"}
_DELTAS = (DeltaError, OSError, ValueError, pa.ArrowException)


_T = TypeVar("_T")


@dataset("Delta", can={"read", "write", "upsert", "list"})
def delta(given: DatasetGiven) -> "DeltaDataset":
    """Return the table in the folder that `location` names.

    A source reads its newest version, or the one of `versionAsOf` or `timestampAsOf` in its settings or the dataset. A
    sink appends; `writeBehavior` may be overwrite, or upsert with `upsertSettings.keys`. `partitionBy` names the
    columns by which a new table is divided, `mergeSchema` lets new columns in. The commit bears the mark of the step
    (a transaction of Delta), so that a step that is tried again loads once.

    The folder lies on this machine, in Azure's blobs (AzureBlobStorage, AzureBlobFS) or in S3; a store that would let
    a second writer write over the commit of a first one is refused. In a store its path has plain letters only.
    """
    return DeltaDataset(given=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaDataset:
    """A table of Parquet files and a log of commits, in a folder of this machine, of Azure's blobs or of S3."""

    given: DatasetGiven

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        table = self._table(settings)
        tally.data_expected = _size(table)
        dataset = table.to_pyarrow_dataset()
        scanner = dataset.scanner(batch_size=self.given.batch_rows, batch_readahead=4, fragment_readahead=2)
        schema = _plain(scanner.projected_schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(table, scanner, schema, tally))

    def _batches(self, table: DeltaTable, scanner: Any, schema: pa.Schema, tally: Tally) -> Iterator[pa.RecordBatch]:
        try:
            for batch in scanner.to_batches():
                yield batch.cast(schema)
        except (OSError, pa.ArrowInvalid) as error:
            raise BadRows(
                f"A file of the table is missing or broken ({error}).",
                where=self._where(),
                advice="It may have been removed by a vacuum: read a newer version.",
                code="UserErrorSourceDataIsInvalid",
            ) from error
        tally.files_read += len(table.file_uris())
        tally.data_read += _size(table)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        told = str(settings.get("writeBehavior") or "append").lower()
        if told not in _BEHAVIOURS:
            raise WrongDefinition(f"writeBehavior cannot be '{told}'.", where="sink", advice=near(told, _BEHAVIOURS))
        step = "manara-" + hashlib.sha256(f"{mark.run_id}\n{mark.step}".encode()).hexdigest()
        if (table := self._if_there()) and table.transaction_version(step) is not None:
            return _restored(table, step, tally)
        stream = _Stream(rows, tally)
        commit = CommitProperties(
            custom_metadata={_STEP: step, RUN: mark.run_id}, app_transactions=[Transaction(step, 1, None)]
        )
        try:
            self._commit(_BEHAVIOURS[told], settings, stream, table, commit)
        except BaseException as error:
            # What broke the stream of rows comes back wrapped.
            if stream.error:
                raise stream.error from None
            if isinstance(error, ManaraError) or not isinstance(error, _DELTAS):
                raise
            raise self._told(error) from error
        tally.rows_copied += stream.count
        tally.files_written += 1
        return {"deltaVersion": self._open().version()}

    def _commit(
        self,
        behaviour: str,
        settings: Settings,
        stream: "_Stream",
        table: DeltaTable | None,
        commit: CommitProperties,
    ) -> None:
        if behaviour == "upsert":
            keys, incoming = self._checked(settings, stream)
            if table is not None:
                merging = table.merge(
                    incoming,
                    " and ".join(f"target.{_quoted(key)} = source.{_quoted(key)}" for key in keys),
                    source_alias="source",
                    target_alias="target",
                    commit_properties=commit,
                    merge_schema=_yes(settings, "mergeSchema"),
                )
                merging.when_matched_update_all().when_not_matched_insert_all().execute()
                return
            data: pa.Table | pa.RecordBatchReader = incoming
            behaviour = "append"
        else:
            data = stream.reader()
        lake = self._lake(writes=True)
        divided = self.given.properties.get("partitionBy") or settings.get("partitionBy") or None
        write_deltalake(
            lake.uri,
            cast(Any, data),
            mode=cast(Any, behaviour),
            partition_by=list(divided) if divided and table is None else None,
            schema_mode=cast(Any, _schema_mode(behaviour, settings)),
            commit_properties=commit,
            storage_options={**lake.options, **_PATIENCE} if lake.options else None,
        )

    def _checked(self, settings: Settings, stream: "_Stream") -> tuple[list[str], pa.Table]:
        """Return the keys and all rows; raises BadRows where a key is missing or twice, as one row would be lost."""
        keys = [str(key) for key in (settings.get("upsertSettings") or {}).get("keys") or settings.get("keys") or ()]
        rows = stream.reader().read_all()
        unknown = [key for key in keys if key not in rows.column_names]
        if unknown or not keys:
            raise WrongDefinition(
                f"There is no column '{unknown[0]}'." if unknown else "An upsert needs its keys.",
                where="sink.upsertSettings.keys",
                advice=near(unknown[0], rows.column_names) if unknown else "Name the columns that tell rows apart.",
            )
        empty = next((key for key in keys if rows[key].null_count), "")
        counts = rows.group_by(keys).aggregate([([], "count_all")])["count_all"]
        if empty or any(count != 1 for count in counts.to_pylist()):
            raise BadRows(
                f"The key '{empty}' is missing in a row." if empty else "Several rows have the same key.",
                where=self._where(),
                advice="Leave such rows out before, so that it is certain which one counts.",
                code="UserErrorInvalidUpsertKey",
            )
        return keys, rows

    def versions(self) -> list[Version]:
        return delta_upkeep.versions(self._table({}))

    def compact(self) -> tuple[int, int]:
        return self._tidied(delta_upkeep.compact)

    def vacuum(self, keep_days: int, *, really: bool) -> list[str]:
        return self._tidied(lambda table: delta_upkeep.vacuum(table, keep_days, really=really))

    def _tidied(self, work: Callable[[DeltaTable], _T]) -> _T:
        self._lake(writes=True)
        table = self._table({})
        try:
            return work(table)
        except _DELTAS as error:
            raise self._told(error) from error

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        table = self._if_there()
        if table is None:
            if "exists" in fields:
                return {"exists": False}
            raise self._missing()
        facts = metadata(self.given, fields)
        structure = [{"name": one.name, "type": interim_type(one.type)} for one in _schema(table)]
        facts |= {"structure": structure} if "structure" in fields else {}
        return facts | ({"columnCount": len(structure)} if "columnCount" in fields else {})

    def _lake(self, *, writes: bool = False) -> Lake:
        """Return where the table lies, and what opens that place."""
        store, folder = store_of(self.given), self._where()
        if (path := store.local_path(folder)) is not None:
            if writes:
                path.parent.mkdir(parents=True, exist_ok=True)
            return Lake(uri=str(path), options={})
        if isinstance(store, RemoteStore):
            return store.lake(folder, writes=writes)
        raise WrongDefinition("This store holds no Delta tables.", where=f"dataset '{self.given.name}'")

    def _open(self) -> DeltaTable:
        lake = self._lake()
        return DeltaTable(lake.uri, storage_options={**lake.options, **_PATIENCE} if lake.options else None)

    def _where(self) -> str:
        return join(*location(self.given))

    def _if_there(self) -> DeltaTable | None:
        self._lake()
        info = store_of(self.given).info(self._where())
        try:
            return self._open() if info and info.is_folder else None
        except TableNotFoundError:
            return None
        except _DELTAS as error:
            raise self._told(error) from error

    def _table(self, settings: Settings) -> DeltaTable:
        table = self._if_there()
        if table is None:
            raise self._missing()
        options: Mapping[str, Any] = {**self.given.properties, **settings}
        try:
            if options.get("versionAsOf") is not None:
                table.load_as_version(int(options["versionAsOf"]))
            elif options.get("timestampAsOf"):
                table.load_as_version(_moment(str(options["timestampAsOf"])))
        except (DeltaError, ValueError, OverflowError) as error:
            raise SourceMissing(
                f"The table has no such version: {str(error).splitlines()[0]}.",
                where=self._where(),
                advice=f"Its newest is {self._open().version()}.",
            ) from error
        return table

    def _missing(self) -> SourceMissing:
        return SourceMissing("There is no Delta table.", where=self._where(), advice="Look at folderPath.")

    def _told(self, error: BaseException) -> ManaraError:
        reason = masked((str(error).splitlines() or [type(error).__name__])[0])
        if _FORBIDDEN.search(str(error)):
            return NotAllowed("The store does not let us in.", where=self._where(), advice="Look at its key or rights.")
        if isinstance(error, OSError) and isinstance(store_of(self.given), RemoteStore):
            return Transient(f"The store does not answer as it should: {reason}", where=self._where())
        if isinstance(error, SchemaMismatchError) or "schema" in reason.lower():
            return BadRows(
                f"The rows do not fit the table: {reason}",
                where=self._where(),
                advice="Map the columns, or set mergeSchema on the sink to let new ones in.",
                code="UserErrorSchemaMismatch",
            )
        if "conflict" in reason.lower() or "concurrent" in reason.lower():
            return Conflict(f"Somebody else has changed the table: {reason}", where=self._where())
        return BadRows(f"Delta does not take this: {reason}", where=self._where(), code="UserErrorInvalidData")


class _Stream:
    """The rows on their way into a commit: counted, in types that Delta has, and the error that ended them."""

    def __init__(self, rows: pa.RecordBatchReader, tally: Tally) -> None:
        self._rows, self._tally = rows, tally
        self.count = 0
        self.error: BaseException | None = None

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as a stream."""
        schema = _plain(self._rows.schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._rows:
                yield batch.cast(schema)
                self.count += batch.num_rows
                self._tally.data_written += batch.nbytes
        except BaseException as error:
            self.error = error
            raise


def _restored(table: DeltaTable, step: str, tally: Tally) -> dict[str, Any]:
    """Set the tally to what the commit says that an earlier attempt of the step made."""
    commit = next((one for one in table.history() if one.get(_STEP) == step), {})
    figures = commit.get("operationMetrics") or {}
    added = figures.get("num_added_rows", figures.get("num_output_rows", figures.get("num_source_rows", 0)))
    if "num_source_rows" in figures:
        added = figures["num_source_rows"]
    tally.rows_copied = tally.rows_read = int(added)
    tally.files_written = 1
    return {"deltaVersion": commit.get("version", table.version())}


def _yes(settings: Settings, name: str) -> bool:
    return str(settings.get(name, False)).lower() == "true"


def _schema_mode(behaviour: str, settings: Settings) -> str | None:
    if behaviour == "overwrite":
        return "overwrite"
    return "merge" if _yes(settings, "mergeSchema") else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _schema(table: DeltaTable) -> pa.Schema:
    return _plain(pa.schema(cast(Any, table.schema().to_arrow())))


def _size(table: DeltaTable) -> int:
    sizes = pa.table(cast(Any, table.get_add_actions(flatten=True)))["size_bytes"]
    return int(pc.sum(sizes).as_py() or 0)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return the columns in the types that Delta and the others here share."""
    return pa.schema([pa.field(one.name, _plain_type(one.type), one.nullable) for one in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_large_string(kind) or pa.types.is_null(kind) or kind == pa.string_view():
        return pa.string()
    return _WIDER.get(kind, kind)


_WIDER: dict[pa.DataType, pa.DataType] = {
    pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(), pa.large_binary(): pa.binary(), pa.binary_view(): pa.binary(),
    pa.date64(): pa.date32(),
}  # fmt: skip


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
