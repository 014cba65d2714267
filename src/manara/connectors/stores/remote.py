"""A store of files on another machine: what all of them have in common, over the few things that each must do."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from manara.connectors.file_server import disk_error
from manara.errors import NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import FileInfo

MEMORY_BYTES = 8 << 20
UNFINISHED = ".manara-unfinished-"
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
class RemoteStore:
    """The files of a remote store. What is written waits here until it is whole: 8 MB in memory, more on disk."""

    remote: Remote

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

    def delete(self, path: str) -> None:
        inside = self._inside(path)
        if not inside:
            raise NotAllowed("The root of a store cannot be deleted.", where=self.remote.where)
        self.remote.delete(inside)

    def local_path(self, path: str) -> Path | None:
        self._inside(path)
        return None

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
