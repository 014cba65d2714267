"""The journal: one durable row for everything that happens, before it is acted on."""

import importlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from manara import clock
from manara.errors import Broken, Conflict, NotAllowed, NotFound
from manara.registry import missing_library
from manara.store.database import Database
from manara.store.keeps import Keeps
from manara.store.machine import host, is_dead, machine
from manara.store.schema import prepare
from manara.store.seal import Seal, is_sealed
from manara.store.sqlite import SQLite

POSTGRES = ("postgresql://", "postgres://")
CALL = "call"
"""The decision in which a step notes the id of the run that it calls."""

PAGE = 1000
"""Events that are read at once."""

# JSON may hold half a surrogate pair and UTF-8 may not, so that everything beyond ASCII is written as its number.
_as_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened in a run. `step` is the path of the activity, empty for the run itself.

    `kind` is one of `runStarted`, `started`, `decided`, `variable`, `ended`, `runEnded`; `body` is JSON. `keeps` is the
    cursor that is kept in the moment of the event; it is not part of it.
    """

    run_id: str
    kind: str
    step: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=clock.now)
    keeps: Keeps | None = field(default=None, compare=False)


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
    """The journal in a SQLite file (a path) or on PostgreSQL (a `postgresql://` address).

    Every write is durable when it returns. Used from one thread; several processes may have it open. With a `seal`,
    definitions that were sealed can be read, and those of a server's factories are sealed.
    """

    def __init__(self, address: Path | str, seal: Seal | None = None) -> None:
        self._database = _connect(address)
        self._seal = seal
        try:
            prepare(self._database)
        except BaseException:
            self._database.close()
            raise

    @property
    def name(self) -> str:
        """Where the journal is, without secrets."""
        return self._database.name

    def close(self) -> None:
        """Close the connection. Nothing is pending: every write is durable when it returns."""
        self._database.close()

    def write_command(
        self, pipeline: str, parameters: dict[str, Any], snapshot: str, options: dict[str, Any] | None = None
    ) -> Command:
        """Ask for a run, durably, and return the command with its new run id. Any worker may take it."""
        with self._database.transaction():
            digest = self.keep_snapshot(snapshot)
            return self.write_kept_command(pipeline, parameters, digest, options)

    def write_kept_command(
        self,
        pipeline: str,
        parameters: dict[str, Any],
        digest: str,
        options: dict[str, Any] | None = None,
        run_id: str = "",
    ) -> Command:
        """Ask for a run with definitions that are kept already under `digest`; for one id it is asked once."""
        command = Command(
            run_id=run_id or clock.new_id(),
            pipeline=pipeline,
            parameters=parameters,
            snapshot=digest,
            options=options or {},
        )
        body = {name: getattr(command, name) for name in ("pipeline", "parameters", "snapshot", "options")}
        self._write_command(command.run_id, "run", body)
        return command

    def keep_snapshot(self, text: str) -> str:
        """Keep definitions, sealed where this journal has a seal, and return the hash under which they are found."""
        digest = sha256(text.encode()).hexdigest()
        if not self._database.rows("has_snapshot", hash=digest):
            self._database.change("keep_snapshot", hash=digest, body=self._seal.close(text) if self._seal else text)
        return digest

    def write_own_command(
        self,
        pipeline: str,
        parameters: dict[str, Any],
        snapshot: str,
        options: dict[str, Any] | None = None,
        *,
        lease_s: float,
    ) -> "tuple[Command, Lease]":
        """Ask for a run and take it for this process in the same moment, before a worker can."""
        with self._database.transaction():
            command = self.write_kept_command(pipeline, parameters, self.keep_snapshot(snapshot), options)
            lease = self._claim(command.run_id, lease_s)
        if lease is None:
            raise Broken(f"The new run '{command.run_id}' is taken already.", where=self.name)
        return command, lease

    def write_cancel(self, run_id: str) -> None:
        """Ask for the end of a run and of all that it called; who works on it ends it as Cancelled.

        Raises NotFound for an unknown run, and Conflict for one that has ended or was called by another run.
        """
        with self._database.transaction():
            if not self._database.rows("is_unfinished", run_id=run_id):
                self._refuse_cancel(run_id)
            self._write_command(run_id, "cancel", {})

    def is_cancelled(self, run_id: str) -> bool:
        """Say whether somebody has asked for the end of the run."""
        return bool(self._database.rows("command", run_id=run_id, kind="cancel"))

    def command(self, run_id: str) -> Command:
        """Return the command that asked for a run. Raises NotFound, naming the runs that could be continued."""
        found = self._database.rows("command", run_id=run_id, kind="run")
        if not found:
            raise NotFound(f"There is no run '{run_id}'.", advice=self._advice())
        return Command(run_id=run_id, **json.loads(found[0][0]))

    def snapshot(self, digest: str) -> str:
        """Return the definitions that were kept under the hash."""
        found = self._database.rows("snapshot", hash=digest)
        if not found:
            raise Broken(f"The journal has lost the definitions {digest[:12]}.", where=self.name)
        text = str(found[0][0])
        if self._seal is None and is_sealed(text):
            raise NotAllowed(
                "The definitions of the run are sealed.", where=self.name, advice="Let the server's workers do it."
            )
        return self._seal.open(text) if self._seal else text

    def unfinished(self) -> list[tuple[str, str, datetime]]:
        """Return (run id, pipeline, when asked for) of the runs that are not over, the newest first.

        A run is over when it has ended, and all that it called.
        """
        rows = self._database.rows("unfinished")
        return [(run, json.loads(body)["pipeline"], clock.parse(at)) for run, body, at in rows]

    def family(self, run_id: str) -> Iterator[str]:
        """Yield the ids of a run and of all that it called and that have begun, outer before inner."""
        ahead = [run_id]
        while ahead:
            caller = ahead.pop()
            yield caller
            ahead += [called for _, called in self._calls(caller) if self._start_of(called, run_id)]

    def orphans(self, run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Return (run id, pipeline, parameters) of unfinished runs that nobody waits for.

        They are those that `run_id`, or a run below it, started with `waitOnCompletion` false.
        """
        found = []
        for caller in self.family(run_id):
            calls = self._calls(caller)
            over = {step for (step,) in self._database.rows("ended_steps", run_id=caller)} if calls else set()
            for called in (called for step, called in calls if step in over):
                start = self._start_of(called, run_id)
                if start and not self._database.rows("end", run_id=called):
                    found.append((called, start["pipeline"], start["parameters"]))
        return found

    def events(self, run_id: str) -> Iterator[Event]:
        """Yield what happened in a run, in order."""
        last = 0
        while page := self._database.rows("events", run_id=run_id, after=last, most=PAGE):
            for seq, step, kind, at, body in page:
                last = seq
                yield Event(run_id=run_id, step=step, kind=kind, at=clock.parse(at), body=json.loads(body))

    def rows(self, query: str, **values: Any) -> Sequence[tuple[Any, ...]]:
        """Return what one of this room's queries finds: for those who only want to know."""
        return self._database.rows(query, **values)

    def select(self, text: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a query whose text was put together from parts that stand in this room."""
        return self._database.select(text, values)

    def change(self, query: str, **values: Any) -> int:
        """Do one of this room's queries that change rows, durably; return how many it changed."""
        return self._database.change(query, **values)

    def transaction(self) -> AbstractContextManager[None]:
        """Return a transaction around several changes; inside another one it is a part of it."""
        return self._database.transaction()

    def claim(self, run_id: str, lease_s: float) -> "Lease":
        """Take the run for this process. Raises Conflict while another living process works on it."""
        with self._database.transaction():
            self._free_the_dead()
            lease = self._claim(run_id, lease_s)
            holder = self._database.rows("holder", run_id=run_id)
        if lease is None:
            who = "process {} on {}".format(*holder[0]) if holder else "another process"
            raise Conflict(
                f"The run '{run_id}' is being worked on by {who}.",
                advice="Wait for it, or end that process first.",
            )
        return lease

    def claim_next(self, lease_s: float, leave: Collection[str] = ()) -> "Lease | None":
        """Take the oldest unfinished run that nobody works on, except those in `leave`; None where there is none."""
        with self._database.transaction():
            self._free_the_dead()
            free = self._database.rows("free", most=len(leave) + 1)
            chosen = next((run_id for (run_id,) in free if run_id not in leave), None)
            return self._claim(chosen, lease_s) if chosen else None

    def append(self, events: Sequence[Event], lease: "Lease") -> None:
        """Make the events durable with the cursors that they keep, all in one transaction.

        Raises Conflict when the lease is lost.
        """
        rows = [(each.run_id, each.step, each.kind, clock.stamp(each.at), _as_json(each.body)) for each in events]
        kept = [_kept(each) for each in events if each.keeps is not None]
        if rows and not self._database.append(rows, kept, leased=lease.run_id, worker=lease.worker):
            raise _lost(lease)

    def cursor(self, key: str) -> Any:
        """Return the cursor that is kept under the key (JSON); None where there is none."""
        found = self._database.rows("cursor", key=key)
        return json.loads(found[0][0]) if found else None

    def set_cursor(self, key: str, value: Any) -> None:
        """Let the next run go on at the value (JSON); what is at work now does not take that back."""
        self._database.change("set_cursor", key=key, value=_as_json(value), now=clock.stamp(clock.now()))

    def note_progress(
        self, figures: Mapping[tuple[str, str], Mapping[str, Any]], over: Collection[tuple[str, str]], lease: "Lease"
    ) -> None:
        """Write over what steps at work have done so far, by (run id, step); forget those that are `over`."""
        at = clock.stamp(clock.now())
        with self._database.transaction():
            for (run_id, step), told in figures.items():
                body, leased = _as_json(dict(told)), lease.run_id
                self._database.change(
                    "write_progress", run_id=run_id, step=step, leased=leased, worker=lease.worker, at=at, body=body
                )
            for run_id, step in over:
                self._database.change("forget_step", run_id=run_id, step=step)

    def beat(self, lease: "Lease") -> None:
        """Keep the lease for another while. Raises Conflict when it is lost."""
        if not self._database.change("beat", run_id=lease.run_id, worker=lease.worker, lease_s=lease.lease_s):
            raise _lost(lease)

    def settle(self, lease: "Lease") -> None:
        """Note that the run and all that it called are over: no worker takes it any more."""
        with self._database.transaction():
            self._database.change("settle", run_id=lease.run_id, worker=lease.worker)
            self._database.change("forget_progress", leased=lease.run_id)

    def release(self, lease: "Lease") -> None:
        """Give the lease back."""
        self._database.change("release", run_id=lease.run_id, worker=lease.worker)

    def _write_command(self, run_id: str, kind: str, body: dict[str, Any]) -> None:
        written = clock.stamp(clock.now())
        self._database.change("write_command", run_id=run_id, kind=kind, body=_as_json(body), written=written)

    def _claim(self, run_id: str, lease_s: float) -> "Lease | None":
        lease = Lease(journal=self, run_id=run_id, worker=clock.new_id(), lease_s=lease_s)
        taken = self._database.change(
            "claim",
            run_id=run_id,
            worker=lease.worker,
            host=host(),
            pid=os.getpid(),
            machine=machine(),
            lease_s=lease_s,
        )
        return lease if taken else None

    def _free_the_dead(self) -> None:
        for run_id, worker, pid in self._database.rows("holders", machine=machine()):
            if is_dead(pid):
                self._database.change("release", run_id=run_id, worker=worker)

    def _calls(self, run_id: str) -> list[tuple[str, str]]:
        """Return (step, run id) of the runs that a run has decided to call."""
        decided = [(step, json.loads(body)) for step, body in self._database.rows("decided", run_id=run_id)]
        return [(step, body["value"]["runId"]) for step, body in decided if body["name"] == CALL]

    def _start_of(self, run_id: str, group_id: str) -> dict[str, Any] | None:
        """Return how a run of the group started; None where it has not, or was only taken over by the group."""
        found = self._database.rows("start", run_id=run_id)
        start = json.loads(found[0][0]) if found else None
        return start if start and start["names"]["GroupId"] == group_id else None

    def _refuse_cancel(self, run_id: str) -> None:
        if self._database.rows("command", run_id=run_id, kind="run"):
            raise Conflict(f"The run '{run_id}' has ended already.")
        started = self._database.rows("start", run_id=run_id)
        if started:
            above = json.loads(started[0][0])["names"]["GroupId"]
            raise Conflict(f"The run '{run_id}' was called by another.", advice=f"Cancel the whole: {above}.")
        raise NotFound(f"There is no run '{run_id}'.", advice=self._advice())

    def _advice(self) -> str:
        open_runs = [f"{run} ({pipeline})" for run, pipeline, _ in self.unfinished()[:5]]
        return f"Unfinished are: {', '.join(open_runs)}." if open_runs else "No run is unfinished."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one process to work on a run."""

    journal: Journal
    run_id: str
    worker: str
    lease_s: float


def _kept(event: Event) -> dict[str, str]:
    """Return what the query `keep_cursor` takes."""
    keeps = cast("Keeps", event.keeps)
    return {
        "key": keeps.place.key,
        "factory": keeps.place.factory,
        "pipeline": keeps.place.pipeline,
        "activity": keeps.place.activity,
        "about": _as_json(dict(keeps.place.about)),
        "value": _as_json(keeps.value),
        "began": clock.stamp(keeps.began),
        "kept": clock.stamp(event.at),
        "run_id": event.run_id,
    }


def journal_address(root: Path, setting: str) -> Path | str:
    """Return the setting `store.journal` as an address: a path is relative to the factory's folder."""
    return setting if setting.startswith(POSTGRES) else root / setting


def _connect(address: Path | str) -> Database:
    if not (isinstance(address, str) and address.startswith(POSTGRES)):
        return SQLite(Path(address))
    try:
        driver = importlib.import_module("manara.store.postgres")
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
    return cast("Database", driver.Postgres(address))


def _lost(lease: Lease) -> Conflict:
    return Conflict(f"The run '{lease.run_id}' was taken over by another process; this one stops.")
