"""A worker for everybody's runs: takes what was asked for and has no one at it, several at a time, until it is told."""

import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from manara.errors import Conflict, Transient
from manara.resources.factory import Factory, from_snapshot
from manara.runtime.endings import end_unfit
from manara.runtime.recorder import HandedOver, Listener, Recorder
from manara.runtime.worker import Process, first_error
from manara.settings import Settings
from manara.store.journal import Command, Journal, Lease

LOOK_S = 0.5
"""How often to look for work."""

AGAIN_S = 2.0
"""How long to wait before a journal that could not be reached is opened again."""


SECURE = "securestring"

Tell = Callable[[str], None]


def serve(
    address: Path | str, root: Path, settings: Settings, listener: Listener, tell: Tell, *, drain: bool = False
) -> int:
    """Work on the runs of a journal until SIGTERM or SIGINT, and return how many ended here.

    With `drain`, only until there is nothing left to do. When told to stop, it begins nothing new, lets the activities
    that are at work end, and leaves the runs as they stand for another worker; told twice, it ends at once. Runs that
    need a SecureString parameter are left to `manara resume`. A journal that cannot be reached is tried again, except
    at the start. `tell` hears, in a sentence, what goes on beside the runs.
    """
    Journal(address).close()
    worker = Worker(root=root, settings=settings, listener=listener, tell=tell, drain=drain)
    try:
        anyio.run(worker.serve, address)
    except BaseExceptionGroup as group:
        raise first_error(group) from None
    return worker.ended


@dataclass(slots=True, kw_only=True)
class Worker:
    """A worker at work: how many runs it is at, and which ones it cannot do."""

    root: Path
    settings: Settings
    listener: Listener
    tell: Tell
    drain: bool
    ended: int = 0
    busy: int = 0
    left: set[str] = field(default_factory=set)
    stop: anyio.Event = field(default_factory=anyio.Event)
    news: anyio.Event = field(default_factory=anyio.Event)

    async def serve(self, address: Path | str) -> None:
        """Open the journal, and again whenever it was lost, until there is nothing more to do."""
        process = Process.of(self.settings, self.listener)
        async with anyio.create_task_group() as ears:
            ears.start_soon(self._hear)
            while not self.stop.is_set():
                try:
                    with closing(Journal(address)) as journal:
                        await self._take_runs(process, journal)
                    break
                except* Transient as group:
                    self.tell(f"{first_error(group)} Trying again.")
                await self._wait(AGAIN_S)
            ears.cancel_scope.cancel()
        process.threads.close()

    async def _hear(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        self.stop.set()
        self.news.set()

    async def _take_runs(self, process: Process, journal: Journal) -> None:
        async with anyio.create_task_group() as runs:
            while not self.stop.is_set():
                self.news = anyio.Event()
                room = self.busy < self.settings.worker_runs
                lease = journal.claim_next(self.settings.worker_lease_s, self.left) if room else None
                if lease is not None:
                    self.busy += 1
                    runs.start_soon(self._do, process, lease)
                elif self.drain and not self.busy:
                    return
                else:
                    await self._wait(LOOK_S)

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
            factory = from_snapshot(self.root, lease.journal.snapshot(command.snapshot))
            missing = _missing_secrets(factory, command)
            if missing:
                self._leave(command, missing)
                return
            await process.follow(factory, command, recorder, lease, secrets={}, hears_interrupts=False)
        except Exception as error:  # noqa: BLE001 # a run that cannot be done must not end the worker of the others
            reason = first_error(error) if isinstance(error, BaseExceptionGroup) else error
            if isinstance(reason, HandedOver | Conflict):
                return
            if isinstance(reason, Transient) or not isinstance(reason, Exception):
                raise reason from None
            end_unfit(lease.journal, command, lease, reason)
        self.ended += 1

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
