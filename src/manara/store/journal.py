"""The journal: one durable row for everything that happens, before it is acted on."""

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from manara import clock
from manara.errors import Broken, Conflict, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.store.queries import queries, read

VERSION = 1
BUSY_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened in a run. `step` is the path of the activity, empty for the run itself.

    `kind` is one of `runStarted`, `started`, `decided`, `variable`, `ended`, `runEnded`; `body` is JSON.
    """

    run_id: str
    kind: str
    step: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=clock.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody wants done: run this pipeline with these parameters and these definitions.

    `options` may hold `until` (the activity after which to stop), and `rerun` with `runId` of the earlier run, and
    `from`: the activity to start at, or nothing for what had not succeeded.
    """

    run_id: str
    pipeline: str
    parameters: dict[str, Any]
    snapshot: str
    options: dict[str, Any] = field(default_factory=dict)


class Journal:
    """The journal in one SQLite file, in WAL mode; every commit is on the disk when it returns.

    Used from one thread. Several processes may have it open; a writer waits for another up to 30 seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sql = queries("journal.sql")
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._prepare()

    def close(self) -> None:
        """Close the file. Nothing is pending: every write is durable when it returns."""
        self._connection.close()

    def write_command(
        self, pipeline: str, parameters: dict[str, Any], snapshot: str, options: dict[str, Any] | None = None
    ) -> Command:
        """Ask for a run, durably, and return the command with its new run id."""
        command = Command(
            run_id=clock.new_id(),
            pipeline=pipeline,
            parameters=parameters,
            snapshot=sha256(snapshot.encode()).hexdigest(),
            options=options or {},
        )
        body = {name: getattr(command, name) for name in ("pipeline", "parameters", "snapshot", "options")}
        with self._transaction():
            self._execute("keep_snapshot", hash=command.snapshot, body=snapshot)
            self._execute(
                "write_command", run_id=command.run_id, body=json.dumps(body), written=clock.stamp(clock.now())
            )
        return command

    def command(self, run_id: str) -> Command:
        """Return the command that asked for a run. Raises NotFound, naming the runs that could be continued."""
        row = self._execute("command", run_id=run_id).fetchone()
        if row is None:
            raise NotFound(f"There is no run '{run_id}'.", advice=self._advice())
        return Command(run_id=run_id, **json.loads(row[0]))

    def snapshot(self, digest: str) -> str:
        """Return the definitions that were kept under the hash."""
        row = self._execute("snapshot", hash=digest).fetchone()
        if row is None:
            raise Broken(f"The journal has lost the definitions {digest[:12]}.", where=str(self.path))
        return str(row[0])

    def unfinished(self) -> list[tuple[str, str, datetime]]:
        """Return (run id, pipeline, when asked for) of the runs that have no end, the newest first."""
        return [(run, pipeline, clock.parse(at)) for run, pipeline, at in self._execute("unfinished").fetchall()]

    def orphans(self, run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Return (run id, pipeline, parameters) of unfinished runs that nobody waits for.

        They are those that `run_id`, or a run below it, started with `waitOnCompletion` false.
        """
        rows = [(run, json.loads(body)) for run, body in self._execute("orphans", run_id=run_id).fetchall()]
        return [(run, body["pipeline"], body["parameters"]) for run, body in rows]

    def events(self, run_id: str) -> Iterator[Event]:
        """Yield what happened in a run, in order."""
        for step, kind, at, body in self._execute("events", run_id=run_id):
            yield Event(run_id=run_id, step=step, kind=kind, at=clock.parse(at), body=json.loads(body))

    def claim(self, run_id: str, lease_s: float) -> "Lease":
        """Take the run for this process. Raises Conflict while another living process works on it."""
        worker = clock.new_id()
        with self._transaction():
            holder = self._execute("holder", run_id=run_id).fetchone()
            taken = self._execute(
                "claim",
                run_id=run_id,
                worker=worker,
                host=socket.gethostname(),
                pid=os.getpid(),
                until=time.time() + lease_s,
                now=time.time(),
                dead=holder[0] if holder and _is_dead(host=holder[1], pid=holder[2]) else "",
            ).rowcount
        if not taken:
            raise Conflict(
                f"The run '{run_id}' is being worked on by process {holder[2]} on {holder[1]}.",
                advice="Wait for it, or end that process first.",
            )
        return Lease(journal=self, run_id=run_id, worker=worker, lease_s=lease_s)

    def append(self, events: Sequence[Event], lease: "Lease") -> None:
        """Make the events durable, all in one transaction. Raises Conflict when the lease is lost."""
        rows = [
            {
                "run_id": event.run_id,
                "step": event.step,
                "kind": event.kind,
                "at": clock.stamp(event.at),
                "body": json.dumps(event.body, ensure_ascii=False, separators=(",", ":")),
            }
            for event in events
        ]
        with self._transaction():
            holder = self._execute("holder", run_id=lease.run_id).fetchone()
            if holder is None or holder[0] != lease.worker:
                raise Conflict(f"The run '{lease.run_id}' was taken over by another process; this one stops.")
            self._connection.executemany(self._sql["append"], rows)

    def beat(self, lease: "Lease") -> None:
        """Keep the lease for another while."""
        with _translated(self.path):
            self._execute("beat", run_id=lease.run_id, worker=lease.worker, until=time.time() + lease.lease_s)

    def release(self, lease: "Lease") -> None:
        """Give the lease back."""
        with _translated(self.path):
            self._execute("release", run_id=lease.run_id, worker=lease.worker)

    def _advice(self) -> str:
        open_runs = [f"{run} ({pipeline})" for run, pipeline, _ in self.unfinished()[:5]]
        return f"Unfinished are: {', '.join(open_runs)}." if open_runs else "No run is unfinished."

    def _execute(self, query: str, **values: Any) -> sqlite3.Cursor:
        return self._connection.execute(self._sql[query], values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self.path):
            self._connection.execute("begin immediate")
            try:
                yield
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def _prepare(self) -> None:
        self._connection.execute("begin immediate")
        version = self._connection.execute("pragma user_version").fetchone()[0]
        if version == 0:
            for statement in _statements(read("schema.sql")):
                self._connection.execute(statement)
            self._connection.execute(f"pragma user_version = {VERSION}")
        self._connection.execute("commit")
        if version > VERSION:
            raise WrongDefinition(
                f"The journal has version {version}; this Manara knows {VERSION}.",
                where=str(self.path),
                advice="Use the newer Manara that wrote it.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one process to work on a run."""

    journal: Journal
    run_id: str
    worker: str
    lease_s: float


def _is_dead(*, host: str, pid: int) -> bool:
    """Say whether the process is known to have ended: only one of this machine can be known to."""
    if host != socket.gethostname() or os.name == "nt":  # there, asking would end the process
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _said_plainly(path, str(error)) from error
    except sqlite3.DatabaseError as error:
        raise WrongDefinition(
            f"The file is no journal, or it is damaged: {error}.",
            where=str(path),
            advice="Move it away to start a new one; a copy from a backup can be put in its place.",
        ) from error
    except OSError as error:
        raise NotAllowed(
            f"The journal cannot be opened: {error.strerror}.", where=str(path), advice="Check the folder's rights."
        ) from error


def _said_plainly(path: Path, reason: str) -> ManaraError:
    where = str(path)
    if "full" in reason or "disk I/O" in reason:
        return Transient(
            f"The journal cannot be written: {reason}.", where=where, advice="Free some space, then: manara resume RUN"
        )
    if "locked" in reason:
        return Transient("Another process holds the journal.", where=where, advice="Try again in a moment.")
    if "readonly" in reason or "unable to open" in reason:
        return NotAllowed(f"The journal cannot be written: {reason}.", where=where, advice="Check the folder's rights.")
    return Broken(f"The journal failed: {reason}.", where=where)
