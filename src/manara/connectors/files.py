"""Datasets that are files: which files a location means, how they are opened, and what is told about them."""

import base64
import fnmatch
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa

from manara.connectors import compression
from manara.errors import BadRows, ManaraError, NotFound, SourceMissing, WrongDefinition
from manara.plugin.connection import FileInfo, Mark, Store
from manara.plugin.dataset import DatasetGiven, Tally
from manara.registry import near

Settings = Mapping[str, Any]

_BUFFER_BYTES = 1 << 20
_NOT_SUPPORTED = ("fileListPath", "prefix", "deleteFilesAfterCompletion", "enablePartitionDiscovery")


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
class SourceFile:
    """One file to read: where it lies in the store, and its path below the dataset's folder."""

    store: Store
    info: FileInfo
    relative: str
    codec: str

    @property
    def path(self) -> str:
        return self.info.path

    def open(self, tally: Tally | None = None) -> BinaryIO:
        """Return the file's content, unpacked; its bytes are added to `tally.data_read` as they are read."""
        raw = Counted(self.store.open(self.path), tally)
        return compression.reader(raw, self.codec, self.path)


class Counted(io.RawIOBase):
    """A file that adds the bytes read from it to a tally."""

    def __init__(self, file: BinaryIO, tally: Tally | None) -> None:
        self._file = file
        self._tally = tally

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = cast(io.BufferedReader, self._file).readinto(buffer)
        if self._tally:
            self._tally.data_read += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class CountedWriter(io.RawIOBase):
    """A file that adds the bytes written to it to a tally, and leaves closing to its owner."""

    def __init__(self, file: BinaryIO, tally: Tally) -> None:
        self._file = file
        self._tally = tally

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self._file.write(data)
        self._tally.data_written += count
        return count


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


def store_of(given: DatasetGiven) -> Store:
    """Return the dataset's store; raises WrongDefinition where its linked service is a database."""
    if isinstance(given.connection, Store):
        return given.connection
    raise WrongDefinition(
        f"The dataset '{given.name}' of type {given.type} needs a linked service that holds files.",
        advice="Point it at a FileServer.",
    )


def location(given: DatasetGiven) -> tuple[str, str]:
    """Return the folder and the file name (or nothing) that a dataset's `location` names."""
    where = given.properties.get("location") or given.properties
    container = where.get("fileSystem") or where.get("container") or where.get("bucketName") or ""
    parts = (container, where.get("folderPath") or "", where.get("fileName") or "")
    for part in parts:
        if not isinstance(part, str):
            raise WrongDefinition(f"A part of the location is no text: {part!r}.", where=f"dataset '{given.name}'")
    return join(parts[0], parts[1]), parts[2].strip("/")


def codec_of(given: DatasetGiven) -> str:
    """Return the codec that packs the whole file, in lower case; nothing for none."""
    older = given.properties.get("compression") or {}
    return compression.known(str(given.properties.get("compressionCodec") or older.get("type") or ""))


def source_files(given: DatasetGiven, settings: Settings) -> list[SourceFile]:
    """Return the files that a source means, by path. Raises SourceMissing where there is none."""
    store, codec = store_of(given), codec_of(given)
    folder, name = location(given)
    wanted = settings.get("storeSettings") or {}
    for option in _NOT_SUPPORTED:
        if wanted.get(option):
            raise WrongDefinition(f"storeSettings.{option} is not supported.", where=f"dataset '{given.name}'")
    if name and not wanted.get("wildcardFileName"):
        return [SourceFile(store=store, info=_file(store, join(folder, name)), relative=name, codec=codec)]
    found = _matching(store, folder, wanted)
    if not found:
        pattern = wanted.get("wildcardFileName")
        raise SourceMissing(
            f"There is no file{f' like {pattern!r}' if pattern else ''} to read in '{folder}'.",
            where=f"dataset '{given.name}'",
            advice="Look at the folder and the pattern (* stands for any characters, ? for one).",
        )
    return [replace(file, codec=codec) for file in found]


def _file(store: Store, path: str) -> FileInfo:
    info = store.info(path)
    if info is None or info.is_folder:
        raise missing(store, path)
    return info


def missing(store: Store, path: str) -> SourceMissing:
    """Return the error for a path where there is nothing, with near names of what lies beside it."""
    folder, _, name = path.rpartition("/")
    beside = store.info(folder) if folder else None
    if folder and beside is None:
        return SourceMissing(f"There is no '{path}': its folder '{folder}' is not there either.")
    try:
        names = [entry.name for entry in store.list(folder)]
    except NotFound:
        names = []
    return SourceMissing(f"There is no file '{path}'.", advice=near(name, names) if names else "The folder is empty.")


def _matching(store: Store, folder: str, wanted: Settings) -> list[SourceFile]:
    """Return the files that the folder, the patterns, `recursive` and the times leave."""
    base = folder
    folders = [folder]
    if wanted.get("wildcardFolderPath"):
        container = folder.split("/", 1)[0] if folder else ""
        folders, base = _folders_like(store, folder, str(wanted["wildcardFolderPath"]), container)
    elif not _is_folder(store, folder):
        raise missing(store, folder)
    pattern = str(wanted.get("wildcardFileName") or "*")
    recursive = str(wanted.get("recursive", True)).lower() == "true"
    infos = {info.path: info for start in folders for info in _files(store, start, recursive=recursive)}
    return [
        SourceFile(store=store, info=info, relative=path.removeprefix(base).lstrip("/"), codec="")
        for path, info in sorted(infos.items())
        if fnmatch.fnmatchcase(info.name, _glob(pattern)) and _in_time(info, wanted)
    ]


def _is_folder(store: Store, folder: str) -> bool:
    info = store.info(folder)
    return info is not None and info.is_folder


def _folders_like(store: Store, folder: str, pattern: str, container: str) -> tuple[list[str], str]:
    """Return the folders that a pattern such as `2024/*/in` means, and their common start without wildcards.

    The pattern counts from the container, or else from the dataset's folder.
    """
    for start in dict.fromkeys((container, folder, "")):
        found = [start]
        for part in pattern.strip("/").split("/"):
            found = [path for parent in found for path in _children_like(store, parent, part)]
        if found:
            fixed = pattern.strip("/").split("/")
            wild = next((index for index, part in enumerate(fixed) if "*" in part or "?" in part), len(fixed))
            return found, join(start, *fixed[:wild])
    return [], folder


def _children_like(store: Store, parent: str, pattern: str) -> list[str]:
    if "*" not in pattern and "?" not in pattern:
        path = join(parent, pattern)
        return [path] if _is_folder(store, path) else []
    if not _is_folder(store, parent):
        return []
    entries = store.list(parent)
    return [entry.path for entry in entries if entry.is_folder and fnmatch.fnmatchcase(entry.name, _glob(pattern))]


def _glob(pattern: str) -> str:
    """Return the pattern for fnmatch, to which `[` would mean more than to ADF."""
    return pattern.replace("[", "[[]")


def _files(store: Store, folder: str, *, recursive: bool) -> Iterator[FileInfo]:
    for entry in store.list(folder):
        if not entry.is_folder:
            yield entry
        elif recursive:
            yield from _files(store, entry.path, recursive=True)


def _in_time(info: FileInfo, wanted: Settings) -> bool:
    start, end = wanted.get("modifiedDatetimeStart"), wanted.get("modifiedDatetimeEnd")
    return (not start or info.modified >= _moment(start)) and (not end or info.modified < _moment(end))


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise WrongDefinition(f"'{text}' is no time.", advice="Write 2024-03-31T00:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def join(*parts: str) -> str:
    """Return the parts as one path, without empty ones."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


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


def metadata(given: DatasetGiven, fields: Sequence[str]) -> dict[str, Any]:
    """Return what GetMetadata tells of the file or the folder.

    A field that only the other of the two has is left out. Raises SourceMissing where there is nothing, unless
    `exists` is asked for.
    """
    store = store_of(given)
    path = join(*location(given))
    info = store.info(path)
    if info is None:
        if "exists" in fields:
            return {"exists": False}
        raise missing(store, path)
    return {field: _FACTS[field](store, info) for field in fields if field in _FACTS and _has(info, field)}


def _has(info: FileInfo, field: str) -> bool:
    return field != "childItems" if not info.is_folder else field not in {"size", "contentMD5"}


def _children(store: Store, info: FileInfo) -> list[dict[str, str]]:
    return [{"name": entry.name, "type": _kind(entry)} for entry in store.list(info.path)]


def _kind(info: FileInfo) -> str:
    return "Folder" if info.is_folder else "File"


def _md5(store: Store, info: FileInfo) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with store.open(info.path) as file:
        while piece := file.read(_BUFFER_BYTES):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


def _modified(_store: Store, info: FileInfo) -> str:
    return info.modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_FACTS = {
    "exists": lambda _store, _info: True,
    "itemName": lambda _store, info: info.name,
    "itemType": lambda _store, info: _kind(info),
    "size": lambda _store, info: info.size_bytes,
    "created": _modified,
    "lastModified": _modified,
    "childItems": _children,
    "contentMD5": _md5,
}


def interim_type(kind: pa.DataType) -> str:
    """Return ADF's interim type of an Arrow type; see rule 102."""
    for test, name in _INTERIM:
        if test(kind):
            return name
    return "String"


_INTERIM = (
    (pa.types.is_boolean, "Boolean"),
    (pa.types.is_int64, "Int64"),
    (pa.types.is_integer, "Int32"),
    (pa.types.is_float32, "Single"),
    (pa.types.is_float64, "Double"),
    (pa.types.is_decimal, "Decimal"),
    (pa.types.is_timestamp, "DateTime"),
    (pa.types.is_date, "DateTime"),
    (pa.types.is_time, "TimeSpan"),
    (pa.types.is_binary, "Byte[]"),
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
