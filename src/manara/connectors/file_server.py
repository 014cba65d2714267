"""The linked service FileServer: a folder on this machine as a store of files."""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from manara import clock
from manara.connectors.open_folders import OpenFolders
from manara.errors import ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector

_UNFINISHED = ".manara-unfinished-"
_ABANDONED_AFTER = timedelta(days=1)
_WINDOWS = re.compile(r"/?[A-Za-z]:([\\/]|$)|\\\\|//[^/]")


@connector("FileServer", can={"read", "write", "list", "delete"})
def file_server(given: LinkedServiceGiven) -> "FolderStore":
    """Return the folder that `host` names, relative to the factory's folder, as a store.

    With `followLinks: true`, files that are symbolic links to places outside the folder may be read; folders that
    lead outside stay closed. The folder is made when something is written first. `userId` and `password` are not
    needed here and not looked at. Raises WrongDefinition for a drive or a share of Windows.
    """
    host = given.properties.get("host")
    if not isinstance(host, str) or not host.strip():
        raise WrongDefinition(
            "A FileServer needs the folder in typeProperties.host.",
            where=f"linked service '{given.name}'",
            advice='Write for instance "host": "data".',
        )
    plain = host.strip().removeprefix("file://")
    if _WINDOWS.match(plain):
        raise WrongDefinition(
            f"'{host}' is a place of Windows, which this machine does not have.",
            where=f"linked service '{given.name}'",
            advice=f'Write local/linkedService/{given.name}.json with a folder of this machine as "host": '
            "it takes the published one's place here.",
        )
    root = given.root / Path(plain.replace("\\", "/")).expanduser()
    return FolderStore(root=root.resolve(), follow_links=given.properties.get("followLinks") is True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStore:
    """The files below one folder.

    `swept` are the folders in which what killed processes left was looked for already. Within `bulk`, `unsynced` are
    those whose lists of names are not yet known to be on the disk, and the folders are held open.
    """

    root: Path
    follow_links: bool = False
    swept: set[Path] = field(default_factory=set, repr=False, compare=False)
    unsynced: set[Path] | None = field(default=None, repr=False, compare=False)
    read_from: OpenFolders | None = field(default=None, repr=False, compare=False)
    written_to: OpenFolders | None = field(default=None, repr=False, compare=False)

    def info(self, path: str) -> FileInfo | None:
        local = self._inside(path)
        with _translated(path):
            return _info(local, path) if local.exists() else None

    def list(self, folder: str) -> list[FileInfo]:
        local = self._inside(folder)
        if not local.is_dir():
            raise SourceMissing(f"There is no folder '{folder}'.", where=str(self.root), advice=_nearest(local))
        with _translated(folder), os.scandir(local) as entries:
            found = [_entry(entry, folder) for entry in entries if not entry.name.startswith(_UNFINISHED)]
        return sorted((info for info in found if info), key=lambda info: info.name)

    def open(self, path: str) -> BinaryIO:
        if self.read_from:
            with _translated(path):
                spot = self.read_from.spot(path)
                if spot and (file := spot.open()):
                    return file
        local = self._inside(path)
        if not local.is_file():
            raise SourceMissing(f"There is no file '{path}'.", where=str(self.root), advice=_nearest(local))
        with _translated(path):
            return local.open("rb")

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        if self.written_to:
            with _translated(path):
                spot = self.written_to.spot(path)
                if spot and spot.is_free:
                    with spot.create(self.written_to.fresh_name(_UNFINISHED)) as file:
                        yield file
                    return
        local = self._inside(path)
        if local.is_dir():
            raise WrongDefinition(f"'{path}' is a folder; a file cannot take its place.", where=str(self.root))
        with _translated(path):
            self._ready(local.parent)
            unfinished = local.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
            try:
                with unfinished.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(local)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            if self.unsynced is None:
                _sync_folder(local.parent)

    @contextlib.contextmanager
    def bulk(self) -> Iterator["FolderStore"]:
        unsynced: set[Path] = set()
        store = replace(self, unsynced=unsynced)
        with (
            contextlib.closing(OpenFolders(self._inside)) as read_from,
            contextlib.closing(OpenFolders(store._readied)) as written_to,
        ):
            yield replace(store, read_from=read_from, written_to=written_to)
        with _translated(""):
            for folder in unsynced:
                _sync_folder(folder)

    def _readied(self, folder: str) -> Path:
        local = self._inside(folder)
        self._ready(local)
        return local

    def _ready(self, folder: Path) -> None:
        """Make the folder, and remove once what killed processes left in it."""
        if folder not in self.swept:
            _make(folder)
            _sweep(folder)
            self.swept.add(folder)
        elif not folder.is_dir():
            _make(folder)
        if self.unsynced is not None:
            self.unsynced.add(folder)

    def delete(self, path: str) -> None:
        local = self._inside(path)
        if local == self.root:
            raise NotAllowed("The root of a store cannot be deleted.", where=str(self.root))
        with _translated(path):
            if local.is_dir() and not local.is_symlink():
                shutil.rmtree(local)
            else:
                local.unlink(missing_ok=True)

    def local_path(self, path: str) -> Path | None:
        return self._inside(path)

    def _inside(self, path: str) -> Path:
        """Return where the path lies on the disk; raises NotAllowed when that is outside the folder."""
        pure = PurePosixPath(path.replace("\\", "/"))
        if "\0" in path or ".." in pure.parts:
            raise NotAllowed(f"The path '{path}' leaves the store.", where=str(self.root), advice="Leave out the '..'.")
        local = self.root / str(pure).lstrip("/")
        if local.resolve().is_relative_to(self.root):
            return local
        if self.follow_links and local.is_file() and local.parent.resolve().is_relative_to(self.root):
            return local
        raise NotAllowed(
            f"The path '{path}' is a link that leaves the store.",
            where=str(self.root),
            advice="Copy the file into the folder, or set followLinks on the linked service.",
        )


def _info(local: Path, path: str) -> FileInfo:
    facts = local.stat()
    is_folder = local.is_dir()
    return FileInfo(
        path=path.strip("/"),
        is_folder=is_folder,
        size_bytes=0 if is_folder else facts.st_size,
        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
    )


def _entry(entry: "os.DirEntry[str]", folder: str) -> FileInfo | None:
    """Return what a folder's list says of one name; None for a link that leads nowhere, or what is gone already."""
    try:
        facts = entry.stat()
        is_folder = entry.is_dir()
    except FileNotFoundError:
        return None
    return FileInfo(
        path=f"{folder}/{entry.name}".strip("/"),
        is_folder=is_folder,
        size_bytes=0 if is_folder else facts.st_size,
        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
    )


def _make(folder: Path) -> None:
    """Make the folder and those above it; their names are on the disk when this returns."""
    missing = [folder, *folder.parents]
    missing = missing[: next((index for index, one in enumerate(missing) if one.is_dir()), len(missing))]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync_folder(made.parent)


def _nearest(local: Path) -> str:
    """Return a sentence that names the nearest folder that is there, and what lies in it."""
    folder = next(parent for parent in local.parents if parent.is_dir())
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"In {folder} there is: {shown or 'nothing'}."


def _sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished in the folder; a file touched within a day may be in use."""
    limit = clock.now().timestamp() - _ABANDONED_AFTER.total_seconds()
    for entry in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):
            if entry.stat().st_mtime < limit:
                entry.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    """Raise what the disk says as an error of ours."""
    try:
        yield
    except PermissionError as error:
        raise NotAllowed(
            f"This user may not reach '{path}'.", where=str(error.filename or path), advice="Change the file's rights."
        ) from error
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: str) -> ManaraError:
    """Return the error for a disk that is full, or that cannot be read or written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ManaraError(
            f"The disk is full: '{path}' could not be written. Nothing of it is left behind.",
            where=str(error.filename or path),
            advice="Free some space, or point the linked service at another disk, and run it again.",
            code="UserErrorDiskFull",
        )
    return Transient(f"'{path}' cannot be reached: {error.strerror or error}.", where=str(error.filename or path))
