"""DuckDB files that are open in this process: one connection to each, shared by all who use it.

Only one process can hold a DuckDB file. Ours keeps it while somebody uses it and one second longer, so that many short
steps do not each pay for opening it, and two runs on one factory take turns: who comes second waits.
"""

import atexit
import contextlib
import gc
import re
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from manara.connectors.databases.duckdb_errors import lock_holder, translated
from manara.errors import Transient

_LINGER_S = 1.0
_TIMER = "close an idle DuckDB file"
_OPERATOR = re.compile(r"╭─ ([A-Za-z ]+?) [─┴]")
_STREAMING = {"Seq Scan", "Projection", "Filter"}
_LARGE_BYTES = 200 << 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5

_files: "weakref.WeakValueDictionary[Path, SharedFile]" = weakref.WeakValueDictionary()
_files_lock = threading.Lock()


def shared(path: Path, *, lock_timeout_s: float, config: Mapping[str, str], may_be_lean: bool = False) -> "SharedFile":
    """Return the one SharedFile of the path; the file is opened when a cursor is first asked for.

    Who names the file first decides how it is opened. One that `may_be_lean` takes less memory than its
    `memory_limit` while rows only pass through it.
    """
    with _files_lock:
        return _files.setdefault(path.resolve(), SharedFile(path.resolve(), lock_timeout_s, config, may_be_lean))


def close_all() -> None:
    """Close every file that nobody uses at this moment, without waiting."""
    with _files_lock:
        files = list(_files.values())
    for file in files:
        file.close_if_idle()


def is_streamed(plan: str) -> bool:
    """Return whether a plan, as DuckDB explains it, gives each row as soon as it has read it."""
    return set(_OPERATOR.findall(plan)) <= _STREAMING


@atexit.register
def _end() -> None:
    """Close every file at the end of the process, and end the results before that nobody has read to their end."""
    for file in list(_files.values()):
        for stream in list(file.streams):
            with contextlib.suppress(ValueError):  # a thread is reading from it at this moment
                stream.close()
    gc.collect()
    close_all()
    for thread in threading.enumerate():
        if thread.name == _TIMER and thread is not threading.current_thread():
            thread.join(_LINGER_S)


class SharedFile:
    """One DuckDB file: cursors for threads, and the right to write for one of them at a time."""

    def __init__(self, path: Path, lock_timeout_s: float, config: Mapping[str, str], may_be_lean: bool) -> None:
        self.path = path
        self.may_be_lean = may_be_lean
        self.lock_timeout_s = lock_timeout_s
        self.config = dict(config)
        self.linger_s = _LINGER_S
        self.streams: weakref.WeakSet[Generator[Any, None, None]] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._writers = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._users = 0
        self._passing: list[int] = []
        self._limit = ""
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Return a connection for one thread, in a `with` block.

        Raises Transient when another process holds the file longer than the lock's time limit.
        """
        cursor = self._take()
        try:
            yield cursor
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.close()
            self._give_back()

    @contextlib.contextmanager
    def passing_through(self, room_mib: int) -> Iterator[None]:
        """Say, in a `with` block of who has a cursor, that rows only pass through the file, and in how much memory.

        DuckDB keeps what it reads and writes as long as there is room: that helps other queries, and nobody here. So
        the room is small while nobody else uses the file.
        """
        with self._lock:
            self._passing.append(room_mib)
            self._make_room()
        try:
            yield
        finally:
            with self._lock:
                self._passing.remove(room_mib)
                self._make_room()

    def _make_room(self) -> None:
        """Set the memory limit that fits those who use the file now."""
        if not self.may_be_lean:
            return
        is_lean = 0 < self._users == len(self._passing)
        limit = f"{min(self._passing)}MiB" if is_lean else self.config["memory_limit"]
        if self._connection and limit != self._limit:
            self._limit = limit
            with contextlib.suppress(duckdb.Error):  # more may be in use than the limit allows
                self._connection.execute(f"set memory_limit = '{limit}'")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write, in a `with` block; others of this process wait for it."""
        with self._writers:
            yield

    @property
    def is_large(self) -> bool:
        """Whether to read it all would take more memory than a copy may."""
        with contextlib.suppress(OSError):
            return self.path.stat().st_size > _LARGE_BYTES
        return False

    @property
    def is_open(self) -> bool:
        """Whether this process holds the file."""
        return self._connection is not None

    def close_if_idle(self) -> None:
        """Close the file unless somebody uses it."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
                self._timer = None
            if not self._users and self._connection:
                self._connection.close()
                self._connection = None
                self._limit = ""

    def _take(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = self._open_patiently()
            cursor = self._connection.cursor()
            self._users += 1
            self._make_room()
            return cursor

    def _give_back(self) -> None:
        with self._lock:
            self._users -= 1
            self._make_room()
            if self._users:
                return
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(self.linger_s, self.close_if_idle)
            self._timer.daemon = True
            self._timer.name = _TIMER
            self._timer.start()

    def _open_patiently(self) -> duckdb.DuckDBPyConnection:
        end = time.monotonic() + self.lock_timeout_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return self._open()
            except duckdb.IOException as error:
                holder = lock_holder(error)
                if not holder:
                    with translated():
                        raise
                if time.monotonic() >= end:
                    raise Transient(
                        f"Another process holds the database: {holder}.",
                        where=str(self.path),
                        advice=f"Waited {self.lock_timeout_s:g} s. Try again when it has ended, or set lockTimeout.",
                    ) from error
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _open(self) -> duckdb.DuckDBPyConnection:
        with translated(unless=duckdb.IOException):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(self.path, config=dict(self.config))
            connection.execute("load icu")
            connection.execute("set global TimeZone = 'UTC'")
            return connection
