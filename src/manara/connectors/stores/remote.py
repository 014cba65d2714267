"""A store of files on another machine: what all of them have in common, over the few things that each must do."""

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, cast, runtime_checkable

from manara import clock
from manara.connectors.file_server import disk_error
from manara.errors import ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import FileInfo

MEMORY_BYTES = 8 << 20
_PLAIN = re.compile(r"[A-Za-z0-9._~=+@,/-]+")
UNFINISHED = ".manara-unfinished-"
_ABANDONED_AFTER = timedelta(days=1)
NO_TIME = datetime.fromtimestamp(0, UTC)
"""The time of a folder that is only the beginning of names, and so was never written."""


class Remote(Protocol):
    """What one kind of remote store does. Paths are checked, and have no `/` at their ends; the root is empty."""

    @property
    def where(self) -> str:
        """The address as it may be shown."""

    def info(self, path: str) -> FileInfo | None:
        """Return the file or folder, or None where there is none."""

    def list(self, folder: str) -> Iterable[FileInfo] | None:
        """Return what lies directly in the folder, in any order; None where there is no such folder."""

    def open(self, path: str) -> BinaryIO:
        """Return the file opened for reading, able to seek. Raises SourceMissing."""

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        """Put the whole content under the name, or leave what was there; missing folders are made."""

    def delete(self, path: str) -> None:
        """Remove the file or the folder with all it holds; nothing happens where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """Where a folder lies for a library that reaches the store by itself, and what it needs to be told."""

    uri: str
    options: Mapping[str, str] = field(repr=False)


@runtime_checkable
class HoldsLakes(Protocol):
    """A remote store of which another library can commit to a table: a name there is given once, to one writer."""

    def lake(self, path: str) -> Lake:
        """Return how the folder is reached."""

    def make_ready(self, path: str) -> None:
        """Make what must be there before the folder is written; raises WrongDefinition where no commit is safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStore:
    """The files of a remote store. What is written waits here until it is whole: 8 MB in memory, more on disk.

    A remote that `renames` uploads under a name that begins with UNFINISHED. What killed processes left of these is
    removed when it is a day old and something is written to its folder; `swept` are the folders where that was done.
    """

    remote: Remote
    renames: bool = False
    swept: set[str] = field(default_factory=set, repr=False, compare=False)

    def info(self, path: str) -> FileInfo | None:
        inside = self._inside(path)
        return self.remote.info(inside) if inside else folder_info("")

    def list(self, folder: str) -> list[FileInfo]:
        entries = self.remote.list(self._inside(folder))
        if entries is None:
            raise SourceMissing(f"There is no folder '{folder}'.", where=self.remote.where)
        return sorted(
            (entry for entry in entries if not entry.name.startswith(UNFINISHED)), key=lambda entry: entry.name
        )

    def open(self, path: str) -> BinaryIO:
        inside = self._inside(path)
        if not inside:
            raise no_file(path, self.remote.where)
        return self.remote.open(inside)

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        inside = self._inside(path)
        if not inside:
            raise NotAllowed("A file needs a name.", where=self.remote.where)
        with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as spool:
            with _disk_told(path):
                yield cast(BinaryIO, spool)
                size = spool.seek(0, os.SEEK_END)
                spool.seek(0)
            self.remote.upload(inside, cast(BinaryIO, spool), size)
        if self.renames:
            self._sweep(inside.rpartition("/")[0])

    def delete(self, path: str) -> None:
        inside = self._inside(path)
        if not inside:
            raise NotAllowed("The root of a store cannot be deleted.", where=self.remote.where)
        self.remote.delete(inside)

    def local_path(self, path: str) -> Path | None:
        self._inside(path)
        return None

    def _sweep(self, folder: str) -> None:
        """Remove once what killed processes left in the folder; who may not list or delete there leaves it."""
        if folder in self.swept:
            return
        self.swept.add(folder)
        limit = clock.now() - _ABANDONED_AFTER
        with contextlib.suppress(ManaraError):
            for entry in self.remote.list(folder) or ():
                if entry.name.startswith(UNFINISHED) and NO_TIME < entry.modified < limit:
                    self.remote.delete(entry.path)

    def lake(self, path: str, *, writes: bool = False) -> Lake:
        """Return how another library reaches the folder; raises WrongDefinition where it cannot, or not safely."""
        inside = self._inside(path)
        if not isinstance(self.remote, HoldsLakes) or "/" not in inside:
            raise WrongDefinition(
                "Delta tables lie in a folder of this machine, of Azure's blobs or of S3.",
                where=f"{self.remote.where}/{inside}",
                advice="Name a FileServer in local/linkedService/ for this linked service.",
            )
        if not _PLAIN.fullmatch(inside):
            raise WrongDefinition(
                "The folder of a Delta table in a store has only plain letters, digits and -._~=+@, in its path: the "
                "library that reads and writes it takes others for two different names.",
                where=f"{self.remote.where}/{inside}",
                advice="Rename the folder.",
            )
        if writes:
            self.remote.make_ready(inside)
        return self.remote.lake(inside)

    def _inside(self, path: str) -> str:
        """Return the path without empty parts; raises NotAllowed for one that climbs out."""
        parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
        if "\0" in path or ".." in parts:
            raise NotAllowed(
                f"The path '{path}' leaves the store.", where=self.remote.where, advice="Leave out the '..'."
            )
        return "/".join(parts)


def folder_info(path: str, modified: datetime = NO_TIME) -> FileInfo:
    """Return what is known of a folder."""
    return FileInfo(path=path, is_folder=True, size_bytes=0, modified=modified)


def file_info(path: str, size_bytes: int, modified: datetime) -> FileInfo:
    """Return what is known of a file."""
    return FileInfo(path=path, is_folder=False, size_bytes=size_bytes, modified=modified)


def no_file(path: str, where: str) -> SourceMissing:
    """Return the error for a file that is not there."""
    return SourceMissing(f"There is no file '{path}'.", where=where, advice="Look at its name, and at the folder.")


def port_of(value: object, usual: int, where: str) -> int:
    """Return the number of a port, which may be given as a text. Raises WrongDefinition."""
    text = str(value or usual).strip()
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise WrongDefinition(f"The port '{text}' is no number of a port.", where=where)
    return int(text)


def parts(content: BinaryIO, size_bytes: int, most: int) -> Iterator[bytes]:
    """Yield the content in parts of 8 MB, or of more where there would be more than `most` parts."""
    part_bytes = max(MEMORY_BYTES, -(-size_bytes // most))
    while part := content.read(part_bytes):
        yield part


@contextlib.contextmanager
def _disk_told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_error(error, path) from error
        raise
