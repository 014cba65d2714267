"""A worker for everybody's runs: takes what was asked for and has no one at it, several at a time, until it is told."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from manara import clock
from manara.errors import Conflict, Transient
from manara.resources.factory import Factory, from_snapshot
from manara.runtime.endings import end_unfit
from manara.runtime.recorder import HandedOver, Listener, Recorder
from manara.runtime.worker import Process, first_error
from manara.settings import Settings
from manara.store.journal import Command, Journal, Lease
from manara.store.machine import host
from manara.store.nodes import Node, note_node
from manara.store.seal import Seal

LOOK_S = 0.5
"""How often to look for work."""

HEAR_S = 0.1
KEPT_FACTORIES = 8
NOTE_S = 10.0

AGAIN_S = 2.0
"""How long to wait before a journal that could not be reached is opened again."""


SECURE = "securestring"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker works on: the runs of a journal, and where the factories that they belong to lie.

    `folder` gives the folder of the factory that a run was asked for with (empty for that of no server). `seal` opens
    what a server has sealed; `runtime` is the id of the integration runtime that the worker has joined.
    """

    address: Path | str
    folder: Callable[[str], Path]
    settings: Settings
    seal: Seal | None = None
    runtime: str = ""


def serve(work: Work, listener: Listener, tell: Tell, *, drain: bool = False) -> int:
    """Work on the runs of a journal until SIGTERM or SIGINT, and return how many ended here.

    With `drain`, only until there is nothing left to do. When told to stop, it begins nothing new, lets the activities
    that are at work end, and leaves the runs as they stand for another worker; told twice, it ends at once. Runs that
    need a SecureString parameter are left to `manara resume`. A journal that cannot be reached is tried again, except
    at the start. `tell` hears, in a sentence, what goes on beside the runs.
    """
    Journal(work.address, work.seal).close()
    worker = Worker(work=work, listener=listener, tell=tell, drain=drain)
    worker.run()
    return worker.ended


@dataclass(slots=True, kw_only=True)
class Worker:
    """A worker at work: how many runs it is at, and which ones it cannot do.

    `told_to_stop` is for one that works in a thread, which hears no signals.
    """

    work: Work
    listener: Listener
    tell: Tell
    drain: bool = False
    told_to_stop: threading.Event | None = None
    ended: int = 0
    busy: int = 0
    left: set[str] = field(default_factory=set)
    stop: anyio.Event = field(default_factory=anyio.Event)
    news: anyio.Event = field(default_factory=anyio.Event)
    node: Node | None = None
    _factories: dict[tuple[Path, str], Factory] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _noted_at: float = 0.0

    def run(self) -> None:
        """Work until told to stop. Raises what keeps the journal from being used."""
        try:
            anyio.run(self._serve)
        except BaseExceptionGroup as group:
            raise first_error(group) from None

    def wake(self) -> None:
        """Let the worker look for work now; from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self.news.set()

    async def _serve(self) -> None:
        """Open the journal, and again whenever it was lost, until there is nothing more to do."""
        self._loop = asyncio.get_running_loop()
        process = Process.of(self.work.settings, self.listener)
        async with anyio.create_task_group() as ears:
            ears.start_soon(self._hear)
            while not self.stop.is_set():
                try:
                    with closing(Journal(self.work.address, self.work.seal)) as journal:
                        await self._take_runs(process, journal)
                    break
                except* Transient as group:
                    self.tell(f"{first_error(group)} Trying again.")
                await self._wait(AGAIN_S)
            ears.cancel_scope.cancel()
        process.threads.close()

    async def _hear(self) -> None:
        if self.told_to_stop is None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
        else:
            while not self.told_to_stop.is_set():
                await anyio.sleep(HEAR_S)
        self.stop.set()
        self.news.set()

    async def _take_runs(self, process: Process, journal: Journal) -> None:
        async with anyio.create_task_group() as runs:
            while not self.stop.is_set():
                self.news = anyio.Event()
                self._note(journal)
                settings = self.work.settings
                room = self.busy < settings.worker_runs
                lease = journal.claim_next(settings.worker_lease_s, self.left) if room else None
                if lease is not None:
                    self.busy += 1
                    runs.start_soon(self._do, process, lease)
                elif self.drain and not self.busy:
                    return
                else:
                    await self._wait(LOOK_S)

    def _note(self, journal: Journal) -> None:
        """Give a sign of life now and then, so that people see who works."""
        if time.monotonic() < self._noted_at + NOTE_S and self._noted_at:
            return
        self._noted_at = time.monotonic()
        now = clock.now()
        since = self.node.body["since"] if self.node else clock.stamp(now)
        body = {
            "machine": host(),
            "pid": os.getpid(),
            "since": since,
            "concurrentJobsLimit": self.work.settings.worker_runs,
            "concurrentJobsRunning": self.busy,
        }
        own = self.node.id if self.node else clock.new_id()
        self.node = Node(id=own, runtime=self.work.runtime, name=f"{host()}-{os.getpid()}", body=body, seen=now)
        note_node(journal, self.node)

    async def _wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.news.wait()

    async def _do(self, process: Process, lease: Lease) -> None:
        """Do a run, or what is left of it, and give it back."""
        recorder = process.recorder(lease)
        try:
            async with anyio.create_task_group() as watch:
                watch.start_soon(self._hand_over, recorder, watch.cancel_scope)
                await self._follow(process, lease, recorder)
                watch.cancel_scope.cancel()
        finally:
            self.busy -= 1
            self.news.set()
            recorder.flush()
            lease.journal.release(lease)

    async def _hand_over(self, recorder: Recorder, scope: anyio.CancelScope) -> None:
        await self.stop.wait()
        recorder.close()
        scope.cancel()

    async def _follow(self, process: Process, lease: Lease, recorder: Recorder) -> None:
        command = lease.journal.command(lease.run_id)
        try:
            factory = self._factory(command, lease.journal)
            secrets = self._secrets(command)
            missing = [name for name in _missing_secrets(factory, command) if name not in secrets]
            if missing:
                self._leave(command, missing)
                return
            await process.follow(factory, command, recorder, lease, secrets=secrets, hears_interrupts=False)
        except Exception as error:  # noqa: BLE001 # a run that cannot be done must not end the worker of the others
            reason = first_error(error) if isinstance(error, BaseExceptionGroup) else error
            if isinstance(reason, HandedOver | Conflict):
                return
            if isinstance(reason, Transient) or not isinstance(reason, Exception):
                raise reason from None
            end_unfit(lease.journal, command, lease, reason)
        self.ended += 1

    def _factory(self, command: Command, journal: Journal) -> Factory:
        """Return the definitions that a run was asked for with; those of the last few are kept, as runs share them."""
        root = self.work.folder(str(command.options.get("factory") or ""))
        key = (root, command.snapshot)
        found = self._factories.pop(key, None) or from_snapshot(root, journal.snapshot(command.snapshot))
        self._factories[key] = found
        if len(self._factories) > KEPT_FACTORIES:
            del self._factories[next(iter(self._factories))]
        return found

    def _secrets(self, command: Command) -> Mapping[str, Any]:
        """Return the SecureString parameters that a server has sealed for the run."""
        sealed = command.options.get("sealed")
        opened: Mapping[str, Any] = json.loads(self.work.seal.open(sealed)) if sealed and self.work.seal else {}
        return opened

    def _leave(self, command: Command, missing: Sequence[str]) -> None:
        self.left.add(command.run_id)
        given = " ".join(f"-p {name}=..." for name in missing)
        self.tell(f"The run {command.run_id} needs what is never written down: manara resume {command.run_id} {given}")


def _missing_secrets(factory: Factory, command: Command) -> list[str]:
    """Return the SecureString parameters that the command does not hold and that have no default."""
    declared = factory.pipeline(command.pipeline).properties.parameters or {}
    secure = [
        name for name, parameter in declared.items() if not parameter.has_default and parameter.type.lower() == SECURE
    ]
    return [name for name in secure if name not in command.parameters]
