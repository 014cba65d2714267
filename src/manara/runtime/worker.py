"""A worker in this process: claims a run, beats while it works, and gives the run back."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from manara.errors import ManaraError
from manara.resources.factory import from_snapshot
from manara.runtime.bind import Binder
from manara.runtime.engine import Engine
from manara.runtime.history import Result
from manara.runtime.recorder import Listener, Recorder
from manara.settings import Settings
from manara.store.journal import Command, Journal, Lease

BEATS_A_LEASE = 4


def work(
    journal: Journal, command: Command, root: Path, settings: Settings, listener: Listener, secrets: Mapping[str, Any]
) -> Result:
    """Do what the command asks for, from the start or from where the journal says that it stopped.

    The definitions are those of the command's snapshot; their relative paths start at `root`. `secrets` are parameters
    that are never written down. The first interrupt (Ctrl-C) cancels the run; the second leaves it as it stands.
    Raises Conflict while another process works on the run, and what keeps the journal from being written.
    """
    lease = journal.claim(command.run_id, settings.worker_lease_s)
    try:
        return anyio.run(_work, journal, command, root, settings, listener, secrets, lease)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        journal.release(lease)


async def _work(
    journal: Journal,
    command: Command,
    root: Path,
    settings: Settings,
    listener: Listener,
    secrets: Mapping[str, Any],
    lease: Lease,
) -> Result:
    factory = from_snapshot(root, journal.snapshot(command.snapshot))
    async with anyio.create_task_group() as helpers:
        async with anyio.create_task_group() as background:
            engine = Engine(
                factory=factory,
                journal=journal,
                recorder=Recorder(journal, lease, listener),
                binder=Binder(factory=factory, batch_rows=settings.copy_batch_rows),
                listener=listener,
                threads=anyio.CapacityLimiter(settings.worker_threads),
                background=background,
            )
            helpers.start_soon(_beat, lease)
            helpers.start_soon(_cancel_when_interrupted, engine)
            for run_id, pipeline, parameters in journal.orphans(command.run_id):
                background.start_soon(engine.go, engine.begin(run_id, pipeline, parameters))
            given = {**command.parameters, **secrets}
            run = engine.begin(command.run_id, command.pipeline, given, options=command.options)
            result = await engine.go(run)
        helpers.cancel_scope.cancel()
    return result


async def _beat(lease: Lease) -> None:
    while True:
        await anyio.sleep(lease.lease_s / BEATS_A_LEASE)
        lease.journal.beat(lease)


async def _cancel_when_interrupted(engine: Engine) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if engine.cancelled.is_set():
                raise KeyboardInterrupt
            engine.cancelled.set()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside nested groups: one of ours where there is one."""
    ours, _ = group.split(ManaraError)
    inner: BaseException = ours or group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
