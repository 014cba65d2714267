"""Writes what happens in a run into the journal: everything of one moment in one commit."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manara.errors import Transient
from manara.runtime.crash import NEVER, Crash
from manara.store.journal import Event, Journal, Lease

BEGINNINGS = {"runStarted", "started", "decided"}


class HandedOver(Transient):
    """The worker leaves the run as it stands, for another to go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Figures of an activity that is still at work; for people, not for the journal."""

    run_id: str
    step: str
    figures: Mapping[str, Any]


Listener = Callable[[Event | Progress], None]


class Recorder:
    """Takes events in the event loop; the listener hears of each once it is durable."""

    def __init__(self, journal: Journal, lease: Lease, listener: Listener, crash: Crash = NEVER) -> None:
        self._journal = journal
        self._lease = lease
        self._listener = listener
        self._crash = crash
        self._pending: list[Event] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._is_due = False
        self._failure: Exception | None = None
        self._closed: HandedOver | None = None

    def put(self, event: Event) -> None:
        """Add an event to the next commit. What is put later is committed later, or together with it."""
        if self._closed is not None and event.kind in BEGINNINGS:
            raise self._closed
        self._pending.append(event)
        if not self._is_due:
            self._is_due = True
            loop = asyncio.get_running_loop()
            # One turn of the loop later, so that the starts which follow from an end come into the same commit.
            loop.call_soon(loop.call_soon, self.flush)

    async def commit(self) -> None:
        """Wait until everything put so far is durable. Raises what keeps the journal from being written."""
        if self._is_due:
            done = asyncio.get_running_loop().create_future()
            self._waiting.append(done)
            await done
        self.check()

    def check(self) -> None:
        """Raise what keeps the journal from being written, if anything does: nothing may be done any more then."""
        stop = self._failure or self._closed
        if stop is not None:
            raise stop

    def close(self) -> None:
        """Let nothing begin any more; ends are still written down."""
        self._closed = HandedOver("The worker was told to stop; another one can go on with the run.")

    def flush(self) -> None:
        """Make everything put so far durable now."""
        events, waiting = self._pending, self._waiting
        self._pending, self._waiting, self._is_due = [], [], False
        if events and self._failure is None:
            try:
                self._write(events)
            except Exception as error:  # noqa: BLE001 # handed to every step that waits in commit()
                self._failure = error
        for done in waiting:
            if not done.done():
                done.set_result(None)
        if self._failure is None:
            for event in events:
                self._listener(event)

    def _write(self, events: list[Event]) -> None:
        self._crash.count()
        self._crash.strike("before")
        self._journal.append(events, self._lease)
        self._crash.strike("after")
