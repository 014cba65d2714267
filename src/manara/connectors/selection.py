"""Which files of a store a dataset's location and a source's store settings mean, and how each is opened."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from manara.connectors import archives, compression
from manara.connectors.wildcards import ANY_FOLDERS, is_wild, matches, plain
from manara.errors import NotAllowed, NotFound, SourceMissing, WrongDefinition
from manara.plugin.connection import AskedStore, FileInfo, Store
from manara.plugin.dataset import DatasetGiven, Tally
from manara.registry import near

Settings = Mapping[str, Any]

_MOST_LISTED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file to read: where it lies in the store, and its path below the dataset's folder.

    A member of an archive is one too: `info` is then the archive's. `partition_root` is the folder below which folders
    such as `year=2024` are columns.
    """

    store: Store
    info: FileInfo
    relative: str
    codec: str
    partition_root: str = ""
    member: archives.Member | None = None

    @property
    def path(self) -> str:
        """Where it lies in the store; a member of an archive lies behind the archive's own path."""
        return f"{self.info.path}/{self.member.name}" if self.member else self.info.path

    def open(self, tally: Tally | None = None) -> BinaryIO:
        """Return the file's content, unpacked; its bytes are added to `tally.data_read` as they are read."""
        if self.member:
            return self.member.open(lambda: self._counted(tally))
        return compression.reader(Counted(self.store.open(self.info.path), tally), self.codec, self.path)

    def _counted(self, tally: Tally | None) -> BinaryIO:
        return cast(BinaryIO, Counted(self.store.open(self.info.path), tally))


class Counted(io.RawIOBase):
    """A file that adds the bytes read from it to a tally."""

    def __init__(self, file: BinaryIO, tally: Tally | None) -> None:
        self._file = file
        self._tally = tally

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

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
    """Return the folder and the file name (or nothing) that a dataset's `location` names.

    An HttpServer's `relativeUrl` is its file name, the container, bucket or file system the first part of the folder.
    """
    where = given.properties.get("location") or given.properties
    if not isinstance(where, Mapping):
        raise WrongDefinition("location is an object.", where=f"dataset '{given.name}'")
    if where.get("version"):
        raise WrongDefinition(
            f"The location asks for version '{where['version']}' of an object.",
            where=f"dataset '{given.name}'",
            advice="Leave out version: the newest is read.",
        )
    container = where.get("fileSystem") or where.get("container") or where.get("bucketName") or ""
    name = where.get("fileName") or where.get("relativeUrl") or where.get("key") or ""
    parts = (container, where.get("folderPath") or "", name)
    for part in parts:
        if not isinstance(part, str):
            raise WrongDefinition(f"A part of the location is no text: {part!r}.", where=f"dataset '{given.name}'")
    return join(parts[0], parts[1]), parts[2].strip("/")


def codec_of(given: DatasetGiven) -> str:
    """Return the codec that packs the whole file, in lower case; nothing for none."""
    return compression.known(str(given.properties.get("compressionCodec") or _older(given).get("type") or ""))


def level_of(given: DatasetGiven) -> str:
    """Return how hard to pack: `Fastest`, `Optimal` or nothing. Raises WrongDefinition for another word."""
    told = str(given.properties.get("compressionLevel") or _older(given).get("level") or "")
    return compression.known_level(told)


def _older(given: DatasetGiven) -> Mapping[str, Any]:
    older = given.properties.get("compression") or {}
    return older if isinstance(older, Mapping) else {"type": older}


def source_files(given: DatasetGiven, settings: Settings, *, at_any_time: bool = False) -> list[SourceFile]:
    """Return the files that a source means, by path; the members of archives stand for them.

    Raises SourceMissing where there is none; where only the times of their last change leave none, the list is empty,
    as an incremental copy without new files is no error. `at_any_time` looks away from these times.
    """
    chosen = stored_files(given, settings, at_any_time=at_any_time)
    if codec_of(given) not in compression.ARCHIVES:
        return chosen
    under_name = archives.keeps_name(settings)
    return [member for file in chosen for member in _members(file, under_name=under_name)]


def stored_files(given: DatasetGiven, settings: Settings, *, at_any_time: bool = False) -> list[SourceFile]:
    """Return the files that a source means as they lie in the store, archives as they are; else as `source_files`."""
    store, codec = store_of(given), codec_of(given)
    wanted = store_settings(settings)
    found = _meant(given, store, wanted)
    found = [replace(file, codec=codec) for file in found] if codec else found
    return found if at_any_time else [file for file in found if _in_time(file.info, wanted)]


def store_settings(settings: Settings) -> Settings:
    """Return the settings of a source that say which files it means."""
    wanted = settings.get("storeSettings") or {}
    if not isinstance(wanted, Mapping):
        raise WrongDefinition("storeSettings is an object.", where="source")
    return wanted


def _members(file: SourceFile, *, under_name: bool) -> list[SourceFile]:
    folder = file.relative if under_name else file.relative.rpartition("/")[0]
    packed = archives.members(lambda: file.store.open(file.path), file.codec, file.path)
    return [replace(file, relative=join(folder, one.name), member=one) for one in packed]


def _meant(given: DatasetGiven, store: Store, wanted: Settings) -> list[SourceFile]:
    """Return the files that the location, a list, a prefix or patterns mean, whenever they were changed."""
    folder, name = location(given)
    where = f"dataset '{given.name}'"
    if isinstance(store, AskedStore):
        unknown = datetime.fromtimestamp(0, UTC)
        answer = FileInfo(path=join(folder, name), is_folder=False, size_bytes=0, modified=unknown)
        return [_source(store.asking(wanted), answer, "", "")]
    if wanted.get("fileListPath"):
        return _listed(store, folder, wanted, where)
    if wanted.get("prefix"):
        return _or_missing(_with_prefix(store, folder, wanted), f"whose name starts with '{wanted['prefix']}'", where)
    pattern = str(wanted.get("wildcardFileName") or "")
    if name and not pattern and is_wild(name) and store.info(join(folder, name)) is None:
        pattern = name
    if name and not pattern and not wanted.get("wildcardFolderPath"):
        return [_source(store, _file(store, _as_named(store, folder, name)), folder, _root(wanted, folder))]
    found = _matching(store, folder, wanted, pattern or "*")
    return _or_missing(found, f"{f'like {pattern!r} ' if pattern else ''}to read in '{folder}'", where)


def _as_named(store: Store, folder: str, name: str) -> str:
    """Return the path of a file, without the escapes that its name may hold."""
    path = join(folder, name)
    return path if "^" not in name or store.info(path) is not None else join(folder, plain(name))


def _or_missing(found: list[SourceFile], what: str, where: str) -> list[SourceFile]:
    if not found:
        raise SourceMissing(
            f"There is no file {what}.",
            where=where,
            advice="Look at the folder and the pattern (* stands for any characters, ? for one or none, ^ escapes).",
        )
    return found


def _source(store: Store, info: FileInfo, base: str, root: str) -> SourceFile:
    relative = info.path.removeprefix(base).lstrip("/") if base else info.path
    return SourceFile(store=store, info=info, relative=relative, codec="", partition_root=root)


def _root(wanted: Settings, usual: str) -> str:
    """Return the folder below which folders are columns; see `partitions`."""
    return str(wanted.get("partitionRootPath") or usual).strip("/")


def _listed(store: Store, folder: str, wanted: Settings, where: str) -> list[SourceFile]:
    """Return the files that a text file names, one in each line, relative to the dataset's folder."""
    path = str(wanted["fileListPath"]).strip("/")
    info = _file(store, path)
    if info.size_bytes > _MOST_LISTED_BYTES:
        raise WrongDefinition(f"The list '{path}' is larger than 64 MB.", where=where, advice="Divide it.")
    with store.open(path) as file:
        lines = file.read().decode("utf-8-sig", "replace").splitlines()
    names = list(dict.fromkeys(line.strip().replace("\\", "/").strip("/") for line in lines if line.strip()))
    if not names:
        raise SourceMissing(f"The list '{path}' names no file.", where=where)
    found = []
    for name in names:
        if ".." in name.split("/"):
            raise NotAllowed(f"The list '{path}' names '{name}', which leaves the folder.", where=where)
        entry = store.info(join(folder, name))
        if entry is None or entry.is_folder:
            raise missing(store, join(folder, name)).at(f"the list '{path}'")
        found.append(_source(store, entry, folder, _root(wanted, folder)))
    return found


def _with_prefix(store: Store, folder: str, wanted: Settings) -> list[SourceFile]:
    """Return the files whose names below the folder start with the prefix; they keep what is behind its last `/`."""
    prefix = join(folder, str(wanted["prefix"]).lstrip("/"))
    prefix += "/" if str(wanted["prefix"]).endswith("/") else ""
    start = prefix.rpartition("/")[0]
    if not _is_folder(store, start):
        return []
    recursive = _recursive(wanted)
    entries = (entry for entry in store.list(start) if f"{entry.path}/".startswith(prefix))
    infos = [
        info
        for entry in entries
        if not entry.is_folder or recursive
        for info in (_files(store, entry.path, recursive=True) if entry.is_folder else [entry])
    ]
    infos = [info for info in infos if info.path.startswith(prefix)]
    return [_source(store, info, start, _root(wanted, start)) for info in sorted(infos, key=lambda info: info.path)]


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


def _recursive(wanted: Settings) -> bool:
    return str(wanted.get("recursive", True)).lower() == "true"


def _matching(store: Store, folder: str, wanted: Settings, pattern: str) -> list[SourceFile]:
    """Return the files that the folder, the patterns and `recursive` leave."""
    base = folder
    folders = [folder]
    if wanted.get("wildcardFolderPath"):
        container = folder.split("/", 1)[0] if folder else ""
        folders, base = _folders_like(store, folder, str(wanted["wildcardFolderPath"]), container)
    elif not _is_folder(store, folder):
        raise missing(store, folder)
    recursive = _recursive(wanted)
    infos = {info.path: info for start in folders for info in _files(store, start, recursive=recursive)}
    root = _root(wanted, base)
    return [_source(store, info, base, root) for _, info in sorted(infos.items()) if matches(info.name, pattern)]


def _is_folder(store: Store, folder: str) -> bool:
    info = store.info(folder)
    return info is not None and info.is_folder


def _folders_like(store: Store, folder: str, pattern: str, container: str) -> tuple[list[str], str]:
    """Return the folders that a pattern such as `2024/*/in` means, and their common start without wildcards.

    The pattern counts from the container, or else from the dataset's folder.
    """
    parts = pattern.strip("/").split("/")
    for start in dict.fromkeys((container, folder, "")):
        found = [start]
        for part in parts:
            found = list(dict.fromkeys(path for parent in found for path in _children_like(store, parent, part)))
        if found:
            wild = next((index for index, part in enumerate(parts) if is_wild(part)), len(parts))
            return found, join(start, *map(plain, parts[:wild]))
    return [], folder


def _children_like(store: Store, parent: str, pattern: str) -> Sequence[str]:
    if not is_wild(pattern):
        path = join(parent, plain(pattern))
        return [path] if _is_folder(store, path) else []
    if not _is_folder(store, parent):
        return []
    if pattern == ANY_FOLDERS:
        return [parent, *_folders_below(store, parent)]
    return [entry.path for entry in store.list(parent) if entry.is_folder and matches(entry.name, pattern)]


def _folders_below(store: Store, parent: str) -> Iterator[str]:
    for entry in store.list(parent):
        if entry.is_folder:
            yield entry.path
            yield from _folders_below(store, entry.path)


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
