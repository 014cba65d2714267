"""Folders held open for a copy of many files: each file in them is then reached by its name alone.

What is checked once for a folder (that it lies inside the store) stays true for the folder that is held, wherever links
lead by then. Only plain names of plain files go this way; whatever else there is, is left to who looks at whole paths.
"""

import contextlib
import errno
import itertools
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MOST = 8
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OTHERWISE = {errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.ENAMETOOLONG, errno.EMFILE}


class _Held:
    """A folder that is open for as long as anybody knows it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __del__(self) -> None:
        os.close(self.handle)


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in a folder that is held open."""

    folder: _Held
    name: str

    def open(self) -> BinaryIO | None:
        """Return the file opened for reading; None where that is no plain file that can be read."""
        try:
            handle = os.open(self.name, _READ, dir_fd=self.folder.handle)
        except OSError as error:
            if error.errno in _OTHERWISE:
                return None
            raise
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return os.fdopen(handle, "rb")
        os.close(handle)
        return None

    @property
    def is_free(self) -> bool:
        """Whether there is nothing, or a plain file, so that a file may take its place."""
        try:
            return stat.S_ISREG(os.stat(self.name, dir_fd=self.folder.handle, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return True

    @contextlib.contextmanager
    def create(self, unfinished: str) -> Iterator[BinaryIO]:
        """Give a file to write; it takes the name when it is whole and on the disk, and is removed on an error."""
        try:
            with open(unfinished, "xb", opener=self._opened) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self.name, src_dir_fd=self.folder.handle, dst_dir_fd=self.folder.handle)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=self.folder.handle)
            raise

    def _opened(self, name: str, flags: int) -> int:
        return os.open(name, flags, 0o666, dir_fd=self.folder.handle)


class OpenFolders:
    """The folders that are held, the last few that were asked for; many threads may ask.

    `find` is called with the path of each that is to be held. It returns where the folder lies, or raises where it may
    not be reached.
    """

    def __init__(self, find: Callable[[str], Path]) -> None:
        self._find = find
        self._held: dict[str, _Held | None] = {}
        self._lock = threading.Lock()
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._is_closed = False

    def spot(self, path: str) -> Spot | None:
        """Return where the path lies; None where it is not plain, or its folder cannot be held."""
        folder, _, name = path.rpartition("/")
        if not name or "\\" in path or "\0" in path or ".." in path or name == ".":
            return None
        known = self._held
        held = known[folder] if folder in known else self._hold(folder)
        return None if held is None else Spot(held, name)

    def fresh_name(self, start: str) -> str:
        """Return a name that nobody else has."""
        return f"{start}{self._token}{next(self._numbers)}"

    def close(self) -> None:
        """Let go of all folders; from then on nothing is held."""
        with self._lock:
            self._is_closed = True
            self._held = {}

    def _hold(self, folder: str) -> _Held | None:
        with self._lock:
            if self._is_closed:
                return None
            held = self._held
            if folder not in held:
                opened = self._opened(folder)
                kept = dict(list(held.items())[-_MOST + 1 :])
                self._held = held = {**kept, folder: opened}  # another thread may be looking at the old one
            return held[folder]

    def _opened(self, folder: str) -> _Held | None:
        local = self._find(folder)
        try:
            return _Held(os.open(local, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            if error.errno not in _OTHERWISE:
                raise
            return None
