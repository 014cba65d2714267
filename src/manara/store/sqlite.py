"""The journal's database in one SQLite file, in WAL mode: what is committed is on the disk."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

from manara.errors import Broken, ManaraError, NotAllowed, Transient, WrongDefinition
from manara.store.database import Row
from manara.store.queries import all_queries

BUSY_S = 30


class SQLite:
    """A Database. Several processes may have the file open; a writer waits for another up to 30 seconds.

    The threads of one process write in turn: those that wait for SQLite itself sleep, and the last one sleeps long.
    """

    dialect = ""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._turn = _turn(path.absolute())
        self._sql = all_queries(self.dialect)
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
            try:
                self._connection.execute("pragma journal_mode = wal")
                self._connection.execute("pragma synchronous = full")
            except sqlite3.Error:
                self._connection.close()
                raise
        self._connection.create_function("now_s", 0, time.time)

    def rows(self, query: str, **values: Any) -> Sequence[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(self._sql[query], values).fetchall()

    def select(self, text: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(text, values).fetchall()

    def change(self, query: str, **values: Any) -> int:
        with self._turn, self._translated():
            return self._connection.execute(self._sql[query], values).rowcount

    def append(self, events: Sequence[Row], cursors: Sequence[Mapping[str, str]], *, leased: str, worker: str) -> bool:
        with self.transaction():
            if not self._connection.execute(self._sql["holds"], (leased, worker)).fetchone():
                return False
            self._connection.executemany(self._sql["append"], events)
            if cursors:
                self._connection.executemany(self._sql["keep_cursor"], cursors)
            return True

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        if self._connection.in_transaction:
            yield  # a part of the one around it
            return
        with self._turn, self._translated():
            self._connection.execute("begin immediate")
            try:
                yield
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    exclusive = transaction

    def version(self) -> int:
        with self._translated():
            return int(self._connection.execute("pragma user_version").fetchone()[0])

    def run_script(self, script: str, version: int) -> None:
        for statement in _statements(script):
            self._connection.execute(statement)
        self._connection.execute(f"pragma user_version = {version:d}")

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise _said_plainly(self.name, str(error)) from error
        except sqlite3.IntegrityError as error:
            raise Broken(f"The journal refuses what was written: {error}.", where=self.name) from error
        except sqlite3.DatabaseError as error:
            raise WrongDefinition(
                f"The file is no journal, or it is damaged: {error}.",
                where=self.name,
                advice="Move it away to start a new one; a copy from a backup can be put in its place.",
            ) from error
        except OSError as error:
            raise NotAllowed(
                f"The journal cannot be opened: {error.strerror}.", where=self.name, advice="Check the folder's rights."
            ) from error


@cache
def _turn(_path: Path) -> AbstractContextManager[Any]:
    """Return the lock that the writers of this process take for a file."""
    return threading.RLock()


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _said_plainly(where: str, reason: str) -> ManaraError:
    if "full" in reason or "disk I/O" in reason:
        return Transient(
            f"The journal cannot be written: {reason}.", where=where, advice="Free some space, then: manara resume RUN"
        )
    if "locked" in reason:
        return Transient("Another process holds the journal.", where=where, advice="Try again in a moment.")
    if "readonly" in reason or "unable to open" in reason:
        return NotAllowed(f"The journal cannot be written: {reason}.", where=where, advice="Check the folder's rights.")
    return Broken(f"The journal failed: {reason}.", where=where)
