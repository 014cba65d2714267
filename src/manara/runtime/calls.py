"""The control activity that calls another pipeline."""

from typing import Any

from manara import clock
from manara.errors import Cancelled
from manara.resources.model import Reference
from manara.resources.parameters import open_values
from manara.runtime.control_step import ControlStep, InnerFailed, control
from manara.runtime.graph import CANCELLED, SUCCEEDED
from manara.runtime.scope import Caller


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
