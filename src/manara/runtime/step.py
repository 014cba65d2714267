"""One activity: its inputs, its tries, its start and its end in the journal."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from manara import clock
from manara.errors import Cancelled, TimedOut
from manara.expr import resolve
from manara.plugin.activity import ACTIVITIES, Given, Output
from manara.plugin.connection import Mark
from manara.resources.model import Activity, Reference
from manara.runtime.control_step import CONTROLS, ControlStep
from manara.runtime.failure import error_of
from manara.runtime.graph import CANCELLED, FAILED, SKIPPED, SUCCEEDED
from manara.runtime.history import Result
from manara.runtime.policy import Tries, read_policy
from manara.runtime.recorder import Progress
from manara.runtime.scope import Frame
from manara.secret import hidden

if TYPE_CHECKING:
    from manara.runtime.engine import Engine

Work = Callable[[Given], Awaitable[Output]]

StandIns = Callable[[str, str, Activity], Work | None]
"""Returns what works in place of an activity, given the name of the pipeline, the step and the activity; or None."""

_EACH_ROUND = {"Until": "expression", "Filter": "condition", "filter": "condition"}


def no_stand_ins(_pipeline: str, _step: str, _activity: Activity) -> Work | None:
    """Let every activity do its own work."""
    return None


async def take(engine: "Engine", activity: Activity, frame: Frame) -> Result:
    """Do the activity, with its retries, and return how it ended; what has ended already is not done again."""
    step = frame.path + activity.name
    history = frame.run.history
    if step in history.ended:
        return history.ended[step]
    if not activity.is_active:
        result = Result(status=activity.on_inactive_mark_as or SUCCEEDED)
        _note_end(engine, activity, frame, result, Tries(), clock.now())
        return result
    while True:
        history.attempts[step] += 1
        started = clock.now()
        history.began.setdefault(step, started)
        tries, result = await _try(engine, activity, frame, step)
        engine.gauges.end(frame.run.run_id, step)
        may_retry = activity.type not in CONTROLS  # a policy is for activities that do work (rule 83)
        again = may_retry and result.status == FAILED and history.failed[step] < tries.retries
        _note_end(engine, activity, frame, result, tries, started, again=again)
        if not again:
            for tried in (history.attempts, history.failed, history.began, frame.run.given):
                tried.pop(step, None)  # a long loop has many steps
            return result
        history.failed[step] += 1
        await engine.recorder.commit()
        with anyio.move_on_after(tries.interval.total_seconds()):
            await engine.cancelled.wait()


async def _try(engine: "Engine", activity: Activity, frame: Frame, step: str) -> tuple[Tries, Result]:
    tries = Tries()
    try:
        if engine.cancelled.is_set():
            raise Cancelled("The run was cancelled.")
        tries = read_policy(activity.policy, partial(resolve, scope=frame.scope()))
        stand_in = engine.stand_ins(frame.run.pipeline.name, step, activity)
        if activity.type in CONTROLS and stand_in is None:
            output = await _control(engine, activity, frame, step)
        else:
            work = stand_in or _in_thread(engine, activity.type)
            output = await _work(engine, activity, frame, step, tries, work)
    except Cancelled as error:
        return tries, Result(status=CANCELLED, error=error_of(error, activity.name))
    except Exception as error:  # noqa: BLE001 # whatever an activity raises ends this step, not the process
        engine.recorder.check()
        return tries, Result(status=FAILED, error=error_of(error, activity.name))
    return tries, Result(status=SUCCEEDED, output=output)


async def _control(engine: "Engine", activity: Activity, frame: Frame, step: str) -> Mapping[str, Any]:
    run = frame.run
    engine.recorder.put(run.event("started", step, type=activity.type, attempt=run.history.attempts[step], input={}))
    return await CONTROLS.find(activity.type)(ControlStep(engine=engine, activity=activity, frame=frame, step=step))


def _in_thread(engine: "Engine", kind: str) -> Work:
    plugin = ACTIVITIES.find(kind)

    async def work(given: Given) -> Output:
        return await engine.threads.run(partial(plugin, given))

    return work


async def _work(
    engine: "Engine", activity: Activity, frame: Frame, step: str, tries: Tries, work: Work
) -> Mapping[str, Any]:
    """Run an activity that does work: durable start first, then the work itself."""
    given = _given(engine, activity, frame, step, tries)
    given = replace(given, cursor=engine.cursors.find(activity, frame, given))
    frame.run.given[step] = given
    inputs = {} if tries.hides_input else hidden({**given.properties, **_references(given)})
    attempt = frame.run.history.attempts[step]
    engine.recorder.put(frame.run.event("started", step, type=activity.type, attempt=attempt, input=inputs))
    await engine.recorder.commit()
    return await work(replace(given, properties=engine.binder.vault.open(given.properties)))


def _given(engine: "Engine", activity: Activity, frame: Frame, step: str, tries: Tries) -> Given:
    scope = frame.scope()
    now = clock.teller()
    end = now() + tries.timeout

    def resolved(reference: Reference) -> dict[str, Any]:
        parameters = resolve(reference.parameters or {}, scope)
        return {"referenceName": reference.reference_name, "parameters": parameters}

    def report(figures: Mapping[str, Any]) -> None:
        if figures:
            engine.gauges.note(frame.run.run_id, step, figures)
            engine.listener(Progress(run_id=frame.run.run_id, step=step, figures=figures))
        if engine.cancelled.is_set():
            raise Cancelled("The run was cancelled.")
        if now() >= end:
            raise TimedOut(f"It took longer than {tries.timeout}.", advice="Raise the timeout in its policy.")

    service = activity.service
    attempt = frame.run.history.attempts[step]
    return Given(
        name=activity.name,
        properties=resolve(_own_properties(activity), scope),
        inputs=[resolved(reference) for reference in activity.inputs or []],
        outputs=[resolved(reference) for reference in activity.outputs or []],
        linked_service=resolved(service) if service else None,
        mark=Mark(run_id=frame.run.run_id, step=step, attempt=attempt),
        dataset=engine.binder.dataset,
        connect=engine.binder.connect,
        published_type=engine.binder.published_type,
        text=engine.factory.text,
        report=report,
        identity=engine.identity,
        root=engine.factory.root,
        describe=engine.binder.describe,
        runs_commands=engine.runs_commands,
    )


def _own_properties(activity: Activity) -> Mapping[str, Any]:
    """Return the typeProperties; of a container only what can be known before the activities in it run."""
    if activity.type not in CONTROLS:
        return activity.type_properties
    later = (*Activity.CONTAINED, "cases", _EACH_ROUND.get(activity.type))
    return {name: value for name, value in activity.type_properties.items() if name not in later}


def _references(given: Given) -> dict[str, Any]:
    held = {
        "inputs": list(given.inputs),
        "outputs": list(given.outputs),
        "linkedServiceName": given.linked_service,
        "cursor": given.cursor,
    }
    return {name: value for name, value in held.items() if value}


def _note_end(
    engine: "Engine",
    activity: Activity,
    frame: Frame,
    result: Result,
    tries: Tries,
    started: datetime,
    *,
    again: bool = False,
) -> None:
    step = frame.path + activity.name
    body = {
        "type": activity.type,
        "status": result.status,
        "attempt": frame.run.history.attempts[step],
        "startedAt": clock.stamp(started),
        "output": {} if tries.hides_output else dict(result.output),
        "error": result.error,
    }
    if again:
        body["willRetry"] = True
    if tries.hides_output and result.status not in (FAILED, SKIPPED):
        body["hidden"] = True
    event = frame.run.event("ended", step, **body)
    given = frame.run.given.get(step)
    if given is not None and result.status == SUCCEEDED:
        began = frame.run.history.began[step]
        event = replace(event, keeps=engine.cursors.keep(activity, frame, given, result.output, began))
    engine.recorder.put(event)
