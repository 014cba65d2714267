"""A factory whose pipelines run for a test: in memory, on a frozen clock, with stubs in place of activities."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from manara import clock
from manara.errors import Faults, WrongDefinition
from manara.resources import factory as resources
from manara.resources.check import Known, check_pipeline
from manara.resources.parameters import bind_parameters
from manara.runtime.bind import Binder
from manara.runtime.engine import Engine
from manara.runtime.recorder import Recorder
from manara.runtime.threads import Threads
from manara.settings import Settings
from manara.store.journal import Journal, Lease
from manara.store.record import read_run
from manara.testing.address import check_addresses
from manara.testing.cast import Cast
from manara.testing.frozen_loop import FrozenLoop
from manara.testing.run import Run, look_at
from manara.testing.stubs import Stub

START = datetime(2024, 1, 15, 6, 30, tzinfo=UTC)
"""When a run starts, unless a test says otherwise: a Monday."""

_MEMORY = Path(":memory:")
_LEASE_S = 3600
_SETTINGS = Settings()

Stubs = Mapping[str, Stub | Sequence[Stub]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """A factory under test. In `folder` start the relative paths of what is not stubbed."""

    definitions: resources.Factory = field(repr=False)
    folder: Path | None = None
    most_steps: int = 10_000

    @classmethod
    def open(cls, root: Path | str, folder: Path | str | None = None) -> Self:
        """Return the factory whose definitions lie in `root`. Raises WrongDefinition where there is none."""
        return cls(definitions=resources.read_factory(Path(root)), folder=Path(folder) if folder else None)

    def run(
        self,
        pipeline: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        stubs: Stubs | None = None,
        real: Collection[str] = (),
        at: datetime = START,
    ) -> Run:
        """Run a pipeline to its end and return how it ran.

        `stubs` holds what stands in for activities, by address (`Copy`, `Each file[0]/Copy`, `child:Copy`); a list of
        stubs answers in turn. Control activities work as always; any other must be stubbed, or named in `real`: then
        it does its work in `folder`. Time stands at `at`, and passes at once where something waits.

        Raises NotFound for an address or a pipeline that is not there, Faults for definitions with faults,
        WrongDefinition for an activity without a stub or parameters that do not fit, and what a stub raised.
        """
        faults = check_pipeline(self.definitions, pipeline, _KNOWN)
        if faults:
            raise Faults(faults)
        check_addresses([*(stubs or {}), *real], self.definitions, pipeline)
        bind_parameters(self.definitions.pipeline(pipeline), parameters or {})
        answers = {address: _in_turn(address, stub) for address, stub in (stubs or {}).items()}
        cast = Cast(stubs=answers, real=frozenset(real), most_steps=self.most_steps)
        start = partial(_run, self._placed(real), pipeline, parameters or {}, cast)
        with clock.frozen(at) as held, closing(Journal(_MEMORY)) as journal:
            return anyio.run(start, journal, backend_options={"loop_factory": partial(FrozenLoop, held)})

    def _placed(self, real: Collection[str]) -> resources.Factory:
        if self.folder:
            return replace(self.definitions, root=self.folder)
        if real:
            raise WrongDefinition(
                "Real activities need a folder to work in.", advice="Open the factory with folder=tmp_path."
            )
        return self.definitions


def _in_turn(address: str, stubs: Any) -> list[Stub]:
    found: list[Any] = list(stubs) if isinstance(stubs, list | tuple) else [stubs]
    if not found or not all(isinstance(stub, Stub) for stub in found):
        raise WrongDefinition(
            f"The stub of '{address}' is {stubs!r}.", advice="Give output(...), failure(...) or calls(...)."
        )
    return found


async def _run(
    factory: resources.Factory,
    pipeline: str,
    parameters: Mapping[str, Any],
    cast: Cast,
    journal: Journal,
) -> Run:
    cancelled = anyio.Event()
    cast.stop = cancelled.set
    run_id = clock.new_id()
    async with anyio.create_task_group() as background:
        engine = _engine(factory, journal, journal.claim(run_id, _LEASE_S), cast, cancelled, background)
        await engine.go(engine.begin(run_id, pipeline, parameters))
    if cast.faults:
        raise cast.faults[0]
    return look_at(read_run(journal, run_id), journal, factory, cast.given)


def _engine(
    factory: resources.Factory,
    journal: Journal,
    lease: Lease,
    cast: Cast,
    cancelled: anyio.Event,
    background: TaskGroup,
) -> Engine:
    threads = Threads(_SETTINGS.worker_threads)
    loop = asyncio.get_running_loop()
    if isinstance(loop, FrozenLoop):
        loop.is_busy = lambda: threads.at_work > 0
    return Engine(
        factory=factory,
        journal=journal,
        recorder=Recorder(journal, lease, _unheard),
        binder=Binder(factory=factory, batch_rows=_SETTINGS.copy_batch_rows),
        listener=_unheard,
        threads=threads,
        background=background,
        cancelled=cancelled,
        stand_ins=cast.work,
    )


def _unheard(_: object) -> None:
    """Hear what happens in a run, and say nothing."""


class _EveryType(frozenset[str]):
    """Holds every type name: with stubs, what cannot run here can be tested too."""

    def __contains__(self, name: object) -> bool:
        return True


_KNOWN = Known(activities=_EveryType(), datasets=_EveryType(), connectors=_EveryType())
