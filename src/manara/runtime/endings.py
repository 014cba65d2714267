"""Ends a run from outside its graph: one that was cancelled while nobody worked on it, or that cannot begin."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manara.errors import Cancelled, Conflict
from manara.resources.factory import from_snapshot
from manara.runtime.failure import error_of
from manara.runtime.graph import CANCELLED, FAILED
from manara.runtime.scope import system_names
from manara.store.journal import Command, Event, Journal, Lease


def cancel(journal: Journal, run_id: str, lease_s: float) -> bool:
    """Ask for the end of a run and of all that it called; say whether it has ended already.

    Where a worker is at it, that worker ends it within about a second; where nobody is, it ends here and now.
    """
    journal.write_cancel(run_id)
    try:
        lease = journal.claim(run_id, lease_s)
    except Conflict:
        return False
    try:
        end_cancelled(journal, journal.command(run_id), lease)
    finally:
        journal.release(lease)
    return True


def end_cancelled(journal: Journal, command: Command, lease: Lease) -> None:
    """End the run as Cancelled, and what it called and had started, without walking its graph."""
    error = error_of(Cancelled("The run was cancelled."), "")
    events = [event for run_id in journal.family(command.run_id) for event in _endings(journal, run_id, error)]
    if not any(journal.events(command.run_id)):
        events = [_start(journal, command), *events]
    journal.append(events, lease)
    journal.settle(lease)


def end_unfit(journal: Journal, command: Command, lease: Lease, reason: Exception) -> None:
    """End a run that cannot begin, or cannot go on, as Failed with the reason."""
    start = [] if any(journal.events(command.run_id)) else [_start(journal, command)]
    journal.append([*start, _end(command.run_id, FAILED, error_of(reason, ""))], lease)
    journal.settle(lease)


def _endings(journal: Journal, run_id: str, error: Mapping[str, Any]) -> Iterator[Event]:
    """Yield an end for every step that has none, and for the run; nothing for a run that has ended."""
    at_work: dict[str, Event] = {}
    for event in journal.events(run_id):
        if event.kind == "runEnded":
            return
        if event.kind == "started":
            at_work[event.step] = event
        elif event.kind == "ended":
            at_work.pop(event.step, None)
    for step, started in reversed(at_work.items()):
        body = {name: started.body[name] for name in ("type", "attempt")}
        yield Event(run_id=run_id, kind="ended", step=step, body={**body, "status": CANCELLED, "error": error})
    yield _end(run_id, CANCELLED, error)


def _start(journal: Journal, command: Command) -> Event:
    factory = from_snapshot(Path(), journal.snapshot(command.snapshot))
    names = system_names(factory.name, command.pipeline, command.run_id, None)
    body = {"pipeline": command.pipeline, "names": names, "parameters": command.parameters, "caller": None}
    return Event(run_id=command.run_id, kind="runStarted", body=body)


def _end(run_id: str, status: str, error: Mapping[str, Any]) -> Event:
    return Event(run_id=run_id, kind="runEnded", body={"status": status, "output": {}, "error": error})
