"""The control activities: loops, branches, calls and variables."""

from typing import Any

import anyio

from manara import clock
from manara.errors import Cancelled, ManaraError, WrongDefinition
from manara.resources.model import Reference
from manara.runtime.control_step import ControlStep, InnerFailed, control, raise_inner
from manara.runtime.graph import CANCELLED, SUCCEEDED
from manara.runtime.history import Result
from manara.runtime.parameters import open_values
from manara.runtime.policy import truth
from manara.runtime.scope import RETURN_VALUE, Caller

BATCH_COUNT = 20
MOST_AT_ONCE = 50
MOST_ITEMS = 100_000


@control("ForEach")
async def for_each(step: ControlStep) -> dict[str, Any]:
    """Run the inner activities once for each item: up to `batchCount` rounds at once, or one after another.

    All rounds run, even when one fails; then the loop fails (rules 70 to 73).
    """
    items = await step.decide("items", lambda: _items(step))
    activities = step.activity.contained("activities")
    failed: list[Result] = []
    rounds = iter(enumerate(items))

    async def work() -> None:
        for index, item in rounds:
            result = await step.walk(activities, f"[{index}]", item)
            if result.status != SUCCEEDED:
                failed.append(result)

    async with anyio.create_task_group() as group:
        for _ in range(min(_width(step), len(items))):
            group.start_soon(work)
    if failed:
        raise_inner(failed[0])
    return {}


def _items(step: ControlStep) -> list[Any]:
    items = step.resolve("items")
    if not isinstance(items, list):
        raise WrongDefinition(
            f"'items' is {type(items).__name__}, not an array.",
            where=step.step,
            advice="Give an expression that yields an array, such as @activity('Lookup').output.value.",
        )
    if len(items) > MOST_ITEMS:
        raise WrongDefinition(f"'items' holds {len(items)} items; a loop takes {MOST_ITEMS}.", where=step.step)
    return items


def _width(step: ControlStep) -> int:
    if truth(step.properties.get("isSequential")):
        return 1
    try:
        count = int(step.properties.get("batchCount") or BATCH_COUNT)
    except (TypeError, ValueError):
        raise WrongDefinition(
            f"'batchCount' is '{step.properties['batchCount']}'.", where=step.step, advice="Give a number from 1 to 50."
        ) from None
    return max(1, min(count, MOST_AT_ONCE))


@control("IfCondition")
async def if_condition(step: ControlStep) -> dict[str, Any]:
    """Run the one branch or the other; an empty branch succeeds (rule 79)."""

    def choose() -> bool:
        value = step.resolve("expression")
        if not isinstance(value, bool):
            raise WrongDefinition(
                f"The expression gives {value!r}, not true or false.",
                where=step.step,
                advice="Compare it with equals().",
            )
        return value

    holds = await step.decide("holds", choose)
    activities = step.activity.contained("ifTrueActivities" if holds else "ifFalseActivities")
    raise_inner(await step.walk(activities))
    return {}


@control("ExecutePipeline")
async def execute_pipeline(step: ControlStep) -> dict[str, Any]:
    """Run another pipeline as a run of its own, and wait for it unless `waitOnCompletion` is false (rule 85)."""
    name = Reference.model_validate(step.properties.get("pipeline") or {}).reference_name
    pipeline = step.engine.factory.pipeline(name)
    given = step.resolve("parameters") if step.properties.get("parameters") else {}
    kept = await step.decide("call", lambda: {"runId": clock.new_id(), "parameters": open_values(pipeline, given)})
    caller = Caller(run=step.frame.run, step=step.step)
    child = step.engine.begin(kept["runId"], name, {**given, **kept["parameters"]}, caller)
    output = {"pipelineName": name, "pipelineRunId": kept["runId"]}
    if str(step.properties.get("waitOnCompletion", True)).lower() == "false":
        step.engine.background.start_soon(step.engine.go, child)
        return output
    result = await step.engine.go(child)
    if result.status == CANCELLED:
        raise Cancelled(result.message)
    if result.status != SUCCEEDED:
        raise InnerFailed(result.message)
    return {**output, **result.output}


@control("SetVariable")
async def set_variable(step: ControlStep) -> dict[str, Any]:
    """Give a variable of the run a value, or with `setSystemVariable` the run its return value (rules 86 and 95)."""
    name = str(step.properties.get("variableName") or "")
    value = step.resolve("value")
    if truth(step.properties.get("setSystemVariable")) and name == RETURN_VALUE:
        value = {pair["key"]: pair["value"] for pair in value}
    step.set_variable(name, value)
    return {"name": name, "value": value}


@control("Fail")
async def fail(step: ControlStep) -> dict[str, Any]:
    """End in failure with the message and the code that the definition gives (rule 87)."""
    message, code = step.resolve("message"), step.resolve("errorCode")
    if not isinstance(message, str) or not message.strip():
        raise ManaraError("Failed to interpret the fail message or error code.", code="ErrorCodeNotString")
    if not isinstance(code, str) or not code.strip():
        raise ManaraError(message, code="ErrorCodeNotString")
    raise FailedOnPurpose(message, code=code)


class FailedOnPurpose(ManaraError):
    code = "UserError"
    status = 400
