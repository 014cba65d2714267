"""The scheduler: fires started triggers, each moment once whoever else schedules, and follows what they started."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from manara import clock
from manara.errors import ManaraError, Transient
from manara.resources.events import Blob, changes, place_of
from manara.resources.published import Snapshots
from manara.resources.windows import read_tumbling, read_windows
from manara.runtime.bind import Binder
from manara.runtime.triggers import windows
from manara.runtime.triggers.firing import World, begin, fire_once, start_again
from manara.runtime.triggers.listing import listing, store_of
from manara.runtime.triggers.recurrence import moments
from manara.secret import bearer
from manara.settings import Settings
from manara.store.documents import Document, Documents
from manara.store.firings import (
    CANCELLED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    WAITING,
    Firing,
    TriggerState,
    fire,
    firing_at,
    firings_with_status,
    keep_mark,
    move_firing,
    trigger_states,
)
from manara.store.journal import Journal
from manara.store.runs import find_run_row
from manara.store.seal import Seal

LOOK_S = 1.0
"""How long the scheduler sleeps at most: a second is as exact as it is."""

AGAIN_S = 5.0
EVENTS_S = 5.0
"""How often stores are listed for triggers of files."""

MISSED = timedelta(seconds=60)
"""A moment that is fired later than this was missed: the setting `trigger.missed` says what becomes of it."""

MOST_AT_ONCE = 500
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a definition of a form that nobody foresaw may raise: it must not end the server of all the others."""

_OVER = (SUCCEEDED, FAILED, CANCELLED)


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Fires the triggers of a store until told to stop. Several may be at work on one store."""

    address: Path | str
    seal: Seal
    snapshots: Snapshots
    settings: Settings
    tell: Callable[[str], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _listed: dict[str, datetime] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Fire what is due, and again, until `stop` is set; a store that was lost is opened anew."""
        while not self.stop.is_set():
            try:
                with closing(Journal(self.address, self.seal)) as journal:
                    while not self.stop.is_set():
                        self.once(journal, clock.now())
                        self._sleep(LOOK_S)
            except Transient as error:
                self.tell(f"{error} The scheduler tries again.")
                self._sleep(AGAIN_S)

    def wake(self) -> None:
        """Let the scheduler look now; from any thread."""
        self._news.set()

    def once(self, journal: Journal, now: datetime) -> None:
        """Fire everything that is due, and note what has ended, of stopped triggers too.

        A trigger that is wrong keeps no other from firing.
        """
        world = World(
            journal=journal, documents=Documents(journal, self.seal), snapshots=self.snapshots, seal=self.seal
        )
        for state in trigger_states(journal):
            document = world.documents.get(state.id)
            if document is None:
                continue
            try:
                self._look(world, state, document, now)
                self._told.pop(state.id, None)
            except Transient:
                raise
            except (ManaraError, *_UNFORESEEN) as error:
                self._complain(document, error)

    def _look(self, world: World, state: TriggerState, document: Document, now: datetime) -> None:
        follow(world, document, now)
        if not state.is_started:
            return
        kind = str(document.body.get("properties", {}).get("type"))
        if kind == "ScheduleTrigger":
            self._schedule(world, state, document, now)
        elif kind == "TumblingWindowTrigger":
            _tumble(world, state, document, now)
        elif kind == "BlobEventsTrigger":
            self._watch(world, state, document, now)

    def _schedule(self, world: World, state: TriggerState, document: Document, now: datetime) -> None:
        last = max(state.since, clock.parse(state.mark["last"])) if "last" in state.mark else state.since
        recurrence = _told(document).get("recurrence") or {}
        passed = takewhile(lambda each: each <= now, moments(recurrence, last))
        missed = self.settings.trigger_missed
        # only those that are all fired come in portions: of several portions each would have its latest
        due = [*(islice(passed, MOST_AT_ONCE) if missed == "all" else passed)]
        for each in chosen(due, now, missed):
            at = clock.stamp(each)
            with world.journal.transaction():
                firing = begin(document, at, {"scheduledTime": at})
                fire_once(world, document, firing)
        if due:
            keep_mark(world.journal, state.id, {"last": clock.stamp(due[-1])})

    def _watch(self, world: World, state: TriggerState, document: Document, now: datetime) -> None:
        """Fire for each file that has come or gone since the store was listed last.

        What lies there when a trigger is started is seen, and not fired for.
        """
        listed = self._listed.get(state.id)
        if listed and now < listed + timedelta(seconds=EVENTS_S):
            return
        self._listed[state.id] = now
        told = _told(document)
        found = self._blobs(world, document, told)
        since = clock.stamp(state.since)
        before = state.mark.get("seen") if state.mark.get("since", since) == since else None
        for change in changes(told, found, before) if before is not None else ():
            with world.journal.transaction():
                body = {"event": change.body()}
                fire_once(world, document, begin(document, change.moment, body))
        seen = {blob.path: blob.tag for blob in found}
        if seen != before or state.mark.get("since") != since:
            keep_mark(world.journal, state.id, {**state.mark, "seen": seen, "since": since})

    def _blobs(self, world: World, document: Document, told: Mapping[str, Any]) -> Sequence[Blob]:
        factory, _ = world.snapshots.of(document.parent, world.documents, world.journal)
        binder = Binder(
            factory=factory, batch_rows=self.settings.copy_batch_rows, identity=bearer(self.settings.web_token)
        )
        return listing(store_of(binder, factory, told), place_of(told))

    def _complain(self, document: Document, error: Exception) -> None:
        """Tell once that a trigger cannot fire, and why."""
        if self._told.get(document.id) != str(error):
            self._told[document.id] = str(error)
            self.tell(f"The trigger '{document.name}' cannot fire: {error}")

    def _sleep(self, seconds: float) -> None:
        self._news.wait(seconds)
        self._news.clear()


def chosen(due: Sequence[datetime], now: datetime, missed: str) -> Sequence[datetime]:
    """Return the moments to fire: those of the last minute, and of those that were missed the ones that `missed` says.

    `all` of them, the `latest`, or `none`.
    """
    late = [each for each in due if now - each > MISSED]
    fresh = [each for each in due if now - each <= MISSED]
    if missed == "all":
        return due
    return [*(late[-1:] if missed == "latest" and not fresh else []), *fresh]


def follow(world: World, document: Document, now: datetime) -> None:
    """Note how the runs of a trigger have ended; try again what is to be tried again."""
    for firing in firings_with_status(world.journal, document.id, RUNNING):
        rows = [find_run_row(world.journal, str(each)) for each in dict(firing.body.get("runIds") or {}).values()]
        states = [row.status for row in rows if row]
        if states and all(state in _OVER for state in states):
            move_firing(world.journal, firing, _ended(document, firing, states, now))
    if firing_type(document) == "TumblingWindowTrigger":
        return
    for firing in firings_with_status(world.journal, document.id, WAITING):
        if firing.body.get("rerun"):
            with world.journal.transaction():
                start_again(world, document, firing)


def firing_type(document: Document) -> str:
    """Return the type of a trigger."""
    return str(document.body.get("properties", {}).get("type"))


def _ended(document: Document, firing: Firing, states: Iterable[str], now: datetime) -> Firing:
    found = set(states)
    status = SUCCEEDED if found == {SUCCEEDED} else CANCELLED if CANCELLED in found else FAILED
    if status != FAILED or firing_type(document) != "TumblingWindowTrigger":
        return replace(firing, status=status)
    tumbling = read_tumbling(_told(document))
    if firing.attempt > tumbling.retries:
        return replace(firing, status=status)
    again = clock.stamp(now + tumbling.retry_interval)
    return replace(firing, status=WAITING, body={**firing.body, "notBefore": again})


def _tumble(world: World, state: TriggerState, document: Document, now: datetime) -> None:
    """Start, retry or hold the windows of a tumbling window trigger."""
    told = _told(document)
    held = {
        firing.moment: firing
        for status in (RUNNING, WAITING)
        for firing in firings_with_status(world.journal, document.id, status)
    }
    first_new = clock.parse(state.mark["next"]) if "next" in state.mark else None
    rows = [_row(firing) for firing in held.values()]
    for action in windows.decide(told, rows, first_new, now, _upstream(world, document, told)):
        with world.journal.transaction():
            _act(world, document, action, held.get(clock.stamp(action.start)))
            if action.is_new:
                keep_mark(world.journal, state.id, {**state.mark, "next": clock.stamp(action.end)})


def _act(world: World, document: Document, action: windows.Action, firing: Firing | None) -> None:
    start, end = clock.stamp(action.start), clock.stamp(action.end)
    times = {"windowStartTime": start, "windowEndTime": end, "scheduledTime": end}
    if firing is None:
        firing = replace(begin(document, start, times, WAITING), attempt=0)
        if not fire(world.journal, firing):
            return
    if action.kind == windows.START:
        start_again(world, document, firing)
    elif action.kind == windows.WAIT:
        missing = ", ".join(each or document.name for each in action.missing)
        body = {**firing.body, "waits": True, "message": f"It waits for windows of {missing}."}
        move_firing(world.journal, firing, replace(firing, status=WAITING, body=body))
    else:
        body = {**firing.body, "message": "It has waited too long for the windows that it depends on."}
        move_firing(world.journal, firing, replace(firing, status=FAILED, body=body))


def _row(firing: Firing) -> windows.Row:
    again = firing.body.get("notBefore")
    return windows.Row(
        start=clock.parse(firing.moment),
        status=firing.status,
        attempt=firing.attempt,
        since=firing.written,
        not_before=clock.parse(again) if again else None,
        waits=bool(firing.body.get("waits")),
    )


def _upstream(world: World, document: Document, told: Mapping[str, Any]) -> dict[str, windows.Upstream]:
    """Return the triggers that this one waits for, and itself under the empty name."""
    names = {each.trigger for each in read_tumbling(told).depends_on}
    return {name.lower(): _one_upstream(world, document, name) for name in names}


def _one_upstream(world: World, document: Document, name: str) -> windows.Upstream:
    path = f"{document.parent}/triggers/{name}" if name else document.id
    other = world.documents.get(path)

    def status(start: datetime) -> str | None:
        found = firing_at(world.journal, path, clock.stamp(start))
        return found.status if found else None

    return windows.Upstream(windows=read_windows(_told(other)) if other else None, status=status)


def _told(document: Document) -> Mapping[str, Any]:
    told = document.body.get("properties", {}).get("typeProperties")
    return told if isinstance(told, Mapping) else {}
