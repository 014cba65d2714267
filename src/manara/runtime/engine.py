"""Walks the graph of a pipeline: starts what may start, takes each step once, and says how it all ended."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup

from manara.errors import Cancelled
from manara.plugin.connection import NO_IDENTITY
from manara.resources.factory import Factory
from manara.resources.model import Activity, Pipeline
from manara.resources.parameters import bind_parameters, open_values
from manara.runtime.bind import Binder
from manara.runtime.cursors import Cursors
from manara.runtime.failure import error_of
from manara.runtime.gauges import Gauges
from manara.runtime.graph import CANCELLED, SKIPPED, SUCCEEDED, culprits, followers_of, next_steps
from manara.runtime.history import Result, fold
from manara.runtime.policy import whole_number
from manara.runtime.recorder import Listener, Recorder
from manara.runtime.rerun import needed_for, take_over_before, take_over_succeeded
from manara.runtime.scope import RETURN_VALUE, Caller, Frame, Run, start_values, system_names
from manara.runtime.step import StandIns, no_stand_ins, take
from manara.runtime.threads import Threads
from manara.secret import Secret
from manara.store.journal import Event, Journal


@dataclass(slots=True, kw_only=True)
class Engine:
    """Runs a pipeline and those that it calls.

    `background` takes child runs that nobody waits for; once `cancelled` is set, nothing new starts and what is at
    work stops at its next chance. `stand_ins` is for tests; `identity` gives the bearer
    token of the managed identity for a resource; `runs_commands` lets activities run commands on this machine.
    """

    factory: Factory
    journal: Journal
    recorder: Recorder
    binder: Binder
    listener: Listener
    threads: Threads
    background: TaskGroup
    cancelled: anyio.Event = field(default_factory=anyio.Event)
    turns: dict[str, anyio.Semaphore] = field(default_factory=dict)
    stand_ins: StandIns = no_stand_ins
    identity: Callable[[str], Secret] = NO_IDENTITY
    runs_commands: bool = False
    cursors: Cursors = field(init=False)
    gauges: Gauges = field(default_factory=Gauges)

    def __post_init__(self) -> None:
        self.cursors = Cursors(journal=self.journal, factory=self.factory.name)

    def begin(
        self,
        run_id: str,
        name: str,
        parameters: Mapping[str, Any],
        caller: Caller | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        """Return the run, new or as far as the journal knows it; a new one is noted in the journal.

        `options` are those of a Command; its `names` say which trigger asked for it. Raises NotFound for an unknown
        pipeline, and WrongDefinition for parameters that do not fit it.
        """
        events = list(self.journal.events(run_id))
        pipeline = self.factory.pipeline(name)
        values = bind_parameters(pipeline, parameters)
        activities = pipeline.properties.activities
        options = options or {}
        if not events:
            body = {
                "pipeline": name,
                "names": {**system_names(self.factory.name, name, run_id, caller), **options.get("names", {})},
                "parameters": open_values(pipeline, values),
                "caller": {"runId": caller.run.run_id, "step": caller.step} if caller else None,
            }
            events = [Event(run_id=run_id, kind="runStarted", body=body)]
            events += self._taken_over(activities, run_id, options.get("rerun"))
            for event in events:
                self.recorder.put(event)
        history = fold(events)
        own = {"parameters": values, "globalParameters": self.factory.global_parameters}
        return Run(
            run_id=run_id,
            pipeline=pipeline,
            activities=needed_for(activities, options["until"]) if options.get("until") else activities,
            names={**history.names, **own},
            variables=start_values(pipeline, history),
            history=history,
        )

    async def go(self, run: Run) -> Result:
        """Run the pipeline to its end, going on where the journal says that it stopped, and return how it ended."""
        if run.history.result is not None:
            return run.history.result
        async with self._turn(run.pipeline):
            ended = await self.walk(run.activities, Frame(run=run))
        returned = run.variables.get(RETURN_VALUE)
        result = Result(
            status=ended.status, output={RETURN_VALUE: returned} if returned else {}, error=told_by_pipeline(ended)
        )
        self.recorder.put(run.event("runEnded", status=result.status, output=result.output, error=result.error))
        await self.recorder.commit()
        return result

    def _taken_over(self, activities: Sequence[Activity], run_id: str, rerun: Mapping[str, Any] | None) -> list[Event]:
        if rerun is None:
            return []
        earlier = self.journal.events(rerun["runId"])
        if rerun.get("from"):
            return take_over_before(activities, rerun["from"], earlier, run_id)
        return take_over_succeeded(activities, earlier, run_id)

    def _turn(self, pipeline: Pipeline) -> AbstractAsyncContextManager[object]:
        """Return what lets at most `concurrency` runs of the pipeline go on at once in this process."""
        most = whole_number(pipeline.properties.concurrency, default=0, where=f"pipeline '{pipeline.name}' concurrency")
        if not most:
            return nullcontext()
        return self.turns.setdefault(pipeline.name, anyio.Semaphore(most))

    async def walk(self, activities: Sequence[Activity], frame: Frame) -> Result:
        """Run the activities of one level in the order of their dependencies, and return how the level ended."""
        waiting = {activity.name: activity for activity in activities}
        followers = followers_of(activities)
        results: dict[str, Result] = {}
        done: dict[str, str] = {}

        async def go_on(ready: Sequence[Activity], group: TaskGroup) -> None:
            while ready:
                activity, *others = ready
                for other in others:
                    group.start_soon(go_on, [other], group)
                results[activity.name] = result = await take(self, activity, frame)
                done[activity.name] = result.status
                frame.note(activity.name, result)
                ready = advance(followers[activity.name])

        def advance(ahead: Sequence[Activity]) -> list[Activity]:
            ready: list[Activity] = []
            while ahead and not self.cancelled.is_set():
                plan = next_steps([activity for activity in ahead if activity.name in waiting], done)
                ready += plan.ready
                for activity in (*plan.ready, *plan.skipped):
                    del waiting[activity.name]
                for activity in plan.skipped:
                    done[activity.name] = SKIPPED
                    self._skip(activity, frame)
                after = [follower for activity in plan.skipped for follower in followers[activity.name]]
                ahead = list({activity.name: activity for activity in after}.values())
            return ready

        async with anyio.create_task_group() as group:
            await go_on(advance(activities), group)
        if waiting or CANCELLED in done.values():
            return Result(status=CANCELLED, error=error_of(Cancelled("The run was cancelled."), ""))
        failed = culprits(activities, done)
        return results[failed[0]] if failed else Result(status=SUCCEEDED)

    def _skip(self, activity: Activity, frame: Frame) -> None:
        step = frame.path + activity.name
        if step not in frame.run.history.ended:
            self.recorder.put(frame.run.event("ended", step, type=activity.type, status=SKIPPED))
        frame.note(activity.name, Result(status=SKIPPED))


def told_by_pipeline(result: Result) -> Mapping[str, Any] | None:
    """Return the error of a pipeline whose activities ended so: it names the activity that failed (rule 67)."""
    if result.error is None or result.status == CANCELLED:
        return result.error
    target, message = result.error.get("target"), result.error.get("message")
    return {**result.error, "message": f"Operation on target {target} failed: {message}"}
