"""Writes what happens in a run into the journal: everything of one moment in one commit."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manara.store.journal import Event, Journal, Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Figures of an activity that is still at work; for people, not for the journal."""

    run_id: str
    step: str
    figures: Mapping[str, Any]


Listener = Callable[[Event | Progress], None]


class Recorder:
    """Takes events in the event loop; the listener hears of each once it is durable."""

    def __init__(self, journal: Journal, lease: Lease, listener: Listener) -> None:
        self._journal = journal
        self._lease = lease
        self._listener = listener
        self._pending: list[Event] = []
        self._commit: asyncio.Future[None] | None = None
        self._failure: Exception | None = None

    def put(self, event: Event) -> None:
        """Add an event to the next commit. What is put later is committed later, or together with it."""
        self._pending.append(event)
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._flush)

    async def commit(self) -> None:
        """Wait until everything put so far is durable. Raises what keeps the journal from being written."""
        if self._commit is not None:
            await asyncio.shield(self._commit)
        self.check()

    def check(self) -> None:
        """Raise what keeps the journal from being written, if anything does: nothing may be done any more then."""
        if self._failure is not None:
            raise self._failure

    def _flush(self) -> None:
        events, commit = self._pending, self._commit
        self._pending, self._commit = [], None
        if self._failure is None:
            try:
                self._journal.append(events, self._lease)
            except Exception as error:  # noqa: BLE001 # handed to every step that waits in commit()
                self._failure = error
        if commit is not None and not commit.done():
            commit.set_result(None)
        if self._failure is None:
            for event in events:
                self._listener(event)
