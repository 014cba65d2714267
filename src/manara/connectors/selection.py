"""Which files of a store a dataset's location and a source's store settings mean, and how each is opened."""

import fnmatch
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from manara.connectors import compression
from manara.errors import NotFound, SourceMissing, WrongDefinition
from manara.plugin.connection import FileInfo, Store
from manara.plugin.dataset import DatasetGiven, Tally
from manara.registry import near

Settings = Mapping[str, Any]

_NOT_SUPPORTED = ("fileListPath", "prefix", "deleteFilesAfterCompletion", "enablePartitionDiscovery")


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
