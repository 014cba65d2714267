"""A worker in this process: claims a run, beats while it works, and gives the run back."""

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anyio

from manara.errors import ManaraError
from manara.resources.factory import Factory, from_snapshot
from manara.runtime.bind import Binder
from manara.runtime.crash import Crash, read_crash
from manara.runtime.endings import end_cancelled
from manara.runtime.engine import Engine
from manara.runtime.gauges import EVERY_S
from manara.runtime.history import Result
from manara.runtime.recorder import Listener, Recorder
from manara.runtime.threads import Threads
from manara.secret import bearer
from manara.settings import Settings
from manara.store.journal import Command, Journal, Lease

BEATS_A_LEASE = 4
LOOK_S = 1.0
"""How often to look whether somebody has cancelled the run."""


def work(
    journal: Journal,
    command: Command,
    root: Path,
    settings: Settings,
    listener: Listener,
    secrets: Mapping[str, Any],
    lease: Lease | None = None,
) -> Result:
    """Do what the command asks for, from the start or from where the journal says that it stopped.

    The definitions are those of the command's snapshot; their relative paths start at `root`. `secrets` are parameters
    that are never written down. `lease` is for a run that was taken already. The first interrupt (Ctrl-C) cancels the
    run; the second leaves it as it stands. Raises Conflict while another process works on the run, and what keeps the
    journal from being written.
    """
    lease = lease or journal.claim(command.run_id, settings.worker_lease_s)
    try:
        return anyio.run(_work, root, settings, listener, command, lease, secrets)
    except BaseExceptionGroup as group:
        raise first_error(group) from None
    finally:
        journal.release(lease)


async def _work(
    root: Path, settings: Settings, listener: Listener, command: Command, lease: Lease, secrets: Mapping[str, Any]
) -> Result:
    process = Process.of(settings, listener)
    factory = from_snapshot(root, lease.journal.snapshot(command.snapshot))
    recorder = process.recorder(lease)
    try:
        return await process.follow(factory, command, recorder, lease, secrets=secrets, hears_interrupts=True)
    finally:
        process.threads.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What all runs of one process share."""

    settings: Settings
    listener: Listener
    threads: Threads
    crash: Crash
    turns: dict[str, anyio.Semaphore] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, listener: Listener) -> Self:
        """Return the process as the settings describe it. Raises WrongDefinition for a setting that cannot be."""
        threads = Threads(settings.worker_threads)
        return cls(settings=settings, listener=listener, threads=threads, crash=read_crash(settings.worker_crash_at))

    def recorder(self, lease: Lease) -> Recorder:
        """Return what writes the events of a run that this process has taken."""
        return Recorder(lease.journal, lease, self.listener, self.crash)

    async def follow(
        self,
        factory: Factory,
        command: Command,
        recorder: Recorder,
        lease: Lease,
        *,
        secrets: Mapping[str, Any],
        hears_interrupts: bool,
    ) -> Result:
        """Do what the command asks for, and return how it ended.

        A run that somebody has cancelled while nobody worked on it is not begun again: it ends.
        """
        journal = lease.journal
        if journal.is_cancelled(command.run_id):
            end_cancelled(journal, command, lease)
        async with anyio.create_task_group() as helpers:
            async with anyio.create_task_group() as background:
                engine = Engine(
                    factory=factory,
                    journal=journal,
                    recorder=recorder,
                    binder=Binder(
                        factory=factory,
                        batch_rows=self.settings.copy_batch_rows,
                        identity=bearer(self.settings.web_token),
                    ),
                    listener=self.listener,
                    threads=self.threads,
                    background=background,
                    turns=self.turns,
                    identity=bearer(self.settings.web_token),
                    runs_commands=self.settings.custom_allowed,
                )
                helpers.start_soon(_beat, lease, engine)
                helpers.start_soon(_tell_progress, lease, engine)
                if hears_interrupts:
                    helpers.start_soon(_cancel_when_interrupted, engine)
                for run_id, pipeline, parameters in journal.orphans(command.run_id):
                    background.start_soon(engine.go, engine.begin(run_id, pipeline, parameters))
                given = {**command.parameters, **secrets}
                run = engine.begin(command.run_id, command.pipeline, given, options=command.options)
                result = await engine.go(run)
            helpers.cancel_scope.cancel()
        journal.settle(lease)
        return result


async def _beat(lease: Lease, engine: Engine) -> None:
    """Keep the lease while the run goes on, and cancel the run where somebody has asked for it."""
    beaten = time.monotonic()
    while True:
        await anyio.sleep(min(LOOK_S, lease.lease_s / BEATS_A_LEASE))
        if lease.journal.is_cancelled(lease.run_id):
            engine.cancelled.set()
        if time.monotonic() >= beaten + lease.lease_s / BEATS_A_LEASE:
            lease.journal.beat(lease)
            beaten = time.monotonic()


async def _tell_progress(lease: Lease, engine: Engine) -> None:
    """Write down what the activities at work have done so far."""
    while True:
        await anyio.sleep(EVERY_S)
        engine.gauges.write(lease.journal, lease)


async def _cancel_when_interrupted(engine: Engine) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if engine.cancelled.is_set():
                raise KeyboardInterrupt
            engine.cancelled.set()


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside nested groups: one of ours where there is one."""
    ours, _ = group.split(ManaraError)
    inner: BaseException = ours or group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
